# Prompts over HTTP. Part of http.sh, which starts the server and defines `expect`, `fail` and what is used here.
# shellcheck shell=sh disable=SC2154,SC2086

prompts=$url/api/public/v2/prompts

# As `expect`, with the body whole, each id written as ID and each time as T.
same() {
    what=$1 status=$2 body=$3
    shift 3
    checks=$((checks + 1))
    answer=$(curl -s -w '\n%{http_code}' "$@") || answer="curl failed
000"
    got_body=$(printf '%s' "${answer%
*}" | sed -E 's/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/ID/g
                  s/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z/T/g')
    got_status=${answer##*
}
    if [ "$got_status" != "$status" ]; then
        fail "$what: status $got_status, not $status: $got_body"
    elif [ "$got_body" != "$body" ]; then
        fail "$what: $got_body, not $body"
    fi
}
create() { # what, status, body of the answer, body of the request
    same "$1" "$2" "$3" $auth -H "$json" -d "$4" "$prompts"
}
read_prompt() { # what, status, body of the answer, the path behind the name of the route
    same "$1" "$2" "$3" $auth "$prompts$4"
}
patch() { # what, status, body of the answer, path, body of the request
    same "$1" "$2" "$3" $auth -X PATCH -H "$json" -d "$5" "$prompts$4"
}
stored() { # prompt, name, version, type, isActive, config, tags, labels, commit message: all as JSON
    printf '{"id":"ID","createdAt":"T","updatedAt":"T","projectId":"local","createdBy":"API","prompt":%s,"name":"%s","version":%s,"type":"%s","isActive":%s,"config":%s,"tags":%s,"labels":%s,"commitMessage":%s' "$@"
}
bad() { # issues
    printf '{"message":"Invalid request data","error":[%s]}' "$1"
}
missing() { # the end of the message
    printf '{"message":"Prompt not found%s","error":"LangfuseNotFoundError"}' "$1"
}
invalid() { # message
    printf '{"message":"%s","error":"InvalidRequestError"}' "$1"
}
read_end=',"resolutionGraph":null}'
type_chat='{"code":"invalid_value","values":["chat"],"path":["type"],"message":"Invalid input: expected \"chat\""}'
type_text='{"code":"invalid_value","values":["text"],"path":["type"],"message":"Invalid input: expected \"text\""}'

wrong_type() { # path inside the brackets, expected, received
    printf '{"expected":"%s","code":"invalid_type","path":[%s],"message":"Invalid input: expected %s, received %s"}' "$2" "$1" "$2" "$3"
}
neither() { # what is wrong with it as a text prompt, as a chat prompt
    bad '{"code":"invalid_union","errors":[['"$1"'],['"$2"']],"path":[],"message":"Invalid input"}'
}

# Keys, as these routes word it.
same 'prompt, no keys' 401 '{"message":"No authorization header","error":"UnauthorizedError"}' "$prompts/weather"
same 'prompt, bad secret' 401 "{\"message\":\"Invalid credentials. Confirm that you've configured the correct host.\",\"error\":\"UnauthorizedError\"}" -u pk:no "$prompts/weather"
same 'prompt, public key' 403 '{"message":"Access denied - need to use basic auth with secret key to GET prompts","error":"ForbiddenError"}' \
    -H 'Authorization: Bearer pk' "$prompts/weather"
same 'prompt, public key, POST' 403 '{"message":"Access denied - need to use basic auth with secret key to POST prompts","error":"ForbiddenError"}' \
    -H 'Authorization: Bearer pk' -H "$json" -d '{}' "$prompts"

# Creating: versions, labels, tags of all versions, the members of messages that are kept.
create 'first version' 201 "$(stored '"Weather in {{city}}?"' weather 1 text null '{"temperature":0.5,"stop":[]}' '["x"]' '["production","latest"]' '"first"')}" \
    '{"name":"weather","prompt":"Weather in {{city}}?","labels":["production"],"config":{"temperature":0.5,"stop":[]},"tags":["x","x"],"commitMessage":"first"}'
