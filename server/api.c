/* The public API; see api.h. Reading observations has a file of its own, read.c. */
#define _GNU_SOURCE /* strcasestr */
#include "api.h"
#include "clock.h"
#include "gunzip.h"
#include "json.h"
#include "read.h"

#include <stdio.h>
#include <string.h>

/* What gzip may unfold to: four times the compressed ceiling, and more than sixteen batches of the usual size limit. */
#define MAX_PLAIN_BODY ((size_t)64 << 20)

typedef void route_handler(api *a, const http_request *request, http_answer *answer);

void api_error(http_answer *answer, unsigned status, const char *message)
{
    answer->status = status;
    buf_string(&answer->body, "{\"error\":");
    json_put_string(&answer->body, text_of(message));
    buf_char(&answer->body, '}');
}

void api_message(http_answer *answer, unsigned status, const char *message, const char *error)
{
    answer->status = status;
    buf_string(&answer->body, "{\"message\":");
    json_put_string(&answer->body, text_of(message));
    if (error) {
        buf_string(&answer->body, ",\"error\":");
        json_put_string(&answer->body, text_of(error));
    }
    buf_char(&answer->body, '}');
}

/* --- POST /api/public/otel/v1/traces --- */

static bool has_word(const char *header, const char *word)
{
    return header && strcasestr(header, word) != NULL;
}

static void answer_too_big(http_answer *answer)
{
    answer->status = 413;
    answer->content_type = "text/plain";
    buf_string(&answer->body, "Body exceeded 16mb limit");
}

/* A warning for the developer; the client is told nothing, exactly as by a real server. */
static void warn(const api *a, const char *what, const char *why)
{
    if (!a->quiet)
        fprintf(stderr, "langfuse-local: warning: %s: %s\n", what, why);
}

/* False, with an answer, when the version header asks for more than this server knows. */
static bool accept_version(const http_request *request, http_answer *answer)
{
    double version;
    const char *given = http_header(request, "x-langfuse-ingestion-version");
    if (!given)
        given = http_header(request, "x_langfuse_ingestion_version");
    if (!given || (text_to_double(text_of(given), &version) && version <= 4))
        return true;
    buf message = { 0 };
    buf_format(&message, "Unsupported x-langfuse-ingestion-version: \"%.100s\". Maximum supported: \"4\".", given);
    buf_char(&message, 0);
    api_error(answer, 400, message.failed ? "Unsupported x-langfuse-ingestion-version" : message.at);
    buf_free(&message);
    return false;
}

/* Stores what was decoded, and words the answer. */
static void take_export(api *a, const http_request *request, const otlp_export *e, http_answer *answer)
{
    buf refusal = { 0 };
    if (e->empty) {
        buf_string(&answer->body, "{}");
        return;
    }
    if (!accept_version(request, answer))
        return;
    if (otlp_refused(e, &refusal)) {
        buf_char(&refusal, 0);
        api_error(answer, 400, refusal.failed ? "Invalid OTLP trace export" : refusal.at);
        buf_free(&refusal);
        return;
    }
    if (e->repairs)
        warn(a, "an export has text that is not UTF-8", "it was repaired with U+FFFD");
    if (e->lost)
        warn(a, "an export was answered 200, but nothing of it is stored, as by a real server", e->lost);
    const observation *rows = e->lost ? NULL : observation_from_export(e, clock_now_ns());
    if (e->arena->failed) {
        answer_too_big(answer);
        return;
    }
    if (rows && !store_put(a->store, rows, e->span_count)) {
        warn(a, "an export was answered 500", "the database refused it");
        api_message(answer, 500, "Internal Server Error", "InternalServerError");
        return;
    }
    buf_format(&answer->body, "{\"id\":\"%llu\"}", (unsigned long long)++a->last_job);
}

static void decode_export(api *a, const http_request *request, text body, http_answer *answer)
{
    arena memory = { 0 };
    otlp_export e;
    bool is_json = has_word(http_header(request, "Content-Type"), "application/json");
    otlp_status status = is_json ? otlp_json_decode(&memory, body, &e) : otlp_pb_decode(&memory, body, &e);
    if (status == OTLP_OK)
        take_export(a, request, &e, answer);
    else if (status == OTLP_TOO_BIG)
        answer_too_big(answer);
    else
        api_error(answer, 400, is_json ? "Failed to parse OTel JSON Trace" : "Failed to parse OTel Protobuf Trace");
    arena_free(&memory);
}

static void post_traces(api *a, const http_request *request, http_answer *answer)
{
    const char *type = http_header(request, "Content-Type");
    buf plain = { .ceiling = MAX_PLAIN_BODY };
    if (!has_word(type, "application/json") && !has_word(type, "application/x-protobuf")) {
        api_error(answer, 400, "Invalid content type");
        return;
    }
    if (!has_word(http_header(request, "Content-Encoding"), "gzip")) {
        decode_export(a, request, request->body, answer);
        return;
    }
    gunzip_status status = gunzip(request->body, &plain);
    if (status == GUNZIP_OK)
        decode_export(a, request, buf_view(&plain), answer);
    else if (status == GUNZIP_TOO_BIG)
        answer_too_big(answer);
    else
        api_error(answer, 400, "Failed to decompress request body");
    buf_free(&plain);
}

