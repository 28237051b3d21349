/* Metadata of a span: what the program gave for the observation and for the trace, what other attributes there are, and whence the
 * span came. A real server keeps it flat. */
#include "span_private.h"

#include "loss.h"

/* Keys of the program that take the place of what the server would put there. */
enum span_own { SPAN_OWN_SCOPE = 1 << 0, SPAN_OWN_RESOURCE = 1 << 1, SPAN_OWN_ATTRIBUTES = 1 << 2 };

typedef struct span_metadata {
    metadata observation, trace, attributes, experiment;
    metadata own; /* of the observation, before it is made flat */
    bool is_flat; /* which that changes nothing of */
    unsigned replaced;
} span_metadata;

static void span_metadata_note(span_metadata *in, text key)
{
    in->replaced |= text_is(key, "scope") ? SPAN_OWN_SCOPE : 0;
    in->replaced |= text_is(key, "resourceAttributes") ? SPAN_OWN_RESOURCE : 0;
    in->replaced |= text_is(key, "attributes") ? SPAN_OWN_ATTRIBUTES : 0;
}

static void span_metadata_put_own_members(span_mapper *m, span_metadata *in, const json *object)
{
    for (const json *member = object->first; member != NULL; member = member->next)
        in->is_flat &= member->kind != JSON_OBJECT;
    metadata_put_top(m->arena, &in->own, object);
}

/* A whole object of metadata in one attribute; anything that is not an object or array is dropped, as the real server does. */
static void span_metadata_put_object(span_mapper *m, span_metadata *in, metadata *into, const otlp_value *value)
{
    bool possible = value != NULL && (value->kind == OTLP_STRING || value->kind == OTLP_JSON || value->kind == OTLP_ARRAY);
    const json *object = possible ? json_parse(m->arena, otlp_text(m->arena, value)) : NULL;
    if (value != NULL && !json_is(object, JSON_OBJECT) && !json_is(object, JSON_ARRAY)) {
        m->losses |= json_is(object, JSON_NULL) ? 0 : LOSS_METADATA;
        return;
    }
    if (object != NULL)
        metadata_put_json(m->arena, into, object);
    for (const json *member = json_first(object, JSON_OBJECT); member != NULL; member = member->next)
        span_metadata_note(in, member->key);
    if (into == &in->observation && object != NULL)
        span_metadata_put_own_members(m, in, object);
}

static void span_metadata_put_key(span_mapper *m, span_metadata *in, metadata *into, text key, const otlp_value *value)
{
    text given = otlp_text(m->arena, value);
    const json *decoded = m->decode && value->kind == OTLP_STRING ? json_parse(m->arena, given) : NULL;
    if (key.size == 0)
        return;
    span_metadata_note(in, key);
    if (decoded != NULL)
        metadata_put_decoded(m->arena, into, key, decoded);
    else
        metadata_put(m->arena, into, key, given);
    if (into == &in->observation)
        metadata_put(m->arena, &in->own, key, json_is(decoded, JSON_STRING) ? decoded->string : given);
    in->is_flat &= !json_is(decoded, JSON_OBJECT);
}

/* What a Langfuse attribute says of both the observation and the trace. */
static void span_metadata_put_both(span_mapper *m, span_metadata *in, text key, const otlp_value *value)
{
    span_metadata_put_key(m, in, &in->observation, key, value);
    span_metadata_put_key(m, in, &in->trace, key, value);
}

/* Keys of the AI SDK that say who and what, not metadata. */
static bool span_metadata_is_other(text key)
{
    return text_lists(TEXT("userId,sessionId,tags,langfusePrompt"), key);
}

/* Most attributes are none of these; the first letter tells that soon. */
static void span_metadata_sort_langfuse(span_mapper *m, span_metadata *in, text key, const otlp_value *value)
{
    switch (key.size > 0 ? *key.at : '\0') {
    case 'o':
        if (text_skip(&key, "observation.metadata."))
            span_metadata_put_key(m, in, &in->observation, key, value);
        break;
    case 't':
        if (text_skip(&key, "trace.metadata."))
            span_metadata_put_key(m, in, &in->trace, key, value);
        break;
    case 'm':
        if (text_skip(&key, "metadata."))
            span_metadata_put_both(m, in, key, value);
        break;
    case 'e':
        if (text_skip(&key, "experiment."))
            metadata_put(m->arena, &in->experiment, key, otlp_text(m->arena, value));
        break;
    default: break;
    }
}

static void span_metadata_sort(span_mapper *m, span_metadata *in, const otlp_attribute *attribute)
{
    text key = attribute->key;
    if (text_skip(&key, "langfuse."))
        span_metadata_sort_langfuse(m, in, key, &attribute->value);
    else if (text_skip(&key, "ai.telemetry.metadata.") && !span_metadata_is_other(key))
        span_metadata_put_both(m, in, key, &attribute->value);
}

