#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The fuzzer's checks, for the replay of its corpus; the library's headers come with it. */
#include "../fuzz/fuzz_carrier.c"
#include "corpus.h"

#include "../../observe.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define OTHER_TRACE "8a63bd4a6f0c4d3b9e2f7a1c5d8e9f00"
#define PARENT "b7ad6b7169203331"
#define GOOD "00-" TRACE "-" PARENT "-01"
#define UNSAMPLED "00-" TRACE "-" PARENT "-00"
#define CLAIM "langfuse_trace_id=" TRACE
#define TEN(text) text text text text text text text text text text
#define HUNDRED(text) TEN(TEN(text))
#define FFFD "\xEF\xBF\xBD"
#define BOTH (LF__MARK_PROPAGATED | LF__MARK_BAGGAGE)

/* ---- A context as text, and one from a table ---------------------------------------------------------------------- */

static const char *tag_name(unsigned tag)
{
    switch (tag) {
    case LF__TAG_USER_ID: return "user";
    case LF__TAG_SESSION_ID: return "session";
    case LF__TAG_VERSION: return "version";
    case LF__TAG_TRACE_NAME: return "name";
    case LF__TAG_ENVIRONMENT: return "environment";
    case LF__TAG_PROMPT_NAME: return "prompt";
    case LF__TAG_PROMPT_VERSION: return "prompt_version";
    case LF__TAG_TRACE_TAGS: return "tags";
    case LF__TAG_TRACE_METADATA: return "metadata";
    case LF__TAG_TRACESTATE: return "tracestate";
    case LF__TAG_BAGGAGE: return "baggage";
    default: return "?";
    }
}

static void describe_flags(lf__buf *out, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{LF__FLAG_REMOTE_PARENT, "remote "},
                 {LF__FLAG_APP_ROOT, "root "},
                 {LF__FLAG_UNSAMPLED, "unsampled "},
                 {LF__FLAG_NO_TRACE, "no_trace "}};
    for (size_t i = 0; i < ROWS(names); i++) {
        if ((flags & names[i].flag) != 0)
            lf__buf_add_text(out, names[i].name);
        flags &= ~names[i].flag;
    }
    assert_int_equal(flags, 0);
}

/* "remote root user=u;tags=["a"];" and so on; "none" for NULL. Free with lf__buf_done. */
static lf__buf description(const lf_context *context)
{
    lf__buf out;
    lf__buf_init(&out, 1 << 20);
    if (context == NULL)
        lf__buf_add_text(&out, "none");
    if (context != NULL) {
        describe_flags(&out, context->flags);
        for (const lf__field *field = NULL; (field = lf__fields_next(context->fields, context->size, field)) != NULL;) {
            assert_int_equal(field->index, BOTH);
            lf__buf_add_text(&out, tag_name(field->tag));
            lf__buf_add_char(&out, '=');
            lf__field_text(&out, field);
            lf__buf_add_char(&out, ';');
        }
    }
    lf__buf_add_char(&out, '\0');
    assert_false(out.failed);
    return out;
}

static lf_context *extracted(const char *parent, const char *state, const char *baggage)
{
    headers h = {{(char *)(uintptr_t)parent, (char *)(uintptr_t)state, (char *)(uintptr_t)baggage}, {0}};
    lf_context *context = lf_extract(get_header, &h);
    for (size_t i = 0; i < HEADERS; i++)
        assert_int_equal(h.asked[i], 1);
    return context;
}

static void assert_extracted(const char *parent, const char *state, const char *baggage, const char *expected)
{
    lf_context *context = extracted(parent, state, baggage);
    lf__buf text = description(context);
    assert_string_equal(text.data, expected);
    if (context != NULL)
        check_context(context);
    lf__buf_done(&text);
    lf_context_free(context);
}

typedef struct given {
    lf__tag tag;
    const char *text; /* JSON where tags and metadata are meant */
    unsigned marks;
} given;

enum { GIVEN_MAX = 12 };

static lf_context *context_of(unsigned flags, const given *fields, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count && fields[i].text != NULL; i++)
        size += sizeof(lf__field) + lf__align8(strlen(fields[i].text) + 8);
    lf_context *context = lf__alloc(sizeof *context + size);
    assert_non_null(context);
    lf__traceparent parent;
    assert_true(lf__traceparent_parse(GOOD, strlen(GOOD), &parent));
    memcpy(context->trace_id, parent.trace_id, sizeof context->trace_id);
    memcpy(context->id, parent.parent_id, sizeof context->id);
    context->flags = (uint16_t)flags;
    for (size_t i = 0; i < count && fields[i].text != NULL; i++) {
        bool json = fields[i].tag == LF__TAG_TRACE_TAGS || fields[i].tag == LF__TAG_TRACE_METADATA;
        int64_t number = strtol(fields[i].text, NULL, 10);
        lf__field *field = (lf__field *)(void *)((char *)context->fields + context->size);
        if (fields[i].tag == LF__TAG_PROMPT_VERSION)
            add_field(context, fields[i].tag, LF_KIND_INT, &number, sizeof number);
        else
            add_field(context, fields[i].tag, json ? LF_KIND_JSON : LF_KIND_STRING, fields[i].text, strlen(fields[i].text));
        field->index = (uint16_t)fields[i].marks;
    }
    return context;
}

static void assert_header(const headers *h, size_t i, const char *expected)
{
    if (expected == NULL)
        assert_null(h->value[i]);
    else
        assert_non_null(h->value[i]);
    if (expected != NULL)
        assert_string_equal(h->value[i], expected);
}

