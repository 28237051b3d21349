#!/usr/bin/env bash
# Who may include whom, and which functions nobody calls. Arrows point down only:
#     observe.h -> lf_core.h <- lf_core.c -> src/        langfuse/ -> lf_core.h, src/        server/ -> nothing of ours
#
# layers.sh [FOLDER] checks a tree; without one it checks this project, and then itself on a tree where every rule is broken.
set -euo pipefail
set -f # words below are patterns for `fits`, not for the shell

C11='assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic stdbool stddef
stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype'
CXX='cstddef exception initializer_list type_traits utility'
names() { sed -E 's/[^ ]+/&.h/g' <<<"${*//$'\n'/ }"; }

# file pattern | what it may include, as patterns. The first line that fits a file counts.
INCLUDES="
lf_core.h               | langfuse/blocks.h langfuse/macros.h poll.h pthread.h stdbool.h stddef.h stdint.h
langfuse/macros.h       | none
langfuse/blocks.h       | none
langfuse/observe.h      | ../observe.h
observe.h               | lf_core.h $CXX
langfuse/*.h            | ../lf_core.h $(names "$C11")
lf_core.c               | lf_core.h src/*/*.h src/*.h $(names "$C11")
langfuse/*.c            | *.h ../lf_core.h ../src/*.h cjson/cJSON.h
src/all.c               | ../lf_core.c ../langfuse/*.c *.c
src/base/base.h         | ../../lf_core.h stdarg.h string.h
src/*                   | SRC SYSTEM
server/*                | SERVER SYSTEM
"

# library | the only files that may include it. The storage of the server is several files: they share one header, which has SQLite.
OWNERS='
curl/*                  | src/*http.c
cjson/cJSON.h           | src/*answer.c src/*capture.c src/*rest.c src/*template.c src/*prompt_body.c langfuse/*.c
microhttpd.h            | server/http.c
sqlite3.h               | server/store_private.h
store_private.h         | server/store*.c
zlib.h                  | server/gunzip.c
'

# Encoders and parsers work on memory: they include nothing that does I/O, and of <stdio.h> they use what prints to memory.
NO_IO='src/*answer.* src/*mask.* src/*limits.* src/*propagate.* src/*usage.* src/*context.h src/*buf.* src/*json.* src/*pb.h src/*record.* src/*sha256.* src/*wire*.* src/*capture.* src/*site.* src/*pending.* src/*template.* src/*python.*
server/text.* server/json.* server/otlp*.* server/observation.* server/usage.* server/clock.* server/auth.* server/gunzip.* server/prompt.* server/prompt_references.* server/metadata.* server/forest.*'
IO_HEADERS='unistd.h fcntl.h sys/socket.h sys/stat.h sys/types.h sys/mman.h sys/uio.h netdb.h poll.h dirent.h arpa/inet.h netinet/in.h'
IO_CALLS='fopen|fdopen|freopen|fclose|fread|fwrite|fputs|fputc|fgets|fprintf|vfprintf|getline|fflush'

BANNED='sprintf|vsprintf|strcpy|stpcpy|strcat|strncpy|strncat|atoi|atol|atoll|atof|gets|strtok|rand|srand|system|popen|localtime|gmtime|ctime|asctime|tmpnam|tempnam|mktemp|alloca|scanf|sscanf|abort|setenv|putenv|strerror_r'
# A library is a guest: it neither ends the program, nor writes to its output, nor changes its signals.
BANNED_IN_LIBRARY='printf|vprintf|puts|putchar|perror|exit|_exit|quick_exit|assert|signal|sigaction|setlocale|sleep|usleep'

failures=0
fail() {
    echo "layers: $1"
    failures=$((failures + 1))
}

fits() { # name pattern...
    local name=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2053  # patterns are meant
        [[ $name == $pattern ]] && return 0
    done
    return 1
}

includes_of() { sed -nE 's/^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"].*/\1/p' "$1"; }
quoted_includes_of() { sed -nE 's/^[ \t]*#[ \t]*include[ \t]*"([^"]+)".*/\1/p' "$1"; }

