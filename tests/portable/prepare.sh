#!/usr/bin/env bash
# What every cell of run.py shares, in $BUILD/portable: curl's headers without those of this machine's C library, the source of
# cJSON, and with `zig` a pinned compiler for musl and old C libraries from PyPI. Says nothing, and needs no network, when
# everything is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${BUILD:-build}/portable
mkdir -p "$dir/include"

# The folder that has a header, as this machine's compiler finds it.
folder_of() {
    echo "#include <$1>" | ${CC:-cc} -M -x c - | tr ' ' '\n' | grep "/$1\$" | head -n 1 | xargs dirname
}

fetch_cjson() { # the source package of this system's libcjson, by lists of our own: most systems have none of sources
    local work=$dir/apt options
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    # shellcheck disable=SC2016  # names for apt-get
    apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' \
        > "$work/sources"
    # shellcheck disable=SC2016
    [ -s "$work/sources" ] || apt-get indextargets --format 'deb-src $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' \
        'Origin: Ubuntu' > "$work/sources"
    options=(-qq -o "Dir::Etc::SourceList=$PWD/$work/sources" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$PWD/$work/lists" -o "Dir::Cache=$PWD/$work/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update
    (cd "$work" && apt-get "${options[@]}" source --download-only cjson)
    mkdir "$work/cjson"
    tar -xf "$work"/cjson_*.orig.tar.* -C "$work/cjson" --strip-components=1
    rm -rf "$dir/include/cjson"
    mkdir "$dir/include/cjson"
    cp "$work/cjson/cJSON.h" "$dir/include/cjson"
    cp "$work/cjson/cJSON.c" "$dir/include/cjson"
    rm -rf "$work"
}

[ -e "$dir/include/curl/curl.h" ] || cp -r "$(folder_of curl/curl.h)" "$dir/include"
[ -e "$dir/include/cjson/cJSON.c" ] || fetch_cjson
if [ "${1:-}" = zig ] && [ ! -e "$dir/zig/installed" ]; then
    rm -rf "$dir/zig"
    "${PYTHON:-python3}" -m venv "$dir/zig"
    "$dir/zig/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
    touch "$dir/zig/installed"
fi
