#!/bin/sh
# Starts langfuse-local (the path in $1, else build/langfuse-local) on a free port, and checks statuses and bodies with curl.
set -eu

server=${1:-build/langfuse-local}
folder=$(mktemp -d)
pid=
port=0
failed=0
checks=0
trap 'finish' EXIT

# What the server said matters when it is gone, or when `set -e` ends this early.
finish() {
    [ "$?" = 0 ] || cat "$folder"/err >&2 || true
    stop KILL
    rm -rf "$folder"
}

start() { # further arguments for serve
    rm -f "$folder/port"
    "$server" serve --port "$port" --db "$folder/test.db" --port-file "$folder/port" \
        --public-key pk --secret-key sk "$@" >"$folder/out" 2>>"$folder/err" &
    pid=$!
    for _ in $(seq 200); do
        [ -s "$folder/port" ] && break
        sleep 0.05
    done
    port=$(cat "$folder/port")
    url=http://127.0.0.1:$port
}

stop() { # the signal; leaves the exit code in $code
    [ -n "$pid" ] || return 0
    kill -s "$1" "$pid" 2>/dev/null || true
    code=0
    wait "$pid" 2>/dev/null || code=$?
    pid=
}

fail() {
    echo "FAILED: $*" >&2
    failed=$((failed + 1))
}

# expect WHAT STATUS BODY curl-arguments...   An asterisk in the body stands for any text.
expect() {
    what=$1 status=$2 body=$3
    shift 3
    checks=$((checks + 1))
    answer=$(curl -s -w '\n%{http_code}' "$@") || answer="curl failed
000"
    got_status=${answer##*
}
    got_body=${answer%
*}
    if [ "$got_status" != "$status" ]; then
        fail "$what: status $got_status, not $status: $got_body"
        return
    fi
    case $body in
    *\**)
        pattern=$(printf '%s' "$body" | sed 's/[][\\?]/\\&/g')
        case $got_body in $pattern) ;; *) fail "$what: $got_body, not $body" ;; esac
        ;;
    *) [ "$got_body" = "$body" ] || fail "$what: $got_body, not $body" ;;
    esac
}

auth='-u pk:sk'
json='Content-Type: application/json'
protobuf='Content-Type: application/x-protobuf'
wrong="{\"message\":\"Invalid credentials. Confirm that you've configured the correct host.\"}"
tail_of_refusal=' The entire export was rejected and no spans were ingested. Instrumentation scopes: s. This endpoint accepts OpenTelemetry traces only — if you are exporting OpenTelemetry logs, point your log exporter elsewhere."}'
gone='{"message":"This endpoint is not available on deployments running in Langfuse v4 events_only mode. Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"}'

spans() { # the text of a JSON export around the given spans
    printf '{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"s"},"spans":[%s]}]}]}' "$1"
}
span() { # trace, id, name, start in ms after 2026-11-21T05:35:41Z, more members
    printf '{"traceId":"%s","spanId":"%s","name":"%s","startTimeUnixNano":"%s000000","endTimeUnixNano":"%s000000"%s}' \
        "$1" "$2" "$3" "$((1795239341000 + $4))" "$((1795239341500 + $4))" "${5:-}"
}

event() { # id, type, members of the body
    printf '{"id":"%s","type":"%s","timestamp":"2026-11-21T05:35:42Z","body":{%s}}' "$1" "$2" "$3"
}
batch() { # events between commas
    printf '{"batch":[%s]}' "$1"
}

# As a server of version 4 by default.
start --write-mode events_only
for path in traces traces/abc observations sessions/x v2/scores dataset-run-items metrics/daily; do
    expect "gone $path" 404 "$gone" $auth "$url/api/public/$path"
done
expect 'gone POST' 404 "$gone" $auth -H "$json" -d '{}' "$url/api/public/generations"
expect 'events only' 207 '{"successes":[{"id":"2","status":201}],"errors":[{"id":"1","status":400,"message":"Event type not accepted","error":"Event type \"trace-create\" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only.*' \
    $auth -H "$json" -d "$(batch "$(event 1 trace-create '"id":"t"'),$(event 2 score-create '"traceId":"t","name":"q","value":1')")" "$url/api/public/ingestion"
stop TERM
[ "$code" = 0 ] || fail "exit code $code of the server in events_only mode"

health=$("$server" run --no-preload --version-as 4.59 -- sh -c 'curl -s "$LANGFUSE_BASE_URL/api/public/health"' 2>/dev/null) || true
[ "$health" = '{"status":"OK","version":"4.59.0"}' ] || fail "run --version-as: $health"

# With the keys that everybody knows.
start --public-key pk-lf-local --secret-key sk-lf-local --allow-origin http://localhost:5173
checks=$((checks + 2))
curl -s -o /dev/null -D - -H 'Origin: https://page.example' "$url/api/public/health" | grep -qi '^access-control' && fail 'any page, with well-known keys'
curl -s -o /dev/null -D - -H 'Origin: http://localhost:5173' "$url/api/public/health" |
    grep -qi '^access-control-allow-origin: http://localhost:5173' || fail 'a page that is allowed, with well-known keys'
stop TERM

# As a server of another version.
start --version-as 4.59
expect 'health of 4.59' 200 '{"status":"OK","version":"4.59.0"}' "$url/api/public/health"
scores=$url/api/public/scores
v3=$url/api/public/v3/scores
expect 'an array of scores' 202 '{"message":"Accepted"}' $auth -H "$json" "$scores" -d '[
    {"id":"a1","traceId":"A","name":"n","value":0.5,"timestamp":"2026-01-15T06:30:00.123456Z","metadata":[1,2]},
    {"id":"a2","sessionId":"S","name":"ok","value":1.0,"dataType":"BOOLEAN","timestamp":"2026-01-15T08:30:01+02:00"}]'
expect 'an empty array' 202 '{"message":"Accepted"}' $auth -H "$json" -d '[]' "$scores"
expect 'an array with the public key' 202 '{"message":"Accepted"}' -H 'Authorization: Bearer pk' -H "$json" -d '[]' "$scores"
expect 'an array with bad scores' 207 '{"accepted":1,"rejected":3,"errors":[{"message":"Score 1: value: Invalid input"},{"message":"Score 2: timestamp: Invalid ISO datetime"},{"message":"Score 3: Invalid input: expected object, received number"}]}' \
    $auth -H "$json" "$scores" -d '[{"id":"a3","traceId":"A","name":"n","value":3},{"id":"a4","traceId":"A","name":"n","value":[1]},
    {"id":"a5","traceId":"A","name":"n","value":3,"timestamp":"2026-01-15T06:30:00"},5]'
expect 'the same id and time' 202 '{"message":"Accepted"}' $auth -H "$json" "$scores" \
    -d '[{"id":"a1","traceId":"A","name":"n","value":0.75,"timestamp":"2026-01-15T06:30:00.123Z"}]'
expect 'an update' 200 '{"data":[{"id":"a1",*"dataType":"NUMERIC","value":0.75}],"meta":{"limit":50}}' $auth "$v3?id=a1"
expect 'the same id, another time' 202 '{"message":"Accepted"}' $auth -H "$json" "$scores" \
    -d '[{"id":"a1","traceId":"A","name":"n","value":1,"timestamp":"2026-01-15T06:31:00Z"}]'
[ "$(curl -s $auth "$v3?id=a1" | grep -o '"id":"a1"' | wc -l)" = 2 ] || fail 'two scores of one id and two times'
expect 'times of scores' 200 '{"data":[{"id":"a2","projectId":"local","name":"ok","source":"API","timestamp":"2026-01-15T06:30:01.000Z",*' $auth "$v3?sessionId=S"
expect 'deleting both of an id' 202 '{"message":"Score deletion queued successfully"}' $auth -X DELETE "$scores/a1"
expect 'and another' 202 '{"message":"Score deletion queued successfully"}' $auth -X DELETE "$scores/a2"
expect 'none is left' 200 '{"data":[],"meta":{"limit":50}}' $auth "$v3?id=a1,a2"
expect 'a score alone' 200 '{"id":"a6"}' $auth -H "$json" -d '{"id":"a6","traceId":"A","name":"n","value":1}' "$scores"
stop TERM

