/* Langfuse for C: the core.
 *
 * Context, the life of an observation, hand-off to the background worker, flush and shutdown. Programs usually include
 * observe.h, which adds the OBSERVE macros on top of this. Plain C11, also valid C++17; standard headers only.
 *
 * Observing never fails, blocks, prints or allocates without bound: calls that observe return nothing, accept NULL, and do
 * nothing when tracing is off or shut down. The first one starts the library. What is lost is counted (lf_get_stats).
 * Text is UTF-8; invalid bytes are sent as U+FFFD. Times are nanoseconds since the Unix epoch, timeouts are milliseconds.
 */
#ifndef LF_CORE_H
#define LF_CORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LF_VERSION "0.1.0"
#define LF_VERSION_NUM 0x000100 /* 0xMMmmpp */

#if defined(__GNUC__)
#define LF_API __attribute__((visibility("default")))
#define LF_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LF_API
#define LF_PRINTF(text, first)
#endif

/* ---- Results ---------------------------------------------------------------------------------------------------- */

/* 0 is success, errors are negative and never reused. */
typedef enum lf_status {
    LF_OK = 0,
    LF_ERR_ARGUMENT = -1,     /* an argument or option is out of its documented range */
    LF_ERR_MEMORY = -2,       /* an allocation failed, or no thread could be created */
    LF_ERR_TIMEOUT = -3,      /* the time given was not enough */
    LF_ERR_NETWORK = -4,      /* no answer: name lookup, connection, TLS or transfer failed */
    LF_ERR_UNAUTHORIZED = -5, /* the server refused the keys (401, 403) */
    LF_ERR_REFUSED = -6,      /* the server refused the request (another 4xx) */
    LF_ERR_SERVER = -7,       /* the server failed (5xx) or answered something else than its API promises */
    LF_ERR_DISABLED = -8,     /* tracing is off: no keys, switched off, or shut down */
    LF_ERR_LOST = -9          /* observations were dropped since the last call; lf_get_stats tells why */
} lf_status;

#define LF_ERROR_TEXT_SIZE 256

/* Filled by calls that ask the server, when they fail. */
typedef struct lf_error {
    lf_status status;
    int http_status;                 /* 0 when there was no answer */
    char message[LF_ERROR_TEXT_SIZE]; /* one line of English, never a secret */
} lf_error;

/* ---- Values ----------------------------------------------------------------------------------------------------- */

typedef enum lf_kind {
    LF_KIND_UNSET = 0, /* no value was given */
    LF_KIND_NULL,
    LF_KIND_BOOL,
    LF_KIND_INT,      /* as.i */
    LF_KIND_UINT,     /* as.u */
    LF_KIND_INT128,   /* as.u low 64 bits, extra high 64 bits (two's complement) */
    LF_KIND_UINT128,  /* likewise, unsigned */
    LF_KIND_FLOAT,    /* as.d, printed with the digits a float needs */
    LF_KIND_DOUBLE,   /* as.d */
    LF_KIND_CHAR,     /* as.i, one character */
    LF_KIND_CSTRING,  /* as.p, NUL-terminated; NULL is null */
    LF_KIND_STRING,   /* as.p, extra bytes; may hold NUL */
    LF_KIND_JSON,     /* as.p, extra bytes of JSON text (SIZE_MAX: NUL-terminated) */
    LF_KIND_POINTER,  /* as.p, printed as hex */
    LF_KIND_CJSON,    /* as.p, a cJSON tree */
    LF_KIND_ARRAY,    /* as.p, extra elements of kind `element`, `element_size` bytes each */
    LF_KIND_OBJECT,   /* as.p, extra lf_member */
    LF_KIND_LIST,     /* as.p, extra lf_value */
    LF_KIND_SECRET,   /* a value was there; which, is not recorded */
    LF_KIND_OPAQUE    /* a struct or union without a converter; extra is its size */
} lf_kind;

/* A tagged value. Whatever it points to is borrowed until the call it is given to returns. */
typedef struct lf_value {
    uint16_t kind;         /* lf_kind */
    uint16_t element;      /* lf_kind of the elements of an array */
    uint32_t element_size; /* bytes of an element of an array */
    union {
        int64_t i;
        uint64_t u;
        double d;
        const void *p;
    } as;
    uint64_t extra;
} lf_value;

/* A named value of an object. `name` is borrowed like the value. */
typedef struct lf_member {
    const char *name;
    lf_value value;
} lf_member;

/* Constructors for calls without observe.h, whose LF_VALUE(x) picks the right one by itself. */
static inline lf_value lf_i_make(lf_kind kind, uint64_t extra)
{
    lf_value value;
    value.kind = (uint16_t)kind;
    value.element = 0;
    value.element_size = 0;
    value.as.u = 0;
    value.extra = extra;
    return value;
}

static inline lf_value lf_i_make_pointer(lf_kind kind, const void *pointer, uint64_t extra)
{
    lf_value value = lf_i_make(kind, extra);
    value.as.p = pointer;
    return value;
}

static inline lf_value lf_null(void)
{
    return lf_i_make(LF_KIND_NULL, 0);
}

static inline lf_value lf_bool(bool b)
{
    lf_value value = lf_i_make(LF_KIND_BOOL, 0);
    value.as.u = b;
    return value;
}

static inline lf_value lf_int(int64_t i)
{
    lf_value value = lf_i_make(LF_KIND_INT, 0);
    value.as.i = i;
    return value;
}

static inline lf_value lf_uint(uint64_t u)
{
    lf_value value = lf_i_make(LF_KIND_UINT, 0);
    value.as.u = u;
    return value;
}

static inline lf_value lf_double(double d)
{
    lf_value value = lf_i_make(LF_KIND_DOUBLE, 0);
    value.as.d = d;
    return value;
}

