/* Every macro in every place where a scope can stand. The same text compiles as C and, included by macros.cpp, as C++. */
#include <stdio.h>
#include <stdlib.h>

#include "llama.h"

#include "langfuse/llama.h"
#include "langfuse/model.h"
#include "langfuse/openai.h"
#include "langfuse/prompt.h"
#include "langfuse/score.h"
#include "observe.h"

static int add(int a, int b)
{
    return a + b;
}

static void note(const char *text)
{
    (void)text;
}

static int nothing(void)
{
    return 0;
}

static __attribute__((unused)) struct llama_context *i_am_a_context(struct llama_context *ctx)
{
    return ctx;
}

void every_macro(const char *prompt, int n);
void every_macro(const char *prompt, int n)
{
    OBSERVE(prompt, n);
    OBSERVE_GENERATION(prompt, n);
    OBSERVE_AGENT(prompt, n);
    OBSERVE_TOOL(prompt, n);
    OBSERVE_CHAIN(prompt, n);
    OBSERVE_RETRIEVER(prompt, n);
    OBSERVE_EVALUATOR(prompt, n);
    OBSERVE_EMBEDDING(prompt, n);
    OBSERVE_GUARDRAIL(prompt, n);
    OBSERVE_WITH((.name = "llm-call"), prompt);
    OBSERVE_OUTPUT(n);
    OBSERVE_ERROR("bad status %d", n);
    OBSERVE_ERROR("plain");
    lf_update_current_observation(.name = "x", .usage_details = LF_OBJECT("input", 5, "output", 7), .level = LF_LEVEL_DEBUG);
}

void no_arguments(void);
void no_arguments(void)
{
    OBSERVE();
    OBSERVE_GENERATION();
    OBSERVE_AGENT();
    OBSERVE_TOOL();
    OBSERVE_CHAIN();
    OBSERVE_RETRIEVER();
    OBSERVE_EVALUATOR();
    OBSERVE_EMBEDDING();
    OBSERVE_GUARDRAIL();
    OBSERVE_WITH((.type = LF_TOOL));
    OBSERVE_WITH(());
    lf_update_current_observation();
}

/* Calls of the core stand wherever an expression can; what is only named in them counts as used. */
void of_the_core(const char *text, size_t size, int tokens, const char *version, lf_type type);
void of_the_core(const char *text, size_t size, int tokens, const char *version, lf_type type)
{
    OBSERVE_WITH((.type = type));
    char id[LF_TRACE_ID_SIZE];
    if (lf_current_trace_id(id))
        lf_update_current_observation(.usage_details = LF_OBJECT("input", tokens), .version = version);
    else
        lf_output_append(text, size);
}

void sixteen(int a);
void sixteen(int a)
{
    OBSERVE(a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a);
    OBSERVE_WITH((.name = "n"), a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a);
}

void options(const char *id, lf_switch how);
void options(const char *id, lf_switch how)
{
    OBSERVE_WITH((.type = LF_GENERATION, .name = "any order", .capture_output = how, .capture_input = LF_OFF), id);
    OBSERVE_WITH((.trace_id = id, .parent_observation_id = id != NULL ? "00f067aa0ba902b7" : NULL), id, how);
}

int shapes_of_arguments(int *p, int (*f)(int, int), struct lf_scope *scope);
int shapes_of_arguments(int *p, int (*f)(int, int), struct lf_scope *scope)
{
    OBSERVE((*p), *p, p[0], -1, "a, b", ',', (*f)(1, 2), f(1, 2), (p), !p, &p, scope->words, sizeof *p, sizeof(int), p + 1);
    OBSERVE_RETURN((*f)(1, 2) + f(3, 4) /* , */);
}

void two_on_one_line(int a);
void two_on_one_line(int a)
{
    OBSERVE(a);
    OBSERVE_TOOL(a);
    OBSERVE_OUTPUT(a); /* of one line */
    {
        OBSERVE(a);
        {
            OBSERVE(a);
        }
    }
    {
        OBSERVE(a);
    }
}

int nested(int a);
int nested(int a)
{
    OBSERVE(a);
    if (a > 1) {
        OBSERVE(a);
        if (a > 2) {
            OBSERVE_TOOL(a);
            OBSERVE_RETURN(1);
        }
        OBSERVE_OUTPUT(a);
    } else {
        OBSERVE_CHAIN();
    }
    if (a == 0)
        OBSERVE_RETURN(2);
    else
        OBSERVE_OUTPUT(3);
    OBSERVE_RETURN(a > 5 ? a : 0);
}

