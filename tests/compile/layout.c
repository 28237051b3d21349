/* The layout of every public struct, and the number of every enumerator, as programs have them compiled in. A change here is a
 * change of the binary interface: from version 1.0 on a struct may only grow at its end, and an enumerator keeps its number.
 *
 * A field that is added at an end must not fall into padding: the size must tell whether a program has it.
 *
 * FIELD(name, offset on 64 bit, on i386, on 32 bit where 8 bytes are aligned to 8). ARRAY: the field is one.
 */
#define LF_KEEP_DEPRECATED
#include "../../langfuse/model.h"
#include "../../langfuse/openai.h"
#define LF_CURL_NO_NAMES
#include "../../langfuse/curl.h"
#include "../../langfuse/prompt.h"
#include "../../langfuse/score.h"

#if UINTPTR_MAX > 0xffffffffu
#define PICK(lp64, i386, ilp32) lp64
#elif defined(__i386__)
#define PICK(lp64, i386, ilp32) i386
#else
#define PICK(lp64, i386, ilp32) ilp32
#endif

/* The initializer has a value for each field that is listed: for one that is not listed the compiler warns. */
#define OFFSET(field, ...) _Static_assert(offsetof(this, field) == PICK(__VA_ARGS__), "the offset of " #field);
#define IN_ORDER(field, ...) of->field,
#define ZEROES(field, ...) {0},
#define STRUCT(type, ...)                                                          \
    type all_of_##type(const type *of);                                            \
    type all_of_##type(const type *of)                                             \
    {                                                                              \
        typedef type this;                                                         \
        OF_##type(OFFSET, OFFSET)                                                  \
        _Static_assert(sizeof(this) == PICK(__VA_ARGS__), "the size of " #type);   \
        const type all = {OF_##type(IN_ORDER, ZEROES)};                            \
        (void)of;                                                                  \
        return all;                                                                \
    }
#pragma GCC diagnostic ignored "-Wmissing-braces"

#define OF_lf_error(FIELD, ARRAY) \
    FIELD(status, 0, 0, 0)        \
    FIELD(http_status, 4, 4, 4)   \
    ARRAY(message, 8, 8, 8)
STRUCT(lf_error, 264, 264, 264)

#define OF_lf_value(FIELD, ARRAY) \
    FIELD(kind, 0, 0, 0)          \
    FIELD(element, 2, 2, 2)       \
    FIELD(element_size, 4, 4, 4)  \
    FIELD(as, 8, 8, 8)            \
    FIELD(extra, 16, 16, 16)
STRUCT(lf_value, 24, 24, 24)

#define OF_lf_member(FIELD, ARRAY) \
    FIELD(name, 0, 0, 0)           \
    FIELD(value, 8, 4, 8)
STRUCT(lf_member, 32, 28, 32)

#define OF_lf_masked(FIELD, ARRAY) \
    FIELD(field, 0, 0, 0)          \
    FIELD(text, 8, 4, 4)           \
    FIELD(size, 16, 8, 8)          \
    FIELD(is_json, 24, 12, 12)     \
    FIELD(replacement, 32, 16, 16)
STRUCT(lf_masked, 40, 20, 20)

#define OF_lf_options(FIELD, ARRAY)        \
    FIELD(struct_size, 0, 0, 0)            \
    FIELD(public_key, 8, 4, 4)             \
    FIELD(secret_key, 16, 8, 8)            \
    FIELD(base_url, 24, 12, 12)            \
    FIELD(environment, 32, 16, 16)         \
    FIELD(release, 40, 20, 20)             \
    FIELD(exporter, 48, 24, 24)            \
    FIELD(protocol, 56, 28, 28)            \
    FIELD(tracing, 64, 32, 32)             \
    FIELD(capture_io, 68, 36, 36)          \
    FIELD(debug, 72, 40, 40)               \
    FIELD(flush_at, 76, 44, 44)            \
    FIELD(flush_interval_ms, 80, 48, 48)   \
    FIELD(timeout_ms, 84, 52, 52)          \
    FIELD(exit_timeout_ms, 88, 56, 56)     \
    FIELD(max_queue_bytes, 96, 60, 60)     \
    FIELD(max_batch_bytes, 104, 64, 64)    \
    FIELD(max_event_bytes, 112, 68, 68)    \
    FIELD(ca_file, 120, 72, 72)            \
    FIELD(ca_path, 128, 76, 76)            \
    FIELD(client_certificate, 136, 80, 80) \
    FIELD(client_key, 144, 84, 84)         \
    FIELD(proxy, 152, 88, 88)              \
    FIELD(insecure, 160, 92, 92)           \
    FIELD(headers, 168, 96, 96)            \
    FIELD(log, 176, 100, 100)              \
    FIELD(log_data, 184, 104, 104)         \
    FIELD(curl_hook, 192, 108, 108)        \
    FIELD(curl_hook_data, 200, 112, 112)   \
    FIELD(sample_rate, 208, 116, 120)      \
    FIELD(mask, 216, 124, 128)             \
    FIELD(mask_data, 224, 128, 132)        \
    FIELD(max_handles, 232, 132, 136)      \
    FIELD(max_handle_bytes, 240, 136, 140) \
    FIELD(log_level, 248, 140, 144)        \
    FIELD(secret_key_file, 256, 144, 148)  \
    FIELD(worker, 264, 148, 152)
STRUCT(lf_options, 272, 152, 160)

#define OF_lf_poll_wants(FIELD, ARRAY) \
    FIELD(timeout_ms, 0, 0, 0)         \
    FIELD(count, 4, 4, 4)              \
    ARRAY(fds, 8, 8, 8)
STRUCT(lf_poll_wants, 136, 136, 136)

#define OF_lf_stats(FIELD, ARRAY)         \
    FIELD(accepted, 0, 0, 0)              \
    FIELD(delivered, 8, 8, 8)             \
    FIELD(dropped_total, 16, 16, 16)      \
    ARRAY(dropped, 24, 24, 24)            \
    FIELD(queued, 152, 152, 152)          \
    FIELD(open, 160, 160, 160)            \
    FIELD(queued_bytes, 168, 168, 168)    \
    FIELD(requests, 176, 176, 176)        \
    FIELD(retries, 184, 184, 184)         \
    FIELD(last_success_ns, 192, 192, 192) \
    FIELD(misused, 200, 200, 200)         \
    FIELD(left_out, 208, 208, 208)
STRUCT(lf_stats, 216, 216, 216)

#define OF_lf_observation_fields(FIELD, ARRAY)     \
    FIELD(struct_size, 0, 0, 0)                    \
    FIELD(name, 8, 4, 4)                           \
    FIELD(type, 16, 8, 8)                          \
    FIELD(level, 20, 12, 12)                       \
    FIELD(input, 24, 16, 16)                       \
    FIELD(output, 48, 40, 40)                      \
    FIELD(metadata, 72, 64, 64)                    \
    FIELD(status_message, 96, 88, 88)              \
    FIELD(version, 104, 92, 92)                    \
    FIELD(model, 112, 96, 96)                      \
    FIELD(model_parameters, 120, 100, 104)         \
    FIELD(usage_details, 144, 124, 128)            \
    FIELD(cost_details, 168, 148, 152)             \
    FIELD(usage, 192, 172, 176)                    \
    FIELD(prompt, 216, 196, 200)                   \
    FIELD(prompt_name, 224, 200, 204)              \
    FIELD(prompt_version, 232, 204, 208)           \
    FIELD(completion_start_time_ns, 240, 208, 216) \
    FIELD(end_time_ns, 248, 216, 224)              \
    FIELD(parent, 256, 224, 232)                   \
    FIELD(trace_id, 264, 228, 236)                 \
    FIELD(parent_observation_id, 272, 232, 240)    \
    FIELD(id, 280, 236, 244)                       \
    FIELD(start_time_ns, 288, 240, 248)            \
    FIELD(client, 296, 248, 256)
STRUCT(lf_observation_fields, 304, 252, 264)

#define OF_lf_trace_fields(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)          \
    FIELD(name, 8, 4, 4)                 \
    FIELD(user_id, 16, 8, 8)             \
    FIELD(session_id, 24, 12, 12)        \
    FIELD(version, 32, 16, 16)           \
    FIELD(release, 40, 20, 20)           \
    FIELD(tags, 48, 24, 24)              \
    FIELD(metadata, 72, 48, 48)          \
    FIELD(input, 96, 72, 72)             \
    FIELD(output, 120, 96, 96)           \
    FIELD(public_, 144, 120, 120)        \
    FIELD(trace_id, 152, 124, 124)       \
    FIELD(client, 160, 128, 128)
STRUCT(lf_trace_fields, 168, 132, 136)

#define OF_lf_attributes(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)        \
    FIELD(user_id, 8, 4, 4)            \
    FIELD(session_id, 16, 8, 8)        \
    FIELD(version, 24, 12, 12)         \
    FIELD(trace_name, 32, 16, 16)      \
    FIELD(environment, 40, 20, 20)     \
    FIELD(tags, 48, 24, 24)            \
    FIELD(metadata, 72, 48, 48)        \
    FIELD(prompt, 96, 72, 72)          \
    FIELD(prompt_name, 104, 76, 76)    \
    FIELD(prompt_version, 112, 80, 80) \
    FIELD(as_baggage, 116, 84, 84)
STRUCT(lf_attributes, 120, 88, 88)

#define OF_lf_site(FIELD, ARRAY) \
    FIELD(version, 0, 0, 0)      \
    FIELD(id, 4, 4, 4)           \
    FIELD(function, 8, 8, 8)     \
    FIELD(file, 16, 12, 12)      \
    FIELD(arguments, 24, 16, 16) \
    FIELD(line, 32, 20, 20)      \
    FIELD(type, 36, 24, 24)      \
    FIELD(count, 38, 26, 26)     \
    FIELD(around, 40, 28, 28)    \
    FIELD(at, 48, 32, 32)        \
    FIELD(depth, 56, 40, 40)
STRUCT(lf_site, 64, 44, 48)

#define OF_lf_scope(FIELD, ARRAY) \
    ARRAY(words, 0, 0, 0)
STRUCT(lf_scope, 32, 32, 32)

#define OF_lf_observe_options(FIELD, ARRAY)  \
    FIELD(struct_size, 0, 0, 0)              \
    FIELD(name, 8, 4, 4)                     \
    FIELD(type, 16, 8, 8)                    \
    FIELD(capture_input, 20, 12, 12)         \
    FIELD(capture_output, 24, 16, 16)        \
    FIELD(trace_id, 32, 20, 20)              \
    FIELD(parent_observation_id, 40, 24, 24) \
    FIELD(client, 48, 28, 28)
STRUCT(lf_observe_options, 56, 32, 32)

#define OF_lf_prompt(FIELD, ARRAY)    \
    FIELD(name, 0, 0, 0)              \
    FIELD(version, 8, 4, 4)           \
    FIELD(is_fallback, 12, 8, 8)      \
    FIELD(source, 16, 12, 12)         \
    FIELD(type, 20, 16, 16)           \
    FIELD(age_ms, 24, 20, 24)         \
    FIELD(prompt, 32, 28, 32)         \
    FIELD(messages, 40, 32, 36)       \
    FIELD(config, 48, 36, 40)         \
    FIELD(labels, 56, 40, 44)         \
    FIELD(tags, 64, 44, 48)           \
    FIELD(variables, 72, 48, 52)      \
    FIELD(commit_message, 80, 52, 56) \
    FIELD(body, 88, 56, 60)
STRUCT(lf_prompt, 96, 60, 64)

#define OF_lf_prompt_query(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)          \
    FIELD(version, 8, 4, 4)              \
    FIELD(label, 16, 8, 8)               \
    FIELD(cache_ttl_ms, 24, 12, 12)      \
    FIELD(fallback, 32, 16, 16)          \
    FIELD(fallback_messages, 40, 20, 24) \
    FIELD(timeout_ms, 64, 44, 48)        \
    FIELD(max_retries, 68, 48, 52)       \
    FIELD(client, 72, 52, 56)            \
    FIELD(error, 80, 56, 60)             \
    FIELD(cache_ttl_seconds, 88, 60, 64)
STRUCT(lf_prompt_query, 96, 64, 72)

#define OF_lf_prompt_inputs(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)           \
    FIELD(variables, 8, 4, 8)             \
    FIELD(placeholders, 32, 28, 32)
STRUCT(lf_prompt_inputs, 56, 52, 56)

#define OF_lf_new_prompt(FIELD, ARRAY)   \
    FIELD(struct_size, 0, 0, 0)          \
    FIELD(name, 8, 4, 4)                 \
    FIELD(prompt, 16, 8, 8)              \
    FIELD(messages, 24, 12, 16)          \
    FIELD(labels, 48, 36, 40)            \
    FIELD(tags, 72, 60, 64)              \
    FIELD(config, 96, 84, 88)            \
    FIELD(commit_message, 120, 108, 112) \
    FIELD(timeout_ms, 128, 112, 116)     \
    FIELD(client, 136, 116, 120)         \
    FIELD(error, 144, 120, 124)
STRUCT(lf_new_prompt, 152, 124, 128)

#define OF_lf_curl_fields(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)         \
    FIELD(name, 8, 4, 4)                \
    FIELD(prompt, 16, 8, 8)             \
    FIELD(metadata, 24, 12, 16)         \
    FIELD(parent, 48, 36, 40)           \
    FIELD(context, 56, 40, 44)          \
    FIELD(traceparent, 64, 44, 48)      \
    FIELD(skip, 68, 48, 52)
STRUCT(lf_curl_fields, 72, 52, 56)

#define OF_lf_prompt_change(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)           \
    FIELD(name, 8, 4, 4)                  \
    FIELD(version, 16, 8, 8)              \
    FIELD(new_labels, 24, 12, 16)         \
    FIELD(timeout_ms, 48, 36, 40)         \
    FIELD(client, 56, 40, 44)             \
    FIELD(error, 64, 44, 48)
STRUCT(lf_prompt_change, 72, 48, 56)

#define OF_lf_model_request(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0) \
    FIELD(url, 8, 4, 4) \
    FIELD(body, 16, 8, 8) \
    FIELD(body_size, 24, 12, 12) \
    FIELD(name, 32, 16, 16) \
    FIELD(metadata, 40, 20, 24) \
    FIELD(capture_io, 64, 44, 48) \
    FIELD(prompt, 72, 48, 52) \
    FIELD(parent, 80, 52, 56) \
    FIELD(client, 88, 56, 60) \
    FIELD(start_time_ns, 96, 60, 64)
STRUCT(lf_model_request, 104, 68, 72)

#define OF_lf_model_outcome(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0) \
    FIELD(http_status, 8, 4, 4) \
    FIELD(error, 16, 8, 8) \
    FIELD(cancelled, 24, 12, 12) \
    FIELD(unread_bytes, 32, 16, 16) \
    FIELD(metadata, 40, 20, 24) \
    FIELD(end_time_ns, 64, 44, 48)
STRUCT(lf_model_outcome, 72, 52, 56)

#define OF_lf_score_fields(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)          \
    FIELD(name, 8, 4, 4)                 \
    FIELD(value, 16, 8, 8)               \
    FIELD(string_value, 24, 16, 16)      \
    FIELD(data_type, 32, 20, 20)         \
    FIELD(trace_id, 40, 24, 24)          \
    FIELD(observation_id, 48, 28, 28)    \
    FIELD(observation, 56, 32, 32)       \
    FIELD(session_id, 64, 36, 36)        \
    FIELD(dataset_run_id, 72, 40, 40)    \
    FIELD(comment, 80, 44, 44)           \
    FIELD(config_id, 88, 48, 48)         \
    FIELD(metadata, 96, 52, 56)          \
    FIELD(id, 120, 76, 80)               \
    FIELD(environment, 128, 80, 84)      \
    FIELD(timestamp_ns, 136, 84, 88)     \
    FIELD(client, 144, 92, 96)
STRUCT(lf_score_fields, 152, 96, 104)

#define OF_lf_chat_request(FIELD, ARRAY) \
    FIELD(struct_size, 0, 0, 0)          \
    FIELD(model, 8, 4, 4)                \
    FIELD(messages, 16, 8, 8)            \
    FIELD(tools, 40, 32, 32)             \
    FIELD(parameters, 64, 56, 56)        \
    FIELD(prompt, 88, 80, 80)            \
    FIELD(on_text, 96, 84, 84)           \
    FIELD(on_text_data, 104, 88, 88)     \
    FIELD(base_url, 112, 92, 92)         \
    FIELD(api_key, 120, 96, 96)          \
    FIELD(timeout_ms, 128, 100, 100)     \
    FIELD(max_retries, 132, 104, 104)    \
    FIELD(name, 136, 108, 108)           \
    FIELD(parent, 144, 112, 112)         \
    FIELD(tracing, 152, 116, 116)        \
    FIELD(client, 160, 120, 120)         \
    FIELD(error, 168, 124, 124)
STRUCT(lf_chat_request, 176, 128, 128)

#define OF_lf_reply(FIELD, ARRAY)    \
    FIELD(text, 0, 0, 0)             \
    FIELD(text_size, 8, 4, 4)        \
    FIELD(message, 16, 8, 8)         \
    FIELD(tool_calls, 24, 12, 12)    \
    FIELD(finish_reason, 32, 16, 16) \
    FIELD(usage, 40, 20, 20)         \
    FIELD(json, 48, 24, 24)          \
    FIELD(json_size, 56, 28, 28)     \
    FIELD(http_status, 64, 32, 32)   \
    FIELD(is_cancelled, 68, 36, 36)
STRUCT(lf_reply, 72, 40, 40)

/* ---- Enumerators ---- */

#define IS(enumerator, number) _Static_assert((enumerator) == (number), "the number of " #enumerator);
IS(LF_OK, 0) IS(LF_ERR_ARGUMENT, -1) IS(LF_ERR_MEMORY, -2) IS(LF_ERR_TIMEOUT, -3) IS(LF_ERR_NETWORK, -4)
IS(LF_ERR_UNAUTHORIZED, -5) IS(LF_ERR_REFUSED, -6) IS(LF_ERR_SERVER, -7) IS(LF_ERR_DISABLED, -8) IS(LF_ERR_LOST, -9)
IS(LF_KIND_UNSET, 0) IS(LF_KIND_NULL, 1) IS(LF_KIND_BOOL, 2) IS(LF_KIND_INT, 3) IS(LF_KIND_UINT, 4) IS(LF_KIND_INT128, 5)
IS(LF_KIND_UINT128, 6) IS(LF_KIND_FLOAT, 7) IS(LF_KIND_DOUBLE, 8) IS(LF_KIND_CHAR, 9) IS(LF_KIND_CSTRING, 10)
IS(LF_KIND_STRING, 11) IS(LF_KIND_JSON, 12) IS(LF_KIND_POINTER, 13) IS(LF_KIND_CJSON, 14) IS(LF_KIND_ARRAY, 15)
IS(LF_KIND_OBJECT, 16) IS(LF_KIND_LIST, 17) IS(LF_KIND_SECRET, 18) IS(LF_KIND_OPAQUE, 19)
IS(LF_DEFAULT, 0) IS(LF_ON, 1) IS(LF_OFF, 2)
IS(LF_LOG_DEFAULT, 0) IS(LF_LOG_QUIET, 1) IS(LF_LOG_WARN, 2) IS(LF_LOG_INFO, 3) IS(LF_LOG_DEBUG, 4)
IS(LF_DROP_QUEUE_FULL, 0) IS(LF_DROP_TOO_LARGE, 1) IS(LF_DROP_REFUSED, 2) IS(LF_DROP_UNREACHABLE, 3) IS(LF_DROP_SHUTDOWN, 4)
IS(LF_DROP_NO_MEMORY, 5) IS(LF_DROP_TOO_DEEP, 6)
IS(LF_TYPE_DEFAULT, 0) IS(LF_SPAN, 1) IS(LF_GENERATION, 2) IS(LF_EVENT, 3) IS(LF_AGENT, 4) IS(LF_TOOL, 5) IS(LF_CHAIN, 6)
IS(LF_RETRIEVER, 7) IS(LF_EVALUATOR, 8) IS(LF_EMBEDDING, 9) IS(LF_GUARDRAIL, 10)
IS(LF_LEVEL_UNSET, 0) IS(LF_LEVEL_DEBUG, 1) IS(LF_LEVEL_DEFAULT, 2) IS(LF_LEVEL_WARNING, 3) IS(LF_LEVEL_ERROR, 4)
IS(LF_I_PAUSED, -1) IS(LF_I_UNKNOWN, 0) IS(LF_I_OFF, 1) IS(LF_I_ON, 2) IS(LF_I_ON_CAPTURING, 3)
IS(LF_PROMPT_TEXT, 0) IS(LF_PROMPT_CHAT, 1)
IS(LF_PROMPT_FRESH, 0) IS(LF_PROMPT_CACHED, 1) IS(LF_PROMPT_STALE, 2) IS(LF_PROMPT_FALLBACK, 3)
IS(LF_SCORE_DEFAULT, 0) IS(LF_SCORE_NUMERIC, 1) IS(LF_SCORE_BOOLEAN, 2) IS(LF_SCORE_CATEGORICAL, 3) IS(LF_SCORE_TEXT, 4)
IS(LF_SCORE_CORRECTION, 5)
