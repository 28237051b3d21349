#include "request.h"

#include "../base/json.h"
#include "media.h"

#include <string.h>

enum {
    REQUEST_MOST = 16 << 20,   /* bytes of a body that are read */
    REQUEST_MEMBERS = 128,     /* of a body; APIs have a third of that */
    REQUEST_PARAMETERS = 64,
    REQUEST_NAME_MAX = 64,     /* bytes of the name of a parameter */
    REQUEST_VALUE_MAX = 1024,  /* bytes of a parameter: what is longer is a grammar or a template */
    REQUEST_URL_MAX = 1024,   /* bytes of a URL without its query; a longer one is not recorded */
    REQUEST_PARTS = 32         /* of a multipart form */
};

/* A member, or a field of a form. The name is that of JSON text, without quotes; the value is JSON. */
typedef struct request_pair {
    lf__text name;
    lf__text value;
} request_pair;

typedef struct request_reader {
    lf__request *out;
    lf__text body; /* JSON */
    size_t count;
    request_pair members[REQUEST_MEMBERS]; /* of the body; those that are null are none */
    size_t parameter_count;
    request_pair parameters[REQUEST_PARAMETERS];
} request_reader;

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static const lf__text request_none = {NULL, 0};

static bool request_is(lf__text name, const char *text)
{
    return lf__json_is(name.at, name.size, text);
}

/* `words` have a blank between them. */
static bool request_is_one_of(lf__text name, const char *words)
{
    char memory[REQUEST_NAME_MAX];
    lf__buf plain;
    lf__buf_over(&plain, memory, sizeof memory);
    if (memchr(name.at, '\\', name.size) != NULL)
        name = lf__json_unescape(&plain, name.at, name.size) ? lf__buf_text(&plain) : request_none;
    for (lf__text rest = lf__text_of(words); rest.at != NULL;)
        if (lf__text_equals(lf__text_take(&rest, ' '), name))
            return true;
    return false;
}

/* Is it one of them, however a server spells it: api_key, apiKey, Api-Key? */
static bool request_is_spelled(lf__text name, const char *words)
{
    char escaped[REQUEST_NAME_MAX], memory[REQUEST_NAME_MAX];
    lf__buf plain;
    size_t size = 0;
    lf__buf_over(&plain, escaped, sizeof escaped);
    if (memchr(name.at, '\\', name.size) != NULL)
        name = lf__json_unescape(&plain, name.at, name.size) ? lf__buf_text(&plain) : request_none;
    for (size_t i = 0; i < name.size && size < sizeof memory; i++)
        if (!lf__is_one_of(name.at[i], "-_ "))
            memory[size++] = name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] | 0x20) : name.at[i];
    return request_is_one_of((lf__text){memory, size}, words);
}

/* '{', '[', '"', 't', 'f', 'n', or the first character of a number. NUL: there is no value. */
static char request_kind(lf__text value)
{
    return value.size > 0 ? *value.at : '\0';
}

static bool request_is_scalar(lf__text value)
{
    return !lf__is_one_of(request_kind(value), "{[n") && value.size > 0;
}

/* The inside of a string; none: it is no string. */
static lf__text request_inside(lf__text value)
{
    bool closed = value.size >= 2 && *value.at == '"' && value.at[value.size - 1] == '"';
    return closed ? (lf__text){value.at + 1, value.size - 2} : request_none;
}

/* Of equal names the last one counts, as for most servers. */
static lf__text request_get(const request_reader *reader, const char *name)
{
    for (size_t i = reader->count; i > 0; i--)
        if (request_is(reader->members[i - 1].name, name))
            return reader->members[i - 1].value;
    return request_none;
}

/* The object may be cut. */
static lf__text request_member(lf__text object, const char *name)
{
    lf__json_member member;
    lf__text found = request_none;
    for (size_t at = 0; lf__json_next_member(object.at, object.size, &at, &member);)
        if (member.value_size > 0 && *member.value != 'n' && lf__json_is(member.key, member.key_size, name))
            found = (lf__text){member.value, member.value_size};
    return found;
}

static size_t request_read_members(request_pair *to, size_t most, lf__text object)
{
    lf__json_member member;
    size_t count = 0;
    for (size_t at = 0; count < most && lf__json_next_member(object.at, object.size, &at, &member);)
        if (*member.value != 'n')
            to[count++] = (request_pair){{member.key, member.key_size}, {member.value, member.value_size}};
    return count;
}

/* ---- Metadata --------------------------------------------------------------------------------------------------- */

