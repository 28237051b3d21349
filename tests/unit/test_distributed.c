/* One trace across processes: what leaves a thread in headers is taken up again, by this library on both sides. */
#include "cases.h"

#include <curl/curl.h>

static NOINLINE void leaf(void)
{
    OBSERVE();
}

enum { HEADERS = 4 };

typedef struct headers {
    int count;
    char name[HEADERS][32];
    char value[HEADERS][8300];
} headers;

static void set_header(void *data, const char *name, const char *value)
{
    headers *h = data;
    CHECK(h->count < HEADERS);
    snprintf(h->name[h->count], sizeof h->name[0], "%s", name);
    snprintf(h->value[h->count++], sizeof h->value[0], "%s", value);
}

static const char *get_header(void *data, const char *name)
{
    headers *h = data;
    for (int i = 0; i < h->count; i++)
        if (strcmp(h->name[i], name) == 0)
            return h->value[i];
    return NULL;
}

/* What a server does with a request. */
static NOINLINE void serve(headers *h)
{
    lf_context *context = lf_extract(get_header, h);
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    OBSERVE_WITH((.name = "server"));
    leaf();
}

static NOINLINE void client_of(headers *h)
{
    OBSERVE_WITH((.name = "client"));
    OBSERVE_ATTRIBUTES(.user_id = "u \xc3\xa4", .session_id = "s", .version = "v", .trace_name = "n", .environment = "qa",
                       .tags = LF_TAGS("a", "b,c"), .metadata = LF_OBJECT("plan", "pro", "n", 5), .prompt_name = "p",
                       .prompt_version = 2, .as_baggage = LF_ON);
    CHECK_INT(lf_inject(set_header, h), 2);
}

/* Python: test_baggage_is_set_when_as_baggage_true */
TEST(trace_and_attributes_arrive_at_the_other_side)
{
    static headers h;
    start();
    client_of(&h);
    serve(&h);
    collect();
    const cJSON *client = span_named("client"), *server = span_named("server");
    CHECK_CHILD(server, client);
    CHECK_CHILD(span_named("leaf"), server);
    static const char *const names[] = {"server", "leaf"};
    for (size_t i = 0; i < 2; i++) {
        const cJSON *span = span_named(names[i]);
        CHECK_HAS(span, "user.id", "u \xc3\xa4");
        CHECK_HAS(span, "session.id", "s");
        CHECK_HAS(span, "langfuse.version", "v");
        CHECK_HAS(span, "langfuse.trace.name", "n");
        CHECK_HAS(span, "langfuse.environment", "qa");
        CHECK_HAS(span, "langfuse.trace.tags", "a,b,c");
        CHECK_HAS(span, "langfuse.trace.metadata.plan", "pro");
        CHECK_HAS(span, "langfuse.trace.metadata.n", "5");
        CHECK_HAS(span, "langfuse.observation.prompt.name", "p");
        CHECK_HAS(span, "langfuse.observation.prompt.version", "2");
        CHECK_HAS_NOT(span, "langfuse.trace.metadata.trace_id");
    }
}

static NOINLINE void private_client(headers *h)
{
    OBSERVE_WITH((.name = "client"));
    OBSERVE_ATTRIBUTES(.user_id = "private", .metadata = LF_OBJECT("user_id", "private too"));
    CHECK_INT(lf_inject(set_header, h), 2);
}

/* Python: test_baggage_disabled_by_default */
TEST(attributes_stay_here_unless_they_are_marked)
{
    static headers h;
    start();
    private_client(&h);
    CHECK(strstr(get_header(&h, "baggage"), "private") == NULL);
    CHECK(strncmp(get_header(&h, "baggage"), "langfuse_trace_id=", 18) == 0);
    serve(&h);
    collect();
    CHECK_HAS_NOT(span_named("server"), "user.id");
    CHECK_HAS(span_named("client"), "user.id", "private");
}

static NOINLINE void mixed_client(headers *h)
{
    OBSERVE();
    OBSERVE_ATTRIBUTES(.user_id = "open", .metadata = LF_OBJECT("user_id", "m"), .as_baggage = LF_ON);
    OBSERVE_ATTRIBUTES(.session_id = "hidden");
    lf_inject(set_header, h);
}

