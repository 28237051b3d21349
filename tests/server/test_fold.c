/* Folds: the same events give the same row in whatever order and portions they come; what counts of several events. */
#include "harness.h"

#include "../../server/fold.h"

#include <stdio.h>

enum { EVENTS = 24, ROUNDS = 400, SHUFFLES = 4, MANY = 10000 };

/* ---- Events by chance ---- */

static uint32_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state = chance_state * 1664525u + 1013904223u;
    return (chance_state >> 8) % below;
}

static void put_chance_value(buf *out, unsigned depth)
{
    static const char *const scalars[] = {"null", "false", "0", "\"\"", "true", "1.5", "\"text\"", "12345678901234567890"};
    uint32_t kind = depth > 3 ? 0 : chance(4);
    if (kind < 2) {
        buf_string(out, scalars[chance(sizeof scalars / sizeof *scalars)]);
        return;
    }
    buf_char(out, kind == 2 ? '{' : '[');
    for (uint32_t i = chance(4); i > 0; i--) {
        json_put_comma(out);
        if (kind == 2)
            buf_format(out, "\"%c\":", "ab0"[chance(3)]);
        put_chance_value(out, depth + 1);
    }
    buf_char(out, kind == 2 ? '}' : ']');
}

static text chance_body(arena *a)
{
    static const char *const strings[] = {"name",          "environment", "traceId", "version",    "userId",
                                          "statusMessage", "level",       "model",   "promptName", "source",
                                          "dataType",      "comment",     "type",    "sessionId",  "parentObservationId"};
    static const char *const values[] = {"input", "output", "metadata", "metadata", "usage", "modelParameters", "value", "public"};
    buf out = {0};
    buf_char(&out, '{');
    for (uint32_t i = chance(6); i > 0; i--) {
        json_put_key(&out, strings[chance(sizeof strings / sizeof *strings)]);
        buf_string(&out, chance(4) == 0 ? "null" : chance(2) == 0 ? "\"x\"" : "\"y\"");
    }
    for (uint32_t i = chance(4); i > 0; i--) {
        json_put_key(&out, values[chance(sizeof values / sizeof *values)]);
        put_chance_value(&out, 0);
    }
    if (chance(2) == 0)
        buf_format(&out, "%s\"tags\":[\"%c\",\"%c\"]", out.size > 1 ? "," : "", (int)('a' + chance(5)), (int)('a' + chance(5)));
    buf_char(&out, '}');
    return buf_move(&out, a);
}

static void make_events(arena *a, event_kind kind, event *events, size_t count)
{
    static const char *const types[3][4] = {{"trace-create", "trace-create", "trace-create", "trace-create"},
                                            {"span-create", "generation-update", "generation-create", "observation-update"},
                                            {"score-create", "score-create", "score-create", "score-create"}};
    for (size_t i = 0; i < count; i++) {
        events[i] = (event){.type = event_type_of(text_of(types[kind][chance(4)])),
                            .timestamp_ms = (int64_t)chance(4) - 2,
                            .arrived_ns = chance(3),
                            .place = (int64_t)i + 1,
                            .body = json_parse(a, chance_body(a))};
        assert_non_null(events[i].body);
    }
}

/* ---- Rows as text ---- */

static void put_words(buf *out, const text *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_put_string(out, words[i].at != NULL ? words[i] : TEXT("(none)"));
        buf_char(out, '\n');
    }
}

static text row_of_fold(arena *a, event_kind kind, fold *f)
{
    buf out = {0};
    if (kind == EVENT_TRACE) {
        trace_record t = event_trace(a, f);
        const text words[] = {t.name,        t.user_id, t.session_id, t.release, t.version,
                              t.environment, t.tags,    t.input,      t.output,  t.metadata};
        put_words(&out, words, sizeof words / sizeof *words);
        buf_format(&out, "%d %lld %lld %lld", t.is_public, (long long)t.timestamp_ms, (long long)t.created_ns,
                   (long long)t.updated_ns);
    } else if (kind == EVENT_OBSERVATION) {
        observation o = event_observation(a, f);
        const text words[] = {o.trace_id,         o.parent_id,   o.name,   o.type,       o.level, o.status_message,
                              o.version,          o.input,       o.output, o.model,      o.usage, o.metadata,
                              o.model_parameters, o.environment, o.cost,   o.prompt_name};
        put_words(&out, words, sizeof words / sizeof *words);
        buf_format(&out, "%lld %lld %lld", (long long)o.start_ns, (long long)o.end_ns, (long long)o.arrived_ns);
    } else {
        score s = event_score(a, f);
        const text words[] = {s.name, s.data_type, s.source, s.environment, s.trace_id, s.string_value, s.metadata, s.comment};
        put_words(&out, words, sizeof words / sizeof *words);
        buf_format(&out, "%g %lld", s.value, (long long)s.timestamp_ms);
    }
    return buf_move(&out, a);
}

