#!/usr/bin/env bash
# A payload of ours, read by the protocol's own Python package and by an OpenTelemetry Collector; the scenarios of tests/golden
# in the official Python SDKs; the official SDKs against langfuse-local, where they also read what programs of the library wrote.
# run.sh OTLP_PAYLOAD_PROGRAM LANGFUSE_LOCAL PROGRAM...
# Needs Python 3.11 with venv, npm with Node 20, and go; downloads pinned packages from PyPI, npm and the Go module proxy.
set -euo pipefail
BUILD=${BUILD:-build}
here=$(cd "$(dirname "$0")" && pwd)
payload=$1
server=$2
shift 2
LIBRARY_PROGRAMS=$(realpath "$@" | paste -sd :)
export LIBRARY_PROGRAMS
work=$BUILD/interop
passed=0
declare -A serves=([4]=4.16 [5]=4.59) # the server that each version of the SDK is for
mkdir -p "$work/payload"
work=$(cd "$work" && pwd)

# provide NAME FILE... -- COMMAND: runs the command in the new folder NAME, unless it did for the same files.
provide() {
    local folder=$work/$1 files=()
    shift
    while [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    shift
    if ! cat "${files[@]}" | cmp -s - "$folder/installed"; then
        rm -rf "$folder"
        mkdir "$folder"
        (cd "$folder" && "$@")
        cat "${files[@]}" > "$folder/installed"
    fi
}

# fetch ARGUMENT...: pinned packages, and nothing that they do not name.
fetch() {
    "$work/python/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: --no-compile --no-deps "$@"
}

install_python() {
    "${PYTHON:-python3}" -m venv .
    fetch -r "$here/requirements.txt"
}

install_javascript() {
    cp "$here/javascript/"* .
    npm ci --silent --ignore-scripts --no-audit --no-fund
}

# with_server VERSION PROGRAM ARGUMENT...: a server that answers as one of that version, with a database of its own.
with_server() {
    local version=$1
    shift
    "$server" run --no-preload --quiet --limit 1 --version-as "$version" -- "$@" 2> "$work/server.log" && return
    tail -n 40 "$work/server.log" >&2
    return 1
}

step() {
    "$@"
    passed=$((passed + 1))
}

provide python "$here/requirements.txt" -- install_python
for version in 4 5; do
    provide python_$version "$here/python_$version.txt" -- fetch --target . -r "$here/python_$version.txt"
done
"$payload" "$work/payload"
step "$work/python/bin/python" "$here/check_python.py" "$work/payload"
# Both versions need the same packages.
for version in 4 5; do
    export PYTHONPATH=$work/python_$version
    step "$work/python/bin/python" "$here/python_sdk.py" "$work/python_sdk_$version"
    step with_server "${serves[$version]}" "$work/python/bin/python" "$here/server_python.py"
done
unset PYTHONPATH
if command -v npm > /dev/null; then
    provide javascript "$here/javascript/"* -- install_javascript
    step with_server 4.16 node "$work/javascript/server_javascript.mjs"
else
    echo "interop: npm is not installed: the JavaScript SDK was left out" >&2
fi
if ! command -v go > /dev/null; then
    echo "interop: go is not installed: the Collector was not asked" >&2
    exit 1
fi
step "$here/collector/check_collector.sh" "$work/payload" "$work"
echo "interop: $passed passed, 0 failed"
