#!/usr/bin/env bash
# The demo: a local server, a program that answers a question, and the trace it left. `demo.sh llm`: with a real model, a small one
# that llama.cpp serves (tests/models/prepare.sh brings both). BUILD is where the products are.
set -euo pipefail

cd "$(dirname "$0")/.."
build=${BUILD:-build}
question="How long does exit wait for deliveries?"
folder=$build/demo
db=$folder/langfuse.db
port_file=$folder/port
server=
model=
with_model=
[ "${1:-}" != llm ] || with_model=yes

fail() {
    echo "demo: $*" >&2
    exit 1
}

stop() {
    local process
    for process in $model $server; do
        kill "$process" 2> "$folder/stop.log" || true
        wait "$process" || true
    done
    model=
    server=
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The demo talks to its own server, whatever this shell is set up for.
for name in $(compgen -e | grep -E '^(LANGFUSE|OTEL|OPENAI)_' || true); do unset "$name"; done
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

# wait_for FILE PROCESS NAME SECONDS: the process writes the file once it is ready.
wait_for() {
    local deadline=$((SECONDS + $4))
    until [ -s "$1" ] || [ $SECONDS -ge $deadline ]; do
        kill -0 "$2" 2> "$folder/stop.log" || fail "$3 does not start: $(tail -n 20 "$folder/$3.log")"
        sleep 0.05
    done
    [ -s "$1" ] || fail "$3 was not ready within $4 seconds"
}

# The model's server ends with its standard input. Short replies, since it may have a single core.
start_model() {
    rm -f "$folder/address"
    mkfifo -m 600 "$folder/until.$$"
    "$build/models/venv/bin/python" tests/models/server.py "$folder/address" 40 \
        < "$folder/until.$$" > "$folder/llama.cpp.log" 2>&1 &
    model=$!
    exec 4> "$folder/until.$$"
    rm "$folder/until.$$"
    wait_for "$folder/address" "$model" llama.cpp 120
    OPENAI_BASE_URL=$(cat "$folder/address")/v1
    export OPENAI_BASE_URL OPENAI_MODEL=smollm2-135m
}

show() { # command...: run it under langfuse-local, and show its traces
    local before arrived
    before=$(traces)
    LANGFUSE_BASE_URL=http://127.0.0.1:$port "$@" || fail "${1##*/} failed"
    arrived=$(($(traces) - before))
    [ "$arrived" -gt 0 ] || fail "the trace of ${1##*/} did not arrive"
    local tree=("$build/langfuse-local" tree --db "$db")
    [ "$arrived" = 1 ] || tree+=(--limit "$arrived")
    echo
    echo "\$ ${tree[*]}"
    "${tree[@]}"
}

show_chat() {
    echo
    printf '%s\n' "Look at the clock: what time is it?" "Thank you." > "$folder/lines"
    echo "\$ $build/examples/chat < $folder/lines"
    show "$build/examples/chat" < "$folder/lines"
}

mkdir -p "$folder"
rm -f "$port_file"
"$build/langfuse-local" serve --quiet --port 0 --port-file "$port_file" --db "$db" > "$folder/langfuse-local.log" 2>&1 &
server=$!
wait_for "$port_file" "$server" langfuse-local 20
port=$(cat "$port_file")
healthy || fail "langfuse-local is not healthy"

echo "langfuse-local, a Langfuse-compatible server, runs on http://127.0.0.1:$port"
if [ -n "$with_model" ]; then
    start_model
    echo "llama.cpp serves SmolLM2-135M, a model so small that its answers are poor, on $OPENAI_BASE_URL"
fi
echo
options=()
[ -z "$with_model" ] || options=(-n 2) # passages in the prompt
echo "\$ $build/examples/ask ${options[*]+${options[*]} }\"$question\""
show "$build/examples/ask" "${options[@]}" "$question"
[ -z "$with_model" ] || [ ! -x "$build/examples/chat" ] || show_chat
stop
cat << END

The data stays in $db. To look again, also without a server:
    $build/langfuse-local traces --db $db
    $build/langfuse-local tree --full --db $db

To trace a program of your own:
    $build/langfuse-local run --db $db -- ./program
END
