/* One call of a model through langfuse/model.h:
 *
 *     call URL REQUEST_FILE REPLY_FILE [STOP_AFTER]
 *
 * posts the file, and writes the reply as it comes, byte for byte. After STOP_AFTER bytes it stops the transfer, as a program does
 * whose user has gone. Prints the HTTP status.
 */
#include "langfuse/model.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REQUEST = 1 << 20, TIMEOUT_SECONDS = 120, FLUSH_MS = 20000 };

typedef struct transfer {
    lf_model_call *call;
    FILE *reply;
    size_t received, stop_after;
} transfer;

static size_t receive(char *bytes, size_t size, size_t count, void *data)
{
    transfer *t = data;
    size *= count;
    lf_model_reply(t->call, bytes, size);
    t->received += size;
    if (fwrite(bytes, 1, size, t->reply) != size || t->received >= t->stop_after)
        return 0;
    return size;
}

static char *read_request(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    char *text = file == NULL ? NULL : malloc(MAX_REQUEST);
    *out_size = text == NULL ? 0 : fread(text, 1, MAX_REQUEST, file);
    if (file != NULL)
        fclose(file);
    return text;
}

static CURLcode post(CURL *curl, const char *url, const char *body, size_t size, transfer *t)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)size);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SECONDS);
    CURLcode result = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    return result;
}

int main(int count, char **arguments)
{
    size_t size;
    char *body = count < 4 ? NULL : read_request(arguments[2], &size);
    FILE *reply = body == NULL ? NULL : fopen(arguments[3], "wb");
    CURL *curl = curl_easy_init();
    if (reply == NULL || curl == NULL) {
        fprintf(stderr, "usage: call URL REQUEST_FILE REPLY_FILE [STOP_AFTER]\n");
        return 2;
    }
    transfer t = {.reply = reply, .stop_after = count > 4 ? strtoul(arguments[4], NULL, 10) : SIZE_MAX};
    t.call = lf_model_begin(.url = arguments[1], .body = body, .body_size = size);
    CURLcode result = post(curl, arguments[1], body, size, &t);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    bool stopped = t.received >= t.stop_after;
    lf_model_end(t.call, .http_status = (int)status, .error = result == CURLE_OK || stopped ? NULL : curl_easy_strerror(result),
                 .cancelled = stopped ? LF_ON : LF_OFF);
    printf("%ld\n", status);
    curl_easy_cleanup(curl);
    free(body);
    return fclose(reply) == 0 && lf_flush(FLUSH_MS) == LF_OK ? 0 : 1;
}