start
ingestion=$url/api/public/ingestion
scores=$url/api/public/scores
traces=$url/api/public/otel/v1/traces
observations=$url/api/public/v2/observations
count=$url/api/local/count
grep -q "^langfuse-local listening on http://127.0.0.1:$port\$" "$folder/out" || fail "announcement: $(cat "$folder/out")"

# Open routes, keys, methods, paths.
expect health 200 '{"status":"OK","version":"4.16.0"}' "$url/api/public/health?failIfDatabaseUnavailable=true"
expect ready 200 '{"status":"OK","version":"4.16.0"}' "$url/api/public/ready"
expect 'no keys' 401 '{"message":"No authorization header"}' -H "$json" -d '{}' "$traces"
expect 'bad secret' 401 "$wrong" -u pk:no -H "$json" -d '{}' "$traces"
expect 'swapped keys' 401 "$wrong" -u sk:pk -H "$json" -d '{}' "$traces"
expect 'other public key' 200 '{}' -u other:sk -H "$json" -d '{}' "$traces"
expect 'malformed' 401 '{"message":"Invalid authorization header"}' -H 'Authorization: basic cGs6c2s=' "$observations"
expect 'bearer' 403 '{"message":"Access denied - insufficient permissions for this endpoint"}' -H 'Authorization: Bearer pk' "$observations"
expect 'bearer, projects' 403 '{"message":"Invalid API key. Are you using an organization key?"}' -H 'Authorization: Bearer pk' "$url/api/public/projects"
expect 'HEAD of health' 200 '' -I -o /dev/null "$url/api/public/health"
expect 'POST of health' 200 '{"status":"OK","version":"4.16.0"}' -X POST "$url/api/public/health"
expect 'a slash at the end' 308 '/api/public/health?a=b%2F' "$url/api/public/health/?a=b%2F"
expect 'where it goes' 200 '{"status":"OK","version":"4.16.0"}' -L "$url/api/public/health//?a=b"
expect 'OPTIONS' 204 '' -X OPTIONS "$ingestion"
expect 'OPTIONS of no route' 404 '{"message":"Not found","error":"LangfuseNotFoundError"}' -X OPTIONS "$url/api/public/nothing"
expect 'OPTIONS of our own' 405 '{"message":"Method not allowed","error":"MethodNotAllowedError"}' -X OPTIONS "$count"
allowed_origin() { # curl-arguments...
    curl -s -o /dev/null -D - "$@" | tr -d '\r' | sed -n 's/^Access-Control-Allow-//p' | tr '\n' ' '
}
checks=$((checks + 4))
page='Origin: https://page.example'
[ "$(allowed_origin -H "$page" "$url/api/public/health")" = 'Origin: https://page.example ' ] || fail 'a page, with own keys'
[ "$(allowed_origin -X OPTIONS -H "$page" -H 'Access-Control-Request-Headers: authorization' "$observations")" = \
    'Origin: https://page.example Methods: GET,HEAD,PUT,PATCH,POST,DELETE Headers: authorization ' ] || fail 'a page that asks, with own keys'
[ "$(allowed_origin -H "$page" $auth "$count")" = '' ] || fail 'a page, for a route of our own'
[ "$(allowed_origin "$url/api/public/health")" = '' ] || fail 'no page'
expect 'bearer, unknown' 401 "{\"message\":\"Invalid public key. Confirm that you've configured the correct host.\"}" \
    -H 'Authorization: Bearer x' "$observations"
expect projects 200 '{"data":[{"id":"local","name":"Local","organization":{"id":"local","name":"Local"},"metadata":{}}]}' $auth "$url/api/public/projects"
expect 'wrong method' 405 '{"message":"Method not allowed","error":"MethodNotAllowedError"}' $auth "$traces"
expect 'unknown path' 404 '{"message":"Not found","error":"LangfuseNotFoundError"}' $auth "$url/api/public/nothing"
expect metrics 200 '{"message":"OK"}' $auth -H "$json" -d '{}' "$url/api/public/otel/v1/metrics"

# Exports that are refused, empty or lost.
expect 'no content type' 400 '{"error":"Invalid content type"}' $auth -H 'Content-Type:' -d '{}' "$traces"
expect 'bad content type' 400 '{"error":"Invalid content type"}' $auth -H 'Content-Type: text/plain' -d '{}' "$traces"
expect 'bad JSON' 400 '{"error":"Failed to parse OTel JSON Trace"}' $auth -H "$json" -d '{' "$traces"
expect 'bad protobuf' 400 '{"error":"Failed to parse OTel Protobuf Trace"}' $auth -H "$protobuf" -d zzzz "$traces"
expect 'bad gzip' 400 '{"error":"Failed to decompress request body"}' $auth -H "$json" -H 'Content-Encoding: gzip' -d '{}' "$traces"
expect 'deflate is ignored' 200 '{}' $auth -H "$json" -H 'Content-Encoding: deflate' -d '{}' "$traces"
expect 'empty protobuf' 200 '{}' $auth -H "$protobuf" -X POST "$traces"
expect 'no spans' 200 '{}' $auth -H "$json" -H 'x-langfuse-ingestion-version: 5' -d '{"resourceSpans":[]}' "$traces"
one=$(spans "$(span t0 s0 n 0)")
expect 'version 5' 400 '{"error":"Unsupported x-langfuse-ingestion-version: \"5\". Maximum supported: \"4\"."}' \
    $auth -H "$json" -H 'x-langfuse-ingestion-version: 5' -d "$one" "$traces"
expect 'version abc' 400 '{"error":"Unsupported x-langfuse-ingestion-version: \"abc\". Maximum supported: \"4\"."}' \
    $auth -H "$json" -H 'x_langfuse_ingestion_version: abc' -d "$one" "$traces"
expect 'no ids' 400 "{\"error\":\"Invalid OTLP trace export: 1 of 2 span(s) cannot be processed (traceId:absent, spanId:absent). traceId and spanId are required on every span, and each must be a string or a byte array.$tail_of_refusal" \
    $auth -H "$json" -d "$(spans "$(span t s n 0),{\"name\":\"x\"}")" "$traces"
expect 'attributes as object' 400 "{\"error\":\"Invalid OTLP trace export: 1 of 1 span(s) cannot be processed (attributes:not_an_array). scopeSpans, spans, attributes and events must all be arrays — OTLP attributes are a list of {key, value} entries, not a JSON object.$tail_of_refusal" \
    $auth -H "$json" -d "$(spans "$(span t s n 0 ',"attributes":{}')")" "$traces"
expect 'attribute without value' 200 '{"id":"1"}' $auth -H "$json" -d "$(spans "$(span t s n 0 ',"attributes":[{"key":"k"}]')")" "$traces"
expect 'resourceSpans as object' 200 '{"id":"2"}' $auth -H "$json" -d '{"resourceSpans":{"a":1}}' "$traces"
expect 'nothing stored so far' 200 '{"observations":0,"traces":0}' $auth "$count"
[ "$(grep -c warning "$folder/err")" = 2 ] || fail "warnings: $(cat "$folder/err")"
head -c 17000000 /dev/zero >"$folder/big"
expect 'over 16 MiB' 413 'Body exceeded 16mb limit' $auth -H "$json" --data-binary "@$folder/big" "$traces"
head -c 70000000 /dev/zero | gzip >"$folder/bomb"
expect 'a bomb' 413 'Body exceeded 16mb limit' $auth -H "$json" -H 'Content-Encoding: gzip' --data-binary "@$folder/bomb" "$traces"