static text fold_all(arena *a, event_kind kind, const event *events, const size_t *order, size_t count)
{
    fold *f = fold_new(a, kind, TEXT("id"));
    for (size_t i = 0; i < count; i++) {
        fold_add(f, &events[order[i]]);
        if (chance(5) == 0)
            f = fold_copy(a, f);
        if (chance(5) == 0)
            fold_body(a, f); /* looking changes nothing */
    }
    return row_of_fold(a, kind, f);
}

static void the_order_of_arrival_does_not_matter(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        arena a = {0};
        event events[EVENTS];
        size_t order[EVENTS];
        event_kind kind = (event_kind)(round % 3);
        chance_state = round;
        make_events(&a, kind, events, EVENTS);
        for (size_t i = 0; i < EVENTS; i++)
            order[i] = i;
        text first = fold_all(&a, kind, events, order, EVENTS);
        for (int shuffle = 0; shuffle < SHUFFLES; shuffle++) {
            for (size_t i = EVENTS - 1; i > 0; i--) {
                size_t other = chance((uint32_t)i + 1), kept = order[i];
                order[i] = order[other];
                order[other] = kept;
            }
            text row = fold_all(&a, kind, events, order, EVENTS);
            if (!text_equal(first, row))
                fail_msg("round %u: %.*s\nis not\n%.*s", round, (int)row.size, row.at, (int)first.size, first.at);
        }
        assert_false(a.failed);
        arena_free(&a);
    }
}

/* ---- What counts ---- */

static event event_of(arena *a, const char *type, int64_t time_ms, int64_t place, const char *body)
{
    event e = {.type = event_type_of(text_of(type)), .timestamp_ms = time_ms, .place = place, .body = json_parse(a, text_of(body))};
    assert_non_null(e.body);
    return e;
}

