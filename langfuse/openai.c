#define _GNU_SOURCE
#include "openai.h"

#include "model.h"

#include "../src/ask/rest.h"
#include "../src/base/clients.h"
#include "../src/base/guest.h"
#include "../src/base/json.h"
#include "../src/base/secret.h"
#include "../src/base/setting.h"
#include "../src/base/struct_size.h"
#include "../src/base/value.h"
#include "../src/life/life.h"
#include "../src/model/reply.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    OPENAI_TIMEOUT_MS = 60000,
    OPENAI_RETRIES = 2, /* as OpenAI's own clients */
    OPENAI_RETRIES_MAX = 4,
    OPENAI_PAUSE_MS = 500, /* before the second try; each further one takes twice as long */
    OPENAI_NEARLY_NS = 50000000, /* libcurl counts milliseconds, and may be early by one */
    OPENAI_URL_MAX = 8 << 10,
    OPENAI_KEY_MAX = 64 << 10,
    OPENAI_BODY_MAX = 64 << 20, /* of a request, and of a reply */
    OPENAI_URL_SHOWN = 70,
    OPENAI_WORDS_SHOWN = 140 /* of a server, in lf_error.message beside the URL */
};

static const char openai_url[] = "https://api.openai.com/v1";
static const char openai_path[] = "/chat/completions";
static const char openai_blanks[] = " \t\r\n";

/* ---- Settings ------------------------------------------------------------------------------------------------------- */

typedef struct openai_settings {
    char *base_url, *api_key, *ca_file, *ca_path; /* NULL: not set */
} openai_settings;

/* As the first call found the environment. */
static _Atomic(openai_settings *) openai_environment;

static void openai_free_settings(openai_settings *settings)
{
    if (settings == NULL)
        return;
    lf__free(settings->base_url);
    lf__free_secret(settings->api_key);
    lf__free(settings->ca_file);
    lf__free(settings->ca_path);
    lf__free(settings);
}

static char *openai_variable(const char *const *names, bool *ok)
{
    lf__setting given = lf__setting_pick(NULL, "", names);
    char *text = lf__strdup(given.text);
    *ok = *ok && (text != NULL) == (given.text != NULL);
    return text;
}

/* NULL: no memory. */
static openai_settings *openai_read_environment(void)
{
    openai_settings *made = lf__alloc(sizeof *made);
    if (made == NULL)
        return NULL;
    bool ok = true;
    made->base_url = openai_variable(LF__VARIABLES("OPENAI_BASE_URL"), &ok);
    made->api_key = openai_variable(LF__VARIABLES("OPENAI_API_KEY"), &ok);
    made->ca_file = openai_variable(LF__VARIABLES("SSL_CERT_FILE", "CURL_CA_BUNDLE"), &ok);
    made->ca_path = openai_variable(LF__VARIABLES("SSL_CERT_DIR"), &ok);
    if (ok)
        return made;
    openai_free_settings(made);
    return NULL;
}

