/* Fuzz target for filters and scores. The first byte chooses what the rest is: a filter, which a database must be able to follow, a
 * score, or a score config.
 *
 * clang -fsanitize=fuzzer,address,undefined tests/server/fuzz_filter.c $(ls server/[!m]*.c) -lmicrohttpd -lsqlite3 -lz -lm
 */
#include "../../server/store.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static store *opened;

static void fuzz_must(bool ok)
{
    if (!ok)
        abort();
}

static void fuzz_visit(void *context, const observation *row)
{
    (void)context;
    (void)row;
}

static void fuzz_filter(arena *a, text given, filter_table table, bool newer)
{
    issues problems = {0};
    text why = TEXT(""), *ids;
    filter f = {.table = table};
    int64_t total;
    size_t count;
    filter_status status = filter_read(a, given, newer, &f, &problems, &why);
    fuzz_must((status == FILTER_INVALID) == (problems.count > 0) && (status == FILTER_REFUSED) == (why.size > 0));
    issues_free(&problems);
    if (status == FILTER_OK && table == FILTER_OBSERVATIONS) {
        store_query query = STORE_QUERY_ALL;
        query.filter = &f;
        fuzz_must(store_read(opened, &query, fuzz_visit, NULL));
    } else if (status == FILTER_OK && table == FILTER_SCORES) {
        store_score_query query = {.filter = &f, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 10};
        score *scores;
        fuzz_must(store_find_scores(opened, a, &query, &scores, &count, &total));
    } else if (status == FILTER_OK) {
        store_trace_query query = {.filter = &f, .from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 10};
        fuzz_must(store_find_traces(opened, a, &query, &ids, &count, &total));
    }
}

static void fuzz_score(arena *a, const json *body, bool batch)
{
    const score_config config = {
        .name = TEXT("n"), .data_type = TEXT("CATEGORICAL"), .categories = TEXT("[{\"label\":\"good\",\"value\":1}]")};
    issues problems = {0};
    unsigned losses = 0;
    score_check(body, batch, &problems);
    const json *settled = problems.count == 0 ? score_settle(a, body, &config, &losses) : NULL;
    fuzz_must(problems.count > 0 || (settled == NULL) == (losses != 0));
    score s = settled != NULL ? score_from_body(a, TEXT("s"), settled) : (score){0};
    fuzz_must(settled == NULL || store_put_scores(opened, &s, 1));
    issues_free(&problems);
}

static void fuzz_config(arena *a, const json *body, bool change)
{
    const score_config old = {.name = TEXT("n"), .data_type = TEXT("NUMERIC"), .has_max = true, .max = 1};
    issues problems = {0};
    (change ? score_config_check_change : score_config_check)(body, &problems);
    if (problems.count == 0) {
        score_config c = change ? score_config_changed(a, &old, body) : score_config_from_body(a, TEXT("c"), body);
        score_config_check_whole(a, &c, &problems);
        fuzz_must(change || problems.count == 0);
    }
    issues_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena memory = {0};
    char why[200];
    if (opened == NULL)
        opened = store_open(":memory:", false, why, sizeof why);
    if (size == 0 || opened == NULL)
        return 0;
    text rest = {(const char *)data + 1, size - 1};
    size_t repairs = 0;
    rest = arena_utf8(&memory, rest, &repairs);
    const json *body = json_parse(&memory, rest);
    unsigned choice = data[0] % 8;
    if (choice < 4)
        fuzz_filter(&memory, rest, choice == 0 ? FILTER_OBSERVATIONS : choice == 1 ? FILTER_TRACES : FILTER_SCORES, choice < 3);
    else if (body != NULL && choice < 6)
        fuzz_score(&memory, body, choice == 4);
    else if (body != NULL)
        fuzz_config(&memory, body, choice == 6);
    arena_free(&memory);
    return 0;
}