static void assert_injected(const lf_context *context, const char *parent, const char *state, const char *baggage)
{
    headers h = {{NULL}, {0}};
    int count = lf__carrier_inject(context, set_header, &h);
    assert_int_equal(count, (parent != NULL) + (state != NULL) + (baggage != NULL));
    check_headers(&h, count);
    assert_header(&h, 0, parent);
    assert_header(&h, 1, state);
    assert_header(&h, 2, baggage);
    free_headers(&h);
}

/* ---- In ----------------------------------------------------------------------------------------------------------- */

static void each_header_in(void **state)
{
    (void)state;
    static const struct {
        const char *parent, *state, *baggage, *expected;
    } rows[] = {
        {NULL, NULL, NULL, "none"},
        {"", "", "", "none"},
        {"garbage", "garbage", "garbage", "none"},
        {GOOD, NULL, NULL, "remote root "},
        {GOOD, "", "", "remote root "},
        {" " GOOD "\t", NULL, NULL, "remote root "},
        {UNSAMPLED, NULL, NULL, "remote root unsampled "},
        {"00-" TRACE "-" PARENT "-02", NULL, NULL, "remote root unsampled "},
        {"00-" TRACE "-" PARENT "-03", NULL, NULL, "remote root "},
        {"01-" TRACE "-" PARENT "-01-what", NULL, NULL, "remote root "},
        {"ff-" TRACE "-" PARENT "-01", "a=1", "x=1", "none"},
        {"00-00000000000000000000000000000000-" PARENT "-01", NULL, NULL, "none"},

        {GOOD, "a=1,b=2", NULL, "remote root tracestate=a=1,b=2;"},
        {GOOD, "A=1", NULL, "remote root "},
        {GOOD, "a=1\r\nEvil: 1", NULL, "remote root "},
        {NULL, "a=1", "langfuse_user_id=u", "no_trace user=u;"},
        {"00-x", "a=1", NULL, "none"},

        {GOOD, NULL, "langfuse_user_id=u,langfuse_session_id=s,langfuse_version=1,langfuse_trace_name=n",
         "remote root user=u;session=s;version=1;name=n;"},
        {GOOD, NULL, "langfuse_environment=qa,langfuse_prompt_name=p,langfuse_prompt_version=3",
         "remote root environment=qa;prompt=p;prompt_version=3;"},
        {GOOD, NULL, "langfuse_metadata_k=v,langfuse_metadata_a%20b=%22",
         "remote root metadata={\"k\":\"v\"};metadata={\"a b\":\"\\\"\"};"},
        {GOOD, NULL, "langfuse_metadata_n=1,langfuse_metadata_o=%7B%22x%22%3A1%7D,langfuse_metadata_t=true",
         "remote root metadata={\"n\":1};metadata={\"o\":{\"x\":1}};metadata={\"t\":true};"},
        {GOOD, NULL, "langfuse_metadata_s=%22123%22,langfuse_metadata_e=%22%22,langfuse_metadata_q=%22a%5C%22%C3%A4%22",
         "remote root metadata={\"s\":\"123\"};metadata={\"e\":\"\"};metadata={\"q\":\"a\\\"\xC3\xA4\"};"},
        {GOOD, NULL,
         "langfuse_metadata_z=null,langfuse_metadata_q=%22x,langfuse_metadata_y=%22x%22y,langfuse_metadata_b=%20null,"
         "langfuse_metadata_e=",
         "remote root metadata={\"z\":\"null\"};metadata={\"q\":\"\\\"x\"};metadata={\"y\":\"\\\"x\\\"y\"};"
         "metadata={\"b\":\" null\"};metadata={\"e\":\"\"};"},
        {GOOD, NULL, "langfuse_tags=a%2Cb%20c", "remote root tags=[\"a\",\"b c\"];"},
        {GOOD, NULL, "langfuse_tags=%5B%27a%27%2C+%22b%27s%22%5D", "remote root tags=[\"a\",\"b's\"];"},
        {GOOD, NULL, "langfuse_experiment_id=e", "remote root metadata={\"experiment_id\":\"e\"};"},
        {GOOD, NULL, "langfuse_user_id=a,langfuse_user_id=b", "remote root user=a;user=b;"},
        {GOOD, NULL, "langfuse_user_id=%ff%00", "remote root user=" FFFD},
        {GOOD, NULL, " langfuse_user_id = u ; p=1 , x = y ;q=\"z\" ,", "remote root user=u;baggage=x = y ;q=\"z\";"},
        {NULL, NULL, "langfuse_user_id=u", "no_trace user=u;"},
        {NULL, NULL, "x=1,langfuse_user_id=u,y=2;p", "no_trace user=u;baggage=x=1,y=2;p;"},

        /* Nothing of ours in it. */
        {NULL, NULL, "x=1", "none"},
        {NULL, NULL, CLAIM, "none"},
        {NULL, NULL, "langfuse_environment=langfuse-x", "none"},
        {GOOD, NULL, "x=1,y=2", "remote root baggage=x=1,y=2;"},

        /* Broken limits. */
        {GOOD, NULL, "langfuse_environment=QA", "remote root "},
        {GOOD, NULL, "langfuse_environment=langfuse", "remote root "},
        {GOOD, NULL, "langfuse_environment=" TEN("abcd"), "remote root environment=" TEN("abcd") ";"},
        {GOOD, NULL, "langfuse_environment=" TEN("abcd") "e", "remote root "},
        {GOOD, NULL, "langfuse_user_id=" HUNDRED("ab"), "remote root user=" HUNDRED("ab") ";"},
        {GOOD, NULL, "langfuse_user_id=" HUNDRED("ab") "c", "remote root "},
        {GOOD, NULL, "langfuse_user_id=" HUNDRED("%C3%A4") HUNDRED("%C3%A4"),
         "remote root user=" HUNDRED("\xC3\xA4") HUNDRED("\xC3\xA4") ";"},
        {GOOD, NULL, "langfuse_user_id=u,langfuse_user_id=" HUNDRED("ab") "c", "remote root user=u;"},
        {GOOD, NULL, "langfuse_metadata_k=" HUNDRED("ab") "c,langfuse_metadata_l=" HUNDRED("ab"),
         "remote root metadata={\"l\":\"" HUNDRED("ab") "\"};"},
        {GOOD, NULL, "langfuse_metadata_k=%22" HUNDRED("ab") "c%22,langfuse_metadata_l=%22" HUNDRED("ab") "%22",
         "remote root metadata={\"l\":\"" HUNDRED("ab") "\"};"},
        {GOOD, NULL, "langfuse_tags=" HUNDRED("ab") "c%2Cd", "remote root tags=[\"d\"];"},
        {GOOD, NULL, "langfuse_tags=" HUNDRED("ab") "c", "remote root "},
        {GOOD, NULL, "langfuse_tags=", "remote root "},
        {GOOD, NULL, "langfuse_prompt_name=", "remote root "},
        {GOOD, NULL, "langfuse_prompt_version=0", "remote root "},
        {GOOD, NULL, "langfuse_prompt_version=", "remote root "},
        {GOOD, NULL, "langfuse_prompt_version=-1", "remote root "},
        {GOOD, NULL, "langfuse_prompt_version=1x", "remote root "},
        {GOOD, NULL, "langfuse_prompt_version=2147483647", "remote root prompt_version=2147483647;"},
        {GOOD, NULL, "langfuse_prompt_version=2147483648", "remote root "},
        {GOOD, NULL, "langfuse_prompt_version=18446744073709551617", "remote root "},
        {GOOD, NULL, "langfuse_=x,langfuse_metadata_=x", "remote root "},

        /* What would be a header of its own when it leaves again. */
        {GOOD, NULL, "x=1;p=\r\nEvil: 1,y=2", "remote root baggage=y=2;"},
        {GOOD, NULL, "x=1;p=\x7f,y=2;p=\xC3\xA4", "remote root "},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        const char *expected = rows[i].expected;
        if (strstr(rows[i].baggage != NULL ? rows[i].baggage : "", "%00") != NULL) { /* has a NUL, which ends the description */
            lf_context *context = extracted(rows[i].parent, rows[i].state, rows[i].baggage);
            lf__buf text = description(context);
            assert_string_equal(text.data, expected);
            assert_int_equal(text.length, strlen(expected) + sizeof "\0;");
            lf__buf_done(&text);
            lf_context_free(context);
            continue;
        }
        assert_extracted(rows[i].parent, rows[i].state, rows[i].baggage, expected);
    }
}