/* NUL-terminated text; NULL is null. */
static inline lf_value lf_text(const char *text)
{
    return lf_i_make_pointer(LF_KIND_CSTRING, text, 0);
}

/* Text by pointer and length; NUL bytes are data. */
static inline lf_value lf_strn(const char *text, size_t size)
{
    return lf_i_make_pointer(LF_KIND_STRING, text, size);
}

/* JSON text, NUL-terminated, sent as it is; if it is not valid JSON it is sent as a string. */
static inline lf_value lf_json(const char *json)
{
    return lf_i_make_pointer(LF_KIND_JSON, json, SIZE_MAX);
}

static inline lf_value lf_jsonn(const char *json, size_t size)
{
    return lf_i_make_pointer(LF_KIND_JSON, json, size == SIZE_MAX ? SIZE_MAX - 1 : size); /* a size, not the mark above */
}

/* An address, shown as hex; what it points to is not looked at. */
static inline lf_value lf_pointer(const volatile void *pointer)
{
    return lf_i_make_pointer(LF_KIND_POINTER, (const void *)pointer, 0);
}

/* ---- Starting and stopping ---------------------------------------------------------------------------------------- */

/* Three-valued switch: zero is "not said". */
typedef enum lf_switch { LF_DEFAULT = 0, LF_ON = 1, LF_OFF = 2 } lf_switch;

/* How much is said: nothing; what needs attention (the default); what goes well, too; a line for each request. */
typedef enum lf_log_level { LF_LOG_DEFAULT = 0, LF_LOG_QUIET, LF_LOG_WARN, LF_LOG_INFO, LF_LOG_DEBUG } lf_log_level;

#define LF_SAMPLE_NONE (-1.0)

/* A value on its way out, as lf_options.mask sees it: inputs, outputs, metadata, those of traces, values and comments of
 * scores. The hook may call lf_mask_replace, and returns true when the value may be sent, changed or not. When it returns
 * false, "<fully masked due to failed mask function>" is sent instead. It runs on the worker thread, before every send, must
 * not throw, and must not call us otherwise. */
typedef struct lf_masked {
    const char *field; /* "input", "output", "metadata", "trace.input", "trace.output", "trace.metadata", "score.value",
                          "score.comment" */
    const char *text;  /* not terminated */
    size_t size;
    bool is_json;      /* an object, list, number, ... as JSON text; otherwise the text itself */
    void *replacement; /* ours */
} lf_masked;

/* Send this instead, from the mask hook. `text` is copied; is_json says how it is meant: JSON text that is not valid is sent
 * as text. False: no memory; return false then. */
LF_API bool lf_mask_replace(lf_masked *value, const char *text, size_t size, bool is_json);

/* All fields may stay zero: then the environment decides, then the default (both in the field's comment).
 * Strings are copied. Start with LF_OPTIONS_INIT:
 *     lf_init(&(lf_options){ LF_OPTIONS_INIT, .public_key = "pk-lf-...", .secret_key = "sk-lf-..." });
 */
typedef struct lf_options {
    size_t struct_size;      /* set by LF_OPTIONS_INIT; lets the struct grow */
    const char *public_key;  /* LANGFUSE_PUBLIC_KEY; without keys nothing is recorded */
    const char *secret_key;  /* LANGFUSE_SECRET_KEY */
    const char *base_url;    /* LANGFUSE_BASE_URL, LANGFUSE_HOST; https://cloud.langfuse.com */
    const char *environment; /* LANGFUSE_TRACING_ENVIRONMENT; [a-z0-9_-], at most 40, not starting with "langfuse" */
    const char *release;     /* LANGFUSE_RELEASE, LANGFUSE_TRACING_RELEASE, then the commit variables of CI systems */
    const char *exporter;    /* LANGFUSE_EXPORTER: "otlp" (default), "ingestion" (the older batches), or "file:PATH" (OTLP/JSON
                                lines, appended; scores to PATH.scores) */
    const char *protocol;    /* OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" or "http/json" */
    lf_switch tracing;       /* LANGFUSE_TRACING_ENABLED; on */
    lf_switch capture_io;    /* LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED; on */
    lf_switch debug;         /* LANGFUSE_DEBUG; off */
    int flush_at;            /* LANGFUSE_FLUSH_AT: ended observations of one thread that start a send at once; 512 */
    int flush_interval_ms;   /* LANGFUSE_FLUSH_INTERVAL, in seconds there: longest wait before a send; 1000 */
    int timeout_ms;          /* LANGFUSE_TIMEOUT, in seconds there: one request; 5000 */
    int exit_timeout_ms;     /* LANGFUSE_EXIT_TIMEOUT_MS: longest wait of exit() for deliveries; 2000; negative: none */
    size_t max_queue_bytes;  /* LANGFUSE_MAX_QUEUE_BYTES: ceiling of all that waits to be sent; 256 MiB, at least 1 MiB */
    size_t max_batch_bytes;  /* LANGFUSE_MAX_BATCH_SIZE_BYTES: request bodies are cut at this; 2500000, 65536 to 4000000 */
    size_t max_event_bytes;  /* LANGFUSE_MAX_EVENT_SIZE_BYTES: one observation; 1000000 */
    const char *ca_file;     /* OTEL_EXPORTER_OTLP_CERTIFICATE, SSL_CERT_FILE, CURL_CA_BUNDLE: PEM bundle to trust */
    const char *ca_path;     /* SSL_CERT_DIR */
    const char *client_certificate; /* OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE */
    const char *client_key;  /* OTEL_EXPORTER_OTLP_CLIENT_KEY */
    const char *proxy;       /* else libcurl reads HTTPS_PROXY, NO_PROXY and their like */
    lf_switch insecure;      /* LF_ON: do not verify the server's certificate (warned about, once); off */
    const char *const *headers; /* additional request headers "Name: value", NULL-terminated; OTEL_EXPORTER_OTLP_HEADERS */
    void (*log)(void *data, const char *line); /* receives our lines instead of stderr; any thread. See the hooks below */
    void *log_data;
    void (*curl_hook)(void *data, void *curl); /* set your own options on each new CURL *easy handle; on the worker thread,
                                                  and on threads that ask the server something, all signals blocked */
    void *curl_hook_data;
    double sample_rate;      /* LANGFUSE_SAMPLE_RATE: part of all traces that is kept, by trace id, above 0 to 1; 1.
                                LF_SAMPLE_NONE keeps none */
    bool (*mask)(void *data, lf_masked *value); /* sees and changes what leaves the process; see lf_masked */
    void *mask_data;
    int max_handles;         /* LANGFUSE_MAX_HANDLES: handles open at once, in steps of 64; 65536, 16320 on 32 bit, and no more */
    size_t max_handle_bytes; /* LANGFUSE_MAX_HANDLE_BYTES: memory of all open handles beyond 400 bytes each; 64 MiB */
    lf_log_level log_level;  /* LANGFUSE_LOG: quiet, warn, info, debug; or a path with a / or a ., to append info to; warn */
    const char *secret_key_file; /* LANGFUSE_SECRET_KEY_FILE: path of a file whose first line is the secret key, when none is given
                                    otherwise; read again when the server refuses the key */
} lf_options;

