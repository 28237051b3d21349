#define _GNU_SOURCE
#include "prompt.h"

#include "../src/ask/prompt_cache.h"
#include "../src/ask/rest.h"
#include "../src/base/clients.h"
#include "../src/base/config.h"
#include "../src/base/struct_size.h"
#include "../src/base/guest.h"
#include "../src/base/json.h"
#include "../src/base/once.h"
#include "../src/base/value.h"
#include "../src/deliver/worker.h"
#include "../src/life/life.h"
#include "../src/observe/capture.h"
#include "../src/observe/prompt_link.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PROMPT_RETRIES = 2, /* as the other SDKs */
    PROMPT_RETRIES_MAX = 4,
    PROMPT_PREFETCH_MS = 5000,
    PROMPT_JSON_MAX = 64 << 20,  /* a compiled prompt, or a value that goes into one */
    PROMPT_NAME_MAX = 4096, /* of names and labels; no server takes a URL much longer */
    PROMPT_PATH_MAX = 64 << 10
};

_Static_assert(offsetof(struct lf_prompt, name) == offsetof(lf__prompt_link_of, name) &&
                   offsetof(struct lf_prompt, version) == offsetof(lf__prompt_link_of, version) &&
                   offsetof(struct lf_prompt, is_fallback) == offsetof(lf__prompt_link_of, is_fallback),
               "src/observe/prompt_link.h reads the beginning of struct lf_prompt");

/* ---- Errors ------------------------------------------------------------------------------------------------------- */

/* Only the first byte of the message is written, since a cached prompt pays for it. */
static void prompt_succeed(lf_error *error)
{
    if (error == NULL)
        return;
    error->status = LF_OK;
    error->http_status = 0;
    error->message[0] = '\0';
}

/* ---- Handles ------------------------------------------------------------------------------------------------------ */

/* Takes the reference to the body. NULL: no memory. */
static lf_prompt *prompt_new(lf__prompt_body *body, lf_prompt_source source, uint64_t now_ns, lf_error *error)
{
    lf_prompt *prompt = malloc(sizeof *prompt);
    if (prompt == NULL) {
        lf__prompt_body_drop(body);
        (void)lf__rest_fail(error, LF_ERR_MEMORY, 0, "no memory");
        return NULL;
    }
    prompt->name = body->name;
    prompt->version = body->version;
    prompt->is_fallback = source == LF_PROMPT_FALLBACK;
    prompt->source = source;
    prompt->type = body->is_chat ? LF_PROMPT_CHAT : LF_PROMPT_TEXT;
    int64_t age_ns = (int64_t)(now_ns - body->fetched_ns); /* negative when it has come since the clock was read */
    prompt->age_ms = prompt->is_fallback || age_ns < 0 ? 0 : age_ns / 1000000;
    prompt->prompt = body->text;
    prompt->messages = body->json_messages;
    prompt->config = body->config;
    prompt->labels = body->labels;
    prompt->tags = body->tags;
    prompt->variables = body->variables;
    prompt->commit_message = body->commit_message;
    prompt->body = body;
    return prompt;
}

void lf_prompt_free(lf_prompt *prompt)
{
    if (prompt == NULL)
        return;
    lf__prompt_body_drop(prompt->body);
    free(prompt);
}

/* ---- Getting ------------------------------------------------------------------------------------------------------ */

/* libcurl and proxies take these folders out of a URL. */
static bool prompt_name_is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool prompt_name_is_good(const char *name)
{
    size_t size = name == NULL ? 0 : strlen(name);
    return size > 0 && size <= PROMPT_NAME_MAX && !prompt_name_is_dots(name) && strchr(name, '|') == NULL &&
           lf__utf8_valid_prefix(name, size) == size;
}

/* NULL: no label, or an empty one. */
static const char *prompt_label(const lf_prompt_query *query)
{
    return query->label == NULL || query->label[0] == '\0' ? NULL : query->label;
}

