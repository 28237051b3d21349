/* What a cached prompt costs, beside a lock that nobody else wants, and with more readers; and what filling one in costs.
 *
 * A thread of ours is the server: it answers every question with the same prompt. `prompt --template` prints the template with
 * its variables, for bench/prompt_compile.py; `prompt FILE` compares with what that printed: nanoseconds, and the filled-in
 * text, which must be the same. Each figure but those of threads is the median of many bursts.
 */
#define _GNU_SOURCE
#include "langfuse/prompt.h"
#include "observe.h"
#include "timing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BURST = 4000, ROUNDS = 301, THREAD_HITS = 50 * BURST, THREAD_ROUNDS = 75, THREADS_MAX = 4 };
enum { TEMPLATE_SIZE = 1024, VARIABLES = 10 };

/* ---- The prompt: 1 KB of text with ten variables, and their values ---- */

static char template[TEMPLATE_SIZE + 1];
static char names[VARIABLES][16], values[VARIABLES][64];
static lf_member members[VARIABLES];

static void make_template(void)
{
    static const char words[] = "the model answers from what it was given and says where it found it ";
    size_t piece = TEMPLATE_SIZE / VARIABLES, at = 0;
    for (size_t i = 0; i < VARIABLES; i++) {
        snprintf(names[i], sizeof names[i], "variable_%zu", i);
        snprintf(values[i], sizeof values[i], "the value of number %zu", i);
        members[i] = (lf_member){names[i], lf_text(values[i])};
        while (at < i * piece + 60)
            at += (size_t)snprintf(template + at, 10, "%.9s", words + at % (sizeof words - 10));
        at += (size_t)snprintf(template + at, sizeof template - at, "{{%s}}", names[i]);
    }
    while (at < TEMPLATE_SIZE)
        template[at++] = '.';
}

static void print_template(void)
{
    printf("{\"prompt\": \"%s\", \"variables\": {", template);
    for (int i = 0; i < VARIABLES; i++)
        printf("%s\"%s\": \"%s\"", i == 0 ? "" : ", ", names[i], values[i]);
    puts("}}");
}

/* ---- The server ---- */

static void *serve(void *arg)
{
    int listener = (int)(intptr_t)arg;
    char body[TEMPLATE_SIZE + 256], answer[sizeof body + 256], question[8192];
    snprintf(body, sizeof body, "{\"name\":\"bench\",\"version\":1,\"type\":\"text\",\"prompt\":\"%s\",\"config\":{}}", template);
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            return NULL;
        if (recv(peer, question, sizeof question, 0) > 0) /* it is short and comes at once */
            (void)send(peer, answer, strlen(answer), MSG_NOSIGNAL);
        shutdown(peer, SHUT_WR);
        while (recv(peer, question, sizeof question, 0) > 0)
            continue;
        close(peer);
    }
}

static bool start_server(char *url, size_t room)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener) != 0)
        return false;
    pthread_detach(thread);
    snprintf(url, room, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return true;
}

/* ---- What is measured ---- */

static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;
static lf_prompt *kept;

static void run_mutex(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_mutex_lock(&alone);
        __asm__ volatile("" : : : "memory");
        pthread_mutex_unlock(&alone);
    }
}

static void run_hit(int count)
{
    for (int i = 0; i < count; i++)
        lf_prompt_free(lf_get_prompt("bench"));
}

static char *compile(void)
{
    lf_value variables = {.kind = LF_KIND_OBJECT, .as.p = members, .extra = VARIABLES};
    return lf_prompt_compile(kept, .variables = variables);
}

static void run_compile(int count)
{
    for (int i = 0; i < count; i++)
        free(compile());
}

/* Median ns per call. */
static double measure(void (*run)(int))
{
    static double samples[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns();
        run(BURST);
        samples[i] = (double)(now_ns() - start) / BURST;
    }
    return median(samples, ROUNDS);
}