static void ids_are_those_of_the_sender(void **state)
{
    (void)state;
    lf_context *context = extracted(GOOD, NULL, NULL);
    assert_memory_equal(context->trace_id, "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c", 16);
    assert_memory_equal(context->id, "\xb7\xad\x6b\x71\x69\x20\x33\x31", 8);
    assert_int_equal(context->client, 0);
    lf_context_free(context);
}

/* Langfuse has no observation above ours unless the sender says so. */
static void children_are_app_roots_unless_the_trace_is_claimed(void **state)
{
    (void)state;
    static const struct {
        const char *parent, *baggage, *expected;
    } rows[] = {
        {GOOD, NULL, "remote root "},
        {GOOD, CLAIM, "remote "},
        {GOOD, "x=1," CLAIM ";p=1", "remote baggage=x=1;"},
        {UNSAMPLED, CLAIM, "remote unsampled "},
        {GOOD, "langfuse_trace_id=" OTHER_TRACE, "remote root "},
        {GOOD, "langfuse_trace_id=" TRACE "0", "remote root "},
        {GOOD, "langfuse_trace_id=0AF7651916CD43DD8448EB211C80319C", "remote root "},
        {GOOD, "langfuse_trace_id=", "remote root "},
        {GOOD, "langfuse_trace_id=" OTHER_TRACE "," CLAIM, "remote "},
        {GOOD, CLAIM ",langfuse_trace_id=" OTHER_TRACE, "remote root "},
        {NULL, CLAIM ",langfuse_user_id=u", "no_trace user=u;"},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        assert_extracted(rows[i].parent, NULL, rows[i].baggage, rows[i].expected);
}

static void the_python_sdk_is_understood(void **state)
{
    (void)state;
    assert_extracted("00-" OTHER_TRACE "-" PARENT "-01", NULL,
                     "langfuse_trace_id=" OTHER_TRACE ",langfuse_user_id=u+1,langfuse_tags=%5B%27a%27%2C+%27b%27%5D,"
                     "langfuse_environment=qa,langfuse_metadata_k=v",
                     "remote user=u 1;tags=[\"a\",\"b\"];environment=qa;metadata={\"k\":\"v\"};");
}

static void baggage_that_is_too_long_is_not_read(void **state)
{
    (void)state;
    char baggage[LF__BAGGAGE_MAX + 2];
    size_t start = (size_t)snprintf(baggage, sizeof baggage, "langfuse_user_id=u,x=");
    memset(baggage + start, 'y', sizeof baggage - start);
    baggage[LF__BAGGAGE_MAX] = '\0';
    lf_context *context = extracted(GOOD, NULL, baggage);
    assert_in_range(context->size, LF__BAGGAGE_MAX - 64, LF__BAGGAGE_MAX + 64); /* the whole foreign member */
    lf_context_free(context);
    baggage[LF__BAGGAGE_MAX] = 'y';
    baggage[LF__BAGGAGE_MAX + 1] = '\0';
    assert_extracted(GOOD, NULL, baggage, "remote root ");
}

/* The most that a header can make of itself: every character six bytes of JSON, every member a field. */
static void the_largest_context_stays_in_its_bound(void **state)
{
    (void)state;
    char baggage[LF__BAGGAGE_MAX + 1];
    size_t size = 0;
    for (int i = 0; i < LF__BAGGAGE_MEMBERS && size + 45 < sizeof baggage; i++)
        size += (size_t)snprintf(baggage + size, sizeof baggage - size, "%slangfuse_%c=%%00%%01%%02%%03%%04%%05%%06%%07%%08",
                                 i == 0 ? "" : ",", 'a' + i % 26);
    lf_context *context = extracted(GOOD, NULL, baggage);
    check_context(context);
    assert_in_range(context->size, 180 * 70, LF__CONTEXT_MAX);
    lf_context_free(context);
}

static const char *bad_get(void *data, const char *name)
{
    (void)name;
    errno = EBADF;
    return data;
}

static void extracting_leaves_errno_alone(void **state)
{
    (void)state;
    errno = EINTR;
    assert_null(lf_extract(NULL, NULL));
    assert_null(lf_extract(bad_get, NULL));
    assert_int_equal(errno, EINTR);
}

static void the_environment_is_read(void **state)
{
    (void)state;
    static const char *const names[] = {"TRACEPARENT", "TRACESTATE", "BAGGAGE"};
    for (size_t i = 0; i < ROWS(names); i++)
        unsetenv(names[i]);
    assert_null(lf_extract_environment());
    setenv("TRACEPARENT", "", 1);
    assert_null(lf_extract_environment());
    setenv("TRACEPARENT", GOOD, 1);
    setenv("TRACESTATE", "a=1", 1);
    setenv("BAGGAGE", CLAIM ",langfuse_user_id=u,x=1", 1);
    lf_context *context = lf_extract_environment();
    lf__buf text = description(context);
    assert_string_equal(text.data, "remote tracestate=a=1;user=u;baggage=x=1;");
    lf__buf_done(&text);
    lf_context_free(context);
    for (size_t i = 0; i < ROWS(names); i++)
        unsetenv(names[i]);
}

/* ---- Out ---------------------------------------------------------------------------------------------------------- */

static const struct {
    unsigned flags;
    given fields[GIVEN_MAX];
    const char *parent, *state, *baggage;
} out_rows[] = {
    {0, {{0}}, GOOD, NULL, CLAIM},
    {LF__FLAG_UNSAMPLED, {{0}}, UNSAMPLED, NULL, CLAIM},
    {LF__FLAG_REMOTE_PARENT, {{LF__TAG_TRACESTATE, "a=1", BOTH}}, GOOD, "a=1", CLAIM},
    {0, {{LF__TAG_TRACESTATE, "a=1\r\nEvil: 1", BOTH}}, GOOD, NULL, CLAIM},
    {LF__FLAG_NO_TRACE, {{0}}, NULL, NULL, NULL},
    {LF__FLAG_NO_TRACE, {{LF__TAG_TRACESTATE, "a=1", BOTH}, {LF__TAG_USER_ID, "u", BOTH}}, NULL, NULL, "langfuse_user_id=u"},
    {LF__FLAG_NO_TRACE, {{LF__TAG_USER_ID, "u", LF__MARK_PROPAGATED}}, NULL, NULL, NULL},
    /* Nobody has told Langfuse of an observation yet: no claim. */
    {LF__FLAG_REMOTE_PARENT | LF__FLAG_APP_ROOT, {{0}}, GOOD, NULL, NULL},

    {0,
     {{LF__TAG_TRACE_METADATA, "{\"k\":\"v\"}", BOTH},
      {LF__TAG_TRACE_TAGS, "[\"a\",\"b,c\"]", BOTH},
      {LF__TAG_PROMPT_VERSION, "3", BOTH},
      {LF__TAG_PROMPT_NAME, "p/q", BOTH},
      {LF__TAG_ENVIRONMENT, "qa", BOTH},
      {LF__TAG_TRACE_NAME, "n", BOTH},
      {LF__TAG_VERSION, "1.0", BOTH},
      {LF__TAG_SESSION_ID, "s", BOTH},
      {LF__TAG_USER_ID, "u 1", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_user_id=u%201,langfuse_session_id=s,langfuse_version=1.0,langfuse_trace_name=n,langfuse_environment=qa,"
           "langfuse_prompt_name=p%2Fq,langfuse_prompt_version=3,langfuse_tags=a%2Cb%5C%2Cc,langfuse_metadata_k=v"},

    /* Of a kind, the later one that leaves the process. */
    {0, {{LF__TAG_USER_ID, "a", BOTH}, {LF__TAG_USER_ID, "b", BOTH}}, GOOD, NULL, CLAIM ",langfuse_user_id=b"},
    {0, {{LF__TAG_USER_ID, "a", BOTH}, {LF__TAG_USER_ID, "b", LF__MARK_PROPAGATED}}, GOOD, NULL, CLAIM ",langfuse_user_id=a"},
    {0, {{LF__TAG_USER_ID, "a", BOTH}, {LF__TAG_USER_ID, HUNDRED("ab") "c", BOTH}}, GOOD, NULL, CLAIM ",langfuse_user_id=a"},
    {0, {{LF__TAG_USER_ID, "a", LF__MARK_BAGGAGE}}, GOOD, NULL, CLAIM},
    {0,
     {{LF__TAG_TRACE_METADATA, "{\"k\":\"v\",\"l\":\"w\"}", BOTH}, {LF__TAG_TRACE_METADATA, "{\"k\":\"x\"}", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_metadata_l=w,langfuse_metadata_k=x"},
    {0,
     {{LF__TAG_TRACE_METADATA, "{\"k\":\"v\"}", BOTH}, {LF__TAG_TRACE_METADATA, "{\"k\":\"x\"}", LF__MARK_PROPAGATED}},
     GOOD,
     NULL,
     CLAIM ",langfuse_metadata_k=v"},

    /* Tags add up, each once; what is no string is none. */
    {0,
     {{LF__TAG_TRACE_TAGS, "[\"a\",\"b\"]", BOTH}, {LF__TAG_TRACE_TAGS, "[ \"b\" , \"c\" ]", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_tags=a%2Cb%2Cc"},
    {0,
     {{LF__TAG_TRACE_TAGS, "[\"a\"]", LF__MARK_PROPAGATED}, {LF__TAG_TRACE_TAGS, "[\"\",\"b\"]", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_tags=b"},
    {0,
     {{LF__TAG_TRACE_TAGS, "[1,[\"x\",[\"y\"]],{\"z\":\"z\"},null,\"q\\\"]\",\"\\u00e4\"]", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_tags=q%22%5D%2C%C3%A4"},
    {0, {{LF__TAG_TRACE_TAGS, "[\"" HUNDRED("ab") "c\",\"[d\"]", BOTH}}, GOOD, NULL, CLAIM ",langfuse_tags=%5C%5Bd"},
    {0, {{LF__TAG_TRACE_TAGS, "[]", BOTH}}, GOOD, NULL, CLAIM},
    {0, {{LF__TAG_TRACE_TAGS, "[\"a\"", BOTH}}, GOOD, NULL, CLAIM},
    {0, {{LF__TAG_TRACE_TAGS, "{\"a\":\"b\"}", BOTH}}, GOOD, NULL, CLAIM},

    /* Values of metadata are sent as text, under any name. */
    {0,
     {{LF__TAG_TRACE_METADATA, "{\"n\":1.5,\"b\":true,\"z\":null,\"o\":{\"p\":[1]},\"e\":\"\"}", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_metadata_n=1.5,langfuse_metadata_b=true,langfuse_metadata_z=null,"
           "langfuse_metadata_o=%7B%22p%22%3A%5B1%5D%7D,langfuse_metadata_e="},
    /* But for text that would be read as JSON. */
    {0,
     {{LF__TAG_TRACE_METADATA, "{\"s\":\"123\",\"q\":\"\\\"q\\\"\",\"z\":\"null\",\"w\":\"1 2\",\"b\":\"true\"}", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_metadata_s=%22123%22,langfuse_metadata_q=%22%5C%22q%5C%22%22,langfuse_metadata_z=null,"
           "langfuse_metadata_w=1%202,langfuse_metadata_b=%22true%22"},
    {0,
     {{LF__TAG_TRACE_METADATA, "{\"a b\":\"v\",\"\\u00e4=,;\":\"w\",\"\":\"x\"}", BOTH}},
     GOOD,
     NULL,
     CLAIM ",langfuse_metadata_a%20b=v,langfuse_metadata_%C3%A4%3D%2C%3B=w"},
    {0, {{LF__TAG_TRACE_METADATA, "{\"k\":\"" HUNDRED("ab") "c\",\"l\":\"v\"}", BOTH}}, GOOD, NULL, CLAIM ",langfuse_metadata_l=v"},
    {0, {{LF__TAG_TRACE_METADATA, "[\"a\"]", BOTH}}, GOOD, NULL, CLAIM},

    /* Broken limits. */
    {0, {{LF__TAG_ENVIRONMENT, "QA", BOTH}}, GOOD, NULL, CLAIM},
    {0, {{LF__TAG_PROMPT_VERSION, "0", BOTH}}, GOOD, NULL, CLAIM},
    {0, {{LF__TAG_PROMPT_VERSION, "-3", BOTH}}, GOOD, NULL, CLAIM},
    {0, {{LF__TAG_PROMPT_NAME, "", BOTH}}, GOOD, NULL, CLAIM},
    /* Bytes that are no text count as what they become. */
    {0, {{LF__TAG_USER_ID, "a\xff", BOTH}}, GOOD, NULL, CLAIM ",langfuse_user_id=a%EF%BF%BD"},
    {0, {{LF__TAG_USER_ID, HUNDRED("\x80\x80") "\x80", BOTH}}, GOOD, NULL, CLAIM},

    /* Other people's members go on as they came. */
    {0, {{LF__TAG_BAGGAGE, "x = 1 ;p=\"q\",y=%31", BOTH}}, GOOD, NULL, CLAIM ",x = 1 ;p=\"q\",y=%31"},
    {LF__FLAG_REMOTE_PARENT | LF__FLAG_APP_ROOT, {{LF__TAG_BAGGAGE, "x=1", BOTH}}, GOOD, NULL, "x=1"},
    {0, {{LF__TAG_BAGGAGE, "x=1", BOTH}, {LF__TAG_USER_ID, "u", BOTH}}, GOOD, NULL, CLAIM ",langfuse_user_id=u,x=1"},
};

static void each_context_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(out_rows); i++) {
        lf_context *context = context_of(out_rows[i].flags, out_rows[i].fields, GIVEN_MAX);
        assert_injected(context, out_rows[i].parent, out_rows[i].state, out_rows[i].baggage);
        check_out(context);
        lf_context_free(context);
    }
}

static void without_ids_there_is_no_trace(void **state)
{
    (void)state;
    static const given user[] = {{LF__TAG_USER_ID, "u", BOTH}};
    assert_injected(NULL, NULL, NULL, NULL);
    lf_context *context = context_of(0, user, 1);
    assert_int_equal(lf__carrier_inject(context, NULL, NULL), 0);
    memset(context->id, 0, sizeof context->id);
    assert_injected(context, NULL, NULL, "langfuse_user_id=u");
    lf_context_free(context);
    context = context_of(0, user, 1);
    memset(context->trace_id, 0, sizeof context->trace_id);
    assert_injected(context, NULL, NULL, "langfuse_user_id=u");
    lf_context_free(context);
}

static void what_comes_in_goes_out(void **state)
{
    (void)state;
    lf_context *context = extracted(GOOD, "a=1,b=2",
                                    "x=1;p=2," CLAIM ",langfuse_user_id=u+1,langfuse_tags=%5B%27a%27%2C+%27b%27%5D,"
                                    "langfuse_environment=qa,y=2,langfuse_metadata_k=v,langfuse_experiment_id=e");
    assert_injected(context, GOOD, "a=1,b=2",
                    CLAIM ",langfuse_user_id=u%201,langfuse_environment=qa,langfuse_tags=a%2Cb,langfuse_metadata_k=v,"
                          "langfuse_metadata_experiment_id=e,x=1;p=2,y=2");
    lf_context_free(context);
    context = extracted(UNSAMPLED, NULL, "x=1");
    assert_injected(context, UNSAMPLED, NULL, "x=1");
    lf_context_free(context);
    context = extracted(NULL, NULL, "langfuse_user_id=u,x=1");
    assert_injected(context, NULL, NULL, "langfuse_user_id=u,x=1");
    lf_context_free(context);
}

/* ---- Limits of what goes out -------------------------------------------------------------------------------------- */

static char *baggage_of(const given *fields, size_t count, headers *h)
{
    lf_context *context = context_of(0, fields, count);
    *h = (headers){{NULL}, {0}};
    check_headers(h, lf__carrier_inject(context, set_header, h));
    check_out(context);
    lf_context_free(context);
    assert_non_null(h->value[2]);
    return h->value[2];
}

/* Other SDKs do not read a member of more than 4096 bytes. */
static void a_member_has_a_limit(void **state)
{
    (void)state;
    char name[4096];
    headers h;
    memset(name, 'p', sizeof name);
    size_t room = 4096 - strlen("langfuse_prompt_name=");
    name[room] = '\0';
    assert_non_null(strstr(baggage_of((given[]){{LF__TAG_PROMPT_NAME, name, BOTH}}, 1, &h), "langfuse_prompt_name=ppp"));
    free_headers(&h);
    name[room] = 'p';
    name[room + 1] = '\0';
    assert_string_equal(baggage_of((given[]){{LF__TAG_PROMPT_NAME, name, BOTH}}, 1, &h), CLAIM);
    free_headers(&h);
}

static void tags_that_do_not_fit_are_left_out(void **state)
{
    (void)state;
    lf__buf json;
    headers h;
    lf__buf_init(&json, 1 << 20);
    for (int i = 0; i < 3000; i++) {
        char tag[32];
        snprintf(tag, sizeof tag, "%c\"tag%04d\"", i == 0 ? '[' : ',', i);
        lf__buf_add_text(&json, tag);
    }
    lf__buf_add(&json, "]", 2);
    given fields[] = {{LF__TAG_TRACE_TAGS, json.data, BOTH}, {LF__TAG_TRACE_METADATA, "{\"k\":\"v\"}", BOTH}};
    char *baggage = baggage_of(fields, ROWS(fields), &h);
    char *tags = strstr(baggage, "langfuse_tags="), *end = strchr(tags, ',');
    assert_in_range(end - tags, 4096 - 10, 4096);
    assert_memory_equal(end - 7, "tag", 3); /* the last one is whole */
    assert_string_equal(end, ",langfuse_metadata_k=v");
    free_headers(&h);
    lf__buf_done(&json);
}

static void a_header_has_a_limit(void **state)
{
    (void)state;
    static const char euros[] = HUNDRED("\xE2\x82\xAC") HUNDRED("\xE2\x82\xAC"); /* 1800 bytes encoded, each */
    headers h;
#define TAG(letter) "\"" letter HUNDRED("x") "\""
    static const char tags[] = "[" TAG("a") "," TAG("b") "," TAG("c") "," TAG("d") "," TAG("e") "," TAG("f") "," TAG("g") "," TAG(
        "h") "," TAG("i") "," TAG("j") "]";
#undef TAG
    char *baggage = baggage_of((given[]){{LF__TAG_USER_ID, euros + 15, BOTH},
                                         {LF__TAG_SESSION_ID, euros, BOTH},
                                         {LF__TAG_VERSION, euros, BOTH},
                                         {LF__TAG_TRACE_NAME, euros, BOTH},
                                         {LF__TAG_PROMPT_NAME, euros, BOTH},
                                         {LF__TAG_TRACE_TAGS, tags, BOTH},
                                         {LF__TAG_TRACE_TAGS, tags, BOTH},
                                         {LF__TAG_TRACE_METADATA, "{\"k\":\"v\"}", BOTH}},
                               8, &h);
    assert_in_range(strlen(baggage), 4 * 1800, LF__BAGGAGE_MAX);
    assert_non_null(strstr(baggage, "langfuse_tags=a" HUNDRED("x") "%2Cb" HUNDRED("x")));
    assert_null(strstr(baggage, "%2Cj" HUNDRED("x")));
    assert_non_null(strstr(baggage, "langfuse_trace_name="));
    assert_null(strstr(baggage, "langfuse_prompt_name="));
    assert_non_null(strstr(baggage, "langfuse_metadata_k=v")); /* what is small still fits */
    free_headers(&h);
}

static void a_header_has_as_many_members_as_others_read(void **state)
{
    (void)state;
    lf__buf json;
    headers h;
    lf__buf_init(&json, 1 << 20);
    for (int i = 0; i < 300; i++) {
        char member[32];
        snprintf(member, sizeof member, "%c\"%d\":\"v\"", i == 0 ? '{' : ',', i);
        lf__buf_add_text(&json, member);
    }
    lf__buf_add(&json, "}", 2);
    char *baggage = baggage_of((given[]){{LF__TAG_TRACE_METADATA, json.data, BOTH}, {LF__TAG_BAGGAGE, "x=1", BOTH}}, 2, &h);
    size_t members = 1;
    for (const char *at = baggage; (at = strchr(at, ',')) != NULL; at++)
        members++;
    assert_int_equal(members, LF__BAGGAGE_MEMBERS);
    assert_non_null(strstr(baggage, ",langfuse_metadata_178=v"));
    assert_null(strstr(baggage, "x=1"));
    free_headers(&h);
    lf__buf_done(&json);
}

/* Ours come first, and other people's members are never cut in two. */
static void other_members_fit_whole_or_not_at_all(void **state)
{
    (void)state;
    char foreign[LF__BAGGAGE_MAX + 1];
    headers h;
    size_t taken = strlen(CLAIM) + 1;
    memset(foreign, 'y', sizeof foreign);
    memcpy(foreign, "x=", 2);
    memcpy(foreign + LF__BAGGAGE_MAX - 4, ",z=1", 5);
    char *baggage = baggage_of((given[]){{LF__TAG_BAGGAGE, foreign, BOTH}}, 1, &h);
    assert_string_equal(baggage, CLAIM ",z=1");
    free_headers(&h);
    foreign[LF__BAGGAGE_MAX - taken] = '\0';
    baggage = baggage_of((given[]){{LF__TAG_BAGGAGE, foreign, BOTH}}, 1, &h);
    assert_int_equal(strlen(baggage), LF__BAGGAGE_MAX);
    free_headers(&h);
    foreign[LF__BAGGAGE_MAX - taken] = 'y';
    foreign[LF__BAGGAGE_MAX - taken + 1] = '\0';
    assert_string_equal(baggage_of((given[]){{LF__TAG_BAGGAGE, foreign, BOTH}}, 1, &h), CLAIM);
    free_headers(&h);
}

/* ---- Without memory ----------------------------------------------------------------------------------------------- */

static const char full_baggage[] = CLAIM
    ",langfuse_user_id=u,langfuse_tags=a%2Cb,langfuse_metadata_k=v,langfuse_prompt_version=3,x=1";

static void extracting_without_memory_gives_less(void **state)
{
    (void)state;
    bool complete = false;
    lf_context *whole = extracted(GOOD, "a=1", full_baggage);
    lf__buf expected = description(whole);
    unsigned long n = 1;
    for (; !complete && n < 100; n++) {
        lf__alloc_fail_from(n);
        lf_context *context = extracted(GOOD, "a=1", full_baggage);
        lf__alloc_fail_from(0);
        if (context == NULL)
            continue;
        check_context(context);
        assert_memory_equal(context->trace_id, whole->trace_id, sizeof whole->trace_id);
        lf__buf got = description(context);
        complete = strcmp(got.data, expected.data) == 0;
        lf__buf_done(&got);
        lf_context_free(context);
    }
    assert_true(complete);
    assert_in_range(n, 4, 99); /* it did fail before */
    lf__buf_done(&expected);
    lf_context_free(whole);
}

static void injecting_without_memory_gives_less(void **state)
{
    (void)state;
    bool complete = false;
    lf_context *context = extracted(GOOD, "a=1", full_baggage);
    unsigned long n = 1;
    for (; !complete && n < 100; n++) {
        headers h = {{NULL}, {0}};
        lf__alloc_fail_from(n);
        int count = lf__carrier_inject(context, set_header, &h);
        lf__alloc_fail_from(0);
        check_headers(&h, count);
        assert_header(&h, 0, GOOD);
        assert_header(&h, 1, "a=1");
        if (n == 1)
            assert_header(&h, 2, NULL);
        complete = h.value[2] != NULL &&
                   strcmp(h.value[2], CLAIM ",langfuse_user_id=u,langfuse_prompt_version=3,langfuse_tags=a%2Cb,"
                                            "langfuse_metadata_k=v,x=1") == 0;
        free_headers(&h);
    }
    assert_true(complete);
    assert_in_range(n, 4, 99);
    lf_context_free(context);
}

/* ---- The current context ------------------------------------------------------------------------------------------ */

static void *inject_inside(void *out)
{
    OBSERVE();
    char trace_id[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE], parent[LF__TRACEPARENT_SIZE], baggage[64];
    headers *h = out;
    assert_true(lf_current_trace_id(trace_id) && lf_current_observation_id(id));
    errno = EINTR;
    assert_int_equal(lf_inject(set_header, h), 2);
    assert_int_equal(errno, EINTR);
    snprintf(parent, sizeof parent, "00-%s-%s-01", trace_id, id);
    snprintf(baggage, sizeof baggage, "langfuse_trace_id=%s", trace_id);
    assert_header(h, 0, parent);
    assert_header(h, 1, NULL);
    assert_header(h, 2, baggage);
    return NULL;
}

static void inject_curl_inside(void)
{
    OBSERVE();
    char line[128];
    struct curl_slist *list = curl_slist_append(NULL, "Accept: text/plain");
    assert_ptr_equal(lf_inject_curl(list), list);
    headers h = {{NULL}, {0}};
    assert_int_equal(lf_inject(set_header, &h), 2);
    assert_string_equal(list->data, "Accept: text/plain");
    snprintf(line, sizeof line, "traceparent: %s", h.value[0]);
    assert_string_equal(list->next->data, line);
    snprintf(line, sizeof line, "baggage: %s", h.value[2]);
    assert_string_equal(list->next->next->data, line);
    assert_null(list->next->next->next);
    curl_slist_free_all(list);

    list = lf_inject_curl(NULL);
    assert_memory_equal(list->data, "traceparent: 00-", 16);
    curl_slist_free_all(list);

    /* Every allocation of ours fails once: what is there is a header, and what was there stays. */
    for (unsigned long n = 1; n < 40; n++) {
        list = curl_slist_append(NULL, "Accept: text/plain");
        lf__alloc_fail_from(n);
        list = lf_inject_curl(list);
        lf__alloc_fail_from(0);
        assert_string_equal(list->data, "Accept: text/plain");
        assert_true(n > 2 || list->next == NULL || strncmp(list->next->data, "traceparent: 00-", 16) == 0);
        curl_slist_free_all(list);
    }
    free_headers(&h);
}

static void the_current_context_is_injected(void **state)
{
    (void)state;
    headers h = {{NULL}, {0}};
    lf_init(&(lf_options){LF_OPTIONS_INIT, .public_key = "pk", .secret_key = "sk", .exporter = "file:/dev/null"});
    assert_int_equal(lf_inject(set_header, &h), 0);
    assert_null(lf_inject_curl(NULL));
    inject_inside(&h);
    free_headers(&h);
    inject_curl_inside();

    /* In an extracted context the trace is the sender's, the parent ours. */
    lf_context *context = extracted(GOOD, NULL, NULL);
    h = (headers){{NULL}, {0}};
    lf_context_run(context, inject_inside, &h);
    assert_memory_equal(h.value[0] + 3, TRACE, 32);
    assert_memory_not_equal(h.value[0] + 36, PARENT, 16);
    free_headers(&h);
    lf_context_free(context);
    lf_shutdown(-1);
}

/* ---- The fuzzer's corpus ------------------------------------------------------------------------------------------ */

static void the_corpus_has_no_finding(void **state)
{
    (void)state;
    unsigned seen[256] = {0}, kinds[2] = {0};
    replay_corpus("tests/fuzz/corpus/carrier", seen);
    for (int first = 0; first < 256; first++)
        kinds[first & 1] += seen[first];
    assert_true(kinds[0] >= 3 && kinds[1] >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_header_in),
        cmocka_unit_test(ids_are_those_of_the_sender),
        cmocka_unit_test(children_are_app_roots_unless_the_trace_is_claimed),
        cmocka_unit_test(the_python_sdk_is_understood),
        cmocka_unit_test(baggage_that_is_too_long_is_not_read),
        cmocka_unit_test(the_largest_context_stays_in_its_bound),
        cmocka_unit_test(extracting_leaves_errno_alone),
        cmocka_unit_test(the_environment_is_read),
        cmocka_unit_test(each_context_out),
        cmocka_unit_test(without_ids_there_is_no_trace),
        cmocka_unit_test(what_comes_in_goes_out),
        cmocka_unit_test(a_member_has_a_limit),
        cmocka_unit_test(tags_that_do_not_fit_are_left_out),
        cmocka_unit_test(a_header_has_a_limit),
        cmocka_unit_test(a_header_has_as_many_members_as_others_read),
        cmocka_unit_test(other_members_fit_whole_or_not_at_all),
        cmocka_unit_test(extracting_without_memory_gives_less),
        cmocka_unit_test(injecting_without_memory_gives_less),
        cmocka_unit_test(the_current_context_is_injected),
        cmocka_unit_test(the_corpus_has_no_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