/* Of two threads that read at once, one keeps what it has read. NULL: no memory. */
static const openai_settings *openai_known_settings(void)
{
    openai_settings *known = atomic_load_explicit(&openai_environment, memory_order_acquire); /* pairs with the exchange below */
    if (known != NULL)
        return known;
    openai_settings *made = openai_read_environment();
    if (made == NULL ||
        atomic_compare_exchange_strong_explicit(&openai_environment, &known, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    openai_free_settings(made);
    return known;
}

/* ---- A call ----------------------------------------------------------------------------------------------------------- */

typedef struct openai_call {
    const lf_chat_request *chat;
    lf_error *error;
    const char *base_url;
    lf__buf url, body; /* both with a NUL behind them */
    lf__buf authorization;
    lf__pair header;
    lf__config server; /* its headers, and what to trust */
    int timeout_ms, max_retries;
    uint64_t until_ns;
    int64_t start_ns;     /* wall clock */
    int tries;            /* that have begun */
    lf_observation *span; /* around several tries; NULL: there is one */
} openai_call;

static lf_status openai_fail_memory(lf_error *error)
{
    return lf__rest_fail(error, LF_ERR_MEMORY, 0, "out of memory");
}

static bool openai_has_control(const char *text)
{
    return lf__setting_has_control(text) || strchr(text, ' ') != NULL;
}

/* NULL: nothing. */
static const char *openai_url_fault(const char *url)
{
    size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0 || url[scheme] == '\0')
        return "begins with http:// or https:// and a host";
    if (openai_has_control(url) || strpbrk(url, "?#@") != NULL)
        return "has no blank, query, fragment, user or password";
    return NULL;
}

static lf_status openai_place(openai_call *call)
{
    const openai_settings *known = openai_known_settings();
    if (known == NULL)
        return openai_fail_memory(call->error);
    const lf_chat_request *chat = call->chat;
    bool is_given = chat->base_url != NULL && *chat->base_url != '\0', has_key = chat->api_key != NULL && *chat->api_key != '\0';
    const char *base_url = is_given ? chat->base_url : known->base_url, *key = has_key ? chat->api_key : known->api_key;
    call->base_url = base_url != NULL ? base_url : openai_url;
    if (key == NULL && base_url == NULL)
        return lf__rest_fail(call->error, LF_ERR_DISABLED, 0, "no key: OPENAI_API_KEY is not set, and neither is OPENAI_BASE_URL");
    const char *fault = openai_url_fault(call->base_url);
    if (fault != NULL) /* without the value, which may hold a password */
        return lf__rest_fail(call->error, LF_ERR_ARGUMENT, 0, "a base URL (OPENAI_BASE_URL) %s", fault);
    if (key != NULL && openai_has_control(key))
        return lf__rest_fail(call->error, LF_ERR_ARGUMENT, 0, "the key (OPENAI_API_KEY) contains a blank or a control character");
    size_t size = strlen(call->base_url);
    while (call->base_url[size - 1] == '/')
        size--;
    bool ok = lf__buf_add(&call->url, call->base_url, size) && lf__buf_add(&call->url, openai_path, sizeof openai_path);
    if (ok && key != NULL)
        ok = LF__BUF_ADD(&call->authorization, "Bearer ") && lf__buf_add(&call->authorization, key, strlen(key) + 1);
    call->header = (lf__pair){(char *)"Authorization", call->authorization.data};
    call->server = (lf__config){
        .headers = &call->header, .header_count = key != NULL, .ca_file = known->ca_file, .ca_path = known->ca_path};
    return ok ? LF_OK : openai_fail_memory(call->error);
}

/* ---- The request ------------------------------------------------------------------------------------------------------ */

static bool openai_add_comma(lf__buf *body)
{
    return body->data[body->length - 1] == '{' || lf__buf_add_char(body, ',');
}

/* A value as JSON text, without blanks around it. False: no memory. */
static bool openai_json(lf__buf *scratch, const lf_value *value, lf__text *out)
{
    lf__buf_clear(scratch);
    bool ok = value->kind == LF_KIND_UNSET || lf__value_json(scratch, value);
    *out = lf__text_trim(lf__buf_text(scratch), openai_blanks);
    if (ok && lf__text_equals(*out, lf__text_of("null")))
        out->size = 0;
    return ok;
}

static lf_status openai_add_messages(openai_call *call, lf__buf *scratch)
{
    lf__text messages;
    lf__buf *body = &call->body;
    if (!openai_json(scratch, &call->chat->messages, &messages))
        return openai_fail_memory(call->error);
    char first = messages.size == 0 ? '\0' : messages.at[0];
    if (first != '[' && first != '{' && first != '"')
        return lf__rest_fail(call->error, LF_ERR_ARGUMENT, 0, "messages are a list of objects, one object, or a text");
    bool ok = openai_add_comma(body) && LF__BUF_ADD(body, "\"messages\":") && (first == '[' || lf__buf_add_char(body, '['));
    if (first == '"')
        ok = ok && LF__BUF_ADD(body, "{\"role\":\"user\",\"content\":");
    ok = ok && lf__buf_add(body, messages.at, messages.size) && (first != '"' || lf__buf_add_char(body, '}')) &&
         (first == '[' || lf__buf_add_char(body, ']'));
    return ok ? LF_OK : openai_fail_memory(call->error);
}

static lf_status openai_add_tools(openai_call *call, lf__buf *scratch)
{
    lf__text tools;
    lf__buf *body = &call->body;
    if (!openai_json(scratch, &call->chat->tools, &tools))
        return openai_fail_memory(call->error);
    if (tools.size == 0)
        return LF_OK;
    if (tools.at[0] != '[')
        return lf__rest_fail(call->error, LF_ERR_ARGUMENT, 0, "tools are a list");
    bool ok = openai_add_comma(body) && LF__BUF_ADD(body, "\"tools\":") && lf__buf_add(body, tools.at, tools.size);
    return ok ? LF_OK : openai_fail_memory(call->error);
}

/* Is this member said by another field? */
static bool openai_is_said(const lf_chat_request *chat, lf__text key)
{
    return lf__text_equals(key, lf__text_of("messages")) || lf__text_equals(key, lf__text_of("stream")) ||
           (chat->model != NULL && lf__text_equals(key, lf__text_of("model"))) ||
           (chat->tools.kind != LF_KIND_UNSET && lf__text_equals(key, lf__text_of("tools")));
}

/* *out_options: stream_options are among them. */
static lf_status openai_add_parameters(openai_call *call, lf__buf *scratch, bool *out_options)
{
    lf__text parameters;
    lf__buf *body = &call->body;
    if (!openai_json(scratch, &call->chat->parameters, &parameters))
        return openai_fail_memory(call->error);
    if (parameters.size == 0)
        return LF_OK;
    if (parameters.at[0] != '{')
        return lf__rest_fail(call->error, LF_ERR_ARGUMENT, 0, "parameters are an object");
    lf__json_member member;
    bool ok = true;
    for (size_t at = 0; ok && lf__json_next_member(parameters.at, parameters.size, &at, &member);) {
        const lf__text key = {member.key, member.key_size}, value = {member.value, member.value_size};
        bool are_options = lf__text_equals(key, lf__text_of("stream_options"));
        *out_options = *out_options || are_options;
        if (openai_is_said(call->chat, key) || (are_options && lf__text_equals(value, lf__text_of("null"))))
            continue;
        ok = openai_add_comma(body) && lf__buf_add_char(body, '"') && lf__buf_add(body, key.at, key.size) &&
             LF__BUF_ADD(body, "\":") && lf__buf_add(body, value.at, value.size);
    }
    return ok ? LF_OK : openai_fail_memory(call->error);
}

static lf_status openai_write_body(openai_call *call, lf__buf *scratch)
{
    const char *model = call->chat->model;
    lf__buf *body = &call->body;
    bool has_options = false;
    bool ok = lf__buf_add_char(body, '{') &&
              (model == NULL || (LF__BUF_ADD(body, "\"model\":") && lf__json_string(body, model, strlen(model))));
    lf_status status = ok ? openai_add_messages(call, scratch) : openai_fail_memory(call->error);
    if (status == LF_OK)
        status = openai_add_tools(call, scratch);
    if (status == LF_OK)
        status = openai_add_parameters(call, scratch, &has_options);
    if (status != LF_OK)
        return status;
    if (call->chat->on_text != NULL)
        ok = LF__BUF_ADD(body, ",\"stream\":true") &&
             (has_options || LF__BUF_ADD(body, ",\"stream_options\":{\"include_usage\":true}"));
    return ok && lf__buf_add(body, "}", 2) ? LF_OK : openai_fail_memory(call->error);
}

/* ---- A try ------------------------------------------------------------------------------------------------------------- */

typedef struct openai_try {
    openai_call *call;
    lf_model_call *observed;
    bool is_begun; /* there is a generation, or there is to be none */
    int64_t start_ns; /* wall clock */
    lf__http_request request;
    lf__rest_stream stream;
    lf__buf bytes; /* of the body: all of it; of a stream, what is not read yet */
    lf__reply *merged;
    bool is_streaming; /* some of a stream has come */
    bool is_cancelled;
    bool no_memory;
    int status;        /* 0: no answer, or none to the end */
    lf__buf text;      /* for on_text */
    size_t read;       /* how much of the merged content, which is escaped, was shown */
    size_t shown;      /* how much of the text that is */
} openai_try;

/* A generation for this try. Only what its answer begins with tells whether there will be another try, and so a span. */
static void openai_observe(openai_try *t, bool is_last)
{
    openai_call *call = t->call;
    const lf_chat_request *chat = call->chat;
    if (t->is_begun || chat->tracing == LF_OFF)
        return;
    t->is_begun = true;
    if (!is_last && call->span == NULL) {
        const lf_observation_fields fields = {LF_OBSERVATION_FIELDS_INIT, .name = "openai.chat", .parent = chat->parent,
                                              .client = chat->client, .start_time_ns = call->start_ns};
        call->span = lf_start_observation_with(&fields);
    }
    char number[32];
    snprintf(number, sizeof number, "{\"try\":%d}", call->tries);
    const lf_model_request request = {LF_MODEL_REQUEST_INIT,   .url = call->url.data,
                                      .body = call->body.data, .body_size = call->body.length - 1,
                                      .name = chat->name,      .metadata = call->span == NULL ? (lf_value){0} : lf_json(number),
                                      .prompt = chat->prompt,  .parent = call->span != NULL ? call->span : chat->parent,
                                      .client = chat->client,  .start_time_ns = t->start_ns};
    t->observed = lf_model_begin_with(&request);
}

/* How much of escaped text ends with a whole character: half a surrogate pair waits for the other half. */
static size_t openai_whole(lf__text raw)
{
    size_t at = 0;
    while (at < raw.size) {
        if (raw.at[at] != '\\') {
            at++;
            continue;
        }
        size_t left = raw.size - at, size = left > 1 && raw.at[at + 1] == 'u' ? 6 : 2;
        if (left < size)
            return at;
        bool is_first_half = size == 6 && (raw.at[at + 2] | 0x20) == 'd' && lf__is_one_of(raw.at[at + 3], "89abAB");
        bool may_go_on = left == 6 || (left < 12 && raw.at[at + 6] == '\\');
        if (is_first_half && may_go_on)
            return at;
        at += size;
    }
    return lf__utf8_floor(raw.at, raw.size);
}

static bool openai_tell(openai_try *t, const char *text, size_t size)
{
    const lf_chat_request *chat = t->call->chat;
    t->shown += size;
    return size == 0 || chat->on_text(chat->on_text_data, text, size);
}

/* Give the program what is new of the text. False: no memory. */
static bool openai_show(openai_try *t)
{
    lf__text raw = lf__text_behind(lf__reply_content(t->merged), t->read);
    raw.size = openai_whole(raw);
    lf__buf_clear(&t->text);
    if (raw.size == 0)
        return true;
    t->no_memory = !lf__json_unescape(&t->text, raw.at, raw.size) || !lf__buf_add_char(&t->text, '\0');
    if (t->no_memory)
        return false;
    t->read += raw.size;
    t->is_cancelled = !openai_tell(t, t->text.data, t->text.length - 1);
    return true;
}

static void openai_read(openai_try *t)
{
    lf_model_reply_at(t->observed, t->bytes.data, t->bytes.length, (int64_t)lf__wall_ns());
    lf__reply_feed(t->merged, t->bytes.data, t->bytes.length);
}

/* Take what has come of a stream. False: that is enough of it. */
static bool openai_take(openai_try *t)
{
    if (t->bytes.length == 0)
        return true;
    t->is_streaming = true;
    openai_observe(t, true);
    openai_read(t);
    lf__buf_clear(&t->bytes);
    return openai_show(t) && !t->is_cancelled;
}

/* How long to wait before another try; negative: there is none. */
static int openai_pause_ms(const openai_try *t)
{
    const openai_call *call = t->call;
    int status = t->stream.status;
    bool may_help = status == 0 ? !t->is_streaming && !t->bytes.failed && t->stream.failure != LF__HTTP_NO_TLS
                                : status == 408 || status == 429 || status >= 500;
    if (!may_help || t->is_cancelled || call->tries > call->max_retries)
        return -1;
    uint8_t chance;
    lf__random_bytes(&chance, 1);
    int standard_ms = OPENAI_PAUSE_MS << (call->tries - 1);
    int64_t pause_ms = t->stream.retry_after_ms >= 0 ? t->stream.retry_after_ms : standard_ms - standard_ms * chance / 1024;
    uint64_t now_ns = lf__monotonic_ns();
    bool has_time = now_ns + (uint64_t)pause_ms * 1000000u < call->until_ns;
    return has_time ? (int)pause_ms : -1;
}

/* ---- What went wrong --------------------------------------------------------------------------------------------------- */

/* Of the words, which may be the server's, the beginning is told, without the key. */
static void openai_fail(const openai_call *call, lf_status status, int http_status, const char *before, const char *behind,
                        const char *words)
{
    char shown[OPENAI_WORDS_SHOWN + 1];
    size_t size = strnlen(words, OPENAI_WORDS_SHOWN + 1);
    size = size > OPENAI_WORDS_SHOWN ? lf__utf8_floor(words, OPENAI_WORDS_SHOWN) : size;
    memcpy(shown, words, size);
    shown[size] = '\0';
    lf__secret_hide(shown, &call->server);
    (void)lf__rest_fail(call->error, status, http_status, "%s%.*s%s%s", before, OPENAI_URL_SHOWN, call->base_url, behind, shown);
}

static void openai_fail_too_late(const openai_try *t)
{
    const openai_call *call = t->call;
    char within[32];
    snprintf(within, sizeof within, "%d ms", call->timeout_ms);
    if (t->is_streaming)
        openai_fail(call, LF_ERR_TIMEOUT, 0, "the reply of ", " did not end within ", within);
    else if (lf__monotonic_ns() + OPENAI_NEARLY_NS < call->until_ns) /* there is less time for a connection than for the call */
        openai_fail(call, LF_ERR_NETWORK, 0, "cannot connect to ", ": ", t->stream.text);
    else
        openai_fail(call, LF_ERR_TIMEOUT, 0, "no answer of ", " within ", within);
}

static void openai_fail_without_answer(const openai_try *t)
{
    const openai_call *call = t->call;
    const char *text = t->stream.text;
    if (t->no_memory || t->bytes.no_memory)
        (void)openai_fail_memory(call->error);
    else if (t->bytes.failed)
        openai_fail(call, LF_ERR_SERVER, 0, "the reply of ", " is larger than ", "64 MiB");
    else if (t->stream.failure == LF__HTTP_TOO_LATE)
        openai_fail_too_late(t);
    else if (t->stream.failure == LF__HTTP_NO_SUCH_HOST)
        openai_fail(call, LF_ERR_NETWORK, 0, "no such host: ", "; check OPENAI_BASE_URL: ", text);
    else if (t->stream.failure == LF__HTTP_NO_CONNECTION)
        openai_fail(call, LF_ERR_NETWORK, 0, "cannot connect to ", ": ", text);
    else if (t->stream.failure == LF__HTTP_NO_TLS)
        openai_fail(call, LF_ERR_NETWORK, 0, "no secure connection to ", ": ", text);
    else
        openai_fail(call, LF_ERR_NETWORK, 0, "", " was reached, but gave no whole answer: ", text);
}

/* An answer that is none, in the words that the merged reply has for it. */
static void openai_fail_by_answer(const openai_try *t, const lf__reply_result *result)
{
    char words[OPENAI_WORDS_SHOWN * 2];
    int status = t->status;
    lf_status kind = status == 401 || status == 403      ? LF_ERR_UNAUTHORIZED
                     : status >= 400 && status < 500     ? LF_ERR_REFUSED
                     : result->level == LF_LEVEL_WARNING ? LF_ERR_NETWORK /* it ended early */
                                                         : LF_ERR_SERVER;
    snprintf(words, sizeof words, "%.*s", (int)result->status_message.size, result->status_message.at);
    openai_fail(t->call, kind, status, "", ": ", words);
}

/* ---- The reply --------------------------------------------------------------------------------------------------------- */

typedef struct openai_reply {
    lf_reply reply; /* first: the caller's pointer is to it */
    cJSON *views;
    lf__buf text, json; /* with a NUL behind them */
} openai_reply;

void lf_reply_free(lf_reply *reply)
{
    if (reply == NULL)
        return;
    LF__KEEP_ERRNO;
    openai_reply *whole = (openai_reply *)(void *)reply;
    cJSON_Delete(whole->views);
    lf__buf_done(&whole->text);
    lf__buf_done(&whole->json);
    lf__free(whole);
}

/* A member of an object; none: it is not there. */
static lf__text openai_member(lf__text object, const char *name)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(object.at, object.size, &at, &member);)
        if (lf__text_equals((lf__text){member.key, member.key_size}, lf__text_of(name)))
            return (lf__text){member.value, member.value_size};
    return (lf__text){NULL, 0};
}

