/* The store: replacing, filters, pages, counts, and what it does with a file that is none of its own. */
#include "harness.h"

#include "../../server/store_prompts.h"

#include "../../server/store_private.h"
#include "../../server/xxhash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    snprintf(f->names + used, sizeof f->names - used, "%.*s ", (int)row->name.size, row->name.at);
    snprintf(f->last_trace, sizeof f->last_trace, "%.*s", (int)row->trace_id.size, row->trace_id.at);
    snprintf(f->last_id, sizeof f->last_id, "%.*s", (int)row->id.size, row->id.at);
    f->last_ms = row->start_ns / MS;
}

static observation row_of(const char *trace_id, const char *id, int64_t start_ms, const char *name)
{
    return (observation){.trace_id = text_of(trace_id),
                         .id = text_of(id),
                         .start_ns = start_ms * MS,
                         .end_ns = start_ms * MS,
                         .name = text_of(name),
                         .type = TEXT("SPAN"),
                         .tags = TEXT("[]"),
                         .own_metadata = TEXT(""),
                         .prompt_version = -1,
                         .completion_start_ms = -1};
}

static found read_all(store *s, const store_query *query)
{
    found f = {0};
    assert_true(store_read(s, query, remember, &f));
    return f;
}

static void put_one(store *s, observation row)
{
    assert_true(store_put_rows(s, &row, 1));
}

static void a_resend_replaces_and_another_start_does_not(void **state)
{
    store *s = open_store(":memory:", false);
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
    store *s = open_store(":memory:", false);
    store_query page = STORE_QUERY_ALL;
    char id[16];
    found f;
    size_t total = 0;
    (void)state;
    for (int i = 0; i < 50; i++) { /* several rows in each millisecond */
        snprintf(id, sizeof id, "%02d", i);
        put_one(s, row_of(i % 2 != 0 ? "t" : "u", id, i / 5, id));
    }
    page.limit = 7;
    do {
        f = read_all(s, &page);
        total += f.count;
        page.after = (store_position){f.last_ms, text_of(f.last_trace), text_of(f.last_id)};
    } while (f.count > 0);
    assert_int_equal(total, 50);
    store_close(s);
}