# Exports that are stored, in each encoding.
user=',"attributes":[{"key":"user.id","value":{"stringValue":"u"}},{"key":"langfuse.observation.metadata.m","value":{"stringValue":"'$(printf '%0250d' 1)'"}}]'
expect JSON 200 '{"id":"3"}' $auth -H "$json; charset=utf-8" -d "$(spans "$(span t1 a first 0)")" "$traces"
spans "$(span t1 b second 1 ',"parentSpanId":"a"')" | gzip >"$folder/gz"
expect 'JSON, gzip' 200 '{"id":"4"}' $auth -H "$json" -H 'Content-Encoding: gzip' --data-binary "@$folder/gz" "$traces"
printf '\012\044\022\042\022\040\012\020\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001\022\010\002\002\002\002\002\002\002\002\052\002pb' >"$folder/pb"
expect protobuf 200 '{"id":"5"}' $auth -H "$protobuf" --data-binary "@$folder/pb" "$traces"
expect 'of another user' 200 '{"id":"6"}' $auth -H "$json" -d "$(spans "$(span t2 c third 2 "$user")")" "$traces"
expect 'a resend' 200 '{"id":"7"}' $auth -H "$json" -d "$(spans "$(span t1 a again 0)")" "$traces"
expect 'count' 200 '{"observations":4,"traces":3}' $auth "$count"
expect 'count of one trace' 200 '{"observations":2,"traces":1}' $auth "$count?traceId=t1"

# Reading back.
core_b='{"id":"b","traceId":"t1","startTime":"2026-11-21T05:35:41.001Z","endTime":"2026-11-21T05:35:41.501Z","projectId":"local","parentObservationId":"a","type":"SPAN",'
rest='"latency":0.5,"timeToFirstToken":null,"modelId":null,"inputPrice":null,"outputPrice":null,"totalPrice":null}'
core_a='{"id":"a","traceId":"t1","startTime":"2026-11-21T05:35:41.000Z","endTime":"2026-11-21T05:35:41.500Z","projectId":"local","parentObservationId":null,"type":"SPAN",'
cursor=eyJsYXN0U3RhcnRUaW1lVG8iOiIyMDI2LTExLTIxVDA1OjM1OjQxLjAwMVoiLCJsYXN0VHJhY2VJZCI6InQxIiwibGFzdElkIjoiYiJ9
expect 'core' 200 "{\"data\":[$core_b$rest,$core_a$rest],\"meta\":{}}" $auth "$observations?traceId=t1&fields=core,bogus"
expect 'first page' 200 "{\"data\":[$core_b$rest],\"meta\":{\"cursor\":\"$cursor\"}}" $auth "$observations?traceId=t1&fields=core&limit=1"
expect 'second page' 200 "{\"data\":[$core_a$rest],\"meta\":{}}" $auth "$observations?traceId=t1&fields=core&limit=1&cursor=$cursor"
expect 'none' 200 '{"data":[],"meta":{}}' $auth "$observations?traceId=none"
expect 'limit 0' 200 '{"data":[],"meta":{}}' $auth "$observations?limit=0"
expect 'root' 200 "{\"data\":[$core_a$rest],\"meta\":{}}" $auth "$observations?traceId=t1&isRootObservation=true&fields=core"
expect 'user' 200 '{"data":[{"id":"c"*' $auth "$observations?userId=u"
expect 'filter' 200 "{\"data\":[$core_a$rest],\"meta\":{}}" $auth -G "$observations" --data-urlencode fields=core \
    --data-urlencode 'filter=[{"type":"string","column":"name","operator":"starts with","value":"aga"}]'
expect 'any of' 200 "{\"data\":[$core_a$rest],\"meta\":{}}" $auth -G "$observations" --data-urlencode fields=core \
    --data-urlencode 'filter=[{"type":"stringOptions","column":"id","operator":"any of","value":["a","zz"]}]'
expect 'a number' 200 "{\"data\":[$core_b$rest,$core_a$rest],\"meta\":{}}" $auth -G "$observations" --data-urlencode fields=core -d traceId=t1 \
    --data-urlencode 'filter=[{"type":"number","column":"latency","operator":"<=","value":0.5}]'
expect 'a filter before a parameter' 200 "{\"data\":[$core_a$rest],\"meta\":{}}" $auth -G "$observations" --data-urlencode fields=core \
    -d traceId=t1 -d name=second --data-urlencode 'filter=[{"type":"string","column":"name","operator":"=","value":"again"}]'
expect 'unknown column' 400 '{"message":"Column nothing does not match a UI / CH table mapping.","error":"InvalidRequestError"}' $auth -G "$observations" \
    --data-urlencode 'filter=[{"type":"number","column":"nothing","operator":">","value":1}]'
expect 'unknown operator' 400 '{"message":"Invalid request data","error":[{"code":"invalid_value","values":[">","<",">=","<="],"path":["filter",0,"operator"],*' $auth -G "$observations" \
    --data-urlencode 'filter=[{"type":"datetime","column":"startTime","operator":"=","value":"2026-11-21"}]'
expect 'bad filter' 400 '{"message":"Invalid JSON in filter parameter","error":"InvalidRequestError"}' $auth "$observations?filter=zz"
expect 'bad cursor' 400 '{"message":"Invalid cursor format","error":"InvalidRequestError"}' $auth "$observations?cursor=zzz"
expect 'limit' 400 '{"message":"Invalid request data","error":[{"origin":"number","code":"too_big","maximum":1000,"inclusive":true,"path":["limit"],"message":"Too big: expected number to be <=1000"}]}' \
    $auth "$observations?limit=5000"
expect 'parseIoAsJson' 400 '{"message":"Invalid request data","error":[{"code":"custom","path":["parseIoAsJson"],"message":"parseIoAsJson=true is no longer supported on the v2 observations endpoint. Input/output fields are always returned as raw strings. Remove the parseIoAsJson parameter or set it to false."}]}' \
    $auth "$observations?parseIoAsJson=true"
long=$(printf '%0250d' 1)
curl -s $auth "$observations?userId=u&fields=metadata" | grep -q "\"m\":\"$(printf '%0200d' 0)\"" || fail 'metadata is cut'
curl -s $auth "$observations?userId=u&fields=metadata&expandMetadata=m" | grep -q "\"m\":\"$long\"" || fail 'metadata expands'
curl -s $auth "$observations?userId=u&fields=metadata,io" | grep -q "\"m\":\"$long\"" || fail 'metadata is whole with io'

# Batches of events.
expect 'batch, no keys' 401 '{"error":"UnauthorizedError","message":"No authorization header"}' -H "$json" -d '{"batch":[]}' "$ingestion"
expect 'batch, bad secret' 401 '{"error":"UnauthorizedError","message":"Invalid credentials.*' -u pk:no -H "$json" -d '{"batch":[]}' "$ingestion"
expect 'batch, method' 405 '{"message":"Method not allowed","error":"MethodNotAllowedError"}' $auth "$ingestion"
expect 'batch, no JSON' 400 'Invalid JSON' $auth -H "$json" -d '{' "$ingestion"
printf '{"batch":[]}' | gzip >"$folder/gz"
expect 'batch, gzip' 400 'Invalid JSON' $auth -H "$json" -H 'Content-Encoding: gzip' --data-binary "@$folder/gz" "$ingestion"
expect 'batch, text' 400 '{"message":"Invalid request data","errors":["Invalid input: expected object, received string"]}' \
    $auth -H 'Content-Type: text/plain' -d '{"batch":[]}' "$ingestion"
expect 'no batch' 400 '{"message":"Invalid request data","errors":["Invalid input: expected array, received undefined"]}' $auth -H "$json" -d '{"x":1}' "$ingestion"
expect 'batch is no array' 400 '{"message":"Invalid request data","errors":["Invalid input: expected array, received object"]}' \
    $auth -H "$json" -d '{"batch":{}}' "$ingestion"