static lf__text openai_first(lf__text list)
{
    lf__text item = {NULL, 0};
    size_t at = 0;
    (void)lf__json_next_item(list.at, list.size, &at, &item);
    return item;
}

static bool openai_is_object(lf__text text)
{
    return text.size > 0 && text.at[0] == '{';
}

/* The message: of a reply that was not streamed, to the letter; else as it was merged. None: that is no chat completion. */
static lf__text openai_message(const openai_try *t, const lf__reply_result *result)
{
    static const char none[] = "{\"role\":\"assistant\",\"content\":\"\"}";
    lf__text output = result->output;
    if (t->bytes.length > 0 && lf__json_valid(t->bytes.data, t->bytes.length)) {
        lf__text all = lf__text_trim(lf__buf_text(&t->bytes), openai_blanks);
        output = openai_member(openai_first(openai_member(all, "choices")), "message");
    } else if (output.size > 0 && output.at[0] == '[') {
        output = openai_first(output);
    }
    if (t->is_cancelled && !openai_is_object(output))
        return lf__text_of(none);
    return openai_is_object(output) ? output : (lf__text){NULL, 0};
}

/* Append what a string of JSON stands for; nothing for another value. */
static bool openai_add_string(lf__buf *out, lf__text json)
{
    return json.size < 2 || json.at[0] != '"' || lf__json_unescape(out, json.at + 1, json.size - 2);
}

