#include "api.h"

#include "../base/json.h"

#include <string.h>

enum {
    API_PATH_MAX = 2048, /* bytes of a path that are looked at: its last ones, which tell the API */
    API_NAME_MAX = 512   /* bytes of a model's name in a URL */
};

/* ---- Parts of a URL --------------------------------------------------------------------------------------------- */

typedef struct api_url {
    lf__text scheme; /* with the slashes behind it */
    lf__text host;   /* and port */
    lf__text path;
    lf__text query;
} api_url;

static bool api_is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The length of what lies before the first of these characters. */
static size_t api_span_to(lf__text text, const char *stops)
{
    size_t size = 0;
    while (size < text.size && !lf__is_one_of(text.at[size], stops))
        size++;
    return size;
}

/* Take off "https://", with any number of slashes, as libcurl does. */
static lf__text api_take_scheme(lf__text *url)
{
    size_t size = 0;
    while (size < url->size && (api_is_letter_or_digit(url->at[size]) || lf__is_one_of(url->at[size], "+-.")))
        size++;
    lf__text scheme = {url->at, 0};
    if (size == 0 || size + 1 >= url->size || url->at[size] != ':' || url->at[size + 1] != '/')
        return scheme;
    for (size++; size < url->size && url->at[size] == '/';)
        size++;
    scheme.size = size;
    *url = lf__text_behind(*url, size);
    return scheme;
}

/* Without user and password, and without a port that is no number: it may be a part of a password. */
static lf__text api_host(lf__text authority)
{
    for (size_t i = authority.size; i > 0; i--)
        if (authority.at[i - 1] == '@') {
            authority = lf__text_behind(authority, i);
            break;
        }
    size_t size = authority.size;
    while (size > 0 && authority.at[size - 1] >= '0' && authority.at[size - 1] <= '9')
        size--;
    bool has_port = size > 0 && authority.at[size - 1] == ':';
    size_t colon = authority.size > 0 && authority.at[0] == '[' ? authority.size : api_span_to(authority, ":");
    if (!has_port && colon < authority.size)
        authority.size = colon;
    return authority;
}

static api_url api_split(lf__text url)
{
    if (url.size == 0)
        url = (lf__text)LF__TEXT("");
    api_url parts = {.scheme = api_take_scheme(&url)};
    url.size = api_span_to(url, "#");
    lf__text authority = {url.at, api_span_to(url, "/?")};
    parts.host = api_host(authority);
    url = lf__text_behind(url, authority.size);
    parts.path = (lf__text){url.at, api_span_to(url, "?")};
    if (parts.path.size < url.size)
        parts.query = lf__text_behind(url, parts.path.size + 1);
    return parts;
}

static bool api_ends(lf__text text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.at + text.size - size, end, size) == 0;
}

/* Where `part` begins for the last time; NULL: it does not stand there. */
static const char *api_find_last(lf__text text, const char *part)
{
    size_t size = strlen(part);
    for (size_t i = text.size; i >= size; i--)
        if (memcmp(text.at + i - size, part, size) == 0)
            return text.at + i - size;
    return NULL;
}

static bool api_has(lf__text text, const char *part)
{
    return api_find_last(text, part) != NULL;
}

/* Percent-decoded, without slashes at the end. */
static lf__text api_plain_path(char memory[API_PATH_MAX], lf__text path)
{
    if (path.size > API_PATH_MAX)
        path = lf__text_behind(path, path.size - API_PATH_MAX);
    lf__text plain = {memory, 0};
    for (const char *at = path.at, *end = path.at + path.size; path.size > 0 && at < end;)
        memory[plain.size++] = lf__percent_next(&at, end);
    while (plain.size > 0 && memory[plain.size - 1] == '/')
        plain.size--;
    return plain;
}

/* ---- Which API -------------------------------------------------------------------------------------------------- */

typedef enum api_trust {
    API_SURE,     /* the end of the path says it */
    API_ASK_BODY, /* the body must have one of the keys; without a body that can be read, the path before must be that of an API */
    API_ASK_MORE /* the body must have a value to one of the keys: without a prompt, a server only loads a model */
} api_trust;

typedef struct api_row {
    const char *end;
    lf__api api;
    api_trust trust;
    const char *keys[3];
    const char *also[3]; /* and one of these, where there are any */
} api_row;