expect 'empty batch' 207 '{"successes":[],"errors":[]}' $auth -H "$json" -d '{"batch":[]}' "$ingestion"
{ printf '{"batch":[],"x":"'; head -c 4718600 /dev/zero | tr '\0' x; printf '"}'; } >"$folder/big"
expect 'batch, too big' 413 'Body exceeded 4.5mb limit' $auth -H "$json" --data-binary "@$folder/big" "$ingestion"
{ printf '{"batch":[],"x":"'; head -c 4718000 /dev/zero | tr '\0' x; printf '"}'; } >"$folder/big"
expect 'batch, big' 207 '{"successes":[],"errors":[]}' $auth -H "$json" --data-binary "@$folder/big" "$ingestion"
many=$(event e1 trace-create '"id":"T","name":"one","userId":"U","sessionId":"S","tags":["b","a"],"metadata":{"k":1},"input":{"i":1},"public":true'),
many=$many$(event e2 span-create '"id":"P","traceId":"T","name":"sp","startTime":"2026-11-21T05:35:42Z","endTime":"2026-11-21T05:35:44Z"'),
many=$many$(event e3 span-update '"id":"P","output":"so"'),
many=$many$(event e4 span-create '"traceId":"T"'),
many=$many$(event e5 score-create '"id":"Q","traceId":"T","observationId":"P","name":"q","value":0.5,"comment":"half"')
expect 'a batch' 207 '{"successes":[{"id":"e1","status":201},{"id":"e2","status":201},{"id":"e5","status":201},{"id":"e3","status":201}],"errors":[{"id":"e4","status":400,"message":"Invalid request data","error":"[\n  {\n*' \
    $auth -H "$json" -d "$(batch "$many")" "$ingestion"
expect 'batch, public key' 207 '{"successes":[],"errors":[{"id":"1","status":401,"message":"Authentication error","error":"Access Scope Denied"}]}' \
    -H 'Authorization: Bearer pk' -H "$json" -d "$(batch "$(event 1 trace-create '"id":"x"')")" "$ingestion"

# What is taken and not kept, on both wires.
grep -q 'usage' "$folder/err" && fail "a warning too many: $(cat "$folder/err")"
expect 'usage of an export' 200 '{"id":"*' $auth -H "$json" \
    -d "$(spans "$(span tu su n 0 ',"attributes":[{"key":"langfuse.observation.usage_details","value":{"stringValue":"{\"input\":1.5}"}}]')")" "$traces"
[ "$(grep -cFx 'langfuse-local: warning: usage has a value that is not a whole number of 0 or more: it was dropped, as on a real server' "$folder/err")" = 1 ] ||
    fail "no warning of usage: $(cat "$folder/err")"
expect 'usage of a batch' 207 '{"successes":[{"id":"u","status":201}],"errors":[]}' $auth -H "$json" \
    -d "$(batch "$(event u span-create '"id":"uu","traceId":"tu","usageDetails":{"input":-1}')")" "$ingestion"
[ "$(grep -c 'usage has a value' "$folder/err")" = 2 ] || fail "no warning of usage in a batch: $(cat "$folder/err")"
expect 'delete the trace with usage' 200 '{"message":"Trace deleted successfully"}' $auth -X DELETE "$url/api/public/traces/tu"

# Counts and costs: a side is the sum of all keys that name it.
attribute() { printf '{"key":"langfuse.observation.%s","value":{"stringValue":"%s"}}' "$1" "$2"; }
counted=$(attribute usage_details '{\"input\":7,\"input_cached_tokens\":3,\"output\":2}'),$(attribute cost_details '{\"input\":0.25,\"input_cached_tokens\":0.5,\"total\":0.75}')
expect 'an export with counts' 200 '{"id":"*' $auth -H "$json" -d "$(spans "$(span tc sc n 0 ",\"attributes\":[$counted]")")" "$traces"
curl -s $auth "$url/api/public/v2/observations?traceId=tc&fields=usage" >"$folder/counted"
for part in '"inputUsage":10,"outputUsage":2,"totalUsage":12,' '"inputCost":0.75,"outputCost":null,"totalCost":0.75'; do
    grep -qF "$part" "$folder/counted" || fail "v2/observations lacks $part: $(cat "$folder/counted")"
done
curl -s $auth "$url/api/public/observations/sc" >"$folder/counted"
for part in '"promptTokens":10,"completionTokens":2,"totalTokens":12' '"usage":{"unit":"TOKENS","input":10,"output":2,"total":12}' \
    '"calculatedInputCost":0.75,"calculatedOutputCost":null,"calculatedTotalCost":0.75'; do
    grep -qF "$part" "$folder/counted" || fail "observations lacks $part: $(cat "$folder/counted")"
done
priced=$(attribute usage_details '{\"input\":10,\"output\":5}'),$(attribute model.name gpt-4o)
expect 'an export with a model' 200 '{"id":"*' $auth -H "$json" -d "$(spans "$(span tc sp n 0 ",\"attributes\":[$priced]")")" "$traces"
curl -s $auth "$url/api/public/v2/observations?traceId=tc&name=n&fields=usage,model" >"$folder/priced"
for part in '"model":"gpt-4o","internalModelId":"gpt-4o"' '"costDetails":{"input":0.000025,"output":0.00005,"total":0.000075},"inputCost":0.000025,"outputCost":0.00005,"totalCost":0.000075' \
    '"usagePricingTierId":"gpt-4o/Standard","usagePricingTierName":"Standard"' '"modelId":"gpt-4o","inputPrice":"0.0000025","outputPrice":"0.00001","totalPrice":null' \
    '"usagePricingTierId":null,"usagePricingTierName":null' '"modelId":null,"inputPrice":null,"outputPrice":null,"totalPrice":null'; do
    grep -qF "$part" "$folder/priced" || fail "v2/observations lacks $part: $(cat "$folder/priced")"
done
curl -s $auth "$url/api/public/v2/observations?traceId=tc&fields=usage" | grep -q '"modelId":"' && fail 'prices without the group model'
curl -s $auth "$url/api/public/observations/sp" >"$folder/priced"
for part in '"usagePricingTierName":"Standard","inputPrice":0.0000025,"outputPrice":0.00001,"totalPrice":0' '"calculatedTotalCost":0.000075' '"modelId":"gpt-4o"'; do
    grep -qF "$part" "$folder/priced" || fail "observations lacks $part: $(cat "$folder/priced")"
done
curl -s $auth "$url/api/public/traces/tc" | grep -qF '"totalCost":0.750075}' || fail 'a trace without its cost'
expect 'a batch with a model' 207 '{"successes":[{"id":"*' $auth -H "$json" \
    -d "$(batch "$(event b generation-create '"id":"sb","traceId":"tc","model":"claude-sonnet-4-5","usage":{"input":100,"output":10}')")" "$ingestion"
curl -s $auth "$url/api/public/observations/sb" | grep -qF '"calculatedInputCost":0.0003,"calculatedOutputCost":0.00015,"calculatedTotalCost":0.00045' ||
    fail 'no cost of a batch'
expect 'delete the trace with counts' 200 '{"message":"Trace deleted successfully"}' $auth -X DELETE "$url/api/public/traces/tc"

# Traces, sessions and single observations.
expect 'trace' 200 '{"id":"T","projectId":"local","name":"one","timestamp":"2026-11-21T05:35:42.000Z","environment":"default","tags":["a","b"],"bookmarked":false,"release":null,"version":null,"userId":"U","sessionId":"S","public":true,"input":{"i":1},"output":null,"metadata":{"k":1},"createdAt":"*' \
    $auth "$url/api/public/traces/T"
curl -s $auth "$url/api/public/traces/T" >"$folder/trace"
for part in '"scores":[{"id":"Q","projectId":"local","environment":"default","name":"q","value":0.5,' '"observations":[{"id":"P","traceId":"T",' \
    '"latency":2,' '"htmlPath":"/project/local/traces/T","totalCost":0}'; do
    grep -qF "$part" "$folder/trace" || fail "trace lacks $part: $(cat "$folder/trace")"
done
expect 'traces by a filter' 200 '{"data":[{"id":"T",*"totalItems":1,"totalPages":1}}' $auth -G "$url/api/public/traces" -d fields=core -d userId=other \
    --data-urlencode 'filter=[{"type":"stringOptions","column":"userId","operator":"any of","value":["U"]},{"type":"arrayOptions","column":"tags","operator":"all of","value":["b","a"]}]'