create 'second version' 201 "$(stored '"Rain in {{city}}?"' weather 2 text null '{}' '["x"]' '["staging","latest"]' null)}" \
    '{"name":"weather","type":"text","prompt":"Rain in {{city}}?","labels":["staging","latest"],"config":null,"tags":null}'
create 'third version' 201 "$(stored '""' weather 3 text null '{}' '["y","x"]' '["latest"]' null)}" '{"name":" weather ","prompt":"","tags":["y","x"]}'
read_prompt 'tags are those of the name' 200 "$(stored '"Weather in {{city}}?"' weather 1 text true '{"temperature":0.5,"stop":[]}' '["y","x"]' '["production"]' '"first"')$read_end" /weather
create 'chat' 201 "$(stored '[{"role":"system","content":"Be {{how}}"},{"name":"past","type":"placeholder"},{"role":"user","content":"x"}]' talk 1 chat null '{}' '[]' '["production","latest"]' null)}" \
    '{"name":"talk","type":"chat","labels":["production"],"prompt":[{"role":"system","content":"Be {{how}}"},{"type":"placeholder","name":"past","x":1},{"type":"chatmessage","role":"user","content":"x","name":"n","tool_calls":[{"id":"1"}]}]}'
create 'folder' 201 "$(stored '"in a folder"' 'a b/c/d' 1 text null '{}' '[]' '["production","latest"]' null)}" '{"name":"a b/c/d","prompt":"in a folder","labels":["production"]}'
create 'nobody asked for production' 201 "$(stored '"x"' draft 1 text null '{}' '[]' '["latest"]' null)}" '{"name":"draft","prompt":"x"}'

# Creating: refused.
expect 'prompt, no JSON' 400 'Invalid JSON' $auth -H "$json" -d '{' "$prompts"
create 'no text' 400 "$(neither "$(wrong_type '"prompt"' string undefined)" "$type_chat,$(wrong_type '"prompt"' array undefined)")" '{"name":"weather"}'
create 'chat of a text' 400 "$(neither "$type_text" "$(wrong_type '"prompt"' array string)")" '{"name":"t","type":"chat","prompt":"x"}'
create 'no object' 400 "$(neither "$(wrong_type '' object array)" "$(wrong_type '' object array)")" '[]'
create 'pipe' 400 "$(bad '{"origin":"string","code":"invalid_format","format":"regex","pattern":"/^[^|]*$/","path":["name"],"message":"Prompt name cannot contain '"'|'"' character"}')" \
    '{"name":"a|b","prompt":"x"}'
create 'label' 400 "$(bad '{"origin":"string","code":"invalid_format","format":"regex","pattern":"/^[a-z0-9_\\-.]+$/","path":["labels",1],"message":"Label must be lowercase alphanumeric with optional underscores, hyphens, or periods"}')" \
    '{"name":"a","prompt":"x","labels":["ok","Not ok"]}'
create 'placeholder' 400 "$(bad '{"origin":"string","code":"invalid_format","format":"regex","pattern":"/^[a-zA-Z][a-zA-Z0-9_]*$/","path":["prompt",0,"name"],"message":"Placeholder name must start with a letter and contain only alphanumeric characters and underscores"}')" \
    '{"name":"a","type":"chat","prompt":[{"type":"placeholder","name":"2 no"}]}'
create 'empty name' 400 "$(bad '{"origin":"string","code":"too_small","minimum":1,"inclusive":true,"path":["name"],"message":"Text cannot be empty"},{"origin":"string","code":"invalid_format","format":"regex","pattern":"/^[^/]/","path":["name"],"message":"Name cannot start with a slash"},{"origin":"string","code":"invalid_format","format":"regex","pattern":"/^.*[^/]$/","path":["name"],"message":"Name cannot end with a slash"}')" \
    '{"name":"","prompt":"x"}'
create 'other type' 400 "$(invalid 'Previous versions have different prompt type. Create a new prompt with a different name.')" \
    '{"name":"weather","type":"chat","prompt":[{"role":"user","content":"x"}]}'
create 'variable and placeholder' 400 "$(invalid 'Cannot create prompt, variables and placeholders must be unique, the following are not: past')" \
    '{"name":"a","type":"chat","prompt":[{"role":"user","content":"{{ past }}"},{"type":"placeholder","name":"past"}]}'
