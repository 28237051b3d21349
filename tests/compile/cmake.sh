#!/usr/bin/env bash
# Programs in C and in C++ that CMake builds with the library: tests/compile/cmake.sh WAY LIBRARY BUILD_TYPE [GENERATOR]
#
# WAY: subdirectory or fetch: as a part of the project; installed: by CMake; made: installed by make, which installs both libraries.
# LIBRARY: static or shared. Needs BUILD, the products of make, and OUT.
set -euo pipefail
cd "$(dirname "$0")/../.."
way=$1 library=$2 type=$3 generator=${4:-Unix Makefiles}
version=$(sed -n 's/^#define LANGFUSE_VERSION "\(.*\)"/\1/p' lf_core.h)
folder=$(realpath -m "$OUT")/cmake/$way.$library.$type
flags='-Wall -Wextra -Wshadow -Wpedantic -Wconversion -Werror'
shared=$([[ $library == shared ]] && echo ON || echo OFF)

configure() { # source folder flag...
    cmake --no-warn-unused-cli -S "$1" -B "$2" -G "$generator" -DCMAKE_BUILD_TYPE="$type" -DBUILD_SHARED_LIBS="$shared" \
        "${@:3}" >"$2.log" 2>&1 || { cat "$2.log"; return 1; }
    ! grep -i warning "$2.log"
}

build() { # folder
    cmake --build "$1" >"$1.log" 2>&1 || { cat "$1.log"; return 1; }
}

# To a folder that is not the one it was made for: an installation may be moved.
installed() {
    local gzip=$([[ $library == static ]] && echo ON || echo OFF) # what a static library needs, programs must find
    configure . "$folder/library" -DCMAKE_INSTALL_PREFIX="$folder/there" -DLANGFUSE_GZIP="$gzip"
    build "$folder/library"
    cmake --install "$folder/library" >"$folder/install.log"
}

made() {
    # As run.sh: one at a time.
    flock "$OUT/install.lock" make -s BUILD="$BUILD" prefix="$folder/there" \
        libdir="$folder/there/lib/$(${CC:-cc} -print-multiarch)" install >/dev/null
}

runs() { # program
    local file=$folder/trace
    rm -f "$file" "$file.scores"
    env LANGFUSE_EXPORTER="file:$file" "$1" built
    grep -qF '{\"question\":\"built\",\"n\":41}' "$file"
    grep -q '"name":"exact"' "$file.scores"
    if readelf -dW "$1" | grep -q "NEEDED.*liblangfuse\.so\.${version%.*}\]"; then
        [[ $library == shared ]]
    else
        [[ $library == static ]]
    fi
}

records() { # program
    local file=$folder/trace
    rm -f "$file"
    env LANGFUSE_EXPORTER="file:$file" "$1"
    grep -q '"name":"OpenAI-generation"' "$file"
}

rm -rf "$folder"
mkdir -p "$folder/project"
# Away from our headers.
cp tests/compile/cmake/CMakeLists.txt tests/compile/program.c tests/compile/curl_call.c "$folder/project"
cp tests/compile/program.c "$folder/project/program.cpp"
options=(-DMINOR="${version%.*}" -DLANGFUSE="$PWD" -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags")
case $way in
subdirectory | fetch) options+=(-DWAY="$way") ;;
installed | made)
    "$way"
    mv "$folder/there" "$folder/moved"
    options+=(-DWAY=find -DCMAKE_PREFIX_PATH="$folder/moved")
    [[ $way == installed || $library == shared ]] || options+=(-DLANGFUSE_USE_STATIC_LIBS=ON)
    ;;
esac
configure "$folder/project" "$folder/build" "${options[@]}"
build "$folder/build"
runs "$folder/build/in_c"
runs "$folder/build/in_cxx"
records "$folder/build/by_curl"
records "$folder/build/by_curl_wrap"
# The project installs its own program only, and has no tests of ours.
cmake --install "$folder/build" --prefix "$folder/root" >"$folder/install.log"
[[ $(cd "$folder/root" && find . -type f) == ./bin/in_c ]]
[[ $(cd "$folder/build" && ctest -N | tail -n 1) == 'Total Tests: 0' ]]
# The same names are exported as by the library that make builds.
find "$folder" -name "liblangfuse.so.$version" | while read -r file; do
    diff tests/compile/symbols.txt <(nm -D --defined-only "$file" | sed -n 's/.* \(lf_[a-z][a-z0-9_]*\)@@.*/\1/p' | LC_ALL=C sort)
    readelf -dW "$file" | grep -q "SONAME.*\[liblangfuse\.so\.${version%.*}\]"
    readelf -dW "$file" | grep -q 'Flags:.*NODELETE'
done
if [[ $way == installed || $way == made ]]; then
    PKG_CONFIG_PATH=$(dirname "$(find "$folder/moved" -name langfuse.pc)") pkg-config --exists "langfuse = $version"
fi