/* The hooks (log, curl_hook, mask) and what their data pointers name must live: those given to lf_init until lf_shutdown has
 * returned in time; those given to lf_client_new until lf_client_free has, since the next lf_init starts again each client that was
 * not freed. After that none is called. No lock of ours is held while a hook runs: it may take locks, sleep, fork and exit; it must
 * not throw, and must not call us except as said. A child forked in a hook must exec or _exit. */
#define LF_OPTIONS_INIT .struct_size = sizeof(lf_options)

/* Why an observation or a score was not delivered. */
typedef enum lf_drop_reason {
    LF_DROP_QUEUE_FULL = 0, /* max_queue_bytes reached: the oldest whole traces go first */
    LF_DROP_TOO_LARGE,      /* bigger than a request may be, even shortened */
    LF_DROP_REFUSED,        /* the server answered with a 4xx that trying again cannot cure */
    LF_DROP_UNREACHABLE,    /* tries used up: no answer, 408, 429 or 5xx for an hour */
    LF_DROP_SHUTDOWN,       /* still queued when the time given to shutdown or exit was over */
    LF_DROP_NO_MEMORY,      /* an allocation failed */
    LF_DROP_TOO_DEEP,       /* more observations open at once in one thread than its memory holds */
    LF_DROP_REASON_COUNT
} lf_drop_reason;

/* accepted == delivered + the sum of dropped + queued, while nothing moves: no observation ends, and nothing is sent or dropped at
 * this moment, as after lf_flush. Each of them is counted by itself. */
typedef struct lf_stats {
    uint64_t accepted;  /* observations that ended, and scores that were made, while tracing was on; sampled out ones not */
    uint64_t delivered; /* acknowledged by the server, or written to the file */
    uint64_t dropped[LF_DROP_REASON_COUNT];
    uint64_t dropped_total;
    uint64_t queued;         /* ended, neither delivered nor dropped yet; counted where they wait */
    uint64_t open;           /* begun, not ended */
    uint64_t queued_bytes;   /* memory that holds the queued ones */
    uint64_t requests;       /* HTTP requests made, tries included */
    uint64_t retries;        /* of them, second and later tries */
    uint64_t last_success_ns; /* wall clock of the last acknowledgement; 0: none yet */
    uint64_t misused;        /* calls on observations that had already ended, scopes ended on another thread, values whose
                                size cannot be one (the -1 of a read that failed), which are not recorded */
    uint64_t left_out;       /* values that their observation had no room for, while the rest of it is sent */
} lf_stats;

typedef enum lf_type {
    LF_TYPE_DEFAULT = 0, /* span */
    LF_SPAN,
    LF_GENERATION,
    LF_EVENT,
    LF_AGENT,
    LF_TOOL,
    LF_CHAIN,
    LF_RETRIEVER,
    LF_EVALUATOR,
    LF_EMBEDDING,
    LF_GUARDRAIL
} lf_type;

typedef enum lf_level {
    LF_LEVEL_UNSET = 0,
    LF_LEVEL_DEBUG,
    LF_LEVEL_DEFAULT,
    LF_LEVEL_WARNING,
    LF_LEVEL_ERROR
} lf_level;

/* Start with these options, merged with the environment. NULL: environment only.
 *
 * Not needed: the first observation does the same with NULL. Sets libcurl up and creates the worker thread, together about
 * half a millisecond.
 * Blocks:  never on the network. Where another thread is starting us, until it is done, at most one second (its log hook may
 *          sleep); then LF_ERR_DISABLED.
 * Threads: any. Calling it while already started changes nothing and returns LF_OK; after lf_shutdown it starts anew, also while
 *          that is still waiting in another thread.
 * Returns: LF_OK; LF_ERR_DISABLED when nothing will be recorded (no keys, switched off, the process ends); LF_ERR_MEMORY: no
 *          memory, or no thread, which is told. Without a thread what ends is kept, and a thread is tried for again.
 */
LF_API lf_status lf_init(const lf_options *options);