static lf_status prompt_check(const char *name, const lf_prompt_query *query)
{
    if (name == NULL || name[0] == '\0')
        return lf__rest_fail(query->error, LF_ERR_ARGUMENT, 0, "a prompt has a name");
    if (prompt_name_is_dots(name))
        return lf__rest_fail(query->error, LF_ERR_ARGUMENT, 0, "a prompt named \"%s\" cannot be fetched: in a URL that is a folder",
                             name);
    if (!prompt_name_is_good(name))
        return lf__rest_fail(query->error, LF_ERR_ARGUMENT, 0, "a prompt's name is UTF-8 without '|', of at most %d bytes",
                             PROMPT_NAME_MAX);
    if (query->version != 0 && prompt_label(query) != NULL)
        return lf__rest_fail(query->error, LF_ERR_ARGUMENT, 0, "a prompt is asked for by version or by label, not both");
    if (query->label != NULL && strlen(query->label) > PROMPT_NAME_MAX)
        return lf__rest_fail(query->error, LF_ERR_ARGUMENT, 0, "a label has at most %d bytes", PROMPT_NAME_MAX);
    if (query->version < 0)
        return lf__rest_fail(query->error, LF_ERR_ARGUMENT, 0, "versions of prompts are 1 and up");
    return LF_OK;
}

LF_I_WITHOUT_DEPRECATION_WARNINGS
/* The fields as this version knows them. Without a query each is 0, and this 0 is not said. */
static const lf_prompt_query *prompt_query(const lf_prompt_query *given, lf_prompt_query *own)
{
    static const lf_prompt_query none = {.struct_size = sizeof none};
    size_t first_size = LF__SIZE_WITH(lf_prompt_query, cache_ttl_seconds);
    return given == NULL ? &none : lf__fields(given, own, sizeof *own, first_size);
}

/* Negative: not said. */
static int prompt_ttl_ms(const lf_prompt_query *query)
{
    int ttl_s = LF__SAID(lf_prompt_query, query, cache_ttl_seconds, -1);
    int ttl_s_as_ms = ttl_s < 0 ? -1 : ttl_s > INT_MAX / 1000 ? INT_MAX : ttl_s * 1000;
    return LF__SAID(lf_prompt_query, query, cache_ttl_ms, ttl_s_as_ms);
}
LF_I_WITH_DEPRECATION_WARNINGS

/* Negative: not said. */
static int prompt_timeout_ms(const lf_prompt_query *query)
{
    return LF__SAID(lf_prompt_query, query, timeout_ms, -1);
}

static lf__prompt_fetch prompt_fetch_how(lf__config *config, const lf_prompt_query *query)
{
    int timeout_ms = prompt_timeout_ms(query), ttl_ms = prompt_ttl_ms(query);
    int max_retries = LF__SAID(lf_prompt_query, query, max_retries, PROMPT_RETRIES);
    return (lf__prompt_fetch){
        .config = config,
        .timeout_ms = timeout_ms > 0 ? timeout_ms : (int)config->timeout_ms,
        .max_retries = max_retries > PROMPT_RETRIES_MAX ? PROMPT_RETRIES_MAX : max_retries,
        .ttl_ns = (ttl_ms < 0 ? (uint64_t)config->prompt_ttl_s * 1000u : (uint64_t)ttl_ms) * 1000000u,
    };
}

static lf_prompt *prompt_fallback(const char *name, const lf_prompt_query *query)
{
    bool chat = query->fallback == NULL && query->fallback_messages.kind != LF_KIND_UNSET, bad;
    if (!chat && query->fallback == NULL)
        return NULL;
    LF__KEEP_ERRNO; /* reading a number may change it */
    lf__buf messages;
    lf__buf_init(&messages, PROMPT_JSON_MAX);
    bool ok = !chat || lf__value_json(&messages, &query->fallback_messages);
    lf__prompt_body *body = NULL;
    if (ok)
        body = lf__prompt_body_make(name, query->version, prompt_label(query), query->fallback,
                                    messages.length == 0 ? "" : messages.data, messages.length, &bad);
    lf__buf_done(&messages);
    return body == NULL ? NULL : prompt_new(body, LF_PROMPT_FALLBACK, lf__monotonic_ns(), NULL);
}

static void prompt_tell_fallback(const char *name, const lf_error *error)
{
    if (lf__first_time(lf__cause(0, "fallback", NULL)))
        lf__client_tell(0, LF__LOG_WARNING, "prompt \"%.80s\" could not be fetched, its fallback is used: %s", name,
                        error->message);
}