expect 'old observations by a filter' 200 '{"data":[{"id":"P",*"totalItems":1,"totalPages":1}}' $auth -G "$url/api/public/observations" -d traceId=T \
    --data-urlencode 'filter=[{"type":"number","column":"latency","operator":"=","value":2}]'
expect 'sessions, a limit twice' 400 '{"message":"Invalid request data","error":[{"expected":"number","code":"invalid_type","received":"NaN","path":["limit"],*' \
    $auth "$url/api/public/sessions?limit=1&limit=2"
expect 'traces, a user twice' 400 '{"message":"Invalid request data","error":[{"expected":"string","code":"invalid_type","path":["userId"],"message":"Invalid input: expected string, received array"}]}' \
    $auth "$url/api/public/traces?userId=U&userId=V"
expect 'traces in an order' 200 '{"data":[{"id":"T",*' $auth "$url/api/public/traces?fields=core&orderBy=sessionId.desc"
expect 'an unknown order' 400 '{"message":"Invalid order by column: latency","error":"InvalidRequestError"}' $auth "$url/api/public/traces?orderBy=latency.desc"
expect 'an order without a way' 400 '{"message":"Invalid request data","error":[{"code":"invalid_value","values":["ASC","DESC"],"path":["orderBy","order"],"message":"Invalid option: expected one of \"ASC\"|\"DESC\""}]}' $auth "$url/api/public/traces?orderBy=name"
expect 'no trace' 404 '{"message":"Trace none not found within authorized project","error":"LangfuseNotFoundError"}' $auth "$url/api/public/traces/none"
expect 'traces of a user' 200 '{"data":[{"id":"T",*' $auth "$url/api/public/traces?userId=U&tags=a&tags=b&name=one&fields=core"
expect 'traces of nobody' 200 '{"data":[],"meta":{"page":1,"limit":50,"totalItems":0,"totalPages":0}}' $auth "$url/api/public/traces?userId=U&tags=c"
expect 'too many tags' 400 '{"message":"Invalid request data","error":[{"code":"custom","path":["tags"],"message":"langfuse-local takes 20 tags at most."}]}' \
    $auth "$url/api/public/traces?tags=$(seq -s , 21)"
expect 'too many tags of scores' 400 '{"message":"Invalid request data","error":[{"code":"custom","path":["traceTags"],*' $auth "$url/api/public/v2/scores?traceTags=$(seq -s , 21)"
expect 'as many tags' 200 '{"data":[],*' $auth "$url/api/public/traces?tags=$(seq -s , 20)"
expect 'a batch that is not UTF-8' 207 '{"successes":[{"id":"o8","status":201}],"errors":[]}' \
    $auth -H "$json" -d "$(batch "$(event o8 trace-create "\"id\":\"bytes\",\"name\":\"$(printf '\377')\"")")" "$ingestion"
expect 'the repaired text' 200 '{"id":"bytes","projectId":"local","name":"�",*' $auth "$url/api/public/traces/bytes"
grep -q '^langfuse-local: warning: a request has text that is not UTF-8: it was repaired with U+FFFD$' "$folder/err" || fail "repairs are told: $(cat "$folder/err")"
expect 'delete the repaired trace' 200 '{"message":"Trace deleted successfully"}' $auth -X DELETE "$url/api/public/traces/bytes"
expect 'an odd tag' 207 '{"successes":[{"id":"o","status":201}],"errors":[]}' \
    $auth -H "$json" -d "$(batch "$(event o trace-create '"id":"odd","timestamp":"2030-01-01T00:00:00Z","tags":["q\"a","50%"]')")" "$ingestion"
expect 'traces of an odd tag' 200 '{"data":[{"id":"odd",*' $auth -G "$url/api/public/traces" --data-urlencode 'tags=q"a' --data-urlencode 'tags=50%'
expect 'traces of its end' 200 '{"data":[{"id":"T",*' $auth "$url/api/public/traces?tags=a"
expect 'no trace of its end' 200 '{"data":[],*' $auth "$url/api/public/traces?tags=a&fromTimestamp=2029-01-01T00:00:00Z"
expect 'delete the odd trace' 200 '{"message":"Trace deleted successfully"}' $auth -X DELETE "$url/api/public/traces/odd"
expect 'a page' 200 '{"data":[{"id":"t2",*' $auth "$url/api/public/traces?limit=1&page=3&fields=core"
curl -s $auth "$url/api/public/traces?limit=1&page=2&fields=core" | grep -qF '"meta":{"page":2,"limit":1,"totalItems":4,"totalPages":4}}' || fail 'meta of a page'
expect 'limit of traces' 400 '{"message":"Invalid request data","error":[{"origin":"number","code":"too_big","maximum":100,"inclusive":true,"path":["limit"],"message":"Too big: expected number to be <=100"}]}' \
    $auth "$url/api/public/traces?limit=101"
expect 'page 0' 400 '{"message":"Invalid request data","error":[{"origin":"number","code":"too_small","minimum":1,"inclusive":true,"path":["page"],"message":"Too small: expected number to be >=1"}]}' \
    $auth "$url/api/public/traces?page=0"
expect 'time of traces' 400 '{"message":"Invalid request data","error":[{"code":"invalid_format",*' $auth "$url/api/public/traces?fromTimestamp=today"
expect 'sessions' 200 '{"data":[{"id":"S","createdAt":"2026-11-21T05:35:42.000Z","projectId":"local","environment":"default"}],"meta":{"page":1,"limit":50,"totalItems":1,"totalPages":1}}' \
    $auth "$url/api/public/sessions"
expect 'session' 200 '{"id":"S","createdAt":"2026-11-21T05:35:42.000Z","projectId":"local","environment":"default","traces":[{"id":"T",*' $auth "$url/api/public/sessions/S"
expect 'no session' 404 '{"message":"Session not found within authorized project","error":"LangfuseNotFoundError"}' $auth "$url/api/public/sessions/none"
expect 'observation' 200 '{"id":"P","traceId":"T","startTime":"2026-11-21T05:35:42.000Z","endTime":"2026-11-21T05:35:44.000Z",*' $auth "$url/api/public/observations/P"
expect 'no observation' 404 '{"message":"Observation not found within authorized project","error":"LangfuseNotFoundError"}' $auth "$url/api/public/observations/none"
expect 'observations' 200 '{"data":[{"id":"a","traceId":"t1",*' $auth "$url/api/public/observations?traceId=t1&page=2&limit=1"

# Scores.
expect 'score' 200 '{"id":"B"}' -H 'Authorization: Bearer pk' -H "$json" -d '{"id":"B","name":"ok","value":1,"dataType":"BOOLEAN","traceId":"T"}' "$scores"
expect 'score of a session' 200 '{"id":"C"}' $auth -H "$json" -d '{"id":"C","name":"cat","value":"good","sessionId":"S"}' "$scores"
curl -s $auth -H "$json" -d '{"name":"run","value":2,"datasetRunId":"r"}' "$scores" |
    grep -qE '^\{"id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"\}$' || fail 'a score without id gets one'
expect 'score without name' 400 '{"message":"Invalid request data","error":[{"expected":"string","code":"invalid_type","path":["name"],"message":"Invalid input: expected string, received undefined"}]}' \
    $auth -H "$json" -d '{"value":1,"traceId":"T"}' "$scores"
expect 'an array of scores under 4.16' 400 '{"message":"Invalid request data","error":[{"expected":"object","code":"invalid_type","path":[],"message":"Invalid input: expected object, received array"},{"code":"invalid_type","expected":"object","path":[],"message":"Invalid input: expected object, received array"}]}' \
    $auth -H "$json" -d '[{"id":"x","traceId":"T","name":"n","value":1}]' "$scores"
expect 'score with a long id' 400 '{"message":"[\n  {\n    \"origin\": \"string\",\n    \"code\": \"too_big\",\n    \"maximum\": 800,*' $auth -H "$json" \
    -d '{"id":"'"$(printf '%0801d' 1)"'","traceId":"T","name":"n","value":1}' "$scores"
