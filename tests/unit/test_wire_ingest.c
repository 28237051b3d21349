#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/deliver/wire.h"
#include "record_builder.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* 2026-01-15T06:30:00.123456Z on the wall; the monotonic clock is 1 ms behind. One second later everything ends. */
#define START 1768458600122456000u
#define START_TEXT "2026-01-15T06:30:00.123456Z"
#define END_TEXT "2026-01-15T06:30:01.123456Z"
#define TRACE "abababababababababababababababab"
#define ID "cdcdcdcdcdcdcdcd"
#define PARENT "efefefefefefefef"
#define IDS "\"id\":\"" ID "\",\"traceId\":\"" TRACE "\""
#define TIMES "\"startTime\":\"" START_TEXT "\",\"endTime\":\"" END_TEXT "\""

static builder b, said; /* the record, and what is said of its trace */
static lf__config config;
static lf__buf out, scratch;
static lf__wire_context context;
static cJSON *batch;

static lf__record *begin(lf__record_kind kind, lf_type type)
{
    lf__record *record = builder_begin(&b, type, 0);
    record->kind = (uint8_t)kind;
    memset(record->trace_id, 0xab, sizeof record->trace_id);
    memset(record->id, 0xcd, sizeof record->id);
    record->start_ns = START;
    record->end_ns = START + 1000000000u;
    return record;
}

static lf__record *begin_child(lf_type type)
{
    lf__record *record = begin(LF__RECORD_OBSERVATION, type);
    memset(record->parent_id, 0xef, sizeof record->parent_id);
    return record;
}

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 20);
    lf__buf_init(&scratch, 1 << 20);
    memset(&config, 0, sizeof config);
    context = (lf__wire_context){.config = &config, .wall_offset_ns = 1000000, .scratch = &scratch, .keeps_ids = true};
    builder_begin(&said, LF_TYPE_DEFAULT, 0)->kind = LF__RECORD_TRACE;
    begin_child(LF_SPAN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__alloc_fail_from(0);
    cJSON_Delete(batch);
    batch = NULL;
    lf__buf_done(&out);
    lf__buf_done(&scratch);
    return 0;
}

/* ---- Reading what was written ------------------------------------------------------------------------------------------ */

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_true(cJSON_IsString(item));
    return item->valuestring;
}

/* An object in which a key stands twice means something else to each parser. */
static void assert_no_key_twice(const cJSON *value)
{
    for (const cJSON *one = value->child; one != NULL; one = one->next) {
        for (const cJSON *other = one->next; other != NULL && cJSON_IsObject(value); other = other->next)
            assert_string_not_equal(one->string, other->string);
        assert_no_key_twice(one);
    }
}

/* The envelope is exactly this: who reads answers finds an event by how it begins. */
static void check_event(const cJSON *event)
{
    const char *const keys[] = {"id", "type", "timestamp", "body", "metadata"};
    size_t count = 0;
    for (const cJSON *member = event->child; member != NULL; member = member->next)
        assert_string_equal(member->string, keys[count++]);
    assert_true(count == 4 || (count == 5 && strcmp(text_of(event, "type"), "score-create") == 0));
    const char *id = text_of(event, "id");
    assert_int_equal(strlen(id), 32);
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    assert_int_equal(strlen(text_of(event, "timestamp")), 27);
    char start[256];
    snprintf(start, sizeof start, "{\"id\":\"%s\",\"type\":\"%s\",\"timestamp\":\"", id, text_of(event, "type"));
    assert_non_null(strstr(out.data, start));
    assert_no_key_twice(event);
    for (const cJSON *other = event->next; other != NULL; other = other->next)
        assert_string_not_equal(id, text_of(other, "id"));
}

/* Encode the record as a batch of its own and take it apart. */
static int encode(void)
{
    lf__buf_clear(&out);
    assert_true(lf__wire_ingestion.head(&out, &config, 0));
    assert_true(lf__wire_ingestion.item(&out, &b.as.record, &context));
    assert_true(lf__wire_ingestion.tail(&out));
    lf__buf_add_char(&out, '\0');
    cJSON_Delete(batch);
    batch = cJSON_ParseWithOpts(out.data, NULL, true);
    assert_non_null(batch);
    const cJSON *events = cJSON_GetObjectItemCaseSensitive(batch, "batch"), *event;
    cJSON_ArrayForEach(event, events)
        check_event(event);
    return cJSON_GetArraySize(events);
}

static const cJSON *event_at(int i)
{
    const cJSON *event = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(batch, "batch"), i);
    assert_non_null(event);
    return event;
}

static void assert_body(int i, const char *expected)
{
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(event_at(i), "body"));
    assert_string_equal(text, expected);
    cJSON_free(text);
}

/* The record as it stands gives one event with this body. */
static void assert_only(const char *expected)
{
    assert_int_equal(encode(), 1);
    assert_body(0, expected);
}

/* The last event's body holds, or does not hold, this member. */
static const char *member_text(const char *key)
{
    static char text[4096];
    int count = encode();
    const cJSON *body = cJSON_GetObjectItemCaseSensitive(event_at(count - 1), "body");
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(body, key);
    if (member == NULL)
        return NULL;
    char *printed = cJSON_PrintUnformatted(member);
    snprintf(text, sizeof text, "%s", printed);
    cJSON_free(printed);
    return text;
}

static void assert_member(const char *key, const char *expected)
{
    const char *text = member_text(key);
    if (expected == NULL)
        assert_null(text);
    else
        assert_string_equal(text == NULL ? "(absent)" : text, expected);
}

/* ---- The batch ------------------------------------------------------------------------------------------------------ */

static void a_batch_says_who_sends_it(void **state)
{
    (void)state;
    config.public_key = "pk-lf-\"1\"";
    encode();
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(batch, "metadata");
    assert_int_equal(cJSON_GetArraySize(batch), 2);
    assert_int_equal(cJSON_GetArraySize(metadata), 3);
    assert_string_equal(text_of(metadata, "sdk_name"), "c");
    assert_string_equal(text_of(metadata, "sdk_version"), LANGFUSE_VERSION);
    assert_string_equal(text_of(metadata, "public_key"), "pk-lf-\"1\"");
    config.public_key = NULL;
    encode();
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(batch, "metadata")), 2);
    assert_string_equal(lf__wire_ingestion.content_type, "application/json");
}

static void items_are_joined_by_the_separator(void **state)
{
    (void)state;
    lf__wire_ingestion.head(&out, &config, 0);
    for (uint8_t i = 0; i < 3; i++) {
        if (i > 0)
            lf__buf_add_text(&out, lf__wire_ingestion.separator);
        begin(LF__RECORD_OBSERVATION, LF_SPAN)->id[0] = i;
        assert_true(lf__wire_ingestion.item(&out, &b.as.record, &context));
    }
    lf__wire_ingestion.tail(&out);
    batch = cJSON_ParseWithLength(out.data, out.length);
    assert_non_null(batch);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(batch, "batch")), 9);
}

static void the_same_record_gives_the_same_event_ids(void **state)
{
    (void)state;
    static const lf__record_kind kinds[] = {LF__RECORD_OBSERVATION, LF__RECORD_SCORE, LF__RECORD_TRACE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        begin(kinds[i], LF_SPAN);
        builder_text(&b, LF__TAG_NAME, "n");
        encode();
        char *first = strdup(out.data);
        lf__buf_clear(&scratch);
        lf__buf_add_text(&scratch, "what an encoder left behind");
        encode();
        assert_string_equal(out.data, first);
        free(first);
    }
}