/* The first row that fits counts. */
static const api_row api_rows[] = {
    {"/chat/completions", LF__API_CHAT, API_SURE, {0}, {0}},
    {"/fim/completions", LF__API_CHAT, API_SURE, {0}, {0}},
    {"/agents/completions", LF__API_CHAT, API_SURE, {0}, {0}},
    {"/completions", LF__API_COMPLETION, API_ASK_BODY, {"prompt"}, {0}},
    {"/completions", LF__API_CHAT, API_ASK_MORE, {"messages"}, {0}},
    {"/responses", LF__API_RESPONSES, API_ASK_BODY, {"input", "instructions", "prompt"}, {0}},
    {"/responses", LF__API_RESPONSES, API_ASK_MORE, {"previous_response_id", "conversation"}, {0}},
    {"/api/embed", LF__API_OLLAMA_EMBED, API_ASK_MORE, {"input"}, {"model"}},
    {"/api/embeddings", LF__API_OLLAMA_EMBED, API_ASK_MORE, {"prompt"}, {"model"}},
    {"/embeddings", LF__API_EMBEDDINGS, API_ASK_BODY, {"input"}, {0}},
    {"/embeddings", LF__API_LLAMA_EMBED, API_ASK_MORE, {"content"}, {0}},
    {"/embedding", LF__API_LLAMA_EMBED, API_ASK_MORE, {"content", "input"}, {0}},
    {"/images/generations", LF__API_IMAGES, API_SURE, {0}, {0}},
    {"/images/edits", LF__API_IMAGES, API_SURE, {0}, {0}},
    {"/images/variations", LF__API_IMAGES, API_SURE, {0}, {0}},
    {"/audio/transcriptions", LF__API_TRANSCRIPTION, API_SURE, {0}, {0}},
    {"/audio/translations", LF__API_TRANSCRIPTION, API_SURE, {0}, {0}},
    {"/audio/speech", LF__API_SPEECH, API_SURE, {0}, {0}},
    {"/messages", LF__API_ANTHROPIC, API_ASK_BODY, {"messages"}, {"max_tokens", "model"}},
    {"/complete", LF__API_ANTHROPIC_TEXT, API_ASK_BODY, {"prompt"}, {0}},
    {":generateContent", LF__API_GEMINI, API_SURE, {0}, {0}},
    {":streamGenerateContent", LF__API_GEMINI, API_SURE, {0}, {0}},
    {":embedContent", LF__API_GEMINI_EMBED, API_SURE, {0}, {0}},
    {":batchEmbedContents", LF__API_GEMINI_EMBED, API_SURE, {0}, {0}},
    {"/api/chat", LF__API_OLLAMA_CHAT, API_ASK_MORE, {"messages"}, {"model"}},
    {"/api/generate", LF__API_OLLAMA_GENERATE, API_ASK_MORE, {"prompt"}, {"model"}},
    {"/completion", LF__API_LLAMA, API_ASK_MORE, {"prompt"}, {0}},
    {"/infill", LF__API_LLAMA, API_ASK_MORE, {"input_prefix", "input_suffix", "prompt"}, {0}},
    {"/v2/chat", LF__API_OTHER, API_ASK_MORE, {"messages"}, {0}}, /* Cohere */
};

typedef enum api_found {
    API_ABSENT,
    API_EMPTY, /* null, "" or [] */
    API_GIVEN,
    API_UNREAD /* the body is cut, compressed or not there */
} api_found;

static bool api_is_empty_value(const lf__json_member *member)
{
    if (member->value_size < 2)
        return false;
    const char *value = member->value, *last = value + member->value_size - 1;
    bool closed = (*value == '"' && *last == '"') || (*value == '[' && *last == ']');
    bool hollow = closed && lf__text_trim((lf__text){value + 1, member->value_size - 2}, " \t\r\n").size == 0;
    return hollow || lf__text_equals((lf__text){value, member->value_size}, (lf__text)LF__TEXT("null"));
}

