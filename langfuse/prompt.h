/* Langfuse for C: prompts. Fetched by name, cached, refreshed in the background, filled in, and linked to the generations that
 * use them.
 *
 *     lf_prompt *p = lf_get_prompt("movie-critic", .fallback = "Do you like {{movie}}?");
 *     char *text = lf_prompt_compile(p, .variables = LF_OBJECT("movie", title));
 *     lf_update_current_observation(.prompt = p, .input = LF_VALUE(text));
 *     free(text);
 *     lf_prompt_free(p);
 *
 * A cached prompt takes one lock, one look at the clock and one small allocation: less than two observations. A stale copy is
 * returned at once and fetched in the background. Without a copy the caller waits, at most timeout_ms; threads that wait for one
 * prompt share one request. With a fallback the call never fails.
 * Fetching needs keys, but not tracing: LANGFUSE_TRACING_ENABLED=false leaves prompts alone.
 */
#ifndef LF_PROMPT_H
#define LF_PROMPT_H

#include "../lf_core.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cJSON;

typedef enum lf_prompt_type { LF_PROMPT_TEXT = 0, LF_PROMPT_CHAT } lf_prompt_type;

/* Where it came from. */
typedef enum lf_prompt_source {
    LF_PROMPT_FRESH = 0, /* from the server, just now */
    LF_PROMPT_CACHED,    /* from memory, within its time */
    LF_PROMPT_STALE,     /* from memory or disk, beyond its time: it is being fetched anew, or could not be */
    LF_PROMPT_FALLBACK   /* what the caller gave */
} lf_prompt_source;

/* A prompt. Read only; everything it points to lives until lf_prompt_free. May be read by several threads at once. */
struct lf_prompt {
    const char *name;
    int version; /* of a fallback: the one asked for, or 0 */
    bool is_fallback;
    lf_prompt_source source;
    lf_prompt_type type;
    int64_t age_ms; /* since the server gave it; of a fallback 0 */
    const char *prompt; /* a text prompt's text; a chat prompt's messages as JSON text */
    const struct cJSON *messages; /* of a chat prompt; NULL otherwise */
    const struct cJSON *config;   /* any JSON; never NULL */
    const char *const *labels;    /* NULL-terminated, as are the lists below */
    const char *const *tags;
    const char *const *variables; /* names between {{ and }} in order, one for each place; of chats without placeholders */
    const char *commit_message;   /* NULL: none */
    void *body;                   /* ours */
};

/* How a prompt is asked for. */
typedef struct lf_prompt_query {
    size_t struct_size; /* the macro sets it; LF_PROMPT_QUERY_INIT by hand */
    int version;        /* 0: the version that has the label */
    const char *label;  /* default "production"; "latest" is the newest; not together with version */
    int cache_ttl_ms;   /* how long a copy stays fresh; default: LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS, 60 s. 0: the server
                           is asked now */
    const char *fallback; /* the text that is used if neither the cache nor the server gives the prompt */
    lf_value_from_LF_ARRAY fallback_messages; /* the same for a chat prompt: a list of objects with role and content */
    int timeout_ms;     /* of the whole call, tries and waits included; default: that of the client (5000); 0: the cache only */
    int max_retries;    /* tries after the first, up to 4; default 2 */
    lf_client *client;  /* default: the default client */
    lf_error *error;    /* written always, or NULL */
    int cache_ttl_seconds LF_DEPRECATED_FIELD("use .cache_ttl_ms"); /* the same in seconds; counts where cache_ttl_ms is not said */
} lf_prompt_query;

#define LF_PROMPT_QUERY_INIT .struct_size = sizeof(lf_prompt_query)