/* What has become the input and the output, or metadata of its own, is not repeated. */
static bool span_metadata_is_told(text key)
{
    static const char *const families[] = {"gen_ai.prompt",        "gen_ai.completion",       "llm.input_messages",
                                           "llm.output_messages",  "langfuse.trace.metadata", "langfuse.observation.metadata",
                                           "ai.telemetry.metadata"};
    static const char keys[] =
        "langfuse.trace.input,langfuse.trace.output,langfuse.observation.input,langfuse.observation.output,ai.prompt.messages,"
        "ai.prompt,ai.toolCall.args,ai.response.text,ai.result.text,ai.toolCall.result,ai.response.object,ai.result.object,"
        "ai.response.toolCalls,ai.result.toolCalls,gcp.vertex.agent.llm_request,gcp.vertex.agent.llm_response,"
        "gcp.vertex.agent.tool_call_args,gcp.vertex.agent.tool_response,prompt,all_messages_events,events,mlflow.spanInputs,"
        "mlflow.spanOutputs,traceloop.entity.input,traceloop.entity.output,input.value,output.value,final_result,"
        "pydantic_ai.all_messages,gen_ai.system_instructions,input,output,gen_ai.input.messages,gen_ai.output.messages,"
        "gen_ai.tool.call.arguments,gen_ai.tool.call.result";
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (text_starts(key, families[i]))
            return true;
    return text_lists(TEXT(keys), key);
}

static void span_metadata_collect(span_mapper *m, const span_view *v, span_metadata *out)
{
    const otlp_value *old = v->of[SPAN_TRACE_METADATA_OLD], *own = v->of[SPAN_METADATA], *trace = v->of[SPAN_TRACE_METADATA];
    span_metadata_put_object(m, out, &out->observation, span_is_something(own) ? own : old);
    span_metadata_put_object(m, out, &out->trace, span_is_something(trace) ? trace : old);
    for (size_t i = 0; i < v->span->attributes.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, v->span->attributes, i);
        span_metadata_sort(m, out, attribute);
        if (!v->scope->of_sdk && !span_metadata_is_told(attribute->key))
            metadata_put(m->arena, &out->attributes, attribute->key, otlp_text(m->arena, &attribute->value));
    }
}

static void span_metadata_put_json(span_mapper *m, text members)
{
    if (members.size > 0)
        json_put_comma(&m->scratch);
    buf_text(&m->scratch, members);
}

static text span_metadata_members(span_mapper *m, const char *prefix, const metadata *from)
{
    metadata prefixed = {0};
    metadata_merge(m->arena, &prefixed, prefix, from);
    metadata_write(&m->scratch, &prefixed);
    return span_take_scratch(m);
}

static text span_metadata_object(span_mapper *m, const metadata *from)
{
    buf_char(&m->scratch, '{');
    metadata_write(&m->scratch, from);
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

/* The trace wins over the observation. */
static text span_metadata_all(span_mapper *m, const span_view *v, const span_metadata *in)
{
    metadata all = in->observation;
    text attributes = in->attributes.count > 0 ? span_metadata_members(m, "attributes", &in->attributes) : TEXT("");
    if (in->trace.count > 0) {
        all = (metadata){0};
        metadata_merge(m->arena, &all, "", &in->observation);
        metadata_merge(m->arena, &all, "", &in->trace);
    }
    buf_char(&m->scratch, '{');
    metadata_write(&m->scratch, &all);
    span_metadata_put_json(m, (in->replaced & SPAN_OWN_SCOPE) != 0 ? TEXT("") : v->scope->scope_json);
    span_metadata_put_json(m, (in->replaced & SPAN_OWN_RESOURCE) != 0 ? TEXT("") : v->scope->resource_json);
    span_metadata_put_json(m, (in->replaced & SPAN_OWN_ATTRIBUTES) != 0 ? TEXT("") : attributes);
    buf_char(&m->scratch, '}');
    return span_take_scratch(m);
}

void span_set_metadata(span_mapper *m, const span_view *v, observation *out)
{
    span_metadata in = {.is_flat = true};
    span_metadata_collect(m, v, &in);
    out->metadata = span_metadata_all(m, v, &in);
    out->own_metadata = TEXT("");
    if (in.trace.count > 0)
        out->trace_metadata = span_metadata_object(m, &in.trace);
    if (in.trace.count > 0 || !in.is_flat)
        out->own_metadata = span_metadata_object(m, &in.own);
    if (in.experiment.count > 0)
        out->experiment = span_metadata_object(m, &in.experiment);
}

static void span_metadata_put_attributes(span_mapper *m, metadata *into, otlp_attributes list)
{
    for (size_t i = 0; i < list.count; i++) {
        const otlp_attribute *attribute = span_attribute_at(m, list, i);
        metadata_put(m->arena, into, attribute->key, otlp_text(m->arena, &attribute->value));
    }
}

void span_view_metadata(span_mapper *m, const otlp_scope *scope, span_scope *out)
{
    metadata of_scope = {0}, attributes = {0}, resource = {0};
    span_metadata_put_attributes(m, &attributes, scope->attributes);
    span_metadata_put_attributes(m, &resource, scope->resource);
    if (scope->name.size > 0)
        metadata_put(m->arena, &of_scope, TEXT("name"), scope->name);
    if (scope->version.size > 0)
        metadata_put(m->arena, &of_scope, TEXT("version"), scope->version);
    metadata_merge(m->arena, &of_scope, "attributes", &attributes);
    out->scope_json = span_metadata_members(m, "scope", &of_scope);
    out->resource_json = span_metadata_members(m, "resourceAttributes", &resource);
}
