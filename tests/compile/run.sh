#!/usr/bin/env bash
# What compilers make of us: every macro in every language mode, errors that must be errors, LF_DISABLE, the symbols of the
# shared library, the one-file build, install and uninstall, the code in the docs.
#
# Docs: a block fenced as ```c is compiled. It gets our headers and the usual standard ones in front, and a function around
# it unless it defines one itself. A block that cannot stand alone is fenced as ```c fragment (or ```text).
#
# A check is one line of shell in $OUT/jobs; they run two at a time, each in a shell of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BUILD=${BUILD:-build}
export OUT=$BUILD/compile
export STRICT='-I. -Wall -Wextra -Wshadow -Wpedantic -Wconversion -Werror'
unset MAKEFLAGS MAKELEVEL MFLAGS "${!LANGFUSE_@}"
rm -rf "$OUT"
mkdir -p "$OUT/docs"

# The compilers: what make uses, then gcc and clang where that is another one.
compilers() {
    local seen='' compiler version
    for compiler in "$@"; do
        if ! version=$("$compiler" --version 2>/dev/null | head -n 1); then
            echo "compile: SKIP $compiler is not installed" >&2
        elif [[ $seen != *"|${version#* }|"* ]]; then
            seen="$seen|${version#* }|"
            echo "$compiler"
        fi
    done
}
C_COMPILERS=$(compilers "${CC:-gcc}" gcc clang)
CXX_COMPILERS=$(compilers "${CXX:-g++}" g++ clang++)
C_COMPILER=${C_COMPILERS%%$'\n'*}
export C_COMPILER

is_clang() { "$1" --version | grep -q clang; }
knows() { echo 'int x;' | "$1" -fsyntax-only -x "$2" "-std=$3" - 2>/dev/null; }

# ---- The checks ----------------------------------------------------------------------------------------------------

# Functions that strict modes hide are for those files only that do not ask for them themselves.
compiles() { # compiler mode file flag...
    local extra=''
    [[ $2 == c[0-9]* ]] && ! grep -q '^#define _GNU_SOURCE' "$3" && extra=-D_GNU_SOURCE
    "$1" "-std=$2" $STRICT -fsyntax-only $extra "${@:4}" "$3"
}

# The file's head says what each compiler must say; "-" is a case that this compiler takes. With -DCONTROL it compiles.
must_fail() { # compiler kind file
    local want flags
    want=$(sed -n "s/^[\/ ]\* *$2: \(.*[^ *\/]\)[ *\/]*$/\1/p" "$3" | head -n 1)
    flags=$(sed -n "s/^[\/ ]\* *flags of $2: \(.*[^ *\/]\)[ *\/]*$/\1/p" "$3" | head -n 1)
    [[ -n $want ]] || { echo "$3 does not say what $2 must say"; return 1; }
    "$1" -std=gnu11 $STRICT $flags -fsyntax-only -DCONTROL "$3" || { echo 'the control does not compile'; return 1; }
    if "$1" -std=gnu11 $STRICT $flags -fsyntax-only "$3" >"$OUT/said.$2.$(basename "$3")" 2>&1; then
        [[ $want == - ]] || { echo 'it compiles'; return 1; }
    else
        grep -qE -e "$want" "$OUT/said.$2.$(basename "$3")" || { cat "$OUT/said.$2.$(basename "$3")"; return 1; }
    fi
}

header_alone() { # compiler language mode header flag...
    printf '#include "%s"\n#include "%s"\nextern int lf_test;\n' "$4" "$4" |
        "$1" -x "$2" "-std=$3" $STRICT "${@:5}" -fsyntax-only -
}

disassembly() { # object
    objdump -dr "$1" | sed '1,/^Disassembly/d'
}

