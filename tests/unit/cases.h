/* What the tests of the tracing vocabulary share, on top of core_harness.h: attributes by their full name, log lines, scores
 * read back from the file exporter, and the events that a fake server received.
 */
#ifndef LF_TESTS_CASES_H
#define LF_TESTS_CASES_H

#include "core_harness.h"

#include "../../langfuse/score.h"
#include "fake_server.h"

/* ---- Log lines ------------------------------------------------------------------------------------------------------- */

enum { CASES_LINES = 64, CASES_LINE = 1024 };

static struct {
    pthread_mutex_t lock;
    size_t count;
    char text[CASES_LINES][CASES_LINE];
} cases_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static UNUSED void keep_line(void *data, const char *line)
{
    (void)data;
    pthread_mutex_lock(&cases_log.lock);
    if (cases_log.count < CASES_LINES)
        snprintf(cases_log.text[cases_log.count++], CASES_LINE, "%s", line);
    pthread_mutex_unlock(&cases_log.lock);
}

/* How many lines contain this text; "" counts all. */
static UNUSED size_t lines_with(const char *text)
{
    size_t count = 0;
    pthread_mutex_lock(&cases_log.lock);
    for (size_t i = 0; i < cases_log.count; i++)
        count += strstr(cases_log.text[i], text) != NULL;
    pthread_mutex_unlock(&cases_log.lock);
    return count;
}

/* Options that write to the test's file and keep the log's lines. */
static UNUSED lf_options quiet_file(void)
{
    lf_options options = to_file(harness_path);
    options.log = keep_line;
    return options;
}

static UNUSED void start_quiet(void)
{
    lf_options options = quiet_file();
    CHECK_INT(lf_init(&options), LF_OK);
}

/* ---- Attributes ------------------------------------------------------------------------------------------------------ */

static const cJSON *cases_value(const cJSON *attributes, const char *key)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, attributes)
        if (strcmp(text_of(item, "key"), key) == 0)
            return cJSON_GetObjectItem(item, "value");
    return NULL;
}

/* One of a few buffers in turn, so that two values can be looked at together. */
static char *cases_buffer(size_t *out_size)
{
    static char buffers[4][4096];
    static unsigned next;
    *out_size = sizeof buffers[0];
    return buffers[next++ % 4];
}

static const char *cases_text(const cJSON *value)
{
    const cJSON *item, *inner = value == NULL ? NULL : value->child;
    if (inner == NULL)
        return NULL;
    if (cJSON_IsBool(inner))
        return cJSON_IsTrue(inner) ? "true" : "false";
    if (inner->valuestring != NULL)
        return inner->valuestring;
    size_t room, size = 0;
    char *text = cases_buffer(&room);
    text[0] = '\0';
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(inner, "values"))
        size += (size_t)snprintf(text + size, size < room ? room - size : 0, "%s%s", size == 0 ? "" : ",",
                                 item->child == NULL || item->child->valuestring == NULL ? "?" : item->child->valuestring);
    return text;
}

/* The value of an attribute as text, a list joined by commas; NULL when it is not there. */
static UNUSED const char *attribute(const cJSON *span, const char *key)
{
    return cases_text(cases_value(cJSON_GetObjectItem(span, "attributes"), key));
}

static UNUSED size_t attribute_count(const cJSON *span, const char *key)
{
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(span, "attributes"))
        count += strcmp(text_of(item, "key"), key) == 0;
    return count;
}

#define CHECK_HAS(span, key, text)                                                             \
    do {                                                                                       \
        const char *cases_is = attribute(span, key);                                           \
        if (cases_is == NULL || strcmp(cases_is, text) != 0)                                   \
            harness_fail(__FILE__, __LINE__, "%s of %s is %s, not \"%s\"", key, name_of(span), \
                         cases_is == NULL ? "missing" : cases_is, text);                       \
    } while (0)
#define CHECK_HAS_NOT(span, key)                                                                  \
    do {                                                                                          \
        const char *cases_is = attribute(span, key);                                              \
        if (cases_is != NULL)                                                                     \
            harness_fail(__FILE__, __LINE__, "%s of %s is \"%s\"", key, name_of(span), cases_is); \
    } while (0)

#define CHECK_APP_ROOT(span) CHECK_HAS(span, "langfuse.internal.is_app_root", "true")
#define CHECK_NO_APP_ROOT(span) CHECK_HAS_NOT(span, "langfuse.internal.is_app_root")

/* Everything that was accepted has been delivered, nothing was lost, nothing is open. */
static UNUSED void check_all_delivered(uint64_t expected)
{
    lf_stats stats = stats_now();
    CHECK_INT(stats.accepted, expected);
    CHECK_INT(stats.delivered, expected);
    CHECK_INT(stats.dropped_total, 0);
    CHECK_INT(stats.queued, 0);
    CHECK_INT(stats.open, 0);
}

