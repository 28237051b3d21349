/* What the files that map spans share: the attributes of a span by their keys, and the steps of reading them. For span*.c only. */
#ifndef LOCAL_SPAN_PRIVATE_H
#define LOCAL_SPAN_PRIVATE_H

#include "metadata.h"
#include "span.h"

/* In byte order of the keys: they are searched by halves. */
#define SPAN_KEYS(X)                                                         \
    X(AI_MODEL, "ai.model.id")                                               \
    X(AI_PROVIDER, "ai.model.provider")                                      \
    X(AI_OPERATION, "ai.operationId")                                        \
    X(AI_PROMPT, "ai.prompt")                                                \
    X(AI_MESSAGES, "ai.prompt.messages")                                     \
    X(AI_TOOL_CHOICE, "ai.prompt.toolChoice")                                \
    X(AI_FIRST_CHUNK, "ai.response.msToFirstChunk")                          \
    X(AI_OBJECT, "ai.response.object")                                       \
    X(AI_PROVIDER_METADATA, "ai.response.providerMetadata")                  \
    X(AI_TEXT, "ai.response.text")                                           \
    X(AI_TOOL_CALLS, "ai.response.toolCalls")                                \
    X(AI_OBJECT_OLD, "ai.result.object")                                     \
    X(AI_TEXT_OLD, "ai.result.text")                                         \
    X(AI_TOOL_CALLS_OLD, "ai.result.toolCalls")                              \
    X(AI_MAX_RETRIES, "ai.settings.maxRetries")                              \
    X(AI_MAX_STEPS, "ai.settings.maxSteps")                                  \
    X(AI_MODE, "ai.settings.mode")                                           \
    X(AI_FIRST_CHUNK_OLD, "ai.stream.msToFirstChunk")                        \
    X(AI_FUNCTION, "ai.telemetry.functionId")                                \
    X(AI_LANGFUSE_PROMPT, "ai.telemetry.metadata.langfusePrompt")            \
    X(AI_SESSION, "ai.telemetry.metadata.sessionId")                         \
    X(AI_TAGS, "ai.telemetry.metadata.tags")                                 \
    X(AI_USER, "ai.telemetry.metadata.userId")                               \
    X(AI_TOOL_ARGUMENTS, "ai.toolCall.args")                                 \
    X(AI_TOOL_NAME, "ai.toolCall.name")                                      \
    X(AI_TOOL_RESULT, "ai.toolCall.result")                                  \
    X(AI_CACHED, "ai.usage.cachedInputTokens")                               \
    X(AI_REASONING, "ai.usage.reasoningTokens")                              \
    X(AI_TOKENS, "ai.usage.tokens")                                          \
    X(LOGFIRE_MESSAGES, "all_messages_events")                               \
    X(DEPLOYMENT_ENVIRONMENT, "deployment.environment")                      \
    X(DEPLOYMENT_ENVIRONMENT_NAME, "deployment.environment.name")            \
    X(LOGFIRE_EVENTS, "events")                                              \
    X(PYDANTIC_RESULT, "final_result")                                       \
    X(ADK_REQUEST, "gcp.vertex.agent.llm_request")                           \
    X(ADK_RESPONSE, "gcp.vertex.agent.llm_response")                         \
    X(ADK_ARGUMENTS, "gcp.vertex.agent.tool_call_args")                      \
    X(ADK_RESULT, "gcp.vertex.agent.tool_response")                          \
    X(CONVERSATION, "gen_ai.conversation.id")                                \
    X(FINISH_REASON_OLD, "gen_ai.finishReason")                              \
    X(INPUT_MESSAGES, "gen_ai.input.messages")                               \
    X(OPERATION, "gen_ai.operation.name")                                    \
    X(OUTPUT_MESSAGES, "gen_ai.output.messages")                             \
    X(MAX_TOKENS, "gen_ai.request.max_tokens")                               \
    X(REQUEST_MODEL, "gen_ai.request.model")                                 \
    X(SERVICE_TIER, "gen_ai.request.service_tier")                           \
    X(TEMPERATURE, "gen_ai.request.temperature")                             \
    X(FINISH_REASONS, "gen_ai.response.finish_reasons")                      \
    X(RESPONSE_MODEL, "gen_ai.response.model")                               \
    X(SYSTEM, "gen_ai.system")                                               \
    X(SYSTEM_INSTRUCTIONS, "gen_ai.system_instructions")                     \
    X(TOOL_ARGUMENTS, "gen_ai.tool.call.arguments")                          \
    X(TOOL_CALL, "gen_ai.tool.call.id")                                      \
    X(TOOL_RESULT, "gen_ai.tool.call.result")                                \
    X(TOOL_NAME, "gen_ai.tool.name")                                         \
    X(USAGE_COMPLETION, "gen_ai.usage.completion_tokens")                    \
    X(USAGE_COST, "gen_ai.usage.cost")                                       \
    X(USAGE_INPUT, "gen_ai.usage.input_tokens")                              \
    X(USAGE_OUTPUT, "gen_ai.usage.output_tokens")                            \
    X(USAGE_PROMPT, "gen_ai.usage.prompt_tokens")                            \
    X(PLAIN_INPUT, "input")                                                  \
    X(INPUT_VALUE, "input.value")                                            \
    X(ENVIRONMENT, "langfuse.environment")                                   \
    X(APP_ROOT, "langfuse.internal.is_app_root")                             \
    X(TRACE_METADATA_OLD, "langfuse.metadata")                               \
    X(COMPLETION_START, "langfuse.observation.completion_start_time")        \
    X(COST, "langfuse.observation.cost_details")                             \
    X(INPUT, "langfuse.observation.input")                                   \
    X(LEVEL, "langfuse.observation.level")                                   \
    X(METADATA, "langfuse.observation.metadata")                             \
    X(METADATA_SESSION, "langfuse.observation.metadata.langfuse_session_id") \
    X(METADATA_TAGS, "langfuse.observation.metadata.langfuse_tags")          \
    X(METADATA_USER, "langfuse.observation.metadata.langfuse_user_id")       \
    X(MODEL, "langfuse.observation.model.name")                              \
    X(MODEL_PARAMETERS, "langfuse.observation.model.parameters")             \
    X(OUTPUT, "langfuse.observation.output")                                 \
    X(PROMPT_NAME, "langfuse.observation.prompt.name")                       \
    X(PROMPT_VERSION, "langfuse.observation.prompt.version")                 \
    X(STATUS_MESSAGE, "langfuse.observation.status_message")                 \
    X(TYPE, "langfuse.observation.type")                                     \
    X(USAGE, "langfuse.observation.usage_details")                           \
    X(PROMPT_NAME_OLD, "langfuse.prompt.name")                               \
    X(PROMPT_VERSION_OLD, "langfuse.prompt.version")                         \
    X(PUBLIC_OLD, "langfuse.public")                                         \
    X(RELEASE, "langfuse.release")                                           \
    X(LF_SESSION, "langfuse.session.id")                                     \
    X(TAGS_OLD, "langfuse.tags")                                             \
    X(TRACE_INPUT, "langfuse.trace.input")                                   \
    X(TRACE_METADATA, "langfuse.trace.metadata")                             \
    X(TRACE_METADATA_SESSION, "langfuse.trace.metadata.langfuse_session_id") \
    X(TRACE_METADATA_TAGS, "langfuse.trace.metadata.langfuse_tags")          \
    X(TRACE_METADATA_USER, "langfuse.trace.metadata.langfuse_user_id")       \
    X(TRACE_NAME, "langfuse.trace.name")                                     \
    X(TRACE_OUTPUT, "langfuse.trace.output")                                 \
    X(PUBLIC, "langfuse.trace.public")                                       \
    X(TAGS, "langfuse.trace.tags")                                           \
    X(LF_USER, "langfuse.user.id")                                           \
    X(VERSION, "langfuse.version")                                           \
    X(LLM_COST, "llm.cost.total")                                            \
    X(LLM_PARAMETERS, "llm.invocation_parameters")                           \
    X(LLM_MODEL, "llm.model_name")                                           \
    X(LLM_RESPONSE_MODEL, "llm.response.model")                              \
    X(LOGFIRE_NAME, "logfire.msg")                                           \
    X(MLFLOW_INPUT, "mlflow.spanInputs")                                     \
    X(MLFLOW_OUTPUT, "mlflow.spanOutputs")                                   \
    X(PLAIN_MODEL, "model")                                                  \
    X(MODEL_CONFIG, "model_config")                                          \
    X(SPAN_KIND, "openinference.span.kind")                                  \
    X(OPERATION_NAME, "operation.name")                                      \
    X(PLAIN_OUTPUT, "output")                                                \
    X(OUTPUT_VALUE, "output.value")                                          \
    X(LOGFIRE_PROMPT, "prompt")                                              \
    X(PYDANTIC_MESSAGES, "pydantic_ai.all_messages")                         \
    X(SERVICE_VERSION, "service.version")                                    \
    X(SESSION, "session.id")                                                 \
    X(TAG_TAGS, "tag.tags")                                                  \
    X(SDK_LANGUAGE, "telemetry.sdk.language")                                \
    X(PLAIN_ARGUMENTS, "tool_arguments")                                     \
    X(PLAIN_RESULT, "tool_response")                                         \
    X(ENTITY_INPUT, "traceloop.entity.input")                                \
    X(ENTITY_OUTPUT, "traceloop.entity.output")                              \
    X(USER, "user.id")

