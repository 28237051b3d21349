/* Programs that were compiled with headers of another version: their structs are shorter or longer, and their sites tell so. */
#include "prompt_cases.h"

#include "../../src/base/config.h"

#include <sys/mman.h>

/* ---- Structs of other sizes ---------------------------------------------------------------------------------------------- */

/* The versions that a struct can be of. Each comes as a macro writes it, or as it is filled by hand. */
typedef enum version { OLDER, OWN, NEWER, VERSIONS } version;
typedef enum manner { BY_HAND, BY_MACRO, MANNERS } manner;

/* The struct as a program of that version has it. An older one has the bytes before `cut` only, and behind it is memory that
 * cannot be read; in a newer one bytes follow that are not zero. Lives until the process ends. */
static const void *as_given(const void *fields, size_t size, size_t cut, version v, manner m)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size_there = v == OLDER ? cut : v == OWN ? size : size + 64, said = size_there | (m == BY_MACRO);
    CHECK(cut % _Alignof(size_t) == 0 && size_there <= page);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    CHECK(mprotect(pages + page, page, PROT_NONE) == 0);
    char *at = pages + page - size_there;
    memset(at, 0xa5, size_there);
    memcpy(at, fields, v == OLDER ? cut : size);
    memcpy(at, &said, sizeof said);
    return at;
}

#define EACH_VERSION(v, m)                 \
    for (version v = 0; v < VERSIONS; v++) \
        for (manner m = 0; m < MANNERS; m++)
#define GIVEN(fields, cut, v, m) as_given(&(fields), sizeof(fields), cut, v, m)

/* What is said behind the cut counts from the version on that knows it. */
static const char *if_known(version v, const char *text)
{
    return v == OLDER ? "" : text;
}

static const size_t observation_cut = offsetof(lf_observation_fields, version);
static const lf_observation_fields observation_said = {.status_message = "said", .version = "v7", .model = "gpt"};

static void check_observation(const char *name, version v)
{
    const cJSON *span = span_named(name);
    CHECK_SAID(span, "status_message", "said");
    CHECK_TEXT(attribute_of(span, "langfuse.version"), if_known(v, "v7"));
    CHECK_SAID(span, "model.name", if_known(v, "gpt"));
}

TEST(an_observation_is_started_and_updated_with_fields_of_any_version)
{
    static const char *const names[] = {"started", "current", "event", "updated", "ended", "updated current"};
    start();
    EACH_VERSION(v, m)
    {
        for (int i = 0; i < 6; i++) {
            lf_observation_fields fields = observation_said;
            char name[64];
            snprintf(name, sizeof name, "%s %d %d", names[i], v, m);
            fields.name = name;
            const lf_observation_fields *given = GIVEN(fields, observation_cut, v, m);
            lf_observation *o = i == 0   ? lf_start_observation_with(given)
                                : i == 1 ? lf_start_as_current_observation_with(given)
                                : i == 2 ? lf_create_event_with(given)
                                         : lf_start_as_current_observation(.name = "before");
            if (i == 3)
                lf_observation_update_with(o, given);
            if (i == 5)
                lf_update_current_observation_with(given);
            if (i == 4)
                lf_observation_end_with(o, given);
            else if (i != 2)
                lf_observation_end(o);
            collect();
            check_observation(name, v);
        }
    }
}

TEST(a_trace_is_updated_with_fields_of_any_version)
{
    const lf_trace_fields fields = {.name = "t", .user_id = "u", .session_id = "s", .version = "v7", .release = "r"};
    start();
    EACH_VERSION(v, m)
    {
        char name[64];
        snprintf(name, sizeof name, "root %d %d", v, m);
        lf_observation *o = lf_start_as_current_observation(.name = name);
        lf_update_current_trace_with(GIVEN(fields, offsetof(lf_trace_fields, session_id), v, m));
        lf_observation_end(o);
        collect();
        CHECK_TEXT(attribute_of(span_named(name), "langfuse.trace.name"), "t");
        CHECK_TEXT(attribute_of(span_named(name), "user.id"), "u");
        CHECK_TEXT(attribute_of(span_named(name), "session.id"), if_known(v, "s"));
    }
}

TEST(attributes_may_be_of_any_version)
{
    static lf_site of_attributes = A_SITE("attributes", "", 0);
    const lf_attributes fields = {.user_id = "u", .session_id = "s", .environment = "qa", .as_baggage = LF_ON};
    const size_t cut = offsetof(lf_attributes, session_id);
    start();
    EACH_VERSION(v, m)
    {
        lf_scope scope = {{0}};
        char name[64];
        snprintf(name, sizeof name, "below %d %d", v, m);
        lf_i_open_attributes(&scope, &of_attributes, GIVEN(fields, cut, v, m), lf_i_stack_pointer());
        lf_observation_end(lf_start_observation(.name = name));
        lf_i_close(&scope);
        collect();
        CHECK_TEXT(attribute_of(span_named(name), "user.id"), "u");
        CHECK_TEXT(attribute_of(span_named(name), "session.id"), if_known(v, "s"));
    }
}

