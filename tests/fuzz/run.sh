#!/bin/sh
# Fuzz each parser, and what programs call, for FUZZ_SECONDS (default 30) with clang's libFuzzer. What it finds lies in
# $BUILD/fuzz/found-*; it becomes a case of a unit test, or a file of tests/fuzz/corpus, together with the fix.
set -eu
BUILD=${BUILD:-build}
seconds=${FUZZ_SECONDS:-30}
CALLS_WRAP=${CALLS_WRAP:?make fuzz says it}
mkdir -p "$BUILD/fuzz"
flags="-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I."
library=$(ls src/*.c src/*/*.c | grep -v src/all.c)
server=$(ls server/*.c | grep -v server/main.c)
clang $flags tests/fuzz/fuzz_json.c src/base/base.c src/base/buf.c src/base/json.c -o "$BUILD/fuzz/json" -lm -lpthread
clang $flags tests/fuzz/fuzz_answer.c lf_core.c $library -o "$BUILD/fuzz/answer" -lcurl -lcjson -lm -lpthread
clang $flags tests/fuzz/fuzz_trace_context.c src/observe/trace_context.c src/base/ids.c src/base/sha256.c src/base/base.c src/base/buf.c \
    src/base/json.c -o "$BUILD/fuzz/trace_context" -lm -lpthread
clang $flags tests/fuzz/fuzz_carrier.c lf_core.c $library -o "$BUILD/fuzz/carrier" -lcurl -lcjson -lm -lpthread
clang $flags tests/fuzz/fuzz_usage.c src/model/usage.c src/observe/propagate.c src/base/limits.c src/observe/record.c src/observe/site.c src/base/base.c src/base/buf.c \
    src/base/json.c src/base/value.c src/base/python.c -o "$BUILD/fuzz/usage" -lcjson -lm -lpthread
clang $flags tests/fuzz/fuzz_request.c src/model/api.c src/model/media.c src/model/request.c src/base/base.c src/base/buf.c src/base/json.c \
    src/base/sha256.c -o "$BUILD/fuzz/request" -lm -lpthread
clang $flags tests/fuzz/fuzz_reply.c src/model/api.c src/model/frames.c src/model/media.c src/model/reply*.c src/model/tree.c src/model/usage.c \
    src/base/base.c src/base/buf.c src/base/json.c src/base/secret.c src/base/sha256.c -o "$BUILD/fuzz/reply" -lm -lpthread
clang $flags tests/fuzz/fuzz_template.c lf_core.c $library -o "$BUILD/fuzz/template" -lcurl -lcjson -lm -lpthread
clang $flags $CALLS_WRAP tests/fuzz/fuzz_calls.c lf_core.c $library langfuse/score.c -o "$BUILD/fuzz/calls" -lcurl -lcjson -lm -lpthread
clang $flags tests/server/fuzz_otlp.c $server -o "$BUILD/fuzz/otlp" -lmicrohttpd -lsqlite3 -lz -lm -lpthread
clang $flags tests/server/fuzz_ingestion.c $server -o "$BUILD/fuzz/ingestion" -lmicrohttpd -lsqlite3 -lz -lm -lpthread
clang $flags tests/server/fuzz_filter.c $server -o "$BUILD/fuzz/filter" -lmicrohttpd -lsqlite3 -lz -lm -lpthread
# Replies of models, each behind the byte of its API (src/model/api.h).
mkdir -p "$BUILD/fuzz/corpus_reply"
for body in tests/models/*.body; do
    case ${body#tests/models/} in
    legacy*) api=002 ;;
    responses*) api=003 ;;
    embeddings-gemini*) api=013 ;;
    embeddings-ollama*) api=016 ;;
    embeddings*) api=004 ;;
    images*) api=005 ;;
    transcription*) api=006 ;;
    speech*) api=007 ;;
    anthropic-text-*) api=011 ;;
    anthropic*) api=010 ;;
    gemini*) api=012 ;;
    ollama-generate*) api=015 ;;
    ollama*) api=014 ;;
    llamacpp*) api=017 ;;
    cohere*) api=021 ;;
    *) api=001 ;;
    esac
    { printf "\\$api\\000\\000\\021"; cat "$body"; } >"$BUILD/fuzz/corpus_reply/$(basename "$body" .body)"
done
for target in json answer trace_context carrier usage request reply template calls otlp ingestion filter; do
    mkdir -p "$BUILD/fuzz/corpus_$target"
    # Inputs that are kept are tried first; new ones go to the first folder.
    kept=tests/fuzz/corpus/$target
    [ -d "$kept" ] || kept=
    if ! "$BUILD/fuzz/$target" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$BUILD/fuzz/found-$target-" "$BUILD/fuzz/corpus_$target" $kept >"$BUILD/fuzz/$target.log" 2>&1; then
        tail -n 40 "$BUILD/fuzz/$target.log"
        exit 1
    fi
    echo "fuzz: $target, $(sed -n 's/stat::number_of_executed_units: *//p' "$BUILD/fuzz/$target.log") inputs without a finding"
done