/* The content is a text, or a list of parts. */
static bool openai_add_text(lf__buf *out, lf__text message)
{
    lf__text content = openai_member(message, "content"), part;
    bool ok = openai_add_string(out, content);
    for (size_t at = 0; ok && lf__json_next_item(content.at, content.size, &at, &part);)
        ok = openai_add_string(out, openai_member(part, "text"));
    return ok && lf__buf_add_char(out, '\0');
}

static bool openai_add_or(lf__buf *out, const char *key, lf__text json, const char *standard)
{
    return lf__buf_add_text(out, key) && (json.size > 0 ? lf__buf_add(out, json.at, json.size) : lf__buf_add_text(out, standard));
}

static bool openai_add_choice(lf__buf *out, int index, lf__text message, lf__text reason)
{
    return (index == 0 || lf__buf_add_char(out, ',')) && LF__BUF_ADD(out, "{\"index\":") && lf__json_int(out, index) &&
           openai_add_or(out, ",\"message\":", message, "null") && openai_add_or(out, ",\"finish_reason\":", reason, "null") &&
           lf__buf_add_char(out, '}');
}

/* The reply's id, which stands among the metadata. */
static bool openai_add_id(lf__buf *out, lf__text metadata)
{
    lf__buf object;
    lf__buf_init(&object, OPENAI_BODY_MAX);
    bool ok = lf__buf_add_char(&object, '{') && lf__buf_add(&object, metadata.at, metadata.size) && lf__buf_add_char(&object, '}');
    lf__text id = ok ? openai_member(lf__buf_text(&object), "response_id") : (lf__text){NULL, 0};
    ok = ok && openai_add_or(out, "\"id\":", id, "null");
    lf__buf_done(&object);
    return ok;
}

