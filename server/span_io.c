/* Input and output of a span. Each instrumentation has attributes of its own for them; the first one that has any gives both. */
#include "span_private.h"

/* Paths of one family that are put together, and the places of arrays that they may need: far beyond real messages. */
enum { SPAN_IO_MAX_PATHS = 2000, SPAN_IO_MAX_PLACES = 10000 };

typedef struct span_io {
    text input, output; /* empty: none */
} span_io;

static bool span_io_is_there(const span_io *io)
{
    return io->input.size > 0 || io->output.size > 0;
}

/* Two attributes, of which one at least is something. */
static span_io span_io_of_two(span_mapper *m, const otlp_value *input, const otlp_value *output)
{
    bool there = span_is_something(input) || span_is_something(output);
    return there ? (span_io){span_text(m, input), span_text(m, output)} : (span_io){TEXT(""), TEXT("")};
}

/* ---- Messages in paths: llm.input_messages.0.message.role ---- */

static bool span_io_is_index(text segment, int64_t *out)
{
    return text_to_int(segment, out) && *out >= 0;
}

/* Places of an array that nothing is said of are null. */
static json *span_io_place(span_mapper *m, json *array, int64_t index, size_t *places)
{
    json *last = NULL, *found = NULL;
    int64_t count = 0;
    if (index >= SPAN_IO_MAX_PLACES)
        return NULL;
    for (json *item = array->first; item != NULL; last = item, item = item->next)
        if (count++ == index)
            found = item;
    for (; found == NULL && count <= index && *places < SPAN_IO_MAX_PLACES; count++, ++*places)
        json_append(m->arena, array, &last, &(json){.kind = JSON_NULL});
    return found != NULL ? found : count > index ? last : NULL;
}

/* The member that a segment of a path names; it is made when it is not there. NULL: it cannot be. */
static json *span_io_member(span_mapper *m, json *parent, text segment, size_t *places)
{
    int64_t index;
    json *last = NULL;
    bool is_index = span_io_is_index(segment, &index);
    if (parent->kind == JSON_NULL)
        parent->kind = is_index ? JSON_ARRAY : JSON_OBJECT;
    if (parent->kind == JSON_ARRAY)
        return is_index ? span_io_place(m, parent, index, places) : NULL;
    if (parent->kind != JSON_OBJECT)
        return NULL;
    for (json *member = parent->first; member != NULL; last = member, member = member->next)
        if (text_equal(member->key, segment))
            return member;
    json_append(m->arena, parent, &last, &(json){.kind = JSON_NULL, .key = segment});
    return last;
}

/* Texts stay texts, whatever is in them. */
static void span_io_set(span_mapper *m, json *at, const otlp_value *value)
{
    text given = otlp_text(m->arena, value);
    bool is_text = value->kind == OTLP_STRING || value->kind == OTLP_JSON;
    const json *parsed = is_text ? NULL : json_parse(m->arena, given);
    json *next = at->next;
    text key = at->key;
    *at = parsed != NULL ? *parsed : (json){.kind = JSON_STRING, .string = given};
    at->key = key;
    at->next = next;
}

static void span_io_put_path(span_mapper *m, json *root, text path, const otlp_value *value, size_t *places)
{
    json *at = root;
    while (at != NULL && path.at != NULL)
        at = span_io_member(m, at, text_take(&path, "."), places);
    if (at != NULL)
        span_io_set(m, at, value);
}

/* The attributes below a prefix as one value. Empty: there are none. */
static text span_io_nested(span_mapper *m, const span_view *v, const char *prefix)
{
    json *root = json_new(m->arena, JSON_NULL);
    const otlp_value *whole = NULL;
    size_t places = 0, paths = 0;
    for (size_t i = 0; root != NULL && i < v->span->attributes.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, v->span->attributes, i);
        text path = attribute->key;
        if (!text_skip(&path, prefix))
            continue;
        if (path.size == 0)
            whole = &attribute->value;
        else if (text_skip(&path, ".") && paths++ < SPAN_IO_MAX_PATHS)
            span_io_put_path(m, root, path, &attribute->value, &places);
    }
    if (span_is_something(whole))
        return span_text(m, whole);
    return paths > 0 && root != NULL ? json_text(m->arena, root) : TEXT("");
}

static span_io span_io_of_paths(span_mapper *m, const span_view *v, const char *input, const char *output)
{
    span_io io = {span_io_nested(m, v, input), span_io_nested(m, v, output)};
    if (span_io_is_there(&io)) {
        io.input = io.input.size > 0 ? io.input : TEXT("{}");
        io.output = io.output.size > 0 ? io.output : TEXT("{}");
    }
    return io;
}