/* A member of the metadata begins; it ends with request_end_metadata, which takes it back where it has no room. */
static size_t request_begin_metadata(lf__request *out, const char *name)
{
    size_t start = out->metadata.length;
    if (start > 0)
        lf__buf_add_char(&out->metadata, ',');
    lf__json_string(&out->metadata, name, strlen(name));
    lf__buf_add_char(&out->metadata, ':');
    return start;
}

static void request_end_metadata(lf__request *out, size_t start)
{
    if (out->metadata.failed)
        lf__buf_rewind(&out->metadata, start);
}

static void request_add_metadata(lf__request *out, const char *name, lf__text value)
{
    if (value.size == 0)
        return;
    size_t start = request_begin_metadata(out, name);
    lf__media_add_json(&out->metadata, value, NULL);
    request_end_metadata(out, start);
}

static void request_add_body_size(lf__request *out, size_t size)
{
    size_t start = request_begin_metadata(out, "request_bytes");
    lf__json_uint(&out->metadata, size);
    request_end_metadata(out, start);
}

static void request_add_url(lf__request *out, lf__text url)
{
    char memory[REQUEST_URL_MAX];
    lf__buf plain;
    lf__buf_over(&plain, memory, sizeof memory);
    if (!lf__api_add_url(&plain, url) || plain.length == 0)
        return;
    size_t start = request_begin_metadata(out, "url");
    lf__json_string(&out->metadata, memory, plain.length);
    request_end_metadata(out, start);
}

/* Audio and images have formats that are parameters. */
static bool request_is_file_api(lf__api api)
{
    return api == LF__API_IMAGES || api == LF__API_SPEECH || api == LF__API_TRANSCRIPTION;
}

/* The shape that the reply must have, wherever the API has it. */
static lf__text request_response_format(const request_reader *reader)
{
    static const char *const schemas[] = {"responseSchema", "responseJsonSchema", "response_schema", "response_json_schema"};
    lf__text format = request_get(reader, "response_format"), config = request_get(reader, "generationConfig");
    if (format.size > 0)
        return request_is_scalar(format) && request_is_file_api(reader->out->api) ? request_none : format;
    format = request_member(request_get(reader, "text"), "format");
    if (format.size == 0)
        format = request_member(request_get(reader, "output_config"), "format");
    if (format.size == 0 && request_kind(request_get(reader, "format")) == '{')
        format = request_get(reader, "format");
    if (config.size == 0)
        config = request_get(reader, "generation_config");
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas && format.size == 0; i++)
        format = request_member(config, schemas[i]);
    return format;
}

static void request_add_key(lf__buf *to, bool first, lf__text name)
{
    lf__buf_add(to, first ? "{\"" : ",\"", 2);
    lf__buf_add(to, name.at, name.size);
    LF__BUF_ADD(to, "\":");
}

/* The address of a tool's server, as that of the call: without user, password and query. */
static void request_add_address(lf__buf *to, lf__text address)
{
    lf__buf url, shown;
    lf__buf_init(&url, REQUEST_VALUE_MAX);
    lf__buf_init(&shown, REQUEST_VALUE_MAX);
    bool ok = lf__json_unescape(&url, address.at, address.size) && lf__api_add_url(&shown, lf__buf_text(&url));
    if (ok)
        (void)lf__json_string(to, shown.data, shown.length);
    else
        LF__BUF_ADD(to, "null");
    lf__buf_done(&url);
    lf__buf_done(&shown);
}

/* An object without some of its members. */
static void request_add_without(lf__buf *to, lf__text object, const char *names)
{
    lf__json_member member;
    bool first = true;
    for (size_t at = 0; lf__json_next_member(object.at, object.size, &at, &member);) {
        lf__text name = {member.key, member.key_size};
        lf__text value = {member.value, member.value_size};
        if (request_is_spelled(name, names))
            continue;
        request_add_key(to, first, name);
        if (request_is(name, "server_url") && request_kind(value) == '"')
            request_add_address(to, request_inside(value));
        else
            lf__media_add_member(to, name, value, NULL);
        first = false;
    }
    lf__buf_add_text(to, first ? "{}" : "}");
}

/* What the program says of its request; some gateways take keys there. */
static void request_add_own_metadata(lf__request *out, lf__text metadata)
{
    static const char secrets[] =
        "apikey xapikey accesstoken authtoken bearertoken authorization password secret clientsecret headers";
    if (request_kind(metadata) != '{') {
        request_add_metadata(out, "request_metadata", metadata);
        return;
    }
    size_t start = request_begin_metadata(out, "request_metadata");
    request_add_without(&out->metadata, metadata, secrets);
    request_end_metadata(out, start);
}

