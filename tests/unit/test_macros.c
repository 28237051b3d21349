/* What the macros do to a program and what arrives of it: functions are run with them, and the lines that the file exporter
 * wrote are read back. Modes that are decided once per process run in children: this program again, with an argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct point {
    int x, y;
};
#define LF_CAPTURE_TYPES struct point : point_value
#include "../../observe.h"
#include "scopes.h"

static __attribute__((unused)) lf_value point_value(struct point point)
{
    return lf_int(point.x * 100 + point.y);
}

#include <cjson/cJSON.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLUSH_MS = 10000, SPANS_MAX = 256 };

static const char *program;
static char path[64];

#define NOINLINE __attribute__((noinline))

/* ---- Reading back ----------------------------------------------------------------------------------------------- */

static cJSON *lines[SPANS_MAX];
static size_t line_count;
static const cJSON *spans[SPANS_MAX];
static size_t span_count;
static long file_offset;

static void forget_spans(void)
{
    for (size_t i = 0; i < line_count; i++)
        cJSON_Delete(lines[i]);
    line_count = span_count = 0;
}

static void read_line(const char *line)
{
    cJSON *json = cJSON_Parse(line);
    assert_non_null(json);
    assert_true(line_count < SPANS_MAX);
    lines[line_count++] = json;
    const cJSON *resource, *scope, *span;
    cJSON_ArrayForEach(resource, cJSON_GetObjectItem(json, "resourceSpans"))
        cJSON_ArrayForEach(scope, cJSON_GetObjectItem(resource, "scopeSpans"))
            cJSON_ArrayForEach(span, cJSON_GetObjectItem(scope, "spans")) {
                assert_true(span_count < SPANS_MAX);
                spans[span_count++] = span;
            }
}

/* What was written to `file` since the last call for it. */
static void read_file(const char *file, long *offset)
{
    forget_spans();
    FILE *stream = fopen(file, "r");
    if (stream == NULL)
        return;
    assert_int_equal(fseek(stream, *offset, SEEK_SET), 0);
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stream) > 0)
        read_line(line);
    *offset = ftell(stream);
    free(line);
    fclose(stream);
}

static void collect(void)
{
    assert_int_equal(lf_flush(FLUSH_MS), LF_OK);
    read_file(path, &file_offset);
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
}

/* The n-th span of this name, in the order of ending. */
static const cJSON *nth_span(const char *name, size_t n)
{
    for (size_t i = 0; i < span_count; i++)
        if (strcmp(text_of(spans[i], "name"), name) == 0 && n-- == 0)
            return spans[i];
    fail_msg("no span is named %s", name);
    return NULL;
}

static size_t count_spans(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < span_count; i++)
        count += strcmp(text_of(spans[i], "name"), name) == 0;
    return count;
}

static const cJSON *span_named(const char *name)
{
    assert_int_equal(count_spans(name), 1);
    return nth_span(name, 0);
}

static const cJSON *attribute(const cJSON *span, const char *key)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(span, "attributes"))
        if (strcmp(text_of(item, "key"), key) == 0)
            return cJSON_GetObjectItem(item, "value");
    return NULL;
}

/* A text attribute; "(none)" when it is not there. `key` without its prefix. */
static const char *said(const cJSON *span, const char *key)
{
    char full[128];
    snprintf(full, sizeof full, "langfuse.observation.%s", key);
    const cJSON *value = attribute(span, full);
    return value == NULL ? "(none)" : text_of(value, "stringValue");
}

static const char *parent_of(const cJSON *span)
{
    const char *parent = text_of(span, "parentSpanId");
    return parent == NULL ? "" : parent;
}

#define ASSERT_SAID(span, key, text) assert_string_equal(said(span, key), text)
#define ASSERT_CHILD(child, parent)                                                 \
    do {                                                                            \
        assert_string_equal(parent_of(child), text_of(parent, "spanId"));           \
        assert_string_equal(text_of(child, "traceId"), text_of(parent, "traceId")); \
    } while (0)
#define ASSERT_ROOT(span) assert_string_equal(parent_of(span), "")

/* ---- Counting evaluations --------------------------------------------------------------------------------------- */

static int evaluated;

static NOINLINE int counted(int value)
{
    evaluated++;
    return value;
}

/* ---- The plain macros ------------------------------------------------------------------------------------------- */

static NOINLINE const char *answer(const char *question, int top_k)
{
    OBSERVE(question, top_k);
    OBSERVE_RETURN(top_k > 3 ? "many" : "few");
}

static NOINLINE int outer(int n)
{
    OBSERVE(n);
    answer("inner", n);
    OBSERVE_RETURN(n + 1);
}

static void a_call_arrives_with_arguments_result_and_place(void **state)
{
    (void)state;
    assert_int_equal(outer(5), 6);
    assert_string_equal(answer("gr\xc3\xbc\xc3\x9f \"x\"", 3), "few");
    collect();
    assert_int_equal(span_count, 3);
    const cJSON *outside = span_named("outer"), *inside = nth_span("answer", 0), *second = nth_span("answer", 1);
    ASSERT_SAID(outside, "type", "span");
    ASSERT_SAID(outside, "input", "{\"n\":5}");
    ASSERT_SAID(outside, "output", "6");
    ASSERT_SAID(outside, "level", "(none)");
    ASSERT_SAID(inside, "input", "{\"question\":\"inner\",\"top_k\":5}");
    ASSERT_SAID(inside, "output", "many");
    ASSERT_ROOT(outside);
    ASSERT_CHILD(inside, outside);
    ASSERT_SAID(second, "input", "{\"question\":\"gr\xc3\xbc\xc3\x9f \\\"x\\\"\",\"top_k\":3}");
    ASSERT_ROOT(second);
    assert_string_not_equal(text_of(second, "traceId"), text_of(outside, "traceId"));
    assert_int_equal(strlen(text_of(outside, "traceId")), 32);
    assert_int_equal(strlen(text_of(outside, "spanId")), 16);
    assert_string_not_equal(text_of(second, "spanId"), text_of(inside, "spanId"));
}

