#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/json.h"
#include "../../src/model/frames.h"
#include "../../src/model/tree.h"
#include "checkers.h"
#include "model_cases.h"

enum { MOST = 4 << 20, SCRATCH = 64 << 10 };

/* ---- What came of a reply, as one JSON text ------------------------------------------------------------------------- */

static void add_member(lf__buf *out, const char *key, lf__text json)
{
    lf__buf_add_text(out, out->length > 1 ? ",\"" : "\"");
    lf__buf_add_text(out, key);
    LF__BUF_ADD(out, "\":");
    if (json.size == 0)
        LF__BUF_ADD(out, "null");
    lf__buf_add(out, json.at, json.size);
}

static void add_text(lf__buf *out, const char *key, lf__text text)
{
    lf__buf quoted;
    lf__buf_init(&quoted, MOST);
    if (text.size > 0)
        lf__json_string(&quoted, text.at, text.size);
    add_member(out, key, lf__buf_text(&quoted));
    lf__buf_done(&quoted);
}

static void add_result(lf__buf *out, const lf__reply_result *result)
{
    static const char *const levels[] = {
        [LF_LEVEL_DEFAULT] = "DEFAULT", [LF_LEVEL_WARNING] = "WARNING", [LF_LEVEL_ERROR] = "ERROR"};
    char event[16];
    snprintf(event, sizeof event, "%d", result->first_token_event);
    LF__BUF_ADD(out, "{");
    add_text(out, "model", result->model);
    add_member(out, "output", result->output);
    add_member(out, "finish_reason", result->finish_reason);
    add_member(out, "usage_details", result->usage_details);
    add_member(out, "cost_details", result->cost_details);
    add_member(out, "service_tier", result->service_tier);
    add_text(out, "level", lf__text_of(levels[result->level]));
    add_text(out, "status_message", result->status_message);
    add_member(out, "complete", lf__text_of(result->complete ? "true" : "false"));
    add_member(out, "truncated", lf__text_of(result->truncated ? "true" : "false"));
    add_member(out, "first_token_event", lf__text_of(result->first_token_event < 0 ? "null" : event));
    add_member(out, "metadata", (lf__text){NULL, 0});
    out->length -= sizeof "null" - 1;
    LF__BUF_ADD(out, "{");
    lf__buf_add(out, result->metadata.at, result->metadata.size);
    LF__BUF_ADD(out, "}}");
    assert_true(lf__json_valid(out->data, out->length));
    lf__json_mend(out->data, out->length); /* cJSON refuses half a surrogate pair */
    lf__buf_add_char(out, '\0');
}

/* A way to cut a body: the size of the next piece. */
typedef size_t (*cutter)(lf__text left);

static size_t piece_size;
static uint64_t dice;

static size_t cut_alike(lf__text left)
{
    return piece_size < left.size ? piece_size : left.size;
}

static size_t cut_by_chance(lf__text left)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    size_t size = 1 + (size_t)((dice >> 33) % 40);
    return size < left.size ? size : left.size;
}

/* A piece begins where a line does, as most servers send them. */
static size_t cut_at_lines(lf__text left)
{
    const char *end = memchr(left.at, '\n', left.size);
    return end == NULL ? left.size : (size_t)(end - left.at) + 1;
}

/* Each piece lies in a block of its own, so that a checker sees reading past it. */
static void run(lf__buf *out, const model_case *it, lf__text body, size_t most, cutter cut)
{
    lf__reply *reply = lf__reply_new(it->api, it->media_type, most);
    lf__reply_result result;
    int tokens = 0;
    assert_non_null(reply);
    for (size_t at = 0, size; at < body.size; at += size) {
        size = cut((lf__text){body.at + at, body.size - at});
        char *piece = malloc(size);
        memcpy(piece, body.at + at, size);
        tokens += lf__reply_feed(reply, piece, size);
        free(piece);
    }
    assert_in_range(tokens, 0, 1);
    lf__reply_finish(reply, &it->end, &result);
    assert_true(result.first_token_event < 0 || tokens <= 1);
    lf__buf_init(out, 64 << 20);
    add_result(out, &result);
    lf__reply_free(reply);
}