static void metadata_is_merged_deeply(void **state)
{
    static const struct {
        const char *bodies[3], *expected;
    } cases[] = {
        {{"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":3,\"z\":4}}"}, "{\"a\":\"{\\\"x\\\":1,\\\"y\\\":3,\\\"z\\\":4}\"}"},
        {{"{\"a\":{\"x\":1}}", "{\"a\":5}", "{\"a\":{\"y\":2}}"}, "{\"a\":\"{\\\"y\\\":2}\"}"},
        {{"{\"a\":{\"x\":1}}", "{\"a\":{}}"}, "{\"a\":\"{\\\"x\\\":1}\"}"},
        {{"{\"a\":[1,2,3]}", "{\"a\":[9]}"}, "{\"a\":\"[9,2,3]\"}"},
        {{"{\"a\":[1,2]}", "{\"a\":{\"x\":1}}", "{\"a\":[3]}"}, "{\"a\":\"[3]\"}"},
        {{"{\"a\":1,\"a\":{\"x\":1}}", "{\"b\":null}"}, "{\"a\":\"{\\\"x\\\":1}\",\"b\":\"null\"}"},
        {{"\"text\"", "[1]", "0"}, "{\"metadata\":\"[1]\"}"},
        {{"{\"k\":\"v\"}", "false", "\"\""}, "{\"k\":\"v\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        fold *f = fold_new(&a, EVENT_TRACE, TEXT("t"));
        for (int j = 0; j < 3 && cases[i].bodies[j] != NULL; j++) {
            buf body = {0};
            buf_format(&body, "{\"metadata\":%s}%c", cases[i].bodies[j], 0);
            event e = event_of(&a, "trace-create", j, 1, arena_copy(&a, buf_view(&body)).at);
            fold_add(f, &e);
            buf_free(&body);
        }
        assert_text(event_trace(&a, f).metadata, cases[i].expected);
        arena_free(&a);
    }
}

/* As a real server has it: of creates of one millisecond the first counts, of updates the last. */
static void of_one_millisecond_the_first_create_counts(void **state)
{
    arena a = {0};
    fold *f = fold_new(&a, EVENT_OBSERVATION, TEXT("o"));
    const event events[] = {event_of(&a, "generation-create", 5, 1, "{\"name\":\"one\",\"model\":\"m\"}"),
                            event_of(&a, "generation-create", 5, 2, "{\"name\":\"two\"}")};
    (void)state;
    fold_add(f, &events[0]);
    fold_add(f, &events[1]);
    assert_text(event_observation(&a, f).name, "one");
    const event updates[] = {event_of(&a, "generation-update", 5, 3, "{\"name\":\"three\"}"),
                             event_of(&a, "generation-update", 5, 4, "{\"name\":\"four\"}")};
    fold_add(f, &updates[1]);
    fold_add(f, &updates[0]);
    assert_text(event_observation(&a, f).name, "four");
    assert_text(event_observation(&a, f).model, "m");
    arena_free(&a);
}

static void what_is_false_in_javascript_is_no_input(void **state)
{
    static const char *const lost[] = {"0", "0.0", "-0", "false", "\"\"", "null"};
    static const char *const kept[] = {"\"0\"", "[]", "{}", "1", "true"};
    (void)state;
    for (size_t i = 0; i < sizeof lost / sizeof *lost + sizeof kept / sizeof *kept; i++) {
        arena a = {0};
        bool is_kept = i >= sizeof lost / sizeof *lost;
        const char *value = is_kept ? kept[i - sizeof lost / sizeof *lost] : lost[i];
        char body[100];
        fold *f = fold_new(&a, EVENT_OBSERVATION, TEXT("o"));
        snprintf(body, sizeof body, "{\"input\":%s}", value);
        event e = event_of(&a, "span-update", 2, 1, body), earlier = event_of(&a, "span-create", 1, 2, "{\"output\":\"o\"}");
        fold_add(f, &e);
        fold_add(f, &earlier);
        assert_true((event_observation(&a, f).input.at != NULL) == is_kept);
        snprintf(body, sizeof body, "{\"output\":%s}", value);
        event later = event_of(&a, "span-update", 3, 3, body);
        fold_add(f, &later);
        assert_true(text_is(event_observation(&a, f).output, "o") != is_kept);
        arena_free(&a);
    }
}

static void public_is_of_the_last_event_and_environment_of_the_first(void **state)
{
    arena a = {0};
    fold *f = fold_new(&a, EVENT_TRACE, TEXT("t"));
    const event first = event_of(&a, "trace-create", 1, 1, "{\"public\":true}"),
                second = event_of(&a, "trace-create", 2, 2, "{\"environment\":\"dev\"}");
    (void)state;
    fold_add(f, &first);
    assert_int_equal(event_trace(&a, f).is_public, 1);
    fold_add(f, &second);
    assert_int_equal(event_trace(&a, f).is_public, 0);
    assert_text(event_trace(&a, f).environment, "default");
    arena_free(&a);
}

static void an_observation_ends_after_its_start(void **state)
{
    arena a = {0};
    fold *f = fold_new(&a, EVENT_OBSERVATION, TEXT("o"));
    const event e = event_of(&a, "span-create", 1, 1,
                             "{\"startTime\":\"2026-01-01T00:00:01Z\",\"endTime\":\"2026-01-01T00:00:00Z\"}");
    (void)state;
    fold_add(f, &e);
    observation o = event_observation(&a, f);
    assert_true(o.end_ns == o.start_ns && o.start_ns > 0);
    arena_free(&a);
}

/* Ten thousand events of one id, each with a tag and a key: the memory is that of what counts. */
static void a_fold_grows_with_what_counts_and_not_with_the_events(void **state)
{
    arena a = {0}, small = {0};
    fold *f = fold_new(&a, EVENT_TRACE, TEXT("t"));
    (void)state;
    for (int i = 0; i < MANY; i++) {
        char body[200];
        int at = i * 7919 % MANY; /* in no order */
        arena one = {0};
        snprintf(body, sizeof body, "{\"tags\":[\"t%d\"],\"metadata\":{\"k%d\":{\"v\":%d}},\"name\":\"n%d\"}", at % 20, at % 50, at,
                 at);
        event e = event_of(&one, "trace-create", at, 1, body);
        fold_add(f, &e);
        arena_free(&one);
    }
    trace_record t = event_trace(&a, fold_copy(&small, f));
    assert_text(t.name, "n9999");
    assert_true(text_has(t.metadata, "\"k49\":\"{\\\"v\\\":9999}\""));
    assert_int_equal(json_count(json_parse(&a, t.tags)), 20);
    assert_true(small.held < 200000);
    arena_free(&a);
    arena_free(&small);
}

static void what_is_too_much_is_dropped(void **state)
{
    arena a = {0};
    buf body = {0};
    fold *f = fold_new(&a, EVENT_TRACE, TEXT("t"));
    (void)state;
    buf_string(&body, "{\"metadata\":{");
    for (int i = 0; i < 120000; i++)
        buf_format(&body, "%s\"k%d\":1", i > 0 ? "," : "", i);
    buf_string(&body, "},\"tags\":[");
    for (int i = 0; i < 20000; i++)
        buf_format(&body, "%s\"t%d\"", i > 0 ? "," : "", i);
    buf_string(&body, "]}");
    event e = {.type = event_type_of(TEXT("trace-create")), .body = json_parse(&a, buf_view(&body))};
    fold_add(f, &e);
    trace_record t = event_trace(&a, f);
    assert_int_equal(json_count(json_parse(&a, t.metadata)), 100000);
    assert_int_equal(json_count(json_parse(&a, t.tags)), 10000);
    buf_free(&body);
    arena_free(&a);
}

/* ---- In the database ---- */

/* One event a batch, in no order; after each hundred the store is opened again, so that nothing is remembered. */
static void a_store_that_forgets_folds_the_same(void **state)
{
    char path[] = TEMPORARY_PATH;
    text rows[2];
    arena a = {0};
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        event events[EVENTS * 10];
        make_file(path);
        store *s = open_store(path, false);
        chance_state = 77;
        make_events(&a, EVENT_TRACE, events, EVENTS * 10);
        for (size_t i = 0; i < EVENTS * 10; i++) {
            char id[20];
            arena memory = {0};
            snprintf(id, sizeof id, "%zu", i);
            events[i].id = text_of(id);
            events[i].body_id = TEXT("t");
            events[i].arrived_ns = (int64_t)i;
            assert_true(store_put_events(s, &memory, &events[i], 1));
            assert_true(store_put_events(s, &memory, &events[i], 1)); /* sent twice */
            arena_free(&memory);
            if (forgets && i % 50 == 0) {
                store_close(s);
                s = open_store(path, false);
            }
        }
        trace_data data;
        buf out = {0};
        assert_true(store_load_trace(s, &a, TEXT("t"), &data) && data.has_record);
        const text words[] = {data.record.name, data.record.tags, data.record.metadata, data.record.input, data.record.user_id};
        put_words(&out, words, sizeof words / sizeof *words);
        rows[forgets] = buf_move(&out, &a);
        store_close(s);
        unlink(path);
        memcpy(path, TEMPORARY_PATH, sizeof path);
    }
    assert_true(text_equal(rows[0], rows[1]));
    arena_free(&a);
}