static NOINLINE void of_every_type(int x)
{
    OBSERVE_GENERATION(x);
    {
        OBSERVE_AGENT(x);
        OBSERVE_TOOL(x);
    }
    OBSERVE_CHAIN(x);
    OBSERVE_RETRIEVER(x);
    OBSERVE_EVALUATOR(x);
    OBSERVE_EMBEDDING(x);
    OBSERVE_GUARDRAIL(x);
}

static void every_type_arrives_and_scopes_nest(void **state)
{
    (void)state;
    /* In the order of ending. */
    static const char *const types[] = {"tool", "agent", "guardrail", "embedding", "evaluator", "retriever", "chain", "generation"};
    static const int parents[] = {1, 7, 3, 4, 5, 6, 7, -1};
    of_every_type(1);
    collect();
    assert_int_equal(span_count, 8);
    for (size_t i = 0; i < 8; i++) {
        const cJSON *span = nth_span("of_every_type", i);
        ASSERT_SAID(span, "type", types[i]);
        ASSERT_SAID(span, "input", "{\"x\":1}");
        if (parents[i] < 0)
            ASSERT_ROOT(span);
        else
            ASSERT_CHILD(span, nth_span("of_every_type", (size_t)parents[i]));
    }
}

static NOINLINE void without_arguments(void)
{
    OBSERVE();
}

static NOINLINE void with_sixteen(int a, int b)
{
    OBSERVE(a, b, a + 1, a + 2, a + 3, a + 4, a + 5, a + 6, a + 7, a + 8, a + 9, a + 10, a + 11, a + 12, a + 13, a + 14);
}

static void none_and_sixteen_arguments(void **state)
{
    (void)state;
    without_arguments();
    with_sixteen(1, 2);
    collect();
    ASSERT_SAID(span_named("without_arguments"), "input", "(none)");
    ASSERT_SAID(span_named("without_arguments"), "output", "(none)");
    ASSERT_SAID(span_named("with_sixteen"), "input",
                "{\"a\":1,\"b\":2,\"a + 1\":2,\"a + 2\":3,\"a + 3\":4,\"a + 4\":5,\"a + 5\":6,\"a + 6\":7,\"a + 7\":8,"
                "\"a + 8\":9,\"a + 9\":10,\"a + 10\":11,\"a + 11\":12,\"a + 12\":13,\"a + 13\":14,\"a + 14\":15}");
}

enum color { RED, GREEN };

struct flags {
    unsigned small : 3;
    int negative : 5;
    bool one : 1;
    unsigned long wide : 40;
    long long wider : 33;
};

static NOINLINE void of_many_kinds(const char *body, size_t size, struct point point, struct flags flags, enum color color)
{
    const int numbers[] = {1, 2, 3};
    const char *none = NULL;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "k", 1);
    {
        OBSERVE(lf_strn(body, size), point, color, flags.small, flags.negative, flags.one, flags.wide, flags.wider,
                lf_array(numbers, 3), none, NULL, json, lf_json("{\"a\":[1]}"), lf_secret(body), LF_OBJECT("n", 1), point);
        OBSERVE_OUTPUT(LF_OBJECT("role", "user", "list", LF_ARRAY(1, "b", 2.5)));
    }
    cJSON_Delete(json);
}

static void arguments_of_many_kinds(void **state)
{
    (void)state;
    struct flags flags = {7, -16, 1, 0xffffffffffu, -4294967296};
    of_many_kinds("abcdef", 3, (struct point){4, 2}, flags, GREEN);
    collect();
    const cJSON *span = span_named("of_many_kinds");
    ASSERT_SAID(span, "input",
                "{\"body\":\"abc\",\"point\":402,\"color\":1,\"small\":7,\"negative\":-16,\"one\":true,"
                "\"wide\":1099511627775,\"wider\":-4294967296,\"numbers\":[1,2,3],\"none\":null,\"NULL\":null,"
                "\"json\":{\"k\":1},\"\\\"{\\\\\\\"a\\\\\\\":[1]}\\\"\":{\"a\":[1]},\"body#2\":\"<secret>\","
                "\"LF_OBJECT(\\\"n\\\", 1)\":{\"n\":1},\"point#2\":402}");
    ASSERT_SAID(span, "output", "{\"role\":\"user\",\"list\":[1,\"b\",2.5]}");
}

static NOINLINE int evaluates(void)
{
    OBSERVE(counted(1), counted(2));
    OBSERVE_OUTPUT(counted(3));
    OBSERVE_RETURN(counted(4));
}

static NOINLINE int evaluates_no_input(void)
{
    OBSERVE_WITH((.capture_input = LF_OFF), counted(1), counted(2));
    OBSERVE_RETURN(counted(4));
}

static NOINLINE int evaluates_no_output(void)
{
    OBSERVE_WITH((.capture_output = LF_OFF), counted(1));
    OBSERVE_RETURN(counted(4));
}