/* A stale copy from memory or disk, or the fallback. */
static lf_prompt *prompt_without_server(const lf__prompt_key *key, const lf__config *config, const lf_prompt_query *query,
                                        const lf_error *error)
{
    lf__prompt_body *body = NULL;
    bool gone = error->http_status == 404;
    if (!gone && lf__prompts_find(key, lf__monotonic_ns(), &body) == LF__PROMPT_MISS && config != NULL)
        body = lf__prompts_from_disk(key, config);
    if (body != NULL)
        return prompt_new(body, LF_PROMPT_STALE, lf__monotonic_ns(), NULL);
    lf_prompt *fallback = prompt_fallback(key->name, query);
    if (fallback != NULL)
        prompt_tell_fallback(key->name, error);
    return fallback;
}

/* A client that does not trace has prompts, too. NULL: it has no configuration. */
static lf__config *prompt_config(const lf_client *client)
{
    return lf__life_ask(lf__client_index(client));
}

static uint32_t prompt_client(const lf_client *client)
{
    uint32_t index = lf__client_index(client);
    return index != 0 ? index : lf__client_epoch * LF__CLIENTS;
}

/* Where the program calls lf_poll, there is no thread of ours: the caller fetches. */
static bool prompt_has_background(void)
{
    return !lf__worker_is_pumped();
}

static void prompt_refresh(const lf__prompt_key *key, lf__config *config, const lf_prompt_query *query)
{
    lf__prompt_fetch how = prompt_fetch_how(config, query);
    if (prompt_has_background())
        lf__prompts_refresh(key, &how);
}

static lf_prompt *prompt_get(const lf__prompt_key *key, lf__config *config, const lf_prompt_query *query)
{
    lf_error error = {.status = LF_ERR_DISABLED, .message = "no keys: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set"};
    lf__prompt_body *body = NULL;
    lf_status status = LF_ERR_DISABLED;
    if (config != NULL && prompt_timeout_ms(query) == 0) {
        prompt_refresh(key, config, query);
        status = lf__rest_fail(&error, LF_ERR_TIMEOUT, 0, "there is no time to ask the server (timeout_ms is 0)");
    } else if (config != NULL) {
        lf__prompt_fetch how = prompt_fetch_how(config, query);
        status = lf__prompts_fetch(key, &how, prompt_ttl_ms(query) == 0, &body, &error);
    }
    if (status == LF_OK) {
        prompt_succeed(query->error);
        return prompt_new(body, LF_PROMPT_FRESH, lf__monotonic_ns(), query->error);
    }
    lf_prompt *prompt = prompt_without_server(key, config, query, &error);
    if (query->error != NULL)
        *query->error = error;
    return prompt;
}

lf_prompt *lf_get_prompt_with(const char *name, const lf_prompt_query *given)
{
    lf_prompt_query own;
    const lf_prompt_query *query = prompt_query(given, &own);
    const char *label = prompt_label(query);
    const lf__prompt_key key = {prompt_client(query->client), name, query->version, label == NULL ? "production" : label};
    lf__prompt_body *body = NULL;
    uint64_t now_ns = lf__monotonic_ns(); /* read once: it is a good part of what a cached prompt costs */
    bool may_be_cached = name != NULL && (query->version == 0 || label == NULL) && prompt_ttl_ms(query) != 0;
    lf__prompt_found found = may_be_cached ? lf__prompts_find(&key, now_ns, &body) : LF__PROMPT_MISS;
    prompt_succeed(query->error);
    if (found == LF__PROMPT_IS_FRESH)
        return prompt_new(body, LF_PROMPT_CACHED, now_ns, query->error);
    if (found == LF__PROMPT_MISS && prompt_check(name, query) != LF_OK) /* a name in the cache is good */
        return prompt_fallback(name == NULL ? "" : name, query);
    LF__AS_GUEST(guest);
    lf__config *config = prompt_config(query->client);
    if (found == LF__PROMPT_IS_DUE && config != NULL && prompt_timeout_ms(query) != 0 && !prompt_has_background()) {
        lf__prompt_body_drop(body);
        found = LF__PROMPT_MISS;
    }
    if (found == LF__PROMPT_IS_DUE && config != NULL)
        prompt_refresh(&key, config, query);
    lf_prompt *prompt = found == LF__PROMPT_MISS ? prompt_get(&key, config, query)
                                                 : prompt_new(body, LF_PROMPT_STALE, now_ns, query->error);
    lf__config_free(config);
    return prompt;
}

