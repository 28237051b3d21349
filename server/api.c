#define _GNU_SOURCE
#include "api.h"

#include "clock.h"
#include "gunzip.h"
#include "ingestion.h"
#include "loss.h"
#include "member.h"
#include "parameter.h"
#include "span.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What gzip may unfold to: four times the compressed ceiling, and more than sixteen batches of the usual size limit. */
enum { API_MAX_PLAIN_BODY = 64 << 20 };

void api_message(http_answer *answer, unsigned status, text message, const char *error)
{
    answer->status = status;
    buf_char(&answer->body, '{');
    member_text(&answer->body, "message", message);
    if (error != NULL)
        member_text(&answer->body, "error", text_of(error));
    buf_char(&answer->body, '}');
}

void api_not_found(http_answer *answer, text message)
{
    api_message(answer, 404, message, "LangfuseNotFoundError");
}

bool api_invalid(http_answer *answer, text message)
{
    api_message(answer, 400, message, "InvalidRequestError");
    return false;
}

void api_wrong_method(http_answer *answer)
{
    api_message(answer, 405, TEXT("Method not allowed"), "MethodNotAllowedError");
}

void api_failed(http_answer *answer)
{
    answer->body.size = 0;
    api_message(answer, 500, TEXT("Internal Server Error"), "InternalServerError");
}

bool api_refused(http_answer *answer, issues *problems)
{
    bool any = problems->count > 0;
    if (any) {
        answer->status = 400;
        buf_string(&answer->body, "{\"message\":\"Invalid request data\",\"error\":");
        issues_put_array(problems, &answer->body);
        buf_char(&answer->body, '}');
    }
    issues_free(problems);
    return any;
}

bool api_accept_word(const http_request *request, arena *a, const char *name, const char *const *words, http_answer *answer)
{
    issues problems = {0};
    issues_check_option(&problems, parameter_json(request, a, name), name, words);
    return !api_refused(answer, &problems);
}

void api_plain(http_answer *answer, unsigned status, const char *message)
{
    answer->status = status;
    answer->content_type = NULL; /* as from a real server */
    buf_string(&answer->body, message);
}

/* ---- The version ---- */

enum { API_MAX_VERSION_PART = 9999 };

bool api_read_version(text given, api_version *out)
{
    api_version read = {0};
    text rest = given;
    size_t count = 0;
    for (; rest.at != NULL && count < 3; count++) {
        int64_t part;
        if (!text_to_int(text_take(&rest, "."), &part) || part < 0 || part > API_MAX_VERSION_PART)
            return false;
        read.parts[count] = (unsigned)part;
    }
    if (count == 0 || rest.at != NULL)
        return false;
    *out = read;
    return true;
}

bool api_at_least(const api *server, unsigned major, unsigned minor)
{
    const unsigned *parts = server->version.parts;
    return parts[0] > major || (parts[0] == major && parts[1] >= minor);
}

/* ---- Warnings ---- */

static void api_warn(const api *server, const char *what, const char *why)
{
    if (!server->quiet)
        fprintf(stderr, "langfuse-local: warning: %s: %s\n", what, why);
}

static void api_warn_of_repairs(const api *server)
{
    api_warn(server, "a request has text that is not UTF-8", "it was repaired with U+FFFD");
}

static bool api_has_word(const char *header, const char *word)
{
    return header != NULL && strcasestr(header, word) != NULL;
}

/* The type itself: a word in a parameter does not make JSON of a text, which a page of elsewhere may send. */
static bool api_is_json(const char *content_type)
{
    text type = text_of(content_type);
    text media = text_trim(text_take(&type, ";"));
    return (media.size == strlen("application/json") && strncasecmp(media.at, "application/json", media.size) == 0) ||
           (media.size == strlen("application/ld+json") && strncasecmp(media.at, "application/ld+json", media.size) == 0);
}