create 'no such reference' 400 "$(invalid 'Prompt dependency not found: none - label production')" \
    '{"name":"a","prompt":"@@@langfusePrompt:name=none|label=production@@@"}'
read_prompt 'nothing of the refused' 404 "$(missing ": 'a' with label 'latest'")" '/a?label=latest'
{ printf '{"name":"big","prompt":"'; head -c 1050000 /dev/zero | tr '\0' x; printf '"}'; } >"$folder/big"
expect 'prompt, too big' 413 'Body exceeded 1mb limit' $auth -H "$json" --data-binary "@$folder/big" "$prompts"

# Reading one.
read_prompt 'chat of a version' 200 "$(stored '[{"role":"system","content":"Be {{how}}"},{"name":"past","type":"placeholder"},{"role":"user","content":"x"}]' talk 1 chat true '{}' '[]' '["production","latest"]' null)$read_end" '/talk?version=1'
read_prompt 'latest' 200 "$(stored '""' weather 3 text false '{}' '["y","x"]' '["latest"]' null)$read_end" '/weather?label=latest'
read_prompt 'version' 200 "$(stored '"Rain in {{city}}?"' weather 2 text false '{}' '["y","x"]' '["staging"]' null)$read_end" '/weather?version=2'
curl -s $auth "$prompts/weather" >"$folder/production"
for ask in 'version=0' 'version=' 'version=0&label=production' 'label=production' 'resolve=true' 'unknown=1'; do
    expect "weather?$ask" 200 "$(cat "$folder/production")" $auth "$prompts/weather?$ask"
done
expect 'the older route' 200 "$(cat "$folder/production")" $auth "$url/api/public/prompts?name=weather"
read_prompt 'both' 400 "$(invalid 'Cannot specify both version and label')" '/weather?version=1&label=production'
read_prompt 'version in words' 400 "$(bad '{"expected":"number","code":"invalid_type","received":"NaN","path":["version"],"message":"Invalid input: expected number, received NaN"}')" '/weather?version=abc'
read_prompt 'no whole version' 400 "$(bad '{"expected":"int","format":"safeint","code":"invalid_type","path":["version"],"message":"Invalid input: expected int, received number"}')" '/weather?version=1.5'
read_prompt 'version below 0' 404 "$(missing ": 'weather' with version -1")" '/weather?version=-1'
read_prompt 'resolve in words' 400 "$(bad '{"code":"invalid_value","values":["true","false"],"path":["resolve"],"message":"Invalid option: expected one of \"true\"|\"false\""}')" '/weather?resolve=no'
read_prompt 'no prompt' 404 "$(missing ": 'none' with label 'production'")" /none
read_prompt 'no version' 404 "$(missing ": 'weather' with version 99")" '/weather?version=99'
read_prompt 'an empty label' 404 "$(missing ": 'weather' with label ''")" '/weather?label='
read_prompt 'a version twice' 400 '{"message":"Invalid request data","error":[{"expected":"number","code":"invalid_type","received":"NaN","path":["version"],"message":"Invalid input: expected number, received NaN"}]}' \
    '/weather?version=1&version=2'
for text in '\u0000' '\ud83d' 'x\ude00' '\ud83dx\ude00' '\\\u0000'; do
    create "a text that no database has: $text" 500 '{"message":"Internal Server Error","error":"An unknown error occurred"}' '{"name":"odd","prompt":"'"$text"'"}'