/* ---- The corpus ------------------------------------------------------------------------------------------------------- */

static int failures;

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text == NULL ? "" : text;
}

/* Does each member that is asked for stand in what came out? */
static bool has_members(const cJSON *got, const cJSON *wanted)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, wanted) {
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(got, item->string);
        if (cJSON_IsNull(item) ? other != NULL && !cJSON_IsNull(other) : !cJSON_Compare(other, item, true))
            return false;
    }
    return true;
}

static void differ(const model_case *it, const char *how, const char *key, const cJSON *got, const cJSON *wanted)
{
    char *a = got == NULL ? NULL : cJSON_PrintUnformatted(got), *b = wanted == NULL ? NULL : cJSON_PrintUnformatted(wanted);
    fprintf(stderr, "%s, %s: %s is\n    %s, not\n    %s\n", it->name, how, key, a == NULL ? "absent" : a, b == NULL ? "absent" : b);
    cJSON_free(a);
    cJSON_free(b);
    failures++;
}

/* A reply that names no model leaves the request's, and that one the URL's. */
static void complete_model(const model_case *it, cJSON *got)
{
    lf__buf name;
    if (!cJSON_IsNull(cJSON_GetObjectItem(got, "model")))
        return;
    lf__buf_init(&name, 1 << 10);
    lf__buf_add_text(&name, text_of(cJSON_GetObjectItem(it->json, "request"), "model"));
    if (name.length == 0)
        lf__api_add_url_model(&name, lf__text_of(it->url));
    lf__buf_add_char(&name, '\0');
    if (name.length > 1)
        cJSON_ReplaceItemInObject(got, "model", cJSON_CreateString(name.data));
    lf__buf_done(&name);
}

static void compare(const model_case *it, const char *how, const lf__buf *text)
{
    static const char *const always[] = {"model", "output",         "finish_reason", "usage_details",    "cost_details",
                                         "level", "status_message", "complete",      "first_token_event"};
    cJSON *got = cJSON_Parse(text->data);
    if (got == NULL)
        fail_msg("%s, %s: no JSON: %s", it->name, how, text->data);
    complete_model(it, got);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        const cJSON *a = cJSON_GetObjectItem(got, always[i]), *b = cJSON_GetObjectItem(it->expected, always[i]);
        if (!(b == NULL ? cJSON_IsNull(a) : cJSON_Compare(a, b, true)))
            differ(it, how, always[i], a, b);
    }
    const cJSON *truncated = cJSON_GetObjectItem(it->expected, "truncated"),
                *tier = cJSON_GetObjectItem(it->expected, "service_tier");
    if (cJSON_IsTrue(truncated) != cJSON_IsTrue(cJSON_GetObjectItem(got, "truncated")))
        differ(it, how, "truncated", cJSON_GetObjectItem(got, "truncated"), truncated);
    if (tier != NULL && !cJSON_Compare(cJSON_GetObjectItem(got, "service_tier"), tier, true))
        differ(it, how, "service_tier", cJSON_GetObjectItem(got, "service_tier"), tier);
    const cJSON *metadata = cJSON_GetObjectItem(got, "metadata"), *wanted = cJSON_GetObjectItem(it->expected, "metadata");
    if (!has_members(metadata, wanted))
        differ(it, how, "metadata", metadata, wanted);
    cJSON_Delete(got);
}

/* The body with a blank in every other event, so that none is like the one before: it says the same. The caller frees it. */
static lf__text without_repeats(const model_case *it)
{
    char *spaced = malloc(2 * it->body_size + 1);
    size_t size = 0;
    assert_non_null(spaced);
    for (size_t i = 0, events = 0; i < it->body_size; i++) {
        spaced[size++] = it->body[i];
        bool is_data = i >= 7 && memcmp(it->body + i - 7, "\ndata: {", 8) == 0;
        bool is_line = it->body[0] == '{' && i >= 2 && memcmp(it->body + i - 2, "}\n{", 3) == 0;
        if ((is_data || is_line) && events++ % 2 == 0)
            spaced[size++] = ' ';
    }
    return (lf__text){spaced, size};
}