/* A stream as a chat completion that was not streamed. */
static bool openai_add_completion(lf__buf *out, const lf__reply_result *result, lf__text message)
{
    lf__text reason = result->finish_reason, output = result->output;
    bool ok = lf__buf_add_char(out, '{') && openai_add_id(out, result->metadata) &&
              LF__BUF_ADD(out, ",\"object\":\"chat.completion\",\"model\":") &&
              lf__json_string(out, result->model.at, result->model.size) && LF__BUF_ADD(out, ",\"choices\":[");
    if (output.size == 0 || output.at[0] != '[') {
        ok = ok && openai_add_choice(out, 0, message, reason);
    } else {
        size_t at = 0, at_reason = 0;
        int index = 0;
        for (lf__text one; ok && lf__json_next_item(output.at, output.size, &at, &one); index++) {
            lf__text why = {NULL, 0};
            (void)lf__json_next_item(reason.at, reason.size, &at_reason, &why);
            ok = openai_add_choice(out, index, one, why);
        }
    }
    return ok && openai_add_or(out, "],\"usage\":", result->usage, "null") && lf__buf_add(out, "}", 2);
}

/* What the program sees of it as cJSON. NULL: no memory. */
static cJSON *openai_views(lf__text message, const lf__reply_result *result)
{
    lf__buf all;
    lf__buf_init(&all, 2 * (size_t)OPENAI_BODY_MAX);
    bool ok = openai_add_or(&all, "{\"message\":", message, "null") && openai_add_or(&all, ",\"usage\":", result->usage, "null") &&
              openai_add_or(&all, ",\"finish_reason\":", result->finish_reason, "null") && lf__buf_add(&all, "}", 2);
    if (ok)
        lf__json_mend(all.data, all.length - 1);
    cJSON *views = ok ? cJSON_Parse(all.data) : NULL;
    lf__buf_done(&all);
    return views;
}