static void other_records_give_other_event_ids(void **state)
{
    (void)state;
    char ids[8][33];
    size_t count = 0;
    static const lf__record_kind kinds[] = {LF__RECORD_OBSERVATION, LF__RECORD_SCORE, LF__RECORD_TRACE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        begin_child(LF_SPAN)->kind = (uint8_t)kinds[i];
        encode();
        snprintf(ids[count++], 33, "%s", text_of(event_at(0), "id"));
        b.as.record.start_ns++;
        encode();
        snprintf(ids[count++], 33, "%s", text_of(event_at(0), "id"));
    }
    /* Two scores of one target at one time. */
    for (int i = 0; i < 2; i++) {
        begin(LF__RECORD_SCORE, LF_SPAN);
        builder_text(&b, LF__TAG_NAME, i == 0 ? "accuracy" : "tone");
        encode();
        snprintf(ids[count++], 33, "%s", text_of(event_at(0), "id"));
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            assert_string_not_equal(ids[i], ids[j]);
}

/* ---- Scores ----------------------------------------------------------------------------------------------------------- */

static void begin_score(double value)
{
    begin(LF__RECORD_SCORE, LF_TYPE_DEFAULT);
    builder_text(&b, LF__TAG_SCORE_ID, "s1");
    builder_text(&b, LF__TAG_NAME, "accuracy");
    builder_add(&b, LF__TAG_SCORE_VALUE, LF_KIND_DOUBLE, &value, sizeof value);
}

static void a_score_says_all_its_fields(void **state)
{
    (void)state;
    config.environment = "qa";
    begin_score(0.9);
    builder_text(&b, LF__TAG_SCORE_DATA_TYPE, "NUMERIC");
    builder_text(&b, LF__TAG_SCORE_COMMENT, "a \"good\" one");
    builder_text(&b, LF__TAG_SCORE_CONFIG_ID, "c1");
    builder_json(&b, LF__TAG_METADATA, "{\"a\":1,\"b\":{\"c\":[2]}}");
    builder_json(&b, LF__TAG_METADATA, "{\"a\":3,\"n\":null}");
    assert_only("{\"id\":\"s1\",\"traceId\":\"" TRACE "\",\"observationId\":\"" ID "\",\"name\":\"accuracy\",\"value\":0.9,"
                "\"dataType\":\"NUMERIC\",\"comment\":\"a \\\"good\\\" one\",\"configId\":\"c1\",\"environment\":\"qa\","
                "\"metadata\":{\"a\":3,\"b\":{\"c\":[2]}}}");
    assert_string_equal(text_of(event_at(0), "type"), "score-create");
    assert_string_equal(text_of(event_at(0), "timestamp"), START_TEXT);
    builder_text(&b, LF__TAG_ENVIRONMENT, "prod");
    assert_member("environment", "\"prod\"");
}

/* JSON that only has escapes of whole characters is what every reader takes; cJSON, which reads here, takes no other. */
static void half_a_pair_of_the_users_is_mended(void **state)
{
    (void)state;
    begin_score(1);
    builder_json(&b, LF__TAG_METADATA, "{\"a\":\"\\ud83d\",\"\\ude00\":[\"\\ud83d\\ude00\"]}");
    assert_member("metadata", "{\"a\":\"\xEF\xBF\xBD\",\"\xEF\xBF\xBD\":[\"\xF0\x9F\x98\x80\"]}");
}

/* Its time as an event, and in a list. */
static void assert_score_times(const char *id, uint64_t start_ns, bool is_given, const char *event_time, const char *list_time)
{
    double value = 1;
    begin(LF__RECORD_SCORE, LF_TYPE_DEFAULT);
    builder_text(&b, LF__TAG_SCORE_ID, id);
    builder_text(&b, LF__TAG_NAME, "accuracy");
    builder_add(&b, LF__TAG_SCORE_VALUE, LF_KIND_DOUBLE, &value, sizeof value);
    b.as.record.start_ns = start_ns;
    b.as.record.flags |= is_given ? LF__FLAG_WALL_START : 0;
    assert_int_equal(encode(), 1);
    assert_string_equal(text_of(event_at(0), "timestamp"), event_time);
    const cJSON *metadata = cJSON_GetObjectItem(event_at(0), "metadata");
    assert_int_equal(metadata != NULL, strcmp(event_time, list_time) != 0);
    lf__buf items, list;
    lf__buf_init(&items, 1 << 16);
    lf__buf_init(&list, 1 << 16);
    char *item = cJSON_PrintUnformatted(event_at(0));
    lf__buf_add_text(&items, item);
    assert_true(lf__wire_list(&list, &items));
    cJSON *json = cJSON_ParseWithLength(list.data, list.length);
    assert_string_equal(text_of(cJSON_GetArrayItem(json, 0), "timestamp"), list_time);
    assert_string_equal(text_of(cJSON_GetArrayItem(json, 0), "id"), id);
    cJSON_Delete(json);
    cJSON_free(item);
    lf__buf_done(&items);
    lf__buf_done(&list);
}

static void a_later_score_of_one_id_has_a_later_event_and_one_time_in_lists(void **state)
{
    (void)state;
    static lf__wire_times times;
    const uint64_t wall = START + 1000000, ms = 1000000;
    memset(&times, 0, sizeof times);
    context.times = &times;
#define AT(millisecond) "2026-01-15T06:30:00." millisecond "456Z"
    assert_score_times("a", START, false, AT("123"), AT("123"));
    assert_score_times("a", START + 5 * ms, false, AT("128"), AT("123"));
    assert_score_times("b", START + 6 * ms, false, AT("129"), AT("129"));
    assert_score_times("a", START + 7 * ms, false, AT("130"), AT("123"));
    /* Times of the program's are no others than these in lists. */
    assert_score_times("c", wall, true, AT("123"), AT("123"));
    assert_score_times("c", wall, true, AT("124"), AT("123"));
    assert_score_times("c", wall + ms, true, AT("124"), AT("124"));
    assert_score_times("c", wall, true, AT("125"), AT("123"));
    context.times = NULL;
    assert_score_times("a", START + 8 * ms, false, AT("131"), AT("131"));
#undef AT
}

static void a_score_has_one_target(void **state)
{
    (void)state;
    begin_score(1);
    builder_text(&b, LF__TAG_SESSION_ID, "chat 7");
    builder_text(&b, LF__TAG_SCORE_RUN_ID, "run 7");
    memset(b.as.record.id, 0, sizeof b.as.record.id);
    assert_only("{\"id\":\"s1\",\"traceId\":\"" TRACE "\",\"name\":\"accuracy\",\"value\":1}");
    memset(b.as.record.trace_id, 0, sizeof b.as.record.trace_id);
    assert_only("{\"id\":\"s1\",\"sessionId\":\"chat 7\",\"name\":\"accuracy\",\"value\":1}");
    begin_score(1);
    builder_text(&b, LF__TAG_SCORE_RUN_ID, "run 7");
    memset(b.as.record.trace_id, 0, sizeof b.as.record.trace_id);
    assert_only("{\"id\":\"s1\",\"datasetRunId\":\"run 7\",\"name\":\"accuracy\",\"value\":1}");
}

static void a_score_is_not_told_what_is_said_of_its_trace(void **state)
{
    (void)state;
    begin_score(1);
    builder_text(&said, LF__TAG_NAME, "another");
    builder_text(&said, LF__TAG_ENVIRONMENT, "another");
    context.trace = &said.as.record;
    assert_only("{\"id\":\"s1\",\"traceId\":\"" TRACE "\",\"observationId\":\"" ID "\",\"name\":\"accuracy\",\"value\":1}");
}

static void a_score_has_an_id_always(void **state)
{
    (void)state;
    static char long_id[801];
    memset(long_id, 'x', sizeof long_id);
    const struct {
        const char *id;
        size_t size;
        bool kept;
    } rows[] = {{"", 0, false},     {long_id, 801, false}, {long_id, 800, true},
                {"a\rb", 3, false}, {"\xff", 1, false},    {"\xc3\xa4 1", 4, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(LF__RECORD_SCORE, LF_TYPE_DEFAULT);
        builder_add(&b, LF__TAG_SCORE_ID, LF_KIND_STRING, rows[i].id, rows[i].size);
        encode();
        const char *id = text_of(cJSON_GetObjectItemCaseSensitive(event_at(0), "body"), "id");
        assert_int_equal(strlen(id), rows[i].kept ? rows[i].size : 16);
        if (rows[i].kept)
            assert_memory_equal(id, rows[i].id, rows[i].size);
        else
            assert_int_equal(strspn(id, "0123456789abcdef"), 16);
    }
    begin(LF__RECORD_SCORE, LF_TYPE_DEFAULT);
    assert_non_null(member_text("id"));
}

static void values_of_scores_are_numbers_or_text(void **state)
{
    (void)state;
    begin_score(-1e300);
    assert_member("value", "-1e+300");
    begin_score(0.0 / 0.0);
    assert_member("value", "\"NaN\"");
    begin_score(1e308 * 10);
    assert_member("value", "\"Infinity\"");
    begin(LF__RECORD_SCORE, LF_TYPE_DEFAULT);
    builder_text(&b, LF__TAG_SCORE_VALUE, "good\n\xff");
    assert_member("value", "\"good\\n\xEF\xBF\xBD\"");
    begin(LF__RECORD_SCORE, LF_TYPE_DEFAULT);
    builder_json(&b, LF__TAG_SCORE_VALUE, "[1]");
    assert_member("value", "\"[1]\"");
}

/* ---- Ids ------------------------------------------------------------------------------------------------------------- */

static void add_external_ids(void)
{
    builder_text(&b, LF__TAG_EXTERNAL_TRACE_ID, "order 42");
    builder_text(&b, LF__TAG_EXTERNAL_ID, "step 1");
    builder_text(&b, LF__TAG_EXTERNAL_PARENT_ID, "step 0");
}

static void ids_are_the_users_own_where_all_goes_this_way(void **state)
{
    (void)state;
    add_external_ids();
    assert_member("id", "\"step 1\"");
    assert_member("traceId", "\"order 42\"");
    assert_member("parentObservationId", "\"step 0\"");
    begin_score(1);
    add_external_ids();
    assert_member("traceId", "\"order 42\"");
    assert_member("observationId", "\"step 1\"");
    begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
    add_external_ids();
    assert_member("id", "\"order 42\"");
}

/* A child, or a score of what is current, knows the digits alone. */
static void what_an_observation_is_called_elsewhere_is_known_from_what_is_said_of_the_trace(void **state)
{
    (void)state;
    builder_add(&said, LF__TAG_ALIAS, LF_KIND_STRING, "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcdstep 1", 14);
    builder_add(&said, LF__TAG_ALIAS, LF_KIND_STRING, "\xef\xef\xef\xef\xef\xef\xef\xefstep\r0", 14);
    context.trace = &said.as.record;
    begin_score(1);
    assert_member("observationId", "\"step 1\"");
    memset(b.as.record.id, 0xef, sizeof b.as.record.id); /* its text is no id here, so it went as digits itself */
    assert_member("observationId", "\"" PARENT "\"");
    begin_child(LF_SPAN);
    assert_member("parentObservationId", "\"" PARENT "\"");
    memset(b.as.record.parent_id, 0xcd, sizeof b.as.record.parent_id);
    assert_member("parentObservationId", "\"step 1\"");
    context.keeps_ids = false;
    begin_score(1);
    assert_member("observationId", "\"" ID "\"");
}

static void ids_are_hex_where_observations_go_by_otlp(void **state)
{
    (void)state;
    context.keeps_ids = false;
    begin_score(1);
    add_external_ids();
    assert_member("traceId", "\"" TRACE "\"");
    assert_member("observationId", "\"" ID "\"");
}

static void what_the_trace_is_called_elsewhere_is_known_from_what_is_said_of_it(void **state)
{
    (void)state;
    builder_text(&said, LF__TAG_EXTERNAL_TRACE_ID, "order 42");
    context.trace = &said.as.record;
    assert_member("traceId", "\"order 42\"");
    begin_score(1);
    assert_member("traceId", "\"order 42\"");
}

/* ---- Observations ------------------------------------------------------------------------------------------------------ */

static void each_type_is_an_event_of_its_own(void **state)
{
    (void)state;
    static const struct {
        lf_type type;
        const char *name;
    } rows[] = {
        {LF_TYPE_DEFAULT, "span-create"},   {LF_SPAN, "span-create"},           {LF_GENERATION, "generation-create"},
        {LF_EVENT, "event-create"},         {LF_AGENT, "agent-create"},         {LF_TOOL, "tool-create"},
        {LF_CHAIN, "chain-create"},         {LF_RETRIEVER, "retriever-create"}, {LF_EVALUATOR, "evaluator-create"},
        {LF_EMBEDDING, "embedding-create"}, {LF_GUARDRAIL, "guardrail-create"}, {(lf_type)77, "span-create"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_child(rows[i].type);
        assert_int_equal(encode(), 1);
        assert_string_equal(text_of(event_at(0), "type"), rows[i].name);
        begin_child(LF_SPAN);
        builder_int(&b, LF__TAG_TYPE, rows[i].type);
        assert_int_equal(encode(), 1);
        assert_string_equal(text_of(event_at(0), "type"), rows[i].name);
    }
}

static void a_span_says_its_fields(void **state)
{
    (void)state;
    config.environment = "qa";
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES ",\"environment\":\"qa\"}");
    assert_string_equal(text_of(event_at(0), "timestamp"), END_TEXT);
    builder_text(&b, LF__TAG_NAME, "search");
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    builder_text(&b, LF__TAG_STATUS_MESSAGE, "disk full");
    builder_text(&b, LF__TAG_VERSION, "v1");
    builder_json(&b, LF__TAG_INPUT, "{\"q\":1}");
    builder_text(&b, LF__TAG_OUTPUT, "{\"q\":1}");
    builder_json(&b, LF__TAG_METADATA, "{\"z\":1,\"a\":\"x\"}");
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"search\"," TIMES ",\"level\":\"ERROR\","
                "\"statusMessage\":\"disk full\",\"version\":\"v1\",\"environment\":\"qa\",\"input\":{\"q\":1},"
                "\"output\":\"{\\\"q\\\":1}\",\"metadata\":{\"a\":\"x\",\"z\":1}}");
}

static void an_event_has_no_end(void **state)
{
    (void)state;
    begin_child(LF_EVENT);
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\",\"startTime\":\"" START_TEXT "\"}");
    assert_string_equal(text_of(event_at(0), "timestamp"), START_TEXT);
}