static void check_without_repeats(const model_case *it, const lf__buf *whole)
{
    lf__text spaced = without_repeats(it);
    lf__buf out;
    piece_size = SIZE_MAX;
    run(&out, it, spaced, MOST, cut_alike);
    if (!lf__text_equals(lf__buf_text(&out), lf__buf_text(whole))) {
        fprintf(stderr, "%s, no event like the one before: is\n    %s, otherwise\n    %s\n", it->name, out.data, whole->data);
        failures++;
    }
    lf__buf_done(&out);
    free((char *)(uintptr_t)spaced.at);
}

/* The same must come of it as in one piece. */
static void check_cut(const model_case *it, const lf__buf *whole, const char *how, cutter way)
{
    lf__buf cut;
    run(&cut, it, (lf__text){it->body, it->body_size}, MOST, way);
    if (!lf__text_equals(lf__buf_text(&cut), lf__buf_text(whole))) {
        fprintf(stderr, "%s, %s: is\n    %s, in one piece\n    %s\n", it->name, how, cut.data, whole->data);
        failures++;
    }
    lf__buf_done(&cut);
}

static void check_case(const model_case *it)
{
    static const size_t sizes[] = {1, 2, 3, 7};
    lf__buf whole;
    char how[40];
    piece_size = SIZE_MAX;
    run(&whole, it, (lf__text){it->body, it->body_size}, MOST, cut_alike);
    compare(it, "in one piece", &whole);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        piece_size = sizes[i];
        snprintf(how, sizeof how, "in pieces of %zu", piece_size);
        check_cut(it, &whole, how, cut_alike);
    }
    for (unsigned seed = 5; seed < 8; seed++) {
        dice = seed;
        snprintf(how, sizeof how, "at random cuts %u", seed);
        check_cut(it, &whole, how, cut_by_chance);
    }
    check_cut(it, &whole, "at the ends of lines", cut_at_lines);
    if (it->api != LF__API_OTHER && it->end.http_status < 400) /* those are recorded as they are */
        check_without_repeats(it, &whole);
    lf__buf_done(&whole);
}

static void every_case_comes_out_however_it_is_cut(void **state)
{
    (void)state;
    assert_true(model_cases_each("tests/models", check_case) > 0);
    assert_int_equal(failures, 0);
}

static void cases_of_others_come_out_as_well(void **state)
{
    (void)state;
    if (model_cases_each("../shared/model-streams", check_case) == 0 && getenv("MODEL_CASES") != NULL)
        (void)model_cases_each(getenv("MODEL_CASES"), check_case);
    assert_int_equal(failures, 0);
}

/* ---- Ceilings --------------------------------------------------------------------------------------------------------- */

/* What comes out under a ceiling is JSON, however small it is (add_result checks it), and a ceiling that cut something is told. */
static void check_ceilings(const model_case *it)
{
    lf__text body = {it->body, it->body_size};
    lf__buf whole, less;
    piece_size = SIZE_MAX;
    run(&whole, it, body, MOST, cut_alike);
    for (size_t most = 0; most < 3 * it->body_size + 6000; most += most < 1500 ? 97 : 1009) {
        piece_size = 50;
        run(&less, it, body, most, cut_alike);
        if (!lf__text_equals(lf__buf_text(&less), lf__buf_text(&whole)) && strstr(less.data, "\"truncated\":true") == NULL) {
            fprintf(stderr, "%s, at most %zu: not truncated, but\n    %s, not\n    %s\n", it->name, most, less.data, whole.data);
            failures++;
        }
        lf__buf_done(&less);
    }
    lf__buf_done(&whole);
}

static void under_any_ceiling_json_comes_out(void **state)
{
    (void)state;
    (void)model_cases_each("tests/models", check_ceilings);
    assert_int_equal(failures, 0);
}

