#!/bin/sh
# Run unit test programs, as many at once as there are processors; a failing one shows its output. TEST_WRAPPER goes before each.
set -u
BUILD=${BUILD:-build}
logs=$BUILD/unit-logs

# One program; what became of it is in its log and status.
if [ "${1:-}" = --one ]; then
    log=$logs/$(basename "$2")
    # Ten minutes is far more than any needs: a hang is a failure, not a wait.
    timeout -k 10 600 ${TEST_WRAPPER:-} "$2" >"$log.log" 2>&1
    echo "$?" >"$log.status"
    exit 0
fi

rm -rf "$logs"
mkdir -p "$logs"
export BUILD
export TEST_WRAPPER="${TEST_WRAPPER:-}"
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$0" --one
passed=0
failed=0
for program in "$@"; do
    log=$logs/$(basename "$program")
    if [ "$(cat "$log.status")" = 0 ]; then
        passed=$((passed + 1))
        grep -E 'SKIP' "$log.log"
    else
        failed=$((failed + 1))
        echo "unit: $program failed ($(cat "$log.status")):"
        tail -n 60 "$log.log"
    fi
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
