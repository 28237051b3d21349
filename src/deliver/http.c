#include "http.h"

#include "../base/monitor.h"
#include "../base/secret.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HTTP_POOL = 4, /* easy handles kept for reuse */
    HTTP_CONNECT_TIMEOUT_MS = 5000,
    HTTP_READ_MAX = 1 << 20,         /* an answer longer than this, and than what is to be kept, is not read to its end */
    HTTP_RETRY_AFTER_MAX_S = 600,
    HTTP_UNLOAD_MS = 2000 /* the longest wait for a set-up of libcurl when the process ends */
};

typedef struct http_transfer {
    struct http_transfer *next;
    CURL *easy;
    struct curl_slist *headers;
    lf__http_request *request;
    size_t part;   /* position in the body: part and offset */
    size_t offset;
    char *large;   /* takes the place of `small` when that is full and more is to be kept */
    size_t capacity;
    size_t body_size;
    size_t received;
    bool no_memory;
    bool has_head; /* the empty line behind the headers has come */
    char small[LF__HTTP_ANSWER_MAX + 1];
    char error[CURL_ERROR_SIZE];
} http_transfer;

struct lf__http {
    CURLM *multi;
    http_transfer *running;
    http_transfer *pool;
    int running_count;
    int pool_count;
};

__thread unsigned lf__http_depth __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Up to the end of the block. */
#define HTTP_INSIDE unsigned http_inside __attribute__((cleanup(http_leave), unused)) = lf__http_depth++

static void http_leave(const unsigned *before)
{
    lf__http_depth = *before;
}

/* ---- Set-up and the end of the process ---- */

static struct {
    lf__monitor monitor; /* guards the rest */
    bool running;        /* a thread, `owner`, sets libcurl up */
    pthread_t owner;
    bool ready;
    bool ended; /* the process takes its libraries down */
} http_setup = {.monitor = LF__MONITOR_INIT};

/* With the lock held. */
static void http_await_setup(uint64_t until_ns)
{
    while (http_setup.running && !pthread_equal(http_setup.owner, pthread_self()) &&
           lf__monitor_wait(&http_setup.monitor, until_ns))
        continue;
}

#pragma weak OPENSSL_init_crypto
extern int OPENSSL_init_crypto(uint64_t options, const void *settings);

/* OpenSSL registers an exit handler in the middle of its set-up. A program that exits in that moment would run the handler
 * while this thread is still inside. Without it OpenSSL leaves its memory to the end of the process. */
static void http_keep_openssl_from_exit_handlers(void)
{
    enum { NO_ATEXIT = 0x00080000 };
    if (OPENSSL_init_crypto != NULL)
        (void)OPENSSL_init_crypto(NO_ATEXIT, NULL);
}

