/* One trace through two programs, the calling one: asks the server, and tells it where in the trace the question belongs.
 *
 *     client URL CITY...
 */
#include "observe.h"

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct body {
    char text[256];
    size_t size;
} body;

/* What does not fit ends the transfer. */
static size_t receive(char *bytes, size_t one, size_t count, void *data)
{
    body *b = data;
    (void)one;
    if (count >= sizeof b->text - b->size)
        return 0;
    memcpy(b->text + b->size, bytes, count);
    b->size += count;
    b->text[b->size] = '\0';
    return count;
}

static bool get(CURL *curl, const char *url, body *out)
{
    OBSERVE_TOOL(url);
    struct curl_slist *headers = lf_inject_curl(NULL); /* traceparent and baggage: `answer` there becomes a child of this */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    CURLcode result = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    if (result != CURLE_OK) {
        OBSERVE_ERROR("%s", curl_easy_strerror(result));
        return false;
    }
    OBSERVE_OUTPUT(out->text);
    return true;
}

static bool ask(CURL *curl, const char *server, const char *city)
{
    OBSERVE_CHAIN(city);
    char *escaped = curl_easy_escape(curl, city, 0), url[512];
    if (escaped == NULL)
        return false;
    snprintf(url, sizeof url, "%s/?city=%s", server, escaped);
    curl_free(escaped);
    body answer = {.size = 0};
    bool good = get(curl, url, &answer);
    printf("%s: %s\n", city, good ? answer.text : "no answer");
    OBSERVE_RETURN(good);
}

/* Attributes go to the server only because of .as_baggage, readable for everybody on the way. */
static int run(const char *server, char **cities, int count)
{
    OBSERVE_WITH((.name = "weather"), count);
    OBSERVE_ATTRIBUTES(.user_id = "user_123", .session_id = "session_abc", .tags = LF_TAGS("demo", "two programs"),
                       .as_baggage = LF_ON);
    int failed = 0;
    CURL *curl = curl_easy_init();
    for (int i = 0; curl && i < count; i++)
        failed += !ask(curl, server, cities[i]);
    curl_easy_cleanup(curl);
    return curl && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fputs("usage: client URL CITY...\n", stderr);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = run(arguments[1], arguments + 2, count - 2);
    curl_global_cleanup();
    return status;
}
