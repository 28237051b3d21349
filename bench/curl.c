/* What langfuse/curl.h costs a program whose handles talk to something else: an option beside the same option of libcurl itself, and a
 * handle from its begin to its end. Nothing is sent. Each figure is the median of many bursts.
 */
#define LF_CURL_NO_NAMES
#include "langfuse/curl.h"
#include "timing.h"

#include <stdio.h>
#include <stdlib.h>

enum { BURST = 2000, ROUNDS = 301, OPTIONS = 6 };

static size_t take(char *bytes, size_t unit, size_t count, void *to)
{
    (void)bytes;
    (void)to;
    return unit * count;
}

/* The options of a small request, without those that libcurl itself copies. */
#define SET_OPTIONS(set, handle)                  \
    do {                                          \
        set(handle, CURLOPT_POSTFIELDS, "a=1");   \
        set(handle, CURLOPT_WRITEFUNCTION, take); \
        set(handle, CURLOPT_WRITEDATA, handle);   \
        set(handle, CURLOPT_TIMEOUT_MS, 1000L);   \
        set(handle, CURLOPT_NOSIGNAL, 1L);        \
        set(handle, CURLOPT_FOLLOWLOCATION, 0L);  \
    } while (0)

static CURL *plain, *watched;

static void set_plain(void)
{
    for (int i = 0; i < BURST; i++)
        SET_OPTIONS((curl_easy_setopt), plain);
}

static void set_watched(void)
{
    for (int i = 0; i < BURST; i++)
        SET_OPTIONS(lf_curl_easy_setopt, watched);
}

static void set_url_plain(void)
{
    for (int i = 0; i < BURST; i++)
        (curl_easy_setopt)(plain, CURLOPT_URL, "https://example.com/api/v1/orders?page=2");
}

static void set_url_watched(void)
{
    for (int i = 0; i < BURST; i++)
        lf_curl_easy_setopt(watched, CURLOPT_URL, "https://example.com/api/v1/orders?page=2");
}

enum { HANDLES = 20 };

static void handle_plain(void)
{
    for (int i = 0; i < HANDLES; i++) {
        CURL *handle = curl_easy_init();
        SET_OPTIONS((curl_easy_setopt), handle);
        curl_easy_cleanup(handle);
    }
}

static void handle_watched(void)
{
    for (int i = 0; i < HANDLES; i++) {
        CURL *handle = lf_curl_easy_init();
        SET_OPTIONS(lf_curl_easy_setopt, handle);
        lf_curl_easy_cleanup(handle);
    }
}

/* Nanoseconds of one of `count` calls. */
static double time_of(void (*run)(void), int count)
{
    double samples[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = thread_ns();
        run();
        samples[i] = (double)(thread_ns() - start) / count;
    }
    return median(samples, ROUNDS);
}

static void row(const char *what, void (*without)(void), void (*with)(void), int count)
{
    double before = time_of(without, count), after = time_of(with, count);
    printf("%-44s %9.1f %9.1f %+9.1f ns\n", what, before, after, after - before);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    plain = curl_easy_init();
    watched = lf_curl_easy_init();
    if (plain == NULL || watched == NULL)
        return 1;
    printf("%-44s %9s %9s %9s\n", "libcurl, to something else than a model", "without", "with", "more");
    row("an option", set_plain, set_watched, BURST * OPTIONS);
    row("the URL", set_url_plain, set_url_watched, BURST);
    row("a handle: begin, six options, end", handle_plain, handle_watched, HANDLES);
    curl_easy_cleanup(plain);
    lf_curl_easy_cleanup(watched);
    return 0;
}
