#!/bin/sh
# Feed both payloads to a real OpenTelemetry Collector, over HTTP and as a file, and compare what it understood with what
# was meant. Usage: check_collector.sh PAYLOAD_DIR BUILD_DIR (PAYLOAD_DIR is where otlp_payload wrote). Needs go, curl and
# python3; the first build downloads the modules that go.sum names.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
payload=$(cd "$1" && pwd)
mkdir -p "$2"
build=$(cd "$2" && pwd)
wait_seconds=30

echo "building the collector"
(cd "$here" && GOTOOLCHAIN=local timeout 900 go build -mod=readonly -buildvcs=false -o "$build/collector" .)

FOLDER=$(mktemp -d "$build/run.XXXXXX")
OTLP_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export FOLDER OTLP_PORT
mkdir "$FOLDER/watched"

timeout 120 "$build/collector" --config "$here/config.yaml" >"$FOLDER/log" 2>&1 &
collector=$!
finish()
{
    status=$?
    kill "$collector" 2>/dev/null || true
    wait "$collector" 2>/dev/null || true
    if [ "$status" -eq 0 ]; then
        rm -r "$FOLDER"
    else
        echo "failed; the collector said:" >&2
        cat "$FOLDER/log" >&2
    fi
}
trap finish EXIT
trap 'exit 1' INT TERM

# wait_for WHAT COMMAND...: run the command until it succeeds or the time is up.
wait_for()
{
    what=$1
    shift
    tries=$((wait_seconds * 10))
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ] || ! kill -0 "$collector" 2>/dev/null; then
            echo "no $what" >&2
            exit 1
        fi
        sleep 0.1
    done
}

has_lines()
{
    [ "$(wc -l <"$1")" -ge "$2" ]
}

post()
{
    code=$(curl -sS --noproxy '*' --max-time "$wait_seconds" -o "$FOLDER/answer" -w '%{http_code}' -H "Content-Type: $1" \
        --data-binary "@$2" "http://127.0.0.1:$OTLP_PORT/v1/traces")
    if [ "$code" != 200 ]; then
        echo "$1 was answered with $code: $(cat "$FOLDER/answer")" >&2
        exit 1
    fi
}

wait_for "listening collector" curl -sS --noproxy '*' --max-time 2 -o "$FOLDER/answer" "http://127.0.0.1:$OTLP_PORT/"
post application/x-protobuf "$payload/payload.pb"
wait_for "output for protobuf" has_lines "$FOLDER/from_http.json" 1
post application/json "$payload/payload.json"
wait_for "output for JSON" has_lines "$FOLDER/from_http.json" 2
(cat "$payload/payload.json" && echo) >"$FOLDER/new"
mv "$FOLDER/new" "$FOLDER/watched/payload.json"
wait_for "output for the file" has_lines "$FOLDER/from_file.json" 1

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/.." python3 - "$FOLDER" <<'END'
import json, sys
from pathlib import Path
from expected import check

def lines(name):
    return [json.loads(line) for line in (Path(sys.argv[1]) / name).read_text(encoding="utf-8").splitlines()]

protobuf, text = lines("from_http.json")
[file] = lines("from_file.json")
check("collector, protobuf", protobuf)
check("collector, JSON", text)
check("collector, JSON file", file)
END