# Neither code nor data nor a symbol is left of the macros; and the comparison can tell (without LF_DISABLE it must differ).
disabled_is_nothing() { # compiler optimisation
    local base=$OUT/disabled.$1$2 flags="-std=gnu11 -I. $2 -c tests/compile/disabled.c"
    "$1" $flags -DPLAIN -o "$base.plain.o"
    "$1" $flags -DLF_DISABLE -o "$base.off.o"
    "$1" $flags -o "$base.on.o"
    diff <(disassembly "$base.plain.o") <(disassembly "$base.off.o")
    diff <(nm "$base.plain.o") <(nm "$base.off.o")
    diff <(size -A "$base.plain.o" | grep data) <(size -A "$base.off.o" | grep data)
    if diff -q <(disassembly "$base.plain.o") <(disassembly "$base.on.o") >/dev/null; then return 1; fi
}

only() { # what pattern < lines: says which lines do not match
    local others
    others=$(grep -vE "$2" || true)
    [[ -z $others ]] || { echo "$1: $others"; return 1; }
}

absent() { # pattern < lines (a `!` in front of a pipeline would not stop a function)
    if grep -E -e "$1"; then return 1; fi
}

shared_symbols() {
    local library
    library=$(readlink -f "$BUILD/liblangfuse.so")
    nm -D --defined-only "$library" | awk '{print $NF}' | only 'exported' '^lf_[a-z]'
    nm -D --defined-only "$library" | absent ' lf__'
    nm -D --undefined-only "$library" | awk '{print $NF}' |
        only 'undefined' '@GLIBC|^curl_|^cJSON_|^OPENSSL_init_crypto$|^_ITM_|^__gmon_start__$|^__cxa_finalize'
    readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        only 'needs' '^lib(curl|cjson|c|pthread)\.so'
    readelf -dW "$library" | grep -q 'Flags:.*NODELETE'
    readelf -dW "$library" | grep -q 'SONAME.*liblangfuse\.so\.[0-9]*\]'
}

static_symbols() {
    nm -g --defined-only "$BUILD/liblangfuse.a" 2>/dev/null | awk 'NF == 3 {print $3}' | only 'global' '^lf_'
    # Before main one function of ours runs, which watches for the end of the main thread, and after it one, which waits for
    # libcurl's set-up. All else is asked for at run time.
    readelf -SW "$BUILD/liblangfuse.a" | absent '\.(ctors|dtors|preinit_array)'
    [ "$(readelf -SW "$BUILD/liblangfuse.a" | grep -cE ' \.init_array.* 000008 ')" = 1 ]
    [ "$(readelf -SW "$BUILD/liblangfuse.a" | grep -cE ' \.fini_array.* 000008 ')" = 1 ]
}

# Run a traced program; what it wrote must hold this text.
traces() { # text program argument...
    local file=$OUT/trace.$BASHPID
    rm -f "$file" "$file.scores"
    env LANGFUSE_EXPORTER="file:$file" LD_LIBRARY_PATH="${LIBRARIES:-}" "${@:2}" 2>"$file.log" || { cat "$file.log"; return 1; }
    grep -q -e "$1" "$file"
}

scored() { # name: of a score that the program run last by `traces` made
    grep -q "\"name\":\"$1\"" "$OUT/trace.$BASHPID.scores"
}

one_file() { # compiler
    "$1" -std=gnu11 -I. tests/compile/program.c src/all.c -o "$OUT/two.$1" -lcurl -lcjson -lpthread
    traces '"name":"answer"' "$OUT/two.$1"
    "$1" -std=gnu11 -I. -DALL_IN_ONE tests/compile/program.c -o "$OUT/one.$1" -lcurl -lcjson -lpthread
    traces '{\\"question\\":\\"included\\",\\"n\\":41}' "$OUT/one.$1" included
    scored exact
    "$1" -std=gnu11 -I. -include stdio.h -fsyntax-only src/all.c 2>"$OUT/late.$1" && return 1 # too late
    grep -q 'before any other header' "$OUT/late.$1" || return 1
    "$1" -std=gnu11 -I. -include stdio.h -D_GNU_SOURCE -Werror -fsyntax-only src/all.c
}

