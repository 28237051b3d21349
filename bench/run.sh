#!/bin/sh
# All benchmarks in one table. Ratios hold better than nanoseconds: machines are noisy.
set -eu
BUILD=${BUILD:-build}
echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(uname -sr)"
echo "compiler  $(${CC:-cc} --version | head -n 1); CFLAGS ${CFLAGS:--O2 -g}"
echo "libcurl   $(curl-config --version 2>/dev/null || echo unknown)"
echo
unset LANGFUSE_BASE_URL LANGFUSE_HOST LANGFUSE_PUBLIC_KEY LANGFUSE_SECRET_KEY LANGFUSE_EXPORTER
for bench in hotpath pipeline model curl ingest; do
    "$BUILD/bench/$bench" 2>/dev/null
    echo
done

# The Python SDK fills in the same template, where it can be imported. PYTHON_SDK=1 installs it below $BUILD.
python=${PYTHON:-python3}
if [ -n "${PYTHON_SDK:-}" ]; then
    [ -x "$BUILD/bench/venv/bin/python" ] || "$python" -m venv "$BUILD/bench/venv"
    python=$BUILD/bench/venv/bin/python
    "$python" -m pip install -q --disable-pip-version-check langfuse==5.0.4
    "$python" -c 'import langfuse, sys; print("Python    %s, langfuse %s" % (sys.version.split()[0], langfuse.__version__))'
fi
theirs=$BUILD/bench/prompt_python.txt
"$BUILD/bench/prompt" --template | "$python" bench/prompt_compile.py >"$theirs" 2>/dev/null || rm -f "$theirs"
"$BUILD/bench/prompt" "$theirs" 2>/dev/null