/* Get a prompt: lf_get_prompt("name"), lf_get_prompt("folder/name", .label = "staging", .fallback = "...").
 *
 * Order:   a fresh copy; a stale copy (and it is fetched anew in the background); the server; a stale copy, also from
 *          LANGFUSE_PROMPT_CACHE_DIR; the fallback; NULL.
 * Blocks:  never when a copy is cached, fresh or stale; otherwise at most timeout_ms. Not from a hook. Where the program calls
 *          lf_poll, nothing is fetched in the background: the call that finds a stale copy asks the server itself, within
 *          timeout_ms, and takes the stale copy after a failure or with a timeout_ms of 0.
 * Errors:  *error is LF_OK when the answer is the prompt that was asked for, also where it comes from the cache. Otherwise
 *          (fallback, stale copy after a failure, NULL) it tells why: LF_ERR_ARGUMENT (no name; version and label; a name with
 *          '|', a name of more than 4096 bytes); LF_ERR_REFUSED with http_status 404 (there is none); LF_ERR_UNAUTHORIZED;
 *          LF_ERR_TIMEOUT; LF_ERR_NETWORK; LF_ERR_SERVER; LF_ERR_DISABLED (no keys); LF_ERR_MEMORY. 408, 429, 5xx and network
 *          errors are tried again. A name "." or ".." can be created on a server and is refused here: it is no part of a URL.
 * The caller frees the prompt with lf_prompt_free. */
LF_API lf_prompt *lf_get_prompt_with(const char *name, const lf_prompt_query *query) LF_I_SYMBOL("lf_get_prompt_sized");
#define lf_get_prompt(...) LF_I_GET_PROMPT(__COUNTER__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
/* The name is part of the call, so that a temporary of C++ in it lives as long. */
#define LF_I_GET_PROMPT(id, name, ...)                                                      \
    __extension__({                                                                         \
        lf_prompt_query LF_I_FIELDS(id) = LF_I_ZERO;                                        \
        lf_i_unsay_query(&LF_I_FIELDS(id));                                                 \
        LF_I_SET_THEN(id, lf_get_prompt_with((name), &LF_I_FIELDS(id)), __VA_ARGS__);       \
    })

LF_I_WITHOUT_DEPRECATION_WARNINGS
static inline void lf_i_unsay_query(lf_prompt_query *query)
{
    query->cache_ttl_ms = query->cache_ttl_seconds = query->timeout_ms = query->max_retries = -1;
}
LF_I_WITH_DEPRECATION_WARNINGS

/* NULL is fine. */
LF_API void lf_prompt_free(lf_prompt *prompt);

/* Fetch the production versions of prompts that are not cached yet, in the background. Where the program calls lf_poll they are
 * fetched by this call, one after the other.
 * Blocks:  until all have been tried, at most timeout_ms (5000); 0: not at all.
 * Returns: LF_OK: all are there, or with 0: begun; LF_ERR_TIMEOUT, also with 0 where the program calls lf_poll; LF_ERR_REFUSED:
 *          one does not exist; LF_ERR_NETWORK and others, as for lf_get_prompt; LF_ERR_ARGUMENT: a name that cannot be one, the others are fetched; LF_ERR_DISABLED: no
 *          keys. */
LF_API lf_status lf_prefetch_prompts(const char *const *names, size_t count, int timeout_ms) LF_I_SYMBOL("lf_prefetch_prompts_ms");

/* Forget every cached version of this prompt, or of all prompts: the next call asks the server. Copies on disk stay. Blocks:
 * never. */
LF_API void lf_invalidate_prompt(const char *name);
LF_API void lf_clear_prompt_cache(void);

/* ---- Filling in ---- */

/* The values to fill in, by name: LF_OBJECT("movie", title), a cJSON object, JSON text. */
typedef struct lf_prompt_inputs {
    size_t struct_size; /* the macro sets it; LF_PROMPT_INPUTS_INIT by hand */
    lf_value_from_LF_OBJECT variables;    /* for {{name}}: a text as it is, other values as the Python SDK writes them */
    lf_value_from_LF_OBJECT placeholders; /* for the placeholders of a chat: lists of messages. They may stand among the
                                             variables, too; without .variables, variables are looked up here */
} lf_prompt_inputs;

#define LF_PROMPT_INPUTS_INIT .struct_size = sizeof(lf_prompt_inputs)

/* A text prompt's text with its variables; a chat prompt's messages as the JSON text of a list. A variable that is not given
 * stays as it is, so does a placeholder (with one warning). Free with free(). NULL: no memory, or `prompt` is NULL.
 * Blocks: never. */
LF_API char *lf_prompt_compile_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs)
    LF_I_SYMBOL("lf_prompt_compile_sized");
/* The same, always as the "messages" of a chat request: a text prompt becomes one message of the user. */
LF_API char *lf_prompt_compile_messages_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs)
    LF_I_SYMBOL("lf_prompt_compile_messages_sized");