static void add_model_fields(void)
{
    builder_text(&b, LF__TAG_MODEL, "gpt-5-mini");
    builder_json(&b, LF__TAG_MODEL_PARAMETERS, "{\"temperature\":0.5,\"stop\":[\"a\"],\"on\":true,\"tool\":{\"x\":1},\"n\":null}");
    builder_json(&b, LF__TAG_USAGE_DETAILS,
                 "{\"input\":5,\"bad\":-1,\"half\":0.5,\"text\":\"6\",\"none\":null,\"more\":{\"x\":1},\"huge\":9007199254740993}");
    builder_json(&b, LF__TAG_COST_DETAILS, "{\"input\":0.5,\"bad\":\"1\",\"less\":-0.5,\"more\":{\"x\":1},\"total\":1e-3}");
    builder_text(&b, LF__TAG_PROMPT_NAME, "greeting");
    builder_int(&b, LF__TAG_PROMPT_VERSION, 3);
    builder_uint(&b, LF__TAG_COMPLETION_START, START + 500000000);
}

#define MODEL_FIELDS                                                                                                        \
    "\"completionStartTime\":\"2026-01-15T06:30:00.623456Z\",\"model\":\"gpt-5-mini\","                                     \
    "\"modelParameters\":{\"temperature\":0.5,\"stop\":\"[\\\"a\\\"]\",\"on\":true,\"tool\":\"{\\\"x\\\":1}\",\"n\":null}," \
    "\"usage\":{\"input\":5,\"unit\":\"TOKENS\"},\"usageDetails\":{\"input\":5},"                                           \
    "\"costDetails\":{\"input\":0.5,\"total\":0.001}"