/* Fetch on this thread, within the time that is left. */
static void prompt_fetch_now(const lf__prompt_key *key, lf__prompt_fetch *how, uint64_t until_ns)
{
    uint64_t now_ns = lf__monotonic_ns(), left_ms = until_ns > now_ns ? (until_ns - now_ns) / 1000000u : 0;
    if (left_ms == 0)
        return;
    how->timeout_ms = (int)(left_ms < (uint64_t)how->timeout_ms ? left_ms : (uint64_t)how->timeout_ms);
    lf_error error;
    lf__prompt_body *body = NULL;
    (void)lf__prompts_fetch(key, how, false, &body, &error);
    lf__prompt_body_drop(body);
}

static lf__prompt_key prompt_in_production(const char *name)
{
    return (lf__prompt_key){prompt_client(NULL), name, 0, "production"};
}

lf_status lf_prefetch_prompts(const char *const *names, size_t count, int timeout_ms)
{
    if (names == NULL && count > 0)
        return LF_ERR_ARGUMENT;
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)(timeout_ms < 0 ? PROMPT_PREFETCH_MS : timeout_ms) * 1000000u;
    LF__AS_GUEST(guest);
    lf__config *config = prompt_config(NULL);
    if (config == NULL || config->authorization == NULL) {
        lf__config_free(config);
        return LF_ERR_DISABLED;
    }
    lf__prompt_fetch how = prompt_fetch_how(config, prompt_query(NULL, NULL));
    lf_status status = LF_OK;
    bool in_background = prompt_has_background();
    for (size_t i = 0; i < count; i++) {
        const lf__prompt_key key = prompt_in_production(names[i]);
        if (!prompt_name_is_good(names[i]))
            status = LF_ERR_ARGUMENT;
        else if (lf__prompts_status(&key) == LF_OK)
            continue;
        else if (in_background)
            lf__prompts_refresh(&key, &how);
        else
            prompt_fetch_now(&key, &how, until_ns);
    }
    lf__config_free(config);
    if (timeout_ms != 0 || !in_background) {
        bool settled = !in_background || lf__prompts_settle(timeout_ms < 0 ? PROMPT_PREFETCH_MS : timeout_ms);
        for (size_t i = 0; i < count && status == LF_OK; i++) {
            const lf__prompt_key key = prompt_in_production(names[i]);
            status = lf__prompts_status(&key);
            if (status != LF_OK && !settled)
                status = LF_ERR_TIMEOUT;
        }
    }
    return status;
}

void lf_invalidate_prompt(const char *name)
{
    if (name != NULL)
        lf__prompts_forget(name);
}

void lf_clear_prompt_cache(void)
{
    lf__prompts_forget(NULL);
}

/* ---- Filling in --------------------------------------------------------------------------------------------------- */

/* A placeholder is looked up among the placeholders, then among the variables. NULL: not given, or *no_memory. */
static const lf_value *prompt_inputs_with(const lf_prompt_inputs *inputs, const char *name, lf_value *out_value, bool *no_memory)
{
    size_t size = strlen(name);
    *out_value = lf_null();
    bool found = lf__template_find(&inputs->placeholders, name, size, out_value) ||
                 (out_value->kind != LF_KIND_UNSET && lf__template_find(&inputs->variables, name, size, out_value));
    *no_memory = !found && out_value->kind == LF_KIND_UNSET;
    return found ? out_value : NULL;
}

static bool prompt_render(lf__buf *out, const lf__template *template, const lf_prompt_inputs *inputs)
{
    bool given = inputs->variables.kind != LF_KIND_UNSET;
    return lf__template_render(out, template, given ? &inputs->variables : &inputs->placeholders);
}

/* The role of a message that has none; the Python SDK writes the same word. */
static const char prompt_no_role[] = "NOT_GIVEN";