/* The messages as a cJSON list, of a text prompt a cJSON string. Free with cJSON_Delete. */
LF_API struct cJSON *lf_prompt_compile_json_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs)
    LF_I_SYMBOL("lf_prompt_compile_json_sized");
#define lf_prompt_compile(...) LF_I_COMPILE(lf_prompt_compile_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define lf_prompt_compile_messages(...) \
    LF_I_COMPILE(lf_prompt_compile_messages_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define lf_prompt_compile_json(...) LF_I_COMPILE(lf_prompt_compile_json_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define LF_I_COMPILE(function, prompt, ...) LF_I_COMPILE_(__COUNTER__, function, prompt, __VA_ARGS__)
#define LF_I_COMPILE_(id, function, prompt, ...)                                                  \
    __extension__({                                                                               \
        const lf_prompt *const LF_I_CAT(lf_i_prompt_, id) = (prompt);                             \
        lf_prompt_inputs LF_I_FIELDS(id) = LF_I_ZERO;                                             \
        LF_I_SET_THEN(id, function(LF_I_CAT(lf_i_prompt_, id), &LF_I_FIELDS(id)), __VA_ARGS__);   \
    })

/* The prompt for templates that write {name} instead of {{name}} (LangChain, Python's format): text, or of a chat the JSON text
 * of its messages. {name} is taken for a variable already and stays, as do pairs of braces; every other brace, of JSON for
 * instance, is doubled, so that formatting gives it back. Free with free(). */
LF_API char *lf_prompt_to_single_braces(const lf_prompt *prompt);

/* ---- Writing ---- */

typedef struct lf_new_prompt {
    size_t struct_size; /* the macro sets it; LF_NEW_PROMPT_INIT by hand */
    const char *name;
    const char *prompt; /* a text prompt */
    lf_value_from_LF_ARRAY messages; /* a chat prompt: a list of {role, content} and {type: "placeholder", name} */
    lf_value_from_LF_TAGS labels;    /* LF_TAGS("production"); the server adds "latest" */
    lf_value_from_LF_TAGS tags;
    lf_value_from_LF_VALUE config;   /* any JSON; default {} */
    const char *commit_message;
    int timeout_ms;     /* default: that of the client (5000) */
    lf_client *client;  /* default: the default client */
    lf_error *error;    /* written always, or NULL */
} lf_new_prompt;

#define LF_NEW_PROMPT_INIT .struct_size = sizeof(lf_new_prompt)

static inline void lf_i_unsay_prompt(lf_new_prompt *prompt)
{
    prompt->timeout_ms = -1;
}

/* Create a prompt, or the next version of one. Cached copies of it are forgotten. The server cuts blanks at both ends of a
 * name. There is one try, since a request without an answer may have arrived.
 * Blocks:  at most timeout_ms. Not from a hook.
 * Returns: NULL, with *error, when it was not created. The caller frees the prompt with lf_prompt_free. */
LF_API lf_prompt *lf_create_prompt_with(const lf_new_prompt *prompt) LF_I_SYMBOL("lf_create_prompt_sized");
#define lf_create_prompt(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS_UNSAID(lf_new_prompt, lf_i_unsay_prompt, lf_create_prompt_with, __VA_ARGS__))

typedef struct lf_prompt_change {
    size_t struct_size; /* the macro sets it; LF_PROMPT_CHANGE_INIT by hand */
    const char *name;
    int version;
    lf_value_from_LF_TAGS new_labels; /* LF_TAGS("production"): added to this version, taken from others. To roll back, give
                                         the label to an older version */
    int timeout_ms;     /* default: that of the client (5000) */
    lf_client *client;  /* default: the default client */
    lf_error *error;    /* written always, or NULL */
} lf_prompt_change;

#define LF_PROMPT_CHANGE_INIT .struct_size = sizeof(lf_prompt_change)

static inline void lf_i_unsay_change(lf_prompt_change *change)
{
    change->timeout_ms = -1;
}

/* Give labels to a version. Cached copies of the prompt are forgotten.
 * Blocks:  at most timeout_ms. Not from a hook.
 * Returns: LF_OK, or the error, which *error says in words. */
LF_API lf_status lf_update_prompt_with(const lf_prompt_change *change) LF_I_SYMBOL("lf_update_prompt_sized");
#define lf_update_prompt(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS_UNSAID(lf_prompt_change, lf_i_unsay_change, lf_update_prompt_with, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