expect 'score, empty id' 200 '{"id":"*-*-*-*-*"}' $auth -H "$json" -d '{"id":"","traceId":"G","name":"n","value":1}' "$scores"

# Score configs.
configs=$url/api/public/score-configs
expect 'no configs' 200 '{"data":[],"meta":{"page":1,"limit":50,"totalItems":0,"totalPages":0}}' $auth "$configs"
config() { # the body; leaves the id in $config
    config=$(curl -s $auth -H "$json" -d "$1" "$configs" | sed -n 's/^{"id":"\([^"]*\)","name".*/\1/p')
    [ -n "$config" ] || fail "config $1"
}
config '{"name":"range","dataType":"NUMERIC","minValue":0,"maxValue":1}'
range=$config
config '{"name":"flag","dataType":"BOOLEAN","description":"d"}'
expect 'config' 200 '{"id":"'"$range"'","name":"range","isArchived":false,"description":null,"createdAt":"*","maxValue":1,"minValue":0,"dataType":"NUMERIC","categories":null}' \
    $auth "$configs/$range"
config '{"name":"kind","dataType":"CATEGORICAL","categories":[{"label":"good","value":2}]}'
expect 'a score of a category' 200 '{"id":"K"}' $auth -H "$json" -d '{"id":"K","traceId":"G","name":"n","value":"good","configId":"'"$config"'"}' "$scores"
expect 'its number' 200 '{"data":[{"id":"K",*"name":"kind","value":2,*"stringValue":"good","dataType":"CATEGORICAL"}]*' $auth "$url/api/public/v2/scores?scoreIds=K&fields=score"
config '{"name":"flag","dataType":"BOOLEAN"}'
expect 'configs' 200 '{"data":[{"id":"*"meta":{"page":2,"limit":1,"totalItems":4,"totalPages":4}}' $auth "$configs?limit=1&page=2"
expect 'no config' 404 '{"message":"Score config not found within authorized project","error":"LangfuseNotFoundError"}' $auth "$configs/none"
expect 'a bad config' 400 '{"message":"Invalid request data","error":[{"code":"invalid_union","errors":[],"note":"No matching discriminator","discriminator":"dataType","path":["dataType"],"message":"Invalid input"}]}' \
    $auth -H "$json" -d '{"name":"x"}' "$configs"
expect 'a score under its config' 200 '{"id":"F"}' $auth -H "$json" -d '{"id":"F","traceId":"G","name":"other","value":1,"configId":"'"$config"'"}' "$scores"
expect 'its name and type' 200 '{"data":[{"id":"F","projectId":"local","name":"flag",*"dataType":"BOOLEAN","value":true}],"meta":{"limit":50}}' $auth "$url/api/public/v3/scores?id=F"
expect 'deleting it' 202 '{"message":"Score deletion queued successfully"}' $auth -X DELETE "$scores/F"
for body in '"value":5,"configId":"'"$range"'"' '"value":1,"configId":"none"' '"value":"x","dataType":"CORRECTION","sessionId":"s","traceId":null'; do
    expect "score that is dropped: $body" 200 '{"id":"dropped"}' $auth -H "$json" -d '{"id":"dropped","traceId":"G","name":"range",'"$body}" "$scores"
done
expect 'events of scores that are dropped' 207 '{"successes":[{"id":"1","status":201},{"id":"2","status":201}],"errors":[]}' $auth -H "$json" \
    -d "$(batch "$(event 1 score-create '"id":"dropped","traceId":"G","name":"q","value":1,"source":"ANNOTATION"'),$(event 2 score-create '"id":"dropped","traceId":"G","name":"q","value":2,"configId":"'"$range"'"')")" "$ingestion"
expect 'scores that were dropped' 200 '{"data":[],"meta":{"limit":50}}' $auth "$url/api/public/v3/scores?id=dropped"
[ "$(grep -c 'a score does not fit its config' "$folder/err")" = 3 ] && grep -q 'a correction is of a session' "$folder/err" || fail "no warning of dropped scores: $(cat "$folder/err")"
expect 'archiving' 200 '{"id":"'"$range"'","name":"range","isArchived":true,*' $auth -H "$json" -X PATCH -d '{"isArchived":true}' "$configs/$range"
expect 'a change that does not fit' 400 '{"message":"Maximum value must be greater than Minimum value","error":"InvalidRequestError"}' \
    $auth -H "$json" -X PATCH -d '{"minValue":1}' "$configs/$range"
expect 'categories of numbers' 400 '{"message":"Invalid input: expected undefined, received array","error":"InvalidRequestError"}' \
    $auth -H "$json" -X PATCH -d '{"categories":[]}' "$configs/$range"
expect 'an empty change' 400 '{"message":"Invalid request data","error":[{"code":"custom","path":[],"message":"Request body cannot be empty. At least one field must be provided for update."}]}' \
    $auth -H "$json" -X PATCH -d '{}' "$configs/$range"
expect 'a correction' 200 '{"id":"O"}' $auth -H "$json" -d '{"id":"O","traceId":"G","name":"mine","value":"better","dataType":"CORRECTION"}' "$scores"
expect 'its name' 200 '{"data":[{"id":"O","projectId":"local","name":"output",*' $auth "$url/api/public/v3/scores?id=O"

expect 'score, NaN' 400 'Invalid JSON' $auth -H "$json" -d '{"name":"x","value":NaN,"traceId":"t"}' "$scores"
{ printf '{"comment":"'; head -c 1050000 /dev/zero | tr '\0' x; printf '"}'; } >"$folder/big"
expect 'score, too big' 413 'Body exceeded 1mb limit' $auth -H "$json" --data-binary "@$folder/big" "$scores"
expect 'score, no keys' 401 '{"message":"No authorization header"}' -H "$json" -d '{}' "$scores"
expect 'scores of a name' 200 '{"data":[{"id":"B","projectId":"local","environment":"default","name":"ok","value":1,"source":"API",*' $auth "$url/api/public/v2/scores?name=ok"
curl -s $auth "$url/api/public/v2/scores?name=ok" |
    grep -qF '"stringValue":"True","dataType":"BOOLEAN","trace":{"userId":"U","tags":["a","b"],"environment":"default","sessionId":"S"}}],"meta":{"page":1,"limit":50,"totalItems":1,"totalPages":1}}' ||
    fail 'a score with its trace'
expect 'scores of a user' 200 '{"data":[{"id":"B",*' $auth "$url/api/public/v2/scores?userId=U&dataType=BOOLEAN&limit=1"
expect 'scores by value' 200 '{"data":[{"id":"Q",*' $auth -G "$url/api/public/v2/scores" --data-urlencode 'operator=<' -d value=0.75
expect 'bad operator' 400 '{"message":"Invalid request data","error":[{"code":"invalid_value",*' $auth "$url/api/public/v2/scores?operator=like&value=1"
expect 'bad operator alone' 400 '{"message":"Invalid request data","error":[{"code":"invalid_value",*' $auth "$url/api/public/v2/scores?operator=like"
for value in x nan inf; do
    expect "value $value alone" 400 '{"message":"Invalid request data","error":[{"expected":"number",*' $auth "$url/api/public/v2/scores?value=$value"
done
expect 'an empty value is 0' 200 '{"data":[],"meta":*' $auth -G "$url/api/public/v2/scores" --data-urlencode 'operator=<' -d value=
expect 'scores are always selected' 400 '{"message":"Scores needs to be selected always.","error":"InvalidRequestError"}' \
    $auth "$url/api/public/v2/scores?fields=trace"
for condition in userId=U traceTags=a; do
    expect "$condition without traces" 400 '{"message":"Cannot filter by trace properties (userId, traceTags)*' \
        $auth "$url/api/public/v2/scores?fields=score&$condition"