static void http_global_init(void)
{
    http_keep_openssl_from_exit_handlers();
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool lf__http_set_up(void)
{
    lf__monitor_lock(&http_setup.monitor);
    http_await_setup(UINT64_MAX);
    bool mine = !http_setup.ready && !http_setup.ended && !http_setup.running;
    if (mine) {
        http_setup.running = true;
        http_setup.owner = pthread_self();
        lf__monitor_unlock(&http_setup.monitor);
        http_global_init();
        lf__monitor_lock(&http_setup.monitor);
        http_setup.running = false;
        http_setup.ready = true;
        lf__monitor_tell(&http_setup.monitor);
    }
    bool ok = http_setup.ready && !http_setup.ended;
    lf__monitor_unlock(&http_setup.monitor);
    return ok;
}

/* Runs when the program's libraries are taken down, ours before those that it uses: a thread that is just setting libcurl up
 * comes out of it first, and none begins. */
static __attribute__((destructor)) void http_at_unload(void)
{
    lf__monitor_lock(&http_setup.monitor);
    http_setup.ended = true;
    http_await_setup(lf__monotonic_ns() + HTTP_UNLOAD_MS * 1000000u);
    lf__monitor_unlock(&http_setup.monitor);
}

void lf__http_before_fork(void)
{
    lf__monitor_lock(&http_setup.monitor);
    http_await_setup(UINT64_MAX);
}

void lf__http_after_fork_parent(void)
{
    lf__monitor_unlock(&http_setup.monitor);
}

void lf__http_after_fork_child(void)
{
    lf__monitor_after_fork_child(&http_setup.monitor);
}

/* ---- Headers ---- */

static bool http_is_overridden(const lf__config *config, const char *line)
{
    size_t name = strcspn(line, ":");
    for (size_t i = 0; i < config->header_count; i++)
        if (strlen(config->headers[i].key) == name && strncasecmp(config->headers[i].key, line, name) == 0)
            return true;
    return false;
}

static bool http_add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool http_add_pair(struct curl_slist **list, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 3;
    char *line = lf__alloc(size);
    if (line == NULL)
        return false;
    snprintf(line, size, "%s: %s", name, value);
    bool ok = http_add_header(list, line);
    lf__free_secret(line);
    return ok;
}

/* Our copies of keys go with the request. Those that libcurl makes while it sends are its own. */
static void http_free_headers(struct curl_slist *list)
{
    for (struct curl_slist *line = list; line != NULL; line = line->next)
        lf__wipe(line->data, strlen(line->data));
    curl_slist_free_all(list);
}

struct curl_slist *lf__http_append(struct curl_slist *list, const char *name, const char *value)
{
    (void)http_add_pair(&list, name, value);
    return list;
}

static bool http_add_own(const lf__config *config, struct curl_slist **list, const char *name, const char *value)
{
    return value == NULL || http_is_overridden(config, name) || http_add_pair(list, name, value);
}

/* What a server of Langfuse is told of its client. */
static bool http_add_identity(lf__http_request *request, struct curl_slist **list)
{
    const lf__config *config = request->config;
    request->authorization = lf__config_authorization(config);
    return http_add_own(config, list, "x-langfuse-sdk-name", "c") &&
           http_add_own(config, list, "x-langfuse-sdk-version", LANGFUSE_VERSION) &&
           http_add_own(config, list, "x-langfuse-public-key", config->public_key) &&
           http_add_own(config, list, "x-langfuse-ingestion-version", "4") &&
           http_add_own(config, list, "Authorization", request->authorization);
}

static struct curl_slist *http_headers(lf__http_request *request)
{
    const lf__config *config = request->config;
    struct curl_slist *list = NULL;
    bool ok = http_add_header(&list, "Expect:") &&
              (request->content_type == NULL ? http_add_header(&list, "Content-Type:") /* none, not libcurl's default */
                                             : http_add_own(config, &list, "Content-Type", request->content_type)) &&
              http_add_own(config, &list, "Content-Encoding", request->content_encoding) &&
              http_add_own(config, &list, "User-Agent", "langfuse-c/" LANGFUSE_VERSION) &&
              (request->is_foreign || http_add_identity(request, &list));
    for (size_t i = 0; ok && i < config->header_count; i++)
        ok = http_add_pair(&list, config->headers[i].key, config->headers[i].value);
    if (ok)
        return list;
    http_free_headers(list);
    return NULL;
}

/* ---- Callbacks ---- */

static size_t http_read(char *out, size_t unit, size_t count, void *data)
{
    http_transfer *t = data;
    size_t room = unit * count, done = 0;
    while (done < room && t->part < LF__HTTP_PARTS) {
        const lf__http_part *part = &t->request->body[t->part];
        size_t size = part->size - t->offset < room - done ? part->size - t->offset : room - done;
        if (size != 0)
            memcpy(out + done, (const char *)part->data + t->offset, size);
        done += size;
        t->offset += size;
        if (t->offset == part->size) {
            t->part++;
            t->offset = 0;
        }
    }
    return done;
}

/* A kept-alive connection may turn out to be dead after the first bytes: libcurl then starts over. */
static int http_seek(void *data, curl_off_t offset, int origin)
{
    http_transfer *t = data;
    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    t->part = t->offset = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t http_answer_max(const http_transfer *t)
{
    return t->request->answer_max == 0 ? LF__HTTP_ANSWER_MAX : t->request->answer_max;
}

static char *http_body(http_transfer *t)
{
    return t->large != NULL ? t->large : t->small;
}

/* Room for so many bytes and the NUL behind them. */
static bool http_make_room(http_transfer *t, size_t size)
{
    if (size <= t->capacity)
        return true;
    size_t capacity = t->capacity;
    while (capacity < size)
        capacity *= 2;
    char *larger = lf__realloc(t->large, capacity + 1);
    if (larger == NULL)
        return false;
    if (t->large == NULL)
        memcpy(larger, t->small, t->body_size);
    t->large = larger;
    t->capacity = capacity;
    return true;
}

/* Is this body for the buffer of the request, rather than for us? */
static bool http_is_streamed(const http_transfer *t)
{
    long status = 0;
    if (t->request->stream != NULL)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool is_streamed = status >= 200 && status <= 299;
    if (is_streamed)
        t->request->stream_status = (int)status;
    return is_streamed;
}

/* Callbacks get the handle: so another copy of the library in the process, behind LD_PRELOAD, tells that the transfer is none of the
 * program's (curl_is_recorded_elsewhere in langfuse/curl.c). */
static http_transfer *http_of(CURL *easy)
{
    char *private_data = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_data);
    return (http_transfer *)(void *)private_data;
}

static size_t http_write(char *bytes, size_t unit, size_t count, void *easy)
{
    http_transfer *t = http_of(easy);
    size_t size = unit * count;
    if (http_is_streamed(t))
        return lf__buf_add(t->request->stream, bytes, size) ? size : 0;
    size_t most = http_answer_max(t);
    size_t keep = size < most - t->body_size ? size : most - t->body_size;
    t->received += size;
    if (t->no_memory || !http_make_room(t, t->body_size + keep)) {
        t->no_memory = true; /* from here on nothing is kept: a hole would be worse */
        keep = 0;
    }
    memcpy(http_body(t) + t->body_size, bytes, keep);
    t->body_size += keep;
    return t->received > HTTP_READ_MAX && t->received > most ? 0 : size;
}

/* libcurl takes a connection that ends between two headers for an answer. It is none: half of "200 OK" acknowledges nothing. */
static size_t http_head(char *line, size_t unit, size_t count, void *easy)
{
    http_transfer *t = http_of(easy);
    size_t size = unit * count;
    t->has_head = size > 0 && (line[0] == '\r' || line[0] == '\n');
    return size;
}

/* ---- Descriptors ---- */

/* Programs that the process starts must not hold our connections, and what a program prints must not go into one where 0 to 2
 * are closed. */
static curl_socket_t http_open_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)unused;
    (void)purpose;
    return lf__above_standard(socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol));
}

