/* What the tests of prompts share: a server of prompts with a script, and threads that ask it. */
#ifndef LF_TESTS_PROMPT_CASES_H
#define LF_TESTS_PROMPT_CASES_H

#include "cases.h"

#include "../../langfuse/prompt.h"
#include "../../src/base/base.h"

#define PROMPTS_PATH "/api/public/v2/prompts"

/* What the server does with questions for prompts; set it before asking. */
static struct {
    _Atomic int version;    /* of what it gives; 0: 1 */
    _Atomic int status;     /* 0: 200 with a prompt */
    _Atomic int manner;     /* fake_manner */
    _Atomic int fail_first; /* `status` and `manner` are for so many questions only; 0: for all */
    _Atomic int delay_ms;
    _Atomic int hold_first;              /* so many questions wait, their answers made, ... */
    _Atomic bool release;                /* ... until this is set */
    _Atomic(const char *) body;          /* instead of a prompt */
    _Atomic(const char *) prompt;        /* JSON of the prompt's text or messages; NULL: "<name> v<version>" */
    _Atomic(const char *) headers;
    size_t body_size;                    /* of `body` when it holds other than text */
    _Atomic int gets, posts, patches;
} script;

/* The answers' texts live as long as the process. */
typedef struct prompts_text {
    struct prompts_text *next;
    char text[];
} prompts_text;
static _Atomic(prompts_text *) prompts_texts;

static UNUSED char *prompts_room(size_t size)
{
    prompts_text *made = calloc(1, sizeof *made + size);
    made->next = atomic_load(&prompts_texts);
    while (!atomic_compare_exchange_weak(&prompts_texts, &made->next, made))
        continue;
    return made->text;
}

/* The name in a request line, as it stands there. */
static UNUSED void prompts_name(const fake_request *request, char *out, size_t room)
{
    const char *at = strstr(request->head, PROMPTS_PATH "/");
    size_t size = at == NULL ? 0 : strcspn(at += sizeof PROMPTS_PATH, "? \r\n");
    snprintf(out, room, "%.*s", (int)size, at == NULL ? "" : at);
}

static UNUSED const char *prompts_body(const char *name, int version, const char *prompt)
{
    size_t room = strlen(name) * 2 + (prompt == NULL ? 0 : strlen(prompt)) + 300;
    char *body = prompts_room(room);
    if (prompt == NULL)
        snprintf(body, room,
                 "{\"name\":\"%s\",\"version\":%d,\"type\":\"text\",\"prompt\":\"%s v%d\",\"config\":{\"t\":0.5},"
                 "\"labels\":[\"production\"],\"tags\":[\"a\",\"b\"],\"commitMessage\":null,\"resolutionGraph\":null}",
                 name, version, name, version);
    else
        snprintf(body, room, "{\"name\":\"%s\",\"version\":%d,\"prompt\":%s,\"config\":{},\"labels\":[],\"tags\":[]}", name,
                 version, prompt);
    return body;
}

static UNUSED fake_reply answer_prompts(fake_server *server, const fake_request *request)
{
    if (strstr(request->head, PROMPTS_PATH) == NULL)
        return take_all(server, request);
    if (strncmp(request->head, "POST", 4) == 0)
        atomic_fetch_add(&script.posts, 1);
    if (strncmp(request->head, "PATCH", 5) == 0)
        atomic_fetch_add(&script.patches, 1);
    int version = script.version == 0 ? 1 : script.version, first = script.fail_first, status = script.status,
        manner = script.manner;
    const char *body = script.body;
    fake_reply reply = {.headers = script.headers, .delay_ms = script.delay_ms};
    int number = strncmp(request->head, "GET", 3) == 0 ? atomic_fetch_add(&script.gets, 1) + 1 : 0;
    while (number != 0 && number <= script.hold_first && !script.release && !fake_stopping(server))
        sleep_ms(1);
    char name[4096];
    prompts_name(request, name, sizeof name);
    if (name[0] == '\0')
        snprintf(name, sizeof name, "made");
    name[strcspn(name, "/")] = '\0';
    bool fails = first == 0 || number <= first;
    reply.status = fails ? status : 0;
    reply.manner = fails ? (fake_manner)manner : FAKE_ANSWER;
    reply.body = body != NULL && fails ? body
                 : reply.status >= 300 ? "{\"message\":\"no\"}"
                                       : prompts_body(name, version, script.prompt);
    reply.body_size = body != NULL && fails ? script.body_size : 0;
    return reply;
}

/* A server, and the default client set up for it. */
static UNUSED fake_server *start_prompts(void)
{
    fake_server *server = fake_server_start(answer_prompts, NULL);
    CHECK(server != NULL);
    lf_options options = to_server(server->url);
    options.log = keep_line;
    CHECK_INT(lf_init(&options), LF_OK);
    return server;
}

static UNUSED void script_reset(void)
{
    script.status = script.manner = script.fail_first = script.delay_ms = script.hold_first = 0;
    script.body = script.prompt = NULL;
    script.headers = NULL;
    script.body_size = 0;
    script.release = false;
}

/* The nth request for a prompt that arrived, as its first line. */
static UNUSED bool asked_for(fake_server *server, const char *start)
{
    bool found = false;
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->request_count; i++)
        found = found || strncmp(server->requests[i].head, start, strlen(start)) == 0;
    pthread_mutex_unlock(&server->lock);
    return found;
}

/* ---- Asking ---- */

/* Get one, check where it came from and its version, and let it go. */
#define CHECK_GETS(from, wanted, ...)                    \
    do {                                                 \
        lf_prompt *check_p = lf_get_prompt(__VA_ARGS__); \
        CHECK(check_p != NULL);                          \
        CHECK_INT(check_p->source, from);                \
        CHECK_INT(check_p->version, wanted);             \
        lf_prompt_free(check_p);                         \
    } while (0)

typedef struct asker {
    pthread_t thread;
    const char *name;
    const char *fallback;
    int timeout_ms; /* 0: the default */
    int ttl;
    lf_prompt *prompt;
    lf_error error;
    _Atomic bool began, ended;
} asker;

static UNUSED void *ask(void *argument)
{
    asker *a = argument;
    a->began = true;
    a->prompt = lf_get_prompt(a->name, .fallback = a->fallback, .timeout_ms = a->timeout_ms == 0 ? -1 : a->timeout_ms,
                              .cache_ttl_ms = a->ttl * 1000, .max_retries = 0, .error = &a->error);
    a->ended = true;
    return NULL;
}

static UNUSED void ask_begin(asker *a)
{
    CHECK(pthread_create(&a->thread, NULL, ask, a) == 0);
    CHECK_SOON(a->began);
}

static UNUSED void ask_end(asker *a)
{
    CHECK(pthread_join(a->thread, NULL) == 0);
}

/* Time for a thread that has begun to get as far as it can: what it waits for cannot be seen from outside. */
static UNUSED void let_them_wait(void)
{
    sleep_ms(HARNESS_TSAN || HARNESS_ASAN || under_valgrind() ? 3000 : 300);
}

#endif
