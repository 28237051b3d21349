/* An exporter and a server that a test scripts: what the tests of deliveries share. */
#ifndef TESTS_EXPORT_RIG_H
#define TESTS_EXPORT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/deliver/export.h"
#include "../../src/deliver/wire.h"
#include "fake_server.h"
#include "fixture.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Requests are read as they are sent, also in a library that compresses by default. */
#ifndef RIG_MAY_COMPRESS
#define RIG_MAY_COMPRESS false
#endif

enum { RECORDS_MAX = 20000, BODIES_MAX = 4096 };

static const uint64_t MS = 1000000;

/* An exporter, the server it sends to, and what that server took. */
static struct {
    fake_server *server;
    lf__config *config;
    lf__counters counters;
    lf__export_kind kind;
    lf__transport transport;
    lf__export *x;
    uint64_t added;
    builder made;
    /* The server's script. */
    fake_reply reply;       /* for every request, ... */
    fake_reply first_reply; /* ... except for the first `first` ones */
    int first;
    bool (*refuses)(const fake_request *request); /* then `reply`, else 200 */
    fake_reply (*script)(const fake_request *request); /* instead of the replies above */
    int (*verdict)(unsigned n, const char *type); /* of each event of an ingestion batch; then the answer is 207 */
    const char *message, *detail;                 /* of events that are refused; %u becomes the record's number */
    int detail_size;                              /* repeat the detail up to this */
    int made_count;
    char *made_bodies[BODIES_MAX]; /* of 207 answers */
    pthread_mutex_t lock;
    int taken[RECORDS_MAX]; /* how often each numbered record was in a request answered with 2xx */
    int tries[RECORDS_MAX]; /* of each record, counted by a verdict; under the lock */
    int most_busy_later;    /* at once, after the first three */
} rig = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline unsigned observations_in(const fake_request *request, void (*each)(unsigned n))
{
    unsigned count = 0;
    for (const char *at = request->body; (at = memmem(at, request->body_size - (size_t)(at - request->body), "obs-", 4)) != NULL;
         at += 4) {
        count++;
        if (each != NULL)
            each((unsigned)strtoul(at + 4, NULL, 10));
    }
    return count;
}

static inline void take(unsigned n)
{
    if (n < RECORDS_MAX)
        rig.taken[n]++;
}

/* ---- Ingestion, as small as it gets ---- */

/* It takes the place of the library's encoder, so that the tests know the ids of events: "<type's first letter><record>".
 * The first observation of a trace comes with a second event in front of it. */
static inline bool event_item(lf__buf *out, const lf__record *record, const lf__wire_context *context)
{
    const lf__field *name = NULL, *input = NULL;
    (void)context;
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;) {
        name = field->tag == LF__TAG_NAME ? field : name;
        input = field->tag == LF__TAG_INPUT ? field : input;
    }
    const char *types[] = {"trace-create", record->kind == LF__RECORD_SCORE ? "score-create" : "span-create"};
    unsigned number;
    memcpy(&number, record->id, sizeof number);
    for (int i = record->flags & LF__FLAG_APP_ROOT ? 0 : 1; i < 2; i++) {
        char head[160];
        snprintf(head, sizeof head,
                 "{\"id\":\"%c%u\",\"type\":\"%s\",\"timestamp\":\"2026-11-21T12:00:00.000Z\",\"body\":{\"name\":", types[i][0],
                 number, types[i]);
        lf__buf_add_text(out, head);
        lf__field_json(out, name);
        if (input != NULL && lf__buf_add_text(out, ",\"input\":"))
            lf__field_json(out, input);
        lf__buf_add_text(out, i == 0 ? "}}," : "}}");
    }
    return !out->failed;
}

static inline bool event_head(lf__buf *out, const lf__config *for_config, size_t items_size)
{
    (void)for_config;
    (void)items_size;
    return lf__buf_add_text(out, "{\"batch\":[");
}

static inline bool event_tail(lf__buf *out)
{
    return lf__buf_add_text(out, "],\"metadata\":{\"sdk_name\":\"c\"}}");
}

const lf__wire lf__wire_ingestion = {
    .content_type = "application/json",
    .separator = ",",
    .noun = "record",
    .not_found = "check LANGFUSE_BASE_URL",
    .items_max = 500,
    .answer_max = 1 << 20,
    .takes_all = true,
    .judges_events = true,
    .item = event_item,
    .head = event_head,
    .tail = event_tail,
};