/* Updates that are large replace each other, and none is refused. */
static void many_large_updates_of_one_observation_are_taken(void **state)
{
    store *s = open_store(":memory:", false);
    buf body = {0};
    (void)state;
    buf_string(&body, "{\"id\":\"o\",\"traceId\":\"t\",\"output\":\"");
    for (int i = 0; i < 1 << 20; i++)
        buf_char(&body, 'o');
    buf_string(&body, "\"}");
    for (int i = 0; i < 100; i++) {
        char id[20];
        arena memory = {.ceiling = 8 << 20};
        snprintf(id, sizeof id, "%d", i);
        event e = {.type = event_type_of(TEXT("span-update")),
                   .id = text_of(id),
                   .body_id = TEXT("o"),
                   .timestamp_ms = 1000 - i,
                   .body = json_parse(&memory, buf_view(&body))};
        assert_true(store_put_events(s, &memory, &e, 1));
        arena_free(&memory);
    }
    buf_free(&body);
    store_close(s);
}

/* A prompt that is not there is no prompt of the generation. */
static void an_unknown_prompt_is_dropped(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    trace_data data;
    (void)state;
    event e = event_of(&a, "generation-create", 1, 1, "{\"traceId\":\"t\",\"promptName\":\"p\",\"promptVersion\":2}");
    e.id = e.body_id = TEXT("o");
    assert_true(store_put_events(s, &a, &e, 1));
    assert_true(store_load_trace(s, &a, TEXT("t"), &data) && data.row_count == 1);
    assert_text(data.rows[0].prompt_name, "");
    assert_int_equal(data.rows[0].prompt_version, -1);
    arena_free(&a);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_arrival_does_not_matter),
        cmocka_unit_test(metadata_is_merged_deeply),
        cmocka_unit_test(of_one_millisecond_the_first_create_counts),
        cmocka_unit_test(what_is_false_in_javascript_is_no_input),
        cmocka_unit_test(public_is_of_the_last_event_and_environment_of_the_first),
        cmocka_unit_test(an_observation_ends_after_its_start),
        cmocka_unit_test(a_fold_grows_with_what_counts_and_not_with_the_events),
        cmocka_unit_test(what_is_too_much_is_dropped),
        cmocka_unit_test(a_store_that_forgets_folds_the_same),
        cmocka_unit_test(many_large_updates_of_one_observation_are_taken),
        cmocka_unit_test(an_unknown_prompt_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
