#!/bin/sh
# Each scenario through the file exporter, compared with what the official SDK exports for the same program.
set -u
BUILD=${BUILD:-build}
here=$(dirname "$0")
program=$BUILD/tests/golden/scenarios
dir=$BUILD/golden
mkdir -p "$dir"
passed=0
failed=0
for name in $("$program"); do
    rm -f "$dir/$name.jsonl"
    if LANGFUSE_EXPORTER="file:$dir/$name.jsonl" ${TEST_WRAPPER:-} "$program" "$name" &&
        python3 "$here/normalize.py" "$dir/$name.jsonl" "$here/expected/$name.json"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "golden: $name differs"
    fi
done
echo "golden: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