#define X(name, spelling) SPAN_##name,
typedef enum span_key { SPAN_KEYS(X) SPAN_COUNT } span_key;
#undef X

/* By keys; NULL: the attribute is not there. */
typedef const otlp_value *span_slots[SPAN_COUNT];

/* What all spans of one scope share. */
typedef struct span_scope {
    text name, version;
    span_slots resource;
    bool of_sdk;        /* a scope of a Langfuse SDK: its other attributes are not copied into metadata */
    text scope_json;    /* metadata members, without braces */
    text resource_json; /* the same */
} span_scope;

typedef struct span_mapper {
    const otlp_export *e;
    arena *arena;
    span_scope *scopes;
    buf scratch;
    bool decode; /* texts of metadata are JSON */
    unsigned losses;
} span_mapper;

/* One span with its attributes sorted: those with a known key into slots, where the last of several counts. */
typedef struct span_view {
    const otlp_span *span;
    const span_scope *scope;
    span_slots of;
} span_view;

const otlp_attribute *span_attribute_at(const span_mapper *m, otlp_attributes list, size_t i);

text span_text(span_mapper *m, const otlp_value *value); /* empty when there is none */

/* What JavaScript takes for true: no empty text, no 0, no false. */
bool span_is_something(const otlp_value *value);

/* The first of several keys whose value is something; NULL: none is. */
const otlp_value *span_first(const span_slots of, const span_key *keys, size_t count);
#define SPAN_FIRST(of, ...) \
    span_first(of, (const span_key[]){__VA_ARGS__}, sizeof((const span_key[]){__VA_ARGS__}) / sizeof(span_key))

/* JSON in a text, of a kind; NULL when it is none. */
const json *span_json_of(span_mapper *m, const otlp_value *value, json_kind kind);

/* The text that is written into the scratch, which is empty then. */
text span_take_scratch(span_mapper *m);

/* span_io.c */
void span_set_io(span_mapper *m, const span_view *v, observation *out);

/* span_metadata.c */
void span_view_metadata(span_mapper *m, const otlp_scope *scope, span_scope *out);
void span_set_metadata(span_mapper *m, const span_view *v, observation *out);

/* span_model.c; the costs may depend on all other fields */
void span_set_model(span_mapper *m, const span_view *v, observation *out);
void span_set_usage(span_mapper *m, const span_view *v, observation *out);

#endif