const json *api_body(const api *server, const http_request *request, arena *a)
{
    size_t repairs = 0;
    if (api_is_json(http_header(request, "Content-Type"))) {
        const json *parsed = json_parse(a, arena_utf8(a, request->body, &repairs));
        if (repairs > 0)
            api_warn_of_repairs(server);
        return parsed;
    }
    json *body = json_new(a, JSON_STRING);
    if (body != NULL)
        body->string = request->body;
    return body;
}

bool api_accept_filter(filter_status status, issues *problems, text why, http_answer *answer)
{
    switch (status) {
    case FILTER_OK: break;
    case FILTER_NO_JSON: api_invalid(answer, TEXT("Invalid JSON in filter parameter")); break;
    case FILTER_INVALID: api_refused(answer, problems); return false;
    case FILTER_REFUSED: api_invalid(answer, why); break;
    }
    issues_free(problems);
    return status == FILTER_OK;
}

bool api_read_filter(const api *server, const http_request *request, arena *a, filter *out, http_answer *answer)
{
    text given = text_of(http_query(request, "filter")), why = TEXT("");
    issues problems = {0};
    out->count = 0;
    return given.size == 0 ||
           api_accept_filter(filter_read(a, given, api_at_least(server, 4, 59), out, &problems, &why), &problems, why, answer);
}

bool api_is_bearer(const api *server, const http_request *request)
{
    return auth_check(&server->keys, http_header(request, "Authorization")) == AUTH_BEARER;
}

void api_warn_of_losses(const api *server, unsigned losses)
{
    static const char *const texts[LOSS_COUNT][2] = {
        {"usage has a value that is not a whole number of 0 or more", "it was dropped"},
        {"a cost is not a number (in a batch: one of 0 or more)", "it does not count"},
        {"metadata is not a JSON object", "it was dropped"},
        {"a completion start time is no time", "it was dropped"},
        {"the type of an observation is unknown (they are in lower case)", "it was dropped"},
        {"a batch has several scores of one id and one time", "the first one counts"},
        {"a correction is of a session or a dataset run", "it was dropped"},
        {"a score does not fit its config, which may be unknown or archived, or is an annotation without one", "it was dropped"},
    };
    for (size_t i = 0; i < LOSS_COUNT; i++) {
        char why[64];
        snprintf(why, sizeof why, "%s, as on a real server", texts[i][1]);
        if ((losses & 1u << i) != 0)
            api_warn(server, texts[i][0], why);
    }
}

/* ---- POST /api/public/otel/v1/traces ---- */

static void api_answer_error(http_answer *answer, text message)
{
    answer->status = 400;
    buf_char(&answer->body, '{');
    member_text(&answer->body, "error", message);
    buf_char(&answer->body, '}');
}

static void api_answer_too_big(http_answer *answer)
{
    api_plain(answer, 413, "Body exceeded 16mb limit");
}

/* A header in its two spellings. */
static const char *api_langfuse_header(const http_request *request, const char *name, const char *other_name)
{
    const char *given = http_header(request, name);
    return given != NULL ? given : http_header(request, other_name);
}

/* False, with an answer, when the version header asks for more than this server knows. */
static bool api_accept_version(const http_request *request, http_answer *answer)
{
    double version;
    const char *given = api_langfuse_header(request, "x-langfuse-ingestion-version", "x_langfuse_ingestion_version");
    if (given == NULL || (text_to_double(text_of(given), &version) && version <= 4))
        return true;
    char message[200];
    snprintf(message, sizeof message, "Unsupported x-langfuse-ingestion-version: \"%.100s\". Maximum supported: \"4\".", given);
    api_answer_error(answer, text_of(message));
    return false;
}