static void a_generation_says_what_its_model_did(void **state)
{
    (void)state;
    begin_child(LF_GENERATION);
    add_model_fields();
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES "," MODEL_FIELDS
                ",\"promptName\":\"greeting\",\"promptVersion\":3}");
    /* The others take the same, but no prompt. */
    begin_child(LF_AGENT);
    add_model_fields();
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES "," MODEL_FIELDS "}");
}

static void a_span_has_no_model(void **state)
{
    (void)state;
    add_model_fields();
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES "}");
}

static void a_prompt_needs_name_and_version(void **state)
{
    (void)state;
    begin_child(LF_GENERATION);
    builder_text(&b, LF__TAG_PROMPT_NAME, "greeting");
    assert_member("promptName", NULL);
    begin_child(LF_GENERATION);
    builder_int(&b, LF__TAG_PROMPT_VERSION, 3);
    assert_member("promptVersion", NULL);
    begin_child(LF_GENERATION);
    builder_text(&b, LF__TAG_PROMPT_NAME, "");
    builder_int(&b, LF__TAG_PROMPT_VERSION, 3);
    assert_member("promptVersion", NULL);
    begin_child(LF_GENERATION);
    builder_text(&b, LF__TAG_PROMPT_NAME, "greeting");
    builder_int(&b, LF__TAG_PROMPT_VERSION, 0);
    assert_member("promptName", NULL);
}

static void a_propagated_version_is_of_the_name_it_came_with(void **state)
{
    (void)state;
    begin_child(LF_GENERATION);
    builder_add_indexed(&b, LF__TAG_PROMPT_NAME, LF_KIND_STRING, LF__MARK_PROPAGATED, "around", 6);
    builder_add_indexed(&b, LF__TAG_PROMPT_VERSION, LF_KIND_INT, LF__MARK_PROPAGATED, &(int64_t){3}, 8);
    assert_member("promptVersion", "3");
    builder_text(&b, LF__TAG_PROMPT_NAME, "own");
    assert_member("promptName", NULL);
    builder_int(&b, LF__TAG_PROMPT_VERSION, 4);
    assert_member("promptName", "\"own\"");
    assert_member("promptVersion", "4");
}

static void what_is_no_object_is_no_map(void **state)
{
    (void)state;
    static const char *const texts[] = {"7", "[1]", "\"x\"", "null", "{oops"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        begin_child(LF_GENERATION);
        builder_json(&b, LF__TAG_MODEL_PARAMETERS, texts[i]);
        builder_json(&b, LF__TAG_USAGE_DETAILS, texts[i]);
        builder_json(&b, LF__TAG_COST_DETAILS, texts[i]);
        builder_json(&b, LF__TAG_USAGE, texts[i]);
        assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES "}");
    }
}

static void usage_is_sent_as_given_and_converted(void **state)
{
    (void)state;
    begin_child(LF_GENERATION);
    builder_json(&b, LF__TAG_USAGE,
                 "{\"input\":10,\"output\":5,\"unit\":\"CHARACTERS\",\"inputCost\":0.5,\"odd\":\"x\",\"n\":null}");
    assert_member("usage", "{\"input\":10,\"output\":5,\"unit\":\"CHARACTERS\",\"inputCost\":0.5}");
    assert_member("usageDetails", "{\"input\":10,\"output\":5}");
    assert_member("costDetails", "{\"input\":0.5,\"total\":0.5}");
    /* What is said in details wins. */
    builder_json(&b, LF__TAG_USAGE_DETAILS, "{\"input\":1}");
    assert_member("usageDetails", "{\"input\":1}");
    assert_member("costDetails", "{\"input\":0.5,\"total\":0.5}");
    builder_json(&b, LF__TAG_COST_DETAILS, "{\"total\":2}");
    assert_member("costDetails", "{\"total\":2}");
    begin_child(LF_GENERATION);
    builder_json(&b, LF__TAG_USAGE, "{\"input_tokens\":10,\"output_tokens\":5,\"cache_read_input_tokens\":3}");
    assert_member("usageDetails", "{\"input\":10,\"output\":5,\"total\":18,\"input_cached_tokens\":3}");
    assert_member("costDetails", NULL);
    /* The model tells what has a price. */
    static const char heard[] = "{\"promptTokenCount\":9,\"promptTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":5}]}";
    begin_child(LF_GENERATION);
    builder_json(&b, LF__TAG_USAGE, heard);
    assert_member("usageDetails", "{\"input\":9}");
    builder_text(&b, LF__TAG_MODEL, "gemini-2.5-flash");
    assert_member("usageDetails", "{\"input\":4,\"input_audio_tokens\":5}");
}

/* A server takes objects in the details only where all the rest is as OpenAI has it, or else refuses the event. */
static void details_that_nest_are_flattened(void **state)
{
    (void)state;
    static const struct {
        const char *given, *expected;
    } rows[] = {
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
         "\"prompt_tokens_details\":{\"cached_tokens\":4,\"audio_tokens\":null}}",
         "{\"input\":6,\"output\":5,\"total\":15,\"input_cached_tokens\":4}"},
        {"{\"input\":10,\"mine\":2,\"output_tokens_details\":{\"reasoning_tokens\":1.5,\"audio_tokens\":2}}",
         "{\"input\":10,\"output_audio_tokens\":2,\"mine\":2}"},
        {"{\"mine\":{\"x\":1}}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_child(LF_GENERATION);
        builder_json(&b, LF__TAG_USAGE, "{\"input\":1,\"totalCost\":0.5}");
        builder_json(&b, LF__TAG_USAGE_DETAILS, rows[i].given);
        assert_member("usageDetails", rows[i].expected);
        assert_member("costDetails", "{\"total\":0.5}");
    }
}

