#!/usr/bin/env bash
# What compilers make of us: every macro in every language mode, errors that must be errors, LF_DISABLE, the symbols of the
# shared library, programs of version 0.1, layouts, the one-file build, install and uninstall, CMake, the code in the docs.
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
export LC_ALL=C
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
# All versions that are installed.
ALL_C_COMPILERS=$(compilers $C_COMPILERS gcc-{11..20} clang-{14..30} 2>/dev/null)
ALL_CXX_COMPILERS=$(compilers $CXX_COMPILERS g++-{11..20} clang++-{14..30} 2>/dev/null)
echo "compile: without warnings in" $ALL_C_COMPILERS $ALL_CXX_COMPILERS

is_clang() { "$1" --version | grep -q clang; }
knows() { echo 'int x;' | "$1" -fsyntax-only -x "$2" "-std=$3" - 2>/dev/null; }

# ---- The checks ----------------------------------------------------------------------------------------------------

# Functions that strict modes hide are for those files only that do not ask for them themselves.
compiles() { # compiler mode file flag...
    local extra=''
    [[ $2 == c[0-9]* ]] && ! grep -q '^#define _GNU_SOURCE' "$3" && extra=-D_GNU_SOURCE
    "$1" "-std=$2" $STRICT -fsyntax-only $extra "${@:4}" "$3"
}

# Warnings that strict projects switch on. Some need the optimiser, so this compiles to the end.
strict() { # compiler mode flag...
    local file=tests/compile/strict.c flags='-Wcast-qual -Wformat=2'
    [[ $2 != *++* ]] || { file=tests/compile/strict.cpp; flags+=' -Wold-style-cast'; }
    "$1" "-std=$2" $STRICT $flags "${@:3}" -c "$file" -o "$OUT/strict.$BASHPID.o"
}