static void request_metadata(request_reader *reader)
{
    static const char *const same[] = {
        "web_search_options", "previous_response_id", "background",        "conversation",  "store",          "audio",  "container",
        "context_management", "anthropic_version",    "anthropic_beta",    "cachedContent", "cached_content", "labels", "models",
        "json_schema",        "guided_json",          "structured_outputs"};
    lf__request *out = reader->out;
    if (out->api == LF__API_OTHER || out->api == LF__API_NONE)
        return; /* recorded as it is */
    request_add_metadata(out, "response_format", request_response_format(reader));
    if (request_get(reader, "prediction").size > 0)
        request_add_metadata(out, "prediction", (lf__text)LF__TEXT("true"));
    if (out->api == LF__API_RESPONSES)
        request_add_metadata(out, "prompt", request_get(reader, "prompt"));
    request_add_own_metadata(out, request_get(reader, "metadata"));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        request_add_metadata(out, same[i], request_get(reader, same[i]));
}

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

/* In small letters, without the signs between words. */
static const char request_secrets[] =
    "apikey xapikey key token accesstoken authtoken authorizationtoken bearertoken authorization password secret clientsecret "
    "headers extraheaders mcpservers datasources";

/* What is no parameter, though it may be a text: it is a part of the input, stands in the metadata, or names a person. */
static const char request_others[] =
    "model user prompt_cache_key safety_identifier messages prompt suffix input instructions system content contents "
    "input_prefix input_suffix template previous_response_id background conversation store container "
    "anthropic_version cachedContent cached_content web_search_options prediction file url image image[] images mask";

/* Lists and objects that are parameters all the same, as text. */
static const char request_as_text[] =
    "stop stop_sequences stopSequences logit_bias modalities responseModalities response_modalities "
    "timestamp_granularities";

static void request_set(request_reader *reader, lf__text name, lf__text value)
{
    size_t i = 0;
    if (name.size > REQUEST_NAME_MAX || value.size > REQUEST_VALUE_MAX || memchr(name.at, '\\', name.size) != NULL)
        return;
    while (i < reader->parameter_count && !lf__text_equals(reader->parameters[i].name, name))
        i++;
    if (i == REQUEST_PARAMETERS)
        return;
    reader->parameters[i] = (request_pair){name, value};
    reader->parameter_count += i == reader->parameter_count;
}

static void request_set_scalar(request_reader *reader, const char *name, lf__text value)
{
    if (request_is_scalar(value))
        request_set(reader, lf__text_of(name), value);
}

static bool request_is_parameter(const request_reader *reader, const request_pair *member)
{
    lf__api api = reader->out->api;
    if (member->name.size == 0 || request_is_one_of(member->name, request_others) ||
        request_is_spelled(member->name, request_secrets))
        return false;
    if (request_is(member->name, "response_format") && !request_is_file_api(api))
        return false;
    if (request_is(member->name, "language") && api == LF__API_TRANSCRIPTION)
        return false;
    return request_is_scalar(member->value) || request_is_one_of(member->name, request_as_text);
}

/* The members of an object that are parameters, which may be nested once more. */
static void request_set_all(request_reader *reader, lf__text object)
{
    request_pair members[REQUEST_PARAMETERS];
    size_t count = request_read_members(members, REQUEST_PARAMETERS, object);
    for (size_t i = 0; i < count; i++)
        if (request_is_parameter(reader, &members[i]))
            request_set(reader, members[i].name, members[i].value);
}

static void request_set_nested(request_reader *reader)
{
    static const char *const groups[] = {"options", "generationConfig", "generation_config", "parameters", NULL};
    lf__text reasoning = request_get(reader, "reasoning"), thinking = request_get(reader, "thinking");
    request_set_scalar(reader, "reasoning_effort", request_member(reasoning, "effort"));
    request_set_scalar(reader, "reasoning_summary", request_member(reasoning, "summary"));
    request_set_scalar(reader, "reasoning_max_tokens", request_member(reasoning, "max_tokens"));
    request_set_scalar(reader, "verbosity", request_member(request_get(reader, "text"), "verbosity"));
    request_set_scalar(reader, "thinking_budget_tokens", request_member(thinking, "budget_tokens"));
    request_set_scalar(reader, "effort", request_member(request_get(reader, "output_config"), "effort"));
    for (const char *const *group = groups; *group != NULL; group++) {
        lf__text object = request_get(reader, *group), inner = request_member(object, "thinkingConfig");
        request_set_all(reader, object);
        request_set_all(reader, inner.size > 0 ? inner : request_member(object, "thinking_config"));
    }
}