/* Servers before version 3 read nothing else. */
static void usage_says_the_counts_of_the_details(void **state)
{
    (void)state;
    static const struct {
        const char *usage, *details, *expected;
    } rows[] = {
        {NULL, "{\"input\":3,\"output\":4,\"total\":9,\"input_cached_tokens\":2}",
         "{\"input\":3,\"output\":4,\"total\":9,\"unit\":\"TOKENS\"}"},
        {NULL, "{\"input\":-3,\"output\":4.5,\"total\":\"9\",\"other\":1}", NULL},
        {NULL, "{\"input\":{\"x\":1},\"output\":1e3,\"total\":0}", "{\"total\":0,\"unit\":\"TOKENS\"}"},
        {NULL, "{}", NULL},
        {NULL, "[1]", NULL},
        /* Another API's words are understood; what the server knows already is left as it is. */
        {"{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
         "\"prompt_tokens_details\":{\"cached_tokens\":4}}",
         NULL,
         "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
         "\"input\":6,\"output\":5,\"total\":15,\"unit\":\"TOKENS\"}"},
        {"{\"promptTokens\":10,\"completionTokens\":5}", NULL, "{\"promptTokens\":10,\"completionTokens\":5}"},
        {"{\"inputCost\":0.5}", NULL, "{\"inputCost\":0.5}"},
        /* A count that is no whole number, and the server refuses the event. */
        {"{\"input\":10.5,\"output\":-1,\"totalTokens\":1e2,\"totalCost\":0.5}", NULL, "{\"totalCost\":0.5}"},
        {"{\"odd\":\"x\",\"unit\":\"PINTS\"}", NULL, NULL},
        /* The details win, the unit stays. */
        {"{\"input\":10,\"output\":5,\"unit\":\"CHARACTERS\",\"totalCost\":2}", "{\"input\":1}",
         "{\"unit\":\"CHARACTERS\",\"totalCost\":2,\"input\":1}"},
        {"{\"input\":10}", "[1]", "{\"input\":10}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_child(LF_GENERATION);
        if (rows[i].usage != NULL)
            builder_json(&b, LF__TAG_USAGE, rows[i].usage);
        if (rows[i].details != NULL)
            builder_json(&b, LF__TAG_USAGE_DETAILS, rows[i].details);
        assert_member("usage", rows[i].expected);
    }
}

static void what_did_not_end_says_so(void **state)
{
    (void)state;
    b.as.record.flags = LF__FLAG_ABANDONED;
    assert_only("{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES ",\"level\":\"WARNING\","
                "\"statusMessage\":\"scope was left without ending\",\"metadata\":{\"incomplete\":\"abandoned\"}}");
    b.as.record.flags = LF__FLAG_INTERRUPTED;
    assert_member("statusMessage", "\"still open when the process exited\"");
    assert_member("metadata", "{\"incomplete\":\"interrupted\"}");
    /* What it said itself stays, but for this one key. */
    builder_int(&b, LF__TAG_LEVEL, LF_LEVEL_ERROR);
    builder_text(&b, LF__TAG_STATUS_MESSAGE, "own words");
    builder_json(&b, LF__TAG_METADATA, "{\"incomplete\":\"no\",\"k\":1}");
    assert_member("level", "\"ERROR\"");
    assert_member("statusMessage", "\"own words\"");
    assert_member("metadata", "{\"incomplete\":\"interrupted\",\"k\":1}");
}

/* Encode the value as input, output and metadata of a root, and as input and output of its trace. */
static void assert_content(lf_kind kind, const void *payload, size_t size, const char *content, const char *metadata)
{
    static const char *const keys[] = {"input", "output"};
    static const lf__tag tags[][2] = {{LF__TAG_INPUT, LF__TAG_OUTPUT}, {LF__TAG_TRACE_INPUT, LF__TAG_TRACE_OUTPUT}};
    for (int of_trace = 0; of_trace < 2; of_trace++) {
        begin(LF__RECORD_OBSERVATION, LF_SPAN);
        for (int i = 0; i < 2; i++)
            builder_add(&b, tags[of_trace][i], kind, payload, size);
        builder_add(&b, LF__TAG_METADATA, kind, payload, size);
        int events = encode();
        for (int event = of_trace ? events - 2 : 1; event < (of_trace ? events - 1 : events); event++) {
            const cJSON *body = cJSON_GetObjectItemCaseSensitive(event_at(event), "body");
            for (int i = 0; i < 2; i++) {
                char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(body, keys[i]));
                assert_string_equal(text, content);
                cJSON_free(text);
            }
        }
        char *text = cJSON_PrintUnformatted(
            cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(event_at(events - 1), "body"), "metadata"));
        assert_string_equal(text, metadata);
        cJSON_free(text);
    }
}

static void inputs_and_outputs_that_the_server_would_lose_are_text(void **state)
{
    (void)state;
    int64_t zero = 0, five = -5, large = 9007199254740993;
    uint64_t no = 0, yes = 1;
    double nothing = 0.0, half = 0.5, not_finite = INFINITY;
    assert_content(LF_KIND_INT, &zero, 8, "\"0\"", "0");
    assert_content(LF_KIND_INT, &five, 8, "\"-5\"", "-5");
    assert_content(LF_KIND_UINT, &no, 8, "\"0\"", "0");
    assert_content(LF_KIND_BOOL, &no, 8, "\"false\"", "false");
    assert_content(LF_KIND_BOOL, &yes, 8, "\"true\"", "true");
    assert_content(LF_KIND_DOUBLE, &nothing, 8, "\"0.0\"", "0");
    assert_content(LF_KIND_FLOAT, &half, 8, "\"0.5\"", "0.5");
    assert_content(LF_KIND_JSON, "0", 1, "\"0\"", "0");
    assert_content(LF_KIND_JSON, "\nfalse ", 7, "\"\\nfalse \"", "false");
    /* These it keeps as they are. */
    assert_content(LF_KIND_INT, &large, 8, "\"9007199254740993\"", "\"9007199254740993\"");
    assert_content(LF_KIND_DOUBLE, &not_finite, 8, "\"Infinity\"", "\"Infinity\"");
    assert_content(LF_KIND_STRING, "0", 1, "\"0\"", "\"0\"");
    assert_content(LF_KIND_JSON, "\"0\"", 3, "\"0\"", "\"0\"");
    assert_content(LF_KIND_JSON, "[0]", 3, "[0]", "[0]");
    assert_content(LF_KIND_JSON, "00", 2, "\"00\"", "\"00\"");
}

static void values_are_json_or_text(void **state)
{
    (void)state;
    static const struct {
        lf_kind kind;
        const char *text;
        int64_t number;
        const char *expected;
    } rows[] = {
        {LF_KIND_STRING, "text \xff", 0, "\"text \xEF\xBF\xBD\""},
        {LF_KIND_STRING, "", 0, "\"\""},
        {LF_KIND_JSON, " [1, {\"a\": null}] ", 0, "[1,{\"a\":null}]"},
        {LF_KIND_JSON, "{oops", 0, "\"{oops\""},
        {LF_KIND_JSON, " null ", 0, NULL},
        {LF_KIND_NULL, "", 0, NULL},
        {LF_KIND_INT, NULL, INT64_MAX, "\"9223372036854775807\""},
        {LF_KIND_SECRET, "", 0, "\"<secret>\""},
    };
    static const struct {
        lf__tag tag;
        const char *key;
    } tags[] = {{LF__TAG_INPUT, "input"}, {LF__TAG_OUTPUT, "output"}, {LF__TAG_METADATA, "metadata"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < sizeof tags / sizeof *tags; j++) {
            begin_child(LF_SPAN);
            if (rows[i].text != NULL)
                builder_add(&b, tags[j].tag, rows[i].kind, rows[i].text, strlen(rows[i].text));
            else
                builder_add(&b, tags[j].tag, rows[i].kind, &rows[i].number, sizeof rows[i].number);
            assert_member(tags[j].key, rows[i].expected);
        }
}

static void arguments_are_the_input_and_pieces_the_output(void **state)
{
    (void)state;
    b.as.record.site = lf__site_intern("answer", "a.c", 3, "question, top_k");
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_STRING, 0, "why?", 4);
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_INT, 1, &(int64_t){3}, 8);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "be");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "cause \xc3");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "\xa4");
    assert_member("name", "\"answer\"");
    assert_member("input", "{\"question\":\"why?\",\"top_k\":3}");
    assert_member("output", "\"because \xc3\xa4\"");
    builder_text(&b, LF__TAG_INPUT, "whole");
    builder_text(&b, LF__TAG_OUTPUT, "whole");
    assert_member("input", "\"whole\"");
    assert_member("output", "\"whole\"");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "");
    assert_member("output", "\"\"");
}

static void metadata_is_merged_by_key(void **state)
{
    (void)state;
    builder_json(&b, LF__TAG_METADATA, "{\"k\":1,\"\\u00e4\":\"x\",\"n\":null}");
    builder_json(&b, LF__TAG_METADATA, "{\"k\":{\"deep\":true},\"\\\"q\\\"\":2}");
    assert_member("metadata", "{\"\\\"q\\\"\":2,\"k\":{\"deep\":true},\"\xc3\xa4\":\"x\"}");
    builder_text(&b, LF__TAG_METADATA, "a note");
    assert_member("metadata", "{\"\\\"q\\\"\":2,\"k\":{\"deep\":true},\"\xc3\xa4\":\"x\",\"metadata\":\"a note\"}");
    builder_json(&b, LF__TAG_METADATA, "{\"metadata\":\"mine\"}");
    assert_member("metadata", "{\"\\\"q\\\"\":2,\"k\":{\"deep\":true},\"metadata\":\"mine\",\"\xc3\xa4\":\"x\"}");
    /* As of any field, null takes back what was said in whole. */
    begin_child(LF_SPAN);
    builder_text(&b, LF__TAG_METADATA, "a note");
    builder_add(&b, LF__TAG_METADATA, LF_KIND_NULL, NULL, 0);
    assert_member("metadata", NULL);
}