/* Send everything that ended before the call.
 *
 * Blocks: until all of it is acknowledged or dropped, at most timeout_ms (negative: 2000).
 * Threads: any. Not from a log callback.
 * Returns: LF_OK; LF_ERR_TIMEOUT, what is left stays queued (in a mask or curl hook, which the worker runs: at once);
 *          LF_ERR_LOST when observations, of whichever client, were dropped since the last flush; LF_ERR_MEMORY: there is no
 *          thread to send, what ended stays queued; LF_ERR_DISABLED when tracing is off.
 */
LF_API lf_status lf_flush(int timeout_ms);

/* Flush, then stop the worker thread and release what it holds. Observing afterwards does nothing until lf_init.
 *
 * Not needed before exit: an exit handler does the same within exit_timeout_ms. Open observations of the calling thread, and all
 * handles, are ended and sent, marked incomplete. Scopes of other threads stay open; one that ends before the next lf_init is not
 * recorded. The keys of the default client are wiped: prompts, too, need lf_init from then on.
 * Blocks:  at most timeout_ms (negative: 2000) and 50 ms, whatever the server, a file or a hook does. What does not come to an
 *          end in that time (a mask hook that sleeps) ends later, by itself.
 * Threads: any. fork, lf_init, lf_client_new and prompts of other threads do not wait for it.
 * Returns: as lf_flush; what could not be sent in time is dropped and counted (LF_DROP_SHUTDOWN).
 */
LF_API lf_status lf_shutdown(int timeout_ms);

/* What was accepted, delivered, dropped and is queued, since the process started (in a forked child: since the fork).
 * Threads: any; takes no lock. */
LF_API void lf_get_stats(lf_stats *out_stats);

/* Ask the server whether the keys are good (GET /api/public/projects).
 *
 * Blocks: at most timeout_ms (negative: 5000). Threads: any, not from our callbacks.
 * Returns: LF_OK; LF_ERR_UNAUTHORIZED: the server does not know the keys (the message names the region to look at);
 *          LF_ERR_NETWORK: no such host, no connection, TLS; LF_ERR_TIMEOUT; LF_ERR_REFUSED: something else answers there, or
 *          the keys belong to no project; LF_ERR_SERVER; LF_ERR_DISABLED: no keys, or tracing is off. `error` (may be NULL)
 *          says it in words.
 */
LF_API lf_status lf_auth_check(int timeout_ms, lf_error *error);

/* ---- Several projects in one process -------------------------------------------------------------------------------- */

typedef struct lf_client lf_client;

/* A further project with keys of its own. Observations that name it (.client), and those below them, go there and nowhere
 * else; all others go to the default client (lf_init). The environment fills in what the options leave open, as for lf_init.
 *
 * For the life of the process: at most 62 are ever made. Never NULL: a client that cannot be made, or has no keys, takes
 * everything and sends nothing. Blocks: never on the network. Threads: any.
 */
LF_API lf_client *lf_client_new(const lf_options *options);
/* Send what it still has, within 2 seconds, and stop it: what names it from now on is not recorded. NULL is fine. The next
 * lf_flush tells whether anything was lost. */
LF_API void lf_client_free(lf_client *client);

/* ---- Observations ------------------------------------------------------------------------------------------------- */

#define LF_TRACE_ID_SIZE 33       /* 32 lower-case hex digits and the NUL */
#define LF_OBSERVATION_ID_SIZE 17 /* 16 lower-case hex digits and the NUL */

typedef struct lf_observation lf_observation;
typedef struct lf_prompt lf_prompt; /* langfuse/prompt.h */

/* What can be said of an observation. Zero means "leave as it is". Text and values are copied. */
typedef struct lf_observation_fields {
    const char *name;
    lf_type type;
    lf_level level; /* LF_LEVEL_ERROR also sets the OpenTelemetry status */
    lf_value input;
    lf_value output;
    lf_value metadata; /* an object is merged key by key */
    const char *status_message;
    const char *version;
    const char *model;
    lf_value model_parameters; /* an object */
    lf_value usage_details;    /* an object of token counts: "input", "output", "total", ... */
    lf_value cost_details;     /* an object of US dollars: "input", "output", "total", ... */
    lf_value usage; /* counts as another API names them (OpenAI, Anthropic, Langfuse v2 with "unit" and costs): renamed */
    const lf_prompt *prompt; /* links a generation to this version of a prompt; a fallback is not linked */
    const char *prompt_name; /* the same by hand; both or none */
    int prompt_version;
    int64_t completion_start_time_ns;
    int64_t end_time_ns; /* of a handle; default: when lf_observation_end is called */

    /* Only when an observation is started. */
    const lf_observation *parent; /* default: the innermost open observation of this thread */
    const char *trace_id; /* 32 hex digits, or any text, hashed as lf_create_trace_id does; starts or joins that trace */
    const char *parent_observation_id; /* 16 hex digits, or any text, hashed likewise; only with trace_id */
    const char *id;       /* 16 hex digits, or any text, hashed likewise: an id that other programs know; default: random */
    int64_t start_time_ns;
    lf_client *client;    /* default: the parent's, else the default client */
} lf_observation_fields;

/* Update the innermost open observation of this thread; nothing happens without one.
 *     lf_update_current_observation(.name = "ask", .model = "gpt-5-mini", .usage_details = LF_OBJECT("input", 5));
 * Blocks: never. What does not fit into max_event_bytes is shortened. */
LF_API void lf_update_current_observation_with(const lf_observation_fields *fields);
#define lf_update_current_observation(...) \
    LF_I_WITH_FIELDS_HERE(lf_observation_fields, lf_i_put_fields, __VA_ARGS__)

/* ---- Handles: observations whose life is no scope's ----------------------------------------------------------------- */