/* Official SDKs of today write values of metadata as JSON, and servers of today read them so. */
static bool api_encodes_metadata(const api *server, const http_request *request)
{
    text name = text_of(api_langfuse_header(request, "x-langfuse-sdk-name", "x_langfuse_sdk_name"));
    text version = text_of(api_langfuse_header(request, "x-langfuse-sdk-version", "x_langfuse_sdk_version"));
    int64_t major, least = text_is(name, "python") ? 5 : text_is(name, "javascript") ? 6 : INT64_MAX;
    return api_at_least(server, 4, 59) && text_to_int(text_take(&version, "."), &major) && major >= least;
}

/* Stores what was decoded, and words the answer. */
static void api_take_export(api *server, const http_request *request, const otlp_export *e, http_answer *answer)
{
    buf refusal = {0};
    if (e->empty) {
        buf_string(&answer->body, "{}");
        return;
    }
    if (otlp_refused(e, &refusal)) {
        api_answer_error(answer, buf_move(&refusal, e->arena));
        return;
    }
    if (!api_accept_version(request, answer))
        return;
    if (e->repairs > 0)
        api_warn_of_repairs(server);
    if (e->lost != NULL)
        api_warn(server, "an export was answered 200, but nothing of it is stored, as by a real server", e->lost);
    unsigned losses = 0;
    const observation *rows = e->lost != NULL ? NULL
                                              : span_map_all(e, clock_now_ns(), api_encodes_metadata(server, request), &losses);
    if (e->arena->failed) {
        api_answer_too_big(answer);
        return;
    }
    if (rows != NULL && !store_put_rows(server->store, rows, e->span_count)) {
        api_failed(answer);
        return;
    }
    api_warn_of_losses(server, losses);
    buf_format(&answer->body, "{\"id\":\"%llu\"}", (unsigned long long)++server->last_job);
}

static void api_decode_export(api *server, const http_request *request, text body, http_answer *answer)
{
    arena memory = {0};
    otlp_export e;
    bool is_json = api_has_word(http_header(request, "Content-Type"), "application/json");
    otlp_status status = is_json ? otlp_json_decode(&memory, body, &e) : otlp_pb_decode(&memory, body, &e);
    if (status == OTLP_OK)
        api_take_export(server, request, &e, answer);
    else if (status == OTLP_TOO_BIG)
        api_answer_too_big(answer);
    else
        api_answer_error(answer, is_json ? TEXT("Failed to parse OTel JSON Trace") : TEXT("Failed to parse OTel Protobuf Trace"));
    arena_free(&memory);
}

static void api_post_traces(api *server, const http_request *request, http_answer *answer)
{
    const char *type = http_header(request, "Content-Type");
    buf plain = {.ceiling = API_MAX_PLAIN_BODY};
    if (!api_has_word(type, "application/json") && !api_has_word(type, "application/x-protobuf")) {
        api_answer_error(answer, TEXT("Invalid content type"));
        return;
    }
    if (!api_has_word(http_header(request, "Content-Encoding"), "gzip")) {
        api_decode_export(server, request, request->body, answer);
        return;
    }
    gunzip_status status = gunzip(request->body, &plain);
    if (status == GUNZIP_OK)
        api_decode_export(server, request, buf_view(&plain), answer);
    else if (status == GUNZIP_TOO_BIG)
        api_answer_too_big(answer);
    else
        api_answer_error(answer, TEXT("Failed to decompress request body"));
    buf_free(&plain);
}

/* ---- Small routes ---- */

static const char api_ok[] = "{\"message\":\"OK\"}";
static const char api_projects[] = "{\"data\":[{\"id\":\"local\",\"name\":\"Local\",\"organization\":"
                                   "{\"id\":\"local\",\"name\":\"Local\"},\"metadata\":{}}]}";

static void api_get_health(api *server, const http_request *request, http_answer *answer)
{
    const unsigned *parts = server->version.parts;
    (void)request;
    buf_format(&answer->body, "{\"status\":\"OK\",\"version\":\"%u.%u.%u\"}", parts[0], parts[1], parts[2]);
}