static void an_end_before_the_start_is_the_start(void **state)
{
    (void)state;
    b.as.record.end_ns = START - 1;
    assert_member("endTime", "\"" START_TEXT "\"");
}

static void times_of_the_user_are_on_the_wall(void **state)
{
    (void)state;
    begin_child(LF_GENERATION);
    b.as.record.flags = LF__FLAG_WALL_START | LF__FLAG_WALL_END;
    b.as.record.start_ns = 1709164799000001000;
    b.as.record.end_ns = 1709164800000000000;
    builder_int(&b, LF__TAG_COMPLETION_START, 4102444799999999000);
    assert_member("startTime", "\"2024-02-28T23:59:59.000001Z\"");
    assert_member("endTime", "\"2024-02-29T00:00:00.000000Z\"");
    assert_member("completionStartTime", "\"2099-12-31T23:59:59.999999Z\"");
}

/* ---- Traces ------------------------------------------------------------------------------------------------------------ */

static void a_root_says_its_trace(void **state)
{
    (void)state;
    config.environment = "qa";
    config.release = "r9";
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    builder_text(&b, LF__TAG_NAME, "ask");
    builder_text(&b, LF__TAG_INPUT, "question");
    builder_text(&b, LF__TAG_OUTPUT, "answer");
    builder_text(&b, LF__TAG_VERSION, "v1");
    assert_int_equal(encode(), 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(text_of(event_at(i), "type"), i < 2 ? "trace-create" : "span-create");
        assert_string_equal(text_of(event_at(i), "timestamp"), i == 0 ? START_TEXT : END_TEXT);
    }
    assert_body(0, "{\"id\":\"" TRACE "\",\"timestamp\":\"" START_TEXT "\",\"environment\":\"qa\"}");
    assert_body(1, "{\"id\":\"" TRACE "\",\"timestamp\":\"" START_TEXT "\",\"name\":\"ask\",\"release\":\"r9\",\"version\":\"v1\","
                   "\"environment\":\"qa\",\"input\":\"question\",\"output\":\"answer\"}");
    assert_body(2, "{" IDS ",\"name\":\"ask\"," TIMES ",\"version\":\"v1\",\"environment\":\"qa\",\"input\":\"question\","
                   "\"output\":\"answer\"}");
}

static void a_root_that_takes_no_time_begins_its_trace_in_one_event(void **state)
{
    (void)state;
    begin(LF__RECORD_OBSERVATION, LF_EVENT);
    assert_int_equal(encode(), 2);
    assert_body(0, "{\"id\":\"" TRACE "\",\"timestamp\":\"" START_TEXT "\",\"name\":\"observation\"}");
    assert_string_equal(text_of(event_at(1), "type"), "event-create");
}

static void the_first_of_a_trace_in_this_process_is_a_root_too(void **state)
{
    (void)state;
    b.as.record.flags = LF__FLAG_APP_ROOT | LF__FLAG_REMOTE_PARENT;
    assert_int_equal(encode(), 3);
    assert_body(2, "{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES "}");
}

static void add_trace_fields(builder *to)
{
    builder_text(to, LF__TAG_USER_ID, "u1");
    builder_text(to, LF__TAG_SESSION_ID, "s1");
    builder_text(to, LF__TAG_TRACE_NAME, "chat");
    builder_json(to, LF__TAG_TRACE_TAGS, "[\"a\",\"b\"]");
    builder_json(to, LF__TAG_TRACE_METADATA, "{\"k\":1}");
    builder_json(to, LF__TAG_TRACE_INPUT, "{\"q\":1}");
    builder_text(to, LF__TAG_TRACE_OUTPUT, "bye");
    builder_add(to, LF__TAG_TRACE_PUBLIC, LF_KIND_BOOL, &(uint64_t){1}, 8);
    builder_text(to, LF__TAG_ENVIRONMENT, "prod");
    builder_text(to, LF__TAG_RELEASE, "r1");
}

#define TRACE_FIELDS                                                                                        \
    "\"name\":\"chat\",\"userId\":\"u1\",\"sessionId\":\"s1\",\"release\":\"r1\",\"environment\":\"prod\"," \
    "\"public\":true,\"tags\":[\"a\",\"b\"],\"metadata\":{\"k\":1},\"input\":{\"q\":1},\"output\":\"bye\""

static void what_is_said_of_the_trace_wins_over_the_root(void **state)
{
    (void)state;
    config.environment = "qa";
    config.release = "r9";
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    builder_text(&b, LF__TAG_NAME, "ask");
    builder_text(&b, LF__TAG_INPUT, "question");
    builder_text(&b, LF__TAG_OUTPUT, "answer");
    add_trace_fields(&b);
    assert_int_equal(encode(), 3);
    assert_body(1, "{\"id\":\"" TRACE "\",\"timestamp\":\"" START_TEXT "\"," TRACE_FIELDS "}");
    assert_body(2, "{" IDS ",\"name\":\"ask\"," TIMES ",\"environment\":\"prod\",\"input\":\"question\",\"output\":\"answer\"}");
}

/* Encode the record and read the time of the event about its trace in ns since the half hour. */
static uint64_t trace_event_ns(uint64_t end_ns)
{
    b.as.record.end_ns = end_ns - 1000000; /* the monotonic clock */
    int events = encode();
    const char *time = text_of(event_at(events < 2 ? 0 : events - 2), "timestamp");
    assert_memory_equal(time, "2026-01-15T06:3", 15);
    char *rest;
    uint64_t minute = strtoul(time + 15, NULL, 10), second = strtoul(time + 17, NULL, 10);
    uint64_t micros = strtoul(time + 20, &rest, 10);
    assert_string_equal(rest, "Z");
    return ((minute * 60 + second) * 1000000 + micros) * 1000;
}

static void events_of_one_trace_are_at_least_a_millisecond_apart(void **state)
{
    (void)state;
    static lf__wire_times times;
    const uint64_t base = START + 1000000 - 123456000, ms = 1000000; /* on a second of the wall, 06:30:00 */
    memset(&times, 0, sizeof times);
    context.times = &times;
    begin_child(LF_SPAN);
    builder_text(&b, LF__TAG_USER_ID, "42");
    b.as.record.start_ns = base - ms;
    /* Three within a millisecond, one just after it, one as far away as need be: in this order. */
    assert_int_equal(trace_event_ns(base + 300000), 300000);
    assert_int_equal(trace_event_ns(base + 300000), ms);
    assert_int_equal(trace_event_ns(base + 900000), 2 * ms);
    assert_int_equal(trace_event_ns(base + ms + 100000), 3 * ms);
    assert_int_equal(trace_event_ns(base + 4 * ms + 500000), 4 * ms + 500000);
    /* Another thread's, of an earlier time. It does not move those after it. */
    assert_int_equal(trace_event_ns(base + 2 * ms + 500000), 2 * ms + 500000);
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 5 * ms);
    /* Another trace's, and this one again, which is forgotten now. */
    b.as.record.trace_id[0] = 1;
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 4 * ms + 600000);
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 5 * ms);
    b.as.record.trace_id[15] = 1;
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 4 * ms + 600000);
    b.as.record.trace_id[15] = 0xab;
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 6 * ms);
    b.as.record.trace_id[0] = 0xab;
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 4 * ms + 600000);
    /* A root's, too, while its beginning stays the earliest; the time of an observation is its own. */
    memset(b.as.record.parent_id, 0, 8);
    assert_int_equal(trace_event_ns(base + 4 * ms + 600000), 5 * ms);
    assert_string_equal(text_of(event_at(0), "timestamp"), "2026-01-15T06:30:00.000000Z");
    assert_string_equal(text_of(event_at(2), "timestamp"), "2026-01-15T06:30:00.004600Z");
}

static void an_item_that_fails_moves_nothing(void **state)
{
    (void)state;
    static lf__wire_times times;
    memset(&times, 0, sizeof times);
    context.times = &times;
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    lf__buf small;
    char memory[10];
    lf__buf_over(&small, memory, sizeof memory);
    assert_false(lf__wire_ingestion.item(&small, &b.as.record, &context));
    (void)encode();
    assert_string_equal(text_of(event_at(1), "timestamp"), END_TEXT);
}

