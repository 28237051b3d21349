/* Many questions to a chat model at once, in one loop over curl_multi, and no thread of the library:
 *
 *     curl_multi QUESTION...         with OPENAI_BASE_URL, and OPENAI_API_KEY and OPENAI_MODEL if need be
 *
 * Each question is a trace. lf_model_begin, lf_model_reply and lf_model_end stand where a transfer begins, brings bytes and ends:
 * they read request and reply, whatever carries them. Exit status: 0 all were answered, 1 one was not.
 */
#include "langfuse/model.h"
#include "observe.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REPLY_BYTES = 1 << 20, TIMEOUT_MS = 60000 };

typedef struct transfer {
    const char *question;
    lf_observation *observation;
    lf_model_call *call;
    CURL *easy;
    char *body, *reply;
    size_t size;
} transfer;

static const char *setting(const char *variable, const char *standard)
{
    const char *value = getenv(variable);
    return value && *value ? value : standard;
}

/* For free(); NULL: no memory. */
static char *request_of(const char *question)
{
    cJSON *request = cJSON_CreateObject(), *message = cJSON_CreateObject();
    bool good = cJSON_AddStringToObject(request, "model", setting("OPENAI_MODEL", "gpt-4o-mini")) &&
                cJSON_AddStringToObject(message, "role", "user") && cJSON_AddStringToObject(message, "content", question) &&
                cJSON_AddItemToArray(cJSON_AddArrayToObject(request, "messages"), message);
    char *text = good ? cJSON_PrintUnformatted(request) : NULL;
    if (!good)
        cJSON_Delete(message);
    cJSON_Delete(request);
    return text;
}

/* curl's write callback: a reply that grows too long fails. */
static size_t take(char *bytes, size_t one, size_t size, void *data)
{
    transfer *t = data;
    (void)one;
    lf_model_reply(t->call, bytes, size);
    char *longer = t->size + size > MAX_REPLY_BYTES ? NULL : realloc(t->reply, t->size + size + 1);
    if (!longer)
        return 0;
    memcpy(longer + t->size, bytes, size);
    t->reply = longer;
    t->size += size;
    longer[t->size] = '\0';
    return size;
}

static bool begin(CURLM *multi, transfer *t, const char *url, struct curl_slist *headers)
{
    OBSERVE_CONTEXT(NULL); /* a trace for each question */
    t->observation = lf_start_observation(.name = "question", .type = LF_CHAIN, .input = LF_VALUE(t->question));
    t->body = request_of(t->question);
    t->easy = curl_easy_init();
    if (!t->body || !t->easy)
        return false;
    t->call = lf_model_begin(.url = url, .body = t->body, .parent = t->observation);
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, (void *)t);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    return curl_multi_add_handle(multi, t->easy) == CURLM_OK;
}

/* Print the answer. False: there is none. */
static bool print_answer(const transfer *t)
{
    cJSON *reply = t->reply ? cJSON_Parse(t->reply) : NULL;
    const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(reply, "choices"), 0);
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(choice, "message");
    const char *answer = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "content"));
    if (answer)
        printf("%s\n    %s\n", t->question, answer);
    else
        fprintf(stderr, "curl_multi: %s: no answer\n", t->question);
    lf_observation_update(t->observation, .output = LF_VALUE(answer));
    cJSON_Delete(reply);
    return answer != NULL;
}

static bool finish(CURLM *multi, transfer *t, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    lf_model_end(t->call, .http_status = (int)status, .error = result == CURLE_OK ? NULL : curl_easy_strerror(result));
    curl_multi_remove_handle(multi, t->easy);
    bool good = print_answer(t);
    lf_observation_end(t->observation, .level = good ? LF_LEVEL_UNSET : LF_LEVEL_ERROR);
    return good;
}

/* Sleep until a transfer or the library has something to do. */
static void sleep_until_ready(CURLM *multi)
{
    lf_poll_wants wants;
    struct curl_waitfd files[sizeof wants.fds / sizeof *wants.fds] = {{0}};
    lf_poll(0, &wants); /* sends what has ended, and tells what it waits for */
    for (unsigned i = 0; i < wants.count; i++) {
        files[i].fd = wants.fds[i].fd;
        files[i].events = (short)((wants.fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
                                  (wants.fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0) |
                                  (wants.fds[i].events & POLLPRI ? CURL_WAIT_POLLPRI : 0));
    }
    curl_multi_poll(multi, files, wants.count, wants.timeout_ms < 0 ? TIMEOUT_MS : wants.timeout_ms, NULL);
}

/* The number of questions that were answered. */
static int run(CURLM *multi)
{
    int answered = 0, running = 1, left;
    while (running > 0) {
        curl_multi_perform(multi, &running);
        for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
            CURLcode result = message->data.result; /* the message dies with its handle */
            char *data = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
            answered += finish(multi, (transfer *)(void *)data, result);
        }
        if (running > 0)
            sleep_until_ready(multi);
    }
    return answered;
}

static int ask_all(CURLM *multi, char **questions, int count, const char *url, struct curl_slist *headers)
{
    transfer *transfers = calloc((size_t)count, sizeof *transfers);
    for (int i = 0; transfers && i < count; i++) {
        transfers[i].question = questions[i];
        if (!begin(multi, &transfers[i], url, headers))
            fprintf(stderr, "curl_multi: out of memory\n");
    }
    int answered = transfers ? run(multi) : 0;
    for (int i = 0; transfers && i < count; i++) {
        curl_easy_cleanup(transfers[i].easy);
        free(transfers[i].body);
        free(transfers[i].reply);
    }
    free(transfers);
    return answered;
}

int main(int count, char **arguments)
{
    char url[1024], authorization[1024];
    snprintf(url, sizeof url, "%s/chat/completions", setting("OPENAI_BASE_URL", "https://api.openai.com/v1"));
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", setting("OPENAI_API_KEY", "none"));
    if (count < 2) {
        fprintf(stderr, "usage: curl_multi QUESTION...\n");
        return 2;
    }
    lf_init(&(lf_options){LF_OPTIONS_INIT, .worker = LF_OFF}); /* before the first observation */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct curl_slist *type = curl_slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *headers = type ? curl_slist_append(type, authorization) : NULL;
    CURLM *multi = curl_multi_init();
    int answered = headers && multi ? ask_all(multi, arguments + 1, count - 1, url, headers) : 0;
    curl_multi_cleanup(multi);
    curl_slist_free_all(type);
    return answered == count - 1 ? 0 : 1; /* from main: what is left is sent on the way out */
}