static void openai_set_views(lf_reply *reply, const cJSON *views)
{
    const cJSON *reason = cJSON_GetObjectItemCaseSensitive(views, "finish_reason");
    const char *text = cJSON_GetStringValue(cJSON_IsArray(reason) ? reason->child : reason);
    reply->finish_reason = text == NULL ? "" : text;
    reply->message = cJSON_GetObjectItemCaseSensitive(views, "message");
    const cJSON *calls = cJSON_GetObjectItemCaseSensitive(reply->message, "tool_calls");
    reply->tool_calls = cJSON_IsArray(calls) && calls->child != NULL ? calls : NULL;
    const cJSON *usage = cJSON_GetObjectItemCaseSensitive(views, "usage");
    reply->usage = cJSON_IsObject(usage) ? usage : NULL;
}

/* NULL: no memory. */
static openai_reply *openai_reply_new(openai_try *t, const lf__reply_result *result, lf__text message)
{
    openai_reply *whole = lf__alloc(sizeof *whole);
    if (whole == NULL)
        return NULL;
    lf__buf_init(&whole->text, OPENAI_BODY_MAX + 1);
    lf__buf_init(&whole->json, 2 * (size_t)OPENAI_BODY_MAX);
    bool ok = openai_add_text(&whole->text, message);
    whole->views = ok ? openai_views(message, result) : NULL;
    ok = whole->views != NULL &&
         (t->bytes.length > 0 ? lf__buf_add(&whole->json, t->bytes.data, t->bytes.length) && lf__buf_add_char(&whole->json, '\0')
                              : openai_add_completion(&whole->json, result, message));
    if (!ok) {
        lf_reply_free(&whole->reply);
        return NULL;
    }
    whole->reply = (lf_reply){.text = whole->text.data,
                              .text_size = whole->text.length - 1,
                              .json = whole->json.data,
                              .json_size = whole->json.length - 1,
                              .http_status = t->status,
                              .is_cancelled = t->is_cancelled};
    openai_set_views(&whole->reply, whole->views);
    return whole;
}