static void a_child_that_knows_of_its_trace_says_only_that(void **state)
{
    (void)state;
    config.release = "r9";
    builder_text(&b, LF__TAG_INPUT, "question");
    builder_text(&b, LF__TAG_VERSION, "own");
    add_trace_fields(&said);
    context.trace = &said.as.record;
    assert_int_equal(encode(), 2);
    assert_string_equal(text_of(event_at(0), "type"), "trace-create");
    assert_body(0, "{\"id\":\"" TRACE "\"," TRACE_FIELDS "}");
    assert_body(1, "{" IDS ",\"parentObservationId\":\"" PARENT "\",\"name\":\"observation\"," TIMES ",\"version\":\"own\","
                   "\"environment\":\"prod\",\"input\":\"question\"}");
}

static void each_trace_field_of_a_child_is_told(void **state)
{
    (void)state;
    static const struct {
        lf__tag tag;
        const char *text; /* NULL: BOOL true */
        bool json;
        const char *expected;
    } rows[] = {
        {LF__TAG_USER_ID, "u", false, ",\"userId\":\"u\""},
        {LF__TAG_SESSION_ID, "s", false, ",\"sessionId\":\"s\""},
        {LF__TAG_TRACE_NAME, "t", false, ",\"name\":\"t\""},
        {LF__TAG_TRACE_TAGS, "[\"a\"]", true, ",\"tags\":[\"a\"]"},
        {LF__TAG_TRACE_TAGS, "[]", true, ""},
        {LF__TAG_TRACE_METADATA, "{\"k\":[1]}", true, ",\"metadata\":{\"k\":[1]}"},
        {LF__TAG_TRACE_INPUT, "i", false, ",\"input\":\"i\""},
        {LF__TAG_TRACE_OUTPUT, "[1]", true, ",\"output\":[1]"},
        {LF__TAG_TRACE_PUBLIC, NULL, false, ",\"public\":true"},
        {LF__TAG_RELEASE, "r", false, ",\"release\":\"r\""},
    };
    config.release = "r9"; /* told by the root */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[256];
        begin_child(LF_SPAN);
        if (rows[i].text == NULL)
            builder_add(&b, rows[i].tag, LF_KIND_BOOL, &(uint64_t){1}, 8);
        else
            builder_add(&b, rows[i].tag, rows[i].json ? LF_KIND_JSON : LF_KIND_STRING, rows[i].text, strlen(rows[i].text));
        assert_int_equal(encode(), 2);
        snprintf(expected, sizeof expected, "{\"id\":\"" TRACE "\"%s}", rows[i].expected);
        assert_body(0, expected);
    }
    /* These say nothing of the trace by themselves. */
    begin_child(LF_SPAN);
    builder_text(&b, LF__TAG_ENVIRONMENT, "prod");
    builder_text(&b, LF__TAG_VERSION, "own");
    assert_int_equal(encode(), 1);
}

static void versions_of_traces_and_observations_are_kept_apart(void **state)
{
    (void)state;
    builder_add_indexed(&b, LF__TAG_VERSION, LF_KIND_STRING, LF__MARK_PROPAGATED, "everywhere", 10);
    assert_int_equal(encode(), 2);
    assert_body(0, "{\"id\":\"" TRACE "\",\"version\":\"everywhere\"}");
    builder_text(&b, LF__TAG_VERSION, "own");
    assert_member("version", "\"own\"");
    assert_body(0, "{\"id\":\"" TRACE "\",\"version\":\"everywhere\"}");
    builder_text(&said, LF__TAG_VERSION, "trace");
    context.trace = &said.as.record;
    assert_member("version", "\"own\"");
    assert_body(0, "{\"id\":\"" TRACE "\",\"version\":\"trace\"}");
}

static void an_update_of_a_trace_goes_alone(void **state)
{
    (void)state;
    begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
    add_trace_fields(&b);
    builder_text(&b, LF__TAG_VERSION, "v2");
    assert_int_equal(encode(), 1);
    assert_string_equal(text_of(event_at(0), "type"), "trace-create");
    assert_string_equal(text_of(event_at(0), "timestamp"), END_TEXT);
    assert_body(0, "{\"id\":\"" TRACE "\",\"name\":\"chat\",\"userId\":\"u1\",\"sessionId\":\"s1\",\"release\":\"r1\","
                   "\"version\":\"v2\",\"environment\":\"prod\",\"public\":true,\"tags\":[\"a\",\"b\"],\"metadata\":{\"k\":1},"
                   "\"input\":{\"q\":1},\"output\":\"bye\"}");
}

static void a_private_trace_says_so(void **state)
{
    (void)state;
    begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
    builder_add(&b, LF__TAG_TRACE_PUBLIC, LF_KIND_BOOL, &(uint64_t){0}, 8);
    assert_only("{\"id\":\"" TRACE "\",\"public\":false}");
}

static void tags_add_up_and_count_once(void **state)
{
    (void)state;
    begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
    builder_json(&b, LF__TAG_TRACE_TAGS, "[\"b\",\"\\u00e4 \\\"q\\\"\"]");
    builder_json(&b, LF__TAG_TRACE_TAGS, "[\"a\",\"b\"]");
    builder_json(&said, LF__TAG_TRACE_TAGS, "[\"late\",\"a\"]");
    context.trace = &said.as.record;
    assert_only("{\"id\":\"" TRACE "\",\"tags\":[\"b\",\"\xc3\xa4 \\\"q\\\"\",\"a\",\"late\"]}");
}

static void propagated_metadata_is_short_text(void **state)
{
    (void)state;
    char json[2048], long_text[202];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[201] = '\0';
    begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
    snprintf(json, sizeof json, "{\"n\":5,\"long\":\"%s\",\"fits\":\"%s\",\"t\":\"x\"}", long_text, long_text + 1);
    builder_add_indexed(&b, LF__TAG_TRACE_METADATA, LF_KIND_JSON, LF__MARK_PROPAGATED, json, strlen(json));
    snprintf(json, sizeof json, "{\"fits\":\"%s\",\"n\":\"5\",\"t\":\"x\"}", long_text + 1);
    assert_member("metadata", json);
    /* Said by lf_update_current_trace, anything goes. */
    begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
    snprintf(json, sizeof json, "{\"long\":\"%s\",\"n\":5}", long_text);
    builder_json(&b, LF__TAG_TRACE_METADATA, json);
    assert_member("metadata", json);
}

static void names_of_traces_are_cut_where_the_server_refuses(void **state)
{
    (void)state;
    static char name[4 * 1000 + 1];
    static const struct {
        const char *unit;
        size_t count, kept;
    } rows[] = {
        {"a", 1000, 1000}, {"a", 1001, 1000}, {"\xc3\xa4", 1001, 1000}, {"\xf0\x9f\x98\x80", 501, 500}, {"\xff", 1001, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].unit);
        for (size_t j = 0; j < rows[i].count; j++)
            memcpy(name + j * size, rows[i].unit, size);
        begin(LF__RECORD_TRACE, LF_TYPE_DEFAULT);
        builder_add(&b, LF__TAG_TRACE_NAME, LF_KIND_STRING, name, rows[i].count * size);
        encode();
        const char *text = text_of(cJSON_GetObjectItemCaseSensitive(event_at(0), "body"), "name");
        size_t sent = rows[i].unit[0] == '\xff' ? 3 : size; /* U+FFFD */
        assert_int_equal(strlen(text), rows[i].kept * sent);
    }
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    builder_text(&b, LF__TAG_TRACE_NAME, "");
    encode();
    assert_string_equal(text_of(cJSON_GetObjectItemCaseSensitive(event_at(1), "body"), "name"), "observation");
}

/* ---- When memory is out ------------------------------------------------------------------------------------------------- */