/* A reply of `count` times the same, with its number at each #. */
static void feed_many(lf__reply *reply, const char *first, const char *again, int count, const char *last)
{
    char number[16];
    (void)lf__reply_feed(reply, first, strlen(first));
    for (int i = 0; i < count; i++) {
        snprintf(number, sizeof number, "%d", i);
        for (const char *at = again; *at != '\0'; at++)
            (void)lf__reply_feed(reply, *at == '#' ? number : at, *at == '#' ? strlen(number) : 1);
    }
    (void)lf__reply_feed(reply, last, strlen(last));
}

static const struct {
    lf__api api;
    const char *first, *again, *last;
    const char *list; /* what has a ceiling: its name in the output; NULL: the output itself */
} many[] = {
    {LF__API_CHAT, "",
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":#,\"id\":\"c#\",\"function\":{}}]}}]}\n\n",
     "data: [DONE]\n\n", "tool_calls"},
    {LF__API_CHAT, "", "data: {\"choices\":[{\"index\":#,\"delta\":{\"content\":\"c#\"}}]}\n\n", "data: [DONE]\n\n", NULL},
    {LF__API_CHAT, "", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":[{\"type\":\"x\",\"n\":#,\"m\":#}]}}]}\n\n", "",
     "content"},
    {LF__API_ANTHROPIC, "",
     "data: {\"type\":\"content_block_start\",\"index\":#,\"content_block\":{\"type\":\"text\",\"text\":\"#\"}}\n\n",
     "data: {\"type\":\"message_stop\"}\n\n", "content"},
    {LF__API_RESPONSES, "", "data: {\"type\":\"response.output_text.delta\",\"output_index\":#,\"delta\":\"#\"}\n\n", "", NULL},
    {LF__API_GEMINI, "[", "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"a\":#,\"b\":#}}]}}]},", "]", "parts"},
    {LF__API_GEMINI, "[", "{\"candidates\":[{\"index\":#,\"content\":{\"parts\":[{\"text\":\"#\"}]}}]},", "]", NULL},
    {LF__API_OLLAMA_CHAT, "", "{\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"f#\",\"arguments\":{\"a\":#}}}]}}\n", "",
     "tool_calls"},
};

static void of_too_many_things_the_first_ones_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        const lf__reply_end end = {.http_status = 200};
        lf__reply *reply = lf__reply_new(many[i].api, "", MOST);
        lf__reply_result result;
        feed_many(reply, many[i].first, many[i].again, 2000, many[i].last);
        assert_true(lf__reply_memory(reply) < 4u * MOST);
        lf__reply_finish(reply, &end, &result);
        assert_true(result.truncated);
        cJSON *output = cJSON_ParseWithLength(result.output.at, result.output.size);
        assert_non_null(output);
        const cJSON *list = many[i].list == NULL ? output : cJSON_GetObjectItem(output, many[i].list);
        assert_int_equal(cJSON_GetArraySize(list), 1024);
        cJSON_Delete(output);
        lf__reply_free(reply);
    }
}

/* ---- Keys --------------------------------------------------------------------------------------------------------------- */

/* A reply, and what its status message must be. */
static const struct {
    int http_status;
    const char *body, *message;
} refusals[] = {
    {401, "{\"error\":{\"message\":\"Incorrect key: sk-proj-abcdefghij0123456789.\",\"code\":\"sk-proj-abcdefghij0123456789\"}}",
     "HTTP 401: Incorrect key: ****************************."},
    {401, "{\"error\":{\"message\":\"no: Authorization=Bearer hidden0123, really\"}}",
     "HTTP 401: no: Authorization=Bearer **********, really"},
    {401, "not for basic aGlkZGVuOmhpZGRlbg==", "HTTP 401: not for basic ********************"},
    {404, "no route for /v1/x?a=b&key=hidden012&api-key=hidden0123&c=d",
     "HTTP 404: no route for /v1/x?a=b&key=*********&api-key=**********&c=d"},
    {403, "{\"detail\":\"(gsk_hidden0123456789hidden)\"}", "HTTP 403: (**************************)"},
    {200, "data: {\"error\":{\"message\":\"x\",\"type\":\"AIzaHidden0123456789hidden\"}}\n\n", "x"},
    {401, "{\"error\":{\"message\":\"Incorrect key: sk-ab**cd. Use bearer tokens; ask-abcdefghij0123456789\"}}",
     "HTTP 401: Incorrect key: sk-ab**cd. Use bearer tokens; ask-abcdefghij0123456789"},
};

