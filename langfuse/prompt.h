/* Langfuse for C: prompts. Fetched by name, cached, refreshed in the background, filled in, and linked to the generations that
 * use them.
 *
 *     lf_prompt *p = lf_get_prompt("movie-critic", .fallback = "Do you like {{movie}}?");
 *     char *text = lf_prompt_compile(p, .variables = LF_OBJECT("movie", title));
 *     lf_update_current_observation(.prompt = p, .input = LF_VALUE(text));
 *     free(text);
 *     lf_prompt_free(p);
 *
 * A cached prompt costs a lock that nobody else wants, a look at the clock and a small allocation, together less than two
 * observations. One whose time is over is returned at once all the same, and fetched anew in the background. Only a prompt that
 * was never seen makes the caller wait, for at most timeout_ms, and however many threads ask for it at once, one request is
 * made. With a fallback the call never fails.
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

/* How a prompt is asked for. Start with LF_PROMPT_QUERY_INIT, which the macro does by itself. */
typedef struct lf_prompt_query {
    int version;          /* 0: the one that has the label */
    const char *label;    /* default "production"; "latest" is the newest; not together with version */
    int cache_ttl_seconds; /* how long it stays fresh; 0: ask the server now; negative (default):
                              LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS, 60 */
    const char *fallback;       /* text prompt to take when there is none to be had */
    lf_value fallback_messages; /* the same for a chat prompt: a list of objects with role and content */
    int timeout_ms;       /* of the whole call, tries and waits included; default: the client's (5000) */
    int max_retries;      /* after the first try, 0 to 4; negative (default): 2 */
    lf_client *client;    /* default: the default client */
    lf_error *error;      /* filled when the answer is NULL or not what was asked for; may be NULL */
} lf_prompt_query;

static inline lf_prompt_query lf_i_prompt_query(void)
{
#ifdef __cplusplus
    lf_prompt_query query = {};
#else
    lf_prompt_query query = {0};
#endif
    query.cache_ttl_seconds = -1;
    query.max_retries = -1;
    return query;
}
#define LF_PROMPT_QUERY_INIT lf_i_prompt_query()

/* Get a prompt: lf_get_prompt("name"), lf_get_prompt("folder/name", .label = "staging", .fallback = "...").
 *
 * Blocks:  not at all when it is cached, fresh or stale; else at most timeout_ms.
 * Order:   fresh copy; stale copy (and a refresh, one per prompt); the server; a stale copy, also from LANGFUSE_PROMPT_CACHE_DIR;
 *          the fallback; NULL.
 * Errors:  NULL, with *error: LF_ERR_ARGUMENT (no name; version and label; a name with '|' or of more than 4096 bytes),
 *          LF_ERR_REFUSED with http_status 404 (there is none), LF_ERR_UNAUTHORIZED, LF_ERR_TIMEOUT, LF_ERR_NETWORK,
 *          LF_ERR_SERVER, LF_ERR_DISABLED (no keys), LF_ERR_MEMORY. 401, 403, 404 and other 4xx are not tried again; 408, 429, 5xx and network errors are.
 * Threads: any. Free with lf_prompt_free. */
LF_API lf_prompt *lf_get_prompt_with(const char *name, const lf_prompt_query *query);
#define lf_get_prompt(...) LF_I_GET_PROMPT(LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
/* The name is part of the call, so that a temporary of C++ in it lives as long. */
#define LF_I_GET_PROMPT(name, ...)                                                 \
    __extension__({                                                                \
        lf_prompt_query lf_i_fields = LF_PROMPT_QUERY_INIT;                        \
        LF_I_SET_THEN(lf_get_prompt_with((name), &lf_i_fields), __VA_ARGS__);      \
    })
LF_API void lf_prompt_free(lf_prompt *prompt);

/* Fetch prompts (their production versions) that are not cached yet, in the background. With timeout_ms above 0 wait until all
 * have been tried. LF_OK: started, or all there; LF_ERR_TIMEOUT; LF_ERR_REFUSED: at least one is not there; LF_ERR_ARGUMENT: a
 * name that cannot be one, the others are fetched; LF_ERR_DISABLED. */