# Where compilers may take it that there is neither NaN nor infinity.
fast_math() { # compiler flag...
    local program=$OUT/fast_math.$BASHPID file=$OUT/trace.$BASHPID text
    "$1" -std=gnu11 -I. "${@:2}" tests/compile/fast_math.c src/all.c -o "$program" -lcurl -lcjson -lpthread
    traces '"name":"as_fields"' "$program"
    for text in '{\"nan\":\"NaN\",\"inf\":\"Infinity\",\"small\":5e-324,\"zero\":-0.0,\"large\":1.7976931348623157e+308,\"small_float\":1e-45}' \
        '{"stringValue":"\"-Infinity\""}' '{"stringValue":"\"NaN\""}' '[\"NaN\",\"Infinity\",5e-324,-0.0,1.7976931348623157e+308]' '[1e-45]' \
        '[\"NaN\",\"Infinity\",1e-45]' '{\"t\":0.1,\"p\":5e-324}' '{\"input\":3.0,\"output\":\"NaN\"}' \
        '{\"input\":5e-324,\"output\":\"NaN\",\"total\":1.7976931348623157e+308}'; do
        grep -qF -e "$text" "$file" || { echo "not recorded: $text"; return 1; }
    done
    grep -qF '"value":5e-324' "$file.scores" && grep -qF '"value":1.7976931348623157e+308' "$file.scores"
    absent '"name":"none"' <"$file.scores"
}

# Level by level: what is inlined decides what a compiler sees. Static names share one file there, so locals may shadow them.
one_file_is_quiet() { # compiler optimisation
    "$1" -std=gnu11 $STRICT -Wformat=2 "$2" -c src/all.c -o "$OUT/quiet.$1$2.o"
}