static void request_write_parameters(request_reader *reader)
{
    lf__buf *to = &reader->out->parameters;
    for (size_t i = 0; i < reader->parameter_count; i++) {
        const request_pair *pair = &reader->parameters[i];
        size_t start = to->length;
        lf__buf_add_char(to, start == 0 ? '{' : ',');
        lf__buf_add_char(to, '"');
        lf__buf_add(to, pair->name.at, pair->name.size);
        LF__BUF_ADD(to, "\":");
        if (request_is_scalar(pair->value))
            lf__media_add_json(to, pair->value, NULL);
        else
            lf__json_string(to, pair->value.at, pair->value.size);
        if (to->failed)
            lf__buf_rewind(to, start);
    }
    to->limit++; /* kept for this */
    if (to->length > 0 && !lf__buf_add_char(to, '}'))
        lf__buf_rewind(to, 0);
}

static void request_parameters(request_reader *reader)
{
    lf__api api = reader->out->api;
    if (api == LF__API_OTHER || api == LF__API_NONE)
        return; /* recorded as it is */
    for (size_t i = 0; i < reader->count; i++)
        if (request_is_parameter(reader, &reader->members[i]))
            request_set(reader, reader->members[i].name, reader->members[i].value);
    request_set_nested(reader);
    request_write_parameters(reader);
}

/* ---- Input ------------------------------------------------------------------------------------------------------ */

/* Tools on other servers come with the keys to them. */
static void request_add_tools(lf__buf *to, lf__text tools)
{
    lf__text tool;
    bool first = true;
    if (request_kind(tools) != '[') {
        lf__media_add_json(to, tools, NULL);
        return;
    }
    lf__buf_add_char(to, '[');
    for (size_t at = 0; lf__json_next_item(tools.at, tools.size, &at, &tool); first = false) {
        if (!first)
            lf__buf_add_char(to, ',');
        if (request_is(request_inside(request_member(tool, "type")), "mcp"))
            request_add_without(to, tool, request_secrets);
        else
            lf__media_add_json(to, tool, NULL);
    }
    lf__buf_add_char(to, ']');
}

/* A message of the system in front of a list of messages, or of one of the user. */
static void request_add_conversation(lf__buf *to, lf__text system, lf__text messages)
{
    static const char role[] = "[{\"role\":\"system\",\"content\":", user[] = "{\"role\":\"user\",\"content\":";
    if (system.size == 0) {
        lf__media_add_json(to, messages, NULL);
        return;
    }
    LF__BUF_ADD(to, role);
    lf__media_add_json(to, system, NULL);
    LF__BUF_ADD(to, "}");
    if (request_kind(messages) == '[') {
        lf__text rest = lf__text_trim(lf__text_behind(messages, 1), " \t\r\n");
        if (request_kind(rest) != ']')
            lf__buf_add_char(to, ',');
        lf__media_add_json(to, lf__text_behind(messages, 1), NULL);
    } else {
        lf__buf_add_char(to, ',');
        LF__BUF_ADD(to, user);
        lf__media_add_json(to, messages, NULL);
        LF__BUF_ADD(to, "}]");
    }
}

enum { REQUEST_NO_MAIN = REQUEST_MEMBERS };

/* How a member of the body is called in the input; a second spelling of it. */
typedef struct request_part {
    const char *name;
    const char *other;
} request_part;

static lf__text request_get_part(const request_reader *reader, const request_part *part)
{
    lf__text value = request_get(reader, part->name);
    return value.size == 0 && part->other != NULL ? request_get(reader, part->other) : value;
}

/* Write an object of the parts that the body has; where it has only the main one, its value. False: it has none. */
static bool request_add_parts(request_reader *reader, size_t main, const request_part *parts, size_t count)
{
    lf__buf *to = &reader->out->input;
    size_t found = 0, written = 0;
    for (size_t i = 0; i < count; i++)
        found += request_get_part(reader, &parts[i]).size > 0;
    bool alone = found == 1 && main < count && request_get_part(reader, &parts[main]).size > 0;
    if (alone)
        lf__media_add_json(to, request_get_part(reader, &parts[main]), NULL);
    for (size_t i = 0; i < count && !alone; i++) {
        lf__text value = request_get_part(reader, &parts[i]);
        if (value.size == 0)
            continue;
        request_add_key(to, written++ == 0, lf__text_of(parts[i].name));
        if (strcmp(parts[i].name, "tools") == 0)
            request_add_tools(to, value);
        else
            lf__media_add_member(to, lf__text_of(parts[i].name), value, NULL);
    }
    if (written > 0)
        lf__buf_add_char(to, '}');
    return found > 0;
}
#define REQUEST_ADD_PARTS(reader, main, ...)                             \
    request_add_parts(reader, main, (const request_part[]){__VA_ARGS__}, \
                      sizeof((const request_part[]){__VA_ARGS__}) / sizeof(request_part))

