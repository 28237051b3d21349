#!/usr/bin/env bash
# Install what is missing: tools/deps.sh build|demo|models|test|hosts|portable. Looks at what the compiler and the shell find rather
# than at lists of packages, so it also serves systems without apt-get; says nothing, and needs no network, when everything is
# there.
set -euo pipefail

cc=${CC:-cc}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "deps: $*" >&2; }

# compiles COMPILER HEADERS FLAGS...: the compiler finds the headers and links with the flags.
compiles() {
    local compiler=$1 headers=$2 header
    shift 2
    for header in $headers; do echo "#include <$header>"; done > "$work/probe.c"
    echo 'int main(void) { return 0; }' >> "$work/probe.c"
    # shellcheck disable=SC2086  # CC may be "ccache gcc"
    $compiler "$work/probe.c" -o "$work/probe" "$@" > "$work/probe.log" 2>&1
}

clang_runtime() {
    local major
    major=$(clang -dumpversion 2> "$work/probe.log" | cut -d. -f1) || true
    echo "libclang-rt-${major:-14}-dev"
}

# need PACKAGE COMMAND...: the package is missing if the command fails.
need() {
    local package=$1
    shift
    "$@" > "$work/probe.out" 2>&1 || missing+=("$package")
}

has() { command -v "$1"; }

# The server that pg_config speaks of is there, and so are its headers.
has_postgres() { [ -x "$(pg_config --bindir)/initdb" ] && [ -x "$(pg_config --bindir)/psql" ]; }
has_postgres_headers() { compiles "$cc" postgres.h "-I$(pg_config --includedir-server)"; }
has_lua() { [ -n "$(pkg-config --cflags lua5.4)" ]; }

missing_for_hosts() {
    need python3 has python3
    need pkg-config has pkg-config
    need postgresql has_postgres
    need postgresql-server-dev-all has_postgres_headers
    need lua5.4 has lua5.4
    need liblua5.4-dev has_lua
    need libpng-dev compiles "$cc" png.h -lpng
    need util-linux has setpriv
}

# Compilers for other machines, and qemu to be those machines.
missing_for_portable() {
    local machine compiler
    need qemu-user-static has qemu-aarch64-static
    for machine in aarch64-linux-gnu:arm64 powerpc64le-linux-gnu:ppc64el riscv64-linux-gnu:riscv64 s390x-linux-gnu:s390x \
        i686-linux-gnu:i386 arm-linux-gnueabihf:armhf; do
        compiler=${machine%:*}
        need "gcc-$compiler" has "$compiler-gcc"
        need "libc6-dev-${machine#*:}-cross" compiles "$compiler-gcc" stdio.h -static -lpthread
    done
    need musl-tools has musl-gcc
    need clang has clang
    need lld has ld.lld
    need python3 has python3
    need python3-venv python3 -c 'import ensurepip, venv'
}

missing_for() {
    missing=()
    need gcc has "${cc%% *}"
    need libc6-dev compiles "$cc" "stdio.h pthread.h" -lpthread -lm
    need libcurl4-openssl-dev compiles "$cc" curl/curl.h -lcurl
    need libcjson-dev compiles "$cc" cjson/cJSON.h -lcjson
    [ "$1" = build ] && return
    if [ "$1" = portable ]; then
        missing_for_portable
        return
    fi
    need libmicrohttpd-dev compiles "$cc" microhttpd.h -lmicrohttpd
    need libsqlite3-dev compiles "$cc" sqlite3.h -lsqlite3
    need zlib1g-dev compiles "$cc" zlib.h -lz
    [ "$1" = demo ] && return
    if [ "$1" = hosts ]; then
        missing_for_hosts
        return
    fi
    need curl has curl
    need python3 has python3
    need python3-venv python3 -c 'import ensurepip, venv'
    [ "$1" = models ] && return
    need libcmocka-dev compiles "$cc" "stdarg.h stddef.h stdint.h setjmp.h cmocka.h" -lcmocka
    need g++ has "${cxx%% *}"
    need clang has clang
    # Only once clang is there is it known which runtime is its own.
    if has clang > "$work/probe.out"; then
        need "$(clang_runtime)" compiles clang stdint.h -fsanitize=address,undefined,fuzzer-no-link
    fi
    need binutils has nm
    need cmake has cmake
    need pkg-config has pkg-config
    need valgrind has valgrind
}

# The commands that need root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif [ -t 0 ]; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# apt-get waits for the lock of packages when told to; for that of lists, never.
update() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        as_root apt-get -qq update > "$work/apt.log" 2>&1 && return
        grep -qi 'could not get lock' "$work/apt.log" || return 1
        sleep 10
    done
    return 1
}

install_now() {
    as_root apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 install "${missing[@]}" > "$work/apt.log" 2>&1
}

known() { apt-cache show "${missing[@]}" > "$work/apt.log" 2>&1; }

# A fresh container has no lists; those of an old one name packages that are gone.
install() {
    say "installing ${missing[*]}"
    if known && install_now; then
        return
    fi
    if ! update || ! install_now; then
        cat "$work/apt.log" >&2
        say "apt-get could not install ${missing[*]}"
        exit 1
    fi
}

# Further compilers for tests/compile, an older and a newer one, where the lists of packages have them and nobody is asked for a
# password. Nothing needs them.
install_further_compilers() {
    local package clang
    command -v apt-cache > "$work/probe.out" || return 0
    [ "$(id -u)" = 0 ] || sudo -n true 2> "$work/probe.out" || return 0
    clang=$(apt-cache search --names-only '^clang-[0-9]+$' | sed -n 's/^\(clang-[0-9]*\) .*/\1/p' | sort -V | tail -n 1)
    missing=()
    for package in gcc-11 g++-11 $clang; do
        if ! has "$package" > "$work/probe.out" && apt-cache show "$package" > "$work/probe.out" 2>&1; then
            missing+=("$package")
        fi
    done
    [ ${#missing[@]} != 0 ] || return 0
    say "installing ${missing[*]}"
    install_now || say "without ${missing[*]}: apt-get could not install them"
}

case ${1:-} in
build | demo | models | test | hosts | portable) what=$1 ;;
*)
    echo "usage: tools/deps.sh build|demo|models|test|hosts|portable" >&2
    exit 2
    ;;
esac

finish() {
    [ "$what" != test ] || install_further_compilers
    exit 0
}

missing_for "$what"
[ ${#missing[@]} = 0 ] && finish
if ! command -v apt-get > "$work/probe.out"; then
    say "missing, by the names of Debian's packages: ${missing[*]}"
    say "there is no apt-get here: please install them with the package manager of this system, and try again"
    exit 1
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo > "$work/probe.out"; then
    say "missing: ${missing[*]}"
    say "neither root nor sudo; as root: apt-get update && apt-get install ${missing[*]}"
    exit 1
fi
install
missing_for "$what"
# clang's own runtime shows only now.
if [ ${#missing[@]} != 0 ]; then
    install
    missing_for "$what"
fi
if [ ${#missing[@]} != 0 ]; then
    say "still missing after the installation: ${missing[*]}"
    exit 1
fi
finish