static void prompt_add_message(lf__buf *out, const char *role, const lf__buf *content)
{
    lf__buf_add_text(out, "{\"role\":");
    lf__json_string(out, role, strlen(role));
    lf__buf_add_text(out, ",\"content\":");
    lf__json_string(out, content->length == 0 ? "" : content->data, content->length);
    lf__buf_add_char(out, '}');
}

static bool prompt_is_named(const lf__json_member *member, const char *name, lf__buf *scratch)
{
    lf__buf_clear(scratch);
    return lf__json_unescape(scratch, member->key, member->key_size) && scratch->length == strlen(name) &&
           memcmp(scratch->data, name, scratch->length) == 0;
}

/* The content of a message of a placeholder. One that is no text stays: lists of parts, null beside the calls of tools. */
static bool prompt_add_content(lf__buf *out, const lf__json_member *member, const lf_prompt_inputs *inputs, lf__buf *scratch)
{
    if (member->value[0] != '"')
        return lf__buf_add(out, member->value, member->value_size);
    lf__buf text;
    lf__buf_init(&text, PROMPT_JSON_MAX);
    lf__template template = {0};
    lf__buf_clear(scratch);
    bool ok = lf__json_unescape(&text, member->value + 1, member->value_size - 2) &&
              lf__template_parse(&template, text.length == 0 ? "" : text.data, text.length) &&
              prompt_render(scratch, &template, inputs);
    if (ok)
        ok = lf__json_string(out, scratch->length == 0 ? "" : scratch->data, scratch->length);
    lf__template_free(&template);
    lf__buf_done(&text);
    return ok;
}

/* A message of a placeholder: all its members as they are, digits that no double holds included; its content filled in. */
static bool prompt_add_given(lf__buf *out, const lf__text *item, const lf_prompt_inputs *inputs, lf__buf *scratch)
{
    bool has_role = false, has_content = false, ok = lf__buf_add_char(out, '{');
    lf__json_member member;
    for (size_t at = 0; ok && lf__json_next_member(item->at, item->size, &at, &member);) {
        bool is_content = prompt_is_named(&member, "content", scratch);
        has_role = has_role || prompt_is_named(&member, "role", scratch);
        has_content = has_content || is_content;
        lf__buf_add(out, ",", out->data[out->length - 1] != '{');
        lf__buf_add_char(out, '"');
        lf__buf_add(out, member.key, member.key_size);
        lf__buf_add_text(out, "\":");
        ok = is_content ? prompt_add_content(out, &member, inputs, scratch) : lf__buf_add(out, member.value, member.value_size);
    }
    lf__buf_add(out, ",", ok && out->data[out->length - 1] != '{' && !(has_role && has_content));
    if (!has_role) {
        lf__buf_add_text(out, "\"role\":\"");
        lf__buf_add_text(out, prompt_no_role);
        lf__buf_add_text(out, has_content ? "\"" : "\",");
    }
    if (!has_content)
        lf__buf_add_text(out, "\"content\":\"\"");
    return ok && !scratch->failed && lf__buf_add_char(out, '}');
}

static void prompt_tell_placeholder(const char *name, const char *what)
{
    lf__client_tell(0, LF__LOG_WARNING, "placeholder \"%.80s\" of a prompt %s", name, what);
}

/* Show a value that is no list of messages as text, so that it is seen. */
static bool prompt_add_as_text(lf__buf *out, const lf_value *value, lf__buf *scratch)
{
    lf__buf_clear(scratch);
    if (!lf__value_python(scratch, value))
        return false;
    prompt_add_message(out, prompt_no_role, scratch);
    return true;
}

/* A comma, if a message stands before. */
static bool prompt_separate(lf__buf *out)
{
    return lf__buf_add(out, ",", out->data[out->length - 1] != '[');
}

static bool prompt_add_absent(lf__buf *out, const char *name)
{
    prompt_separate(out);
    lf__buf_add_text(out, "{\"type\":\"placeholder\",\"name\":");
    lf__json_string(out, name, strlen(name));
    return lf__buf_add_char(out, '}');
}