static void a_key_that_a_refusal_repeats_is_hidden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const lf__reply_end end = {.http_status = refusals[i].http_status};
        lf__reply *reply = lf__reply_new(LF__API_CHAT, "", MOST);
        lf__reply_result result;
        lf__reply_feed(reply, refusals[i].body, strlen(refusals[i].body));
        lf__reply_finish(reply, &end, &result);
        assert_int_equal(result.level, LF_LEVEL_ERROR);
        assert_int_equal(result.status_message.size, strlen(refusals[i].message));
        assert_memory_equal(result.status_message.at, refusals[i].message, result.status_message.size);
        char metadata[512];
        snprintf(metadata, sizeof metadata, "%.*s", (int)result.metadata.size, result.metadata.size == 0 ? "" : result.metadata.at);
        assert_null(strstr(metadata, "0123456789"));
        lf__reply_free(reply);
    }
}

/* ---- Large events ------------------------------------------------------------------------------------------------------- */

/* An event of `size` bytes between two small ones. */
static void feed_large(lf__reply *reply, size_t size)
{
    static const char before[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"pad\":\"";
    static const char after[] = "\"}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"z\"},\"finish_reason\":\"stop\"}]}\n\n";
    char pad[1 << 16];
    memset(pad, 'x', sizeof pad);
    (void)lf__reply_feed(reply, before, sizeof before - 1);
    for (; size > sizeof pad; size -= sizeof pad)
        (void)lf__reply_feed(reply, pad, sizeof pad);
    (void)lf__reply_feed(reply, pad, size);
    (void)lf__reply_feed(reply, after, sizeof after - 1);
}

static void an_event_beyond_the_ceiling_is_dropped_and_told(void **state)
{
    (void)state;
    for (int large = 0; large < 2; large++) {
        const lf__reply_end end = {.http_status = 200};
        lf__reply *reply = lf__reply_new(LF__API_CHAT, "", MOST);
        lf__reply_result result;
        feed_large(reply, large ? LF__EVENT_MAX : LF__EVENT_MAX / 2);
        assert_true(lf__reply_memory(reply) <= 3u * LF__EVENT_MAX);
        lf__reply_finish(reply, &end, &result);
        assert_int_equal(result.truncated, large);
        assert_true(result.complete);
        static const char expected[] = "{\"role\":\"assistant\",\"content\":\"az\"}";
        assert_int_equal(result.output.size, sizeof expected - 1);
        assert_memory_equal(result.output.at, expected, sizeof expected - 1);
        lf__reply_free(reply);
    }
}

static void an_event_of_too_many_values_is_dropped_and_told(void **state)
{
    (void)state;
    const lf__reply_end end = {.http_status = 200};
    lf__reply *reply = lf__reply_new(LF__API_CHAT, "", MOST);
    lf__reply_result result;
    (void)lf__reply_feed(reply, "{\"a\":[", 6);
    for (int i = 0; i < LF__TREE_NODES_MAX; i++)
        (void)lf__reply_feed(reply, "\"\",", 3);
    (void)lf__reply_feed(reply, "0]}", 3);
    lf__reply_finish(reply, &end, &result);
    assert_true(result.truncated);
    lf__reply_free(reply);
}

static void a_text_is_cut_between_characters_and_has_no_hole(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\\u00e9\\n", "\xC3\xA9", "\xF0\x9F\xA6\x86", "\\ud83e\\udd86", "ab"};
    for (size_t most = 4000; most < 4064; most++) {
        const lf__reply_end end = {.http_status = 200};
        lf__reply *reply = lf__reply_new(LF__API_CHAT, "", most);
        lf__reply_result result;
        char event[256];
        for (int i = 0; i < 2000; i++) {
            int size = snprintf(event, sizeof event, "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n", pieces[i % 5]);
            (void)lf__reply_feed(reply, event, (size_t)size);
        }
        lf__text content = lf__reply_content(reply);
        for (size_t at = 0; at < content.size;)
            for (size_t i = 0; i < 5 && at < content.size; i++) {
                size_t size = strlen(pieces[i]), left = content.size - at;
                assert_memory_equal(content.at + at, pieces[i], size < left ? size : left);
                at += size < left ? size : left;
            }
        assert_true(content.size > 400);
        static const char last[] =
            "data: {\"model\":\"m\",\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":1}}\n\n";
        (void)lf__reply_feed(reply, last, sizeof last - 1);
        lf__reply_finish(reply, &end, &result);
        assert_true(result.truncated && lf__json_valid(result.output.at, result.output.size));
        assert_true(result.model.size > 0 && result.finish_reason.size > 0 && result.usage_details.size > 0);
        lf__reply_free(reply);
    }
}