TEST(options_of_a_scope_may_be_of_any_version)
{
    static lf_site site = A_SITE("function", "(), x", 1);
    lf_observe_options fields = {.type = LF_TOOL, .capture_input = LF_ON, .capture_output = LF_ON, .trace_id = "a text"};
    start();
    EACH_VERSION(v, m)
    {
        lf_scope scope = {{0}};
        char name[64], id[LF_TRACE_ID_SIZE];
        snprintf(name, sizeof name, "scope %d %d", v, m);
        fields.name = name;
        lf_i_open_with(&scope, &site, GIVEN(fields, offsetof(lf_observe_options, trace_id), v, m), NULL, lf_i_stack_pointer());
        lf_i_close(&scope);
        collect();
        lf_create_trace_id("a text", id);
        CHECK_SAID(span_named(name), "type", "tool");
        CHECK_INT(strcmp(trace_of(span_named(name)), id) == 0, v != OLDER);
    }
}

TEST(scores_may_be_of_any_version)
{
    lf_score_fields fields = {.value = 0.5, .trace_id = "a trace", .comment = "why", .environment = "qa"};
    start();
    lf_observation *o = lf_start_as_current_observation(.name = "judged");
    EACH_VERSION(v, m)
    {
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "score %d %d %d", v, m, i);
            fields.name = name;
            const lf_score_fields *given = GIVEN(fields, offsetof(lf_score_fields, comment), v, m);
            CHECK_INT(i == 0   ? lf_create_score_with(given)
                      : i == 1 ? lf_score_current_observation_with(given)
                               : lf_score_current_trace_with(given),
                      LF_OK);
            collect_scores();
            CHECK_MEMBER(score_named(name), "value", "0.5");
            CHECK_MEMBER(score_named(name), "comment", if_known(v, "why"));
        }
    }
    lf_observation_end(o);
}

TEST(a_prompt_is_asked_for_and_filled_in_with_structs_of_any_version)
{
    fake_server *server = start_prompts();
    LF_I_WITHOUT_DEPRECATION_WARNINGS
    EACH_VERSION(v, m)
    {
        lf_error error = {.status = LF_ERR_LOST};
        lf_prompt_query query = {.label = "old",
                                 .cache_ttl_ms = 60000,
                                 .fallback = "fallback",
                                 .timeout_ms = 20000,
                                 .max_retries = 1,
                                 .error = &error,
                                 .cache_ttl_seconds = -1};
        char name[64], line[128];
        snprintf(name, sizeof name, "p%d%d", v, m);
        lf_prompt *p = lf_get_prompt_with(name, GIVEN(query, offsetof(lf_prompt_query, error), v, m));
        CHECK(p != NULL && !p->is_fallback);
        snprintf(line, sizeof line, "GET " PROMPTS_PATH "/%s?label=old ", name);
        CHECK(asked_for(server, line));
        CHECK_INT(error.status, v == OLDER ? LF_ERR_LOST : LF_OK);
        lf_prompt_free(p);
    }
    script.prompt = "\"{{a}}\"";
    lf_prompt *p = lf_get_prompt("filled");
    EACH_VERSION(v, m)
    {
        const lf_prompt_inputs inputs = {.variables = lf_json("{\"a\":\"A\"}"), .placeholders = lf_json("{}")};
        const lf_prompt_inputs *given = GIVEN(inputs, offsetof(lf_prompt_inputs, placeholders), v, m);
        char *text = lf_prompt_compile_with(p, given), *messages = lf_prompt_compile_messages_with(p, given);
        cJSON *json = lf_prompt_compile_json_with(p, given);
        CHECK_TEXT(text, "A");
        CHECK_TEXT(messages, "[{\"role\":\"user\",\"content\":\"A\"}]");
        CHECK_TEXT(cJSON_GetStringValue(json), "A");
        free(text);
        free(messages);
        cJSON_Delete(json);
    }
    LF_I_WITH_DEPRECATION_WARNINGS
    lf_prompt_free(p);
    fake_server_free(server);
}