done
expect 'a pair of surrogates' 201 '{"id":"*' $auth "$prompts" -H "$json" -d '{"name":"pair","prompt":"\ud83d\ude00 \\u0000"}'
expect 'a name of two lines' 400 '{"message":"Invalid request data","error":[*"message":"Name cannot end with a slash"}*' $auth "$prompts" -H "$json" -d '{"name":"a\nb","prompt":"x"}'
expect 'the pair goes' 204 '' $auth -X DELETE "$prompts/pair"
expect 'version x' 500 '{"message":"Internal Server Error","error":"An unknown error occurred"}' $auth -X PATCH -H "$json" -d '{"newLabels":[]}' "$prompts/weather/versions/x"
read_prompt 'no label' 404 "$(missing ": 'weather' with label 'none'")" '/weather?label=none'
read_prompt 'no production' 404 "$(missing ": 'draft' with label 'production'")" /draft
read_prompt 'encoded folder' 200 "$(stored '"in a folder"' 'a b/c/d' 1 text true '{}' '[]' '["production","latest"]' null)$read_end" '/a%20b%2Fc%2fd'
read_prompt 'a slash is another route' 404 '{"message":"Not found","error":"LangfuseNotFoundError"}' '/a%20b/c/d'
read_prompt 'a version has no GET' 405 '{"message":"Method not allowed","error":"MethodNotAllowedError"}' '/weather/versions/1'
expect 'bad escape' 400 'Bad Request' $auth "$prompts/a%2"
expect 'a name is no POST' 405 '{"message":"Method not allowed","error":"MethodNotAllowedError"}' $auth -H "$json" -d '{}' "$prompts/weather"

# Labels: one version has each.
patch 'promotion' 200 "$(stored '"Rain in {{city}}?"' weather 2 text null '{}' '["y","x"]' '["production","qa","staging"]' null)}" /weather/versions/2 '{"newLabels":["production","qa","qa"]}'
read_prompt 'promoted' 200 "$(stored '"Rain in {{city}}?"' weather 2 text true '{}' '["y","x"]' '["production","qa","staging"]' null)$read_end" /weather
read_prompt 'the old one' 200 "$(stored '"Weather in {{city}}?"' weather 1 text false '{"temperature":0.5,"stop":[]}' '["y","x"]' '[]' '"first"')$read_end" '/weather?version=1'
patch 'no new labels' 200 "$(stored '"Rain in {{city}}?"' weather 2 text null '{}' '["y","x"]' '["production","qa","staging"]' null)}" /weather/versions/2 '{"newLabels":[]}'
patch 'roll back' 200 "$(stored '"Weather in {{city}}?"' weather 1 text null '{"temperature":0.5,"stop":[]}' '["y","x"]' '["production"]' '"first"')}" /weather/versions/1 '{"newLabels":["production"]}'
patch 'in a folder' 200 "$(stored '"in a folder"' 'a b/c/d' 1 text null '{}' '[]' '["qa","production","latest"]' null)}" /a%20b%2Fc%2Fd/versions/1 '{"newLabels":["qa"]}'
patch 'latest is not given' 400 "$(bad '{"code":"custom","path":["newLabels"],"message":"Label '"'latest'"' is always assigned to the latest prompt version"}')" /weather/versions/2 '{"newLabels":["latest"]}'
patch 'no labels' 400 "$(bad "$(wrong_type '"newLabels"' array undefined)")" /weather/versions/2 '{}'
patch 'a label is a string' 400 "$(bad "$(wrong_type '"newLabels",0' string number)")" /weather/versions/2 '{"newLabels":[1,"latest"]}'
patch 'labels of no version' 404 "{\"message\":\"Prompt 'weather' version 99 not found in project\",\"error\":\"LangfuseNotFoundError\"}" /weather/versions/99 '{"newLabels":["x"]}'
patch 'labels of a name' 405 '{"message":"Method not allowed","error":"MethodNotAllowedError"}' /weather '{"newLabels":["x"]}'

# References.
create 'a reference' 201 "$(stored '"A @@@langfusePrompt:name=weather|label=production@@@ B"' outer 1 text null '{}' '[]' '["production","latest"]' null)}" \
    '{"name":"outer","prompt":"A @@@langfusePrompt:name=weather|label=production@@@ B","labels":["production"]}'