static void api_get_count(api *server, const http_request *request, http_answer *answer)
{
    int64_t observations = 0, traces = 0;
    if (!store_count(server->store, text_of(http_query(request, "traceId")), &observations, &traces)) {
        api_failed(answer);
        return;
    }
    buf_format(&answer->body, "{\"observations\":%lld,\"traces\":%lld}", (long long)observations, (long long)traces);
}

static void api_answer_gone(http_answer *answer)
{
    static const char message[] = "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
                                  "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4";
    api_message(answer, 404, TEXT(message), NULL);
}

/* ---- Dispatch ---- */

#define API_PUBLIC "/api/public/"

/* Flags of a route. */
enum api_flag {
    API_OPEN = 1 << 0,    /* needs no keys */
    API_BEARER = 1 << 1,  /* the public key is enough */
    API_OLD = 1 << 2,     /* gone in version 4, unless it keeps the older tables */
    API_NAMED = 1 << 3,   /* an error of the keys has its name before the message */
    API_PROMPTS = 1 << 4, /* its name is behind the message, and a public key gets other words */
    API_GONE = 1 << 5,    /* a route of older servers, which is answered with 404 */
};

typedef struct api_route {
    const char *method, *path; /* an asterisk stands for each method, and at the end of a path for all paths that begin so */
    unsigned flags;
    api_handler *handler;
    size_t max_body; /* 0: HTTP_MAX_BODY */
    const char *too_big;
    const char *fixed; /* the answer of a route without handler */
} api_route;

#define API_BATCH_LIMIT .max_body = 4718592, .too_big = "Body exceeded 4.5mb limit"
#define API_ROUTE_LIMIT .max_body = 1048576, .too_big = "Body exceeded 1mb limit" /* what frameworks allow by default */

static const api_route api_routes[] = {
    {"POST", "/api/public/otel/v1/traces", .handler = api_post_traces},
    {"POST", "/api/public/otel/v1/metrics", .fixed = api_ok},
    {"POST", "/api/public/ingestion", API_BEARER | API_NAMED, .handler = ingestion_post, API_BATCH_LIMIT},
    {"*", "/api/public/health", API_OPEN, .handler = api_get_health},
    {"*", "/api/public/ready", API_OPEN, .handler = api_get_health},
    {"GET", "/api/public/projects", .fixed = api_projects},
    {"GET", "/api/public/v2/observations", .handler = api_list_observations},
    {"GET", "/api/local/count", .handler = api_get_count},
    {"POST", "/api/public/scores", API_BEARER, .handler = api_post_score, API_ROUTE_LIMIT},
    {"GET", "/api/public/v3/scores", .handler = api_list_scores_v3},
    {"POST", "/api/public/score-configs", .handler = api_post_score_config, API_ROUTE_LIMIT},
    {"GET", "/api/public/score-configs", .handler = api_list_score_configs},
    {"GET", "/api/public/score-configs/*", .handler = api_get_score_config},
    {"PATCH", "/api/public/score-configs/*", .handler = api_patch_score_config, API_ROUTE_LIMIT},
    {"DELETE", "/api/public/scores/*", .handler = api_delete_score},
    {"DELETE", "/api/public/traces/*", .handler = api_delete_trace},
    {"POST", "/api/public/v2/prompts", API_PROMPTS, .handler = api_post_prompt, API_ROUTE_LIMIT},
    {"GET", "/api/public/v2/prompts", API_PROMPTS, .handler = api_list_prompts},
    {"GET", "/api/public/v2/prompts/*", API_PROMPTS, .handler = api_get_prompt},
    {"DELETE", "/api/public/v2/prompts/*", API_PROMPTS, .handler = api_delete_prompt},
    {"PATCH", "/api/public/v2/prompts/*", .handler = api_patch_prompt, API_ROUTE_LIMIT},
    {"GET", "/api/public/prompts", API_PROMPTS, .handler = api_get_old_prompt},
    {"GET", "/api/public/traces", API_OLD, .handler = api_list_traces},
    {"GET", "/api/public/traces/*", API_OLD, .handler = api_get_trace},
    {"GET", "/api/public/observations", API_OLD, .handler = api_list_old_observations},
    {"GET", "/api/public/observations/*", API_OLD, .handler = api_get_old_observation},
    {"GET", "/api/public/sessions", API_OLD, .handler = api_list_sessions},
    {"GET", "/api/public/sessions/*", API_OLD, .handler = api_get_session},
    {"GET", "/api/public/scores", API_OLD, .handler = api_list_scores_v2},
    {"GET", "/api/public/scores/*", API_OLD, .handler = api_get_score_v2},
    {"GET", "/api/public/v2/scores", API_OLD, .handler = api_list_scores_v2},
    {"GET", "/api/public/v2/scores/*", API_OLD, .handler = api_get_score_v2},
    {"GET", "/api/public/dataset-run-items", .flags = API_GONE},
    {"GET", "/api/public/metrics", .flags = API_GONE},
    {"GET", "/api/public/metrics/daily", .flags = API_GONE},
    {"POST", "/api/public/traces", .flags = API_GONE},
    {"POST", "/api/public/spans", .flags = API_GONE},
    {"POST", "/api/public/generations", .flags = API_GONE},
    {"POST", "/api/public/events", .flags = API_GONE},
};