/* A multi handle has a pipe of its own, for whose numbers libcurl has no hook: it finds 0 to 2 taken. */
static CURLM *http_new_multi(void)
{
    int taken[STDERR_FILENO + 1], count = 0, file = -1;
    while (count <= STDERR_FILENO && (file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0 && file <= STDERR_FILENO)
        taken[count++] = file;
    if (file > STDERR_FILENO)
        (void)close(file);
    CURLM *multi = curl_multi_init();
    while (count > 0)
        (void)close(taken[--count]);
    return multi;
}

/* ---- Transfers ---- */

static http_transfer *http_take(lf__http *http)
{
    http_transfer *t = http->pool;
    if (t != NULL) {
        http->pool = t->next;
        http->pool_count--;
        return t;
    }
    t = lf__alloc(sizeof *t);
    if (t == NULL)
        return NULL;
    t->easy = curl_easy_init();
    if (t->easy == NULL) {
        lf__free(t);
        return NULL;
    }
    return t;
}

static void http_destroy(http_transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L); /* lest SIGPIPE is ignored meanwhile: in the whole process */
    curl_easy_cleanup(t->easy);
    lf__free(t->large);
    http_free_headers(t->headers);
    lf__free(t);
}

static void http_give_back(lf__http *http, http_transfer *t)
{
    http_free_headers(t->headers);
    t->headers = NULL;
    lf__free(t->large);
    t->large = NULL;
    if (http->pool_count >= HTTP_POOL) {
        http_destroy(t);
        return;
    }
    curl_easy_reset(t->easy); /* keeps the connections, which belong to the multi handle */
    t->next = http->pool;
    http->pool = t;
    http->pool_count++;
}

