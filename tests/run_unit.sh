#!/bin/sh
# Run unit test programs one after the other; a failing one shows its output. TEST_WRAPPER goes before each.
set -u
BUILD=${BUILD:-build}
passed=0
failed=0
mkdir -p "$BUILD"
log=$BUILD/unit.log
for program in "$@"; do
    # Ten minutes is far more than any needs: a hang is a failure, not a wait.
    if timeout -k 10 600 ${TEST_WRAPPER:-} "$program" >"$log" 2>&1; then
        passed=$((passed + 1))
        grep -E 'SKIP' "$log"
    else
        failed=$((failed + 1))
        echo "unit: $program failed:"
        tail -n 60 "$log"
    fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
