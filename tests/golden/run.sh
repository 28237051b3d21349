#!/usr/bin/env bash
# Each scenario of each program here through the file exporter, compared with what the official SDK exports for the same
# program. langfuse-local runs beside them for what must be asked of a server; no trace goes there.
set -euo pipefail
BUILD=${BUILD:-build}
here=$(dirname "$0")
dir=$BUILD/golden
rm -rf "$dir"
mkdir -p "$dir"
passed=0
failed=0
server=

stop_server() {
    [ -n "$server" ] || return 0
    kill "$server" 2> "$dir/kill.log" || true
    wait "$server" || true
}
trap stop_server EXIT

start_server() {
    "$BUILD/langfuse-local" serve --quiet --port 0 --port-file "$dir/port" --db "$dir/server.db" --public-key pk-lf-golden \
        --secret-key sk-lf-golden > "$dir/server.log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        [ ! -s "$dir/port" ] || return 0
        sleep 0.1
    done
    echo "golden: langfuse-local does not start: $(cat "$dir/server.log")"
    exit 1
}

fail() {
    failed=$((failed + 1))
    echo "golden: $*"
}

run() { # program, scenario; whether it does what is expected
    LANGFUSE_EXPORTER=file:$dir/$2.jsonl ${TEST_WRAPPER:-} "$1" "$2" > "$dir/$2.log" 2>&1 || {
        echo "golden: $2 fails: $(cat "$dir/$2.log")"
        return 1
    }
    python3 "$here/normalize.py" "$dir/$2.jsonl" "$here/expected/$2.json"
}

start_server
export LANGFUSE_PUBLIC_KEY=pk-lf-golden LANGFUSE_SECRET_KEY=sk-lf-golden LANGFUSE_EXIT_TIMEOUT_MS=60000
LANGFUSE_BASE_URL=http://127.0.0.1:$(cat "$dir/port")
export LANGFUSE_BASE_URL

for source in "$here"/*.c; do
    program=$BUILD/tests/golden/$(basename "$source" .c)
    for name in $("$program"); do
        echo "$name" >> "$dir/names"
        if run "$program" "$name"; then
            passed=$((passed + 1))
        else
            fail "$name differs"
        fi
    done
done
for expected in "$here"/expected/*.json; do
    name=$(basename "$expected" .json)
    [ "$(grep -cx "$name" "$dir/names")" -eq 1 ] || fail "$name has no scenario, or several"
done
echo "golden: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