/* ---- Events of the batch endpoint -------------------------------------------------------------------------------------- */

static cJSON **cases_batches;
static size_t cases_batch_count;
static const cJSON **events;
static size_t event_count;

static UNUSED void forget_events(void)
{
    for (size_t i = 0; i < cases_batch_count; i++)
        cJSON_Delete(cases_batches[i]);
    free(cases_batches);
    free(events);
    cases_batches = NULL;
    events = NULL;
    cases_batch_count = event_count = 0;
}

static UNUSED void read_batch(const char *text)
{
    cJSON *json = cJSON_Parse(text);
    CHECK(json != NULL);
    cases_batches = realloc(cases_batches, (cases_batch_count + 1) * sizeof *cases_batches);
    cases_batches[cases_batch_count++] = json;
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(json, "batch")) {
        events = realloc(events, (event_count + 1) * sizeof *events);
        events[event_count++] = event;
    }
}

/* Flush, and read the scores that the file exporter wrote beside `path`. */
static UNUSED void collect_scores_of(const char *path)
{
    char file[512], *line = NULL;
    size_t room = 0;
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    snprintf(file, sizeof file, "%s.scores", path);
    forget_events();
    FILE *stream = fopen(file, "r");
    while (stream != NULL && getline(&line, &room, stream) > 0)
        read_batch(line);
    free(line);
    if (stream != NULL)
        fclose(stream);
}

static UNUSED void collect_scores(void)
{
    collect_scores_of(harness_path);
}

static UNUSED const cJSON *body_of(const cJSON *event)
{
    return cJSON_GetObjectItem(event, "body");
}

static UNUSED size_t count_events(const char *type)
{
    size_t count = 0;
    for (size_t i = 0; i < event_count; i++)
        count += strcmp(text_of(events[i], "type"), type) == 0;
    return count;
}

/* The body of the only event of this type with this name. */
static UNUSED const cJSON *event_named(const char *type, const char *name)
{
    const cJSON *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < event_count; i++)
        if (strcmp(text_of(events[i], "type"), type) == 0 && strcmp(text_of(body_of(events[i]), "name"), name) == 0) {
            found = body_of(events[i]);
            count++;
        }
    if (count != 1)
        harness_fail(__FILE__, __LINE__, "%zu events of type %s are named %s (%zu events in all)", count, type, name, event_count);
    return found;
}

static UNUSED const cJSON *score_named(const char *name)
{
    return event_named("score-create", name);
}

static UNUSED size_t count_scores(const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < event_count; i++)
        count += strcmp(text_of(events[i], "type"), "score-create") == 0 && strcmp(text_of(body_of(events[i]), "name"), name) == 0;
    return count;
}

/* A member of a body: text as it is, anything else as JSON; "" when it is not there. */
static UNUSED const char *member(const cJSON *body, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(body, key);
    if (item == NULL || cJSON_IsString(item))
        return item == NULL ? "" : item->valuestring;
    size_t room;
    char *text = cases_buffer(&room);
    CHECK(cJSON_PrintPreallocated((cJSON *)(uintptr_t)item, text, (int)room, false));
    return text;
}

#define CHECK_MEMBER(body, key, text) CHECK_TEXT(member(body, key), text)
#define CHECK_NO_MEMBER(body, key) CHECK(cJSON_GetObjectItem(body, key) == NULL)

/* ---- A server that takes everything -------------------------------------------------------------------------------------- */

#define CASES_OTLP_PATH "/api/public/otel/v1/traces"
#define CASES_INGESTION_PATH "/api/public/ingestion"

/* 207 for batches with no complaint in it, 200 for the rest. */
static UNUSED fake_reply take_all(fake_server *server, const fake_request *request)
{
    (void)server;
    if (strstr(request->head, CASES_INGESTION_PATH) == NULL)
        return (fake_reply){.headers = "Content-Type: application/json\r\n", .body = "{}"};
    return (fake_reply){.status = 207, .headers = "Content-Type: application/json\r\n", .body = "{\"successes\":[],\"errors\":[]}"};
}

static UNUSED fake_server *start_server(void)
{
    fake_server *server = fake_server_start(take_all, NULL);
    CHECK(server != NULL);
    return server;
}

static UNUSED lf_options to_fake(const fake_server *server)
{
    lf_options options = to_server(server->url);
    options.log = keep_line;
    options.protocol = "http/json";
    return options;
}

/* What arrived there so far, in `spans` and `events`. */
static UNUSED void read_server(fake_server *server)
{
    harness_forget();
    forget_events();
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->request_count; i++) {
        const fake_request *request = &server->requests[i];
        if (strstr(request->head, CASES_OTLP_PATH) != NULL)
            harness_read_line(request->body);
        else if (strstr(request->head, CASES_INGESTION_PATH) != NULL)
            read_batch(request->body);
    }
    pthread_mutex_unlock(&server->lock);
}

#endif