/* ---- Tries ------------------------------------------------------------------------------------------------------------- */

/* The answer of a server that refuses: it may repeat the key. */
static void openai_read_refusal(openai_try *t)
{
    lf__secret_hide(t->stream.text, &t->call->server);
    size_t size = strlen(t->stream.text);
    lf_model_reply_at(t->observed, t->stream.text, size, (int64_t)lf__wall_ns());
    lf__reply_feed(t->merged, t->stream.text, size);
}

static void openai_end_observed(openai_try *t, const char *error)
{
    const lf_model_outcome outcome = {LF_MODEL_OUTCOME_INIT, .http_status = t->status, .error = error,
                                      .cancelled = t->is_cancelled ? LF_ON : LF_OFF};
    lf_model_end_with(t->observed, &outcome);
}

/* What the merged reply comes to: a reply, or NULL and *error. *out_told: the generation knows of the error from what was read. */
static openai_reply *openai_judge(openai_try *t, const lf__reply_result *result, bool *out_told)
{
    const openai_call *call = t->call;
    lf__text message = openai_message(t, result);
    bool is_cut = result->level == LF_LEVEL_WARNING && !t->is_cancelled && message.size > 0;
    *out_told = result->level == LF_LEVEL_ERROR || is_cut;
    if (*out_told) {
        openai_fail_by_answer(t, result);
    } else if (result->truncated) {
        openai_fail(call, LF_ERR_SERVER, t->status, "the reply of ", " is larger than ", "64 MiB");
    } else if (message.size == 0) {
        openai_fail(call, LF_ERR_SERVER, t->status, "the reply of ", " is no chat completion", "");
    } else {
        openai_reply *reply = openai_reply_new(t, result, message);
        if (reply == NULL)
            (void)openai_fail_memory(call->error);
        return reply;
    }
    return NULL;
}

/* A reply, or NULL and *error. */
static openai_reply *openai_conclude(openai_try *t)
{
    const char *said = t->call->error->message;
    bool has_answer = t->is_cancelled || t->stream.status != 0, is_told = false;
    t->status = t->stream.status != 0 ? t->stream.status : t->request.stream_status;
    if (t->stream.status != 0 && (t->stream.status < 200 || t->stream.status > 299))
        openai_read_refusal(t);
    else if (!t->is_streaming && t->bytes.length > 0)
        openai_read(t);
    if (!has_answer)
        openai_fail_without_answer(t);
    const lf__reply_end end = {.http_status = t->status, .error = has_answer ? NULL : said, .cancelled = t->is_cancelled};
    lf__reply_result result;
    lf__reply_finish(t->merged, &end, &result);
    openai_reply *reply = has_answer ? openai_judge(t, &result, &is_told) : NULL;
    openai_end_observed(t, reply != NULL || is_told ? NULL : said);
    return reply;
}

/* The end of a text that could not be told as it came: of a server that does not stream, or half a character. */
static void openai_show_rest(openai_try *t, const lf_reply *reply)
{
    if (t->call->chat->on_text != NULL && !t->is_cancelled && t->shown < reply->text_size)
        (void)openai_tell(t, reply->text + t->shown, reply->text_size - t->shown);
}

/* One request. A reply, or NULL and *error; *out_pause_ms: how long to wait before another try, negative: there is none. */
static openai_reply *openai_ask(openai_try *t, int *out_pause_ms)
{
    openai_call *call = t->call;
    uint64_t now_ns = lf__monotonic_ns();
    long left_ms = now_ns < call->until_ns ? (long)((call->until_ns - now_ns) / 1000000u) : 0;
    t->request = (lf__http_request){.config = &call->server,
                                    .method = LF__HTTP_POST,
                                    .url = call->url.data,
                                    .content_type = "application/json",
                                    .body = {{call->body.data, call->body.length - 1}},
                                    .timeout_ms = left_ms > 0 ? left_ms : 1,
                                    .stream = &t->bytes,
                                    .is_foreign = true};
    *out_pause_ms = -1;
    if (t->merged == NULL || !lf__rest_stream_begin(&t->stream, &t->request)) {
        (void)openai_fail_memory(call->error);
        openai_observe(t, true);
        openai_end_observed(t, call->error->message);
        return NULL;
    }
    bool streams = call->chat->on_text != NULL, goes_on = true;
    while (goes_on && lf__rest_stream_go_on(&t->stream))
        goes_on = !streams || openai_take(t);
    if (goes_on && streams && !t->is_cancelled)
        goes_on = openai_take(t);
    lf__rest_stream_end(&t->stream);
    *out_pause_ms = openai_pause_ms(t);
    openai_observe(t, *out_pause_ms < 0);
    openai_reply *reply = openai_conclude(t);
    if (reply != NULL)
        openai_show_rest(t, &reply->reply);
    return reply;
}