/* Made with the reference implementation of the hash. */
static void rows_of_one_millisecond_come_as_from_a_real_server(void **state)
{
    static const struct {
        const char *source;
        uint32_t hash;
    } cases[] = {
        {"", 0x02CC5D05},
        {"a", 0x550D7456},
        {"t1", 0xC42C5836},
        {"0123456789abcdef", 0xC2C45B69},
        {"0af7651916cd43dd8448eb211c80319c", 0xF44ED169},
        {"Nobody inspects the spammish repetition", 0xE2293B2F},
    };
    store *s = open_store(":memory:", false);
    store_query all = STORE_QUERY_ALL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(xxhash_32(text_of(cases[i].source)), cases[i].hash);
        put_one(s, row_of(cases[i].source, "1", 7, cases[i].source));
    }
    put_one(s, row_of("a", "2", 7, "a2"));
    put_one(s, row_of("a", "3", 6, "a3"));
    assert_string_equal(read_all(s, &all).names, "0af7651916cd43dd8448eb211c80319c Nobody inspects the spammish repetition t1 "
                                                 "0123456789abcdef a2 a  a3 ");
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
        {STORE_TRACE_ID, STORE_EQUALS, {"t1"}, "beta alpha "},
        {STORE_NAME, STORE_ANY_OF, {"alpha", "gamma"}, "gamma alpha "},
        {STORE_NAME, STORE_EQUALS, {"x' OR '1'='1"}, ""},
        {STORE_PARENT_ID, STORE_EQUALS, {"a"}, "beta "},
    };
    store *s = open_store(":memory:", false);
    observation child = row_of("t1", "b", 2, "beta");
    (void)state;
    child.parent_id = TEXT("a");
    put_one(s, row_of("t1", "a", 1, "alpha"));
    put_one(s, child);
    put_one(s, row_of("t2", "c", 3, "gamma"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const text values[] = {text_of(cases[i].values[0]), text_of(cases[i].values[1])};
        store_query query = STORE_QUERY_ALL;
        query.conditions[0] = (store_condition){cases[i].column, cases[i].op, values, cases[i].values[1] != NULL ? 2 : 1};
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
    store *s = open_store(":memory:", false);
    arena a = {0};
    text *ids;
    size_t count;
    (void)state;
    put_one(s, row_of("abc", "1", 1, "n"));
    put_one(s, row_of("abd", "1", 3, "n"));
    put_one(s, row_of("xyz", "1", 2, "n"));
    assert_true(store_newest_traces(s, &a, TEXT(""), 2, &ids, &count));
    assert_int_equal(count, 2);
    assert_true(text_is(ids[0], "abd") && text_is(ids[1], "xyz"));
    assert_true(store_newest_traces(s, &a, TEXT("ab"), 10, &ids, &count));
    assert_int_equal(count, 2);
    assert_true(store_newest_traces(s, &a, TEXT("a%"), 10, &ids, &count));
    assert_int_equal(count, 0);
    arena_free(&a);
    store_close(s);
}

static void what_arrived_since_then_is_told_oldest_first(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    text *ids;
    size_t count;
    int64_t total;
    (void)state;
    for (int i = 0; i < 5; i++) {
        observation row = row_of((const char *[]){"old", "c", "a", "b", "a"}[i], (const char *[]){"1", "1", "1", "1", "2"}[i],
                                 (const int[]){1, 4, 2, 3, 9}[i], "n");
        row.arrived_ns = i;
        put_one(s, row);
    }
    assert_true(store_arrived_traces(s, &a, 1, 10, &ids, &count, &total));
    assert_int_equal(count, 3);
    assert_int_equal(total, 3);
    assert_true(text_is(ids[0], "a") && text_is(ids[1], "b") && text_is(ids[2], "c"));
    assert_true(store_arrived_traces(s, &a, INT64_MIN, 2, &ids, &count, &total));
    assert_int_equal(count, 2);
    assert_int_equal(total, 4);
    assert_true(text_is(ids[0], "b") && text_is(ids[1], "c"));
    assert_true(store_arrived_traces(s, &a, 5, 2, &ids, &count, &total));
    assert_int_equal(count, 0);
    assert_int_equal(total, 0);
    arena_free(&a);
    store_close(s);
}

static void text_with_nul_comes_back_whole(void **state)
{
    char path[] = TEMPORARY_PATH;
    (void)state;
    make_file(path);
    store *s = open_store(path, false);
    observation row = row_of("t", "i", 1, "n");
    row.input = (text){"a\0b", 3};
    put_one(s, row);
    store *reader = open_store(path, true);
    store_query query = STORE_QUERY_ALL;
    assert_int_equal(read_all(reader, &query).count, 1);
    assert_false(store_put_rows(reader, &row, 1));
    arena memory = {0};
    const event named = {.type = event_type_of(TEXT("trace-create")),
                         .id = TEXT("e"),
                         .body_id = TEXT("t"),
                         .body = json_parse(&memory, TEXT("{}"))};
    assert_false(store_put_events(reader, &memory, &named, 1)); /* a reader cannot write */
    assert_false(store_delete_trace(reader, TEXT("t")));
    arena_free(&memory);
    store_close(reader);
    store_close(s);
    unlink(path);
}

static int mode_of(const char *path, const char *ending)
{
    char name[100];
    struct stat info;
    snprintf(name, sizeof name, "%s%s", path, ending);
    return stat(name, &info) == 0 ? (int)(info.st_mode & 0777) : -1;
}

static void the_database_and_its_files_are_for_their_owner_only(void **state)
{
    char path[] = TEMPORARY_PATH, name[100];
    static const char *const endings[] = {"", "-wal", "-shm"};
    (void)state;
    mode_t before = umask(0);
    make_file(path);
    unlink(path);
    store *s = open_store(path, false);
    put_one(s, row_of("t", "i", 1, "n"));
    for (int i = 0; i < 3; i++)
        assert_int_equal(mode_of(path, endings[i]), 0600);
    store_close(s);
    assert_int_equal(chmod(path, 0640), 0);
    s = open_store(path, false);
    assert_int_equal(mode_of(path, ""), 0640); /* its owner wants it so */
    store_close(s);
    umask(before);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static void a_foreign_file_is_refused_with_a_reason(void **state)
{
    char path[] = TEMPORARY_PATH, why[200] = "";
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

/* Somebody else writes and does not end: nothing is stored, which is told with the reason, reading goes on, and so does writing
 * later. */
static void a_locked_database_is_waited_for_and_then_told(void **state)
{
    char path[] = TEMPORARY_PATH, why[200] = "";
    const store_query all = STORE_QUERY_ALL;
    observation row = row_of("t", "late", 2, "late");
    arena memory = {0};
    const event named = {.type = event_type_of(TEXT("trace-create")),
                         .id = TEXT("e"),
                         .body_id = TEXT("t"),
                         .body = json_parse(&memory, TEXT("{}"))};
    sqlite3 *other;
    (void)state;
    make_file(path);
    store *s = open_store(path, false);
    put_one(s, row_of("t", "i", 1, "kept"));
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_null(store_open(path, false, why, sizeof why));
    assert_non_null(strstr(why, "locked"));
    sqlite3_busy_timeout(s->db, 10);
    assert_false(store_put_rows(s, &row, 1));
    store_problem(s, why, sizeof why);
    assert_non_null(strstr(why, "locked"));
    assert_false(store_put_events(s, &memory, &named, 1));
    store_problem(s, why, sizeof why);
    assert_non_null(strstr(why, "locked"));
    assert_false(store_delete_trace(s, TEXT("t")));
    assert_string_equal(read_all(s, &all).names, "kept ");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    put_one(s, row);
    assert_true(store_put_events(s, &memory, &named, 1));
    assert_string_equal(read_all(s, &all).names, "late kept ");
    sqlite3_close(other);
    store_close(s);
    arena_free(&memory);
    unlink(path);
}

/* The table of version 1, with one row. */
static const char version_1[] =
    "CREATE TABLE observations (trace_id TEXT NOT NULL, id TEXT NOT NULL, start_ms INTEGER NOT NULL, parent_id TEXT NOT NULL,"
    " start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, arrived_ns INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,"
    " level TEXT NOT NULL, status_message TEXT NOT NULL, version TEXT NOT NULL, environment TEXT NOT NULL, release TEXT NOT NULL,"
    " user_id TEXT NOT NULL, session_id TEXT NOT NULL, trace_name TEXT NOT NULL, tags TEXT NOT NULL, is_public INTEGER NOT NULL,"
    " is_app_root INTEGER NOT NULL, input TEXT, output TEXT, metadata TEXT NOT NULL, experiment TEXT NOT NULL, model TEXT NOT NULL,"
    " model_parameters TEXT NOT NULL, usage TEXT NOT NULL, cost TEXT NOT NULL, completion_start_ms INTEGER NOT NULL,"
    " prompt_name TEXT NOT NULL, prompt_version INTEGER NOT NULL, UNIQUE (trace_id, id, start_ms));"
    "INSERT INTO observations VALUES "
    "('t','i',1,'',1000000,2000000,3,'SPAN','old','DEFAULT','','','default','','u','s','old','[]',0,0,"
    " 'in',NULL,'{}','','','{}','{}','{}',-1,'',-1);"
    "PRAGMA user_version = 1;";

static void a_database_of_version_1_is_upgraded(void **state)
{
    char path[] = TEMPORARY_PATH, why[200];
    const store_query all = STORE_QUERY_ALL;
    sqlite3 *old;
    (void)state;
    make_file(path);
    assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, version_1, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(old);
    assert_null(store_open(path, true, why, sizeof why)); /* a reader does not change it */
    for (int i = 0; i < 2; i++) {                         /* the second time there is nothing left to do */
        store *s = open_store(path, false);
        assert_string_equal(read_all(s, &all).names, i == 0 ? "old " : "new old ");
        put_one(s, row_of("t", "j", 5, "new"));
        store_close(s);
    }
    unlink(path);
}

static void keep_tier(void *context, const observation *row)
{
    buf *said = context;
    buf_format(said, "%.*s of %.*s;", (int)row->tier.size, row->tier.at, (int)row->model_id.size, row->model_id.at);
}

static void a_database_of_version_3_has_rows_without_prices(void **state)
{
    char path[] = TEMPORARY_PATH;
    const store_query all = STORE_QUERY_ALL;
    observation row = row_of("t", "j", 5, "new");
    buf said = {0};
    sqlite3 *old;
    (void)state;
    make_file(path);
    store *s = open_store(path, false);
    put_one(s, row_of("t", "i", 1, "old"));
    store_close(s);
    assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, HARNESS_OLD_OBSERVATIONS "PRAGMA user_version = 3;", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(old);
    s = open_store(path, false);
    row.model_id = TEXT("m");
    row.tier = TEXT("Standard");
    put_one(s, row);
    assert_true(store_read(s, &all, keep_tier, &said));
    assert_text(buf_view(&said), "Standard of m; of ;");
    buf_free(&said);
    store_close(s);
    unlink(path);
}

static void put_trace_event(store *s, const char *id, const char *body, int64_t at_ms)
{
    arena a = {0};
    event e = {.type = event_type_of(TEXT("trace-create")),
               .id = TEXT("e"),
               .body_id = text_of(id),
               .timestamp_ms = at_ms,
               .body = json_parse(&a, text_of(body))};
    assert_true(store_put_events(s, &a, &e, 1));
    arena_free(&a);
}

static void traces_are_found_by_what_rows_and_events_say(void **state)
{
    static const struct {
        store_trace_column column;
        const char *values[2], *expected;
    } cases[] = {
        {STORE_TRACE_USER, {"u"}, "b a "},        {STORE_TRACE_USER, {"u", "w"}, "c b a "}, {STORE_TRACE_NAME, {"root"}, "a "},
        {STORE_TRACE_NAME, {"event"}, "b "},      {STORE_TRACE_TAG, {"x"}, "b a "},         {STORE_TRACE_TAG, {"y"}, "b "},
        {STORE_TRACE_SESSION, {"s"}, "b "},       {STORE_TRACE_RELEASE, {"none"}, ""},      {STORE_TRACE_VERSION, {"1"}, "c "},
        {STORE_TRACE_ENVIRONMENT, {"dev"}, "c "},
    };
    store *s = open_store(":memory:", false);
    observation rows[] = {row_of("a", "1", 10, "n"), row_of("a", "2", 90, "n"), row_of("c", "3", 30, "n")};
    int64_t total;
    size_t count;
    text *ids;
    (void)state;
    rows[0].user_id = TEXT("u");
    rows[0].trace_name = TEXT("root");
    rows[1].tags = TEXT("[\"x\"]");
    rows[2].user_id = TEXT("w");
    rows[2].version = TEXT("1");
    rows[2].environment = TEXT("dev");
    assert_true(store_put_rows(s, rows, 3));
    put_trace_event(s, "b", "{\"name\":\"event\",\"userId\":\"u\",\"sessionId\":\"s\",\"tags\":[\"y\",\"x\"]}", 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        buf names = {0};
        const text values[] = {text_of(cases[i].values[0]), text_of(cases[i].values[1])};
        store_trace_query query = {.conditions = {{cases[i].column, values, cases[i].values[1] != NULL ? 2 : 1}},
                                   .condition_count = 1,
                                   .from_ms = INT64_MIN,
                                   .to_ms = INT64_MAX,
                                   .limit = 10};
        assert_true(store_find_traces(s, &a, &query, &ids, &count, &total));
        for (size_t j = 0; j < count; j++)
            buf_format(&names, "%.*s ", (int)ids[j].size, ids[j].at);
        assert_true(text_is(buf_view(&names), cases[i].expected));
        assert_int_equal(total, count);
        buf_free(&names);
        arena_free(&a);
    }
    arena a = {0};
    store_trace_query page = {.from_ms = 10, .to_ms = 30, .oldest_first = true, .limit = 1, .offset = 1};
    assert_true(store_find_traces(s, &a, &page, &ids, &count, &total));
    assert_true(count == 1 && text_is(ids[0], "b") && total == 2);
    page.offset = 5; /* behind the last page, the total is told all the same */
    assert_true(store_find_traces(s, &a, &page, &ids, &count, &total));
    assert_true(count == 0 && total == 2);
    assert_true(store_newest_traces(s, &a, TEXT(""), 10, &ids, &count));
    assert_true(count == 3 && text_is(ids[0], "a"));
    arena_free(&a);
    store_close(s);
}

/* Tags that are part of another, or hold what means something to SQL or JSON: each is found by its whole text, and by nothing
 * else. */
static void a_tag_is_found_by_its_whole_text(void **state)
{
    static const struct {
        const char *tag, *expected;
    } cases[] = {
        {"a", "exact "}, {"q\"a", "odd event "}, {"50%", "odd event "},  {"50", ""}, {"%", ""},       {"_", ""}, {"", ""},
        {"\"a\"", ""},   {"a\\", "odd event "},  {"it's", "odd event "}, {"\"", ""}, {"aa", "part "}, {",", ""},
    };
    static const char odd[] = "[\"q\\\"a\",\"50%\",\"a\\\\\",\"it's\"]";
    store *s = open_store(":memory:", false);
    observation rows[] = {row_of("exact", "1", 10, "n"), row_of("odd", "2", 20, "n"), row_of("part", "3", 30, "n"),
                          row_of("none", "4", 40, "n")};
    text *ids;
    size_t count;
    int64_t total;
    (void)state;
    rows[0].tags = TEXT("[\"b\",\"a\"]");
    rows[1].tags = TEXT(odd);
    rows[2].tags = TEXT("[\"aa\",\"ba\"]");
    assert_true(store_put_rows(s, rows, 4));
    put_trace_event(s, "event", "{\"tags\":[\"q\\\"a\",\"50%\",\"a\\\\\",\"it's\"]}", 25);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        buf names = {0};
        const text values[] = {text_of(cases[i].tag), TEXT("nobody has this")};
        store_trace_query query = {.conditions = {{STORE_TRACE_TAG, values, 2}},
                                   .condition_count = 1,
                                   .from_ms = INT64_MIN,
                                   .to_ms = INT64_MAX,
                                   .oldest_first = true,
                                   .limit = 10};
        assert_true(store_find_traces(s, &a, &query, &ids, &count, &total));
        for (size_t j = 0; j < count; j++)
            buf_format(&names, "%.*s ", (int)ids[j].size, ids[j].at);
        buf_char(&names, '\0');
        assert_string_equal(names.at, cases[i].expected);
        buf_free(&names);
        arena_free(&a);
    }
    store_close(s);
}

static void sessions_begin_with_their_first_observation(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    observation rows[] = {row_of("a", "1", 30, "n"), row_of("a", "2", 10, "n"), row_of("b", "3", 20, "n")};
    store_session_query query = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .limit = 10};
    store_session *sessions;
    int64_t total;
    size_t count;
    (void)state;
    rows[0].session_id = rows[1].session_id = TEXT("s");
    rows[1].environment = TEXT("dev");
    assert_true(store_put_rows(s, rows, 3));
    put_trace_event(s, "c", "{\"sessionId\":\"other\"}", 15);
    assert_true(store_find_sessions(s, &a, &query, &sessions, &count, &total));
    assert_int_equal(count, 2);
    assert_true(text_is(sessions[0].id, "other") && text_is(sessions[0].environment, "default") && sessions[0].created_ms == 15);
    assert_true(text_is(sessions[1].id, "s") && text_is(sessions[1].environment, "dev") && sessions[1].created_ms == 10);
    query.id = TEXT("none");
    assert_true(store_find_sessions(s, &a, &query, &sessions, &count, &total));
    assert_int_equal(count + (size_t)total, 0);
    arena_free(&a);
    store_close(s);
}

/* ---- Reading beside writing ---- */

typedef struct beside {
    store *s;
    size_t seen;
} beside;

/* Writes in the middle of a read: with one connection for both it would wait for ever. */
static void write_beside(void *context, const observation *row)
{
    beside *b = context;
    observation more = row_of("t", b->seen == 0 ? "x" : "y", 100 + (int64_t)b->seen, "n");
    arena memory = {0};
    (void)row;
    b->seen++;
    put_one(b->s, more);
    put_trace_event(b->s, "event", "{\"name\":\"e\"}", 15);
    store *reader = store_begin(b->s, false); /* prompts are read meanwhile, too */
    assert_non_null(reader);
    store *writer = store_begin(b->s, true);
    assert_non_null(writer);
    assert_true(store_end(writer, true));
    assert_true(store_end(reader, true));
    arena_free(&memory);
}

static void a_long_read_holds_no_write_up(void **state)
{
    char path[] = TEMPORARY_PATH;
    store_query all = STORE_QUERY_ALL;
    int64_t count;
    (void)state;
    make_file(path);
    beside b = {.s = open_store(path, false)};
    put_one(b.s, row_of("t", "1", 1, "n"));
    put_one(b.s, row_of("t", "2", 2, "n"));
    assert_true(store_read(b.s, &all, write_beside, &b));
    assert_int_equal(b.seen, 2); /* what was there when it began */
    assert_true(store_count_rows(b.s, &all, &count));
    assert_int_equal(count, 4);
    store_close(b.s);
    unlink(path);
}

static void a_file_that_is_gone_takes_no_writes(void **state)
{
    char path[] = TEMPORARY_PATH, why[200];
    observation row = row_of("t", "1", 1, "n");
    (void)state;
    for (int replaced = 0; replaced < 2; replaced++) {
        memcpy(path, TEMPORARY_PATH, sizeof path);
        make_file(path);
        store *s = open_store(path, false);
        put_one(s, row);
        unlink(path);
        if (replaced) {
            FILE *other = fopen(path, "w");
            assert_non_null(other);
            fclose(other);
        }
        assert_false(store_put_rows(s, &row, 1));
        store_problem(s, why, sizeof why);
        assert_non_null(strstr(why, "removed or replaced"));
        store_close(s);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resend_replaces_and_another_start_does_not),
        cmocka_unit_test(pages_show_each_row_once_newest_first),
        cmocka_unit_test(filters_select),
        cmocka_unit_test(rows_of_one_millisecond_come_as_from_a_real_server),
        cmocka_unit_test(traces_come_newest_first_and_by_prefix),
        cmocka_unit_test(what_arrived_since_then_is_told_oldest_first),
        cmocka_unit_test(text_with_nul_comes_back_whole),
        cmocka_unit_test(the_database_and_its_files_are_for_their_owner_only),
        cmocka_unit_test(a_foreign_file_is_refused_with_a_reason),
        cmocka_unit_test(a_locked_database_is_waited_for_and_then_told),
        cmocka_unit_test(a_database_of_version_1_is_upgraded),
        cmocka_unit_test(a_database_of_version_3_has_rows_without_prices),
        cmocka_unit_test(traces_are_found_by_what_rows_and_events_say),
        cmocka_unit_test(a_tag_is_found_by_its_whole_text),
        cmocka_unit_test(sessions_begin_with_their_first_observation),
        cmocka_unit_test(a_long_read_holds_no_write_up),
        cmocka_unit_test(a_file_that_is_gone_takes_no_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
