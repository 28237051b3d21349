/* Any bytes as the reply of a model. The first byte chooses the API, the second one the HTTP status and how the transport ended, the third
 * one the ceiling, the fourth one where the body is cut; the rest is the body. However it is cut, the same comes of it; what comes
 * of it is JSON; memory stays in proportion.
 */
#include "../../src/base/json.h"
#include "../../src/model/reply.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_HEAD = 4, FUZZ_MOST = 1 << 20, FUZZ_TEXTS = 7, FUZZ_MEMORY = 256 << 10 };

/* What is compared: copies, since a reply owns its result. */
typedef struct fuzz_outcome {
    lf__buf texts[FUZZ_TEXTS];
    lf_level level;
    bool complete, truncated;
    int first_token_event;
} fuzz_outcome;

typedef struct fuzz_input {
    lf__api api;
    lf__reply_end end;
    size_t most;
    uint8_t cut;
    const char *body;
    size_t size;
} fuzz_input;

static fuzz_input fuzz_read(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 0, 429, 200};
    return (fuzz_input){
        .api = (lf__api)(data[0] % (LF__API_OTHER + 1)),
        .end = {.http_status = statuses[data[1] & 3],
                .error = (data[1] & 12) == 4 ? "the connection broke" : NULL,
                .cancelled = (data[1] & 12) == 8,
                .unread = (data[1] & 48) == 16},
        .most = data[2] < 128 ? FUZZ_MOST : (size_t)(data[2] - 127) * 16,
        .cut = data[3],
        .body = (const char *)data + FUZZ_HEAD,
        .size = size - FUZZ_HEAD,
    };
}

static void fuzz_check_json(lf__text json, bool is_object)
{
    CHECK(json.size == 0 || (lf__json_valid(json.at, json.size) && (!is_object || json.at[0] == '{')));
}

static void fuzz_check_members(lf__text members)
{
    lf__buf object;
    lf__buf_init(&object, members.size + 2);
    LF__BUF_ADD(&object, "{");
    lf__buf_add(&object, members.at, members.size);
    LF__BUF_ADD(&object, "}");
    CHECK(lf__json_valid(object.data, object.length));
    lf__buf_done(&object);
}

/* Brackets nested deeper than what is recorded may be are no mistake. */
static bool fuzz_is_deep(const fuzz_input *in)
{
    size_t brackets = 0;
    for (size_t i = 0; i < in->size; i++)
        brackets += in->body[i] == '[' || in->body[i] == '{';
    return brackets > 480;
}

static void fuzz_check(const fuzz_input *in, const lf__reply_result *result)
{
    fuzz_check_json(result->output, false);
    fuzz_check_json(result->finish_reason, false);
    fuzz_check_json(result->usage_details, true);
    fuzz_check_json(result->cost_details, true);
    fuzz_check_json(result->service_tier, false);
    fuzz_check_members(result->metadata);
    CHECK(lf__utf8_valid_prefix(result->model.at, result->model.size) == result->model.size);
    CHECK(lf__utf8_valid_prefix(result->status_message.at, result->status_message.size) == result->status_message.size);
    CHECK((result->level == LF_LEVEL_DEFAULT) == (result->status_message.size == 0));
    CHECK(result->first_token_event >= -1);
    CHECK(!result->truncated || in->most < FUZZ_MOST || in->size > 16 << 10 || fuzz_is_deep(in));
}

static void fuzz_keep(fuzz_outcome *out, const lf__reply_result *result)
{
    const lf__text texts[FUZZ_TEXTS] = {result->model,        result->output,       result->finish_reason, result->usage_details,
                                        result->cost_details, result->service_tier, result->metadata};
    for (int i = 0; i < FUZZ_TEXTS; i++) {
        lf__buf_init(&out->texts[i], 64 << 20);
        CHECK(lf__buf_add(&out->texts[i], texts[i].at, texts[i].size));
    }
    CHECK(lf__buf_add(&out->texts[0], result->status_message.at, result->status_message.size));
    out->level = result->level;
    out->complete = result->complete;
    out->truncated = result->truncated;
    out->first_token_event = result->first_token_event;
}

#define FUZZ_BY_CHANCE 0
#define FUZZ_LINES (SIZE_MAX - 1)
#define FUZZ_WHOLE SIZE_MAX

static size_t fuzz_line(const char *at, size_t left)
{
    const char *end = memchr(at, '\n', left);
    return end == NULL ? left : (size_t)(end - at) + 1;
}