/* Is a body, whose members end at `at`, cut, compressed or not there? A form or a list can be read, and has no keys. */
static bool api_is_unread(lf__text body, size_t at)
{
    static const char blanks[] = " \t\r\n";
    lf__text text = lf__text_trim(body, blanks);
    if (text.size == 0 || text.at[0] < ' ' || text.at[0] > '~')
        return true;
    if (text.at[0] != '{')
        return false;
    lf__text rest = at > 0 ? lf__text_behind(body, at) : lf__text_behind(text, 1);
    return !lf__text_begins(lf__text_trim(rest, blanks), "}");
}

/* Does one of the keys stand in the body, which need not be JSON? */
static api_found api_look(lf__text body, const char *const keys[3])
{
    lf__json_member member;
    api_found found = API_ABSENT;
    size_t at = 0;
    while (lf__json_next_member(body.at, body.size, &at, &member))
        for (size_t i = 0; i < 3 && keys[i] != NULL; i++)
            if (lf__json_is(member.key, member.key_size, keys[i])) {
                if (!api_is_empty_value(&member))
                    return API_GIVEN;
                found = API_EMPTY;
            }
    return found == API_ABSENT && api_is_unread(body, at) ? API_UNREAD : found;
}

/* Does a path like "/v1" or "/openai" lead to the end that was found? */
static bool api_is_api_path(lf__text before)
{
    const char *slash = api_find_last(before, "/");
    if (slash == NULL)
        return false;
    lf__text last = lf__text_behind(before, (size_t)(slash - before.at) + 1);
    bool version = last.size >= 2 && last.at[0] == 'v' && last.at[1] >= '1' && last.at[1] <= '9';
    return version || lf__text_equals(last, (lf__text)LF__TEXT("openai")) || api_has(before, "/deployments/");
}

static bool api_row_fits(const api_row *row, lf__text path, lf__text body)
{
    if (!api_ends(path, row->end))
        return false;
    if (row->trust == API_SURE)
        return true;
    api_found found = api_look(body, row->keys), also = row->also[0] == NULL ? API_GIVEN : api_look(body, row->also);
    if (also == API_ABSENT || also == API_EMPTY)
        return false;
    if (found == API_UNREAD && row->trust == API_ASK_BODY)
        return api_is_api_path((lf__text){path.at, path.size - strlen(row->end)});
    return found == API_GIVEN || (found == API_EMPTY && row->trust == API_ASK_BODY);
}

/* Vertex: the body of another API, and the model in the path. */
static lf__api api_of_raw_predict(lf__text path, lf__text body)
{
    if (api_has(path, "/count-tokens:"))
        return LF__API_NONE;
    if (api_has(path, "/publishers/anthropic/") || api_look(body, (const char *const[3]){"anthropic_version"}) == API_GIVEN)
        return LF__API_ANTHROPIC;
    bool is_chat = api_has(path, "/publishers/mistralai/") || api_look(body, (const char *const[3]){"messages"}) == API_GIVEN;
    return is_chat ? LF__API_CHAT : LF__API_OTHER;
}

/* Any machine learning may stand behind :predict. */
static lf__api api_of_predict(lf__text path)
{
    const char *name = api_find_last(path, "/");
    lf__text last = name == NULL ? path : lf__text_behind(path, (size_t)(name - path.at));
    if (api_has(last, "embed"))
        return LF__API_GEMINI_EMBED;
    return api_has(path, "/publishers/") ? LF__API_OTHER : LF__API_NONE;
}

static bool api_is_bedrock(lf__text path)
{
    return api_has(path, "/model/") && (api_ends(path, "/invoke") || api_ends(path, "/invoke-with-response-stream") ||
                                        api_ends(path, "/converse") || api_ends(path, "/converse-stream"));
}

lf__api lf__api_of(lf__text url, lf__text body)
{
    char memory[API_PATH_MAX];
    lf__text path = api_plain_path(memory, api_split(url).path);
    /* Langfuse itself; assistants, whose messages are no calls of a model. */
    if (api_has(path, "/api/public/") || api_has(path, "/threads/"))
        return LF__API_NONE;
    for (size_t i = 0; i < sizeof api_rows / sizeof *api_rows; i++)
        if (api_row_fits(&api_rows[i], path, body))
            return api_rows[i].api;
    if (api_ends(path, ":rawPredict") || api_ends(path, ":streamRawPredict"))
        return api_of_raw_predict(path, body);
    if (api_ends(path, ":predict"))
        return api_of_predict(path);
    return api_is_bedrock(path) ? LF__API_OTHER : LF__API_NONE;
}