/* `list` is the value as JSON text. */
static bool prompt_add_list(lf__buf *out, const char *name, const lf__buf *list, const lf_value *value,
                            const lf_prompt_inputs *inputs, lf__buf *scratch)
{
    bool ok = true, told = false;
    lf__text item;
    for (size_t at = 0; ok && lf__json_next_item(list->data, list->length, &at, &item);) {
        prompt_separate(out);
        if (item.at[0] == '{') {
            ok = prompt_add_given(out, &item, inputs, scratch);
            continue;
        }
        if (!told)
            prompt_tell_placeholder(name, "holds something that is no message");
        told = true;
        ok = prompt_add_as_text(out, value, scratch);
    }
    return ok && !out->failed;
}

/* An empty list adds nothing. */
static bool prompt_add_placeholder(lf__buf *out, const char *name, const lf_prompt_inputs *inputs, lf__buf *scratch)
{
    lf_value value;
    bool no_memory;
    if (prompt_inputs_with(inputs, name, &value, &no_memory) == NULL) {
        if (no_memory)
            return false;
        prompt_tell_placeholder(name, "is not given; it stays as it is");
        return prompt_add_absent(out, name);
    }
    lf__buf json;
    lf__buf_init(&json, PROMPT_JSON_MAX);
    bool ok = lf__value_json(&json, &value);
    size_t blanks = 0;
    while (ok && blanks < json.length && strchr(" \t\r\n", json.data[blanks]) != NULL)
        blanks++;
    if (ok && json.data[blanks] == '[') {
        ok = prompt_add_list(out, name, &json, &value, inputs, scratch);
    } else if (ok) {
        const lf_value none = lf_text("None"); /* in a text null is nothing, but this is to be seen */
        prompt_tell_placeholder(name, "is no list of messages");
        prompt_separate(out);
        ok = prompt_add_as_text(out, json.data[blanks] == 'n' ? &none : &value, scratch);
    }
    lf__buf_done(&json);
    return ok;
}

static bool prompt_add_messages(lf__buf *out, const lf__prompt_body *body, const lf_prompt_inputs *inputs)
{
    lf__buf scratch;
    lf__buf_init(&scratch, PROMPT_JSON_MAX);
    bool ok = lf__buf_add_char(out, '[');
    for (size_t i = 0; ok && i < body->message_count; i++) {
        const lf__prompt_message *message = &body->messages[i];
        if (message->placeholder != NULL) {
            ok = prompt_add_placeholder(out, message->placeholder, inputs, &scratch);
            continue;
        }
        prompt_separate(out);
        lf__buf_clear(&scratch);
        ok = prompt_render(&scratch, &message->content, inputs);
        prompt_add_message(out, message->role, &scratch);
    }
    lf__buf_done(&scratch);
    return ok && lf__buf_add_char(out, ']');
}

static bool prompt_compile(lf__buf *out, const lf_prompt *prompt, const lf_prompt_inputs *given)
{
    static const lf_prompt_inputs none;
    const lf__prompt_body *body = prompt->body;
    lf_prompt_inputs own;
    const lf_prompt_inputs *inputs = given == NULL
                                         ? &none
                                         : lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_prompt_inputs, placeholders));
    return body->is_chat ? prompt_add_messages(out, body, inputs) : prompt_render(out, &body->template, inputs);
}

/* The buffer's memory as a C string for free(). */
static char *prompt_finish(lf__buf *out, bool ok)
{
    if (ok && lf__buf_add_char(out, '\0'))
        return out->data;
    lf__buf_done(out);
    return NULL;
}

char *lf_prompt_compile_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs)
{
    if (prompt == NULL)
        return NULL;
    LF__KEEP_ERRNO;
    lf__buf out;
    lf__buf_init(&out, PROMPT_JSON_MAX);
    return prompt_finish(&out, prompt_compile(&out, prompt, inputs));
}

char *lf_prompt_compile_messages_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs)
{
    if (prompt == NULL || prompt->type == LF_PROMPT_CHAT)
        return lf_prompt_compile_with(prompt, inputs);
    lf__buf text, out;
    lf__buf_init(&text, PROMPT_JSON_MAX);
    lf__buf_init(&out, PROMPT_JSON_MAX);
    bool ok = prompt_compile(&text, prompt, inputs) && lf__buf_add_char(&out, '[');
    if (ok)
        prompt_add_message(&out, "user", &text);
    lf__buf_done(&text);
    return prompt_finish(&out, ok && lf__buf_add_char(&out, ']'));
}