/* Start an observation that does not become current. It goes on until lf_observation_end, from any thread.
 *     lf_observation *o = lf_start_observation(.name = "job", .type = LF_TOOL, .parent = p, .input = LF_VALUE(x));
 * A handle is no pointer and never dangles: one that has ended is a parent still, until its memory is used again, and
 * everything else done with it is refused and counted (lf_stats.misused). NULL is a handle that nothing happens to; it is
 * returned when tracing is off or 65536 are open. As a `.parent` it means the default.
 * Handles still open at exit are sent, marked incomplete. In a forked child they have ended.
 * Threads: any. Blocks: never, but two threads that update one observation at once wait for each other. */
LF_API lf_observation *lf_start_observation_with(const lf_observation_fields *fields);
#define lf_start_observation(...) LF_I_WITH_FIELDS(lf_observation_fields, lf_start_observation_with, __VA_ARGS__)

/* The same, and it is this thread's current observation until it ends (here or elsewhere), or until the scope around it
 * does: what this thread observes is its child, lf_update_current_observation means it. */
LF_API lf_observation *lf_start_as_current_observation_with(const lf_observation_fields *fields);
#define lf_start_as_current_observation(...) \
    LF_I_WITH_FIELDS(lf_observation_fields, lf_start_as_current_observation_with, __VA_ARGS__)

/* A moment: an observation of type event and no length, sent at once. Nothing can be added to it; the handle it returns is
 * good as a parent. */
LF_API lf_observation *lf_create_event_with(const lf_observation_fields *fields);
#define lf_create_event(...) LF_I_WITH_FIELDS(lf_observation_fields, lf_create_event_with, __VA_ARGS__)

/* lf_observation_update(o, .output = LF_VALUE(text)); any time before its end, any thread. */
LF_API void lf_observation_update_with(lf_observation *observation, const lf_observation_fields *fields);
#define lf_observation_update(...) \
    LF_I_FOR_OBSERVATION(lf_observation_update_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))

/* lf_observation_end(o); or with a last update: lf_observation_end(o, .output = LF_VALUE(text), .end_time_ns = t); */
LF_API void lf_observation_end_with(lf_observation *observation, const lf_observation_fields *fields);
#define lf_observation_end(...) \
    LF_I_FOR_OBSERVATION(lf_observation_end_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))

/* Add a piece of streamed output, as lf_output_append does for the current one. */
LF_API void lf_observation_output_append(lf_observation *observation, const char *text, size_t size);

/* Its ids; false, and an empty string, when the handle is NULL or long ended. */
LF_API bool lf_observation_trace_id(const lf_observation *observation, char out_id[LF_TRACE_ID_SIZE]);
LF_API bool lf_observation_id(const lf_observation *observation, char out_id[LF_OBSERVATION_ID_SIZE]);

/* ---- The trace ------------------------------------------------------------------------------------------------------ */

/* What can be said of a trace. Zero means "leave as it is". */
typedef struct lf_trace_fields {
    const char *name;
    const char *user_id;
    const char *session_id;
    const char *version;
    const char *release;
    lf_value tags;     /* LF_TAGS("a", "b"); they add up */
    lf_value metadata; /* an object is merged key by key */
    lf_value input;    /* default: the root observation's; servers from version 4 on show those of the root only */
    lf_value output;
    int public_;       /* true or LF_ON: readable by everybody who has the link; LF_OFF takes it back as long as nothing of
                          the trace has been sent */
    const char *trace_id; /* default: the trace that this thread is in; also any text, as in lf_observation_fields */
    lf_client *client;    /* with trace_id: whose trace it is */
} lf_trace_fields;

/* Say something of the current trace, from any depth and thread of it. It is sent with every observation of the trace that
 * has not been sent yet, those that are still open included. Nothing happens outside of a trace. Blocks: never. */
LF_API void lf_update_current_trace_with(const lf_trace_fields *fields);
#define lf_update_current_trace(...) LF_I_WITH_FIELDS(lf_trace_fields, lf_update_current_trace_with, __VA_ARGS__)

/* https://.../project/.../traces/... of a trace (NULL: the current one). Asks the server for the project's id once.
 * Free with free(). NULL: no trace, or the server could not be asked. Blocks: at most timeout_ms (negative: 5000). */
LF_API char *lf_trace_url(const char *trace_id_or_null, int timeout_ms);

/* Attributes of everything observed in a scope; see OBSERVE_ATTRIBUTES in observe.h. Text of at most 200 characters each;
 * what is longer is left out, with one warning. */
typedef struct lf_attributes {
    const char *user_id;
    const char *session_id;
    const char *version;
    const char *trace_name;
    const char *environment; /* at most 40 of a-z, 0-9, - and _, not beginning with "langfuse" */
    lf_value tags;           /* LF_TAGS("a", "b"), behind those of the scopes around */
    lf_value metadata;       /* an object of short values, merged into that of the scopes around; sent as text */
    const lf_prompt *prompt; /* of the generations in the scope */
    const char *prompt_name; /* the same by hand; both or none */
    int prompt_version;
    int as_baggage; /* true or LF_ON: lf_inject passes them on to other processes, for everybody on the way to read */
} lf_attributes;

/* Add a piece of streamed output to the innermost open observation. The first piece stamps completion_start_time; the
 * pieces are joined. `text` is copied and may hold any bytes. */
LF_API void lf_output_append(const char *text, size_t size);

/* Ids of the innermost open observation (or of the attached context). False, and an empty string, when there is none. */
LF_API bool lf_current_trace_id(char out_id[LF_TRACE_ID_SIZE]);
LF_API bool lf_current_observation_id(char out_id[LF_OBSERVATION_ID_SIZE]);

/* A trace id: random without a seed (NULL or ""), otherwise the first 16 bytes of the seed's SHA-256, so that every
 * process that knows the seed agrees. */