/* ---- What is recorded of it ------------------------------------------------------------------------------------- */

const char *lf__api_name(lf__api api)
{
    switch (api) {
    case LF__API_CHAT:
    case LF__API_COMPLETION:
    case LF__API_RESPONSES:
    case LF__API_IMAGES:
    case LF__API_TRANSCRIPTION:
    case LF__API_SPEECH: return "OpenAI-generation";
    case LF__API_EMBEDDINGS: return "OpenAI-embedding";
    case LF__API_ANTHROPIC:
    case LF__API_ANTHROPIC_TEXT: return "Anthropic-generation";
    case LF__API_GEMINI: return "Gemini-generation";
    case LF__API_GEMINI_EMBED: return "Gemini-embedding";
    case LF__API_OLLAMA_CHAT:
    case LF__API_OLLAMA_GENERATE: return "Ollama-generation";
    case LF__API_OLLAMA_EMBED: return "Ollama-embedding";
    case LF__API_LLAMA: return "llama.cpp-generation";
    case LF__API_LLAMA_EMBED: return "llama.cpp-embedding";
    case LF__API_NONE:
    case LF__API_OTHER: break;
    }
    return "model-call";
}

bool lf__api_is_embedding(lf__api api)
{
    return api == LF__API_EMBEDDINGS || api == LF__API_GEMINI_EMBED || api == LF__API_OLLAMA_EMBED || api == LF__API_LLAMA_EMBED;
}

/* The name behind `marker`, up to `stop`; nothing where it has no end. */
static lf__text api_name_behind(lf__text path, const char *marker, const char *stop)
{
    const char *found = api_find_last(path, marker);
    if (found == NULL)
        return (lf__text){NULL, 0};
    lf__text name = lf__text_behind(path, (size_t)(found - path.at) + strlen(marker));
    const char *end = api_find_last(name, stop);
    size_t slash = api_span_to(name, "/");
    size_t size = end == NULL || *stop == '/' ? slash : (size_t)(end - name.at);
    return size > slash || (end == NULL || size == name.size) ? (lf__text){NULL, 0} : (lf__text){name.at, size};
}

/* Still percent-encoded. */
static lf__text api_url_model(lf__text path)
{
    static const struct {
        const char *marker, *stop;
    } places[] = {
        {"/deployments/", "/"}, {"/models/", ":"},      {"/models/", "%3A"},
        {"/models/", "%3a"},    {"/tunedModels/", ":"}, {"/model/", "/"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        lf__text name = api_name_behind(path, places[i].marker, places[i].stop);
        if (name.size > 0)
            return name;
    }
    return (lf__text){NULL, 0};
}

bool lf__api_add_url_model(lf__buf *out, lf__text url)
{
    lf__text name = api_url_model(api_split(url).path);
    if (name.size == 0 || name.size > API_NAME_MAX)
        return !out->failed;
    char plain[API_NAME_MAX];
    size_t size = 0;
    for (const char *at = name.at, *end = name.at + name.size; at < end;)
        plain[size++] = lf__percent_next(&at, end);
    return lf__utf8_add(out, plain, size);
}

/* Of a value only the characters that versions and switches have: something else may follow in it. */
static void api_add_query(lf__buf *out, lf__text query)
{
    static const char *const names[] = {"api-version=", "alt=", "beta="};
    char separator = '?';
    while (query.at != NULL) {
        lf__text member = lf__text_take(&query, '&');
        size_t name = 0;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (lf__text_begins(member, names[i]))
                name = strlen(names[i]);
        if (name == 0)
            continue;
        size_t size = name;
        while (size < member.size && (api_is_letter_or_digit(member.at[size]) || lf__is_one_of(member.at[size], "-._")))
            size++;
        lf__buf_add_char(out, separator);
        lf__buf_add(out, member.at, size);
        separator = '&';
    }
}

bool lf__api_add_url(lf__buf *out, lf__text url)
{
    size_t start = out->length;
    api_url parts = api_split(url);
    lf__buf_add(out, parts.scheme.at, parts.scheme.size);
    lf__utf8_add(out, parts.host.at, parts.host.size);
    lf__utf8_add(out, parts.path.at, parts.path.size);
    api_add_query(out, parts.query);
    return lf__buf_finish(out, start);
}
