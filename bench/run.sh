#!/bin/sh
# All benchmarks in one table. Ratios hold better than nanoseconds: machines are noisy.
set -eu
BUILD=${BUILD:-build}
echo "machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(uname -sr)"
echo "compiler  $(${CC:-cc} --version | head -n 1); CFLAGS ${CFLAGS:--O2 -g}"
echo "libcurl   $(curl-config --version 2>/dev/null || echo unknown)"
echo
unset LANGFUSE_BASE_URL LANGFUSE_HOST LANGFUSE_PUBLIC_KEY LANGFUSE_SECRET_KEY LANGFUSE_EXPORTER
for bench in hotpath pipeline; do
    "$BUILD/bench/$bench" 2>/dev/null
    echo
done