# The file's head says what each compiler must say first; "-" is a case that this compiler takes, "all" all of them, as C and as
# C++. With -DCONTROL it compiles.
must_fail() { # compiler kind file
    local want flags language=-std=gnu11 said=$OUT/said.$1.$(basename "$3")
    [[ $2 != *++ ]] || language='-std=c++17 -x c++'
    want=$(sed -n "s/^[\/ ]\* *\($2\|all\): \(.*[^ *\/]\)[ *\/]*$/\2/p" "$3" | head -n 1)
    flags=$(sed -n "s/^[\/ ]\* *flags of $2: \(.*[^ *\/]\)[ *\/]*$/\1/p" "$3" | head -n 1)
    [[ -n $want ]] || { echo "$3 does not say what $2 must say"; return 1; }
    "$1" $language $STRICT $flags -fsyntax-only -DCONTROL "$3" || { echo 'the control does not compile'; return 1; }
    if "$1" $language $STRICT $flags -fsyntax-only "$3" >"$said" 2>&1; then
        [[ $want == - ]] || { echo 'it compiles'; return 1; }
    else
        grep -m 1 'error: ' "$said" | grep -qE -e "$want" || { cat "$said"; return 1; }
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

version() { sed -n 's/^#define LANGFUSE_VERSION "\(.*\)"/\1/p' lf_core.h; }

absent() { # pattern < lines (a `!` in front of a pipeline would not stop a function)
    if grep -E -e "$1"; then return 1; fi
}

# symbols.txt is what programs can be linked with, and the linker's names of functions whose arguments have changed.
shared_symbols() {
    local library minor
    library=$(readlink -f "$BUILD/liblangfuse.so")
    minor=$(version | cut -d . -f 1,2)
    grep -qF "MAIN_VERSION \"$(version)\"" server/main.c # the server comes with the library
    diff tests/compile/symbols.txt <(nm -D --defined-only "$library" | sed -n 's/.* \(lf_.*\)@@.*/\1/p' | sort)
    nm -D --defined-only "$library" | awk '{print $NF}' |
        only 'exported' "^LANGFUSE_$minor$|^(lf_[a-z]|__wrap_curl_[a-z])[a-z0-9_]*@@LANGFUSE_$minor$"
    nm -D --undefined-only "$library" | awk '{print $NF}' |
        only 'undefined' '@GLIBC|^(__real_)?curl_|^cJSON_|^OPENSSL_init_crypto$|^_ITM_|^__gmon_start__$|^__cxa_finalize'
    readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        only 'needs' '^lib(curl|cjson|c|pthread)\.so'
    readelf -dW "$library" | grep -q 'Flags:.*NODELETE'
    readelf -dW "$library" | grep -q "SONAME.*\[liblangfuse\.so\.${minor/./\\.}\]"
}

static_symbols() {
    nm -g --defined-only "$BUILD/liblangfuse.a" 2>/dev/null | awk 'NF == 3 {print $3}' | only 'global' '^(lf|__wrap_curl)_'
    diff tests/compile/symbols.txt \
        <(nm -g --defined-only "$BUILD/liblangfuse.a" 2>/dev/null | awk '$3 ~ /^lf_[a-z]/ {print $3}' | sort)
    # Before main one function of ours runs, which watches for the end of the main thread, and after it one, which waits for
    # libcurl's set-up. All else is asked for at run time.
    readelf -SW "$BUILD/liblangfuse.a" | absent '\.(ctors|dtors|preinit_array)'
    [ "$(readelf -SW "$BUILD/liblangfuse.a" | grep -cE ' \.init_array.* 000008 ')" = 1 ]
    [ "$(readelf -SW "$BUILD/liblangfuse.a" | grep -cE ' \.fini_array.* 000008 ')" = 1 ]
}

# Headers of the C library of no machine in particular, for layouts of machines that are not here.
foreign_headers() { # folder
    mkdir -p "$1"
    echo 'struct pollfd { int fd; short events, revents; };' >"$1/poll.h"
    mkdir -p "$1/curl"
    printf 'typedef void CURL, CURLM; typedef struct curl_mime curl_mime; typedef struct curl_mimepart curl_mimepart; %s' \
        'typedef enum { CURLE_OK } CURLcode; typedef enum { CURLOPT_URL } CURLoption; typedef enum { CURLM_OK } CURLMcode; ' \
        'typedef struct CURLMsg CURLMsg; typedef long long curl_off_t; typedef int (*curl_seek_callback)(void *); ' \
        'typedef int (*curl_read_callback)(void *); typedef int (*curl_free_callback)(void *);' >"$1/curl/curl.h"
    printf '\n#define LIBCURL_VERSION_NUM 0x080000\n' >>"$1/curl/curl.h"
    echo 'typedef unsigned long pthread_t; typedef union { char bytes[56]; long alignment; } pthread_attr_t;' >"$1/pthread.h"
}

# Each public struct as layout.c says, and none that it does not name. Those of the macros (lf_i_) never reach the library.
layout() { # compiler
    local target header struct foreign=$OUT/foreign.$1
    foreign_headers "$foreign"
    "$1" -std=gnu11 $STRICT -fsyntax-only tests/compile/layout.c
    for target in -m32 --target={i386,x86_64,aarch64,powerpc64le,riscv64,s390x}-linux-gnu --target=armv7-linux-gnueabihf; do
        echo 'int x;' | "$1" "$target" -fsyntax-only -x c - 2>/dev/null || continue
        "$1" "$target" -ffreestanding -nostdinc -isystem "$foreign" -isystem "$("$1" -print-file-name=include)" -std=gnu11 $STRICT \
            -fsyntax-only tests/compile/layout.c || { echo "with $target"; return 1; }
    done
    for header in lf_core.h observe.h langfuse/*.h; do
        for struct in $(sed -n 's/^\(typedef \)\?struct \(lf_[a-z_]*\) {$/\2/p' "$header" | grep -v '^lf_i_'); do
            grep -q "^STRUCT($struct," tests/compile/layout.c || { echo "$struct is not checked"; return 1; }
        done
    done
}

# A program of version 0.1 runs with this library, or is refused: by the linker, and by the loader. abi_0_1.c is that program.
abi_0_1() { # compiler
    local folder=$OUT/abi_0_1.$1 way symbol
    local flags="-std=gnu11 -Wall -Wextra -Werror -O1"
    mkdir -p "$folder/old" "$folder/swapped"
    grep -vE '^(gone|kept) ' tests/compile/symbols_0_1.txt | only 'not understood' '^#'
    diff <(sed -n 's/^kept //p' tests/compile/symbols_0_1.txt) \
        <(sed -n 's/^[a-z]* \(lf_\)/\1/p' tests/compile/symbols_0_1.txt | grep -xFf tests/compile/symbols.txt)
    # What the program was linked with: the names of 0.1.
    sed -n 's/^[a-z]* \(lf_.*\)/char \1[4];/p' tests/compile/symbols_0_1.txt |
        "$1" -shared -fPIC -x c - -Wl,-soname,liblangfuse.so.0 -o "$folder/old/liblangfuse.so.0"
    "$1" $flags -c tests/compile/abi_0_1.c -o "$folder/program.o"
    "$1" "$folder/program.o" "$BUILD/liblangfuse.a" -lcurl -lcjson -lpthread -o "$folder/program.static"
    "$1" "$folder/program.o" "$folder/old/liblangfuse.so.0" -lcurl -lpthread -o "$folder/program.shared"
    ln -sf "$(readlink -f "$BUILD/liblangfuse.so")" "$folder/swapped/liblangfuse.so.0"
    for way in 0 first last; do
        traces_of_0_1 "$folder/program.static" "$way"
        # Under the name that the program asks for, put there by hand.
        LIBRARIES=$folder/swapped traces_of_0_1 "$folder/program.shared" "$way"
    done
    refused 'liblangfuse\.so\.0: cannot open shared object file' "$BUILD" "$folder/program.shared" 0
    # A program that calls what has gone.
    for symbol in $(sed -n 's/^gone //p' tests/compile/symbols_0_1.txt); do
        echo "extern int lf_i_mode_word; void $symbol(void); int main(void) { $symbol(); return lf_i_mode_word; }" |
            "$1" -c -x c - -o "$folder/gone.o"
        if "$1" "$folder/gone.o" "$BUILD/liblangfuse.a" -lcurl -lcjson -lpthread -o "$folder/gone.static" 2>"$folder/said"; then
            echo "$symbol is there"
            return 1
        fi
        grep -q "undefined reference to .$symbol'" "$folder/said"
        "$1" "$folder/gone.o" "$folder/old/liblangfuse.so.0" -o "$folder/gone.shared"
        refused "undefined symbol: $symbol" "$folder/swapped" "$folder/gone.shared"
    done
}

traces_of_0_1() { # program size
    local text file=$OUT/trace.$BASHPID
    traces '"name":"answer"' "$@"
    for text in '{\"question\":\"why\",\"n\":41}' '"stringValue":"7 of nine"' '"stringValue":"42"' '"stringValue":"one two"' \
        '"stringValue":"masked"' '"stringValue":"staging"' '"stringValue":"r1"'; do
        grep -qF -e "$text" "$file" || { echo "not recorded: $text"; return 1; }
    done
    [ "$(grep -o '"name":"observed"' "$file" | wc -l)" = 3 ]
    [ "$(grep -o '"parentSpanId"' "$file" | wc -l)" = 3 ]
    absent 'incomplete|"stringValue":"secret"' <"$file"
}

# The loader does not let it run.
refused() { # text libraries program argument...
    local said=$OUT/refused.$BASHPID
    if LD_LIBRARY_PATH=$2 "${@:3}" 2>"$said"; then
        echo "$3 runs"
        return 1
    fi
    grep -qE -e "$1" "$said"
}

deprecation() { # compiler flag...
    local kept
    for kept in '' -DLF_KEEP_DEPRECATED; do
        "$@" -I. -Wall -Wextra $kept -fsyntax-only tests/compile/deprecated.c 2>"$OUT/deprecated.$1.log"
        [ "$(grep -cE 'warning: .*(old_way.*use new_way|cache_ttl_seconds.*use \.cache_ttl_ms)' "$OUT/deprecated.$1.log")" = \
            "$([[ -n $kept ]] && echo 0 || echo 2)" ]
        [ "$(grep -c 'warning:' "$OUT/deprecated.$1.log")" = "$([[ -n $kept ]] && echo 0 || echo 2)" ]
    done
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

# Compressed, to a server that unpacks it.
one_file_with_gzip() {
    local said=$OUT/gzip.said
    "$C_COMPILER" -std=gnu11 -I. -DLF_GZIP=1 tests/compile/program.c src/all.c -o "$OUT/gzip" -lcurl -lcjson -lz -lpthread
    LANGFUSE_LOG=debug "$BUILD/langfuse-local" run -- "$OUT/gzip" packed >"$said" 2>&1
    grep -q 'export of 1 observation (gzip): HTTP 200' "$said" && grep -q '"question":"packed"' "$said" || { cat "$said"; return 1; }
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

# One at a time: make writes langfuse.pc and its like anew for each prefix.
make_install() { flock "$OUT/install.lock" make -s BUILD="$BUILD" "$@" >/dev/null; }

installs() {
    local root flags header
    root=$(realpath "$OUT")/root
    make_install DESTDIR="$root" PREFIX=/usr/local install
    for header in lf_core.h observe.h langfuse/*.h; do
        cmp "$header" "$root/usr/local/include/langfuse-c/$header"
    done
    export PKG_CONFIG_PATH=$root/usr/local/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
    [[ $(pkg-config --modversion langfuse) == "$(version)" ]]
    grep -q "find_package(langfuse $(version | cut -d . -f 1,2) REQUIRED)" README.md
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
    # The names by which a program can include them; our own folder has the second ones, too.
    for header in observe.h lf_core.h langfuse/observe.h langfuse/lf_core.h langfuse/score.h langfuse/{prompt,openai,curl}.h; do
        echo "#include <$header>" | "$C_COMPILER" -std=gnu11 -Wall -Werror $(pkg-config --cflags langfuse) -fsyntax-only -x c -
        echo "#include <$header>" | "$C_COMPILER" -std=gnu11 -Wall -Werror -I. -fsyntax-only -x c -
    done
    make -s BUILD="$BUILD" DESTDIR="$root" PREFIX=/usr/local uninstall >/dev/null
    find "$root" ! -type d | only 'left by uninstall' '^$'
}

# By the names of the GNU standards, and by those in capitals.
installs_to() { # folder for libraries, for headers, for programs, name=folder...
    local libraries=$1 headers=$2 programs=$3 root minor
    root=$(realpath "$OUT")/root.$BASHPID
    minor=$(version | cut -d . -f 1,2)
    shift 3
    make_install DESTDIR="$root" "$@" install install-server
    diff <(find "$root" ! -type d -printf '/%P\n' | sort) <({
        printf "$headers/langfuse-c/%s\n" lf_core.h observe.h langfuse/*.h wrap/curl/curl.h
        printf "$libraries/%s\n" liblangfuse.a liblangfuse.so "liblangfuse.so.$minor" "liblangfuse.so.$(version)" \
            liblangfuse-curl.so pkgconfig/langfuse{,-curl,-curl-wrap}.pc cmake/langfuse/langfuse{Config,ConfigVersion,Targets}.cmake
        echo "$programs/langfuse-local"
    } | sort)
    export PKG_CONFIG_PATH=$root$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
    [[ $(pkg-config --variable=libdir langfuse) == *"$libraries" ]]
    [[ $(pkg-config --variable=includedir langfuse) == *"$headers/langfuse-c" ]]
    echo '#include <langfuse/observe.h>' | "$C_COMPILER" $(pkg-config --cflags langfuse) -fsyntax-only -x c -
    # By hand: pkg-config leaves out the folders that a linker searches anyway.
    "$C_COMPILER" tests/compile/program.c -I. -L"$root$libraries" -llangfuse -o "$OUT/installed.$BASHPID"
    LIBRARIES=$root$libraries traces '"name":"answer"' "$OUT/installed.$BASHPID"
    echo 'of somebody else' >"$root$libraries/liblangfuse.so.0.1.0"
    make -s BUILD="$BUILD" DESTDIR="$root" "$@" uninstall >/dev/null
    find "$root" ! -type d -printf '/%P\n' | only 'left by uninstall' "^$libraries/liblangfuse\.so\.0\.1\.0$"
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

exceptions() { # compiler mode level
    local program=$OUT/exceptions.$BASHPID
    "$1" "-std=$2" "$3" $STRICT tests/compile/exceptions.cpp -o "$program" "$BUILD/liblangfuse.a" -lcurl -lcjson -lpthread
    traces '"name":"catches"' "$program"
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
                    [[ $file == tests/compile/strict.cpp ]] || echo "compiles $compiler $mode $file $off"
                done
            done
        done
    done
}

# Every mode, both levels and both settings of LF_DISABLE with every compiler. STRICT_ALL=1: each with each, ten minutes more.
jobs_of_strict() {
    local compiler mode flags
    for compiler in $ALL_C_COMPILERS $ALL_CXX_COMPILERS; do
        for mode in c11 gnu11 c17 c2x c++17 gnu++17 c++20 c++2b; do
            knows "$compiler" "$([[ $mode == *++* ]] && echo c++ || echo c)" "$mode" || continue
            [[ $mode$compiler == *++*++* || $mode$compiler != *++* ]] || continue
            for flags in -O0 -O2 '-O0 -DLF_DISABLE' '-O2 -DLF_DISABLE'; do
                case $mode$flags in
                c11-O2 | c++17-O2 | c*17-O2\ * | c2x-O0* | c++2b-O0* | gnu*-O0 | c17-O0 | c++20-O0) ;;
                *) [[ -n ${STRICT_ALL:-} ]] || continue ;;
                esac
                echo "strict $compiler $mode $flags"
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
    local compiler kind file level generator
    for compiler in $C_COMPILERS; do
        echo "one_file $compiler"
        echo "fast_math $compiler -Ofast"
        echo "fast_math $compiler -O2 -ffast-math"
        for level in -O0 -O1 -O2 -O3; do
            echo "one_file_is_quiet $compiler $level"
        done
    done
    echo one_file_with_gzip
    echo "fast_math $C_COMPILER -Ofast -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    echo installs
    echo 'installs_to /usr/local/lib /usr/local/include /usr/local/bin'
    echo 'installs_to /p/lib /p/include /p/bin prefix=/p'
    echo 'installs_to /e/lib /p/include /e/bin prefix=/p exec_prefix=/e'
    echo 'installs_to /usr/lib/some-machine /usr/include /usr/bin prefix=/usr libdir=/usr/lib/some-machine'
    echo 'installs_to /l /i /b libdir=/l includedir=/i bindir=/b datarootdir=/d mandir=/m'
    echo 'installs_to /usr/lib64 /usr/include/x /x PREFIX=/usr LIBDIR=/usr/lib64 INCLUDEDIR=/usr/include/x BINDIR=/x'
    if command -v cmake >/dev/null; then
        command -v ninja >/dev/null && generator=Ninja || generator='Unix Makefiles'
        echo "tests/compile/cmake.sh subdirectory shared Debug '$generator'"
        echo 'tests/compile/cmake.sh fetch static Debug'
        echo "tests/compile/cmake.sh installed shared Debug '$generator'"
        echo 'tests/compile/cmake.sh installed static Release'
        echo 'tests/compile/cmake.sh made shared Debug'
        echo 'tests/compile/cmake.sh made static Release'
    else
        echo 'compile: SKIP cmake is not installed' >&2
    fi
    echo plugin
    echo plugin_static
    echo shared_symbols
    echo static_symbols
    for compiler in $C_COMPILERS; do
        echo "abi_0_1 $compiler"
        echo "layout $compiler"
        echo "deprecation $compiler -std=gnu11"
    done
    for compiler in $CXX_COMPILERS; do
        echo "exceptions $compiler c++17 -O0"
        echo "exceptions $compiler c++17 -O2"
        echo "exceptions $compiler c++20 -O2"
        for level in -O0 -O1 -O2 -O3 -Os; do
            echo "jumps $compiler $level"
        done
    done
    for compiler in $CXX_COMPILERS; do
        kind=g++
        ! is_clang "$compiler" || kind=clang++
        for file in $(grep -l "^[/ ]\* \($kind\|all\): " tests/compile/fail/*.c); do
            echo "must_fail $compiler $kind $file"
        done
    done
    jobs_of_strict
    jobs_of_modes
    jobs_of_headers
    for compiler in $C_COMPILERS; do
        kind=gcc
        ! is_clang "$compiler" || kind=clang
        for file in tests/compile/fail/*.c; do
            echo "must_fail $compiler $kind $file"
        done
        # At -O0 compilers keep room on the stack for values that are never made.
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

export -f compiles strict must_fail header_alone disassembly disabled_is_nothing only version absent shared_symbols static_symbols \
    foreign_headers layout abi_0_1 traces_of_0_1 refused deprecation traces scored one_file one_file_with_gzip fast_math one_file_is_quiet \
    make_install installs installs_to plugin plugin_static exceptions jumps doc_compiles run_job
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
