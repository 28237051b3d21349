/* Langfuse for C: a small client for chat completions of OpenAI, and of the servers that speak its protocol (llama.cpp, vLLM,
 * Ollama, OpenRouter, ...), for judges, for tools, and for programs that have no client yet. Each call is a generation.
 *
 *     #include "observe.h"                 for LF_VALUE, LF_ARRAY, LF_OBJECT
 *     #include "langfuse/openai.h"
 *     lf_reply *reply = lf_openai_chat(.model = "gpt-4o-mini", .messages = LF_VALUE("Why is the sky blue?"));
 *     if (reply != NULL)
 *         puts(reply->text);
 *     lf_reply_free(reply);
 *
 * It works without keys of Langfuse, and while tracing is off: then nothing is recorded. It is no more than this: a program that
 * needs another API uses libcurl, with langfuse/curl.h or langfuse/model.h.
 */
#ifndef LF_OPENAI_H
#define LF_OPENAI_H

#include "../lf_core.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cJSON;

/* What the model said. Read only; everything it points to lives until lf_reply_free. May be read by several threads at once. */
typedef struct lf_reply {
    const char *text;  /* of the message; "": it has none, as when tools are called. Followed by a NUL, and may hold others */
    size_t text_size;
    const struct cJSON *message;    /* role, content, tool_calls, refusal, ...: append it to the messages of the next call */
    const struct cJSON *tool_calls; /* the list in it: id, function.name, function.arguments (JSON as text); NULL: none */
    const char *finish_reason;      /* "stop", "length", "tool_calls", ...; "": not said, as after a cancellation */
    const struct cJSON *usage;      /* as the server reports it: prompt_tokens, completion_tokens, ...; NULL: it does not. The
                                       generation has it already; .usage of an update translates it likewise */
    const char *json;  /* the whole reply, as the server sent it; of a stream, as if it had not been one */
    size_t json_size;
    int http_status;
    bool is_cancelled; /* on_text returned false; the rest is what had come until then */
} lf_reply;

/* What is asked. */
typedef struct lf_chat_request {
    size_t struct_size; /* the macro sets it; LF_CHAT_REQUEST_INIT by hand */
    const char *model;  /* NULL: not sent; some servers have only one */
    lf_value_from_LF_VALUE messages; /* LF_ARRAY of objects, a cJSON list, JSON by lf_json(text); one object is one message, and
                                        LF_VALUE(text) one of the user */
    lf_value_from_LF_ARRAY tools;    /* a list, as in the request */
    lf_value_from_LF_OBJECT parameters; /* further members of the request: LF_OBJECT("temperature", 0.2, "max_tokens", 500).
                                           Those that other fields name (model, messages, tools, stream) are left out;
                                           "stream_options" is by default {"include_usage":true}, null sends none */
    const lf_prompt *prompt; /* links the generation to this version of a prompt */
    bool (*on_text)(void *data, const char *text, size_t size); /* gets the text in pieces, as it arrives; see below */
    void *on_text_data;
    const char *base_url; /* OPENAI_BASE_URL; https://api.openai.com/v1. "/chat/completions" is appended */
    const char *api_key;  /* OPENAI_API_KEY; NULL: servers of one's own need none */
    int timeout_ms;  /* of the whole call, tries and pauses included; default 60000 */
    int max_retries; /* tries after the first, up to 4; default 2 */
    const char *name; /* of the generation; default "OpenAI-generation" */
    const lf_observation *parent; /* default: the innermost open observation of this thread */
    lf_switch tracing; /* LF_OFF: this call is not recorded */
    lf_client *client; /* default: that of the parent, otherwise the default client */
    lf_error *error;   /* written always, or NULL */
} lf_chat_request;

#define LF_CHAT_REQUEST_INIT .struct_size = sizeof(lf_chat_request)

static inline void lf_i_unsay_chat(lf_chat_request *chat)
{
    chat->timeout_ms = chat->max_retries = -1;
#ifdef LF_DISABLE
    chat->tracing = LF_OFF;
#endif
}

/* Ask a chat model: POST base_url/chat/completions.
 *
 * With on_text the reply is streamed. on_text runs on this thread, under no lock, and may call anything but fork without exec; it
 * must not throw or jump. `text` has whole characters, a NUL behind it, and lives until on_text returns. False cancels: the
 * connection is closed, and the reply is what had come. A server that does not stream gives all of the text in one piece.
 * In a streamed reply data of sounds, signatures of reasoning and probabilities of tokens are left out.
 *
 * 408, 429, 5xx and no answer are tried again, after the time that Retry-After names, if that is a second or more, otherwise after
 * about half a second, one, two.
 * Nothing is tried again once a reply has begun to come, and where the pause would take more than the time that is left.
 * Each try is a generation. Where there are several, a span "openai.chat" is around them.
 *
 * OPENAI_API_KEY and OPENAI_BASE_URL are read once, by the first call; SSL_CERT_FILE, CURL_CA_BUNDLE and SSL_CERT_DIR likewise.
 * Proxies are those of libcurl's variables. Options of lf_init for connections, such as curl_hook, concern Langfuse's server only.
 * Blocks:  at most timeout_ms, and what on_text takes; 0: LF_ERR_TIMEOUT. Not from a hook. The thread is not cancelled meanwhile.
 * Returns: NULL, with *error, after a failure: LF_ERR_ARGUMENT (no messages, a base_url or key that can be none); LF_ERR_DISABLED
 *          (neither a key nor a base_url is given or set); LF_ERR_UNAUTHORIZED (401, 403), LF_ERR_REFUSED (another 4xx), LF_ERR_SERVER (5xx; an
 *          error inside of a stream; something else than a chat completion, or more than 64 MiB), each with the words of the
 *          server; LF_ERR_TIMEOUT; LF_ERR_NETWORK (no answer, or only a part of it); LF_ERR_MEMORY. No message holds the key.
 * The caller frees the reply with lf_reply_free. */
LF_API lf_reply *lf_openai_chat_with(const lf_chat_request *chat) LF_I_SYMBOL("lf_openai_chat_sized");
#define lf_openai_chat(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS_UNSAID(lf_chat_request, lf_i_unsay_chat, lf_openai_chat_with, __VA_ARGS__))

/* NULL is fine. */
LF_API void lf_reply_free(lf_reply *reply);

#ifdef __cplusplus
}
#endif
#endif