/* ---- Without memory ----------------------------------------------------------------------------------------------------- */

/* Each allocation fails once, together with all that follow it: what is left is JSON, and what is missing is told. */
static void check_without_memory(const model_case *it)
{
    unsigned long n = 1, step = 1;
    bool complete = false;
    for (; !complete && n < 100000; n += step, step += n % 7 == 0) {
        lf__reply_result result;
        lf__alloc_fail_from(n);
        lf__reply *reply = lf__reply_new(it->api, it->media_type, MOST);
        for (size_t at = 0; reply != NULL && at < it->body_size; at += 64)
            (void)lf__reply_feed(reply, it->body + at, it->body_size - at < 64 ? it->body_size - at : 64);
        if (reply != NULL)
            lf__reply_finish(reply, &it->end, &result);
        lf__alloc_fail_from(0);
        if (reply == NULL)
            continue;
        lf__buf text;
        lf__buf_init(&text, 64 << 20);
        add_result(&text, &result);
        complete = !result.truncated;
        lf__buf_done(&text);
        lf__reply_free(reply);
    }
    assert_true(complete || cJSON_IsTrue(cJSON_GetObjectItem(it->expected, "truncated")));
}

static void without_memory_less_comes_out(void **state)
{
    (void)state;
    (void)model_cases_each("tests/models", check_without_memory);
}

/* ---- Frames ------------------------------------------------------------------------------------------------------------- */

/* The events of a body, each in brackets, those called an error with a mark; cut into pieces of `size`. */
static void add_events(lf__buf *out, lf__frames *frames, bool (*take)(lf__frames *, lf__frame_event *))
{
    for (lf__frame_event event; take(frames, &event);) {
        lf__buf_add_text(out, event.is_error ? "!<" : "<");
        lf__buf_add(out, event.data.at, event.data.size);
        LF__BUF_ADD(out, ">");
    }
}

static void frames_of(lf__buf *out, const char *body, size_t size, lf__lists lists, bool counts_vectors)
{
    lf__frames frames;
    lf__frames_init(&frames, lists, counts_vectors);
    for (size_t at = 0, length = strlen(body); at < length; at += size) {
        lf__frames_give(&frames, body + at, size < length - at ? size : length - at);
        add_events(out, &frames, lf__frames_take);
    }
    add_events(out, &frames, lf__frames_take_rest);
    lf__frames_done(&frames);
    lf__buf_add_char(out, '\0');
}

