#include "http.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    HTTP_POOL = 4, /* easy handles kept for reuse */
    HTTP_CONNECT_TIMEOUT_MS = 5000,
    HTTP_ANSWER_MAX = 1 << 20,       /* an answer longer than this is cut off; we need none of it */
    HTTP_RETRY_AFTER_MAX_S = 600
};

typedef struct http_transfer {
    struct http_transfer *next;
    CURL *easy;
    struct curl_slist *headers;
    lf__http_post *post;
    size_t part;   /* position in the body: part and offset */
    size_t offset;
    char body[LF__HTTP_BODY_MAX + 1];
    size_t body_size;
    size_t received;
    char error[CURL_ERROR_SIZE];
} http_transfer;

struct lf__http {
    const lf__config *config;
    CURLM *multi;
    http_transfer *running;
    http_transfer *pool;
    int running_count;
    int pool_count;
    char *authorization;
};

static pthread_once_t http_once = PTHREAD_ONCE_INIT;

void (*lf__http_at_exit)(void);

/* Exit handlers run last in, first out: ours must come behind the one that the TLS library registers here. */
static void http_global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    if (lf__http_at_exit != NULL)
        (void)atexit(lf__http_at_exit);
}

/* ---- Headers ---- */

static char *http_authorization(const lf__config *config)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char start[] = "Authorization: Basic ";
    if (config->public_key == NULL || config->secret_key == NULL)
        return NULL;
    size_t size = strlen(config->public_key) + 1 + strlen(config->secret_key);
    char *plain = lf__alloc(size + 3); /* zeroed: the padding is there */
    char *header = lf__alloc(sizeof start + (size + 2) / 3 * 4);
    if (plain != NULL && header != NULL) {
        snprintf(plain, size + 1, "%s:%s", config->public_key, config->secret_key);
        memcpy(header, start, sizeof start - 1);
        char *at = header + sizeof start - 1;
        for (size_t i = 0; i < size; i += 3) {
            unsigned bits = (unsigned)(unsigned char)plain[i] << 16 | (unsigned)(unsigned char)plain[i + 1] << 8 |
                            (unsigned char)plain[i + 2];
            *at++ = digits[bits >> 18];
            *at++ = digits[bits >> 12 & 63];
            *at++ = i + 1 < size ? digits[bits >> 6 & 63] : '=';
            *at++ = i + 2 < size ? digits[bits & 63] : '=';
        }
        *at = '\0';
    }
    if (plain != NULL)
        memset(plain, 0, size);
    lf__free(plain);
    return header;
}

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
    lf__free(line);
    return ok;
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

static struct curl_slist *http_headers(const lf__http *http, const lf__http_post *post)
{
    const lf__config *config = http->config;
    struct curl_slist *list = NULL;
    bool ok = http_add_header(&list, "Expect:") && http_add_own(config, &list, "Content-Type", post->content_type) &&
              http_add_own(config, &list, "User-Agent", "langfuse-c/" LF_VERSION) &&
              http_add_own(config, &list, "x-langfuse-sdk-name", "c") &&
              http_add_own(config, &list, "x-langfuse-sdk-version", LF_VERSION) &&
              http_add_own(config, &list, "x-langfuse-public-key", config->public_key) &&
              http_add_own(config, &list, "x-langfuse-ingestion-version", "4");
    if (ok && http->authorization != NULL && !http_is_overridden(config, http->authorization))
        ok = http_add_header(&list, http->authorization);
    for (size_t i = 0; ok && i < config->header_count; i++)
        ok = http_add_pair(&list, config->headers[i].key, config->headers[i].value);
    if (ok)
        return list;
    curl_slist_free_all(list);
    return NULL;
}

/* ---- Callbacks ---- */