/* ---- The gen_ai conventions ---- */

static text span_io_of_part(span_mapper *m, const json *part)
{
    const json *content = json_get(part, "content");
    const json *said = json_is_null(content) || (content->kind == JSON_STRING && content->string.size == 0) ? part : content;
    return said->kind == JSON_STRING ? said->string : json_text(m->arena, said);
}

/* The parts of the instructions, a line each. */
static text span_io_instructions(span_mapper *m, text given)
{
    const json *parsed = json_parse(m->arena, given);
    if (json_is(parsed, JSON_STRING))
        return parsed->string;
    if (!json_is(parsed, JSON_ARRAY))
        return given;
    for (const json *part = parsed->first; part != NULL; part = part->next) {
        buf_string(&m->scratch, part != parsed->first ? "\n" : "");
        buf_text(&m->scratch, span_io_of_part(m, part));
    }
    return span_take_scratch(m);
}

/* Messages with the instructions in front of them, unless one of them is of the system. */
static text span_io_with_instructions(span_mapper *m, text messages, const otlp_value *instructions)
{
    const json *list = span_is_something(instructions) ? json_parse(m->arena, messages) : NULL;
    if (!json_is(list, JSON_ARRAY))
        return messages;
    for (const json *message = list->first; message != NULL; message = message->next)
        if (json_is_string(json_get(message, "role"), "system"))
            return messages;
    text content = span_io_instructions(m, otlp_text(m->arena, instructions));
    buf_string(&m->scratch, "[{\"role\":\"system\",\"content\":");
    json_put_string(&m->scratch, content);
    buf_char(&m->scratch, '}');
    for (const json *message = list->first; message != NULL; message = message->next) {
        buf_char(&m->scratch, ',');
        json_write(&m->scratch, message);
    }
    buf_char(&m->scratch, ']');
    return span_take_scratch(m);
}

static span_io span_io_of_conventions(span_mapper *m, const span_slots of)
{
    span_io io = span_io_of_two(m, of[SPAN_INPUT_MESSAGES], of[SPAN_OUTPUT_MESSAGES]);
    if (io.input.size > 0)
        io.input = span_io_with_instructions(m, io.input, of[SPAN_SYSTEM_INSTRUCTIONS]);
    return span_io_is_there(&io) ? io : span_io_of_two(m, of[SPAN_TOOL_ARGUMENTS], of[SPAN_TOOL_RESULT]);
}

/* ---- The AI SDK of Vercel ---- */

/* The first that is there, even if it is empty. */
static text span_io_first(span_mapper *m, const span_slots of, const span_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (of[keys[i]] != NULL)
            return span_text(m, of[keys[i]]);
    return TEXT("");
}

