#!/usr/bin/env bash
# The demo: a local server, a program that answers a question, and the trace it left. BUILD is where the products are.
set -euo pipefail

cd "$(dirname "$0")/.."
build=${BUILD:-build}
question="How long does exit wait for deliveries?"
folder=$build/demo
db=$folder/langfuse.db
port_file=$folder/port
server=

fail() {
    echo "demo: $*" >&2
    exit 1
}

stop() {
    [ -n "$server" ] || return 0
    kill "$server" 2> "$folder/stop.log" || true
    wait "$server" || true
    server=
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The demo talks to its own server, whatever this shell is set up for.
for name in $(compgen -e | grep -E '^(LANGFUSE|OTEL)_' || true); do unset "$name"; done
export LANGFUSE_PUBLIC_KEY=pk-lf-local LANGFUSE_SECRET_KEY=sk-lf-local
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost

healthy() {
    exec 3<> "/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET /api/public/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
    local answer
    answer=$(timeout 5 cat <&3) || true
    exec 3<&-
    [[ $answer == *'"OK"'* ]]
}

traces() { "$build/langfuse-local" traces --all --color never --db "$db" 2> "$folder/traces.log" | wc -l || true; }

mkdir -p "$folder"
rm -f "$port_file"
before=$(traces)
"$build/langfuse-local" serve --quiet --port 0 --port-file "$port_file" --db "$db" > "$folder/server.log" 2>&1 &
server=$!
deadline=$((SECONDS + 20))
until [ -s "$port_file" ] || [ $SECONDS -ge $deadline ]; do
    kill -0 "$server" 2> "$folder/stop.log" || fail "langfuse-local does not start: $(cat "$folder/server.log")"
    sleep 0.05
done
[ -s "$port_file" ] || fail "langfuse-local was not ready within 20 seconds"
port=$(cat "$port_file")
healthy || fail "langfuse-local is not healthy"

echo "langfuse-local, a Langfuse-compatible server, runs on http://127.0.0.1:$port"
echo
echo "\$ $build/examples/ask \"$question\""
LANGFUSE_BASE_URL=http://127.0.0.1:$port "$build/examples/ask" "$question" || fail "ask failed"
[ "$(traces)" -gt "$before" ] || fail "the trace did not arrive"
echo
echo "\$ $build/langfuse-local tree --db $db"
"$build/langfuse-local" tree --db "$db"
stop
cat << END

The data stays in $db. To look again, also without a server:
    $build/langfuse-local traces --db $db
    $build/langfuse-local tree --full --db $db

To trace a program of your own:
    $build/langfuse-local run --db $db -- ./program
END