int recursive(int n);
int recursive(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN(n <= 1 ? 1 : n * recursive(n - 1));
}

int in_switch(int way);
int in_switch(int way)
{
    OBSERVE(way);
    switch (way) {
    case 1: {
        OBSERVE_TOOL(way);
        break;
    }
    case 2: {
        OBSERVE_AGENT(way);
        OBSERVE_RETURN(2);
    }
    case 3: OBSERVE_RETURN(3);
    case 4: OBSERVE_OUTPUT(4); break;
    default: {
        OBSERVE_CHAIN();
        OBSERVE_OUTPUT(way);
    }
    }
    return 0;
}

void in_loops(int n);
void in_loops(int n)
{
    for (int i = 0; i < n; i++) {
        OBSERVE(i);
        if (i == 1)
            continue;
        if (i == 2)
            break;
    }
    while (n-- > 0) {
        OBSERVE_TOOL(n);
    }
    do {
        OBSERVE_CHAIN(n);
    } while (n++ < 0);
}

int with_goto(int n);
int with_goto(int n)
{
again:
    {
        OBSERVE(n);
        if (n-- > 0)
            goto again;
        if (n < -5)
            goto out;
    }
out:
    return n;
}

static inline int static_inline(int a)
{
    OBSERVE(a);
    OBSERVE_RETURN(a + 1);
}

/* clang -Wpedantic wants no static functions, ours among them, in what is both inline and external. */
#if defined __cplusplus
inline int extern_inline(int a)
#elif defined __clang__
static inline int extern_inline(int a)
#else
extern inline int extern_inline(int a);
extern inline int extern_inline(int a)
#endif
{
    OBSERVE(a);
    OBSERVE_RETURN(static_inline(a));
}

int uses_inline(int a);
int uses_inline(int a)
{
    return extern_inline(a);
}

int calls(int a);
int calls(int a)
{
    OBSERVE(a);
    OBSERVE_CALL(note, "x");
    OBSERVE_CALL(add, a, 1);
    OBSERVE_CALL(nothing);
    int sum = OBSERVE_CALL(add, a, OBSERVE_CALL(add, 1, OBSERVE_CALL(nothing)));
    if (OBSERVE_CALL(nothing))
        OBSERVE_CALL(note, "y");
    char *copy = OBSERVE_CALL(getenv, "HOME");
    OBSERVE_CALL(free, copy);
    int (*pointer)(int, int) = add;
    OBSERVE_RETURN(sum + (copy != NULL) + OBSERVE_CALL(pointer, 1, 2) + OBSERVE_CALL(add, 1, 2) + OBSERVE_CALL(add, 1, 2));
}

OBSERVE_FN(const char *, decorated, (const char *, question), (int, top_k))
{
    return top_k > 1 ? question : "none";
}

static OBSERVE_FN(int, decorated_static, (int, n))
{
    return n > 0 ? decorated_static(n - 1) : 0;
}

OBSERVE_FN(int, decorated_empty)
{
    return 1;
}

OBSERVE_GENERATION_FN(double, decorated_generation, (double, temperature))
{
    return temperature;
}

static OBSERVE_VOID_FN(decorated_void, (const char *, text))
{
    note(text);
}

OBSERVE_VOID_FN(decorated_void_empty)
{
    decorated_void("x");
}

OBSERVE_FN_WITH((.name = "fn", .type = LF_GENERATION, .capture_input = LF_OFF), int, decorated_with, (int, a), (int, b))
{
    return a + b + decorated_static(1);
}

static OBSERVE_FN(int, decorated_sixteen, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f), (int, g), (int, h), (int, i),
                  (int, j), (int, k), (int, l), (int, m), (int, n), (int, o), (int, p))
{
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p;
}