LF_API void lf_create_trace_id(const char *seed_or_null, char out_id[LF_TRACE_ID_SIZE]);

/* ---- Context across threads --------------------------------------------------------------------------------------- */

typedef struct lf_context lf_context;

/* Copy this thread's context (trace, innermost observation) for use elsewhere. It may outlive the observation. NULL when
 * there is nothing to carry or no memory; every call below accepts NULL and then just runs without a context.
 * Free with lf_context_free. Allocates once. */
LF_API lf_context *lf_context_copy(void);
LF_API void lf_context_free(lf_context *context);
/* Run fn(arg) in the context: what it observes becomes children of the copied observation. Any thread, also several at
 * once; the context may be freed while fn runs. Returns what fn returns. */
LF_API void *lf_context_run(lf_context *context, void *(*fn)(void *), void *arg);
/* pthread_create whose thread starts in a copy of this thread's context. Returns what pthread_create returns. */
LF_API int lf_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg);

/* ---- Context across processes --------------------------------------------------------------------------------------- */

/* Write the current context as W3C headers: traceparent, and tracestate and baggage where there is something to say. `set`
 * is called for each. Returns how many; 0 outside of a trace. Baggage carries the trace id and what OBSERVE_ATTRIBUTES marked
 * .as_baggage, as langfuse_user_id=... and so on. Threads: any. Blocks: never; allocates. */
LF_API int lf_inject(void (*set)(void *data, const char *name, const char *value), void *data);
/* The same for libcurl: append them to `headers` (NULL: a new list), as curl_slist_append does. Returns the list; what could
 * not be added for want of memory is left out. */
struct curl_slist;
LF_API struct curl_slist *lf_inject_curl(struct curl_slist *headers);

/* Read the headers of an incoming request: a context whose observations continue the sender's trace, for OBSERVE_CONTEXT or
 * lf_context_run. `get` returns the value of a header by its (lower-case) name, or NULL; it is read before the next call.
 * Whether the trace is sampled is the sender's decision. NULL when there is no valid traceparent and no baggage of ours.
 * Free with lf_context_free. */
LF_API lf_context *lf_extract(const char *(*get)(void *data, const char *name), void *data);
/* The same from TRACEPARENT, TRACESTATE and BAGGAGE in the environment, as a parent process leaves them for a child. */
LF_API lf_context *lf_extract_environment(void);

/* ---- What the macros of observe.h stand on ------------------------------------------------------------------------ */

/* A place in the code that opens scopes; a static of the macro. `version` says which fields it has, so that the library reads
 * sites of programs that were compiled against another version. */
typedef struct lf_site {
    uint32_t version;      /* LF_I_SITE_VERSION */
    uint32_t id;           /* the library's: 0 until the first use */
    const char *function;  /* the observation's name; NULL: the first of `arguments` */
    const char *file;
    const char *arguments; /* text between the macro's parentheses */
    uint32_t line;
    uint16_t type;         /* lf_type */
    uint16_t count;        /* of arguments */
    const char *around;    /* __func__ of the function that the macro stands in; only its address counts */
    uint64_t at;           /* LF_I_AT */
    uint32_t depth;        /* LF_I_DEPTH, at most 255 */
} lf_site;

#define LF_I_SITE_VERSION 1

/* A scope in the user's frame. The library's alone, but for the first word: 0 means that nothing is open. */
typedef struct lf_scope {
    uint64_t words[4];
} lf_scope;

/* OBSERVE_WITH((...)): how this observation differs from what its place in the code says. */
typedef struct lf_observe_options {
    const char *name;
    lf_type type;
    lf_switch capture_input;  /* default: LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED */
    lf_switch capture_output;
    const char *trace_id; /* 32 hex digits, or any text, hashed as lf_create_trace_id does; starts or joins that trace */
    const char *parent_observation_id; /* 16 hex digits, or any text, hashed likewise; only with trace_id */
    lf_client *client; /* default: that of the observation around, else the default client */
} lf_observe_options;

/* What the thread should do; read without a lock. The word is data rather than a call, since a call takes more than the
 * nanosecond that a macro may cost while tracing is off. */
enum { LF_I_UNKNOWN = 0, LF_I_OFF = 1, LF_I_ON = 2, LF_I_ON_CAPTURING = 3 };
LF_API extern int lf_i_mode_word;
LF_API int lf_i_mode_unknown(void); /* initialises from the environment */

static inline int lf_i_mode(void)
{
    int mode = __atomic_load_n(&lf_i_mode_word, __ATOMIC_RELAXED);
    return __builtin_expect(mode == LF_I_UNKNOWN, 0) ? lf_i_mode_unknown() : mode;
}

/* Open a scope: `scope` is its variable, `stack_pointer` that of the function it stands in (lf_i_stack_pointer). */
LF_API void lf_i_open(lf_scope *scope, lf_site *site, const lf_value *arguments, uintptr_t stack_pointer);
LF_API void lf_i_open_with(lf_scope *scope, lf_site *site, const lf_observe_options *options, const lf_value *arguments,
                           uintptr_t stack_pointer);
LF_API void lf_i_open_attributes(lf_scope *scope, lf_site *site, const lf_attributes *attributes, uintptr_t stack_pointer);
LF_API void lf_i_open_context(lf_scope *scope, lf_site *site, const lf_context *context, uintptr_t stack_pointer);
LF_API void lf_i_close(lf_scope *scope);
/* Say something of the observation of one scope. */
LF_API void lf_i_put_result(lf_scope *scope, const lf_value *value); /* obeys capture_output */
/* Say something of the current observation, from the place that LF_I_HERE names. */
LF_API void lf_i_put_return(const char *around, uint64_t at, const lf_value *value); /* obeys capture_output */
LF_API void lf_i_put_output(const char *around, uint64_t at, const lf_value *value); /* always kept */
LF_API void lf_i_put_error(const char *around, uint64_t at, const char *format, ...) LF_PRINTF(3, 4);
LF_API void lf_i_put_fields(const char *around, uint64_t at, const lf_observation_fields *fields);
LF_API void lf_i_caught(const char *around, uint64_t at, uintptr_t stack_pointer, uintptr_t frame_top);