static openai_reply *openai_try_once(openai_call *call, int *out_pause_ms)
{
    openai_try t = {.call = call, .start_ns = (int64_t)lf__wall_ns()};
    call->tries++;
    lf__buf_init(&t.bytes, OPENAI_BODY_MAX);
    lf__buf_init(&t.text, OPENAI_BODY_MAX);
    t.merged = lf__reply_new(LF__API_CHAT, NULL, OPENAI_BODY_MAX);
    openai_reply *reply = openai_ask(&t, out_pause_ms);
    lf__reply_free(t.merged);
    lf__buf_done(&t.bytes);
    lf__buf_done(&t.text);
    return reply;
}

static void openai_end_span(openai_call *call, bool is_good)
{
    const lf_observation_fields fields = {LF_OBSERVATION_FIELDS_INIT, .level = is_good ? LF_LEVEL_UNSET : LF_LEVEL_ERROR,
                                          .status_message = is_good ? NULL : call->error->message};
    lf_observation_end_with(call->span, &fields);
}

static openai_reply *openai_run(openai_call *call)
{
    int pause_ms = 0;
    openai_reply *reply = openai_try_once(call, &pause_ms);
    while (reply == NULL && pause_ms >= 0) {
        uint64_t until_ns = lf__monotonic_ns() + (uint64_t)pause_ms * 1000000u;
        if (!lf__rest_pause(until_ns))
            break; /* the process ends */
        reply = openai_try_once(call, &pause_ms);
    }
    openai_end_span(call, reply != NULL);
    return reply;
}

static lf_status openai_prepare(openai_call *call)
{
    lf__buf scratch;
    lf__buf_init(&scratch, OPENAI_BODY_MAX);
    if (call->timeout_ms == 0)
        return lf__rest_fail(call->error, LF_ERR_TIMEOUT, 0, "there is no time to wait: timeout_ms is 0");
    lf_status status = openai_place(call);
    if (status == LF_OK)
        status = openai_write_body(call, &scratch);
    lf__buf_done(&scratch);
    if (status == LF_OK && !lf__life_ask_elsewhere())
        status = lf__rest_fail(call->error, LF_ERR_NETWORK, 0, "the process ends");
    return status;
}

lf_reply *lf_openai_chat_with(const lf_chat_request *given)
{
    if (given == NULL)
        return NULL;
    lf_chat_request own;
    const lf_chat_request *chat = lf__fields(given, &own, sizeof own, LF__SIZE_WITH(lf_chat_request, error));
    lf_error error;
    openai_call call = {.chat = chat, .error = chat->error == NULL ? &error : chat->error};
    *call.error = (lf_error){.status = LF_OK};
    LF__AS_GUEST(guest);
    call.timeout_ms = LF__SAID(lf_chat_request, chat, timeout_ms, OPENAI_TIMEOUT_MS);
    call.max_retries = LF__SAID(lf_chat_request, chat, max_retries, OPENAI_RETRIES);
    call.max_retries = call.max_retries > OPENAI_RETRIES_MAX ? OPENAI_RETRIES_MAX : call.max_retries;
    call.until_ns = lf__monotonic_ns() + (uint64_t)call.timeout_ms * 1000000u;
    call.start_ns = (int64_t)lf__wall_ns();
    lf__buf_init(&call.url, OPENAI_URL_MAX);
    lf__buf_init(&call.authorization, OPENAI_KEY_MAX);
    lf__buf_init(&call.body, OPENAI_BODY_MAX);
    openai_reply *reply = NULL;
    if (openai_prepare(&call) == LF_OK)
        reply = openai_run(&call);
    if (reply != NULL)
        *call.error = (lf_error){.status = LF_OK};
    if (call.authorization.data != NULL)
        lf__wipe(call.authorization.data, call.authorization.length);
    lf__buf_done(&call.url);
    lf__buf_done(&call.authorization);
    lf__buf_done(&call.body);
    return reply == NULL ? NULL : &reply->reply;
}