installs() {
    local root flags header
    root=$(realpath "$OUT")/root
    make -s BUILD="$BUILD" DESTDIR="$root" PREFIX=/usr/local install >/dev/null
    for header in lf_core.h observe.h langfuse/*.h; do
        cmp "$header" "$root/usr/local/include/langfuse-c/$header"
    done
    export PKG_CONFIG_PATH=$root/usr/local/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
    [[ $(pkg-config --modversion langfuse) == "$(sed -n 's/^#define LF_VERSION "\(.*\)"/\1/p' lf_core.h)" ]]
    flags=$(pkg-config --cflags --libs langfuse)
    cp tests/compile/program.c "$OUT/installed.c" # away from our own headers
    "$C_COMPILER" "$OUT/installed.c" $flags -o "$OUT/installed.shared"
    readelf -dW "$OUT/installed.shared" | grep -q 'NEEDED.*liblangfuse\.so\.'
    LIBRARIES=$root/usr/local/lib traces '"name":"answer"' "$OUT/installed.shared"
    scored exact
    flags="$(pkg-config --cflags --libs-only-L langfuse) -l:liblangfuse.a -lcurl -lcjson -lpthread"
    "$C_COMPILER" "$OUT/installed.c" $flags -o "$OUT/installed.static"
    readelf -dW "$OUT/installed.static" | absent 'NEEDED.*langfuse'
    traces '"name":"answer"' "$OUT/installed.static"
    scored exact
    make -s BUILD="$BUILD" DESTDIR="$root" PREFIX=/usr/local uninstall >/dev/null
    find "$root" ! -type d | only 'left by uninstall' '^$'
}

plugin() {
    "$C_COMPILER" -std=gnu11 $STRICT tests/compile/plugin.c -o "$OUT/plugin" -ldl -lpthread
    traces '"name":"from_a_plugin"' "$OUT/plugin" "$(readlink -f "$BUILD/liblangfuse.so")"
}

# A plugin that contains the static library, linked without a thought for that; and a program with a copy of its own.
plugin_static() {
    local log=$OUT/trace.$BASHPID.log # as `traces` names it
    "$C_COMPILER" -std=gnu11 $STRICT -DPART -shared -fPIC tests/compile/plugin_static.c -o "$OUT/part.so" "$BUILD/liblangfuse.a" \
        -lcurl -lcjson -lpthread
    "$C_COMPILER" -std=gnu11 $STRICT tests/compile/plugin_static.c -o "$OUT/host" -ldl -lpthread
    "$C_COMPILER" -std=gnu11 $STRICT -DCOPY tests/compile/plugin_static.c -o "$OUT/host_with_copy" "$BUILD/liblangfuse.a" -ldl \
        -lcurl -lcjson -lpthread
    traces '"name":"of_the_plugin"' "$OUT/host" "$OUT/part.so"
    ! grep -q 'another copy' "$log"
    traces '"name":"of_the_plugin"' "$OUT/host_with_copy" "$OUT/part.so"
    [ "$(grep -c 'another copy' "$log")" = 1 ]
}

exceptions() { # compiler
    "$1" -std=c++17 $STRICT tests/compile/exceptions.cpp -o "$OUT/exceptions.$1" "$BUILD/liblangfuse.a" -lcurl -lcjson -lpthread
    traces '"name":"catches"' "$OUT/exceptions.$1"
}

jumps() { # compiler level
    "$1" -std=c++17 "$2" $STRICT tests/compile/jumps.cpp -o "$OUT/jumps.$1.$2" "$BUILD/liblangfuse.a" -lcurl -lcjson -lpthread
    traces '"name":"parse"' "$OUT/jumps.$1.$2"
}

doc_compiles() { # compiler file flag...
    "$1" -std=gnu11 -I. -Wall -Wextra -Werror -Wno-unused "${@:3}" -fsyntax-only "$2"
}

# ---- The list ------------------------------------------------------------------------------------------------------

# The C blocks of a page, each as a file $OUT/docs/PAGE_LINE.c.
extract_docs() { # page
    awk -v base="$OUT/docs/$(basename "$1" .md)" -v page="$1" '
        function finish(  file, i) {
            file = base "_" start ".c"
            if (!own_include)
                print "#include <errno.h>\n#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>" > file
            if (!own_include && !types_first)
                print "#include \"langfuse/prompt.h\"\n#include \"langfuse/score.h\"\n#include \"observe.h\"" > file
            if (!function_seen)
                print "void documented(void);\nvoid documented(void)\n{" > file
            print "#line " start + 1 " \"" page "\"" > file
            for (i = 0; i < count; i++)
                print line[i] > file
            if (!function_seen)
                print "}" > file
            close(file)
        }
        /^```/ && inside { inside = 0; finish(); next }
        /^```c[ \t]*$/ { inside = 1; start = NR; count = own_include = types_first = function_seen = 0; next }
        !inside { next }
        { line[count++] = $0 }
        /^#include "(observe|lf_core|langfuse\/[a-z]+)\.h"/ { own_include = 1 }
        /^(\{|[A-Za-z_].*\)[ \t]*\{)/ && !/^(if|for|while|switch|do|else)[ (]/ { function_seen = 1 }
        /^#include/ { function_seen = 1 }
    ' "$1"
}

jobs_of_modes() {
    local compiler mode file off
    for compiler in $C_COMPILERS; do
        for mode in c11 gnu11 c17 gnu17 c2x gnu2x; do
            knows "$compiler" c "$mode" || continue
            for off in '' -DLF_DISABLE; do
                for file in tests/compile/macros.c tests/compile/types.c; do
                    echo "compiles $compiler $mode $file $off"
                done
                # Programs, in the modes that differ most.
                [[ $mode == c11 || $mode == gnu17 ]] || continue
                for file in $(grep -lE '^#include "(\.\./\.\./)?(observe|lf_core)\.h"' tests/{unit,e2e,golden,compile}/*.c bench/*.c examples/{,distributed/}*.c); do
                    [[ $file == tests/compile/macros.c || $file == tests/compile/types.c ]] ||
                        echo "compiles $compiler $mode $file $off"
                done
            done
        done
    done
    for compiler in $CXX_COMPILERS; do
        for mode in c++17 gnu++17 c++20 c++2b; do
            knows "$compiler" c++ "$mode" || continue
            for off in '' -DLF_DISABLE; do
                for file in tests/compile/*.cpp; do
                    echo "compiles $compiler $mode $file $off"
                done
            done
        done
    done
}

jobs_of_headers() {
    local compiler header off
    for header in observe.h lf_core.h langfuse/*.h; do
        [[ -e $header ]] || continue
        for off in '' -DLF_DISABLE; do
            for compiler in $C_COMPILERS; do
                echo "header_alone $compiler c c11 $header $off"
                echo "header_alone $compiler c gnu2x $header $off"
            done
            for compiler in $CXX_COMPILERS; do
                echo "header_alone $compiler c++ c++17 $header $off"
                echo "header_alone $compiler c++ c++2b $header $off"
            done
        done
    done
}

all_jobs() {
    local compiler kind file level
    for compiler in $C_COMPILERS; do
        echo "one_file $compiler"
        echo "fast_math $compiler -Ofast"
        echo "fast_math $compiler -O2 -ffast-math"
        for level in -O0 -O1 -O2 -O3; do
            echo "one_file_is_quiet $compiler $level"
        done
    done
    echo "fast_math $C_COMPILER -Ofast -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    echo installs
    echo plugin
    echo plugin_static
    echo shared_symbols
    echo static_symbols
    for compiler in $CXX_COMPILERS; do
        echo "exceptions $compiler"
        for level in -O0 -O1 -O2 -O3 -Os; do
            echo "jumps $compiler $level"
        done
    done
    jobs_of_modes
    jobs_of_headers
    for compiler in $C_COMPILERS; do
        kind=gcc
        ! is_clang "$compiler" || kind=clang
        for file in tests/compile/fail/*.c; do
            echo "must_fail $compiler $kind $file"
        done
        # At -O0 gcc keeps room on the stack for values that are never made; there only clang's code is the same.
        echo "disabled_is_nothing $compiler -O1"
        echo "disabled_is_nothing $compiler -O2"
        echo "disabled_is_nothing $compiler -Os"
        for file in "$OUT"/docs/*.c; do
            [[ ! -e $file ]] || echo "doc_compiles $compiler $file"
            [[ ! -e $file ]] || echo "doc_compiles $compiler $file -DLF_DISABLE"
        done
    done
}

run_job() { # line
    local log=$OUT/log.$BASHPID
    if bash -euo pipefail -c "$1" >"$log" 2>&1; then
        echo >>"$OUT/passed"
    else
        echo >>"$OUT/failed"
        printf 'compile: failed: %s\n' "$1"
        sed 's/^/    /' "$log" | head -n 12
    fi
}

export -f compiles must_fail header_alone disassembly disabled_is_nothing only absent shared_symbols static_symbols traces scored one_file fast_math \
    one_file_is_quiet installs plugin plugin_static exceptions jumps doc_compiles run_job
for page in README.md docs/*.md; do
    [[ ! -e $page ]] || extract_docs "$page"
done
touch "$OUT/passed" "$OUT/failed"
all_jobs >"$OUT/jobs"
xargs -d '\n' -P 2 -n 1 bash -c 'run_job "$1"' _ <"$OUT/jobs" || true
passed=$(wc -l <"$OUT/passed")
failed=$(wc -l <"$OUT/failed")
echo "compile: $passed passed, $failed failed"
[[ $failed -eq 0 && $((passed + failed)) -eq $(wc -l <"$OUT/jobs") ]]
