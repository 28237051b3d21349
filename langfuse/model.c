#include "model.h"

#include "../src/base/guest.h"
#include "../src/base/json.h"
#include "../src/base/struct_size.h"
#include "../src/base/value.h"
#include "../src/model/call.h"
#include "../src/model/request.h"
#include "../src/observe/capture.h"

enum {
    MODEL_BODY_MAX = 16 << 20,   /* of a request */
    MODEL_INPUT_MAX = 16 << 20,
    MODEL_METADATA_MAX = 1 << 20,
    MODEL_REPLY_MIN = 64 << 10   /* a small max_event_bytes shortens what is sent, not what is read */
};

/* ---- Requests ----------------------------------------------------------------------------------------------------- */

static bool model_captures(lf_switch said)
{
    return said == LF_DEFAULT ? lf_i_mode() == LF_I_ON_CAPTURING : said == LF_ON;
}

static lf_value model_json(const lf__buf *json)
{
    return json->length == 0 ? (lf_value){0} : lf_jsonn(json->data, json->length);
}

/* A text as C has it: a NUL in it is U+FFFD. */
static const char *model_c_text(lf__buf *out, lf__text text)
{
    lf__buf_init(out, MODEL_METADATA_MAX);
    for (size_t i = 0; i < text.size; i++)
        (void)(text.at[i] != '\0' ? lf__buf_add_char(out, text.at[i]) : LF__BUF_ADD(out, "\xef\xbf\xbd"));
    lf__buf_add_char(out, '\0');
    return text.size == 0 || out->failed ? NULL : out->data;
}

/* An object of the members that were collected, and of those of the program. */
static lf_value model_metadata(lf__buf *out, lf__text members, const lf_value *given)
{
    lf__buf_init(out, MODEL_METADATA_MAX);
    LF__BUF_ADD(out, "{");
    lf__buf_add(out, members.at, members.size);
    size_t before = out->length;
    if (given->kind != LF_KIND_UNSET) {
        lf__buf_add(out, ",", before > 1);
        size_t start = out->length;
        if (lf__value_json(out, given) && out->length - start > 2 && out->data[start] == '{') {
            memmove(out->data + start, out->data + start + 1, out->length - start - 2); /* its braces are ours */
            out->length -= 2;
        } else {
            lf__buf_rewind(out, before);
        }
    }
    LF__BUF_ADD(out, "}");
    return out->length > 2 ? lf_jsonn(out->data, out->length) : (lf_value){0};
}

static lf_observation *model_start(const lf_model_request *given, lf__request *request, bool captures)
{
    lf__buf metadata, model;
    if (request->parameters.length > 0 && request->parameters.length <= 2)
        lf__buf_clear(&request->parameters); /* {} */
    if (request->input.length > 0)
        lf__json_mend(request->input.data, request->input.length);
    lf_observation *observation = lf_start_observation(.name = given->name != NULL ? given->name : lf__api_name(request->api),
                                                       .type = lf__api_is_embedding(request->api) ? LF_EMBEDDING : LF_GENERATION,
                                                       .model = model_c_text(&model, lf__buf_text(&request->model)),
                                                       .model_parameters = model_json(&request->parameters),
                                                       .input = captures ? model_json(&request->input) : (lf_value){0},
                                                       .metadata = model_metadata(&metadata, lf__buf_text(&request->metadata),
                                                                                  &given->metadata),
                                                       .prompt = given->prompt, .parent = given->parent, .client = given->client,
                                                       .start_time_ns = given->start_time_ns);
    lf__buf_done(&metadata);
    lf__buf_done(&model);
    return observation;
}

static size_t model_most(void)
{
    size_t most = atomic_load_explicit(&lf__record_bytes, memory_order_relaxed);
    return most < MODEL_REPLY_MIN ? MODEL_REPLY_MIN : most;
}

static lf_model_call *model_open(const lf_model_request *given, lf__text url, lf__text body, bool captures)
{
    lf__request request;
    lf_model_call *call = NULL;
    lf__api api = lf__api_of(url, body);
    (void)lf__request_read(&request, api == LF__API_NONE ? LF__API_OTHER : api, url, body, MODEL_INPUT_MAX);
    lf__call_state state = {.reply = lf__reply_new(request.api, request.media_type, model_most()), .captures = captures};
    if (state.reply != NULL)
        state.observation = model_start(given, &request, captures);
    state.parameters = request.parameters;
    request.parameters = (lf__buf){0};
    if (state.observation != NULL)
        call = lf__call_new(&state);
    if (call == NULL) { /* what is recorded must not look like a call without a reply */
        lf_observation_end(state.observation, .level = LF_LEVEL_WARNING, .status_message = "too many calls of models are open");
        lf__call_state_done(&state);
    }
    lf__request_done(&request);
    return call;
}

static lf__text model_body(const lf_model_request *request)
{
    bool zero_is_said = (request->struct_size & 1) != 0;
    bool is_said = request->body_size != SIZE_MAX && (request->body_size != 0 || zero_is_said);
    if (request->body == NULL || (is_said && !lf__size_is_possible(request->body_size)))
        return (lf__text){NULL, 0};
    return (lf__text){request->body, is_said ? request->body_size : strlen(request->body)};
}

lf_model_call *lf_model_begin_with(const lf_model_request *given)
{
    lf_model_request own;
    if (given == NULL || lf_i_mode() < LF_I_ON)
        return NULL;
    LF__KEEP_ERRNO;
    const lf_model_request *request = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_model_request, start_time_ns));
    return model_open(request, lf__text_of(request->url), model_body(request), model_captures(request->capture_io));
}