/* Messages, with what the model may call. */
static bool request_add_chat(request_reader *reader)
{
    static const char *const tools[] = {"tools", "functions", "function_call", "tool_choice"};
    lf__buf *to = &reader->out->input;
    lf__text messages = request_get(reader, "messages"), system = request_none;
    if (reader->out->api == LF__API_ANTHROPIC)
        system = request_get(reader, "system");
    if (request_kind(messages) != '[')
        return messages.size == 0 && REQUEST_ADD_PARTS(reader, 0, {"prompt", NULL}, {"suffix", NULL});
    bool has_tools = false, first = true;
    for (size_t i = 0; i < 3; i++)
        has_tools |= request_get(reader, tools[i]).size > 0;
    for (size_t i = 0; has_tools && i < sizeof tools / sizeof *tools; i++) {
        lf__text value = request_get(reader, tools[i]);
        if (value.size == 0)
            continue;
        request_add_key(to, first, lf__text_of(tools[i]));
        request_add_tools(to, value);
        first = false;
    }
    if (!first)
        request_add_key(to, false, lf__text_of("messages"));
    request_add_conversation(to, system, messages);
    if (!first)
        lf__buf_add_char(to, '}');
    return true;
}

/* The input and the instructions of OpenAI's Responses. */
static void request_add_asked(request_reader *reader, bool has_tools)
{
    lf__buf *to = &reader->out->input;
    lf__text input = request_get(reader, "input"), instructions = request_get(reader, "instructions");
    bool is_conversation = request_kind(instructions) == '"' && lf__is_one_of(request_kind(input), "\"[");
    bool is_object = instructions.size > 0 && !is_conversation;
    if (has_tools && !is_object && input.size > 0)
        LF__BUF_ADD(to, "{\"input\":");
    if (!is_object) {
        request_add_conversation(to, instructions, input);
        return;
    }
    request_add_key(to, true, lf__text_of("instructions"));
    lf__media_add_json(to, instructions, NULL);
    if (input.size > 0) {
        request_add_key(to, false, lf__text_of("input"));
        lf__media_add_json(to, input, NULL);
    }
    if (!has_tools)
        lf__buf_add_char(to, '}');
}

static bool request_add_responses(request_reader *reader)
{
    static const char *const tools[] = {"tools", "tool_choice", "parallel_tool_calls"};
    lf__buf *to = &reader->out->input;
    bool has_tools = false;
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        has_tools |= request_get(reader, tools[i]).size > 0;
    bool asks = request_get(reader, "input").size > 0 || request_get(reader, "instructions").size > 0;
    if (asks)
        request_add_asked(reader, has_tools);
    if (!has_tools)
        return asks || request_get(reader, "prompt").size > 0;
    for (size_t i = 0, written = asks; i < sizeof tools / sizeof *tools; i++) {
        lf__text value = request_get(reader, tools[i]);
        if (value.size == 0)
            continue;
        request_add_key(to, written++ == 0, lf__text_of(tools[i]));
        request_add_tools(to, value);
    }
    lf__buf_add_char(to, '}');
    return true;
}