LF_API lf_status lf_prefetch_prompts(const char *const *names, size_t count, int timeout_ms);

/* Forget every cached version of this prompt, or of all prompts: the next call asks the server. Copies on disk stay. */
LF_API void lf_invalidate_prompt(const char *name);
LF_API void lf_clear_prompt_cache(void);

/* ---- Filling in ---- */

/* What goes into the places. An object by name: LF_OBJECT("movie", title), a cJSON object, JSON text. */
typedef struct lf_prompt_inputs {
    lf_value variables;    /* for {{name}}: text as it is, other values as the Python SDK writes them */
    lf_value placeholders; /* for the placeholders of a chat: lists of messages. They may stand among the variables, too, and
                              without .variables this is where variables are looked up */
} lf_prompt_inputs;

/* A text prompt's text with its variables; a chat prompt's messages as the JSON text of a list. A variable that is not given
 * stays as it is, so does a placeholder (with one warning). Free with free(). NULL: no memory, or `prompt` is NULL.
 * Blocks: never. */
LF_API char *lf_prompt_compile_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs);
/* The same, always as the "messages" of a chat request: a text prompt becomes one message of the user. */
LF_API char *lf_prompt_compile_messages_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs);
/* The messages as a cJSON list, of a text prompt a cJSON string. Free with cJSON_Delete. */
LF_API struct cJSON *lf_prompt_compile_json_with(const lf_prompt *prompt, const lf_prompt_inputs *inputs);
#define lf_prompt_compile(...) LF_I_COMPILE(lf_prompt_compile_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define lf_prompt_compile_messages(...) \
    LF_I_COMPILE(lf_prompt_compile_messages_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define lf_prompt_compile_json(...) LF_I_COMPILE(lf_prompt_compile_json_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#define LF_I_COMPILE(function, prompt, ...)                              \
    __extension__({                                                      \
        const lf_prompt *const lf_i_prompt = (prompt);                   \
        lf_prompt_inputs lf_i_fields = LF_I_ZERO;                        \
        LF_I_SET_THEN(function(lf_i_prompt, &lf_i_fields), __VA_ARGS__); \
    })

/* The prompt for templates that write {name} instead of {{name}} (LangChain, Python's format): text, or of a chat the JSON text
 * of its messages. {name} is taken for a variable already and stays, as do pairs of braces; every other brace, of JSON for
 * instance, is doubled, so that formatting gives it back. Free with free(). */
LF_API char *lf_prompt_to_single_braces(const lf_prompt *prompt);

/* ---- Writing ---- */

typedef struct lf_new_prompt {
    const char *name;
    const char *prompt; /* a text prompt */
    lf_value messages;  /* a chat prompt: a list of {role, content} and {type: "placeholder", name} */
    lf_value labels;    /* LF_TAGS("production"); "latest" comes by itself */
    lf_value tags;
    lf_value config;    /* any JSON; default {} */
    const char *commit_message;
    int timeout_ms;     /* default: the client's (5000) */
    lf_client *client;
    lf_error *error;
} lf_new_prompt;

/* Create a prompt, or the next version of one. Cached copies of it are forgotten. Blocks: at most timeout_ms; not tried again,
 * since it may have arrived. NULL, with *error, when it was not created. Free with lf_prompt_free. */
LF_API lf_prompt *lf_create_prompt_with(const lf_new_prompt *prompt);
#define lf_create_prompt(...) LF_I_WITH_FIELDS(lf_new_prompt, lf_create_prompt_with, __VA_ARGS__)

typedef struct lf_prompt_change {
    const char *name;
    int version;
    lf_value new_labels; /* LF_TAGS("production"): added to this version, taken from others; to roll back, give it to an older
                            one */
    int timeout_ms;
    lf_client *client;
    lf_error *error;
} lf_prompt_change;

/* Give labels to a version. Cached copies of the prompt are forgotten. Blocks: at most timeout_ms. */
LF_API lf_status lf_update_prompt_with(const lf_prompt_change *change);
#define lf_update_prompt(...) LF_I_WITH_FIELDS(lf_prompt_change, lf_update_prompt_with, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