done
expect 'score by id' 200 '{"id":"C","projectId":"local","environment":"default","name":"cat","value":0,"source":"API",*' $auth "$url/api/public/v2/scores/C"
expect 'no score' 404 '{"message":"Score not found","error":"LangfuseNotFoundError"}' $auth "$url/api/public/v2/scores/none"
v3=$url/api/public/v3/scores
expect 'v3' 200 '{"data":[{"id":"B","projectId":"local","name":"ok","source":"API",*' $auth "$v3?id=B,Q&limit=1"
next=$(curl -s $auth "$v3?id=B,Q&limit=1" | sed 's/.*"cursor":"\([^"]*\)".*/\1/')
curl -s $auth "$v3?id=B,Q&limit=1&cursor=$next&fields=core,details,subject" |
    grep -qF '"comment":"half","configId":null,"metadata":{},"subject":{"kind":"observation","id":"P","traceId":"T"},"dataType":"NUMERIC","value":0.5}],"meta":{"limit":1}}' ||
    fail 'the second page of v3 scores'
expect 'v3, true' 200 '{"data":[{"id":"B",*' $auth "$v3?dataType=boolean&value=true"
expect 'v3, none' 200 '{"data":[],"meta":{"limit":50}}' $auth "$v3?traceId=none"
expect 'v3, unknown parameter' 400 '{"message":"Invalid request data","error":[{"code":"unrecognized_keys","keys":["zzz"],"path":[],"message":"Unrecognized key: \"zzz\""}]}' $auth "$v3?zzz=1"
expect 'v3, unknown field' 400 '{"message":"Invalid request data","error":[{"code":"invalid_value","values":["core","details","subject","annotation"],"path":["fields",0],*' $auth "$v3?fields=bogus"
expect 'v3, limit' 400 '{"message":"Invalid request data","error":[{"origin":"number","code":"too_big","maximum":100,*' $auth "$v3?limit=500"
expect 'v3, value without type' 400 '{"message":"Invalid request data","error":[{"code":"custom","message":"value filter requires a single dataType from: NUMERIC, BOOLEAN, CATEGORICAL","path":[]}]}' $auth "$v3?value=1"
refused='{"message":"Invalid request data","error":[{"code":"custom","message":'
expect 'v3, value of a boolean' 400 "$refused"'"value filter with dataType=BOOLEAN requires each value to be \"true\" or \"false\" (got \"1\")","path":[]}]}' $auth "$v3?dataType=BOOLEAN&value=true,1"
expect 'v3, value of a number' 400 "$refused"'"value filter with dataType=NUMERIC requires each value to be a finite number (got \"x\")","path":[]}]}' $auth "$v3?dataType=NUMERIC&value=x"
expect 'v3, value of a text' 400 "$refused"'"value filter requires dataType to be NUMERIC, BOOLEAN, or CATEGORICAL (got \"TEXT\")","path":[]}]}' $auth "$v3?dataType=text&value=x"
expect 'v3, one of several values' 200 '{"data":[{"id":"Q",*' $auth "$v3?dataType=NUMERIC&value=7,0.5"
expect 'v3, bounds without type' 400 "$refused"'"valueMin and valueMax require dataType=NUMERIC as a single value","path":[]}]}' $auth "$v3?valueMin=1"
expect 'v3, an empty bound' 200 '{"data":[*' $auth "$v3?valueMin=&fromTimestamp=&traceId="
expect 'v3, observation alone' 400 "$refused"'"observationId filter requires traceId — observation IDs are scoped to a trace","path":[]}]}' $auth "$v3?observationId=P"
expect 'v3, two targets' 400 "$refused"'"At most one of traceId, sessionId, experimentId may be specified","path":[]}]}' $auth "$v3?traceId=T&sessionId=S"
expect 'v3, data type' 400 "$refused"'"Invalid dataType value: \"FOO\". Allowed: NUMERIC, CATEGORICAL, BOOLEAN, CORRECTION, TEXT","path":["dataType"]}]}' $auth "$v3?dataType=foo"
expect 'v3, source' 400 "$refused"'"Invalid source value: \"X\". Allowed: API, EVAL, ANNOTATION","path":["source"]}]}' $auth "$v3?source=api,x"
expect 'v3, user' 400 "$refused"'"userId filter requires a trace JOIN and is not supported in v3 — use v2 or omit this filter","path":[]}]}' $auth "$v3?userId=U"
expect 'v3, time' 400 '{"message":"Invalid request data","error":[{"expected":"date","code":"invalid_type","received":"Invalid Date","path":["toTimestamp"],"message":"Invalid input: expected date, received Date"}]}' $auth "$v3?toTimestamp=zz"
expect 'v3, a name twice' 400 '{"message":"Invalid request data","error":[{"expected":"string","code":"invalid_type","path":["name"],"message":"Invalid input: expected string, received array"}]}' $auth "$v3?name=a&name=b"
expect 'v2, an empty limit' 200 '{"data":[*"meta":{"page":1,"limit":50,*' $auth "$url/api/public/v2/scores?limit=&page="
expect 'v2, a limit twice' 400 '{"message":"Invalid request data","error":[{"expected":"number","code":"invalid_type","received":"NaN","path":["limit"],*' $auth "$url/api/public/v2/scores?limit=1&limit=2"
expect 'v2, a filter' 200 '{"data":[{"id":"B",*"totalItems":1,"totalPages":1}}' $auth -G "$url/api/public/v2/scores" -d name=other -d fields=score \
    --data-urlencode 'filter=[{"type":"string","column":"name","operator":"=","value":"ok"},{"type":"string","column":"traceName","operator":"=","value":"one"}]'
expect 'v2, two environments' 200 '{"data":[*' $auth "$url/api/public/v2/scores?environment=a&environment=b"
expect 'v2, data type' 400 '{"message":"Invalid request data","error":[{"code":"invalid_value","values":["NUMERIC","CATEGORICAL","BOOLEAN","CORRECTION","TEXT"],"path":["dataType"],*' $auth "$url/api/public/v2/scores?dataType=foo"
expect 'v3, cursor' 400 '{"message":"Invalid cursor format","error":"InvalidRequestError"}' $auth "$v3?cursor=zz"
expect 'delete a score' 202 '{"message":"Score deletion queued successfully"}' $auth -X DELETE "$scores/C"
expect 'delete no score' 202 '{"message":"Score deletion queued successfully"}' $auth -X DELETE "$scores/none"
expect 'a deleted score' 404 '{"message":"Score not found"*' $auth "$url/api/public/v2/scores/C"
"$server" tree T --db "$folder/test.db" >"$folder/tree" || fail 'tree of a batch'
grep -q '^user U · session S · tags a, b · public$' "$folder/tree" && grep -q '   score  q 0.5  (half)$' "$folder/tree" && grep -q '^score  ok true$' "$folder/tree" ||
    fail "tree of a batch: $(cat "$folder/tree")"
expect 'delete a trace' 200 '{"message":"Trace deleted successfully"}' $auth -X DELETE "$url/api/public/traces/T"
expect 'a deleted trace' 404 '{"message":"Trace T not found*' $auth "$url/api/public/traces/T"

. "$(dirname "$0")/prompts.sh"

# Parallel clients on one database, with readers among them.
for i in 1 2 3 4 5 6 7 8; do
    (for j in 1 2 3 4 5 6 7 8 9 10; do
        spans "$(span "p$i" "s$j" n "$j"),$(span "p$i" "x$j" n "$j")" | curl -s $auth -H "$json" --data-binary @- "$traces" >"$folder/parallel.$i.$j"
        curl -s $auth "$observations?limit=20" >/dev/null
    done) &
    clients="${clients:-} $!"
done
for client in $clients; do wait "$client"; done
[ "$(cat "$folder"/parallel.* | grep -o '{"id":"[0-9]*"}' | sort -u | wc -l)" = 80 ] || fail 'parallel answers'
expect 'parallel count' 200 '{"observations":164,"traces":11}' $auth "$count"

