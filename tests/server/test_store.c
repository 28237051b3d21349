/* The store: replacing, filters, pages, counts, and what it does with a file that is none of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../server/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS INT64_C(1000000)

typedef struct found {
    size_t count;
    char names[4096];
    int64_t last_ms;
    char last_trace[64], last_id[64];
} found;

static void remember(void *context, const observation *row)
{
    found *f = context;
    size_t used = strlen(f->names);
    f->count++;
    snprintf(f->names + used, sizeof f->names - used, "%.*s ", (int)row->name.len, row->name.at);
    snprintf(f->last_trace, sizeof f->last_trace, "%.*s", (int)row->trace_id.len, row->trace_id.at);
    snprintf(f->last_id, sizeof f->last_id, "%.*s", (int)row->id.len, row->id.at);
    f->last_ms = row->start_ns / MS;
}

static observation row_of(const char *trace_id, const char *id, int64_t start_ms, const char *name)
{
    return (observation){ .trace_id = text_of(trace_id), .id = text_of(id), .start_ns = start_ms * MS, .end_ns = start_ms * MS,
                          .name = text_of(name), .type = TEXT("SPAN"), .prompt_version = -1, .completion_start_ms = -1 };
}

static store *open_memory(void)
{
    char why[200];
    store *s = store_open(":memory:", false, why, sizeof why);
    assert_non_null(s);
    return s;
}

static found read_all(store *s, const store_query *query)
{
    found f = { 0 };
    assert_true(store_read(s, query, remember, &f));
    return f;
}

static void put_one(store *s, observation row)
{
    assert_true(store_put(s, &row, 1));
}

static void a_resend_replaces_and_another_start_does_not(void **state)
{
    store *s = open_memory();
    store_query all = STORE_QUERY_ALL;
    int64_t observations, traces;
    (void)state;
    put_one(s, row_of("t", "a", 1, "old"));
    put_one(s, row_of("t", "a", 1, "new"));
    put_one(s, row_of("t", "a", 2, "later"));
    found f = read_all(s, &all);
    assert_string_equal(f.names, "later new ");
    assert_true(store_count(s, TEXT(""), &observations, &traces));
    assert_int_equal(observations, 2);
    assert_int_equal(traces, 1);
    assert_true(store_count(s, TEXT("other"), &observations, &traces));
    assert_int_equal(observations + traces, 0);
    store_close(s);
}

static void pages_show_each_row_once_newest_first(void **state)
{
    store *s = open_memory();
    store_query page = STORE_QUERY_ALL;
    char id[16];
    found f;
    size_t total = 0;
    (void)state;
    for (int i = 0; i < 50; i++) { /* several rows in each millisecond */
        snprintf(id, sizeof id, "%02d", i);
        put_one(s, row_of(i % 2 ? "t" : "u", id, i / 5, id));
    }
    page.limit = 7;
    do {
        f = read_all(s, &page);
        total += f.count;
        page.after = (store_position){ f.last_ms, text_of(f.last_trace), text_of(f.last_id) };
    } while (f.count > 0);
    assert_int_equal(total, 50);
    store_close(s);
}

static void filters_select(void **state)
{
    static const struct {
        store_column column;
        store_operator op;
        const char *values[2];
        const char *expected;
    } cases[] = {
        { STORE_TRACE_ID, STORE_EQUALS, { "t1" }, "beta alpha " },
        { STORE_NAME, STORE_CONTAINS, { "et" }, "beta " },
        { STORE_NAME, STORE_STARTS_WITH, { "al" }, "alpha " },
        { STORE_NAME, STORE_ANY_OF, { "alpha", "gamma" }, "gamma alpha " },
        { STORE_NAME, STORE_EQUALS, { "x' OR '1'='1" }, "" },
        { STORE_PARENT_ID, STORE_EQUALS, { "a" }, "beta " },
    };
    store *s = open_memory();
    observation child = row_of("t1", "b", 2, "beta");
    (void)state;
    child.parent_id = TEXT("a");
    put_one(s, row_of("t1", "a", 1, "alpha"));
    put_one(s, child);
    put_one(s, row_of("t2", "c", 3, "gamma"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const text values[] = { text_of(cases[i].values[0]), text_of(cases[i].values[1]) };
        store_query query = STORE_QUERY_ALL;
        query.conditions[0] = (store_condition){ cases[i].column, cases[i].op, values, cases[i].values[1] ? 2 : 1 };
        query.condition_count = 1;
        found f = read_all(s, &query);
        assert_string_equal(f.names, cases[i].expected);
    }
    store_query roots = STORE_QUERY_ALL, range = STORE_QUERY_ALL;
    roots.root = 0;
    range.from_ms = 2;
    range.to_ms = 3;
    assert_string_equal(read_all(s, &roots).names, "beta ");
    assert_string_equal(read_all(s, &range).names, "beta ");
    store_close(s);
}

static void traces_come_newest_first_and_by_prefix(void **state)
{
    store *s = open_memory();
    arena a = { 0 };
    text *ids;
    size_t count;
    (void)state;
    put_one(s, row_of("abc", "1", 1, "n"));
    put_one(s, row_of("abd", "1", 3, "n"));
    put_one(s, row_of("xyz", "1", 2, "n"));
    assert_true(store_traces(s, &a, TEXT(""), 2, &ids, &count));
    assert_int_equal(count, 2);
    assert_true(text_is(ids[0], "abd") && text_is(ids[1], "xyz"));
    assert_true(store_traces(s, &a, TEXT("ab"), 10, &ids, &count));
    assert_int_equal(count, 2);
    assert_true(store_traces(s, &a, TEXT("a%"), 10, &ids, &count));
    assert_int_equal(count, 0);
    arena_free(&a);
    store_close(s);
}

static void text_with_nul_comes_back_whole(void **state)
{
    char path[] = "/tmp/langfuse-local-test-XXXXXX", why[200];
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    store *s = store_open(path, false, why, sizeof why);
    assert_non_null(s);
    observation row = row_of("t", "i", 1, "n");
    row.input = (text){ "a\0b", 3 };
    put_one(s, row);
    store *reader = store_open(path, true, why, sizeof why);
    assert_non_null(reader);
    store_query query = STORE_QUERY_ALL;
    assert_int_equal(read_all(reader, &query).count, 1);
    assert_false(store_put(reader, &row, 1));
    store_close(reader);
    store_close(s);
    unlink(path);
}

static void a_foreign_file_is_refused_with_a_reason(void **state)
{
    char path[] = "/tmp/langfuse-local-test-XXXXXX", why[200] = "";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "this is not a database, but a text of some length", 49), 49);
    close(fd);
    assert_null(store_open(path, false, why, sizeof why));
    assert_true(strstr(why, path) != NULL);
    unlink(path);
    assert_null(store_open("/nonexistent/folder/x.db", true, why, sizeof why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resend_replaces_and_another_start_does_not),
        cmocka_unit_test(pages_show_each_row_once_newest_first),
        cmocka_unit_test(filters_select),
        cmocka_unit_test(traces_come_newest_first_and_by_prefix),
        cmocka_unit_test(text_with_nul_comes_back_whole),
        cmocka_unit_test(a_foreign_file_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