static bool api_path_matches(const char *pattern, const char *path)
{
    size_t size = strlen(pattern);
    if (pattern[size - 1] == '*')
        return strncmp(pattern, path, size - 1) == 0 && path[size - 1] != '\0';
    return strcmp(pattern, path) == 0;
}

/* A browser that asks what a page may do. */
static bool api_asks(const http_request *request)
{
    return strcmp(request->method, "OPTIONS") == 0 && strncmp(request->path, API_PUBLIC, strlen(API_PUBLIC)) == 0;
}

/* NULL with *out_known when only the method is wrong. */
static const api_route *api_find_route(const http_request *request, bool *out_known)
{
    *out_known = false;
    for (size_t i = 0; i < sizeof api_routes / sizeof *api_routes; i++) {
        if (!api_path_matches(api_routes[i].path, request->path))
            continue;
        *out_known = true;
        if (strcmp(api_routes[i].method, request->method) == 0 || (strcmp(api_routes[i].method, "*") == 0 && !api_asks(request)))
            return &api_routes[i];
    }
    return NULL;
}

/* The ingestion route writes the name of an error first, prompts write it last, the others only the message. */
static void api_refuse_keys(http_answer *answer, unsigned flags, text message)
{
    if ((flags & API_PROMPTS) != 0) {
        api_message(answer, 401, message, "UnauthorizedError");
        return;
    }
    answer->status = 401;
    buf_string(&answer->body, (flags & API_NAMED) != 0 ? "{\"error\":\"UnauthorizedError\"" : "{");
    member_text(&answer->body, "message", message);
    buf_char(&answer->body, '}');
}

static void api_refuse_public_key(http_answer *answer, unsigned flags, const http_request *request)
{
    char message[100];
    snprintf(message, sizeof message, "Access denied - need to use basic auth with secret key to %s prompts", request->method);
    if ((flags & API_PROMPTS) != 0)
        api_message(answer, 403, text_of(message), "ForbiddenError");
    else if (strcmp(request->path, "/api/public/projects") == 0)
        api_message(answer, 403, TEXT("Invalid API key. Are you using an organization key?"), NULL);
    else
        api_message(answer, 403, TEXT("Access denied - insufficient permissions for this endpoint"), NULL);
}

