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
typedef size_t (*cutter)(size_t left);

static size_t piece_size;
static uint64_t dice;

static size_t cut_alike(size_t left)
{
    return piece_size < left ? piece_size : left;
}

static size_t cut_by_chance(size_t left)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    size_t size = 1 + (size_t)((dice >> 33) % 40);
    return size < left ? size : left;
}

/* Each piece lies in a block of its own, so that a checker sees reading past it. */
static void run(lf__buf *out, lf__api api, lf__text body, const lf__reply_end *end, size_t most, cutter cut)
{
    lf__reply *reply = lf__reply_new(api, "", most);
    lf__reply_result result;
    int tokens = 0;
    assert_non_null(reply);
    for (size_t at = 0, size; at < body.size; at += size) {
        size = cut(body.size - at);
        char *piece = malloc(size);
        memcpy(piece, body.at + at, size);
        tokens += lf__reply_feed(reply, piece, size);
        free(piece);
    }
    assert_in_range(tokens, 0, 1);
    lf__reply_finish(reply, end, &result);
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

static void check_case(const model_case *it)
{
    static const size_t sizes[] = {SIZE_MAX, 1, 2, 3, 7};
    lf__text body = {it->body, it->body_size};
    lf__buf whole = {0}, cut;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes + 3; i++) {
        char how[40];
        bool alike = i < sizeof sizes / sizeof *sizes;
        piece_size = alike ? sizes[i] : 0;
        dice = i;
        snprintf(how, sizeof how,
                 i == 0  ? "in one piece"
                 : alike ? "in pieces of %zu"
                         : "at random cuts %zu",
                 alike ? piece_size : i);
        run(&cut, it->api, body, &it->end, MOST, alike ? cut_alike : cut_by_chance);
        if (i == 0) {
            compare(it, how, &cut);
            whole = cut;
            continue;
        }
        if (!lf__text_equals(lf__buf_text(&cut), lf__buf_text(&whole))) {
            fprintf(stderr, "%s, %s: is\n    %s, in one piece\n    %s\n", it->name, how, cut.data, whole.data);
            failures++;
        }
        lf__buf_done(&cut);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_out_however_it_is_cut),
        cmocka_unit_test(cases_of_others_come_out_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