static inline cJSON *event_verdict(const cJSON *event)
{
    char detail[1024], text[4096];
    const cJSON *name = cJSON_GetObjectItem(cJSON_GetObjectItem(event, "body"), "name");
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(event, "type"));
    unsigned n = (unsigned)strtoul(strstr(cJSON_GetStringValue(name), "obs-") + 4, NULL, 10);
    int status = rig.verdict(n, type);
    cJSON *verdict = cJSON_CreateObject();
    cJSON_AddStringToObject(verdict, "id", cJSON_GetStringValue(cJSON_GetObjectItem(event, "id")));
    cJSON_AddNumberToObject(verdict, "status", status);
    if (status < 300 && type[0] != 't')
        take(n);
    if (status < 300)
        return verdict;
    cJSON_AddStringToObject(verdict, "message", rig.message == NULL ? "Invalid request data" : rig.message);
    if (rig.detail != NULL) {
        snprintf(detail, sizeof detail, "%s", rig.detail);
        char *number = strstr(detail, "%u");
        snprintf(text, sizeof text, "%.*s%c%s", number == NULL ? 0 : (int)(number - detail), detail,
                 number == NULL ? ' ' : (char)('a' + n), number == NULL ? detail : number + 2);
        for (size_t size = strlen(text); size < (size_t)rig.detail_size; size++)
            memcpy(text + size, ".", 2);
        cJSON_AddStringToObject(verdict, "error", text);
    }
    return verdict;
}

/* Under rig.lock. */
static inline fake_reply answer_each_event(const fake_request *request)
{
    cJSON *json = cJSON_ParseWithLength(request->body, request->body_size);
    cJSON *body = cJSON_CreateObject(), *successes = cJSON_AddArrayToObject(body, "successes"),
          *errors = cJSON_AddArrayToObject(body, "errors");
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(json, "batch")) {
        cJSON *verdict = event_verdict(event);
        bool taken = cJSON_GetObjectItem(verdict, "status")->valueint < 300;
        cJSON_AddItemToArray(taken ? successes : errors, verdict);
    }
    char *text = rig.made_count < BODIES_MAX ? cJSON_PrintUnformatted(body) : NULL;
    if (text != NULL)
        rig.made_bodies[rig.made_count++] = text;
    cJSON_Delete(json);
    cJSON_Delete(body);
    return (fake_reply){.status = text == NULL ? 500 : 207, .body = text};
}

static inline fake_reply answer(fake_server *server, const fake_request *request)
{
    int busy = fake_count(server, &server->busy);
    pthread_mutex_lock(&rig.lock);
    fake_reply reply = rig.script != NULL ? rig.script(request) : request->number < rig.first ? rig.first_reply : rig.reply;
    if (request->number >= 3 && busy > rig.most_busy_later)
        rig.most_busy_later = busy;
    if (rig.refuses != NULL && !rig.refuses(request))
        reply = (fake_reply){0};
    if (rig.verdict != NULL && request->number >= rig.first)
        reply = answer_each_event(request);
    else if (reply.manner == FAKE_ANSWER && (reply.status == 0 || (reply.status >= 200 && reply.status < 300)))
        (void)observations_in(request, take);
    pthread_mutex_unlock(&rig.lock);
    return reply;
}

static inline void rig_start(lf_options options)
{
    options.struct_size = sizeof options;
    options.log = fixture_log;
    if (options.log_level == LF_LOG_DEFAULT && options.debug == LF_DEFAULT)
        options.log_level = LF_LOG_INFO; /* what goes well is said, too */
    options.public_key = "pk-lf-public";
    if (options.secret_key_file == NULL)
        options.secret_key = "sk-lf-most-secret";
    if (options.base_url == NULL)
        options.base_url = rig.server->url;
    if (options.log_level == LF_LOG_DEFAULT && options.debug == LF_DEFAULT)
        options.log_level = LF_LOG_INFO;
    if (options.protocol == NULL)
        options.protocol = "http/json";
    if (options.timeout_ms == 0)
        options.timeout_ms = PATIENCE_MS;
    rig.config = lf__config_new(&options);
    assert_non_null(rig.config);
    assert_true(rig.config->enabled);
    rig.config->gzip = rig.config->gzip && RIG_MAY_COMPRESS;
    rig.x = lf__export_new(rig.config, rig.kind, &rig.transport, &rig.counters);
    if (rig.x != NULL)
        lf__export_tune(rig.x, (lf__export_times){2 * MS, 20 * MS, 3600000 * MS});
}

#define START(...) rig_start((lf_options){__VA_ARGS__})