static text span_io_of_reply(span_mapper *m, const span_slots of)
{
    static const span_key keys[] = {SPAN_AI_TEXT_OLD,   SPAN_AI_TOOL_RESULT, SPAN_AI_OBJECT,
                                    SPAN_AI_OBJECT_OLD, SPAN_AI_TOOL_CALLS,  SPAN_AI_TOOL_CALLS_OLD};
    if (of[SPAN_AI_TEXT] == NULL || of[SPAN_AI_TOOL_CALLS] == NULL) {
        text reply = span_text(m, of[SPAN_AI_TEXT]);
        return reply.size > 0 ? reply : span_io_first(m, of, keys, sizeof keys / sizeof *keys);
    }
    buf_string(&m->scratch, "{\"role\":\"assistant\",\"content\":");
    json_put_string(&m->scratch, span_text(m, of[SPAN_AI_TEXT]));
    buf_string(&m->scratch, ",\"tool_calls\":");
    json_put_string(&m->scratch, span_text(m, of[SPAN_AI_TOOL_CALLS]));
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

static span_io span_io_of_ai(span_mapper *m, const span_slots of)
{
    static const span_key inputs[] = {SPAN_AI_MESSAGES, SPAN_AI_PROMPT, SPAN_AI_TOOL_ARGUMENTS};
    span_io io = {span_io_first(m, of, inputs, sizeof inputs / sizeof *inputs), span_io_of_reply(m, of)},
            other = span_io_of_conventions(m, of);
    io.input = io.input.size > 0 ? io.input : other.input;
    io.output = io.output.size > 0 ? io.output : other.output;
    return io;
}

/* ---- Others ---- */

/* In calls of tools, request and response are empty objects. */
static const otlp_value *span_io_of_adk(const span_slots of, span_key message, span_key tool)
{
    const otlp_value *given = of[message];
    bool is_empty = !span_is_something(given);
    if (!is_empty && (given->kind == OTLP_STRING || given->kind == OTLP_JSON))
        is_empty = text_is(given->as.string, "{}");
    return is_empty ? of[tool] : given;
}

/* Events in one attribute: the choice is the output, all others are the input. */
static span_io span_io_of_events(span_mapper *m, const span_slots of)
{
    const json *list = span_json_of(m, of[SPAN_LOGFIRE_EVENTS], JSON_ARRAY), *choice = NULL;
    span_io io = {TEXT(""), TEXT("")};
    if (json_first(list, JSON_ARRAY) == NULL)
        return io;
    buf_char(&m->scratch, '[');
    for (const json *event = list->first; event != NULL; event = event->next) {
        if (json_is_string(json_get(event, "event.name"), "gen_ai.choice")) {
            choice = choice != NULL ? choice : event;
            continue;
        }
        json_put_comma(&m->scratch);
        json_write(&m->scratch, event);
    }
    buf_char(&m->scratch, ']');
    text inputs = span_take_scratch(m);
    io.input = text_is(inputs, "[]") ? TEXT("") : inputs;
    io.output = choice != NULL ? json_text(m->arena, choice) : TEXT("");
    return io;
}

static span_io span_io_of_pydantic(span_mapper *m, const span_view *v)
{
    span_io io = {TEXT(""), TEXT("")};
    if (!text_is(v->scope->name, "pydantic-ai"))
        return io;
    io.input = span_io_with_instructions(m, span_text(m, v->of[SPAN_PYDANTIC_MESSAGES]), v->of[SPAN_SYSTEM_INSTRUCTIONS]);
    io.output = span_text(m, v->of[SPAN_PYDANTIC_RESULT]);
    return io;
}

/* Two attributes, one for each; one for messages of all kinds stands among them. */
static span_io span_io_of_pairs(span_mapper *m, const span_view *v)
{
    static const span_key pairs[][2] = {{SPAN_LOGFIRE_PROMPT, SPAN_LOGFIRE_MESSAGES}, {SPAN_COUNT, SPAN_COUNT},
                                        {SPAN_MLFLOW_INPUT, SPAN_MLFLOW_OUTPUT},      {SPAN_ENTITY_INPUT, SPAN_ENTITY_OUTPUT},
                                        {SPAN_INPUT_VALUE, SPAN_OUTPUT_VALUE},        {SPAN_PLAIN_INPUT, SPAN_PLAIN_OUTPUT}};
    span_io io = span_io_of_two(m, span_io_of_adk(v->of, SPAN_ADK_REQUEST, SPAN_ADK_ARGUMENTS),
                                span_io_of_adk(v->of, SPAN_ADK_RESPONSE, SPAN_ADK_RESULT));
    for (size_t i = 0; !span_io_is_there(&io) && i < sizeof pairs / sizeof *pairs; i++)
        io = pairs[i][0] == SPAN_COUNT ? span_io_of_events(m, v->of) : span_io_of_two(m, v->of[pairs[i][0]], v->of[pairs[i][1]]);
    return io;
}

static span_io span_io_of_others(span_mapper *m, const span_view *v)
{
    span_io io = span_io_of_pairs(m, v);
    if (!span_io_is_there(&io))
        io = span_io_of_pydantic(m, v);
    if (!span_io_is_there(&io))
        io = span_io_of_two(m, v->of[SPAN_PLAIN_ARGUMENTS], v->of[SPAN_PLAIN_RESULT]);
    if (!span_io_is_there(&io))
        io = span_io_of_paths(m, v, "gen_ai.prompt", "gen_ai.completion");
    if (!span_io_is_there(&io))
        io = span_io_of_paths(m, v, "llm.input_messages", "llm.output_messages");
    return span_io_is_there(&io) ? io : span_io_of_conventions(m, v->of);
}

/* Input or output of Langfuse turns all other sources off, even if it is empty. */
void span_set_io(span_mapper *m, const span_view *v, observation *out)
{
    span_io io = {span_text(m, v->of[SPAN_INPUT]), span_text(m, v->of[SPAN_OUTPUT])};
    if (v->of[SPAN_INPUT] == NULL && v->of[SPAN_OUTPUT] == NULL && v->span->attributes.count > 0)
        io = text_is(v->scope->name, "ai") ? span_io_of_ai(m, v->of) : span_io_of_others(m, v);
    out->input = text_unless_empty(io.input);
    out->output = text_unless_empty(io.output);
    out->trace_input = text_unless_empty(span_text(m, v->of[SPAN_TRACE_INPUT]));
    out->trace_output = text_unless_empty(span_text(m, v->of[SPAN_TRACE_OUTPUT]));
}