static inline void lf_i_scope_end(lf_scope *scope)
{
    if (scope->words[0] != 0)
        lf_i_close(scope);
}

/* The stack pointer of the function that this is inlined into. 0 on other processors: there only addresses of scopes count. */
static inline __attribute__((always_inline, no_instrument_function)) uintptr_t lf_i_stack_pointer(void)
{
    uintptr_t pointer = 0;
#if defined(__x86_64__)
    __asm__ volatile("{movq %%rsp, %q0|mov %q0, rsp}" : "=r"(pointer));
#elif defined(__i386__)
    __asm__ volatile("{movl %%esp, %0|mov %0, esp}" : "=r"(pointer));
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#elif defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
#elif defined(__powerpc__)
    __asm__ volatile("mr %0, 1" : "=r"(pointer));
#elif defined(__s390x__)
    __asm__ volatile("lgr %0, %%r15" : "=r"(pointer));
#elif defined(__loongarch__) || defined(__mips__)
    __asm__ volatile("move %0, $sp" : "=r"(pointer));
#endif
    return pointer;
}

/* In the function that this is expanded in: no lower than any value that the stack pointer has there, whatever is allocated on the
 * stack, and lower than all of those that it has in the callers. */
#if defined(__s390x__) || defined(__riscv) || defined(__loongarch__) /* there the frame's address is the caller's stack pointer */
#define LF_I_FRAME_TOP ((uintptr_t)__builtin_frame_address(0) - 1)
#else
#define LF_I_FRAME_TOP ((uintptr_t)__builtin_frame_address(0))
#endif

/* Which scopes stand around a place in the code, as the compiler knows it. LF_I_BLOCK_HAS_SCOPE(id) gives the block that it
 * stands in a number, unless the block has one already, and a depth, one more than that of the numbered block around;
 * LF_I_BLOCK and LF_I_DEPTH are those of the innermost numbered block, 0 outside of all. LF_I_AT adds the order in the text: in
 * one block, what stands further down is not open yet. goto and longjmp run no end of scope; by these numbers the library
 * knows which scopes of a function can still be open where control is now.
 *
 * A tag may be declared again in its block, and is then the same type; in a block inside it is another. A typedef may be
 * repeated in its block with the same type. So the tag tells whether the block is new, and the typedef, an array type of
 * depth + 1 rows of number + 1 bytes, holds the numbers.
 *
 * C++ has no such types, and exceptions, which do run the ends. There all scopes of a function count as in one block that has no
 * number; only OBSERVE_CAUGHT asks for it. */
/* The block and the order in the text: __COUNTER__ grows with each use. Lines would not do, since a macro may write two scopes in
 * one, and generated code has lines of several files in one function. */
#define LF_I_AT ((uint64_t)LF_I_BLOCK << 32 | (__COUNTER__ & 0xffffff))
#ifndef __cplusplus
struct lf_i_block;
typedef struct lf_i_block *lf_i_block_tag;
typedef char lf_i_block_numbers[1][1];
#define LF_I_BLOCK_ROW sizeof(((lf_i_block_numbers *)0)[0][0])
#define LF_I_BLOCK ((uint32_t)(LF_I_BLOCK_ROW - 1))
#define LF_I_DEPTH ((uint32_t)(sizeof(lf_i_block_numbers) / LF_I_BLOCK_ROW - 1))
#define LF_I_BLOCK_IS_NEW (!__builtin_types_compatible_p(lf_i_block_tag, struct lf_i_block *))
#define LF_I_BLOCK_HAS_SCOPE(id)                                                                                 \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"")                                \
    struct lf_i_block;                                                                                           \
    typedef char lf_i_block_numbers[LF_I_DEPTH + 1 + LF_I_BLOCK_IS_NEW][LF_I_BLOCK_IS_NEW ? (id) + 2 : LF_I_BLOCK_ROW] \
        __attribute__((unused));                                                                                 \
    typedef struct lf_i_block *lf_i_block_tag __attribute__((unused));                                           \
    _Pragma("GCC diagnostic pop")
#define LF_I_HERE __func__, LF_I_AT
#else
#define LF_I_BLOCK UINT32_MAX
#define LF_I_DEPTH 1
#define LF_I_BLOCK_HAS_SCOPE(id)
#define LF_I_HERE (static_cast<const char *>(0)), 0
#endif

/* No compiler inlines a function that allocates on its stack, unless it must. So two calls of a function with OBSERVE_CAUGHT
 * have two stack pointers, and scopes of a call further up are not taken for scopes of this one. Nothing is ever allocated. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Walloca"
static inline __attribute__((always_inline, no_instrument_function)) void lf_i_stay_a_function(void)
{
    size_t never = 0;
    __asm__ volatile("" : "+r"(never));
    if (__builtin_expect(never != 0, 0))
        __asm__ volatile("" : : "r"(__builtin_alloca(never)));
}
#pragma GCC diagnostic pop

#ifdef __cplusplus
#define LF_I_ZERO {}
#else
#define LF_I_ZERO {0}
#endif

/* Is the argument list empty? Without __VA_OPT__, which strict C11 does not have: an empty list, and only that, has no
 * comma by itself, none behind a macro that yields one for parentheses, none before (), but one between both. */