/* An older struct ends before its times and tries: those are not said, and not 0, whoever wrote it. */
TEST(a_time_that_an_older_struct_does_not_have_is_the_default)
{
    fake_server *server = start_prompts();
    LF_I_WITHOUT_DEPRECATION_WARNINGS
    for (manner m = 0; m < MANNERS; m++) {
        lf_prompt_query query = {.struct_size = 0};
        lf_i_unsay_query(&query);
        char name[64];
        snprintf(name, sizeof name, "p%d", m);
        for (int i = 0; i < 2; i++) {
            lf_prompt *p = lf_get_prompt_with(name, GIVEN(query, offsetof(lf_prompt_query, fallback), OLDER, m));
            CHECK(p != NULL);
            CHECK_INT(p->source, i == 0 ? LF_PROMPT_FRESH : LF_PROMPT_CACHED);
            lf_prompt_free(p);
        }
    }
    LF_I_WITH_DEPRECATION_WARNINGS
    fake_server_free(server);
}

TEST(a_prompt_is_written_with_structs_of_any_version)
{
    fake_server *server = start_prompts();
    EACH_VERSION(v, m)
    {
        lf_error error = {.status = LF_ERR_LOST};
        const lf_new_prompt made = {
            .name = "made", .prompt = "text", .commit_message = "why", .timeout_ms = 20000, .error = &error};
        script.status = 201;
        lf_prompt *p = lf_create_prompt_with(GIVEN(made, offsetof(lf_new_prompt, commit_message), v, m));
        CHECK(p != NULL);
        lf_prompt_free(p);
        CHECK_INT(error.status, v == OLDER ? LF_ERR_LOST : LF_OK);
        CHECK(strstr(server->requests[server->request_count - 1].body, "\"text\"") != NULL);
        CHECK_INT(strstr(server->requests[server->request_count - 1].body, "\"why\"") != NULL, v != OLDER);
        error.status = LF_ERR_LOST;
        const lf_prompt_change change = {
            .name = "made", .version = 1, .new_labels = lf_json("[\"x\"]"), .timeout_ms = 20000, .error = &error};
        script.status = 0;
        CHECK_INT(lf_update_prompt_with(GIVEN(change, offsetof(lf_prompt_change, error), v, m)), LF_OK);
        CHECK_INT(error.status, v == OLDER ? LF_ERR_LOST : LF_OK);
        CHECK(strstr(server->requests[server->request_count - 1].body, "[\"x\"]") != NULL);
    }
    fake_server_free(server);
}

/* The first commits of 0.1, its last ones, a program that tells no size, this version and a later one. */
TEST(options_of_any_version_are_read)
{
    const size_t first = offsetof(lf_options, max_handles), last = offsetof(lf_options, worker);
    lf_options options = {.environment = "qa",
                          .exit_timeout_ms = -1,
                          .mask_data = &options,
                          .max_handles = 128,
                          .secret_key_file = "/file",
                          .worker = LF_OFF};
    lf_options read = lf__options_read(GIVEN(options, first, OLDER, BY_HAND));
    CHECK_TEXT(read.environment, "qa");
    CHECK(read.mask_data == &options && read.max_handles == 0 && read.secret_key_file == NULL && read.worker == LF_DEFAULT);
    CHECK_INT(read.exit_timeout_ms, LF_NONE); /* negative meant none */
    read = lf__options_read(GIVEN(options, last, OLDER, BY_HAND));
    CHECK(read.mask_data == &options && read.max_handles == 128 && read.worker == LF_DEFAULT);
    CHECK_TEXT(read.secret_key_file, "/file");
    CHECK_INT(read.exit_timeout_ms, LF_NONE);
    read = lf__options_read(&options); /* size 0 */
    CHECK(read.mask_data == &options && read.max_handles == 128 && read.worker == LF_DEFAULT);
    CHECK_TEXT(read.secret_key_file, "/file");
    CHECK_INT(read.exit_timeout_ms, LF_NONE);
    for (version v = OWN; v < VERSIONS; v++) {
        read = lf__options_read(GIVEN(options, first, v, BY_HAND));
        CHECK(read.mask_data == &options && read.max_handles == 128 && read.worker == LF_OFF);
        CHECK_INT(read.exit_timeout_ms, -1); /* not said */
        CHECK_INT(read.struct_size, sizeof read);
    }
}

TEST(the_library_starts_with_options_of_any_version)
{
    lf_options options = quiet_file();
    options.environment = "qa";
    options.worker = LF_DEFAULT;
    EACH_VERSION(v, m)
    {
        char name[64];
        snprintf(name, sizeof name, "o %d %d", v, m);
        CHECK_INT(lf_init(GIVEN(options, offsetof(lf_options, max_handles), v, m)), LF_OK);
        lf_observation_end(lf_start_observation(.name = name));
        collect();
        CHECK_INT(count_named(name), 1);
        CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
        lf_client_free(lf_client_new(GIVEN(options, offsetof(lf_options, max_handles), v, m)));
    }
}