/* Python: test_metadata_key_with_user_id_substring_doesnt_collide */
TEST(each_scope_decides_for_itself_and_keys_do_not_collide)
{
    static headers h;
    start();
    mixed_client(&h);
    serve(&h);
    collect();
    CHECK_HAS(span_named("server"), "user.id", "open");
    CHECK_HAS(span_named("server"), "langfuse.trace.metadata.user_id", "m");
    CHECK_HAS_NOT(span_named("server"), "session.id");
    CHECK_HAS(span_named("mixed_client"), "session.id", "hidden");
}

/* ---- App roots ---------------------------------------------------------------------------------------------------------- */

/* Python: test_same_trace_baggage_claim_suppresses_app_root, test_active_langfuse_scope_sets_baggage_after_root_start,
 * test_exported_parent_suppresses_exported_child_app_root */
TEST(a_sender_that_langfuse_knows_has_the_app_root)
{
    static headers h;
    start();
    client_of(&h);
    serve(&h);
    collect();
    CHECK_APP_ROOT(span_named("client"));
    CHECK_NO_APP_ROOT(span_named("server"));
    CHECK_NO_APP_ROOT(span_named("leaf"));
}

static headers from(const char *parent, const char *baggage)
{
    headers h = {0};
    set_header(&h, "traceparent", parent);
    if (baggage != NULL)
        set_header(&h, "baggage", baggage);
    return h;
}

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* Python: test_filtered_parent_marks_exported_child_as_app_root, test_different_trace_baggage_claim_does_not_suppress_app_root */
TEST(behind_a_sender_that_langfuse_does_not_know_the_first_ones_are_app_roots)
{
    static headers plain, other;
    plain = from(PARENT, NULL);
    other = from(PARENT, "langfuse_trace_id=4bf92f3577b34da6a3ce929d0e0e4737");
    start();
    serve(&plain);
    serve(&other);
    collect();
    for (size_t i = 0; i < 2; i++) {
        CHECK_APP_ROOT(nth_named("server", i));
        CHECK_NO_APP_ROOT(nth_named("leaf", i));
        CHECK_TEXT(trace_of(nth_named("server", i)), "4bf92f3577b34da6a3ce929d0e0e4736");
        CHECK_TEXT(parent_of(nth_named("server", i)), "00f067aa0ba902b7");
    }
}

static NOINLINE void serves_handles(headers *h)
{
    lf_context *context = lf_extract(get_header, h);
    OBSERVE_CONTEXT(context);
    OBSERVE_ATTRIBUTES(.session_id = "s");
    lf_context_free(context);
    lf_observation *o = lf_start_as_current_observation(.name = "o");
    leaf();
    lf_observation_end(o);
    lf_create_event(.name = "moment");
}

TEST(handles_continue_a_foreign_trace_too)
{
    static headers h;
    h = from(PARENT, "langfuse_user_id=u");
    start();
    serves_handles(&h);
    collect();
    CHECK_TEXT(parent_of(span_named("o")), "00f067aa0ba902b7");
    CHECK_TEXT(parent_of(span_named("moment")), "00f067aa0ba902b7");
    CHECK_APP_ROOT(span_named("o"));
    CHECK_APP_ROOT(span_named("moment"));
    CHECK_CHILD(span_named("leaf"), span_named("o"));
    CHECK_NO_APP_ROOT(span_named("leaf"));
    for (size_t i = 0; i < 3; i++) {
        CHECK_HAS(spans[i], "user.id", "u");
        CHECK_HAS(spans[i], "session.id", "s");
    }
}

static headers chained;

static NOINLINE void relay(headers *h)
{
    lf_context *context = lf_extract(get_header, h);
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    OBSERVE_WITH((.name = "relay"));
    CHECK(lf_inject(set_header, &chained) >= 2);
}

TEST(attributes_and_foreign_baggage_go_on_through_a_relay)
{
    static headers h;
    h = from(PARENT, "langfuse_user_id=u,foreign=x%20y;p=1");
    set_header(&h, "tracestate", "vendor=1");
    start();
    relay(&h);
    serve(&chained);
    collect();
    CHECK_CHILD(span_named("server"), span_named("relay"));
    CHECK_HAS(span_named("server"), "user.id", "u");
    CHECK_NO_APP_ROOT(span_named("server"));
    CHECK_TEXT(get_header(&chained, "tracestate"), "vendor=1");
    CHECK(strstr(get_header(&chained, "baggage"), "foreign=x%20y;p=1") != NULL);
}