static size_t http_read(char *out, size_t unit, size_t count, void *data)
{
    http_transfer *t = data;
    size_t room = unit * count, done = 0;
    while (done < room && t->part < LF__HTTP_PARTS) {
        const lf__http_part *part = &t->post->body[t->part];
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

static size_t http_write(char *bytes, size_t unit, size_t count, void *data)
{
    http_transfer *t = data;
    size_t size = unit * count;
    size_t room = LF__HTTP_BODY_MAX - t->body_size;
    size_t keep = size < room ? size : room;
    memcpy(t->body + t->body_size, bytes, keep);
    t->body_size += keep;
    t->received += size;
    return t->received > HTTP_ANSWER_MAX ? 0 : size;
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
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    lf__free(t);
}

static void http_give_back(lf__http *http, http_transfer *t)
{
    curl_slist_free_all(t->headers);
    t->headers = NULL;
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

static void http_set_options(const lf__http *http, http_transfer *t)
{
    CURL *easy = t->easy;
    const lf__http_post *post = t->post;
    curl_off_t size = 0;
    for (int i = 0; i < LF__HTTP_PARTS; i++)
        size += (curl_off_t)post->body[i].size;
    long connect_ms = post->timeout_ms < HTTP_CONNECT_TIMEOUT_MS ? post->timeout_ms : HTTP_CONNECT_TIMEOUT_MS;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* a redirected POST would become a GET without its body */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, post->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_URL, post->url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, http_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, t);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, http_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    http_set_tls(easy, http->config);
    if (http->config->curl_hook != NULL)
        http->config->curl_hook(http->config->curl_hook_data, easy);
}

bool lf__http_start(lf__http *http, lf__http_post *post)
{
    http_transfer *t = http_take(http);
    if (t == NULL)
        return false;
    t->post = post;
    t->part = t->offset = t->body_size = t->received = 0;
    t->error[0] = '\0';
    t->headers = http_headers(http, post);
    if (t->headers == NULL) {
        http_give_back(http, t);
        return false;
    }
    http_set_options(http, t);
    if (curl_multi_add_handle(http->multi, t->easy) != CURLM_OK) {
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

static void http_finish(lf__http *http, http_transfer *t, CURLcode code)
{
    long status = 0, connects = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    t->body[t->body_size] = '\0';
    /* An answer whose body we did not want to the end is an answer all the same. */
    bool answered = code == CURLE_OK || (code == CURLE_WRITE_ERROR && t->received > HTTP_ANSWER_MAX);
    lf__http_answer answer = {
        .status = answered ? (int)status : 0,
        .retry_after_ms = retry_after <= 0                     ? -1
                          : retry_after > HTTP_RETRY_AFTER_MAX_S ? HTTP_RETRY_AFTER_MAX_S * 1000L
                                                                 : (long)retry_after * 1000,
        .could_connect = code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
                         code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_SSL_CONNECT_ERROR &&
                         code != CURLE_PEER_FAILED_VERIFICATION,
        .message = answered ? "" : t->error[0] != '\0' ? t->error : curl_easy_strerror(code),
        .body = t->body,
        .body_size = t->body_size,
    };
    http_unlink(http, t);
    lf__http_post *post = t->post;
    post->done(post, &answer);
    http_give_back(http, t);
}

/* ---- Interface ---- */

lf__http *lf__http_new(const lf__config *config)
{
    pthread_once(&http_once, http_global_init);
    lf__http *http = lf__alloc(sizeof *http);
    if (http == NULL)
        return NULL;
    http->config = config;
    http->authorization = http_authorization(config);
    http->multi = curl_multi_init();
    bool ok = http->multi != NULL && (config->secret_key == NULL || http->authorization != NULL);
    if (ok) {
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_POOL);
        return http;
    }
    lf__http_free(http);
    return NULL;
}

int lf__http_running(const lf__http *http)
{
    return http->running_count;
}

void lf__http_poll(lf__http *http, int timeout_ms)
{
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
        char *private_data = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        http_finish(http, (http_transfer *)(void *)private_data, code);
    }
}

void lf__http_wakeup(lf__http *http)
{
    curl_multi_wakeup(http->multi);
}

void lf__http_abandon(lf__http *http)
{
    while (http->running != NULL) {
        http_transfer *t = http->running;
        lf__http_answer answer = {.retry_after_ms = -1, .message = "abandoned", .body = ""};
        http_unlink(http, t);
        t->post->done(t->post, &answer);
        http_destroy(t);
    }
}

void lf__http_free(lf__http *http)
{
    if (http == NULL)
        return;
    if (http->multi != NULL)
        lf__http_abandon(http);
    while (http->pool != NULL) {
        http_transfer *t = http->pool;
        http->pool = t->next;
        http_destroy(t);
    }
    if (http->multi != NULL)
        curl_multi_cleanup(http->multi);
    if (http->authorization != NULL)
        memset(http->authorization, 0, strlen(http->authorization));
    lf__free(http->authorization);
    lf__free(http);
}
