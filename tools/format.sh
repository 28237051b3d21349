#!/usr/bin/env bash
# Lay out all C files by .clang-format: format.sh [FILE...]; with --check only say which are laid out otherwise. Versions of
# clang-format differ, so one version is installed in $BUILD/format.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${BUILD:-build}/format
if ! "$venv/bin/clang-format" --version >/dev/null 2>&1; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r tools/format.txt
fi
check=()
if [ "${1:-}" = --check ]; then
    check=(--dry-run -Werror)
    shift
fi
if [ $# -eq 0 ]; then
    mapfile -t files < <(find . -path "./${BUILD:-build}" -prune -o -name '*.[ch]' -print | sort)
    set -- "${files[@]}"
fi
printf '%s\0' "$@" | xargs -0 -n 16 -P "$(nproc)" "$venv/bin/clang-format" ${check[@]+"${check[@]}"} -i
[ ${#check[@]} -eq 0 ] || echo "format: $# files as .clang-format says"