/* False: the body does not look as the API wants it. */
static bool request_add_known_input(request_reader *reader)
{
    switch (reader->out->api) {
    case LF__API_CHAT:
    case LF__API_ANTHROPIC:
    case LF__API_OLLAMA_CHAT: return request_add_chat(reader);
    case LF__API_COMPLETION:
    case LF__API_ANTHROPIC_TEXT: return REQUEST_ADD_PARTS(reader, 0, {"prompt", NULL}, {"suffix", NULL});
    case LF__API_RESPONSES: return request_add_responses(reader);
    case LF__API_EMBEDDINGS:
    case LF__API_SPEECH: return REQUEST_ADD_PARTS(reader, 0, {"input", NULL});
    case LF__API_IMAGES:
        return REQUEST_ADD_PARTS(reader, 0, {"prompt", NULL}, {"image", "image[]"}, {"images", NULL}, {"mask", NULL});
    case LF__API_TRANSCRIPTION:
        return REQUEST_ADD_PARTS(reader, REQUEST_NO_MAIN, {"file", NULL}, {"url", "file_url"}, {"prompt", NULL},
                                 {"language", NULL});
    case LF__API_GEMINI:
        return REQUEST_ADD_PARTS(reader, 3, {"systemInstruction", "system_instruction"}, {"tools", NULL},
                                 {"toolConfig", "tool_config"}, {"contents", NULL});
    case LF__API_GEMINI_EMBED:
        return REQUEST_ADD_PARTS(reader, 0, {"content", "requests"}) || REQUEST_ADD_PARTS(reader, 0, {"instances", NULL});
    case LF__API_OLLAMA_GENERATE:
        return REQUEST_ADD_PARTS(reader, 1, {"system", NULL}, {"prompt", NULL}, {"suffix", NULL}, {"images", NULL});
    case LF__API_OLLAMA_EMBED: return REQUEST_ADD_PARTS(reader, 0, {"input", "prompt"});
    case LF__API_LLAMA:
        return REQUEST_ADD_PARTS(reader, 3, {"input_prefix", NULL}, {"input_suffix", NULL}, {"input_extra", NULL},
                                 {"prompt", NULL});
    case LF__API_LLAMA_EMBED: return REQUEST_ADD_PARTS(reader, 0, {"content", "input"});
    case LF__API_NONE:
    case LF__API_OTHER: break;
    }
    return false;
}

static void request_input(request_reader *reader)
{
    lf__request *out = reader->out;
    if (!request_add_known_input(reader)) {
        if (request_kind(reader->body) == '{')
            request_add_without(&out->input, reader->body, request_secrets);
        else
            lf__media_add_json(&out->input, reader->body, NULL);
    }
    if (out->input.failed) {
        lf__buf_clear(&out->input);
        request_add_body_size(out, reader->body.size);
    }
}

/* ---- The model, and the type of the reply's media --------------------------------------------------------------- */

/* A body's model, which Gemini's bodies repeat in another form. */
static void request_model(lf__request *out, lf__text url, lf__text raw)
{
    if (out->api == LF__API_GEMINI || out->api == LF__API_GEMINI_EMBED)
        lf__api_add_url_model(&out->model, url);
    if (out->model.length == 0 && raw.size > 0 && raw.size <= REQUEST_VALUE_MAX)
        lf__json_unescape(&out->model, raw.at, raw.size);
    if (out->model.length == 0)
        lf__api_add_url_model(&out->model, url);
    if (out->model.failed)
        lf__buf_clear(&out->model);
}

static lf__text request_image_format(const request_reader *reader)
{
    lf__text tools = request_get(reader, "tools"), tool, format = request_get(reader, "output_format");
    if (reader->out->api == LF__API_RESPONSES)
        for (size_t at = 0; lf__json_next_item(tools.at, tools.size, &at, &tool);)
            if (request_is(request_inside(request_member(tool, "type")), "image_generation"))
                format = request_member(tool, "output_format");
    return request_inside(format);
}

static void request_media_type(request_reader *reader)
{
    lf__request *out = reader->out;
    lf__text format;
    switch (out->api) {
    case LF__API_IMAGES:
    case LF__API_RESPONSES:
        lf__media_type_of(out->media_type, sizeof out->media_type, "image", request_image_format(reader));
        break;
    case LF__API_CHAT:
        format = request_inside(request_member(request_get(reader, "audio"), "format"));
        lf__media_type_of(out->media_type, sizeof out->media_type, "audio", format);
        break;
    case LF__API_SPEECH:
        format = request_inside(request_get(reader, "response_format"));
        lf__media_type_of(out->media_type, sizeof out->media_type, "audio", format.size > 0 ? format : (lf__text)LF__TEXT("mp3"));
        break;
    default: break;
    }
}

/* ---- Forms ------------------------------------------------------------------------------------------------------ */

/* A part of a multipart form. */
typedef struct request_field {
    lf__text name;
    lf__text filename; /* at: NULL for a field that is no file */
    lf__text type;
    lf__text content;
} request_field;

typedef struct request_form {
    size_t count;
    request_field fields[REQUEST_PARTS];
} request_form;

/* Where `part` stands in the text; NULL: nowhere. */
static const char *request_find(lf__text text, lf__text part)
{
    const char *end = text.at + text.size;
    for (const char *at = text.at; part.size > 0 && (size_t)(end - at) >= part.size; at++) {
        at = memchr(at, *part.at, (size_t)(end - at) - part.size + 1);
        if (at == NULL)
            return NULL;
        if (memcmp(at, part.at, part.size) == 0)
            return at;
    }
    return NULL;
}