read_prompt 'resolved' 200 "$(stored '"A Weather in {{city}}? B"' outer 1 text true '{}' '[]' '["production","latest"]' null),\"resolutionGraph\":{\"root\":{\"name\":\"outer\",\"version\":1,\"id\":\"ID\"},\"dependencies\":{\"ID\":[{\"id\":\"ID\",\"name\":\"weather\",\"version\":1}]}}}" /outer
read_prompt 'not resolved' 200 "$(stored '"A @@@langfusePrompt:name=weather|label=production@@@ B"' outer 1 text true '{}' '[]' '["production","latest"]' null)$read_end" '/outer?resolve=false'
depends='Other prompts are depending on prompt versions you are trying to delete:\n\nouter v1 depends on weather production\n\nPlease delete the dependent prompts first.'
same 'delete what others need' 400 "$(invalid "$(printf '%s' "$depends")")" $auth -X DELETE "$prompts/weather"
same 'delete the version they need' 400 "$(invalid "$(printf '%s' "$depends")")" $auth -X DELETE "$prompts/weather?version=1"

# Lists.
page() { # page, limit, names in all, pages
    printf '"meta":{"page":%s,"limit":%s,"totalPages":%s,"totalItems":%s},"pagination":{"page":%s,"limit":%s,"totalPages":%s,"totalItems":%s}}' "$1" "$2" "$4" "$3" "$1" "$2" "$4" "$3"
}
listed() { # name, tags, versions, labels, type, config
    printf '{"name":"%s","tags":%s,"lastUpdatedAt":"T","versions":%s,"labels":%s,"type":"%s","lastConfig":%s}' "$@"
}
weather=$(listed weather '["y","x"]' '[1,2,3]' '["latest","production","qa","staging"]' text '{}')
a_folder=$(listed 'a b/c/d' '[]' '[1]' '["latest","production","qa"]' text '{}')
talk=$(listed talk '[]' '[1]' '["latest","production"]' chat '{}')
read_prompt 'list of a name' 200 "{\"data\":[$weather],$(page 1 10 1 1)" '?name=weather'
read_prompt 'list of a label' 200 "{\"data\":[$a_folder,$(listed weather '["y","x"]' '[2]' '["production","qa","staging"]' text '{}' | sed 's/"production",//')],$(page 1 10 2 1)" '?label=qa'
read_prompt 'list of a tag' 200 "{\"data\":[$weather],$(page 1 10 1 1)" '?tag=y'
read_prompt 'list of a version' 200 "{\"data\":[$(listed weather '["y","x"]' '[2]' '["qa","staging"]' text '{}')],$(page 1 10 1 1)" '?version=2'
read_prompt 'second page' 200 "{\"data\":[$talk,$weather],$(page 2 3 5 2)" '?page=2&limit=3'
read_prompt 'behind the last page' 200 "{\"data\":[],$(page 9 10 5 1)" '?page=9'
read_prompt 'updated since' 200 "{\"data\":[],$(page 1 10 0 0)" '?fromUpdatedAt=2200-01-01T00:00:00Z'
read_prompt 'updated before' 200 "{\"data\":[],$(page 1 10 0 0)" '?toUpdatedAt=2020-01-01T00:00:00%2B01:00'
read_prompt 'updated between' 200 "{\"data\":[$talk],$(page 1 10 1 1)" '?name=talk&fromUpdatedAt=2020-01-01T00:00:00Z&toUpdatedAt=2200-01-01T00:00:00Z'
read_prompt 'limit of prompts' 400 "$(bad '{"origin":"number","code":"too_big","maximum":100,"inclusive":true,"path":["limit"],"message":"Too big: expected number to be <=100"}')" '?limit=500'
read_prompt 'page 0 of prompts' 400 "$(bad '{"origin":"number","code":"too_small","minimum":1,"inclusive":true,"path":["page"],"message":"Too small: expected number to be >=1"}')" '?page=0'
expect 'time of prompts' 400 '{"message":"Invalid request data","error":[{"code":"invalid_format",*' $auth "$prompts?fromUpdatedAt=today"