# Code without comments and without what stands in quotes.
code_of() {
    sed -E 's/\\"//g; s/"[^"]*"/""/g; s@//.*@@' "$1" | awk '
        { line = $0; out = ""
          while (line != "") {
              if (inside) { i = index(line, "*/"); if (!i) { line = ""; break }; line = substr(line, i + 2); inside = 0 }
              else { i = index(line, "/*"); if (!i) { out = out line; line = "" }
                     else { out = out substr(line, 1, i - 1); line = substr(line, i + 2); inside = 1 } }
          }
          print out }'
}

# What a module of src/ or server/ includes: headers of its own folder in quotes, those of the system in brackets.
check_module() { # file include
    if quoted_includes_of "$1" | grep -qxF -e "$2"; then
        local target
        target=$(realpath -m --relative-to=. "$(dirname "$1")/$2")
        fits "$target" "${1%%/*}/*" lf_core.h || { fail "$1 includes $2"; return; }
        [[ -e $target ]] || fail "$1 includes $2, which is not in its folder"
    fi
    ! fits "$2" '*observe.h' '*lf_core.h' || fail "$1 includes $2"
}

check_includes() { # file
    local file=$1 include pattern allowed line
    line=$(while IFS='|' read -r pattern allowed; do
        pattern=${pattern//[ $'\t']/}
        [[ -n $pattern ]] && fits "$file" "$pattern" && { echo "$allowed"; break; }
    done <<<"$INCLUDES")
    [[ -n $line ]] || { fail "$file stands in no line of the table"; return; }
    for include in $(includes_of "$file"); do
        if fits 'SYSTEM' $line; then
            check_module "$file" "$include"
        elif ! fits "$include" $line || fits "$include" "*observe.h" && [[ $file != langfuse/observe.h ]]; then
            fail "$file includes $include"
        fi
        while IFS='|' read -r pattern allowed; do
            pattern=${pattern//[ $'\t']/}
            [[ -z $pattern ]] || ! fits "$include" "$pattern" || fits "$file" $allowed || fail "$file includes $include, which is not its business"
        done <<<"$OWNERS"
        ! fits "$file" $NO_IO || ! fits "$include" $IO_HEADERS || fail "$file does no I/O, but includes $include"
    done
}

check_calls() { # file
    local banned=$BANNED found name
    [[ $1 == server/* ]] || banned="$banned|$BANNED_IN_LIBRARY"
    ! fits "$1" $NO_IO || banned="$banned|$IO_CALLS"
    # A call or a declaration of that name; not a member, not part of a longer name.
    found=$(code_of "$1" | grep -oE "(^|[^A-Za-z0-9_.>])($banned)[ ]*\(" | grep -oE '[A-Za-z_]+' | sort -u || true)
    for name in $found; do
        fail "$1 uses $name"
    done
    if [[ $1 != server/* ]] && code_of "$1" | grep -qE '(^|[^A-Za-z0-9_])stdout([^A-Za-z0-9_]|$)'; then
        fail "$1 uses stdout"
    fi
}

# Modules (a .c and its .h are one) must have an order; tsort finds the loops.
check_order() { # folder
    local file include loop
    for file in $(find "$1" -name '*.[ch]' ! -name all.c); do
        for include in $(quoted_includes_of "$file"); do
            include=$(basename "${include%.h}")
            [[ $include == "$(basename "${file%.*}")" ]] || echo "$(basename "${file%.*}") $include"
        done
    done >"$scratch/arrows"
    loop=$(tsort "$scratch/arrows" 2>&1 >/dev/null | sed -n 's/^tsort: \([^ :]*\)$/\1/p' | tr '\n' ' ' || true)
    [[ -z $loop ]] || fail "$1: these include each other: $loop"
}

check_tree() {
    local file folder
    for file in $(find . -regex '\./\(observe\|lf_core\|\(langfuse\|src\|src/[a-z]*\|server\)/[^/]*\)\.[ch]' -printf '%P\n' | sort); do
        checked=$((checked + 1))
        check_includes "$file"
        check_calls "$file"
    done
    for folder in src langfuse; do
        [[ ! -d $folder ]] || check_order "$folder"
    done
}

# A small tree in which every rule is broken once; the message that must come stands beside the file.
self_test() {
    local tree=$scratch/tree
    local -a wanted=()
    mkdir -p "$tree"/{src,server,langfuse}
    broken() { # file code message
        printf '%s\n' "$2" >>"$tree/$1"
        wanted+=("$3")
    }
    touch "$tree"/{observe.h,lf_core.h,src/buf.h,src/http.h,server/store_private.h}
    broken observe.h '#include <stdio.h>' 'observe.h includes stdio.h'
    broken lf_core.h '#include "src/buf.h"' 'lf_core.h includes src/buf.h'
    broken lf_core.c '#include "observe.h"' 'lf_core.c includes observe.h'
    broken lf_core.c 'puts("x");' 'lf_core.c uses puts'
    broken langfuse/score.h '#include "../src/buf.h"' 'langfuse/score.h includes ../src/buf.h'
    broken langfuse/score.c '#include "../observe.h"' 'langfuse/score.c includes ../observe.h'
    broken src/site.c '#include "../observe.h"' 'src/site.c includes ../observe.h'
    broken src/config.c '#include "../server/text.h"' 'src/config.c includes ../server/text.h'
    broken src/config.c '#include "none.h"' 'src/config.c includes none.h, which is not in its folder'
    broken src/worker.c '#include <curl/curl.h>' 'src/worker.c includes curl/curl.h, which is not its business'
    broken src/json.c '#include <cjson/cJSON.h>' 'src/json.c includes cjson/cJSON.h, which is not its business'
    broken src/wire_otlp.c '#include <unistd.h>' 'src/wire_otlp.c does no I/O, but includes unistd.h'
    broken src/capture.c 'file = fopen(path);' 'src/capture.c uses fopen'
    broken src/base.c 'fputs(line, stdout);' 'src/base.c uses stdout'
    broken src/base.c 'x = strcpy (a, b); /* strcat(a, b) */' 'src/base.c uses strcpy'
    broken src/export.c 'signal(SIGPIPE, SIG_IGN);' 'src/export.c uses signal'
    broken src/export.c 'exit(1);' 'src/export.c uses exit'
    broken src/record.h '#include "segment.h"' 'src: these include each other: record segment'
    broken src/segment.h '#include "record.h"' 'src: these include each other: record segment'
    broken server/api.c '#include "../lf_core.h"' 'server/api.c includes ../lf_core.h'
    broken server/api.c '#include <microhttpd.h>' 'server/api.c includes microhttpd.h, which is not its business'
    broken server/read.c '#include <sqlite3.h>' 'server/read.c includes sqlite3.h, which is not its business'
    broken server/read.c '#include "store_private.h"' 'server/read.c includes store_private.h, which is not its business'
    broken server/tree.c 'n = atoi(text);' 'server/tree.c uses atoi'
    broken server/tree.c 't = localtime(&now);' 'server/tree.c uses localtime'
    # And what is no violation: comments, texts, members, longer names.
    printf '%s\n' '/* sprintf(x)' ' * gets(y) */' 'a = "strtok(z)";' 'b->rand(1); my_system(2); snprintf(c, 1, "");' >"$tree/src/sha256.c"
    local said message
    said=$("$self" "$tree" || true)
    for message in "${wanted[@]}"; do
        grep -qF -e "layers: $message" <<<"$said" || fail "self-test: not found: $message"
        checked=$((checked + 1))
    done
    # Each violation once and no other: the two halves of the loop are one.
    local count
    count=$(grep -c '^layers: .* \(includes\|uses\|include\) ' <<<"$said" || true)
    [[ $count -eq $((${#wanted[@]} - 1)) ]] || { fail "self-test: $count violations found, ${#wanted[@]} minus 1 expected"; echo "$said"; }
}

self=$(realpath "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
checked=0
cd "${1:-$(dirname "$self")/..}"
check_tree
[[ $# -gt 0 ]] || self_test
echo "layers: $((checked > failures ? checked - failures : 0)) passed, $failures failed"
[[ $failures -eq 0 && $checked -gt 0 ]]
