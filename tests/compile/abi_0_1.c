/* What the object file of a program has that was compiled against version 0.1: its structs, and the calls that its macros made.
 * Written out by hand, without a header of the library. symbols_0_1.txt lists all symbols of 0.1; the calls here are those of
 * them that the library still has. run.sh links this program with the libraries of today, and checks what it records.
 *
 * argv[1] is the size that the options tell: that of the first commits of 0.1 ("first"), that of its last ("last"), or none ("0"),
 * which means the last.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : (fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition), exit(1)))

/* ---- Version 0.1 ------------------------------------------------------------------------------------------------------ */

struct error {
    int status, http_status;
    char message[256];
};

struct value {
    uint16_t kind, element;
    uint32_t element_size;
    union {
        int64_t i;
        const void *p;
    } as;
    uint64_t extra;
};

enum { KIND_INT = 3, KIND_CSTRING = 10 };

struct masked {
    const char *field, *text;
    size_t size;
    bool is_json;
    void *replacement;
};

struct options {
    size_t struct_size;
    const char *public_key, *secret_key, *base_url, *environment, *release, *exporter, *protocol;
    int tracing, capture_io, debug, flush_at, flush_interval_ms, timeout_ms, exit_timeout_ms;
    size_t max_queue_bytes, max_batch_bytes, max_event_bytes;
    const char *ca_file, *ca_path, *client_certificate, *client_key, *proxy;
    int insecure;
    const char *const *headers;
    void (*log)(void *data, const char *line);
    void *log_data;
    void (*curl_hook)(void *data, void *curl);
    void *curl_hook_data;
    double sample_rate;
    bool (*mask)(void *data, struct masked *value);
    void *mask_data;
};

struct site {
    uint32_t version, id;
    const char *function, *file, *arguments;
    uint32_t line;
    uint16_t type, count;
    const char *around;
    uint64_t at;
    uint32_t depth;
};

struct scope {
    uint64_t words[4];
};

struct curl_slist {
    char *data;
    struct curl_slist *next;
};
void curl_slist_free_all(struct curl_slist *list);

extern int lf_i_mode_word;
int lf_i_mode_unknown(void);
void lf_i_open(struct scope *scope, struct site *site, const struct value *arguments, uintptr_t stack_pointer);
void lf_i_open_context(struct scope *scope, struct site *site, const void *context, uintptr_t stack_pointer);
void lf_i_close(struct scope *scope);
void lf_i_put_result(struct scope *scope, const struct value *value);
void lf_i_put_return(const char *around, uint64_t at, const struct value *value);
void lf_i_put_output(const char *around, uint64_t at, const struct value *value);
void lf_i_put_error(const char *around, uint64_t at, const char *format, ...);
void lf_i_caught(const char *around, uint64_t at, uintptr_t stack_pointer, uintptr_t frame_top);
int lf_init(const struct options *options);
int lf_flush(int timeout_ms);
int lf_shutdown(int timeout_ms);
int lf_auth_check(int timeout_ms, struct error *error);
void *lf_client_new(const struct options *options);
void lf_client_free(void *client);
bool lf_mask_replace(struct masked *value, const char *text, size_t size, bool is_json);
void lf_output_append(const char *text, size_t size);
bool lf_current_trace_id(char out_id[33]);
bool lf_current_observation_id(char out_id[17]);
void lf_create_trace_id(const char *seed, char out_id[33]);
char *lf_trace_url(const char *trace_id, int timeout_ms);
void *lf_context_copy(void);
void lf_context_free(void *context);
void *lf_context_run(void *context, void *(*fn)(void *), void *arg);
int lf_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg);
int lf_inject(void (*set)(void *data, const char *name, const char *value), void *data);
struct curl_slist *lf_inject_curl(struct curl_slist *headers);
void *lf_extract(const char *(*get)(void *data, const char *name), void *data);
void *lf_extract_environment(void);
void lf_observation_output_append(void *observation, const char *text, size_t size);
bool lf_observation_trace_id(const void *observation, char out_id[33]);
bool lf_observation_id(const void *observation, char out_id[17]);
void lf_prompt_free(void *prompt);
char *lf_prompt_to_single_braces(const void *prompt);
void lf_invalidate_prompt(const char *name);
void lf_clear_prompt_cache(void);

#define AT(block, order) ((uint64_t)(block) << 32 | (order))
#define SITE(function, arguments, count, order) {1, 0, function, __FILE__, arguments, __LINE__, 1, count, __func__, AT(1, order), 1}
#define NOINLINE __attribute__((noinline))

static inline __attribute__((always_inline)) uintptr_t stack_pointer(void)
{
    uintptr_t pointer = 0; /* unknown */
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %0" : "=r"(pointer));
#elif defined(__aarch64__)
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#endif
    return pointer;
}

static int mode(void)
{
    int word = __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED);
    return word == 0 ? lf_i_mode_unknown() : word;
}

static struct value text(const char *text)
{
    return (struct value){.kind = KIND_CSTRING, .as.p = text};
}

static struct value number(int64_t number)
{
    return (struct value){.kind = KIND_INT, .as.i = number};
}

/* ---- The program ------------------------------------------------------------------------------------------------------ */

static char traceparent[64];
static char log_text[4096];
static int header_count;

static NOINLINE void *observed(void *name)
{
    static struct site site = SITE("observed", "name", 1, 1);
    struct scope scope = {{0}};
    struct value argument = text(name);
    lf_i_open(&scope, &site, &argument, stack_pointer());
    struct value output = text("secret");
    lf_i_put_result(&scope, &output);
    lf_i_close(&scope);
    return NULL;
}