static pthread_barrier_t barrier;
static uint64_t spans[THREADS_MAX][2];

static void *run_thread(void *arg)
{
    uint64_t *span = arg;
    run_hit(100);
    pthread_barrier_wait(&barrier);
    span[0] = now_ns();
    run_hit(THREAD_HITS);
    span[1] = now_ns();
    return NULL;
}

/* Hits a second of so many threads together, from the first's start to the last's end. The best round: in most of them some
 * other program of the machine has one of the processors for a while. */
static double measure_threads(int threads)
{
    double best = 0;
    for (int i = 0; i < THREAD_ROUNDS; i++) {
        pthread_t ids[THREADS_MAX];
        pthread_barrier_init(&barrier, NULL, (unsigned)threads);
        for (int t = 0; t < threads; t++)
            if (pthread_create(&ids[t], NULL, run_thread, spans[t]) != 0)
                exit(1);
        uint64_t start = UINT64_MAX, end = 0;
        for (int t = 0; t < threads; t++) {
            pthread_join(ids[t], NULL);
            start = spans[t][0] < start ? spans[t][0] : start;
            end = spans[t][1] > end ? spans[t][1] : end;
        }
        pthread_barrier_destroy(&barrier);
        double rate = threads * THREAD_HITS / ((double)(end - start) / 1e9);
        best = rate > best ? rate : best;
    }
    return best;
}

/* What bench/prompt_compile.py wrote. 0: it did not. */
static double python_ns(const char *path)
{
    char text[4 * TEMPLATE_SIZE] = "";
    double ns = 0;
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf\n", &ns) != 1 || fgets(text, sizeof text, file) == NULL)
        ns = 0;
    fclose(file);
    char *ours = compile();
    bool same = ns == 0 || (ours != NULL && strcmp(ours, text) == 0);
    free(ours);
    if (same)
        return ns;
    fprintf(stderr, "prompt: the Python SDK fills it in differently: %s\n", text);
    exit(1);
}

static void print_compile(const char *path)
{
    double ours = measure(run_compile), theirs = python_ns(path);
    printf("%-58s %8.1f ns\n", "filling in 1 KB with ten variables", ours);
    if (theirs > 0)
        printf("%-58s %8.1f ns %8.1f x\n", "the same by the Python SDK", theirs, theirs / ours);
    else
        printf("%-58s not measured\n", "the same by the Python SDK (make bench PYTHON_SDK=1)");
}

int main(int argc, char **argv)
{
    char url[64];
    make_template();
    if (argc > 1 && strcmp(argv[1], "--template") == 0) {
        print_template();
        return 0;
    }
    lf_options options = {LF_OPTIONS_INIT, .public_key = "pk-lf-bench", .secret_key = "sk-lf-bench", .base_url = url};
    if (!start_server(url, sizeof url) || lf_init(&options) != LF_OK)
        return 1;
    kept = lf_get_prompt("bench", .cache_ttl_ms = 86400 * 1000);
    if (kept == NULL || strcmp(kept->prompt, template) != 0)
        return 1;
    run_hit(BURST);
    double lock = measure(run_mutex), hit = measure(run_hit);
    printf("%-58s %8.1f ns\n", "locking and unlocking a mutex that nobody else wants", lock);
    printf("%-58s %8.1f ns %8.1f ns more\n", "a cached prompt: lf_get_prompt, lf_prompt_free", hit, hit - lock);
    double one = measure_threads(1);
    printf("%-58s %8.0f a second\n", "cached prompts, one thread", one);
    for (int threads = 2; threads <= THREADS_MAX; threads *= 2) {
        double all = measure_threads(threads);
        printf("cached prompts, %d threads %32s %8.0f a second %5.2f x\n", threads, "", all, all / one);
    }
    print_compile(argc > 1 ? argv[1] : NULL);
    lf_prompt_free(kept);
    lf_shutdown(1000);
    return 0;
}