static const struct {
    const char *body, *events;
    lf__lists lists;
    bool counts_vectors;
} bodies[] = {
    {"data: a\n\n", "<a>", LF__LISTS_SPLIT, false},
    {"data:a\r\rdata:b\r\n\r\ndata:  c\n\n", "<a><b>< c>", LF__LISTS_SPLIT, false},
    {"data: a\ndata: b\ndata:\ndata: c\n\n", "<a\nb\n\nc>", LF__LISTS_SPLIT, false},
    {"data: a\r\ndata: b\r\n\r\ndata: c\rdata: d\r\r", "<a\nb><c\nd>", LF__LISTS_SPLIT, false},
    {"\xEF\xBB\xBF"
     "data: a\n\n",
     "<a>", LF__LISTS_SPLIT, false},
    {"\n\n data: a\n\n", "<a>", LF__LISTS_SPLIT, false},
    {": c\n\n: c\n\nevent: x\n\nid: 1\nretry: 2\ndata: a", "<a>", LF__LISTS_SPLIT, false},
    {"event: error\ndata: a\n\ndata: b\n\n", "!<a><b>", LF__LISTS_SPLIT, false},
    {"event: error\n\ndata: b\n\n", "<b>", LF__LISTS_SPLIT, false},
    {"error: 1\nerror: 2\n", "!<{\"error\":1}>!<{\"error\":2}>", LF__LISTS_SPLIT, false},
    {"data: a\nerror: 1\ndata: b\n\n", "<a>!<{\"error\":1}><b>", LF__LISTS_SPLIT, false},
    {"data: a\n{\"b\":\n1}\ndata: c\n\n", "<a><{\"b\":\n1}><c>", LF__LISTS_SPLIT, false},
    {"data: a\n{\"b\":1}", "<a><{\"b\":1}>", LF__LISTS_SPLIT, false},
    {"data: a\nerror: 1", "<a>!<{\"error\":1}>", LF__LISTS_SPLIT, false},
    {"data\ndatum: a\n\n", "", LF__LISTS_SPLIT, false},
    {"{\"a\":\"}\"}{\"b\":[{}]}\n x {}", "<{\"a\":\"}\"}><{\"b\":[{}]}><{}>", LF__LISTS_SPLIT, false},
    {"{\"a\":\"\\\\\"}\n{\"b\":\"\\\"}\"}", "<{\"a\":\"\\\\\"}><{\"b\":\"\\\"}\"}>", LF__LISTS_SPLIT, false},
    {" [ {\"a\":[1]} , {} ] ", "<{\"a\":[1]}><{}>", LF__LISTS_SPLIT, false},
    {" [ {\"a\":[1]} , {} ] ", "<[ {\"a\":[1]} , {} ]>", LF__LISTS_WHOLE, false},
    {"[1]\n[2]", "<[1]><[2]>", LF__LISTS_WHOLE, false},
    {"[Music] {\"a\":1}", "", LF__LISTS_NONE, false},
    {"{\"a\":1", "<{\"a\":1>", LF__LISTS_SPLIT, false},
    {"<html>{}</html>", "", LF__LISTS_SPLIT, false},
    {"dat", "", LF__LISTS_SPLIT, false},
    {"", "", LF__LISTS_SPLIT, false},
    {"{\"v\":[1.5, -2,3e4],\"w\":[ -1 ],\"s\":\"[1,2]\",\"e\":[],\"t\":[\"1\",2]}",
     "<{\"v\":[3],\"w\":[ 1],\"s\":\"[1,2]\",\"e\":[],\"t\":[\"1\",2]}>", LF__LISTS_SPLIT, true},
    {"{\"v\":[[1,2],[3]],\"n\":[1,\"a\"],\"o\":[1,{\"p\":[5,6]}]}", "<{\"v\":[[2],[1]],\"n\":[2,\"a\"],\"o\":[2,{\"p\":[2]}]}>",
     LF__LISTS_SPLIT, true},
};

static void events_are_found_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (size_t size = 1; size <= 64; size++) {
            lf__buf got;
            lf__buf_init(&got, 1 << 12);
            frames_of(&got, bodies[i].body, size, bodies[i].lists, bodies[i].counts_vectors);
            if (strcmp(got.data, bodies[i].events) != 0)
                fail_msg("%s in pieces of %zu: %s", bodies[i].body, size, got.data);
            lf__buf_done(&got);
        }
}