TEST(attributes_alone_begin_a_trace_of_our_own)
{
    static headers h;
    set_header(&h, "baggage", "langfuse_user_id=u");
    start();
    serve(&h);
    collect();
    CHECK_ROOT(span_named("server"));
    CHECK_APP_ROOT(span_named("server"));
    CHECK_HAS(span_named("server"), "user.id", "u");
}

TEST(nonsense_begins_a_trace_of_our_own_too)
{
    static headers h;
    h = from("00-zz", "");
    start();
    serve(&h);
    serve(&(headers){0});
    collect();
    CHECK_ROOT(nth_named("server", 0));
    CHECK_ROOT(nth_named("server", 1));
    check_all_delivered(4);
}

/* ---- Other ways in and out ---------------------------------------------------------------------------------------------- */

TEST(outside_of_a_trace_there_is_nothing_to_inject)
{
    static headers h;
    CHECK_INT(lf_inject(set_header, &h), 0);
    start();
    CHECK_INT(lf_inject(set_header, &h), 0);
    CHECK(lf_inject_curl(NULL) == NULL);
}

TEST(a_list_for_curl_has_the_headers_behind_those_it_had)
{
    start();
    struct curl_slist *list = curl_slist_append(NULL, "Mine: 1");
    char id[LF_TRACE_ID_SIZE], expected[64];
    {
        OBSERVE_WITH((.name = "client"));
        CHECK(lf_current_trace_id(id));
        list = lf_inject_curl(list);
    }
    CHECK_TEXT(list->data, "Mine: 1");
    snprintf(expected, sizeof expected, "traceparent: 00-%s-", id);
    CHECK(strncmp(list->next->data, expected, strlen(expected)) == 0);
    curl_slist_free_all(list);
}

static NOINLINE void starts_a_program(void)
{
    static headers h;
    OBSERVE_WITH((.name = "client"));
    OBSERVE_ATTRIBUTES(.user_id = "u", .as_baggage = LF_ON);
    lf_inject(set_header, &h);
    setenv("TRACEPARENT", get_header(&h, "traceparent"), 1);
    setenv("BAGGAGE", get_header(&h, "baggage"), 1);
    lf_context *context = lf_extract_environment(); /* as the child would */
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    leaf();
}

TEST(the_environment_carries_it_to_a_child)
{
    start();
    starts_a_program();
    collect();
    CHECK_CHILD(span_named("leaf"), span_named("client"));
    CHECK_HAS(span_named("leaf"), "user.id", "u");
    CHECK_NO_APP_ROOT(span_named("leaf"));
}

static void *leaf_there(void *unused)
{
    leaf();
    return unused;
}

TEST(a_context_runs_where_it_is_needed)
{
    static headers h;
    h = from(PARENT, "langfuse_user_id=u");
    start();
    lf_context *context = lf_extract(get_header, &h);
    {
        OBSERVE_WITH((.name = "busy")); /* with something of its own */
        OBSERVE_ATTRIBUTES(.session_id = "own");
        lf_context_run(context, leaf_there, NULL);
    }
    lf_context_free(context);
    collect();
    CHECK_TEXT(trace_of(span_named("leaf")), "4bf92f3577b34da6a3ce929d0e0e4736");
    CHECK_HAS(span_named("leaf"), "user.id", "u");
    CHECK_HAS_NOT(span_named("leaf"), "session.id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_and_attributes_arrive_at_the_other_side),
        cmocka_unit_test(attributes_stay_here_unless_they_are_marked),
        cmocka_unit_test(each_scope_decides_for_itself_and_keys_do_not_collide),
        cmocka_unit_test(a_sender_that_langfuse_knows_has_the_app_root),
        cmocka_unit_test(behind_a_sender_that_langfuse_does_not_know_the_first_ones_are_app_roots),
        cmocka_unit_test(handles_continue_a_foreign_trace_too),
        cmocka_unit_test(attributes_and_foreign_baggage_go_on_through_a_relay),
        cmocka_unit_test(attributes_alone_begin_a_trace_of_our_own),
        cmocka_unit_test(nonsense_begins_a_trace_of_our_own_too),
        cmocka_unit_test(outside_of_a_trace_there_is_nothing_to_inject),
        cmocka_unit_test(a_list_for_curl_has_the_headers_behind_those_it_had),
        cmocka_unit_test(the_environment_carries_it_to_a_child),
        cmocka_unit_test(a_context_runs_where_it_is_needed),
    };
    return cmocka_run_group_tests_name("distributed", tests, NULL, NULL);
}
