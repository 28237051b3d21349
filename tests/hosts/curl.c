/* Callbacks of libcurl: they run within curl_easy_perform or curl_multi_perform, on the thread that calls it, as often as
 * the network has it.
 *
 * curl URL easy|multi COUNT: fetches URL/0, URL/1, ...; some are uploads, some are given up by a callback, by number.
 */
#include "observe.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENOUGH = 3000, UPLOADED = 300000, AT_ONCE = 8 };

typedef struct transfer {
    int n;
    lf_observation *observation; /* of curl_multi; else a scope is open around the transfer */
    size_t received;
    size_t sent;
    char url[200];
    CURL *curl;
    struct curl_slist *headers;
} transfer;

/* ---- Callbacks within a scope: what they observe is its child -------------------------------------------------------- */

/* A piece of the answer is a piece of the output; transfers 1, 5, 9, ... have had enough after a while. */
static size_t on_text(char *data, size_t size, size_t count, void *to)
{
    transfer *t = to;
    lf_output_append(data, size * count);
    t->received += size * count;
    return t->n % 4 == 1 && t->received >= ENOUGH ? 0 : size * count;
}

static size_t on_header(char *line, size_t size, size_t count, void *to)
{
    (void)to;
    if (count > 5 && strncmp(line, "HTTP/", 5) == 0) {
        OBSERVE_WITH((.name = "on_status"));
        OBSERVE_RETURN(size * count);
    }
    return size * count;
}

static size_t on_upload(char *data, size_t size, size_t count, void *from)
{
    OBSERVE_TOOL();
    transfer *t = from;
    size_t room = size * count, piece = UPLOADED - t->sent < room ? UPLOADED - t->sent : room;
    if (t->n % 8 == 6 && t->sent > 0) {
        OBSERVE_ERROR("not more than %zu", t->sent);
        OBSERVE_RETURN((size_t)CURL_READFUNC_ABORT);
    }
    memset(data, 'u', piece);
    t->sent += piece;
    lf_update_current_observation(.metadata = LF_OBJECT("sent", t->sent));
    OBSERVE_RETURN(piece);
}

/* Not each call is worth an observation. Transfers 3, 7, 11, ... are given up as soon as something has come. */
static int on_progress(void *of, curl_off_t total, curl_off_t now, curl_off_t upload_total, curl_off_t upload_now)
{
    const transfer *t = of;
    (void)total, (void)upload_total, (void)upload_now;
    if (t->n % 4 != 3 || now == 0)
        return 0;
    OBSERVE_GUARDRAIL();
    OBSERVE_ERROR("given up");
    OBSERVE_RETURN(1);
}

static void prepare(transfer *t, const char *base, int n)
{
    *t = (transfer){.n = n, .curl = curl_easy_init()};
    snprintf(t->url, sizeof t->url, "%s/%d", base, n);
    curl_easy_setopt(t->curl, CURLOPT_URL, t->url);
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_text);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
    if (n % 4 == 2) {
        curl_easy_setopt(t->curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(t->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)UPLOADED);
    }
}

static void discard(transfer *t)
{
    curl_slist_free_all(t->headers);
    curl_easy_cleanup(t->curl);
}

static void fetch(const char *base, int n)
{
    OBSERVE(n);
    transfer t;
    prepare(&t, base, n);
    t.headers = lf_inject_curl(NULL);
    t.headers = curl_slist_append(t.headers, "Expect:");
    curl_easy_setopt(t.curl, CURLOPT_HTTPHEADER, t.headers);
    CURLcode code = curl_easy_perform(t.curl);
    if (code != CURLE_OK)
        OBSERVE_ERROR("%d", code);
    lf_update_current_observation(.metadata = LF_OBJECT("received", t.received));
    discard(&t);
}

/* ---- Several at once: each has a handle, since no scope is one of theirs alone ----------------------------------------- */

/* Says to which transfer it belongs: what it observes would else be a child of whatever drives them all. */
static size_t on_piece(char *data, size_t size, size_t count, void *to)
{
    transfer *t = to;
    lf_observation *piece = lf_start_observation(.name = "on_piece", .type = LF_TOOL, .parent = t->observation);
    lf_observation_output_append(t->observation, data, size * count);
    t->received += size * count;
    bool enough = t->n % 4 == 1 && t->received >= ENOUGH;
    lf_observation_end(piece, .output = LF_VALUE(size * count));
    return enough ? 0 : size * count;
}

static void begin_one(CURLM *multi, transfer *t, const char *base, int n)
{
    prepare(t, base, n);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_piece);
    curl_easy_setopt(t->curl, CURLOPT_PRIVATE, t);
    t->headers = curl_slist_append(NULL, "Expect:");
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
    t->observation = lf_start_observation(.name = "transfer", .input = LF_OBJECT("n", n));
    curl_multi_add_handle(multi, t->curl);
}

static void finish_one(CURLM *multi, CURL *curl, CURLcode code)
{
    transfer *t;
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &t);
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    if (code == CURLE_OK)
        lf_observation_end(t->observation);
    else
        lf_observation_end(t->observation, .level = LF_LEVEL_ERROR, .status_message = text);
    curl_multi_remove_handle(multi, curl);
    discard(t);
}

static void drive(CURLM *multi, int first, int count)
{
    OBSERVE_CHAIN(first, count);
    int running = 1;
    while (running > 0) {
        curl_multi_perform(multi, &running);
        int left;
        for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;)
            if (message->msg == CURLMSG_DONE)
                finish_one(multi, message->easy_handle, message->data.result);
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

static void fetch_together(const char *base, int first, int count)
{
    static transfer transfers[AT_ONCE];
    CURLM *multi = curl_multi_init();
    for (int i = 0; i < count; i++)
        begin_one(multi, &transfers[i], base, first + i);
    drive(multi, first, count);
    curl_multi_cleanup(multi);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int count = atoi(argv[3]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (strcmp(argv[2], "easy") == 0)
        for (int n = 0; n < count; n++)
            fetch(argv[1], n);
    else
        for (int n = 0; n < count; n += AT_ONCE)
            fetch_together(argv[1], n, count - n < AT_ONCE ? count - n : AT_ONCE);
    lf_status status = lf_flush(20000);
    lf_stats stats;
    lf_get_stats(&stats);
    printf("status %d accepted %" PRIu64 " delivered %" PRIu64 " open %" PRIu64 " misused %" PRIu64 "\n", status, stats.accepted,
           stats.delivered, stats.open, stats.misused);
    curl_global_cleanup();
    return 0;
}