static void arguments_are_evaluated_once(void **state)
{
    (void)state;
    evaluated = 0;
    assert_int_equal(evaluates(), 4);
    assert_int_equal(evaluated, 4);
    evaluated = 0;
    assert_int_equal(evaluates_no_input(), 4);
    assert_int_equal(evaluated, 1);
    evaluated = 0;
    assert_int_equal(evaluates_no_output(), 4);
    assert_int_equal(evaluated, 2);
    evaluated = 0;
    {
        OBSERVE(lf_secret(counted(1)));
    }
    assert_int_equal(evaluated, 0);
    collect();
    ASSERT_SAID(span_named("evaluates"), "input", "{\"counted(1)\":1,\"counted(2)\":2}");
    ASSERT_SAID(span_named("evaluates"), "output", "4");
    ASSERT_SAID(span_named("evaluates_no_input"), "input", "(none)");
    ASSERT_SAID(span_named("evaluates_no_input"), "output", "4");
    ASSERT_SAID(span_named("evaluates_no_output"), "input", "{\"counted(1)\":1}");
    ASSERT_SAID(span_named("evaluates_no_output"), "output", "(none)");
}

static NOINLINE int said_by_hand(void)
{
    OBSERVE_WITH((.capture_output = LF_OFF));
    OBSERVE_OUTPUT("by hand");
    OBSERVE_RETURN(7);
}