# Deleting.
same 'delete a version' 204 '' $auth -X DELETE "$prompts/weather?version=3"
read_prompt 'the newest that is left is latest' 200 "$(stored '"Rain in {{city}}?"' weather 2 text false '{}' '["y","x"]' '["qa","staging","latest"]' null)$read_end" '/weather?label=latest'
same 'delete a label' 204 '' $auth -X DELETE "$prompts/weather?label=qa"
same 'delete both' 400 "$(invalid 'Cannot specify both version and label')" $auth -X DELETE "$prompts/weather?version=1&label=qa"
same 'delete no version' 404 "$(missing '')" $auth -X DELETE "$prompts/weather?version=9"
same 'delete' 204 '' $auth -X DELETE "$prompts/outer"
same 'delete what was needed' 204 '' $auth -X DELETE "$prompts/weather"
same 'delete again' 404 "$(missing '')" $auth -X DELETE "$prompts/weather"
same 'delete in a folder' 204 '' $auth -X DELETE "$prompts/a%20b%2Fc%2Fd"
curl -s -i $auth -X DELETE "$prompts/draft" | grep -qi '^content-type' && fail 'an answer without a body has no type'

# Clients that create at the same time, by two servers on one database, get versions of their own, and one of them is the latest.
"$server" serve --port 0 --db "$folder/test.db" --port-file "$folder/port2" --public-key pk --secret-key sk >/dev/null 2>>"$folder/err" &
second=$!
for _ in $(seq 200); do
    [ -s "$folder/port2" ] && break
    sleep 0.05
done
clients=
for i in 1 2 3 4; do
    case $i in [12]) to=$prompts ;; *) to=http://127.0.0.1:$(cat "$folder/port2")/api/public/v2/prompts ;; esac
    (for j in 1 2 3 4 5 6 7 8 9 10; do
        curl -s $auth -H "$json" -d "{\"name\":\"race\",\"prompt\":\"$i $j\",\"labels\":[\"production\"]}" "$to" >"$folder/race.$i.$j"
    done) &
    clients="$clients $!"
done
for client in $clients; do wait "$client"; done
kill "$second"
wait "$second" || fail "the second server ended with $?"
clients=
[ "$(cat "$folder"/race.* | grep -o '"version":[0-9]*' | sort -u | wc -l)" = 40 ] || fail "versions: $(cat "$folder"/race.*)"
read_prompt 'a race' 200 "{\"data\":[$(listed race '[]' '[40]' '["latest","production"]' text '{}')],$(page 1 10 1 1)" '?name=race&label=latest'
read_prompt 'a race, production' 200 "{\"data\":[$(listed race '[]' '[40]' '["latest","production"]' text '{}')],$(page 1 10 1 1)" '?name=race&label=production'

# A generation is linked to the prompt of its name and version; what is not there is named all the same.
link() { # id, version
    span tl "$1" n 0 ",\"attributes\":[{\"key\":\"langfuse.observation.type\",\"value\":{\"stringValue\":\"generation\"}},{\"key\":\"langfuse.observation.prompt.name\",\"value\":{\"stringValue\":\"talk\"}},{\"key\":\"langfuse.observation.prompt.version\",\"value\":{\"intValue\":\"$2\"}}]"
}
expect 'linked generations' 200 '{"id":"*' $auth -H "$json" -d "$(spans "$(link l1 1),$(link l2 77)")" "$traces"
talk=$(curl -s $auth "$url/api/public/v2/prompts/talk?version=1" | sed 's/^{"id":"\([^"]*\)".*/\1/')
expect 'a link' 200 "{\"data\":[{\"id\":\"l2\",*" $auth "$observations?traceId=tl&fields=core,prompt"
curl -s $auth "$observations?traceId=tl&fields=core,prompt" >"$folder/links"
grep -qF "\"promptId\":\"$talk\",\"promptName\":\"talk\",\"promptVersion\":1" "$folder/links" || fail "no link: $(cat "$folder/links")"
grep -qF '"promptId":"","promptName":"talk","promptVersion":77' "$folder/links" || fail "a link to nothing: $(cat "$folder/links")"
curl -s $auth "$url/api/public/observations/l1" | grep -qF "\"promptId\":\"$talk\",\"promptName\":\"talk\"" || fail 'no link in an old observation'
curl -s $auth "$url/api/public/observations/l2" | grep -qF '"promptId":null,"promptName":"talk"' || fail 'an old link to nothing'
expect 'delete the links' 200 '{"message":"Trace deleted successfully"}' $auth -X DELETE "$url/api/public/traces/tl"