static bool api_authorized(const api *server, const http_request *request, unsigned flags, http_answer *answer)
{
    switch (auth_check(&server->keys, http_header(request, "Authorization"))) {
    case AUTH_OK: return true;
    case AUTH_ABSENT: api_refuse_keys(answer, flags, TEXT("No authorization header")); break;
    case AUTH_MALFORMED: api_refuse_keys(answer, flags, TEXT("Invalid authorization header")); break;
    case AUTH_WRONG:
        api_refuse_keys(answer, flags, TEXT("Invalid credentials. Confirm that you've configured the correct host."));
        break;
    case AUTH_BEARER_WRONG:
        api_refuse_keys(answer, flags, TEXT("Invalid public key. Confirm that you've configured the correct host."));
        break;
    case AUTH_BEARER:
        if ((flags & API_BEARER) != 0)
            return true;
        api_refuse_public_key(answer, flags, request);
        break;
    }
    return false;
}

static bool api_is_too_big(const api_route *r, const http_request *request)
{
    return request->too_big || (r->max_body > 0 && request->body.size > r->max_body);
}

/* The client is told no reason. */
static void api_warn_of_failure(const api *server, const api_route *r)
{
    char what[100], why[160];
    snprintf(what, sizeof what, "%s %s was answered 500", r->method, r->path);
    store_problem(server->store, why, sizeof why);
    api_warn(server, what, why);
}

/* ---- Before the body ---- */

static void api_answer_browser(const api *server, const http_request *request, http_answer *answer)
{
    const char *origin = http_header(request, "Origin"), *wanted = http_header(request, "Access-Control-Request-Headers");
    if (!cors_allows(&server->cors, &server->keys, text_of(request->path), text_of(origin)))
        return;
    http_add_field(answer, "Access-Control-Allow-Origin", origin);
    http_add_field(answer, "Vary", "Origin");
    if (!api_asks(request))
        return;
    http_add_field(answer, "Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE");
    if (wanted != NULL)
        http_add_field(answer, "Access-Control-Allow-Headers", wanted);
}

/* Paths have no slash at their end. */
static bool api_redirect(const http_request *request, http_answer *answer)
{
    text path = text_of(request->raw_path);
    if (!text_starts(path, API_PUBLIC) || path.at[path.size - 1] != '/')
        return false;
    while (path.at[path.size - 1] == '/')
        path.size--;
    answer->status = 308;
    answer->content_type = NULL;
    buf_text(&answer->body, path);
    buf_format(&answer->body, "%s%s", request->raw_query != NULL ? "?" : "", request->raw_query != NULL ? request->raw_query : "");
    buf_char(&answer->body, '\0');
    if (answer->body.failed)
        return true;
    answer->body.size--; /* the end of the text is none of the body */
    http_add_field(answer, "Location", answer->body.at);
    return true;
}

/* What can be told before the body is there. */
bool api_gate(void *context, const http_request *request, http_answer *answer)
{
    const api *server = context;
    bool known;
    const api_route *found = api_find_route(request, &known);
    api_answer_browser(server, request, answer);
    if (api_redirect(request, answer))
        return false;
    if (found == NULL && known && api_asks(request)) {
        answer->status = 204;
        answer->content_type = NULL;
    } else if (found == NULL && known)
        api_wrong_method(answer);
    else if (found == NULL)
        api_not_found(answer, TEXT("Not found"));
    else
        return (found->flags & API_OPEN) != 0 || api_authorized(server, request, found->flags, answer);
    return false;
}

void api_handle(void *context, const http_request *request, http_answer *answer)
{
    api *server = context;
    bool known;
    const api_route *found = api_find_route(request, &known);
    if (found == NULL)
        return; /* the gate has answered */
    if (api_is_too_big(found, request))
        api_plain(answer, 413, found->too_big != NULL ? found->too_big : "Body exceeded 16mb limit");
    else if ((found->flags & API_GONE) != 0 || ((found->flags & API_OLD) != 0 && server->events_only))
        api_answer_gone(answer);
    else if (found->fixed != NULL)
        buf_string(&answer->body, found->fixed);
    else
        found->handler(server, request, answer);
    if (answer->status >= 500 || answer->body.failed)
        api_warn_of_failure(server, found);
}
