#!/bin/sh
# A payload of ours, read by the protocol's own Python package and by an OpenTelemetry Collector; the scenarios of tests/golden
# in the official Python SDK. run.sh OTLP_PAYLOAD_PROGRAM
# Needs python3 with venv, and go; downloads pinned packages from PyPI and the Go module proxy.
set -eu
BUILD=${BUILD:-build}
here=$(cd "$(dirname "$0")" && pwd)
work=$BUILD/interop
mkdir -p "$work/payload"
"$1" "$work/payload"
if [ ! -x "$work/venv/bin/python" ]; then
    "${PYTHON:-python3}" -m venv "$work/venv"
fi
"$work/venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
"$work/venv/bin/python" "$here/check_python.py" "$work/payload"
"$work/venv/bin/python" "$here/python_sdk.py" "$work/python_sdk"
if ! command -v go >/dev/null; then
    echo "interop: go is not installed: the Collector was not asked" >&2
    exit 1
fi
"$here/collector/check_collector.sh" "$work/payload" "$work"
echo "interop: 3 passed, 0 failed"