/* ---- Counters ------------------------------------------------------------------------------------------------------------- */

TEST(counters_fill_the_callers_struct_and_no_byte_more)
{
    enum { ROOM = sizeof(lf_stats) + 128 };
    union {
        lf_stats stats;
        unsigned char bytes[ROOM];
    } filled;
    start();
    for (int i = 0; i < 3; i++)
        lf_observation_end(lf_start_observation(.name = "x"));
    collect();
    const lf_stats all = stats_now();
    CHECK_INT(all.accepted, 3);
    CHECK_INT(all.delivered, 3);
    for (size_t size = 0; size <= ROOM; size += 8) {
        memset(&filled, 0xa5, sizeof filled);
        lf_get_stats_sized(&filled.stats, size);
        size_t known = size < sizeof all ? size : sizeof all;
        CHECK(memcmp(&filled, &all, known) == 0);
        for (size_t i = known; i < ROOM; i++)
            CHECK_INT(filled.bytes[i], i < size ? 0 : 0xa5);
    }
}

/* ---- Headers of another version ------------------------------------------------------------------------------------------- */

static void open_and_close(lf_site *site)
{
    lf_scope scope = {{0}};
    OPEN_SCOPE(&scope, site, NULL);
    lf_i_close(&scope);
}

static void start_with_level(lf_log_level level)
{
    lf_options options = quiet_file();
    options.log_level = level;
    CHECK_INT(lf_init(&options), LF_OK);
}

TEST(other_headers_are_told_once_at_level_debug)
{
    static lf_site own = A_SITE("own", "", 0), later = A_SITE("later", "", 0), other = A_SITE("other", "", 0);
    later.version = 0x010203;
    other.version = 0x000900;
    start_with_level(LF_LOG_DEBUG);
    open_and_close(&own);
    CHECK_INT(lines_with("headers"), 0);
    open_and_close(&later);
    open_and_close(&later);
    open_and_close(&other);
    CHECK_INT(lines_with("the program was compiled with the headers of version 1.2.3 and runs with library " LANGFUSE_VERSION), 1);
    CHECK_INT(lines_with("headers"), 1);
    collect();
    CHECK_INT(count_named("later"), 2);
    CHECK_INT(count_named("other"), 1);
}

TEST(headers_of_0_1_are_called_so)
{
    static lf_site old = A_SITE("old", "", 0);
    old.version = 1; /* as all sites of 0.1 have it */
    start_with_level(LF_LOG_DEBUG);
    open_and_close(&old);
    CHECK_INT(lines_with("headers of version 0.1.0"), 1);
}

TEST(other_headers_are_not_told_below_level_debug)
{
    static lf_site later = A_SITE("later", "", 0);
    later.version = 0x010203;
    start_with_level(LF_LOG_INFO);
    open_and_close(&later);
    CHECK_INT(lines_with("headers"), 0);
}

TEST(the_version_is_that_of_the_headers_here)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", LANGFUSE_VERSION_NUM >> 16, LANGFUSE_VERSION_NUM >> 8 & 0xff,
             LANGFUSE_VERSION_NUM & 0xff);
    CHECK_TEXT(lf_version(), LANGFUSE_VERSION);
    CHECK_TEXT(lf_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_observation_is_started_and_updated_with_fields_of_any_version),
        cmocka_unit_test(a_trace_is_updated_with_fields_of_any_version),
        cmocka_unit_test(attributes_may_be_of_any_version),
        cmocka_unit_test(options_of_a_scope_may_be_of_any_version),
        cmocka_unit_test(scores_may_be_of_any_version),
        cmocka_unit_test(a_prompt_is_asked_for_and_filled_in_with_structs_of_any_version),
        cmocka_unit_test(a_time_that_an_older_struct_does_not_have_is_the_default),
        cmocka_unit_test(a_prompt_is_written_with_structs_of_any_version),
        cmocka_unit_test(options_of_any_version_are_read),
        cmocka_unit_test(the_library_starts_with_options_of_any_version),
        cmocka_unit_test(counters_fill_the_callers_struct_and_no_byte_more),
        cmocka_unit_test(other_headers_are_told_once_at_level_debug),
        cmocka_unit_test(headers_of_0_1_are_called_so),
        cmocka_unit_test(other_headers_are_not_told_below_level_debug),
        cmocka_unit_test(the_version_is_that_of_the_headers_here),
    };
    return cmocka_run_group_tests_name("versions", tests, NULL, NULL);
}