static void http_set_tls(CURL *easy, const lf__config *config)
{
    if (config->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
    if (config->ca_path != NULL)
        curl_easy_setopt(easy, CURLOPT_CAPATH, config->ca_path);
    if (config->client_certificate != NULL)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, config->client_certificate);
    if (config->client_key != NULL)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, config->client_key);
    if (config->proxy != NULL)
        curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy);
    if (config->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void http_set_method(http_transfer *t)
{
    static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    CURL *easy = t->easy;
    const lf__http_request *request = t->request;
    curl_off_t size = 0;
    for (int i = 0; i < LF__HTTP_PARTS; i++)
        size += (curl_off_t)request->body[i].size;
    if (request->method == LF__HTTP_GET || (request->method == LF__HTTP_DELETE && size == 0)) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, http_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, t);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, http_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
    }
    if (request->method != LF__HTTP_GET && request->method != LF__HTTP_POST)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, names[request->method]);
}

static void http_set_options(http_transfer *t)
{
    CURL *easy = t->easy;
    const lf__http_request *request = t->request;
    long connect_ms = request->timeout_ms < HTTP_CONNECT_TIMEOUT_MS ? request->timeout_ms : HTTP_CONNECT_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name lookup that hangs must not outlast the time given */
#endif
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, http_open_socket);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* a redirected POST would become a GET without its body */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    http_set_method(t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, easy);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, easy);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    http_set_tls(easy, request->config);
}

/* False: the hook may not be called any more, and without what it sets no request is to be made. */
static bool http_call_hook(http_transfer *t)
{
    const lf__config *config = t->request->config;
    if (config->curl_hook == NULL)
        return true;
    if (!lf__gate_enter(config->gate))
        return false;
    config->curl_hook(config->curl_hook_data, t->easy);
    lf__gate_leave(config->gate);
    return true;
}

/* False: this libcurl knows no sockets of the machine, and would ask whoever is localhost. */
static bool http_set_place(http_transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_URL, t->request->url);
    const char *path = t->request->config->socket_path;
    return path == NULL || curl_easy_setopt(t->easy, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
}

bool lf__http_start(lf__http *http, lf__http_request *request)
{
    HTTP_INSIDE;
    http_transfer *t = http_take(http);
    if (t == NULL)
        return false;
    t->request = request;
    t->part = t->offset = t->body_size = t->received = 0;
    t->capacity = LF__HTTP_ANSWER_MAX;
    t->no_memory = t->has_head = false;
    t->error[0] = '\0';
    t->headers = http_headers(request);
    if (t->headers == NULL) {
        http_give_back(http, t);
        return false;
    }
    http_set_options(t);
    if (!http_set_place(t) || !http_call_hook(t) || curl_multi_add_handle(http->multi, t->easy) != CURLM_OK) {
        http_give_back(http, t);
        return false;
    }
    t->next = http->running;
    http->running = t;
    http->running_count++;
    return true;
}

static void http_unlink(lf__http *http, http_transfer *t)
{
    http_transfer **link = &http->running;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    http->running_count--;
    curl_multi_remove_handle(http->multi, t->easy);
}

static lf__http_failure http_failure(CURLcode code)
{
    switch (code) {
    case CURLE_OK: return LF__HTTP_NO_FAILURE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return LF__HTTP_NO_SUCH_HOST;
    case CURLE_COULDNT_CONNECT: return LF__HTTP_NO_CONNECTION;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION: return LF__HTTP_NO_TLS;
    case CURLE_OPERATION_TIMEDOUT: return LF__HTTP_TOO_LATE;
    default: return LF__HTTP_BROKEN;
    }
}

static long http_retry_after_ms(CURL *easy)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return -1;
    return (seconds > HTTP_RETRY_AFTER_MAX_S ? HTTP_RETRY_AFTER_MAX_S : (long)seconds) * 1000;
}

static void http_finish(lf__http *http, http_transfer *t, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    http_body(t)[t->body_size] = '\0';
    /* An answer whose body we did not want to the end is an answer all the same. */
    if (code == CURLE_WRITE_ERROR && t->received > HTTP_READ_MAX)
        code = CURLE_OK;
    if (code == CURLE_OK && !t->has_head)
        code = CURLE_PARTIAL_FILE;
    lf__http_answer answer = {
        .status = code == CURLE_OK ? (int)status : 0,
        .failure = http_failure(code),
        .retry_after_ms = http_retry_after_ms(t->easy),
        .message = code == CURLE_OK      ? ""
                   : t->error[0] != '\0' ? t->error
                                         : curl_easy_strerror(code),
        .body = http_body(t),
        .body_size = t->body_size,
        .cut = t->received > t->body_size,
        .no_memory = t->no_memory,
    };
    lf__secret_hide(t->error, t->request->config); /* libcurl names what it could not do with: a header, a proxy */
    http_unlink(http, t);
    t->request->done(t->request, &answer);
    http_give_back(http, t);
}