int uses_sixteen(void);
int uses_sixteen(void)
{
    return decorated_sixteen(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
}

void *contexts(lf_context *context);
void *contexts(lf_context *context)
{
    OBSERVE_CONTEXT(context);
    OBSERVE();
    {
        OBSERVE_CONTEXT(NULL);
        OBSERVE_TOOL();
        OBSERVE_CAUGHT();
    }
    OBSERVE_CAUGHT(), OBSERVE_OUTPUT(1);
    OBSERVE_RETURN(context);
}

/* Two in a block, on one line, in blocks in expressions; a catch outside of all scopes. */
int blocks(int a);
int blocks(int a)
{
    OBSERVE_CAUGHT();
    if (a > 0) {
        OBSERVE(a);
        OBSERVE_TOOL(a);
        OBSERVE_ATTRIBUTES(.user_id = "u");
        a += __extension__({
            OBSERVE(a);
            OBSERVE_CHAIN();
            1;
        });
        OBSERVE_CAUGHT();
    }
    for (int i = 0; i < a; i++) {
        OBSERVE(i);
        switch (i) {
        case 1: {
            OBSERVE_TOOL(i);
            OBSERVE_CAUGHT();
            break;
        }
        default: OBSERVE_OUTPUT(i);
        }
    }
    return a;
}

void attributes(const char *user, const char *tag, bool baggage, lf_value metadata);
void attributes(const char *user, const char *tag, bool baggage, lf_value metadata)
{
    OBSERVE_ATTRIBUTES();
    OBSERVE_ATTRIBUTES(.user_id = user);
    OBSERVE_ATTRIBUTES(.user_id = user, .session_id = "s", .version = "1", .trace_name = "n", .environment = "qa",
                       .tags = LF_TAGS("a", tag), .metadata = LF_OBJECT("plan", "pro", "seats", 3), .prompt_name = "p",
                       .prompt_version = 2, .as_baggage = baggage ? LF_ON : LF_OFF);
    OBSERVE_ATTRIBUTES(.as_baggage = LF_ON, .metadata = metadata, .user_id = user != NULL ? user : "nobody");
    for (int i = 0; i < 2; i++) {
        OBSERVE_ATTRIBUTES(.session_id = tag);
        OBSERVE(i);
        OBSERVE_ATTRIBUTES(.tags = LF_TAGS("one"));
    }
}

void updates_of_the_trace(const char *user, lf_client *client);
void updates_of_the_trace(const char *user, lf_client *client)
{
    lf_update_current_trace();
    lf_update_current_trace(.user_id = user, .name = "n", .session_id = "s", .version = "1", .release = "r",
                            .tags = LF_TAGS(user, "b"), .metadata = LF_OBJECT("a", 1), .input = LF_VALUE(user),
                            .output = LF_VALUE(2), .public_ = LF_ON);
    if (user == NULL)
        lf_update_current_trace(.trace_id = "order-1", .client = client, .public_ = LF_OFF);
    else
        lf_update_current_trace(.public_ = LF_ON);
}

/* What returns a handle may be used or not, as a statement and as part of an expression. */
lf_observation *handles(const char *prompt, lf_observation *parent, int tokens, lf_client *client);
lf_observation *handles(const char *prompt, lf_observation *parent, int tokens, lf_client *client)
{
    lf_start_observation();
    lf_start_observation(.name = "n");
    lf_start_as_current_observation(.name = "n", .type = LF_AGENT);
    lf_create_event(.name = "moment", .input = LF_VALUE(prompt));
    (void)lf_create_event(.parent = parent);
    lf_observation *o = lf_start_observation(.name = prompt, .type = LF_GENERATION, .parent = parent, .input = LF_VALUE(prompt));
    lf_observation *current = lf_start_as_current_observation(.name = "v2", .trace_id = "order-1",
                                                              .parent_observation_id = "span-1", .id = "span-2", .start_time_ns = 1,
                                                              .client = client);
    lf_observation_update(o);
    lf_observation_update(o, .usage = LF_OBJECT("prompt_tokens", tokens), .prompt_name = "p", .prompt_version = 1);
    lf_observation_output_append(o, prompt, 1);
    if (tokens > 0)
        lf_observation_update(current, .level = LF_LEVEL_WARNING, .status_message = prompt);
    else
        lf_observation_end(current);
    lf_observation_end(lf_start_observation(.name = "short"), .output = LF_VALUE(tokens), .end_time_ns = 2);
    lf_observation_end(tokens > 1 ? o : parent);
    return tokens > 2 ? lf_create_event(.name = "e") : lf_start_observation(.parent = o, .cost_details = LF_OBJECT("total", 0.1));
}

int handles_ids(const lf_observation *o);
int handles_ids(const lf_observation *o)
{
    char trace[LF_TRACE_ID_SIZE], id[LF_OBSERVATION_ID_SIZE];
    return lf_observation_trace_id(o, trace) && lf_observation_id(o, id) && trace[0] != id[0];
}

lf_status scores(const char *trace, const lf_observation *o, double value, lf_client *client);
lf_status scores(const char *trace, const lf_observation *o, double value, lf_client *client)
{
    lf_create_score();
    lf_create_score(.name = "accuracy", .value = value, .trace_id = trace, .observation_id = "span-1", .comment = "c", .id = "s-1",
                    .config_id = "c-1", .metadata = LF_OBJECT("by", "rule"), .environment = "qa", .timestamp_ns = 1);
    lf_create_score(.name = "feedback", .string_value = "helpful", .session_id = "s", .client = client);
    (void)lf_create_score(.name = "run", .value = 1, .data_type = LF_SCORE_BOOLEAN, .dataset_run_id = "r");
    lf_score_current_observation(.name = "tone", .string_value = "kind", .data_type = LF_SCORE_CATEGORICAL);
    if (lf_score_current_trace(.name = "overall", .value = 1) != LF_OK)
        lf_score_current_trace(.name = "overall", .value = 0);
    else
        lf_create_score(.name = "text", .string_value = trace, .data_type = LF_SCORE_TEXT, .observation = o);
    return lf_create_score(.name = "correction", .string_value = "42", .data_type = LF_SCORE_CORRECTION, .observation = o);
}

/* Prompts: by every field, as a statement and as part of an expression, and given to what uses them. */
const char *prompts(const char *name, lf_client *client, lf_value history);
const char *prompts(const char *name, lf_client *client, lf_value history)
{
    lf_error error;
    lf_prompt_free(lf_get_prompt(name));
    lf_prompt_free(lf_get_prompt("literal, with a comma"));
    lf_prompt *p = lf_get_prompt(name, .label = "staging", .cache_ttl_ms = 0, .fallback = "Hi {{name}}", .timeout_ms = 100,
                                 .max_retries = 0, .client = client, .error = &error);
    lf_prompt *q = p != NULL ? lf_get_prompt(name != NULL ? name : "x", .version = p->version) : NULL;
    lf_prompt *chat = lf_get_prompt(name, .fallback_messages = LF_ARRAY(history, LF_OBJECT("role", "user", "content", name)));
    char *text = lf_prompt_compile(p);
    free(text);
    text = lf_prompt_compile(q, .variables = LF_OBJECT("name", name, "n", 3));
    free(text);
    char *messages = lf_prompt_compile_messages(chat, .variables = lf_json("{}"), .placeholders = LF_OBJECT("history", history));
    if (messages == NULL)
        messages = lf_prompt_compile_messages(chat);
    else
        free(lf_prompt_compile_messages(p, .placeholders = LF_OBJECT("history", history)));
    free(messages);
    struct cJSON *json = lf_prompt_compile_json(chat, .variables = LF_OBJECT("name", name));
    const struct cJSON *other = lf_prompt_compile_json(chat);
    free(lf_prompt_to_single_braces(p));
    OBSERVE_ATTRIBUTES(.prompt = p);
    OBSERVE_GENERATION(p->version, json != NULL, other == NULL);
    lf_update_current_observation(.prompt = p, .input = lf_json(p->prompt));
    lf_observation_end(lf_start_observation(.name = "n", .prompt = chat), .output = LF_VALUE(chat->variables[0]));
    lf_prompt_free(q);
    lf_prompt_free(chat);
    lf_prompt_free(p);
    OBSERVE_RETURN(name);
}

lf_model_call *models(const char *url, const char *body, lf_client *client, const lf_prompt *prompt);
lf_model_call *models(const char *url, const char *body, lf_client *client, const lf_prompt *prompt)
{
    lf_model_end(lf_model_begin(.url = url, .body = body));
    lf_model_end(lf_model_begin(), );
    lf_model_call *call = lf_model_begin(.url = url, .body = body, .body_size = 0, .name = "ask", .metadata = LF_OBJECT("try", 1),
                                         .capture_io = LF_OFF, .prompt = prompt, .client = client);
    lf_model_call *next = lf_model_begin(.url = url, .parent = lf_model_observation(call));
    lf_model_reply(call, body, 1);
    lf_model_reply_at(next, body, 1, 2);
    if (call != next)
        lf_model_end(call, .http_status = 429, .error = "busy", .metadata = LF_OBJECT("again", lf_bool(true)));
    else
        lf_model_end(call, .cancelled = LF_ON, .unread_bytes = 5, .end_time_ns = 1);
    lf_model_end(next != NULL ? next : call);
    return next;
}

lf_status writing_prompts(const char *name, lf_client *client, lf_value message);
lf_status writing_prompts(const char *name, lf_client *client, lf_value message)
{
    static const char *const names[] = {"a", "b"};
    lf_error error;
    lf_prompt_free(lf_create_prompt(.name = name, .prompt = "Hi {{name}}"));
    lf_prompt *p = lf_create_prompt(.name = name, .messages = LF_ARRAY(message), .labels = LF_TAGS("production", name),
                                    .tags = LF_TAGS("t"), .config = LF_OBJECT("model", "m"), .commit_message = "why",
                                    .timeout_ms = 100, .client = client, .error = &error);
    lf_prompt_free(p);
    lf_update_prompt(.name = name, .version = 1, .new_labels = LF_TAGS("production"));
    (void)lf_update_prompt(.name = name, .version = 2, .new_labels = LF_TAGS("a"), .timeout_ms = 1, .client = client,
                           .error = &error);
    if (lf_update_prompt(.name = name, .version = 3) != LF_OK)
        lf_invalidate_prompt(name);
    else
        lf_clear_prompt_cache();
#ifdef __cplusplus /* names in initializers are of C++20 */
    lf_prompt_query query = {};
    query.struct_size = sizeof query;
    query.client = client;
#else
    const lf_prompt_query query = {LF_PROMPT_QUERY_INIT, .client = client};
#endif
    lf_prompt_free(lf_get_prompt_with(name, &query));
    return lf_prefetch_prompts(names, sizeof names / sizeof names[0], 0);
}

const char *with_llama(struct llama_context *ctx, const char *prompt, int n);
const char *with_llama(struct llama_context *ctx, const char *prompt, int n)
{
    OBSERVE_LLAMA(ctx, prompt, n + 1);
    for (int i = 0; i < n; i++) {
        OBSERVE_LLAMA(ctx);
        if (i == 3)
            continue;
        OBSERVE_OUTPUT(i);
    }
    switch (n) {
    case 1: {
        OBSERVE_LLAMA(i_am_a_context(ctx), LF_OBJECT("n", n));
        break;
    }
    default: lf_output_append(prompt, 1);
    }
    OBSERVE_RETURN(prompt);
}

/* A chat model: by every field, as a statement and as part of an expression. */
bool on_text(void *data, const char *text, size_t size);
size_t chat(const char *text, lf_client *client, lf_observation *parent, const lf_prompt *prompt);
size_t chat(const char *text, lf_client *client, lf_observation *parent, const lf_prompt *prompt)
{
    lf_error error;
    lf_reply_free(lf_openai_chat(.messages = LF_VALUE(text)));
    lf_reply *reply = lf_openai_chat(.model = "m", .messages = LF_ARRAY(LF_OBJECT("role", "user", "content", text)),
                                     .tools = LF_ARRAY(LF_OBJECT("type", "function")), .parameters = LF_OBJECT("n", 2),
                                     .prompt = prompt, .on_text = on_text, .on_text_data = &error, .base_url = "http://x/v1",
                                     .api_key = "k", .timeout_ms = 100, .max_retries = 0, .name = "judge", .parent = parent,
                                     .tracing = LF_OFF, .client = client, .error = &error);
    size_t size = reply != NULL && reply->tool_calls == NULL && !reply->is_cancelled ? reply->text_size + reply->json_size : 0;
    OBSERVE(size);
    lf_update_current_observation(.output = LF_VALUE(reply != NULL ? reply->message : NULL));
    lf_reply_free(reply);
    OBSERVE_RETURN(size);
}

/* Used by nothing else: neither on nor off may this warn. */
int used_only_here(int a, int unused_but_observed);
int used_only_here(int a, int unused_but_observed)
{
    OBSERVE(a, unused_but_observed);
    return 0;
}
