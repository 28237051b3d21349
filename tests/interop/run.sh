#!/usr/bin/env bash
# A payload of ours, read by the protocol's own Python package and by an OpenTelemetry Collector; the scenarios of tests/golden
# in the official Python SDKs. run.sh OTLP_PAYLOAD_PROGRAM
# Needs Python 3.11 with venv, and go; downloads pinned packages from PyPI and the Go module proxy.
set -euo pipefail
BUILD=${BUILD:-build}
here=$(cd "$(dirname "$0")" && pwd)
work=$BUILD/interop
mkdir -p "$work/payload"

# install_python VERSION: the official SDK of that version in a folder of its own, unless it is there.
install_python() {
    local venv=$work/python_$1 wanted
    wanted=$(cat "$here/requirements.txt" "$here/python_$1.txt")
    if [ "$wanted" != "$(cat "$venv/installed" 2> /dev/null)" ]; then
        rm -rf "$venv"
        "${PYTHON:-python3}" -m venv "$venv"
        "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: \
            -r "$here/requirements.txt" -r "$here/python_$1.txt"
        printf '%s\n' "$wanted" > "$venv/installed"
    fi
}

install_python 4
install_python 5
"$1" "$work/payload"
"$work/python_5/bin/python" "$here/check_python.py" "$work/payload"
for version in 4 5; do
    "$work/python_$version/bin/python" "$here/python_sdk.py" "$work/python_sdk_$version"
done
if ! command -v go > /dev/null; then
    echo "interop: go is not installed: the Collector was not asked" >&2
    exit 1
fi
"$here/collector/check_collector.sh" "$work/payload" "$work"
echo "interop: 4 passed, 0 failed"
