#define _GNU_SOURCE
#include "rest.h"

#include "../base/answer.h"
#include "../base/guest.h"
#include "../base/monitor.h"
#include "../base/secret.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REST_TIMEOUT_MS = 5000, REST_SERVER_TEXT = 120, REST_TOGETHER = 64, REST_EXIT_MS = 500 };

/* ---- Words ---- */

lf_status lf__rest_fail(lf_error *error, lf_status status, int http_status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    error->http_status = http_status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    for (char *c = error->message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return status;
}

/* ---- The call ---- */

/* An answer, without its transfer. */
typedef struct rest_result {
    bool done;
    bool no_memory;
    bool cut;
    int status;
    lf__http_failure failure;
    char *body;
    size_t size;
    char text[REST_SERVER_TEXT + 1];
} rest_result;

static void rest_done(lf__http_request *request, const lf__http_answer *answer)
{
    rest_result *result = request->owner;
    result->done = true;
    result->status = answer->status;
    result->failure = answer->failure;
    result->cut = answer->cut;
    if (answer->status < 200 || answer->status > 299) {
        if (answer->status == 0)
            snprintf(result->text, sizeof result->text, "%s", answer->message);
        else
            lf__answer_text(result->text, sizeof result->text, answer->body, answer->body_size);
        lf__secret_hide(result->text, request->config);
        return;
    }
    result->body = answer->no_memory ? NULL : lf__alloc(answer->body_size + 1);
    result->no_memory = result->body == NULL;
    result->size = answer->body_size;
    if (result->body != NULL)
        memcpy(result->body, answer->body, answer->body_size);
}

/* The threads inside of libcurl. At exit they leave it before its TLS library is torn down. */
static struct {
    lf__monitor monitor; /* is told when a thread leaves */
    bool stopped;
    unsigned running;
    lf__http *https[REST_TOGETHER]; /* as many as fit are woken at exit; others see `stopped` at the end of their wait */
} rest_askers = {.monitor = LF__MONITOR_INIT};

/* False: the process ends, and libcurl must be left alone. */
static bool rest_enter_library(void)
{
    if (!lf__http_set_up())
        return false;
    lf__monitor_lock(&rest_askers.monitor);
    bool ok = !rest_askers.stopped;
    rest_askers.running += ok;
    lf__monitor_unlock(&rest_askers.monitor);
    return ok;
}

/* Put a transfer into a place that holds another one, or none. */
static void rest_exchange(const lf__http *before, lf__http *after)
{
    int i = 0;
    lf__monitor_lock(&rest_askers.monitor);
    while (i < REST_TOGETHER && rest_askers.https[i] != before)
        i++;
    if (i < REST_TOGETHER)
        rest_askers.https[i] = after;
    lf__monitor_unlock(&rest_askers.monitor);
}

static void rest_leave_library(void)
{
    lf__monitor_lock(&rest_askers.monitor);
    rest_askers.running--;
    lf__monitor_tell(&rest_askers.monitor);
    lf__monitor_unlock(&rest_askers.monitor);
}

static bool rest_is_stopped(void)
{
    lf__monitor_lock(&rest_askers.monitor);
    bool stopped = rest_askers.stopped;
    lf__monitor_unlock(&rest_askers.monitor);
    return stopped;
}

void lf__rest_stop(void)
{
    uint64_t until_ns = lf__monotonic_ns() + REST_EXIT_MS * 1000000u;
    lf__monitor_lock(&rest_askers.monitor);
    rest_askers.stopped = true;
    for (int i = 0; i < REST_TOGETHER; i++)
        if (rest_askers.https[i] != NULL)
            lf__http_wakeup(rest_askers.https[i]);
    lf__monitor_tell(&rest_askers.monitor);
    while (rest_askers.running != 0 && lf__monitor_wait(&rest_askers.monitor, until_ns))
        continue;
    lf__monitor_unlock(&rest_askers.monitor);
}

void lf__rest_before_fork(void)
{
    lf__monitor_lock(&rest_askers.monitor);
}

void lf__rest_after_fork_parent(void)
{
    lf__monitor_unlock(&rest_askers.monitor);
}

void lf__rest_after_fork_child(void)
{
    lf__monitor_after_fork_child(&rest_askers.monitor);
    rest_askers.running = 0; /* what ran is the parent's */
    memset(rest_askers.https, 0, sizeof rest_askers.https);
}

static bool rest_must_wait(lf__http *http, const lf__http_request *request, size_t have)
{
    bool has_more = request->stream != NULL && request->stream->length > have;
    return lf__http_running(http) != 0 && !has_more && !rest_is_stopped();
}

/* Until the transfer is over, or has brought bytes. Signals are let in only while this waits. */
static void rest_run(lf__guest *guest, lf__http *http, const lf__http_request *request, uint64_t until_ns)
{
    size_t have = request->stream == NULL ? 0 : request->stream->length;
    rest_exchange(NULL, http);
    for (lf__http_poll(http, 0); rest_must_wait(http, request, have); lf__http_poll(http, 0)) {
        uint64_t now = lf__monotonic_ns();
        /* libcurl ends the transfer on time by itself; this is for the case that it does not. */
        if (now > until_ns + 1000000000u)
            break;
        lf__guest_restore_signals(guest);
        lf__http_wait(http, now < until_ns ? (int)((until_ns - now) / 1000000u) + 1 : 10);
        lf__guest_block_signals(guest);
    }
    rest_exchange(http, NULL);
}

static uint64_t rest_until_ns(const lf__http_request *request)
{
    return lf__monotonic_ns() + (uint64_t)request->timeout_ms * 1000000u;
}

static void rest_ask_inside(lf__guest *guest, lf__http_request *request, rest_result *result)
{
    lf__http *http = lf__http_new();
    if (http == NULL || !lf__http_start(http, request)) {
        result->no_memory = true;
        lf__http_free(http);
        return;
    }
    rest_run(guest, http, request, rest_until_ns(request));
    if (!result->done) {
        lf__http_abandon(http);
        result->failure = LF__HTTP_TOO_LATE;
    }
    lf__http_free(http);
}

static void rest_ask(lf__guest *guest, lf__http_request *request, rest_result *result)
{
    if (!rest_enter_library()) {
        result->failure = LF__HTTP_BROKEN;
        return;
    }
    rest_ask_inside(guest, request, result);
    rest_leave_library();
}

static bool rest_has_authorization(const lf__config *config)
{
    for (size_t i = 0; i < config->header_count; i++)
        if (strcasecmp(config->headers[i].key, "Authorization") == 0)
            return true;
    return config->authorization != NULL;
}

/* The URL of a path below the server's. NULL: no memory. */
static char *rest_url(const lf__config *config, const char *path)
{
    path += strspn(path, "/");
    size_t size = strlen(config->origin) + 1 + strlen(path) + 1;
    char *url = lf__alloc(size);
    if (url != NULL)
        snprintf(url, size, "%s/%s", config->origin, path);
    return url;
}

static lf_status rest_no_answer(const lf__config *config, const rest_result *result, int timeout_ms, lf_error *error)
{
    const char *host = config->base_url, *text = result->text;
    switch (result->failure) {
    case LF__HTTP_NO_SUCH_HOST:
        return lf__rest_fail(error, LF_ERR_NETWORK, 0, "no such host: %.100s (%s); check LANGFUSE_BASE_URL", host, text);
    case LF__HTTP_NO_CONNECTION: return lf__rest_fail(error, LF_ERR_NETWORK, 0, "cannot connect to %.100s: %s", host, text);
    case LF__HTTP_NO_TLS: return lf__rest_fail(error, LF_ERR_NETWORK, 0, "no secure connection to %.100s: %s", host, text);
    case LF__HTTP_TOO_LATE: return lf__rest_fail(error, LF_ERR_TIMEOUT, 0, "no answer of %.100s within %d ms", host, timeout_ms);
    default: return lf__rest_fail(error, LF_ERR_NETWORK, 0, "%.100s was reached, but gave no answer: %s", host, text);
    }
}

static lf_status rest_bad_answer(const lf__config *config, const rest_result *result, lf_error *error)
{
    int status = result->status;
    const char *host = config->base_url, *text = result->text;
    if (status == 401 || status == 403)
        return lf__rest_fail(error, LF_ERR_UNAUTHORIZED, status, "%.100s refused the keys: HTTP %d \"%s\"", host, status, text);
    if (status >= 300 && status < 400)
        return lf__rest_fail(error, LF_ERR_SERVER, status,
                             "%.100s redirects (HTTP %d), which is not followed; set LANGFUSE_BASE_URL to where it leads", host,
                             status);
    if (status >= 400 && status < 500)
        return lf__rest_fail(error, LF_ERR_REFUSED, status, "%.100s refused: HTTP %d \"%s\"", host, status, text);
    return lf__rest_fail(error, LF_ERR_SERVER, status, "%.100s failed: HTTP %d \"%s\"", host, status, text);
}

static lf_status rest_conclude(const lf__config *config, rest_result *result, int timeout_ms, lf_error *error)
{
    if (result->no_memory)
        return lf__rest_fail(error, LF_ERR_MEMORY, result->status, "out of memory");
    if (result->status == 0)
        return rest_no_answer(config, result, timeout_ms, error);
    if (result->status < 200 || result->status > 299)
        return rest_bad_answer(config, result, error);
    if (!result->cut)
        return LF_OK;
    lf__free(result->body);
    result->body = NULL;
    return lf__rest_fail(error, LF_ERR_SERVER, result->status, "the answer of %.100s is larger than %d MiB", config->base_url,
                         LF__REST_ANSWER_MAX >> 20);
}

static lf_status rest_call(lf__guest *guest, const lf__config *config, const lf__rest_request *request, lf__rest_answer *answer,
                           lf_error *error)
{
    int timeout_ms = request->timeout_ms < 0 ? REST_TIMEOUT_MS : request->timeout_ms == 0 ? 1 : request->timeout_ms;
    char *url = rest_url(config, request->path);
    if (url == NULL)
        return lf__rest_fail(error, LF_ERR_MEMORY, 0, "out of memory");
    rest_result result = {0};
    size_t body_size = request->body == NULL ? 0 : request->body_size != 0 ? request->body_size : strlen(request->body);
    lf__http_request http = {
        .config = config,
        .method = request->method,
        .url = url,
        .content_type = request->body == NULL ? NULL : "application/json",
        .body = {{request->body, body_size}},
        .timeout_ms = timeout_ms,
        .answer_max = LF__REST_ANSWER_MAX,
        .done = rest_done,
        .owner = &result,
    };
    uint64_t begin_ns = lf__monotonic_ns();
    rest_ask(guest, &http, &result);
    if (result.status == 401 && lf__config_reread_secret(config, http.authorization)) {
        int left_ms = timeout_ms - (int)((lf__monotonic_ns() - begin_ns) / 1000000u);
        http.timeout_ms = left_ms > 0 ? left_ms : 1;
        result = (rest_result){0};
        rest_ask(guest, &http, &result);
    }
    lf__free(url);
    lf_status status = rest_conclude(config, &result, timeout_ms, error);
    if (status == LF_OK)
        *answer = (lf__rest_answer){result.status, result.body, result.size};
    return status;
}

lf_status lf__rest_call(const lf__config *config, const lf__rest_request *request, lf__rest_answer *answer, lf_error *error)
{
    if (config == NULL || config->base_url == NULL || !rest_has_authorization(config))
        return lf__rest_fail(error, LF_ERR_DISABLED, 0, "no keys: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set");
    LF__AS_GUEST(guest);
    lf__guest_block_signals(&guest);
    lf_status status = rest_call(&guest, config, request, answer, error);
    lf__guest_restore_signals(&guest);
    return status;
}

/* ---- Streams ---- */

static void rest_stream_done(lf__http_request *request, const lf__http_answer *answer)
{
    lf__rest_stream *stream = request->owner;
    const char *text = answer->status == 0 ? answer->message : answer->body;
    size_t size = answer->status == 0 ? strlen(text) : answer->body_size;
    stream->is_over = true;
    stream->status = answer->status;
    stream->failure = answer->failure;
    stream->retry_after_ms = answer->retry_after_ms;
    stream->text_size = size < sizeof stream->text ? size : sizeof stream->text - 1;
    memcpy(stream->text, text, stream->text_size);
    stream->text[stream->text_size] = '\0';
}

bool lf__rest_stream_begin(lf__rest_stream *stream, lf__http_request *request)
{
    *stream = (lf__rest_stream){.request = request, .retry_after_ms = -1, .until_ns = rest_until_ns(request)};
    request->done = rest_stream_done;
    request->owner = stream;
    LF__AS_GUEST(guest);
    if (!rest_enter_library())
        return false;
    stream->http = lf__http_new();
    bool ok = stream->http != NULL && lf__http_start(stream->http, request);
    if (!ok)
        lf__http_free(stream->http);
    rest_leave_library();
    return ok;
}

static void rest_stream_go_on(lf__guest *guest, lf__rest_stream *stream)
{
    rest_run(guest, stream->http, stream->request, stream->until_ns);
    bool is_late = lf__monotonic_ns() > stream->until_ns;
    if (stream->is_over || (!is_late && !rest_is_stopped()))
        return;
    lf__http_free(stream->http); /* now: at exit there is no later */
    stream->http = NULL;
    stream->failure = is_late ? LF__HTTP_TOO_LATE : LF__HTTP_BROKEN;
}

bool lf__rest_stream_go_on(lf__rest_stream *stream)
{
    if (stream->is_over)
        return false;
    LF__AS_GUEST(guest);
    if (!rest_enter_library()) {
        stream->is_over = true;
        stream->failure = LF__HTTP_BROKEN;
        return false;
    }
    lf__guest_block_signals(&guest);
    rest_stream_go_on(&guest, stream);
    lf__guest_restore_signals(&guest);
    rest_leave_library();
    return !stream->is_over;
}

/* At exit libcurl is left alone: what a transfer between two waits holds goes with the process. */
void lf__rest_stream_end(lf__rest_stream *stream)
{
    if (stream->http == NULL || !rest_enter_library())
        return;
    LF__AS_GUEST(guest);
    lf__guest_block_signals(&guest); /* closing a connection may raise SIGPIPE */
    lf__http_free(stream->http);
    lf__guest_restore_signals(&guest);
    rest_leave_library();
}

bool lf__rest_pause(uint64_t until_ns)
{
    lf__monitor_lock(&rest_askers.monitor);
    while (!rest_askers.stopped && lf__monitor_wait(&rest_askers.monitor, until_ns))
        continue;
    bool goes_on = !rest_askers.stopped;
    lf__monitor_unlock(&rest_askers.monitor);
    return goes_on;
}