static void output_said_by_hand_is_kept(void **state)
{
    (void)state;
    assert_int_equal(said_by_hand(), 7);
    collect();
    ASSERT_SAID(span_named("said_by_hand"), "output", "by hand");
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

static NOINLINE void renamed(int x, const char *name)
{
    OBSERVE_WITH((.type = LF_GENERATION, .name = name), x);
}

static NOINLINE void reordered(int x)
{
    OBSERVE_WITH((.capture_output = LF_ON, .name = "second", .capture_input = LF_ON, .type = LF_TOOL), x, x + 1);
}

static void options_come_in_any_order(void **state)
{
    (void)state;
    char name[] = "first";
    renamed(1, name);
    memset(name, 'x', sizeof name - 1);
    reordered(2);
    renamed(3, NULL);
    collect();
    ASSERT_SAID(span_named("first"), "type", "generation");
    ASSERT_SAID(span_named("first"), "input", "{\"x\":1}");
    ASSERT_SAID(span_named("second"), "type", "tool");
    ASSERT_SAID(span_named("second"), "input", "{\"x\":2,\"x + 1\":3}");
    ASSERT_SAID(span_named("renamed"), "type", "generation");
}

static NOINLINE void in_trace(const char *trace, const char *parent)
{
    OBSERVE_WITH((.trace_id = trace, .parent_observation_id = parent), trace);
    without_arguments();
}

static void a_trace_can_be_named(void **state)
{
    (void)state;
    static const char *const hex = "0123456789abcdef0123456789abcdef";
    char hashed[LF_TRACE_ID_SIZE];
    lf_create_trace_id("order 17", hashed);

    in_trace("order 17", NULL);
    collect();
    const cJSON *span = span_named("in_trace");
    assert_string_equal(text_of(span, "traceId"), hashed);
    ASSERT_ROOT(span);
    ASSERT_CHILD(span_named("without_arguments"), span);
    const cJSON *external = attribute(span, "langfuse.trace.metadata.external_trace_id");
    assert_non_null(external);
    assert_string_equal(text_of(external, "stringValue"), "order 17");

    in_trace(hex, "00f067aa0ba902b7");
    collect();
    assert_string_equal(text_of(span_named("in_trace"), "traceId"), hex);
    assert_string_equal(parent_of(span_named("in_trace")), "00f067aa0ba902b7");
    assert_null(attribute(span_named("in_trace"), "langfuse.trace.metadata.external_trace_id"));

    in_trace(hex, "any text"); /* hashed, as trace ids are: echo -n "any text" | sha256sum */
    in_trace(NULL, NULL);
    collect();
    assert_string_equal(parent_of(nth_span("in_trace", 0)), "06c83efcd22e3b75");
    ASSERT_ROOT(nth_span("in_trace", 1));
    assert_string_not_equal(text_of(nth_span("in_trace", 1), "traceId"), hex);
}

/* ---- Adding to what is open ------------------------------------------------------------------------------------- */

static NOINLINE void fails(int status)
{
    OBSERVE(status);
    OBSERVE_ERROR("bad status %d", status);
}

static void an_error_has_a_level_and_a_message(void **state)
{
    (void)state;
    fails(503);
    collect();
    const cJSON *span = span_named("fails");
    ASSERT_SAID(span, "level", "ERROR");
    ASSERT_SAID(span, "status_message", "bad status 503");
    const cJSON *status = cJSON_GetObjectItem(span, "status");
    assert_non_null(status);
    assert_string_equal(text_of(status, "message"), "bad status 503");
}

static NOINLINE void streams(void)
{
    OBSERVE_GENERATION();
    lf_output_append("Hel", 3);
    without_arguments();
    lf_output_append("lo ", 3);
    lf_output_append("\xc3", 1);
    lf_output_append("\xa4", 1);
    lf_output_append("", 0);
    lf_output_append(NULL, 5);
}

static NOINLINE void streams_past_a_child(void)
{
    OBSERVE_GENERATION();
    lf_output_append("a", 1);
    lf_update_current_observation(.model = "gpt-5-mini", .output = lf_text("whole"));
    lf_output_append("b", 1);
    lf_output_append("c", 1);
}

static void streamed_output_is_joined(void **state)
{
    (void)state;
    streams();
    streams_past_a_child();
    collect();
    ASSERT_SAID(span_named("streams"), "output", "Hello \xc3\xa4");
    assert_int_equal(strlen(said(span_named("streams"), "completion_start_time")), 29);
    ASSERT_SAID(span_named("streams_past_a_child"), "output", "bc");
    ASSERT_SAID(span_named("streams_past_a_child"), "model.name", "gpt-5-mini");
}

static NOINLINE void updated(void)
{
    OBSERVE();
    lf_update_current_observation();
    lf_update_current_observation(.usage_details = LF_OBJECT("input", 5, "output", 7), .name = "updated-name",
                                  .level = LF_LEVEL_WARNING, .input = LF_VALUE("in"), .metadata = LF_OBJECT("a", 1, "b", "x"),
                                  .type = LF_GENERATION, .status_message = "hm", .version = "7");
    lf_update_current_observation(.metadata = LF_OBJECT("b", "y"));
}

static void an_update_reaches_the_innermost(void **state)
{
    (void)state;
    updated();
    collect();
    const cJSON *span = span_named("updated-name");
    ASSERT_SAID(span, "type", "generation");
    ASSERT_SAID(span, "level", "WARNING");
    ASSERT_SAID(span, "status_message", "hm");
    ASSERT_SAID(span, "input", "in");
    ASSERT_SAID(span, "usage_details", "{\"input\":5,\"output\":7}");
    ASSERT_SAID(span, "metadata.b", "y");
    assert_string_equal(text_of(attribute(span, "langfuse.observation.metadata.a"), "intValue"), "1");
}

static NOINLINE void ids(char trace[LF_TRACE_ID_SIZE], char id[LF_OBSERVATION_ID_SIZE])
{
    OBSERVE();
    assert_true(lf_current_trace_id(trace));
    assert_true(lf_current_observation_id(id));
}

static void the_current_ids_are_those_that_arrive(void **state)
{
    (void)state;
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    ids(trace, id);
    collect();
    assert_string_equal(text_of(span_named("ids"), "traceId"), trace);
    assert_string_equal(text_of(span_named("ids"), "spanId"), id);
    assert_false(lf_current_trace_id(trace));
    assert_false(lf_current_observation_id(id));
    assert_string_equal(trace, "");
    assert_string_equal(id, "");
}

/* ---- Decorators and calls --------------------------------------------------------------------------------------- */

static OBSERVE_FN(int, decorated, (const char *, text), (int, n))
{
    if (n == 0)
        return (int)strlen(text);
    return decorated(text, n - 1) + 1;
}

OBSERVE_GENERATION_FN(const char *, decorated_without_parameters)
{
    return "constant";
}

static int void_calls;

static OBSERVE_VOID_FN(decorated_void, (int, n))
{
    void_calls += n;
}

static OBSERVE_FN_WITH((.name = "fn-with", .type = LF_TOOL, .capture_input = LF_OFF), struct point, decorated_with, (int, x))
{
    return (struct point){x, 1};
}

static void decorated_functions(void **state)
{
    (void)state;
    assert_int_equal(decorated("ab", 2), 4);
    assert_string_equal(decorated_without_parameters(), "constant");
    void_calls = 0;
    decorated_void(3);
    assert_int_equal(void_calls, 3);
    assert_int_equal(decorated_with(9).x, 9);
    collect();
    assert_int_equal(count_spans("decorated"), 3);
    ASSERT_SAID(nth_span("decorated", 0), "input", "{\"text\":\"ab\",\"n\":0}");
    ASSERT_SAID(nth_span("decorated", 0), "output", "2");
    ASSERT_SAID(nth_span("decorated", 2), "input", "{\"text\":\"ab\",\"n\":2}");
    ASSERT_SAID(nth_span("decorated", 2), "output", "4");
    ASSERT_CHILD(nth_span("decorated", 0), nth_span("decorated", 1));
    ASSERT_SAID(span_named("decorated_without_parameters"), "type", "generation");
    ASSERT_SAID(span_named("decorated_without_parameters"), "output", "constant");
    ASSERT_SAID(span_named("decorated_void"), "input", "{\"n\":3}");
    ASSERT_SAID(span_named("fn-with"), "type", "tool");
    ASSERT_SAID(span_named("fn-with"), "input", "(none)");
    ASSERT_SAID(span_named("fn-with"), "output", "901");
}

static NOINLINE char *foreign(char *text, int n, struct point *where)
{
    where->x += n;
    answer(text, n);
    return text;
}

static NOINLINE void foreign_void(int n)
{
    void_calls += n;
}

static NOINLINE int foreign_none(void)
{
    return 5;
}

static void calls_of_functions_that_cannot_be_edited(void **state)
{
    (void)state;
    struct point where = {0, 0};
    char text[] = "t";
    evaluated = void_calls = 0;
    char *result = OBSERVE_CALL(foreign, text, counted(2), &where);
    assert_ptr_equal(result, text);
    assert_int_equal(evaluated, 1);
    assert_int_equal(where.x, 2);
    assert_null(OBSERVE_CALL(foreign, NULL, 0, &where));
    OBSERVE_CALL(foreign_void, counted(4));
    assert_int_equal(void_calls, 4);
    assert_int_equal(evaluated, 2);
    assert_int_equal(OBSERVE_CALL(foreign_none) + OBSERVE_CALL(counted, OBSERVE_CALL(counted, counted(1))), 6);
    assert_int_equal(evaluated, 5);
    collect();
    const cJSON *span = nth_span("foreign", 0);
    char expected[128];
    snprintf(expected, sizeof expected, "{\"text\":\"t\",\"counted(2)\":2,\"&where\":\"%p\"}", (void *)&where);
    ASSERT_SAID(span, "input", expected);
    ASSERT_SAID(span, "output", "t");
    ASSERT_CHILD(nth_span("answer", 0), span);
    ASSERT_SAID(span_named("foreign_void"), "input", "{\"counted(4)\":4}");
    ASSERT_SAID(span_named("foreign_void"), "output", "(none)");
    ASSERT_SAID(span_named("foreign_none"), "input", "(none)");
    ASSERT_SAID(span_named("foreign_none"), "output", "5");
    assert_int_equal(count_spans("counted"), 2);
}

/* ---- Scopes ----------------------------------------------------------------------------------------------------- */

static NOINLINE int factorial(int n)
{
    OBSERVE(n);
    if (n <= 1)
        OBSERVE_RETURN(1);
    OBSERVE_RETURN(n * factorial(n - 1));
}

static void recursion_nests(void **state)
{
    (void)state;
    assert_int_equal(factorial(5), 120);
    collect();
    assert_int_equal(count_spans("factorial"), 5);
    for (size_t i = 0; i + 1 < 5; i++)
        ASSERT_CHILD(nth_span("factorial", i), nth_span("factorial", i + 1));
    ASSERT_SAID(nth_span("factorial", 0), "output", "1");
    ASSERT_SAID(nth_span("factorial", 4), "output", "120");
}

static NOINLINE void two_on_a_line(int a)
{
    OBSERVE(a);
    OBSERVE_TOOL(a + 1); /* of one line */
    a++;
}

static void two_on_one_line(void **state)
{
    (void)state;
    two_on_a_line(1);
    collect();
    assert_int_equal(span_count, 2);
    ASSERT_SAID(nth_span("two_on_a_line", 0), "type", "tool");
    ASSERT_SAID(nth_span("two_on_a_line", 0), "input", "{\"a + 1\":2}");
    ASSERT_CHILD(nth_span("two_on_a_line", 0), nth_span("two_on_a_line", 1));
}

static NOINLINE int switched(int way)
{
    int result = 0;
    switch (way) {
    case 1: {
        OBSERVE_TOOL(way);
        result = 10;
        break;
    }
    case 2: {
        OBSERVE_AGENT(way);
        OBSERVE_RETURN(20);
    }
    default: break;
    }
    for (int i = 0; i < 3; i++) {
        OBSERVE_CHAIN(i);
        if (i == 0)
            continue;
        if (i == 1)
            break;
    }
    return result;
}

static void every_way_out_of_a_scope_ends_it(void **state)
{
    (void)state;
    assert_int_equal(switched(1), 10);
    assert_int_equal(switched(2), 20);
    collect();
    assert_int_equal(span_count, 4);
    static const char *const types[] = {"tool", "chain", "chain", "agent"};
    for (size_t i = 0; i < 4; i++) {
        ASSERT_SAID(spans[i], "type", types[i]);
        ASSERT_ROOT(spans[i]);
        ASSERT_SAID(spans[i], "level", "(none)");
    }
    ASSERT_SAID(spans[3], "output", "20");
}

static jmp_buf back;

static NOINLINE void jumps(int depth)
{
    OBSERVE(depth);
    if (depth > 0)
        jumps(depth - 1);
    if (depth >= 0)
        longjmp(back, 1);
}

static NOINLINE void catches(void)
{
    OBSERVE();
    if (setjmp(back) == 0)
        jumps(1);
    OBSERVE_CAUGHT(); /* a different function begins below: addresses do not tell for all compilers */
    without_arguments();
}

static void scopes_skipped_by_longjmp_are_closed_and_marked(void **state)
{
    (void)state;
    catches();
    collect();
    assert_int_equal(span_count, 4);
    const cJSON *catcher = span_named("catches");
    ASSERT_CHILD(span_named("without_arguments"), catcher);
    ASSERT_SAID(span_named("without_arguments"), "level", "(none)");
    ASSERT_SAID(catcher, "level", "(none)");
    for (size_t i = 0; i < 2; i++) {
        ASSERT_SAID(nth_span("jumps", i), "level", "WARNING");
        ASSERT_SAID(nth_span("jumps", i), "metadata.incomplete", "abandoned");
    }
    ASSERT_CHILD(nth_span("jumps", 0), nth_span("jumps", 1));
    ASSERT_CHILD(nth_span("jumps", 1), catcher);
}

static NOINLINE void catches_and_returns(void)
{
    OBSERVE();
    if (setjmp(back) == 0)
        jumps(0);
}

static void a_scope_that_ends_closes_what_was_skipped_above_it(void **state)
{
    (void)state;
    catches_and_returns();
    collect();
    assert_int_equal(span_count, 2);
    ASSERT_SAID(span_named("jumps"), "metadata.incomplete", "abandoned");
    ASSERT_SAID(span_named("catches_and_returns"), "level", "(none)");
    ASSERT_CHILD(span_named("jumps"), span_named("catches_and_returns"));
}

static void scopes_ended_in_the_wrong_order_are_harmless(void **state)
{
    (void)state;
    static lf_site first = A_SITE("first_scope", "", 0);
    static lf_site second = A_SITE("second_scope", "", 0);
    lf_scope a, b;
    lf_stats before, after;
    lf_get_stats(&before);
    OPEN_SCOPE(&a, &first, NULL);
    OPEN_SCOPE(&b, &second, NULL);
    lf_i_close(&a);
    lf_i_close(&b);
    lf_i_close(&a);
    lf_get_stats(&after);
    assert_int_equal(after.misused - before.misused, 2);
    assert_int_equal(after.open, 0);
    collect();
    assert_int_equal(span_count, 2);
    ASSERT_SAID(span_named("second_scope"), "metadata.incomplete", "abandoned");
    ASSERT_SAID(span_named("first_scope"), "level", "(none)");
}

/* ---- Traps of the language -------------------------------------------------------------------------------------- */

static NOINLINE const char *result_of_a_child(void)
{
    OBSERVE();
    OBSERVE_RETURN(answer("in the return", 1));
}

static void the_returned_expression_runs_inside_the_scope(void **state)
{
    (void)state;
    assert_string_equal(result_of_a_child(), "few");
    collect();
    ASSERT_CHILD(span_named("answer"), span_named("result_of_a_child"));
    ASSERT_SAID(span_named("result_of_a_child"), "output", "few");
}

static NOINLINE int sets_errno(int n)
{
    OBSERVE(n);
    errno = ERANGE;
    OBSERVE_OUTPUT(n);
    OBSERVE_ERROR("%d", n);
    OBSERVE_RETURN(n);
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    errno = 0;
    sets_errno(1);
    assert_int_equal(errno, ERANGE);
    errno = EINTR;
    without_arguments();
    assert_int_equal(errno, EINTR);
    collect();
    assert_int_equal(span_count, 2);
}

static NOINLINE void of_unterminated(const char *bytes, size_t size, unsigned char octet, signed char sign)
{
    OBSERVE(lf_strn(bytes, size), bytes[0], octet, sign, 'c', (char)'c');
}

static void text_without_its_end_and_three_kinds_of_char(void **state)
{
    (void)state;
    char *bytes = malloc(3); /* one byte further is an error that checkers see */
    assert_non_null(bytes);
    memcpy(bytes, "abc", 3);
    of_unterminated(bytes, 3, 200, -5);
    free(bytes);
    collect();
    ASSERT_SAID(span_named("of_unterminated"), "input",
                "{\"bytes\":\"abc\",\"bytes[0]\":\"a\",\"octet\":200,\"sign\":-5,\"'c'\":99,\"(char)'c'\":\"c\"}");
}

static NOINLINE void descends(int n, const char *text)
{
    OBSERVE(n, text);
    if (n > 0)
        descends(n - 1, text);
    OBSERVE_OUTPUT(n);
}

static void recursion_deeper_than_our_memory_is_counted(void **state)
{
    (void)state;
    enum { DEEP = 200, LONG = 200000 }; /* together more than a thread's memory for open observations */
    char *text = malloc(LONG);
    assert_non_null(text);
    memset(text, 'x', LONG - 1);
    text[LONG - 1] = '\0';
    lf_stats before, after;
    lf_get_stats(&before);
    descends(DEEP, text);
    free(text);
    lf_get_stats(&after);
    assert_int_equal(after.accepted - before.accepted, DEEP + 1);
    assert_true(after.dropped[LF_DROP_TOO_DEEP] > before.dropped[LF_DROP_TOO_DEEP]);
    assert_int_equal(after.open, 0);
    assert_int_equal(after.misused, before.misused);
    (void)lf_flush(FLUSH_MS);
    lf_get_stats(&after);
    assert_int_equal(after.accepted, after.delivered + after.dropped_total + after.queued);
    FILE *stream = fopen(path, "r"); /* too many to read back */
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    file_offset = ftell(stream);
    fclose(stream);
    without_arguments();
    collect();
    ASSERT_ROOT(span_named("without_arguments"));
}

/* AddressSanitizer marks what lies around variables on the stack, and a thread that is cancelled never takes the marks back. */
static __attribute__((no_sanitize_address)) void *leaves_open(void *how)
{
    OBSERVE_WITH((.name = "left open"));
    if (how == NULL)
        pthread_exit(NULL);
    sem_post(how);
    /* Not in pause(): ThreadSanitizer loses track of a thread that is cancelled inside a function it watches. */
    for (;;) {
        pthread_testcancel();
        sched_yield();
    }
}

static void a_thread_that_exits_or_is_cancelled_closes_its_scopes(void **state)
{
    (void)state;
    pthread_t thread;
    sem_t inside;
    lf_stats before, after;
    assert_int_equal(sem_init(&inside, 0, 0), 0);
    lf_get_stats(&before);
    assert_int_equal(pthread_create(&thread, NULL, leaves_open, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, leaves_open, &inside), 0);
    assert_int_equal(sem_wait(&inside), 0);
    assert_int_equal(pthread_cancel(thread), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sem_destroy(&inside);
    lf_get_stats(&after);
    assert_int_equal(after.accepted - before.accepted, 2);
    assert_int_equal(after.open, 0);
    collect();
    assert_int_equal(count_spans("left open"), 2);
    without_arguments(); /* this thread is not affected */
    collect();
    ASSERT_ROOT(span_named("without_arguments"));
}

/* ---- Context ---------------------------------------------------------------------------------------------------- */

static lf_context *copied;

static NOINLINE void copies_context(void)
{
    OBSERVE();
    copied = lf_context_copy();
}

static NOINLINE void runs_in_context(lf_context *context)
{
    OBSERVE_CONTEXT(context);
    without_arguments();
    OBSERVE_OUTPUT("of nobody: the context is no observation of this thread");
}

static void *in_thread(void *context)
{
    runs_in_context(context);
    return context;
}

static void a_scope_can_run_in_a_copied_context(void **state)
{
    (void)state;
    copies_context();
    assert_non_null(copied);
    runs_in_context(copied);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, in_thread, copied), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    lf_context_free(copied);
    collect();
    assert_int_equal(span_count, 3);
    const cJSON *source = span_named("copies_context");
    ASSERT_CHILD(nth_span("without_arguments", 0), source);
    ASSERT_CHILD(nth_span("without_arguments", 1), source);
    ASSERT_SAID(source, "output", "(none)");

    runs_in_context(NULL);
    collect();
    ASSERT_ROOT(span_named("without_arguments"));
}

static void *observed_thread(void *n)
{
    without_arguments();
    return n;
}

static NOINLINE void starts_threads(void)
{
    OBSERVE();
    pthread_t thread;
    assert_int_equal(lf_thread_create(&thread, NULL, observed_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_thread_can_carry_the_context(void **state)
{
    (void)state;
    starts_threads();
    collect();
    ASSERT_CHILD(span_named("without_arguments"), span_named("starts_threads"));
}

/* ---- Modes of a process ----------------------------------------------------------------------------------------- */

/* Children: 0 when what they saw was right, else the number of the check that failed. */
#define EXPECT(number, condition) \
    do {                          \
        if (!(condition))         \
            return number;        \
    } while (0)

static int child_capture_off(void)
{
    evaluated = 0;
    EXPECT(1, evaluates() == 4);
    EXPECT(2, evaluated == 2); /* the output by hand and the result */
    evaluated = 0;
    {
        OBSERVE_WITH((.capture_input = LF_ON, .name = "asked for"), counted(1));
    }
    EXPECT(3, evaluated == 1);
    EXPECT(4, OBSERVE_CALL(counted, counted(3)) == 3);
    EXPECT(5, evaluated == 3);
    return 0;
}

static int child_off(void)
{
    char id[LF_TRACE_ID_SIZE];
    struct point where = {0, 0};
    evaluated = void_calls = 0;
    EXPECT(1, evaluates() == 4);
    EXPECT(2, evaluated == 1);
    EXPECT(3, evaluates_no_input() == 4 && evaluated == 2);
    {
        OBSERVE_WITH((.capture_input = LF_ON), counted(1));
        OBSERVE_CONTEXT(NULL);
        OBSERVE_ERROR("%d", counted(1));
        OBSERVE_OUTPUT(counted(1));
        EXPECT(4, !lf_current_trace_id(id) && id[0] == '\0');
    }
    EXPECT(5, evaluated == 2);
    char text[] = "t";
    EXPECT(6, OBSERVE_CALL(foreign, text, counted(2), &where) == text && evaluated == 3 && where.x == 2);
    OBSERVE_CALL(foreign_void, counted(2));
    EXPECT(7, evaluated == 4 && void_calls == 2);
    EXPECT(8, decorated("ab", 2) == 4);
    lf_output_append("x", 1);
    lf_update_current_observation(.name = "x");
    EXPECT(9, lf_context_copy() == NULL);
    EXPECT(10, lf_flush(100) == LF_ERR_DISABLED);
    EXPECT(11, lf_shutdown(100) == LF_ERR_DISABLED);
    lf_stats stats;
    lf_get_stats(&stats);
    EXPECT(12, stats.accepted == 0 && stats.open == 0);
    return 0;
}

static int child_life(void)
{
    char id[LF_TRACE_ID_SIZE], other[LF_OBSERVATION_ID_SIZE];
    /* Before anything has started the library. */
    EXPECT(1, lf_flush(100) == LF_ERR_DISABLED);
    EXPECT(2, !lf_current_trace_id(id) && !lf_current_observation_id(other));
    lf_output_append("x", 1);
    lf_update_current_observation(.name = "x");
    EXPECT(3, lf_context_copy() == NULL);
    lf_create_trace_id("seed", id);
    EXPECT(4, strlen(id) == 32);
    EXPECT(5, outer(1) == 2); /* starts it */
    EXPECT(6, lf_init(NULL) == LF_OK);
    {
        OBSERVE_WITH((.name = "open at shutdown"));
        EXPECT(7, lf_shutdown(FLUSH_MS) == LF_OK);
        OBSERVE_OUTPUT("too late");
    }
    /* After shutdown. */
    evaluated = 0;
    EXPECT(8, evaluates() == 4 && evaluated == 1);
    EXPECT(9, !lf_current_trace_id(id));
    EXPECT(10, lf_flush(100) == LF_ERR_DISABLED);
    EXPECT(11, lf_shutdown(100) == LF_ERR_DISABLED);
    /* And anew. */
    EXPECT(12, lf_init(NULL) == LF_OK);
    EXPECT(13, evaluates_no_output() == 4);
    return 0; /* the exit handler sends it */
}

static int child_exit(void)
{
    OBSERVE_WITH((.name = "open at exit"));
    exit(0);
}

static NOINLINE pid_t forks(char trace[LF_TRACE_ID_SIZE])
{
    OBSERVE();
    lf_current_trace_id(trace);
    return fork();
}

/* The child's copy of a scope that its parent opened ends silently; what the child observes belongs to the same trace. The
 * child leaves while it observes: to send, it would need a worker thread, which ThreadSanitizer does not let it have. */
static int child_fork(void)
{
    char before[LF_TRACE_ID_SIZE], after[LF_TRACE_ID_SIZE];
    pid_t pid = forks(before);
    if (pid == 0) {
        OBSERVE();
        lf_stats stats;
        lf_get_stats(&stats);
        lf_current_trace_id(after);
        _exit(stats.accepted != 0 ? 1 : stats.open != 1 ? 2 : strcmp(before, after) != 0 ? 3 : 0);
    }
    int status = 1;
    EXPECT(2, pid > 0 && waitpid(pid, &status, 0) == pid);
    EXPECT(3, status == 0);
    return 0;
}

static int run_child(const char *mode)
{
    return strcmp(mode, "capture-off") == 0 ? child_capture_off()
           : strcmp(mode, "off") == 0       ? child_off()
           : strcmp(mode, "life") == 0      ? child_life()
           : strcmp(mode, "exit") == 0      ? child_exit()
           : strcmp(mode, "fork") == 0      ? child_fork()
                                            : 99;
}

/* Run this program again and read what it wrote. `variable` is NAME=value or NULL. */
static void child(const char *mode, const char *variable)
{
    char file[80], exporter[96];
    snprintf(file, sizeof file, "%s.child", path);
    snprintf(exporter, sizeof exporter, "file:%s", file);
    unlink(file);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (strcmp(mode, "no-keys") == 0) {
            unsetenv("LANGFUSE_EXPORTER");
            if (freopen("/dev/null", "w", stderr) == NULL)
                _exit(97);
            mode = "off";
        } else {
            setenv("LANGFUSE_EXPORTER", exporter, 1);
        }
        if (variable != NULL)
            putenv((char *)(uintptr_t)variable);
        execl(program, program, mode, (char *)NULL);
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    long offset = 0;
    read_file(file, &offset);
    unlink(file);
}

static void capture_can_be_switched_off_by_the_environment(void **state)
{
    (void)state;
    static const char *const variables[] = {"LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED=false",
                                            "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED=0"};
    for (size_t i = 0; i < 2; i++) {
        child("capture-off", variables[i]);
        ASSERT_SAID(span_named("evaluates"), "input", "(none)");
        ASSERT_SAID(span_named("evaluates"), "output", "3");
        ASSERT_SAID(span_named("asked for"), "input", "{\"counted(1)\":1}");
        ASSERT_SAID(span_named("counted"), "input", "(none)");
        ASSERT_SAID(span_named("counted"), "output", "(none)");
    }
}

static void nothing_is_evaluated_when_tracing_is_off(void **state)
{
    (void)state;
    child("off", "LANGFUSE_TRACING_ENABLED=false");
    assert_int_equal(span_count, 0);
    child("off", "OTEL_SDK_DISABLED=true");
    assert_int_equal(span_count, 0);
    child("no-keys", NULL);
    assert_int_equal(span_count, 0);
}

static void use_before_init_and_after_shutdown_is_defined(void **state)
{
    (void)state;
    child("life", NULL);
    assert_int_equal(span_count, 4);
    ASSERT_CHILD(span_named("answer"), span_named("outer"));
    ASSERT_SAID(span_named("open at shutdown"), "metadata.incomplete", "interrupted");
    ASSERT_SAID(span_named("open at shutdown"), "output", "(none)");
    assert_int_equal(count_spans("evaluates"), 0);
    assert_int_equal(count_spans("evaluates_no_output"), 1);
}

static void what_is_open_at_exit_arrives_marked(void **state)
{
    (void)state;
    child("exit", NULL);
    ASSERT_SAID(span_named("open at exit"), "metadata.incomplete", "interrupted");
}

static void a_scope_that_was_open_at_fork_ends_once(void **state)
{
    (void)state;
    child("fork", NULL);
    assert_int_equal(span_count, 1);
    ASSERT_ROOT(span_named("forks"));
    ASSERT_SAID(span_named("forks"), "level", "(none)");
}

/* Nothing of the machine that runs the tests may reach them. */
static void clean_environment(void)
{
    static const char *const names[] = {"LANGFUSE_PUBLIC_KEY",
                                        "LANGFUSE_SECRET_KEY",
                                        "LANGFUSE_TRACING_ENABLED",
                                        "LANGFUSE_DEBUG",
                                        "OTEL_SDK_DISABLED",
                                        "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED",
                                        "LANGFUSE_MAX_EVENT_SIZE_BYTES",
                                        "LANGFUSE_MAX_QUEUE_BYTES",
                                        "LANGFUSE_MAX_BATCH_SIZE_BYTES",
                                        "LANGFUSE_EXIT_TIMEOUT_MS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return run_child(argv[1]);
    program = argv[0];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.40s/lf-macros-XXXXXX", folder == NULL ? "/tmp" : folder);
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    char exporter[80];
    snprintf(exporter, sizeof exporter, "file:%s", path);
    clean_environment();
    setenv("LANGFUSE_EXPORTER", exporter, 1);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_arrives_with_arguments_result_and_place),
        cmocka_unit_test(every_type_arrives_and_scopes_nest),
        cmocka_unit_test(none_and_sixteen_arguments),
        cmocka_unit_test(arguments_of_many_kinds),
        cmocka_unit_test(arguments_are_evaluated_once),
        cmocka_unit_test(output_said_by_hand_is_kept),
        cmocka_unit_test(options_come_in_any_order),
        cmocka_unit_test(a_trace_can_be_named),
        cmocka_unit_test(an_error_has_a_level_and_a_message),
        cmocka_unit_test(streamed_output_is_joined),
        cmocka_unit_test(an_update_reaches_the_innermost),
        cmocka_unit_test(the_current_ids_are_those_that_arrive),
        cmocka_unit_test(decorated_functions),
        cmocka_unit_test(calls_of_functions_that_cannot_be_edited),
        cmocka_unit_test(recursion_nests),
        cmocka_unit_test(two_on_one_line),
        cmocka_unit_test(every_way_out_of_a_scope_ends_it),
        cmocka_unit_test(scopes_skipped_by_longjmp_are_closed_and_marked),
        cmocka_unit_test(a_scope_that_ends_closes_what_was_skipped_above_it),
        cmocka_unit_test(scopes_ended_in_the_wrong_order_are_harmless),
        cmocka_unit_test(the_returned_expression_runs_inside_the_scope),
        cmocka_unit_test(errno_is_left_alone),
        cmocka_unit_test(text_without_its_end_and_three_kinds_of_char),
        cmocka_unit_test(recursion_deeper_than_our_memory_is_counted),
        cmocka_unit_test(a_thread_that_exits_or_is_cancelled_closes_its_scopes),
        cmocka_unit_test(a_scope_can_run_in_a_copied_context),
        cmocka_unit_test(a_thread_can_carry_the_context),
        cmocka_unit_test(capture_can_be_switched_off_by_the_environment),
        cmocka_unit_test(nothing_is_evaluated_when_tracing_is_off),
        cmocka_unit_test(use_before_init_and_after_shutdown_is_defined),
        cmocka_unit_test(what_is_open_at_exit_arrives_marked),
        cmocka_unit_test(a_scope_that_was_open_at_fork_ends_once),
    };
    int failed = cmocka_run_group_tests_name("macros", tests, NULL, NULL);
    forget_spans();
    unlink(path);
    return failed;
}