static bool request_begins_as(lf__text line, const char *start)
{
    size_t size = strlen(start);
    if (line.size < size)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((line.at[i] | 0x20) != (start[i] | 0x20))
            return false;
    return true;
}

/* The value behind `name=` or `name*=` in a line, with or without quotes; none: it is not there. */
static lf__text request_header_value(lf__text line, const char *name)
{
    const char *found = request_find(line, lf__text_of(name));
    if (found == NULL)
        return request_none;
    lf__text rest = lf__text_behind(line, (size_t)(found - line.at) + strlen(name));
    while (rest.size > 0 && lf__is_one_of(*rest.at, "*="))
        rest = lf__text_behind(rest, 1);
    bool quoted = request_kind(rest) == '"';
    if (quoted)
        rest = lf__text_behind(rest, 1);
    return lf__text_take(&rest, quoted ? '"' : ';');
}

static void request_read_field(request_form *form, lf__text part)
{
    static const lf__text blank = LF__TEXT("\r\n\r\n");
    const char *content = request_find(part, blank);
    if (content == NULL || form->count == REQUEST_PARTS)
        return;
    request_field field = {.content = lf__text_behind(part, (size_t)(content - part.at) + blank.size)};
    lf__text head = {part.at, (size_t)(content - part.at)};
    while (head.at != NULL) {
        lf__text line = lf__text_trim(lf__text_take(&head, '\n'), "\r");
        if (request_begins_as(line, "content-disposition:")) {
            field.name = request_header_value(line, " name=");
            field.filename = request_header_value(line, " filename");
        } else if (request_begins_as(line, "content-type:")) {
            field.type = lf__text_trim(lf__text_behind(line, sizeof "content-type:" - 1), " \t");
        }
    }
    if (field.name.size > 0)
        form->fields[form->count++] = field;
}

/* The parts between the boundaries. A part that is cut is left out. */
static void request_read_form(request_form *form, lf__text body)
{
    char memory[80] = "\r\n"; /* a boundary has at most 70 characters, and two dashes */
    lf__text rest = body, boundary = {memory, 0};
    lf__text line = lf__text_trim(lf__text_take(&rest, '\n'), "\r");
    form->count = 0;
    if (rest.at == NULL || line.size < 3 || line.size > sizeof memory - 2)
        return;
    memcpy(memory + 2, line.at, line.size);
    boundary.size = 2 + line.size;
    for (const char *end; (end = request_find(rest, boundary)) != NULL;) {
        request_read_field(form, (lf__text){rest.at, (size_t)(end - rest.at)});
        rest = lf__text_behind(rest, (size_t)(end - rest.at) + boundary.size);
        if (lf__text_begins(rest, "--"))
            return;
        if (lf__text_begins(rest, "\r\n"))
            rest = lf__text_behind(rest, 2);
    }
}

/* A file as a token, where its type is known; otherwise what is known of it. */
static void request_add_file(lf__buf *to, const request_field *field)
{
    char type[REQUEST_NAME_MAX];
    const char *sniffed = lf__media_sniff(field->content.at, field->content.size);
    lf__text name = field->type;
    name.size = name.size > 0 && memchr(name.at, ';', name.size) != NULL
                    ? (size_t)((const char *)memchr(name.at, ';', name.size) - name.at)
                    : name.size;
    bool said = name.size > 0 && name.size < sizeof type && !request_begins_as(name, "application/octet-stream");
    memcpy(type, said ? name.at : "", said ? name.size : 0);
    type[said ? name.size : 0] = '\0';
    if (field->content.size > 0 && (said || strcmp(sniffed, "application/octet-stream") != 0)) {
        lf__buf_add_char(to, '"');
        lf__media_add_token(to, said ? type : sniffed, field->content.at, field->content.size, "bytes");
        lf__buf_add_char(to, '"');
        return;
    }
    LF__BUF_ADD(to, "{\"name\":");
    lf__json_string(to, field->filename.at, field->filename.size);
    LF__BUF_ADD(to, ",\"type\":");
    lf__json_string(to, name.size > 0 ? name.at : "", name.size);
    LF__BUF_ADD(to, ",\"size\":");
    lf__json_uint(to, field->content.size);
    LF__BUF_ADD(to, "}");
}