/* A record with everything in it that is written by way of the scratch buffer. */
static void add_everything(void)
{
    begin(LF__RECORD_OBSERVATION, LF_GENERATION);
    b.as.record.flags = LF__FLAG_ABANDONED;
    builder_text(&b, LF__TAG_ARGUMENT, "a");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "piece");
    builder_json(&b, LF__TAG_METADATA, "{\"k\":1}");
    builder_json(&b, LF__TAG_USAGE, "{\"input\":10,\"inputCost\":0.5}");
    builder_json(&b, LF__TAG_USAGE_DETAILS, "{\"input\":10,\"input_tokens_details\":{\"cached_tokens\":4}}");
    add_trace_fields(&b);
    builder_int(&b, LF__TAG_USER_ID, 42);
    builder_text(&b, LF__TAG_MODEL, "m");
}

static void an_item_is_whole_or_absent(void **state)
{
    (void)state;
    static const char before[] = "what was there before";
    add_everything();
    assert_int_equal(encode(), 3);
    size_t whole = out.length;
    assert_string_equal(text_of(cJSON_GetObjectItemCaseSensitive(event_at(1), "body"), "userId"), "42");
    for (unsigned long n = 1;; n++) {
        lf__buf_done(&out);
        lf__buf_done(&scratch);
        lf__buf_init(&out, 1 << 20);
        lf__buf_init(&scratch, 1 << 20);
        lf__buf_add_text(&out, before);
        lf__alloc_fail_from(n);
        bool done = lf__wire_ingestion.item(&out, &b.as.record, &context);
        lf__alloc_fail_from(0);
        if (done) {
            assert_true(n > 2 && out.length > sizeof before);
            break;
        }
        assert_int_equal(out.length, sizeof before - 1);
        assert_false(out.failed);
        assert_true(out.no_memory || scratch.no_memory);
        assert_memory_equal(out.data, before, sizeof before - 1);
    }
    /* And for want of room, at every byte. */
    static char memory[1 << 14];
    assert_true(whole < sizeof memory);
    bool fits = false;
    for (size_t room = 0; room < whole && !fits; room++) {
        lf__buf small;
        lf__buf_over(&small, memory, room);
        fits = lf__wire_ingestion.item(&small, &b.as.record, &context);
        assert_true(fits || (small.length == 0 && !small.failed));
        assert_false(small.no_memory || scratch.no_memory);
    }
    assert_true(fits);
}

/* Encode with ever more room in the scratch buffer: all of the item comes out, or nothing. */
static void check_every_scratch_size(void)
{
    static char memory[1 << 13];
    assert_true(lf__wire_ingestion.item(&out, &b.as.record, &context));
    char *whole = calloc(1, out.length + 1);
    memcpy(whole, out.data, out.length);
    size_t size = out.length;
    bool fits = false;
    lf__buf small;
    context.scratch = &small;
    for (size_t room = 0; room < sizeof memory; room += 8) {
        lf__buf_over(&small, memory, room);
        lf__buf_clear(&out);
        fits = lf__wire_ingestion.item(&out, &b.as.record, &context);
        assert_int_equal(out.length, fits ? size : 0);
        assert_true(!fits || memcmp(out.data, whole, size) == 0);
    }
    assert_true(fits);
    free(whole);
    context.scratch = &scratch;
    lf__buf_clear(&out);
}

/* Each time another field needs the most room. */
static void no_room_in_scratch_loses_no_field_silently(void **state)
{
    (void)state;
    static char text[600], json[700];
    memset(text, 'x', sizeof text - 1);
    struct {
        lf__array_head head;
        int32_t items[200];
    } numbers = {{LF_KIND_INT, 4, 200}, {0}};
    add_everything();
    check_every_scratch_size();
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, text);
    check_every_scratch_size();
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    builder_add(&b, LF__TAG_USER_ID, LF_KIND_ARRAY, &numbers, sizeof numbers);
    check_every_scratch_size();
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    snprintf(json, sizeof json, "{\"%s\":1}", text);
    builder_json(&b, LF__TAG_TRACE_METADATA, json);
    check_every_scratch_size();
    begin(LF__RECORD_OBSERVATION, LF_SPAN);
    snprintf(json, sizeof json, "[\"%s\"]", text);
    builder_json(&b, LF__TAG_TRACE_TAGS, json);
    check_every_scratch_size();
    begin_child(LF_GENERATION);
    snprintf(json, sizeof json, "{\"a%.100s\":1,\"b%.100s\":1,\"c%.100s\":1}", text, text, text);
    builder_json(&b, LF__TAG_USAGE, json);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "x"); /* the next user of the buffer */
    check_every_scratch_size();
    begin_score(1);
    builder_text(&b, LF__TAG_SCORE_COMMENT, text);
    builder_json(&b, LF__TAG_METADATA, "{\"k\":1}");
    check_every_scratch_size();
}

static void head_and_tail_fail_cleanly(void **state)
{
    (void)state;
    char memory[64];
    lf__buf small;
    for (size_t room = 0; room < sizeof memory; room++) {
        lf__buf_over(&small, memory, room);
        bool done = lf__wire_ingestion.head(&small, &config, 0);
        assert_int_equal(done, small.length > 0);
        lf__buf_over(&small, memory, room);
        assert_int_equal(lf__wire_ingestion.tail(&small), room >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_batch_says_who_sends_it),
        T(items_are_joined_by_the_separator),
        T(the_same_record_gives_the_same_event_ids),
        T(other_records_give_other_event_ids),
        T(a_score_says_all_its_fields),
        T(half_a_pair_of_the_users_is_mended),
        T(a_later_score_of_one_id_has_a_later_event_and_one_time_in_lists),
        T(a_score_has_one_target),
        T(a_score_is_not_told_what_is_said_of_its_trace),
        T(a_score_has_an_id_always),
        T(values_of_scores_are_numbers_or_text),
        T(ids_are_the_users_own_where_all_goes_this_way),
        T(what_an_observation_is_called_elsewhere_is_known_from_what_is_said_of_the_trace),
        T(ids_are_hex_where_observations_go_by_otlp),
        T(what_the_trace_is_called_elsewhere_is_known_from_what_is_said_of_it),
        T(each_type_is_an_event_of_its_own),
        T(a_span_says_its_fields),
        T(an_event_has_no_end),
        T(a_generation_says_what_its_model_did),
        T(a_span_has_no_model),
        T(a_prompt_needs_name_and_version),
        T(a_propagated_version_is_of_the_name_it_came_with),
        T(what_is_no_object_is_no_map),
        T(usage_is_sent_as_given_and_converted),
        T(details_that_nest_are_flattened),
        T(usage_says_the_counts_of_the_details),
        T(what_did_not_end_says_so),
        T(values_are_json_or_text),
        T(inputs_and_outputs_that_the_server_would_lose_are_text),
        T(arguments_are_the_input_and_pieces_the_output),
        T(metadata_is_merged_by_key),
        T(an_end_before_the_start_is_the_start),
        T(times_of_the_user_are_on_the_wall),
        T(a_root_says_its_trace),
        T(a_root_that_takes_no_time_begins_its_trace_in_one_event),
        T(the_first_of_a_trace_in_this_process_is_a_root_too),
        T(what_is_said_of_the_trace_wins_over_the_root),
        T(events_of_one_trace_are_at_least_a_millisecond_apart),
        T(an_item_that_fails_moves_nothing),
        T(a_child_that_knows_of_its_trace_says_only_that),
        T(each_trace_field_of_a_child_is_told),
        T(versions_of_traces_and_observations_are_kept_apart),
        T(an_update_of_a_trace_goes_alone),
        T(a_private_trace_says_so),
        T(tags_add_up_and_count_once),
        T(propagated_metadata_is_short_text),
        T(names_of_traces_are_cut_where_the_server_refuses),
        T(an_item_is_whole_or_absent),
        T(no_room_in_scratch_loses_no_field_silently),
        T(head_and_tail_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