/* ---- Interface ---- */

lf__http *lf__http_new(void)
{
    lf__http *http = lf__http_set_up() ? lf__alloc(sizeof *http) : NULL;
    if (http == NULL)
        return NULL;
    http->multi = http_new_multi();
    if (http->multi != NULL) {
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_POOL);
        return http;
    }
    lf__free(http);
    return NULL;
}

int lf__http_running(const lf__http *http)
{
    return http->running_count;
}

void lf__http_poll(lf__http *http, int timeout_ms)
{
    HTTP_INSIDE;
    int running, left;
    curl_multi_perform(http->multi, &running);
    CURLMsg *message = curl_multi_info_read(http->multi, &left);
    if (message == NULL && timeout_ms > 0) {
        curl_multi_poll(http->multi, NULL, 0, timeout_ms, NULL);
        curl_multi_perform(http->multi, &running);
        message = curl_multi_info_read(http->multi, &left);
    }
    for (; message != NULL; message = curl_multi_info_read(http->multi, &left)) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with its handle */
        http_finish(http, http_of(message->easy_handle), code);
    }
}

void lf__http_wait(lf__http *http, int timeout_ms)
{
    curl_multi_poll(http->multi, NULL, 0, timeout_ms, NULL);
}

/* musl's FD_ISSET mixes signs; glibc's is quiet as a system header. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
static bool http_add_wanted(int file, const fd_set *in, const fd_set *out, const fd_set *except, struct pollfd *fds, unsigned room,
                            unsigned *used)
{
    short events = (short)((FD_ISSET(file, in) ? POLLIN : 0) | (FD_ISSET(file, out) ? POLLOUT : 0) |
                           (FD_ISSET(file, except) ? POLLPRI : 0));
    if (events == 0)
        return true;
    if (*used == room)
        return false;
    fds[(*used)++] = (struct pollfd){.fd = file, .events = events};
    return true;
}
#pragma GCC diagnostic pop

bool lf__http_wants(lf__http *http, struct pollfd *fds, unsigned room, unsigned *count, int *timeout_ms)
{
    fd_set in, out, except;
    int highest = -1;
    long wait_ms = -1;
    unsigned used = 0;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    /* Sockets of 1024 and more have no place in these sets: then there are fewer of them, perhaps none. */
    bool all = curl_multi_fdset(http->multi, &in, &out, &except, &highest) == CURLM_OK && highest >= 0;
    for (int file = 0; file <= highest; file++)
        all = http_add_wanted(file, &in, &out, &except, fds, room, &used) && all;
    if (curl_multi_timeout(http->multi, &wait_ms) == CURLM_OK && wait_ms >= 0 && (*timeout_ms < 0 || wait_ms < *timeout_ms))
        *timeout_ms = (int)wait_ms;
    *count += used;
    return all && used >= (unsigned)http->running_count;
}

void lf__http_wakeup(lf__http *http)
{
    curl_multi_wakeup(http->multi);
}

static void http_cut_short(lf__http *http, http_transfer *t)
{
    HTTP_INSIDE;
    lf__http_answer answer = {.failure = LF__HTTP_BROKEN, .retry_after_ms = -1, .message = "abandoned", .body = ""};
    http_unlink(http, t);
    t->request->done(t->request, &answer);
    http_destroy(t);
}

void lf__http_cancel(lf__http *http, const lf__http_request *request)
{
    for (http_transfer *t = http->running; t != NULL; t = t->next)
        if (t->request == request) {
            http_cut_short(http, t);
            return;
        }
}

void lf__http_abandon(lf__http *http)
{
    while (http->running != NULL)
        http_cut_short(http, http->running);
}

void lf__http_free(lf__http *http)
{
    HTTP_INSIDE;
    if (http == NULL)
        return;
    lf__http_abandon(http);
    while (http->pool != NULL) {
        http_transfer *t = http->pool;
        http->pool = t->next;
        http_destroy(t);
    }
    curl_multi_cleanup(http->multi);
    lf__free(http);
}