/* A field's text: numbers, true and false as they are in JSON. */
static void request_add_field(lf__buf *to, const request_field *field)
{
    lf__text text = field->content;
    bool is_word = text.size > 0 && !lf__is_one_of(*text.at, "\"{[ \t\r\n");
    if (is_word && text.size < REQUEST_NAME_MAX && lf__json_valid(text.at, text.size))
        lf__buf_add(to, text.at, text.size);
    else
        lf__json_string(to, text.at, text.size);
}

/* The form as the JSON body of the same request. Fields of one name become a list. */
static void request_add_form(lf__buf *to, const request_form *form)
{
    bool first = true;
    for (size_t i = 0; i < form->count; i++) {
        size_t same = 0, written = 0;
        bool seen = false;
        for (size_t k = 0; k < form->count; k++)
            if (lf__text_equals(form->fields[k].name, form->fields[i].name)) {
                seen |= k < i;
                same++;
            }
        if (seen)
            continue;
        lf__text name = form->fields[i].name;
        if (name.size > 2 && memcmp(name.at + name.size - 2, "[]", 2) == 0)
            name.size -= 2;
        lf__buf_add_char(to, first ? '{' : ',');
        lf__json_string(to, name.at, name.size);
        lf__buf_add_text(to, same > 1 ? ":[" : ":");
        for (size_t k = i; k < form->count; k++) {
            const request_field *field = &form->fields[k];
            if (!lf__text_equals(field->name, form->fields[i].name))
                continue;
            if (written++ > 0)
                lf__buf_add_char(to, ',');
            if (field->filename.at != NULL)
                request_add_file(to, field);
            else
                request_add_field(to, field);
        }
        if (same > 1)
            lf__buf_add_char(to, ']');
        first = false;
    }
    lf__buf_add_text(to, first ? "{}" : "}");
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static void request_read_json(lf__request *out, lf__text url, lf__text body)
{
    request_reader reader;
    reader.out = out;
    reader.body = lf__text_trim(body, " \t\r\n");
    reader.parameter_count = 0;
    reader.count = request_read_members(reader.members, REQUEST_MEMBERS, reader.body);
    request_model(out, url, request_inside(request_get(&reader, "model")));
    request_media_type(&reader);
    request_parameters(&reader);
    request_metadata(&reader);
    request_input(&reader);
}

/* A body that is no JSON as it is: a form, or JSON whose UTF-8 is broken. False: it is neither. */
static bool request_read_other(lf__request *out, lf__text url, lf__text body)
{
    lf__buf json;
    lf__buf_init(&json, 3 * (size_t)REQUEST_MOST);
    if (lf__text_begins(body, "--")) {
        request_form form;
        request_read_form(&form, body);
        if (form.count > 0)
            request_add_form(&json, &form);
    } else if (lf__utf8_valid_prefix(body.at, body.size) < body.size) {
        lf__utf8_add(&json, body.at, body.size);
    }
    bool read = !json.failed && json.length > 0 && lf__json_valid(json.data, json.length);
    if (read)
        request_read_json(out, url, lf__buf_text(&json));
    out->input.no_memory |= json.no_memory;
    lf__buf_done(&json);
    return read;
}

/* Without a mark of UTF-8 in front, and without the NUL that a length with it sends along. */
static lf__text request_trim(lf__text body)
{
    if (lf__text_begins(body, "\xEF\xBB\xBF"))
        body = lf__text_behind(body, 3);
    while (body.size > 0 && body.at[body.size - 1] == '\0')
        body.size--;
    return body;
}

bool lf__request_read(lf__request *out, lf__api api, lf__text url, lf__text body, size_t most)
{
    *out = (lf__request){.api = api};
    lf__buf_init(&out->model, most);
    lf__buf_init(&out->input, most);
    lf__buf_init(&out->parameters, most > 0 ? most - 1 : 0);
    lf__buf_init(&out->metadata, most);
    request_add_url(out, url);
    lf__text text = request_trim(body);
    bool is_large = text.size > REQUEST_MOST;
    if (!is_large && lf__json_valid(text.at, text.size)) {
        request_read_json(out, url, text);
    } else if (is_large || !request_read_other(out, url, text)) {
        lf__text start = {text.at, is_large ? REQUEST_MOST : text.size};
        request_model(out, url, request_inside(request_member(start, "model")));
        if (body.size > 0)
            request_add_body_size(out, body.size);
    }
    return !(out->model.no_memory || out->input.no_memory || out->parameters.no_memory || out->metadata.no_memory);
}

void lf__request_done(lf__request *request)
{
    lf__buf_done(&request->model);
    lf__buf_done(&request->input);
    lf__buf_done(&request->parameters);
    lf__buf_done(&request->metadata);
}