# The port is taken; death and return; a clean end.
code=0
"$server" serve --port "$port" --db "$folder/other.db" 2>"$folder/taken" || code=$?
[ "$code" = 1 ] && grep -q 'already in use' "$folder/taken" || fail "port in use: $code $(cat "$folder/taken")"
stop KILL
start
expect 'after a kill' 200 '{"observations":164,"traces":11}' $auth "$count"
expect 'a prompt after a kill' 200 '{"id":"*' $auth "$url/api/public/v2/prompts/talk?version=1"
expect 'versions after a kill' 200 '{"data":[{"name":"race","tags":[],"lastUpdatedAt":"*' $auth "$url/api/public/v2/prompts?name=race&version=40"
"$server" tree t1 --db "$folder/test.db" >"$folder/tree" || fail 'tree'
grep -q '└─ span second  500 ms' "$folder/tree" || fail "tree: $(cat "$folder/tree")"
[ "$("$server" traces --db "$folder/test.db" --all | wc -l)" = 11 ] || fail 'traces'
stop TERM
[ "$code" = 0 ] || fail "exit code $code after SIGTERM"

# Output that cannot be written.
for command in traces 'tree t1' --help; do
    code=0
    case $command in
    -*) "$server" $command >/dev/full 2>/dev/null || code=$? ;;
    *) "$server" $command --db "$folder/test.db" >/dev/full 2>"$folder/full" || code=$? ;;
    esac
    [ "$code" = 1 ] || fail "$command into a full device: exit code $code"
done
code=0
"$server" serve --port 0 --db "$folder/other.db" --port-file "$folder/missing/port" 2>"$folder/full" || code=$?
[ "$code" = 1 ] && grep -q 'cannot write the port file' "$folder/full" || fail "no place for the port file: $code $(cat "$folder/full")"

# No room on the disk, of which a limit on the size of files is a likeness: nothing of a request is kept, what was kept is there, and when
# there is room again, all goes on.
start --db "$folder/small.db"
expect 'a trace while there is room' 200 '{"id":"1"}' $auth -H "$json" -d "$(spans "$(span t s n 0)")" "$traces"
stop TERM
trap '' XFSZ
room=$(($(stat -c %s "$folder/small.db") / 512 + 600)) # in blocks of 512 bytes
(ulimit -f "$room"; exec "$server" serve --port "$port" --db "$folder/small.db" --port-file "$folder/port.small" --public-key pk --secret-key sk \
    >"$folder/out" 2>"$folder/err.small") &
pid=$!
trap - XFSZ
for _ in $(seq 200); do
    [ -s "$folder/port.small" ] && break
    sleep 0.05
done
head -c 900000 /dev/zero | tr '\0' x >"$folder/large"
large=$(spans "$(span t large n 1 ",\"attributes\":[{\"key\":\"langfuse.observation.input\",\"value\":{\"stringValue\":\"$(head -c 100000 "$folder/large")\"}}]")")
failed_here=0
for i in 1 2 3 4 5 6 7 8; do
    printf '%s' "$large" | sed "s/large/large$i/" >"$folder/big"
    status=$(curl -s -o "$folder/answer" -w '%{http_code}' $auth -H "$json" --data-binary "@$folder/big" "$traces")
    [ "$status" = 200 ] || failed_here=$((failed_here + 1))
done
[ "$failed_here" -gt 0 ] && [ "$status" = 500 ] || fail "a full disk: $failed_here requests refused, the last with $status"
expect 'the answer of a full disk' 500 '{"message":"Internal Server Error","error":"InternalServerError"}' $auth -H "$json" --data-binary "@$folder/big" "$traces"
{ printf '{"batch":[%s]}' "$(event f trace-create "\"id\":\"F\",\"input\":\"$(head -c 100000 "$folder/large")\"")"; } >"$folder/big"
expect 'a batch on a full disk' 500 '{"message":"Internal Server Error","errors":["the database refused the batch"]}' $auth -H "$json" --data-binary "@$folder/big" "$ingestion"
expect 'reading on a full disk' 200 "{\"observations\":$((9 - failed_here)),\"traces\":1}" $auth "$count"
grep -q '^langfuse-local: warning: POST /api/public/otel/v1/traces was answered 500: .*disk' "$folder/err.small" &&
    grep -q '^langfuse-local: warning: POST /api/public/ingestion was answered 500: .*disk' "$folder/err.small" ||
    fail "a full disk is told: $(cat "$folder/err.small")"
stop TERM
[ "$code" = 0 ] || fail "exit code $code with a full disk"
start --db "$folder/small.db"
expect 'a batch when there is room again' 207 '{"successes":[{"id":"f","status":201}],"errors":[]}' $auth -H "$json" --data-binary "@$folder/big" "$ingestion"
expect 'what was kept' 200 "{\"observations\":$((9 - failed_here)),\"traces\":2}" $auth "$count"
stop TERM

# Prices of a file, which win over those that are built in.
cat >"$folder/prices.json" <<'JSON'
[
  {"modelName": "tiny", "matchPattern": "(?i)^tiny-\\d+$", "prices": {"input": 1e-6, "output": 2e-6}},
  {"modelName": "mine", "matchPattern": "^gpt-4o$", "prices": {"input": 0.5}},
  {"modelName": "metered", "matchPattern": "^metered$", "pricingTiers": [
    {"name": "Standard", "isDefault": true, "priority": 0, "prices": {"input": 1}},
    {"name": "trial", "priority": 1, "conditions": [{"source": "metadata", "key": "plan", "operator": "in", "values": ["free"]}],
     "prices": {"input": 0.25}}]}
]
JSON
start --db "$folder/prices.db" --prices "$folder/prices.json"
generation() { event "$1" generation-create "\"id\":\"$1\",\"traceId\":\"tp\",\"model\":\"$2\",\"usage\":{\"input\":100,\"output\":10}"; }
expect 'a batch of three models' 207 '{"successes":[*' $auth -H "$json" \
    -d "$(batch "$(generation a Tiny-1),$(generation b gpt-4o),$(generation c gpt-4o-mini)")" "$url/api/public/ingestion"
for wanted in a:0.00012 b:50 c:0.000021; do
    id=${wanted%%:*} cost=${wanted#*:}
    curl -s $auth "$url/api/public/observations/$id" | grep -qF "\"calculatedTotalCost\":$cost," || fail "the cost of $id is not $cost"
done
metered=$(attribute model.name metered),$(attribute usage_details '{\"input\":2}'),$(attribute metadata.plan free)
expect 'an export with a plan' 200 '{"id":"*' $auth -H "$json" -d "$(spans "$(span tm sm n 0 ",\"attributes\":[$metered]")")" "$url/api/public/otel/v1/traces"
curl -s $auth "$url/api/public/observations/sm" | grep -qF '"usagePricingTierId":"metered/trial","usagePricingTierName":"trial",' || fail 'no tier by metadata'
stop TERM
"$server" tree --db "$folder/prices.db" --all | grep -qF ' $0.000120' || fail "a tree without costs: $("$server" tree --db "$folder/prices.db")"
printf '[\n{"modelName":"m"},\n]' >"$folder/prices.json"
for command in serve run; do
    code=0; "$server" $command --prices "$folder/prices.json" 2>"$folder/said" || code=$?
    [ "$code" = 2 ] && grep -qFx "langfuse-local: --prices $folder/prices.json: line 3 is not JSON" "$folder/said" ||
        fail "bad prices: $code, $(cat "$folder/said")"
done

# Usage.
code=0; "$server" tree --db "$folder/missing.db" 2>/dev/null || code=$?
[ "$code" = 1 ] || fail "tree without a database: $code"
for arguments in '' 'nonsense' 'serve --port 70000' 'serve --what' 'serve --write-mode legacy' 'serve --version-as 4.x' 'serve --prices /none' 'run --version-as 1.2.3.4 true' 'tree a b' 'tree --color blue' 'traces x'; do
    code=0; "$server" $arguments 2>/dev/null || code=$?
    [ "$code" = 2 ] || fail "usage '$arguments': $code"
done
"$server" --help | grep -q serve || fail help
"$server" --version | grep -q '^langfuse-local ' || fail version

echo "http: $((checks > failed ? checks - failed : 0)) passed, $failed failed"
[ "$failed" -eq 0 ]