struct cJSON *lf_prompt_compile_json_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs)
{
    char *text = lf_prompt_compile_with(prompt, inputs);
    if (text == NULL)
        return NULL;
    LF__KEEP_ERRNO; /* reading a number may change it */
    cJSON *json = prompt->type == LF_PROMPT_CHAT ? cJSON_Parse(text) : cJSON_CreateString(text);
    free(text);
    return json;
}

/* ---- Single braces ------------------------------------------------------------------------------------------------ */

static bool prompt_add_single(lf__buf *out, const lf__prompt_message *message, lf__buf *scratch)
{
    if (message->placeholder != NULL)
        return prompt_add_absent(out, message->placeholder);
    prompt_separate(out);
    lf__buf_clear(scratch);
    bool ok = lf__template_single_braces(scratch, message->content.text, message->content.size);
    prompt_add_message(out, message->role, scratch);
    return ok;
}

char *lf_prompt_to_single_braces(const lf_prompt *prompt)
{
    if (prompt == NULL)
        return NULL;
    const lf__prompt_body *body = prompt->body;
    lf__buf out, scratch;
    lf__buf_init(&out, PROMPT_JSON_MAX);
    lf__buf_init(&scratch, PROMPT_JSON_MAX);
    bool ok = body->is_chat ? lf__buf_add_char(&out, '[') : lf__template_single_braces(&out, body->text, strlen(body->text));
    for (size_t i = 0; ok && i < body->message_count; i++)
        ok = prompt_add_single(&out, &body->messages[i], &scratch);
    if (body->is_chat)
        ok = ok && lf__buf_add_char(&out, ']');
    lf__buf_done(&scratch);
    return prompt_finish(&out, ok);
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

/* Send JSON; the answer is for lf__free. Takes `body`. */
static lf_status prompt_send(const lf_client *client, lf__http_method method, const char *path, lf__buf *body, bool ok,
                             int timeout_ms, lf__rest_answer *answer, lf_error *error)
{
    lf_error own;
    error = error == NULL ? &own : error;
    lf__config *config = prompt_config(client);
    lf_status status;
    if (config == NULL || config->authorization == NULL) {
        status = lf__rest_fail(error, LF_ERR_DISABLED, 0, "no keys: LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set");
    } else if (!ok || !lf__buf_add_char(body, '\0')) {
        status = lf__rest_fail(error, LF_ERR_MEMORY, 0, "no memory");
    } else {
        lf__rest_request request = {.method = method,
                                    .path = path,
                                    .body = body->data,
                                    .body_size = body->length - 1,
                                    .timeout_ms = timeout_ms >= 0 ? timeout_ms : (int)config->timeout_ms};
        status = timeout_ms == 0 ? lf__rest_fail(error, LF_ERR_TIMEOUT, 0, "there is no time to wait: timeout_ms is 0")
                                 : lf__rest_call(config, &request, answer, error);
    }
    if (status == LF_OK)
        prompt_succeed(error);
    lf__config_free(config);
    lf__buf_done(body);
    return status;
}

static void prompt_add_member(lf__buf *body, const char *key)
{
    lf__buf_add(body, ",", body->data[body->length - 1] != '{');
    lf__buf_add_char(body, '"');
    lf__buf_add_text(body, key);
    lf__buf_add_text(body, "\":");
}

static bool prompt_add_value(lf__buf *body, const char *key, const lf_value *value, const char *standard)
{
    prompt_add_member(body, key);
    return value->kind == LF_KIND_UNSET ? lf__buf_add_text(body, standard) : lf__value_json(body, value);
}

static bool prompt_add_text(lf__buf *body, const char *key, const char *text)
{
    prompt_add_member(body, key);
    return lf__json_string(body, text, strlen(text));
}

static lf_status prompt_check_new(const lf_new_prompt *fields)
{
    if (!prompt_name_is_good(fields->name))
        return lf__rest_fail(fields->error, LF_ERR_ARGUMENT, 0, "a prompt has a name, in UTF-8 without '|', of at most %d bytes",
                             PROMPT_NAME_MAX);
    if ((fields->prompt == NULL) == (fields->messages.kind == LF_KIND_UNSET))
        return lf__rest_fail(fields->error, LF_ERR_ARGUMENT, 0, "a prompt has a text (.prompt) or messages (.messages)");
    return LF_OK;
}

static bool prompt_write_new(lf__buf *body, const lf_new_prompt *fields)
{
    bool chat = fields->prompt == NULL;
    bool ok = lf__buf_add_char(body, '{') && prompt_add_text(body, "name", fields->name) &&
              prompt_add_text(body, "type", chat ? "chat" : "text") &&
              (chat ? prompt_add_value(body, "prompt", &fields->messages, "[]")
                    : prompt_add_text(body, "prompt", fields->prompt)) &&
              prompt_add_value(body, "labels", &fields->labels, "[]") && prompt_add_value(body, "config", &fields->config, "{}");
    if (ok && fields->tags.kind != LF_KIND_UNSET)
        ok = prompt_add_value(body, "tags", &fields->tags, "[]");
    if (ok && fields->commit_message != NULL)
        ok = prompt_add_text(body, "commitMessage", fields->commit_message);
    return ok && lf__buf_add_char(body, '}');
}

lf_prompt *lf_create_prompt_with(const lf_new_prompt *given)
{
    if (given == NULL)
        return NULL;
    lf_new_prompt own;
    const lf_new_prompt *fields = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_new_prompt, error));
    if (prompt_check_new(fields) != LF_OK)
        return NULL;
    LF__AS_GUEST(guest);
    lf__buf body;
    lf__buf_init(&body, PROMPT_JSON_MAX);
    bool ok = prompt_write_new(&body, fields);
    lf__rest_answer answer = {0};
    int timeout_ms = LF__SAID(lf_new_prompt, fields, timeout_ms, -1);
    lf_status status = prompt_send(fields->client, LF__HTTP_POST, "api/public/v2/prompts", &body, ok, timeout_ms, &answer,
                                   fields->error);
    lf_prompt *prompt = NULL;
    if (status == LF_OK) {
        lf__prompts_forget(fields->name);
        bool bad;
        lf__prompt_body *made = lf__prompt_body_parse(answer.body, answer.size, &bad);
        prompt = made == NULL ? NULL : prompt_new(made, LF_PROMPT_FRESH, lf__monotonic_ns(), NULL);
        if (prompt == NULL)
            (void)lf__rest_fail(fields->error, LF_ERR_SERVER, 0, "the prompt was created, but the server's answer is no prompt");
    }
    lf__free(answer.body);
    return prompt;
}