static inline int set_up(void **state)
{
    (void)state;
    fixture_clean_environment();
    lines_forget();
    pthread_mutex_lock(&rig.lock);
    memset(rig.taken, 0, sizeof rig.taken);
    rig.reply = rig.first_reply = (fake_reply){0};
    rig.first = rig.most_busy_later = 0;
    rig.refuses = NULL;
    rig.script = NULL;
    rig.verdict = NULL;
    rig.message = rig.detail = NULL;
    rig.detail_size = rig.made_count = 0;
    pthread_mutex_unlock(&rig.lock);
    rig.server = fake_server_start(answer, NULL);
    rig.config = NULL;
    rig.x = NULL;
    rig.kind = LF__EXPORT_OBSERVATIONS;
    rig.added = 0;
    memset(&rig.counters, 0, sizeof rig.counters);
    return rig.server == NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    lf__export_free(rig.x);
    lf__transport_done(&rig.transport);
    lf__config_free(rig.config);
    fake_server_free(rig.server);
    for (int i = 0; i < rig.made_count; i++)
        free(rig.made_bodies[i]);
    return 0;
}

/* A fresh server and exporter, for tests that need one for each of their cases. */
static inline void start_over(void)
{
    tear_down(NULL);
    assert_int_equal(set_up(NULL), 0);
}

static inline uint64_t dropped(lf_drop_reason reason)
{
    return atomic_load(&rig.counters.dropped[reason]);
}

static inline uint64_t delivered(void)
{
    return atomic_load(&rig.counters.delivered);
}

static inline void assert_account(void)
{
    uint64_t total = delivered() + lf__export_held(rig.x);
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        total += dropped((lf_drop_reason)i);
    assert_int_equal(total, rig.added);
    assert_int_equal(lf__export_added(rig.x), rig.added);
    assert_true(lf__export_oldest(rig.x) <= rig.added);
    assert_true(lf__export_oldest(rig.x) + lf__export_held(rig.x) <= rig.added || lf__export_held(rig.x) > 0);
}

/* What the worker does: step, wait for the transfers or for the next try, at most timeout_ms, and step. */
static inline void work(int timeout_ms)
{
    lf__export_step(rig.x);
    if (!lf__export_busy(rig.x))
        return;
    uint64_t now = lf__monotonic_ns(), next = lf__export_next_ns(rig.x);
    uint64_t left_ms = next <= now ? 0 : (next - now) / MS + 1;
    if (left_ms < (uint64_t)timeout_ms)
        timeout_ms = (int)left_ms;
    lf__http *http = atomic_load(&rig.transport.http);
    if (http != NULL)
        lf__http_poll(http, timeout_ms);
    else
        pause_ms(timeout_ms);
    lf__export_step(rig.x);
}

static inline void add_record(const lf__record *record)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)PATIENCE_MS * MS;
    while (lf__export_add(rig.x, record, NULL, 0) == LF__ADD_FULL) {
        lf__export_send(rig.x);
        work(10);
        assert_true(lf__monotonic_ns() < until_ns);
    }
    rig.added++;
    assert_account();
}

static inline void add_many(unsigned count, size_t extra)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned n = (unsigned)rig.added;
        add_record(numbered_record(&rig.made, n / 10, n, extra));
    }
}

/* One batch of so many records. */
static inline void send_many(unsigned count)
{
    add_many(count, 0);
    lf__export_send(rig.x);
    assert_account();
}

static inline void settle(void)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)2 * PATIENCE_MS * MS;
    while (lf__export_busy(rig.x)) {
        assert_true(lf__monotonic_ns() < until_ns);
        work(100);
        assert_account();
    }
    assert_int_equal(lf__export_held(rig.x), 0);
    assert_int_equal(lf__export_oldest(rig.x), rig.added);
}

static inline void poll_until_requests(int count)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)PATIENCE_MS * MS;
    while (fake_count(rig.server, &rig.server->request_count) < count) {
        assert_true(lf__monotonic_ns() < until_ns);
        work(5);
        assert_account();
    }
}

/* ---- Batches of events ---- */

static inline int every_third_is_bad(unsigned n, const char *type)
{
    return n % 3 == 0 && type[0] != 't' ? 400 : 201;
}

static inline void add_roots(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned n = (unsigned)rig.added;
        numbered_record(&rig.made, n, n, 0);
        rig.made.as.record.flags |= LF__FLAG_APP_ROOT;
        add_record(&rig.made.as.record);
    }
}

static inline void start_scores(void)
{
    rig.kind = LF__EXPORT_SCORES;
    START(.timeout_ms = 0);
}

static inline void send_scores(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned n = (unsigned)rig.added;
        numbered_record(&rig.made, n, n, 0);
        rig.made.as.record.kind = LF__RECORD_SCORE;
        add_record(&rig.made.as.record);
    }
    lf__export_send(rig.x);
}

static inline int all_good(unsigned n, const char *type)
{
    (void)n;
    (void)type;
    return 201;
}

static inline int busy_for_some(unsigned n, const char *type)
{
    static const int statuses[] = {201, 408, 429, 500, 503, 400};
    if (type[0] == 't')
        return 201;
    return rig.tries[n % RECORDS_MAX]++ < 2 || n % 6 == 5 ? statuses[n % 6] : 201;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