/* ---- Trees -------------------------------------------------------------------------------------------------------------- */

static lf__text text_at(const lf__tree *tree, const char *name)
{
    return lf__item_json(lf__item_member(lf__tree_root(tree), name));
}

static void members_are_found_by_name(void **state)
{
    (void)state;
    static const char text[] =
        " {\"a\": 1 ,\"b\":{\"c\":\"x\",\"d\":[]},\"\\u0061\":2,\"l\\u006fng\":[1,{\"e\":null}],\"a\":3, \"\":true} ";
    static const lf__text names[] = {LF__TEXT("long"), LF__TEXT("a"), LF__TEXT("none")};
    lf__tree tree = {0};
    lf__item found[3];
    assert_true(lf__tree_read(&tree, (lf__text){text, sizeof text - 1}));
    lf__item root = lf__tree_root(&tree), b = lf__item_member(root, "b");
    assert_true(lf__text_equals(text_at(&tree, "a"), (lf__text)LF__TEXT("1")));
    assert_true(lf__text_equals(text_at(&tree, "long"), (lf__text)LF__TEXT("[1,{\"e\":null}]")));
    assert_true(lf__text_equals(text_at(&tree, ""), (lf__text)LF__TEXT("true")));
    assert_true(lf__item_equals(lf__item_path(root, "b", "c"), "x"));
    assert_false(lf__item_is(lf__item_first(lf__item_member(b, "d"))));
    assert_false(lf__item_is(lf__item_member(lf__item_member(root, "a"), "a")));
    assert_true(lf__item_is_null(lf__item_member(root, "none")));
    lf__item_members(root, names, 3, found);
    assert_true(lf__text_equals(lf__item_json(found[0]), text_at(&tree, "long")));
    assert_true(lf__text_equals(lf__item_json(found[1]), (lf__text)LF__TEXT("1")));
    assert_false(lf__item_is(found[2]));
    size_t count = 0;
    for (lf__item item = lf__item_first(root); lf__item_is(item); item = lf__item_next(root, item))
        count++;
    assert_int_equal(count, 6);
    lf__tree_done(&tree);
}

static void numbers_are_whole_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool ok;
        int64_t value;
    } rows[] = {{"0", true, 0},      {"-7", true, -7},   {"9223372036854775807", true, INT64_MAX},
                {"1.0", false, 0},   {"1e3", false, 0},  {"9223372036854775808", false, 0},
                {"\"1\"", false, 0}, {"null", false, 0}, {"[1]", false, 0}};
    lf__tree tree = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = 0;
        assert_true(lf__tree_read(&tree, lf__text_of(rows[i].json)));
        assert_int_equal(lf__item_int(lf__tree_root(&tree), &value), rows[i].ok);
        assert_true(value == rows[i].value);
    }
    assert_false(lf__tree_read(&tree, (lf__text){"", 0}));
    assert_false(lf__tree_read(&tree, (lf__text)LF__TEXT("{\"a\":}")));
    assert_false(tree.was_full);
    lf__tree_done(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_out_however_it_is_cut),
        cmocka_unit_test(cases_of_others_come_out_as_well),
        cmocka_unit_test(under_any_ceiling_json_comes_out),
        cmocka_unit_test(of_too_many_things_the_first_ones_stay),
        cmocka_unit_test(a_key_that_a_refusal_repeats_is_hidden),
        cmocka_unit_test(an_event_beyond_the_ceiling_is_dropped_and_told),
        cmocka_unit_test(an_event_of_too_many_values_is_dropped_and_told),
        cmocka_unit_test(a_text_is_cut_between_characters_and_has_no_hole),
        cmocka_unit_test(without_memory_less_comes_out),
        cmocka_unit_test(events_are_found_however_they_are_cut),
        cmocka_unit_test(members_are_found_by_name),
        cmocka_unit_test(numbers_are_whole_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