/* --- small routes --- */

static void post_metrics(api *a, const http_request *request, http_answer *answer)
{
    (void)a;
    (void)request;
    api_message(answer, 200, "OK", NULL);
}

static void get_health(api *a, const http_request *request, http_answer *answer)
{
    (void)a;
    (void)request;
    buf_string(&answer->body, "{\"status\":\"OK\",\"version\":\"" API_LANGFUSE_VERSION "\"}");
}

static void get_projects(api *a, const http_request *request, http_answer *answer)
{
    (void)a;
    (void)request;
    buf_string(&answer->body, "{\"data\":[{\"id\":\"local\",\"name\":\"Local\",\"organization\":{\"id\":\"local\",\"name\":\"Local\"},"
                              "\"metadata\":{}}]}");
}

static void get_count(api *a, const http_request *request, http_answer *answer)
{
    int64_t observations = 0, traces = 0;
    if (!store_count(a->store, text_of(http_query(request, "traceId")), &observations, &traces)) {
        api_message(answer, 500, "Internal Server Error", "InternalServerError");
        return;
    }
    buf_format(&answer->body, "{\"observations\":%lld,\"traces\":%lld}", (long long)observations, (long long)traces);
}

static void gone(api *a, const http_request *request, http_answer *answer)
{
    (void)a;
    (void)request;
    api_message(answer, 404,
                "This endpoint is not available on deployments running in Langfuse v4 events_only mode. Learn more about Langfuse v4 at: "
                "https://langfuse.com/docs/v4",
                NULL);
}

/* --- dispatch --- */

typedef struct route {
    const char *method, *path; /* a path that ends in an asterisk stands for all that begin so */
    bool open;                 /* needs no keys */
    route_handler *handler;
} route;

static const route routes[] = {
    { "POST", "/api/public/otel/v1/traces", false, post_traces },
    { "POST", "/api/public/otel/v1/metrics", false, post_metrics },
    { "GET", "/api/public/health", true, get_health },
    { "GET", "/api/public/ready", true, get_health },
    { "GET", "/api/public/projects", false, get_projects },
    { "GET", "/api/public/v2/observations", false, read_observations },
    { "GET", "/api/local/count", false, get_count },
    /* Routes of older servers, which answer 404 in a way of their own. */
    { "GET", "/api/public/traces", false, gone },
    { "GET", "/api/public/traces/*", false, gone },
    { "GET", "/api/public/observations", false, gone },
    { "GET", "/api/public/observations/*", false, gone },
    { "GET", "/api/public/sessions", false, gone },
    { "GET", "/api/public/sessions/*", false, gone },
    { "GET", "/api/public/scores", false, gone },
    { "GET", "/api/public/scores/*", false, gone },
    { "GET", "/api/public/v2/scores", false, gone },
    { "GET", "/api/public/v2/scores/*", false, gone },
    { "GET", "/api/public/dataset-run-items", false, gone },
    { "GET", "/api/public/metrics", false, gone },
    { "GET", "/api/public/metrics/daily", false, gone },
    { "POST", "/api/public/traces", false, gone },
    { "POST", "/api/public/spans", false, gone },
    { "POST", "/api/public/generations", false, gone },
    { "POST", "/api/public/events", false, gone },
};

static bool path_matches(const char *pattern, const char *path)
{
    size_t len = strlen(pattern);
    if (pattern[len - 1] == '*')
        return strncmp(pattern, path, len - 1) == 0 && path[len - 1];
    return strcmp(pattern, path) == 0;
}

/* NULL with *out_known when only the method is wrong. */
static const route *find_route(const http_request *request, bool *out_known)
{
    *out_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_matches(routes[i].path, request->path))
            continue;
        *out_known = true;
        if (strcmp(routes[i].method, request->method) == 0)
            return &routes[i];
    }
    return NULL;
}

static bool authorized(const api *a, const http_request *request, http_answer *answer)
{
    bool projects = strcmp(request->path, "/api/public/projects") == 0;
    switch (auth_check(&a->keys, http_header(request, "Authorization"))) {
    case AUTH_OK: return true;
    case AUTH_ABSENT: api_message(answer, 401, "No authorization header", NULL); break;
    case AUTH_MALFORMED: api_message(answer, 401, "Invalid authorization header", NULL); break;
    case AUTH_WRONG: api_message(answer, 401, "Invalid credentials. Confirm that you've configured the correct host.", NULL); break;
    case AUTH_BEARER_WRONG: api_message(answer, 401, "Invalid public key. Confirm that you've configured the correct host.", NULL); break;
    case AUTH_BEARER:
        api_message(answer, 403,
                    projects ? "Invalid API key. Are you using an organization key?"
                             : "Access denied - insufficient permissions for this endpoint",
                    NULL);
        break;
    }
    return false;
}

void api_handle(void *context, const http_request *request, http_answer *answer)
{
    api *a = context;
    bool known;
    const route *found = find_route(request, &known);
    if (!found && known)
        api_message(answer, 405, "Method not allowed", "MethodNotAllowedError");
    else if (!found)
        api_message(answer, 404, "Not found", "LangfuseNotFoundError");
    else if (!found->open && !authorized(a, request, answer))
        return;
    else if (request->too_big)
        answer_too_big(answer);
    else
        found->handler(a, request, answer);
}