static void set(void *data, const char *name, const char *value)
{
    (void)data;
    header_count++;
    if (strcmp(name, "traceparent") == 0)
        snprintf(traceparent, sizeof traceparent, "%s", value);
}

static const char *get(void *data, const char *name)
{
    (void)data;
    return strcmp(name, "traceparent") == 0 ? traceparent : NULL;
}

static bool mask(void *data, struct masked *value)
{
    CHECK(strcmp(data, "of the mask") == 0);
    if (value->size == 6 && memcmp(value->text, "secret", 6) == 0)
        return lf_mask_replace(value, "masked", 6, false);
    return true;
}

static void take_line(void *data, const char *line)
{
    CHECK(strcmp(data, "of the log") == 0);
    strncat(log_text, line, sizeof log_text - strlen(log_text) - 1);
}

static NOINLINE void continue_elsewhere(void)
{
    static struct site continuing = SITE("continue_elsewhere", "", 0, 2);
    pthread_t thread;
    char id[33];
    void *context = lf_context_copy();
    CHECK(context != NULL);
    lf_context_run(context, observed, "run");
    lf_context_free(context);
    CHECK(lf_thread_create(&thread, NULL, observed, "thread") == 0 && pthread_join(thread, NULL) == 0);
    CHECK(lf_inject(set, NULL) == header_count && header_count >= 1 && strlen(traceparent) == 55);
    struct curl_slist *list = lf_inject_curl(NULL);
    CHECK(list != NULL && strncasecmp(list->data, "traceparent: ", 13) == 0);
    curl_slist_free_all(list);
    context = lf_extract(get, NULL);
    CHECK(context != NULL);
    struct scope scope = {{0}};
    lf_i_open_context(&scope, &continuing, context, stack_pointer());
    observed("extracted");
    lf_i_close(&scope);
    lf_context_free(context);
    lf_context_free(lf_extract_environment());
    CHECK(!lf_observation_trace_id(NULL, id) && !lf_observation_id(NULL, id));
    lf_observation_output_append(NULL, "x", 1);
}

static NOINLINE void answer(void)
{
    static struct site site = SITE("answer", "question, n", 2, 1);
    char trace_id[33], id[33];
    struct scope scope = {{0}};
    CHECK(mode() == 3);
    lf_i_open(&scope, &site, (struct value[]){text("why"), number(41)}, stack_pointer());
    CHECK(scope.words[0] != 0);
    CHECK(lf_current_trace_id(trace_id) && strlen(trace_id) == 32 && lf_current_observation_id(id) && strlen(id) == 16);
    CHECK(lf_trace_url(NULL, 0) == NULL);
    continue_elsewhere();
    lf_i_caught(__func__, AT(1, 3), stack_pointer(), (uintptr_t)__builtin_frame_address(0));
    struct value early = text("early"), late = number(42);
    lf_i_put_output(__func__, AT(1, 4), &early);
    lf_i_put_error(__func__, AT(1, 5), "%d of %s", 7, "nine");
    lf_i_put_return(__func__, AT(1, 6), &late);
    lf_i_close(&scope);
    static struct site streaming = SITE("stream", "", 0, 7);
    lf_i_open(&scope, &streaming, NULL, stack_pointer());
    lf_output_append("one ", 4);
    lf_output_append("two", 3);
    lf_i_close(&scope);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    /* The last commits of 0.1 had four options more. What stands behind a struct is never zero. */
    struct given {
        struct options first;
        int max_handles;
        size_t max_handle_bytes;
        int log_level;
        const char *secret_key_file;
        unsigned char behind[256];
    } given;
    memset(&given, 0x02, sizeof given);
    given.first = (struct options){
        .environment = "staging",
        .release = "r1",
        .exporter = getenv("LANGFUSE_EXPORTER"),
        .tracing = 1,
        .capture_io = 1,
        .debug = 1,
        .flush_at = 4,
        .exit_timeout_ms = 20000,
        .max_queue_bytes = 8 << 20,
        .log = take_line,
        .log_data = "of the log",
        .sample_rate = 1,
        .mask = mask,
        .mask_data = "of the mask",
    };
    if (strcmp(argv[1], "first") == 0)
        given.first.struct_size = sizeof given.first;
    if (strcmp(argv[1], "last") == 0)
        given.first.struct_size = offsetof(struct given, behind);
    if (strcmp(argv[1], "first") != 0) {
        given.max_handles = 64;
        given.max_handle_bytes = 1 << 20;
        given.log_level = 4;
        given.secret_key_file = NULL;
        given.first.debug = 0;
    }
    char id[33];
    struct error error = {.status = 99};
    CHECK(lf_init(&given.first) == 0);
    lf_create_trace_id("seed", id);
    CHECK(strcmp(id, "19b25856e1c150ca834cffc8b59b23ad") == 0);
    answer();
    CHECK(strstr(log_text, "headers of version 0.1.0") != NULL);
    CHECK(lf_auth_check(1, &error) < 0 && error.status < 0 && error.message[0] != '\0');
    lf_prompt_free(NULL);
    CHECK(lf_prompt_to_single_braces(NULL) == NULL);
    lf_invalidate_prompt("none");
    lf_clear_prompt_cache();
    given.first.tracing = 2;
    lf_client_free(lf_client_new(&given.first));
    CHECK(strstr(log_text, "max_handle") == NULL);
    CHECK(lf_flush(20000) == 0);
    lf_shutdown(20000);
    return 0;
}