/* Pieces of `step` bytes, or one of the ways above; by chance: of sizes that follow from the input. */
static void fuzz_run(const fuzz_input *in, size_t step, fuzz_outcome *out)
{
    lf__reply *reply = lf__reply_new(in->api, "image/png", in->most);
    lf__reply_result result;
    size_t seed = in->cut, tokens = 0, content = 0;
    CHECK(reply != NULL);
    for (size_t at = 0, size; at < in->size; at += size) {
        seed = seed * 25173 + 13849;
        size = step == FUZZ_BY_CHANCE ? 1 + (seed >> 8) % (1 + in->cut)
               : step == FUZZ_LINES   ? fuzz_line(in->body + at, in->size - at)
                                      : step;
        size = size < in->size - at ? size : in->size - at;
        char *piece = malloc(size); /* of its own size: the sanitizer sees reading past it */
        CHECK(piece != NULL);
        memcpy(piece, in->body + at, size);
        tokens += lf__reply_feed(reply, piece, size);
        free(piece);
        CHECK(lf__reply_content(reply).size >= content || in->api != LF__API_OLLAMA_CHAT);
        content = lf__reply_content(reply).size;
        CHECK(lf__reply_memory(reply) <= FUZZ_MEMORY + 64 * in->size + 2 * in->most);
    }
    CHECK(tokens <= 1);
    lf__reply_finish(reply, &in->end, &result);
    fuzz_check(in, &result);
    fuzz_keep(out, &result);
    lf__reply_free(reply);
}

static void fuzz_compare(fuzz_outcome *a, fuzz_outcome *b)
{
    for (int i = 0; i < FUZZ_TEXTS; i++) {
        CHECK(lf__text_equals(lf__buf_text(&a->texts[i]), lf__buf_text(&b->texts[i])));
        lf__buf_done(&b->texts[i]);
    }
    CHECK(a->level == b->level && a->complete == b->complete && a->truncated == b->truncated);
    CHECK(a->first_token_event == b->first_token_event);
}

/* Events that are alike but for a word are read in a shorter way. A blank in every other one prevents that, and changes nothing. */
static void fuzz_without_repeats(const fuzz_input *in, const fuzz_outcome *whole)
{
    fuzz_input spaced = *in;
    fuzz_outcome out = {0};
    char *body = malloc(2 * in->size + 1);
    CHECK(body != NULL);
    spaced.body = body;
    spaced.size = 0;
    for (size_t i = 0, events = 0; i < in->size; i++) {
        body[spaced.size++] = in->body[i];
        bool is_data = i >= 7 && memcmp(in->body + i - 7, "\ndata: {", 8) == 0;
        bool is_line = in->body[0] == '{' && i >= 2 && memcmp(in->body + i - 2, "}\n{", 3) == 0;
        if ((is_data || is_line) && events++ % 2 == 0)
            body[spaced.size++] = ' ';
    }
    fuzz_run(&spaced, FUZZ_WHOLE, &out);
    CHECK(lf__text_equals(lf__buf_text(&whole->texts[1]), lf__buf_text(&out.texts[1])));
    CHECK(whole->first_token_event == out.first_token_event);
    for (int i = 0; i < FUZZ_TEXTS; i++)
        lf__buf_done(&out.texts[i]);
    free(body);
}

/* APIs whose replies are merged from pieces, rather than recorded as they are. */
static bool fuzz_merges(lf__api api)
{
    return api == LF__API_CHAT || api == LF__API_COMPLETION || api == LF__API_RESPONSES || api == LF__API_ANTHROPIC ||
           api == LF__API_GEMINI || api == LF__API_OLLAMA_CHAT || api == LF__API_OLLAMA_GENERATE || api == LF__API_LLAMA;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_outcome whole = {0}, cut = {0};
    if (size < FUZZ_HEAD)
        return 0;
    const fuzz_input in = fuzz_read(data, size);
    fuzz_run(&in, FUZZ_WHOLE, &whole);
    fuzz_run(&in, FUZZ_BY_CHANCE, &cut);
    fuzz_compare(&whole, &cut);
    if (in.cut % 64 < 2) {
        fuzz_run(&in, in.cut % 64 == 0 ? 1 : FUZZ_LINES, &cut);
        fuzz_compare(&whole, &cut);
    }
    if (fuzz_merges(in.api) && in.most == FUZZ_MOST && in.size > 0)
        fuzz_without_repeats(&in, &whole);
    for (int i = 0; i < FUZZ_TEXTS; i++)
        lf__buf_done(&whole.texts[i]);
    return 0;
}