#define LF_I_CAT(a, b) LF_I_CAT_(a, b)
#define LF_I_CAT_(a, b) a##b
#define LF_I_40TH(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, _21, _22, \
                  _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, _33, _34, _35, _36, _37, _38, _39, n, ...)        \
    n
#define LF_I_HAS_COMMA(...)                                                                                           \
    LF_I_40TH(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  \
              1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
#define LF_I_COMMA(...) ,
#define LF_I_IS_EMPTY(...)                                                                                      \
    LF_I_IS_EMPTY_(LF_I_HAS_COMMA(__VA_ARGS__), LF_I_HAS_COMMA(LF_I_COMMA __VA_ARGS__),                         \
                   LF_I_HAS_COMMA(__VA_ARGS__()), LF_I_HAS_COMMA(LF_I_COMMA __VA_ARGS__()))
#define LF_I_IS_EMPTY_(a, b, c, d) LF_I_HAS_COMMA(LF_I_CAT_5(LF_I_EMPTY_CASE_, a, b, c, d))
#define LF_I_CAT_5(a, b, c, d, e) a##b##c##d##e
#define LF_I_EMPTY_CASE_0001 ,

/* How many arguments: 0 to 16, or MANY. */
#define LF_I_COUNT(...) LF_I_CAT(LF_I_COUNT_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_COUNT_1(...) 0
#define LF_I_COUNT_0(...)                                                                                          \
    LF_I_40TH(__VA_ARGS__, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY,     \
              MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,  \
              3, 2, 1, 0)

/* m(x) for each argument, separated by commas. */
#define LF_I_MAP(m, ...) LF_I_CAT(LF_I_MAP_, LF_I_COUNT(__VA_ARGS__))(m, __VA_ARGS__)
#define LF_I_MAP_0(m, ...)
#define LF_I_MAP_1(m, a) m(a)
#define LF_I_MAP_2(m, a, b) m(a), m(b)
#define LF_I_MAP_3(m, a, b, c) m(a), m(b), m(c)
#define LF_I_MAP_4(m, a, b, c, d) m(a), m(b), m(c), m(d)
#define LF_I_MAP_5(m, a, ...) m(a), LF_I_MAP_4(m, __VA_ARGS__)
#define LF_I_MAP_6(m, a, ...) m(a), LF_I_MAP_5(m, __VA_ARGS__)
#define LF_I_MAP_7(m, a, ...) m(a), LF_I_MAP_6(m, __VA_ARGS__)
#define LF_I_MAP_8(m, a, ...) m(a), LF_I_MAP_7(m, __VA_ARGS__)
#define LF_I_MAP_9(m, a, ...) m(a), LF_I_MAP_8(m, __VA_ARGS__)
#define LF_I_MAP_10(m, a, ...) m(a), LF_I_MAP_9(m, __VA_ARGS__)
#define LF_I_MAP_11(m, a, ...) m(a), LF_I_MAP_10(m, __VA_ARGS__)
#define LF_I_MAP_12(m, a, ...) m(a), LF_I_MAP_11(m, __VA_ARGS__)
#define LF_I_MAP_13(m, a, ...) m(a), LF_I_MAP_12(m, __VA_ARGS__)
#define LF_I_MAP_14(m, a, ...) m(a), LF_I_MAP_13(m, __VA_ARGS__)
#define LF_I_MAP_15(m, a, ...) m(a), LF_I_MAP_14(m, __VA_ARGS__)
#define LF_I_MAP_16(m, a, ...) m(a), LF_I_MAP_15(m, __VA_ARGS__)
#define LF_I_MAP_MANY(m, ...) LF_I_at_most_16_arguments_can_be_given_here

/* call(&fields), the fields set as `.name = value, ...` say. Assignments rather than an initializer, so that the same text
 * works in C and in C++17, in any order; one expression, so that temporaries of C++ live until the call is over. */
#define LF_I_SET(assignment) lf_i_fields assignment
#define LF_I_SET_THEN(call, ...) LF_I_CAT(LF_I_SET_THEN_, LF_I_IS_EMPTY(__VA_ARGS__))(call, __VA_ARGS__)
#define LF_I_SET_THEN_1(call, ...) (call)
#define LF_I_SET_THEN_0(call, ...) (LF_I_MAP(LF_I_SET, __VA_ARGS__), (call))
#define LF_I_WITH_FIELDS(type, call, ...)                   \
    __extension__({                                         \
        type lf_i_fields = LF_I_ZERO;                       \
        LF_I_SET_THEN(call(&lf_i_fields), __VA_ARGS__);     \
    })
#define LF_I_WITH_FIELDS_HERE(type, call, ...)                          \
    __extension__({                                                     \
        type lf_i_fields = LF_I_ZERO;                                   \
        LF_I_SET_THEN(call(LF_I_HERE, &lf_i_fields), __VA_ARGS__);      \
    })
/* The first argument, the others; from 1 to 16. */
#define LF_I_FIRST(...) LF_I_FIRST_(__VA_ARGS__, )
#define LF_I_FIRST_(a, ...) a
#define LF_I_REST(...) LF_I_CAT(LF_I_REST_, LF_I_HAS_COMMA(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_REST_0(a)
#define LF_I_REST_1(a, ...) __VA_ARGS__

#define LF_I_FOR_OBSERVATION(function, observation, ...)                              \
    __extension__({                                                                   \
        lf_observation *const lf_i_observation = (observation);                       \
        lf_observation_fields lf_i_fields = LF_I_ZERO;                                \
        LF_I_SET_THEN(function(lf_i_observation, &lf_i_fields), __VA_ARGS__);         \
    })
#ifdef __cplusplus
}
#endif
#endif
