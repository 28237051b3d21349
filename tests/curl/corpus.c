/* Calls of models in plain libcurl, one after another over connections that are kept. It knows nothing of Langfuse:
 * tests/curl/corpus.py builds it with each packaging.
 *
 * corpus FILE: each line of the file is a call, in parts set apart by tabs: its URL, the body of the request, and how the program
 * stops it once it has so many bytes of the reply. "- 0": not at all; "23 BYTES": the write function takes no more; "42 BYTES": the
 * progress function ends it. Every other call goes through a multi handle. Prints a line a call: code, status, bytes, their hash,
 * calls of the write function.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 1000, TIMEOUT_SECONDS = 60 };

typedef struct call {
    char *url, *request;
    int stop_code;
    size_t stop_after;
    size_t received, pieces;
    uint32_t hash; /* FNV-1a */
} call;

static size_t on_write(char *bytes, size_t unit, size_t count, void *data)
{
    call *c = data;
    size_t size = unit * count;
    if (c->stop_code == 23 && c->received + size > c->stop_after)
        return 0;
    for (size_t i = 0; i < size; i++)
        c->hash = (c->hash ^ (unsigned char)bytes[i]) * 16777619u;
    c->received += size;
    c->pieces++;
    return size;
}

static int on_progress(void *data, curl_off_t to_get, curl_off_t got, curl_off_t to_send, curl_off_t sent)
{
    const call *c = data;
    (void)to_get, (void)got, (void)to_send, (void)sent;
    return c->stop_code == 42 && c->received >= c->stop_after;
}

static CURLcode perform_in(CURLM *multi, CURL *handle)
{
    int running = 1, left;
    curl_multi_add_handle(multi, handle);
    while (running > 0) {
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            exit(3);
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL);
    }
    CURLMsg *message = curl_multi_info_read(multi, &left);
    CURLcode code = message == NULL ? CURLE_FAILED_INIT : message->data.result;
    curl_multi_remove_handle(multi, handle);
    return code;
}

static void make(CURL *handle, CURLM *multi, call *c)
{
    long status = 0;
    curl_easy_setopt(handle, CURLOPT_URL, c->url);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, c->request);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, c);
    CURLcode code = multi == NULL ? curl_easy_perform(handle) : perform_in(multi, handle);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    printf("%d %ld %zu %u %zu\n", (int)code, status, c->received, (unsigned)c->hash, c->pieces);
}

static void parse(char *line, call *out)
{
    *out = (call){.url = line, .hash = 2166136261u};
    out->request = strchr(line, '\t');
    char *stop = out->request == NULL ? NULL : strchr(out->request + 1, '\t');
    if (stop == NULL)
        exit(2);
    *out->request++ = *stop++ = '\0';
    if (*stop != '-')
        out->stop_code = (int)strtol(stop, &stop, 10);
    out->stop_after = strtoul(stop + (*stop == '-'), NULL, 10);
}

int main(int count, char **arguments)
{
    FILE *file = count > 1 ? fopen(arguments[1], "r") : NULL;
    if (file == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return 2;
    CURL *handle = curl_easy_init();
    CURLM *multi = curl_multi_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, (long)TIMEOUT_SECONDS);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    char *line = NULL;
    size_t room = 0;
    for (unsigned number = 0; getline(&line, &room, file) > 0; number++) {
        call c;
        parse(line, &c);
        make(handle, number % 2 == 0 ? NULL : multi, &c);
    }
    free(line);
    curl_easy_cleanup(handle);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    return fclose(file);
}