lf_observation *lf_model_observation(const lf_model_call *name)
{
    lf__call *call = lf__call_lock(name);
    if (call == NULL)
        return NULL;
    lf_observation *observation = call->state.observation;
    lf__call_unlock(call);
    return observation;
}

/* ---- Replies ------------------------------------------------------------------------------------------------------ */

void lf_model_reply_at(lf_model_call *name, const char *bytes, size_t size, int64_t moment_ns)
{
    if (bytes == NULL || !lf__size_is_possible(size))
        return;
    LF__KEEP_ERRNO;
    lf__call *call = lf__call_lock(name);
    if (call == NULL)
        return;
    lf__call_feed(call, bytes, size, moment_ns);
    lf__call_unlock(call);
}

void lf_model_reply(lf_model_call *name, const char *bytes, size_t size)
{
    if (name != NULL)
        lf_model_reply_at(name, bytes, size, (int64_t)lf__wall_ns());
}

/* ---- Ends --------------------------------------------------------------------------------------------------------- */

static lf_value model_text_json(lf__text json)
{
    return json.size == 0 ? (lf_value){0} : lf_jsonn(json.at, json.size);
}

/* Members of our own beside those that the reply brought. */
static void model_add_notes(lf__buf *out, const lf__reply_result *result, const lf_model_outcome *outcome, bool was_cut)
{
    lf__buf_init(out, MODEL_METADATA_MAX);
    lf__buf_add(out, result->metadata.at, result->metadata.size);
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"http_status", outcome->http_status > 0 ? (uint64_t)outcome->http_status : 0},
                   {"reply_bytes", outcome->unread_bytes}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].value == 0)
            continue;
        lf__buf_add_text(out, out->length > 0 ? ",\"" : "\"");
        lf__buf_add_text(out, numbers[i].key);
        LF__BUF_ADD(out, "\":");
        lf__json_uint(out, numbers[i].value);
    }
    if (result->truncated || was_cut)
        lf__buf_add_text(out, out->length > 0 ? ",\"truncated\":true" : "\"truncated\":true");
}

/* Those of the request, with the tier that served it: another one has other prices. */
static lf_value model_parameters(lf__buf *out, const lf__buf *requested, lf__text tier)
{
    lf__json_member member;
    lf__buf_init(out, MODEL_METADATA_MAX);
    if (tier.size == 0)
        return (lf_value){0};
    LF__BUF_ADD(out, "{\"service_tier\":");
    lf__buf_add(out, tier.at, tier.size);
    for (size_t at = 0; lf__json_next_member(requested->data, requested->length, &at, &member);) {
        if (lf__text_equals((lf__text){member.key, member.key_size}, (lf__text)LF__TEXT("service_tier")))
            continue;
        LF__BUF_ADD(out, ",");
        lf__buf_add(out, member.key - 1, (size_t)(member.value + member.value_size - member.key) + 1);
    }
    LF__BUF_ADD(out, "}");
    return lf_jsonn(out->data, out->length);
}

static void model_close(const lf__call_state *state, const lf__reply_result *result, const lf_model_outcome *outcome)
{
    lf__buf notes, metadata, parameters, model, message;
    model_add_notes(&notes, result, outcome, state->was_cut);
    lf_observation_end(state->observation, .model = model_c_text(&model, result->model),
                       .model_parameters = model_parameters(&parameters, &state->parameters, result->service_tier),
                       .output = state->captures ? model_text_json(result->output) : (lf_value){0},
                       .usage_details = model_text_json(result->usage_details),
                       .cost_details = model_text_json(result->cost_details),
                       .metadata = model_metadata(&metadata, lf__buf_text(&notes), &outcome->metadata),
                       .level = result->level == LF_LEVEL_DEFAULT ? LF_LEVEL_UNSET : result->level,
                       .status_message = model_c_text(&message, result->status_message),
                       .completion_start_time_ns = result->first_token_event >= 0 ? state->first_token_ns : 0,
                       .end_time_ns = outcome->end_time_ns);
    lf__buf *const bufs[] = {&notes, &metadata, &parameters, &model, &message};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        lf__buf_done(bufs[i]);
}

static bool model_is_cancelled(const lf_model_outcome *outcome)
{
    return outcome->cancelled == LF_ON || (outcome->error != NULL && strcmp(outcome->error, "cancelled") == 0);
}

void lf_model_end_with(lf_model_call *name, const lf_model_outcome *given)
{
    static const lf_model_outcome none = {.struct_size = sizeof none};
    lf_model_outcome own;
    const size_t first = LF__SIZE_WITH(lf_model_outcome, end_time_ns);
    const lf_model_outcome *outcome = given == NULL ? &none : lf__fields(given, &own, sizeof own, first);
    LF__KEEP_ERRNO;
    lf__call *call = lf__call_lock(name);
    if (call == NULL)
        return;
    lf__call_state state = lf__call_close(call);
    const lf__reply_end end = {.http_status = outcome->http_status,
                               .error = outcome->error,
                               .cancelled = model_is_cancelled(outcome),
                               .unread = outcome->unread_bytes > 0 || state.was_cut};
    lf__reply_result result;
    lf__reply_finish(state.reply, &end, &result);
    model_close(&state, &result, outcome);
    lf__call_state_done(&state);
}