lf_status lf_update_prompt_with(const lf_prompt_change *given)
{
    if (given == NULL)
        return LF_ERR_ARGUMENT;
    lf_prompt_change own;
    const lf_prompt_change *change = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_prompt_change, error));
    if (!prompt_name_is_good(change->name) || change->version < 1)
        return lf__rest_fail(change->error, LF_ERR_ARGUMENT, 0,
                             "labels are given to a prompt's version: name and version are needed");
    LF__AS_GUEST(guest);
    lf__buf body, path;
    lf__buf_init(&body, PROMPT_JSON_MAX);
    lf__buf_init(&path, PROMPT_PATH_MAX);
    lf__buf_add_text(&path, "api/public/v2/prompts/");
    lf__buf_add_percent(&path, change->name, strlen(change->name));
    char version[32];
    snprintf(version, sizeof version, "/versions/%d", change->version);
    bool ok = lf__buf_add_text(&path, version) && lf__buf_add_char(&path, '\0') && lf__buf_add_char(&body, '{') &&
              prompt_add_value(&body, "newLabels", &change->new_labels, "[]") && lf__buf_add_char(&body, '}');
    lf__rest_answer answer = {0};
    int timeout_ms = LF__SAID(lf_prompt_change, change, timeout_ms, -1);
    lf_status status = prompt_send(change->client, LF__HTTP_PATCH, ok ? path.data : "", &body, ok, timeout_ms, &answer,
                                   change->error);
    if (status == LF_OK)
        lf__prompts_forget(change->name);
    lf__free(answer.body);
    lf__buf_done(&path);
    return status;
}
