/* A stand-in for libcurl, for machines for which there is none here: everything links, and every transfer ends at once with
 * "could not connect". The programs beside it write their observations to a file.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if LIBCURL_VERSION_NUM >= 0x080000
#define CONST_URL const
#else
#define CONST_URL
#endif

/* curl.h makes macros of these, which check their arguments. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

typedef struct transfer {
    struct transfer *next;
    void *private_data;
    CURLMsg message;
} transfer;

typedef struct transfers {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool wake_up;
    transfer *first; /* added, and not reported yet */
} transfers;

CURLcode curl_global_init(long flags)
{
    (void)flags;
    return CURLE_OK;
}

void curl_global_cleanup(void)
{
}

/* ---- One transfer ---- */

CURL *curl_easy_init(void)
{
    return calloc(1, sizeof(transfer));
}

void curl_easy_cleanup(CURL *easy)
{
    free(easy);
}

void curl_easy_reset(CURL *easy)
{
    *(transfer *)easy = (transfer){.next = NULL};
}

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list arguments;
    va_start(arguments, option);
    if (option == CURLOPT_PRIVATE)
        ((transfer *)easy)->private_data = va_arg(arguments, void *);
    va_end(arguments);
    return CURLE_OK;
}

CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
    va_list arguments;
    va_start(arguments, info);
    if (info == CURLINFO_PRIVATE)
        *va_arg(arguments, void **) = ((transfer *)easy)->private_data;
    va_end(arguments);
    return CURLE_OK; /* the other answers stay what the caller began with */
}

CURLcode curl_easy_perform(CURL *easy)
{
    (void)easy;
    return CURLE_COULDNT_CONNECT;
}

const char *curl_easy_strerror(CURLcode code)
{
    return code == CURLE_OK ? "no error" : "this libcurl has no network";
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    struct curl_slist *item = calloc(1, sizeof *item), **end = &list;
    if (item == NULL || (item->data = strdup(text)) == NULL) {
        free(item);
        return NULL;
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = item;
    return list;
}

void curl_slist_free_all(struct curl_slist *list)
{
    while (list != NULL) {
        struct curl_slist *next = list->next;
        free(list->data);
        free(list);
        list = next;
    }
}

/* ---- What langfuse/curl.h leads here, where a program of its own asks for it. None here does ---- */

CURL *curl_easy_duphandle(CURL *easy)
{
    (void)easy;
    return NULL;
}

CURLUcode curl_url_get(CONST_URL CURLU *url, CURLUPart part, char **out, unsigned flags)
{
    (void)url, (void)part, (void)flags;
    *out = NULL;
    return CURLUE_OUT_OF_MEMORY;
}

void curl_free(void *memory)
{
    free(memory);
}

curl_mime *curl_mime_init(CURL *easy)
{
    (void)easy;
    return NULL;
}

void curl_mime_free(curl_mime *mime)
{
    (void)mime;
}

curl_mimepart *curl_mime_addpart(curl_mime *mime)
{
    (void)mime;
    return NULL;
}

CURLcode curl_mime_name(curl_mimepart *part, const char *name)
{
    (void)part, (void)name;
    return CURLE_OUT_OF_MEMORY;
}

CURLcode curl_mime_filename(curl_mimepart *part, const char *name)
{
    return curl_mime_name(part, name);
}

CURLcode curl_mime_type(curl_mimepart *part, const char *type)
{
    return curl_mime_name(part, type);
}

CURLcode curl_mime_data(curl_mimepart *part, const char *data, size_t size)
{
    (void)size;
    return curl_mime_name(part, data);
}

CURLcode curl_mime_filedata(curl_mimepart *part, const char *path)
{
    return curl_mime_name(part, path);
}

CURLcode curl_mime_data_cb(curl_mimepart *part, curl_off_t size, curl_read_callback on_read, curl_seek_callback on_seek,
                           curl_free_callback on_free, void *data)
{
    (void)size, (void)on_read, (void)on_seek, (void)on_free, (void)data;
    return curl_mime_name(part, NULL);
}

CURLcode curl_mime_subparts(curl_mimepart *part, curl_mime *mime)
{
    (void)mime;
    return curl_mime_name(part, NULL);
}

/* ---- Several ---- */

CURLM *curl_multi_init(void)
{
    transfers *all = calloc(1, sizeof *all);
    pthread_condattr_t clock;
    if (all == NULL)
        return NULL;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&all->woken, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&all->lock, NULL);
    return (CURLM *)all;
}

CURLMcode curl_multi_cleanup(CURLM *multi)
{
    free(multi);
    return CURLM_OK;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
    (void)multi, (void)option;
    return CURLM_OK;
}

CURLMcode curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    transfers *all = (transfers *)multi;
    transfer *added = (transfer *)easy;
    added->next = all->first;
    all->first = added;
    return CURLM_OK;
}

CURLMcode curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
    for (transfer **link = &((transfers *)multi)->first; *link != NULL; link = &(*link)->next)
        if (*link == easy) {
            *link = (*link)->next;
            break;
        }
    return CURLM_OK;
}

CURLMcode curl_multi_perform(CURLM *multi, int *running)
{
    (void)multi;
    *running = 0;
    return CURLM_OK;
}

CURLMsg *curl_multi_info_read(CURLM *multi, int *left)
{
    transfers *all = (transfers *)multi;
    transfer *ended = all->first;
    *left = 0;
    if (ended == NULL)
        return NULL;
    all->first = ended->next;
    ended->message = (CURLMsg){.msg = CURLMSG_DONE, .easy_handle = ended};
    ended->message.data.result = CURLE_COULDNT_CONNECT;
    return &ended->message;
}

CURLMcode curl_multi_fdset(CURLM *multi, fd_set *in, fd_set *out, fd_set *except, int *most)
{
    (void)multi, (void)in, (void)out, (void)except;
    *most = -1;
    return CURLM_OK;
}

CURLMcode curl_multi_timeout(CURLM *multi, long *milliseconds)
{
    (void)multi;
    *milliseconds = -1;
    return CURLM_OK;
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd more[], unsigned count, int timeout_ms, int *ready)
{
    transfers *all = (transfers *)multi;
    struct timespec until;
    (void)more, (void)count;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&all->lock);
    while (!all->wake_up && pthread_cond_timedwait(&all->woken, &all->lock, &until) != ETIMEDOUT)
        continue;
    all->wake_up = false;
    pthread_mutex_unlock(&all->lock);
    if (ready != NULL)
        *ready = 0;
    return CURLM_OK;
}

CURLMcode curl_multi_wakeup(CURLM *multi)
{
    transfers *all = (transfers *)multi;
    pthread_mutex_lock(&all->lock);
    all->wake_up = true;
    pthread_cond_signal(&all->woken);
    pthread_mutex_unlock(&all->lock);
    return CURLM_OK;
}
