/* Langfuse for C: the core.
 *
 * Values, options, observations, traces, context, the life of the library. Programs usually include observe.h, which adds the
 * OBSERVE macros. C11 and C++17 on POSIX; no header of another library.
 *
 * Observing never fails, blocks, prints or allocates without bound. Calls that observe accept NULL and do nothing while tracing
 * is off. The first one starts the library. Every loss is counted (lf_get_stats).
 *
 * Text is UTF-8; an invalid byte is sent as U+FFFD. Moments are nanoseconds since the Unix epoch. Spans of time are
 * milliseconds, and mean the same everywhere:
 *     negative, or not said   the default, which the comment names
 *     0                       no time: the call does not wait, a copy is not kept
 * In a struct that a program fills by hand, 0 means the default; LF_NONE means 0 there.
 *
 * Functions whose last parameter is a struct of fields have a macro of the same name without `_with`, which takes the fields by
 * name, in any order, up to 32: lf_start_observation(.name = "job", .type = LF_TOOL). A macro has no address; the function has.
 *
 * Threads: every function may be called from every thread. A comment names the exceptions.
 */
#ifndef LF_CORE_H
#define LF_CORE_H

#include "langfuse/blocks.h"
#include "langfuse/macros.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers. lf_version tells that of the library. */
#define LANGFUSE_VERSION "0.2.0"
#define LANGFUSE_VERSION_NUM 0x000200 /* 0xMMmmpp */

/* The version of the library that the program runs with, as "0.2.0". Where it differs from the headers, a line is logged at
 * level debug, once. Never NULL. */
LF_API const char *lf_version(void);

/* ---- Results ---------------------------------------------------------------------------------------------------- */

/* 0 is success. Errors are negative. Each number keeps its meaning in later versions. */
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

/* The headers and the library must agree on the size of an enum. */
LF_I_STATIC_ASSERT(sizeof(lf_status) == sizeof(int), "langfuse: compile without -fshort-enums, the library has enums of int size");

#define LF_ERROR_TEXT_SIZE 256

/* The result of a call that asks the server. The call always writes it: LF_OK, 0 and "" on success. */
typedef struct lf_error {
    lf_status status;
    int http_status;                 /* 0: there was no answer */
    char message[LF_ERROR_TEXT_SIZE]; /* one line of English, never a secret */
} lf_error;

/* The value 0 of a time or of max_retries, in a struct that a program fills by hand. */
#define LF_NONE (-2147483647 - 1)

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
    LF_KIND_SECRET,   /* there was a value, and it is not recorded */
    LF_KIND_OPAQUE    /* a struct or union without a converter; extra is its size */
} lf_kind;

/* A tagged value. It borrows the data that it points to until the call that it is given to returns. */
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

/* Types of fields. Their names are for the compiler's message when the macro is missing: .output = LF_VALUE(text). */
typedef lf_value lf_value_from_LF_VALUE;
typedef lf_value lf_value_from_LF_OBJECT;
typedef lf_value lf_value_from_LF_ARRAY;
typedef lf_value lf_value_from_LF_TAGS;

/* A named value of an object. `name` is borrowed like the value. */
typedef struct lf_member {
    const char *name;
    lf_value value;
} lf_member;

/* Constructors. LF_VALUE(x) of observe.h picks the right one by the type of x. */
static inline lf_value lf_i_make(lf_kind kind, uint64_t extra)
{
    lf_value value;
    value.kind = LF_I_CAST(uint16_t, kind);
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

/* An address, shown as hex. It is not followed. */
static inline lf_value lf_pointer(const volatile void *pointer)
{
    lf_value value = lf_i_make(LF_KIND_POINTER, 0);
    __builtin_memcpy(&value.as.p, &pointer, sizeof pointer); /* a cast would discard a qualifier */
    return value;
}

/* ---- Options ------------------------------------------------------------------------------------------------------ */

/* A switch with three values. LF_DEFAULT leaves the choice to the environment. */
typedef enum lf_switch { LF_DEFAULT = 0, LF_ON = 1, LF_OFF = 2 } lf_switch;

/* The lines that the library logs: none; warnings and errors (the default); success, too; each request, too. */
typedef enum lf_log_level { LF_LOG_DEFAULT = 0, LF_LOG_QUIET, LF_LOG_WARN, LF_LOG_INFO, LF_LOG_DEBUG } lf_log_level;

#define LF_SAMPLE_NONE (-1.0)

/* A value that is about to leave the process, as lf_options.mask receives it. Only the library makes one. */
typedef struct lf_masked {
    const char *field; /* "input", "output", "metadata", "status_message", "trace.input", "trace.output", "trace.metadata",
                          "score.value", "score.comment" */
    const char *text;  /* not terminated */
    size_t size;
    bool is_json;      /* `text` is an object, list, number, ... as JSON text; otherwise it is the string itself */
    void *replacement; /* the library's */
} lf_masked;

/* Send another text instead. Only a mask hook calls this.
 * `text` is copied. is_json tells its meaning; JSON text that is not valid is sent as a string.
 * Returns: false: there is no memory. The hook then returns false. */
LF_API bool lf_mask_replace(lf_masked *value, const char *text, size_t size, bool is_json);

/* Options of a client. A field that is left 0 takes its value from the variable, then from the default. The comment names the
 * variable first; each OTEL_EXPORTER_OTLP_ variable has a form with TRACES_ that comes before it. Strings are copied. Begin with
 * LF_OPTIONS_INIT:
 *     lf_init(&(lf_options){ LF_OPTIONS_INIT, .public_key = "pk-lf-...", .secret_key = "sk-lf-..." });
 */
typedef struct lf_options {
    size_t struct_size;      /* LF_OPTIONS_INIT sets it; 0: the size at version 0.1 */
    const char *public_key;  /* LANGFUSE_PUBLIC_KEY; without keys nothing is recorded */
    const char *secret_key;  /* LANGFUSE_SECRET_KEY */
    const char *base_url;    /* LANGFUSE_BASE_URL, LANGFUSE_HOST: http://..., https://..., or unix:/PATH, a socket of this machine;
                                https://cloud.langfuse.com */
    const char *environment; /* LANGFUSE_TRACING_ENVIRONMENT; [a-z0-9_-], at most 40, not beginning with "langfuse" */
    const char *release;     /* LANGFUSE_RELEASE, LANGFUSE_TRACING_RELEASE, then the commit variables of CI systems */
    const char *exporter;    /* LANGFUSE_EXPORTER: "otlp" (the default), "ingestion" (the older batches), or "file:PATH" (OTLP/JSON
                                lines, appended; scores go to PATH.scores) */
    const char *protocol;    /* OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" or "http/json" */
    lf_switch tracing;       /* LANGFUSE_TRACING_ENABLED; on */
    lf_switch capture_io;    /* LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED; on */
    lf_switch debug;         /* LANGFUSE_DEBUG; off */
    int flush_at;            /* LANGFUSE_FLUSH_AT: this number of ended observations of one thread starts a send; 512 */
    int flush_interval_ms;   /* LANGFUSE_FLUSH_INTERVAL, in seconds there: the longest wait before a send; 1000 */
    int timeout_ms;          /* LANGFUSE_TIMEOUT, in seconds there: one request; 5000 */
    int exit_timeout_ms;     /* LANGFUSE_EXIT_TIMEOUT_MS: how long exit() waits for deliveries; 2000. LF_NONE: not at all */
    size_t max_queue_bytes;  /* LANGFUSE_MAX_QUEUE_BYTES: all that waits to be sent; 256 MiB, at least 1 MiB */
    size_t max_batch_bytes;  /* LANGFUSE_MAX_BATCH_SIZE_BYTES: one request; 2500000, from 65536 to 4000000 */
    size_t max_event_bytes;  /* LANGFUSE_MAX_EVENT_SIZE_BYTES: one observation; 1000000 */
    const char *ca_file;     /* OTEL_EXPORTER_OTLP_CERTIFICATE, SSL_CERT_FILE, CURL_CA_BUNDLE: PEM bundle to trust */
    const char *ca_path;     /* SSL_CERT_DIR */
    const char *client_certificate; /* OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE */
    const char *client_key;  /* OTEL_EXPORTER_OTLP_CLIENT_KEY */
    const char *proxy;       /* otherwise libcurl reads HTTPS_PROXY, NO_PROXY and their like */
    lf_switch insecure;      /* LF_ON: the library does not verify the server's certificate, and warns once; off */
    const char *const *headers; /* OTEL_EXPORTER_OTLP_HEADERS: further request headers "Name: value", NULL-terminated */
    void (*log)(void *data, const char *line); /* receives each line instead of stderr; on any thread */
    void *log_data;
    void (*curl_hook)(void *data, void *curl); /* sets options of yours on each new CURL *easy handle; on the worker thread and on
                                                  threads that ask the server something, with all signals blocked */
    void *curl_hook_data;
    double sample_rate;      /* LANGFUSE_SAMPLE_RATE: the part of all traces that is kept, by trace id, above 0 to 1; 1.
                                LF_SAMPLE_NONE keeps none */
    bool (*mask)(void *data, lf_masked *value); /* sees each value before it is sent; see "The hooks" */
    void *mask_data;
    int max_handles;         /* LANGFUSE_MAX_HANDLES: handles open at once, in steps of 64; 65536 at most, 16320 on 32 bit */
    size_t max_handle_bytes; /* LANGFUSE_MAX_HANDLE_BYTES: memory of all open handles beyond 400 bytes each; 64 MiB */
    lf_log_level log_level;  /* LANGFUSE_LOG: quiet, warn, info, debug; or a path with a / or a ., to append info to; warn */
    const char *secret_key_file; /* LANGFUSE_SECRET_KEY_FILE: a file whose first line is the secret key, where no other is given;
                                    read again when the server refuses the key */
    /* Since 0.2. */
    lf_switch worker;        /* LF_OFF: no thread is created, the program calls lf_poll; on. The default client's value
                                counts for all clients */
} lf_options;

#define LF_OPTIONS_INIT .struct_size = sizeof(lf_options)

/* The hooks: log, curl_hook, mask.
 *
 * mask receives inputs, outputs, metadata, also those of traces, status messages, text values and comments of scores, on the
 * worker thread, before each send. It may call lf_mask_replace. It returns true when the value may be sent; on false "<fully
 * masked due to failed mask function>" is sent instead.
 *
 * The data of a hook lives until lf_shutdown (of lf_init) or lf_client_free (of lf_client_new) has returned in time. No hook is
 * called after that. No lock of the library is held while a hook runs: it may take locks, sleep, fork and exit. It must not
 * throw, and calls nothing of the library but lf_mask_replace. A child forked in a hook calls exec or _exit.
 */

/* ---- Starting and stopping ---------------------------------------------------------------------------------------- */

/* Start the library with these options. NULL: with the environment only.
 *
 * A program need not call it: the first observation starts the library with NULL. Sets libcurl up and creates the worker
 * thread, together about half a millisecond.
 * Blocks:  never on the network. While another thread starts the library it waits for that, at most one second, then returns
 *          LF_ERR_DISABLED.
 * Returns: LF_OK, also when the library has been started already, which then stays as it is; LF_ERR_DISABLED: nothing is
 *          recorded (no keys, switched off, the process ends); LF_ERR_MEMORY: no memory, or no thread. Without a thread ended
 *          observations are kept, and the library tries again to create one.
 * After lf_shutdown it starts the library anew, also while lf_shutdown still waits in another thread. */
LF_API lf_status lf_init(const lf_options *options);

/* Send everything that ended before the call.
 *
 * Blocks:  until all of it is acknowledged or dropped, at most timeout_ms (2000).
 * Threads: any. A log hook does not call it. A mask or curl hook gets LF_ERR_TIMEOUT at once, since the worker runs it.
 * Returns: LF_OK; LF_ERR_TIMEOUT: the rest stays queued; LF_ERR_LOST: observations of some client were dropped since the last
 *          flush; LF_ERR_MEMORY: there is no thread to send, ended observations stay queued; LF_ERR_DISABLED: tracing is off. */
LF_API lf_status lf_flush(int timeout_ms);

/* Flush, then stop the worker thread and release its memory. Observing does nothing from then on, until lf_init.
 *
 * A program need not call it before exit: an exit handler does the same within exit_timeout_ms. Open observations of the
 * calling thread, and all handles, are ended and sent, marked incomplete. Scopes of other threads stay open; a scope that ends
 * before the next lf_init is not recorded. The keys of the default client are wiped: prompts work again after lf_init.
 * Blocks:  at most timeout_ms (2000) and 50 ms, whatever a server, a file or a hook does. fork, lf_init, lf_client_new and
 *          prompts of other threads do not wait for it.
 * Returns: as lf_flush. Whatever was not sent in time is dropped and counted (LF_DROP_SHUTDOWN). */
LF_API lf_status lf_shutdown(int timeout_ms);

/* Switch observing off and on again while the program runs. Nothing happens before the library has started, without keys, and
 * after lf_shutdown.
 *
 * Off: no observation, trace update or score begins; a score returns LF_ERR_DISABLED. Open observations may end, and are sent;
 * updates of them are not recorded, but for the last one, of lf_observation_end. lf_flush, lf_poll, lf_auth_check, lf_trace_url,
 * lf_inject and prompts work as before. Blocks: never. */
LF_API void lf_set_tracing(bool on);

/* ---- Without a thread: the program calls --------------------------------------------------------------------------- */

/* What the library waits for. The first `count` entries of `fds` are for poll(). */
typedef struct lf_poll_wants {
    int timeout_ms;       /* call lf_poll after this time at the latest; -1: when a descriptor is ready */
    unsigned count;
    struct pollfd fds[16]; /* call lf_poll when one of them is ready */
} lf_poll_wants;

/* Do the work of the worker thread: encode, send, receive, try again. For programs that start the library with
 * .worker = LF_OFF, because they own an event loop or must not have threads.
 *
 * The call works until nothing is ready, then waits at most timeout_ms (0) for the server, as poll() does. `out_wants` (or NULL)
 * tells when to call it again: the program adds the descriptors to its own loop. They change from call to call. Calls that wait
 * for deliveries (lf_flush, lf_shutdown, exit) do the same work themselves.
 * Blocks:  at most timeout_ms on the network; mask and curl hooks, and writing to a file, run in it. Name lookups are
 *          libcurl's, which uses a thread for them unless it was built with c-ares; a base URL with an address needs none.
 * Threads: any, one at a time: while another thread is in it, it returns 0 at once, and `out_wants` says 10 ms.
 * Returns: the number of observations and scores that were delivered or dropped; LF_ERR_DISABLED: tracing is off;
 *          LF_ERR_ARGUMENT: there is a worker thread. */
LF_API int lf_poll(int timeout_ms, lf_poll_wants *out_wants);

/* ---- Counters ------------------------------------------------------------------------------------------------------- */

/* Why an observation or a score was not delivered. */
typedef enum lf_drop_reason {
    LF_DROP_QUEUE_FULL = 0, /* max_queue_bytes was reached: the oldest whole traces go first */
    LF_DROP_TOO_LARGE,      /* it is bigger than a request may be, even shortened */
    LF_DROP_REFUSED,        /* the server refused it: a 4xx that another try cannot cure, a redirect, a web page */
    LF_DROP_UNREACHABLE,    /* the tries are used up: no answer, 408, 429 or 5xx for an hour */
    LF_DROP_SHUTDOWN,       /* it was still queued when the time given to shutdown or exit was over */
    LF_DROP_NO_MEMORY,      /* an allocation failed */
    LF_DROP_TOO_DEEP,       /* a thread's memory has no room for another open observation */
    LF_DROP_REASON_COUNT
} lf_drop_reason;

/* accepted == delivered + dropped_total + queued while nothing moves, as after lf_flush. They are read one after the other. */
typedef struct lf_stats {
    uint64_t accepted;        /* observations that ended, scores that were made while tracing was on, unless sampled out */
    uint64_t delivered;       /* acknowledged by the server, or written to the file */
    uint64_t dropped_total;
    uint64_t dropped[16];     /* by lf_drop_reason */
    uint64_t queued;          /* ended, and neither delivered nor dropped yet */
    uint64_t open;            /* begun, and not ended */
    uint64_t queued_bytes;    /* memory that is reserved for them: rings, queues, buffers; not 0 while nothing waits */
    uint64_t requests;        /* HTTP requests, further tries included */
    uint64_t retries;         /* the further tries among them */
    uint64_t last_success_ns; /* the moment of the last acknowledgement; 0: none yet */
    uint64_t misused;         /* calls on observations that had ended, scopes ended on another thread, values with an invalid
                                 size (the -1 of a read that failed): not recorded */
    uint64_t left_out;        /* values that their observation had no room for, while the rest of it is sent */
} lf_stats;

/* Count since the process started; in a forked child since the fork. Takes no lock. The library writes as much as the caller's
 * struct holds. */
LF_API void lf_get_stats_sized(lf_stats *out_stats, size_t size);
static inline void lf_get_stats(lf_stats *out_stats)
{
    lf_get_stats_sized(out_stats, sizeof *out_stats);
}

/* The same counters as text that a Prometheus server reads (exposition format 0.0.4), for the answer to GET /metrics.
 * Writes at most `room` bytes, the terminating NUL included; `out` may be NULL with a room of 0.
 * Returns: the length of the whole text, without NUL, as snprintf does. 4096 bytes are enough in this version. */
LF_API int lf_stats_prometheus(char *out, size_t room);

/* Ask the server whether the keys are good (GET /api/public/projects).
 *
 * Blocks:  at most timeout_ms (5000). Not from a hook.
 * Returns: LF_OK; LF_ERR_UNAUTHORIZED: the server does not know the keys (the message names the region to look at);
 *          LF_ERR_NETWORK: no such host, no connection, TLS; LF_ERR_TIMEOUT; LF_ERR_REFUSED: something else answers there, or
 *          the keys belong to no project; LF_ERR_SERVER; LF_ERR_DISABLED: no keys, or tracing is off. `error` (or NULL) says it
 *          in words. */
LF_API lf_status lf_auth_check(int timeout_ms, lf_error *error);

/* ---- Several projects in one process -------------------------------------------------------------------------------- */

typedef struct lf_client lf_client;

/* Make a client for a further project, with keys of its own. Observations that name it (.client), and those below them, go
 * there and nowhere else; all others go to the default client (lf_init). The environment fills in what the options leave open.
 *
 * A client lives as long as the process; at most 62 can be made. Blocks: never on the network.
 * Returns: never NULL. A client that cannot be made, or has no keys, accepts everything and sends nothing. */
LF_API lf_client *lf_client_new(const lf_options *options);

/* Send what is left, within 2 seconds, and stop the client: later observations that name it are not recorded. NULL is fine. The
 * next lf_flush tells whether something was lost. */
LF_API void lf_client_free(lf_client *client);

/* ---- Observations ------------------------------------------------------------------------------------------------- */

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

#define LF_TRACE_ID_SIZE 33       /* 32 lower-case hex digits and the NUL */
#define LF_OBSERVATION_ID_SIZE 17 /* 16 lower-case hex digits and the NUL */

typedef struct lf_observation lf_observation;
typedef struct lf_prompt lf_prompt;   /* langfuse/prompt.h */
typedef struct lf_context lf_context; /* below */

/* What a program can say of an observation. A field that is not said stays as it is. Texts and values are copied. Write a value
 * as LF_VALUE(x), an object as LF_OBJECT("key", value, ...). */
typedef struct lf_observation_fields {
    size_t struct_size; /* the macros set it; LF_OBSERVATION_FIELDS_INIT by hand */
    const char *name;
    lf_type type;
    lf_level level; /* LF_LEVEL_ERROR also sets the OpenTelemetry status */
    lf_value_from_LF_VALUE input;
    lf_value_from_LF_VALUE output;
    lf_value_from_LF_VALUE metadata; /* an object is merged key by key */
    const char *status_message;
    const char *version;
    const char *model;
    lf_value_from_LF_OBJECT model_parameters;
    lf_value_from_LF_OBJECT usage_details; /* token counts, sent as they are: "input", "output", "total", names of your own */
    lf_value_from_LF_OBJECT cost_details;  /* US dollars: "input", "output", "total", ... */
    lf_value_from_LF_OBJECT usage; /* the object of counts that a model's API reports (OpenAI, Anthropic, Gemini, Ollama, ...,
                                      Langfuse v2 with "unit" and costs). What is known is translated, the rest is left out */
    const lf_prompt *prompt; /* links a generation to this version of a prompt; a fallback is not linked */
    const char *prompt_name; /* the same by hand, together with prompt_version */
    int prompt_version;
    int64_t completion_start_time_ns;
    int64_t end_time_ns; /* of a handle; default: the moment of lf_observation_end */

    /* Only when an observation is started. */
    const lf_observation *parent; /* default: the innermost open observation of this thread */
    const char *trace_id; /* 32 hex digits; or any text, hashed as by lf_create_trace_id. Starts that trace, or joins it */
    const char *parent_observation_id; /* 16 hex digits, or any text, hashed likewise; only with trace_id. Langfuse lists such
                                          an observation as one more root of its trace */
    const char *id;       /* 16 hex digits, or any text, hashed likewise: an id that other programs know; default: random */
    int64_t start_time_ns;
    lf_client *client;    /* default: that of the parent, otherwise the default client */
} lf_observation_fields;

#define LF_OBSERVATION_FIELDS_INIT .struct_size = sizeof(lf_observation_fields)

/* Update the innermost open observation of this thread. Nothing happens without one.
 *     lf_update_current_observation(.name = "ask", .model = "gpt-5-mini", .usage_details = LF_OBJECT("input", 5));
 * Blocks: never. A value beyond max_event_bytes is shortened. */
LF_API void lf_update_current_observation_with(const lf_observation_fields *fields)
    LF_I_SYMBOL("lf_update_current_observation_sized");
#define lf_update_current_observation(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS_HERE(lf_observation_fields, lf_i_put_fields, __VA_ARGS__))

/* Add a piece of streamed output to the innermost open observation. The first piece sets completion_start_time; the pieces are
 * joined. `text` is copied and may hold any bytes. Blocks: never. */
LF_API void lf_output_append(const char *text, size_t size);

/* The ids of the innermost open observation, or of the context that was attached. False, and an empty string: there is none. */
LF_API bool lf_current_trace_id(char out_id[LF_TRACE_ID_SIZE]);
LF_API bool lf_current_observation_id(char out_id[LF_OBSERVATION_ID_SIZE]);

/* ---- Handles: observations that outlive a scope ---------------------------------------------------------------------- */

/* Start an observation that does not become current. It is open until lf_observation_end, which any thread may call.
 *     lf_observation *o = lf_start_observation(.name = "job", .type = LF_TOOL, .parent = p, .input = LF_VALUE(x));
 *
 * A handle stays valid for ever. For a while after its end it is still a .parent, a context, the target of a score and the
 * source of its ids; updates are ignored and counted (lf_stats.misused). NULL is a handle that ignores everything; as a .parent
 * it means the default. Handles that are open at exit are sent, marked incomplete. In a forked child they have ended.
 * Returns: NULL while tracing is off, and when max_handles are open.
 * Blocks:  never; two threads that update one observation at once wait for each other. */
LF_API lf_observation *lf_start_observation_with(const lf_observation_fields *fields) LF_I_SYMBOL("lf_start_observation_sized");
#define lf_start_observation(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS(lf_observation_fields, lf_start_observation_with, __VA_ARGS__))

/* The same, and the observation is current on this thread: until it ends, on any thread, or until the scope around the call
 * ends. Observations of this thread become its children, and lf_update_current_observation updates it. */
LF_API lf_observation *lf_start_as_current_observation_with(const lf_observation_fields *fields)
    LF_I_SYMBOL("lf_start_as_current_observation_sized");
#define lf_start_as_current_observation(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS(lf_observation_fields, lf_start_as_current_observation_with, __VA_ARGS__))

/* Record a moment: an observation of type event, without duration, sent at once. Nothing can be added to it. The handle serves
 * as a .parent. */
LF_API lf_observation *lf_create_event_with(const lf_observation_fields *fields) LF_I_SYMBOL("lf_create_event_sized");
#define lf_create_event(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS(lf_observation_fields, lf_create_event_with, __VA_ARGS__))

/* Update an open observation: lf_observation_update(o, .output = LF_VALUE(text)). */
LF_API void lf_observation_update_with(lf_observation *observation, const lf_observation_fields *fields)
    LF_I_SYMBOL("lf_observation_update_sized");
#define lf_observation_update(...) \
    LF_I_FOR_OBSERVATION(lf_observation_update_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))

/* End an observation; with a last update: lf_observation_end(o, .output = LF_VALUE(text), .end_time_ns = t). */
LF_API void lf_observation_end_with(lf_observation *observation, const lf_observation_fields *fields)
    LF_I_SYMBOL("lf_observation_end_sized");
#define lf_observation_end(...) \
    LF_I_FOR_OBSERVATION(lf_observation_end_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))

/* Add a piece of streamed output, as lf_output_append does for the current observation. */
LF_API void lf_observation_output_append(lf_observation *observation, const char *text, size_t size);

/* The ids of a handle. False, and an empty string: the handle is NULL, or ended long ago. */
LF_API bool lf_observation_trace_id(const lf_observation *observation, char out_id[LF_TRACE_ID_SIZE]);
LF_API bool lf_observation_id(const lf_observation *observation, char out_id[LF_OBSERVATION_ID_SIZE]);

/* ---- The trace ------------------------------------------------------------------------------------------------------ */

/* What a program can say of a trace. A field that is not said stays as it is. */
typedef struct lf_trace_fields {
    size_t struct_size; /* the macro sets it; LF_TRACE_FIELDS_INIT by hand */
    const char *name;
    const char *user_id;
    const char *session_id;
    const char *version;
    const char *release;
    lf_value_from_LF_TAGS tags;      /* they add up */
    lf_value_from_LF_VALUE metadata; /* an object is merged key by key */
    lf_value_from_LF_VALUE input;    /* only servers before version 4 show it; later ones show the input of the root observation */
    lf_value_from_LF_VALUE output;   /* likewise */
    lf_switch public_;    /* LF_ON: everybody who has the link can read the trace. LF_OFF revokes it, until an observation
                             of the trace is sent */
    const char *trace_id; /* default: the trace that this thread is in; any text, as in lf_observation_fields */
    lf_client *client;    /* with trace_id: the client that the trace belongs to */
} lf_trace_fields;

#define LF_TRACE_FIELDS_INIT .struct_size = sizeof(lf_trace_fields)

/* Update the current trace, from any depth and any thread of it. The update is sent with every observation of the trace that
 * has not been sent yet, open ones included. Nothing happens outside of a trace. Blocks: never. */
LF_API void lf_update_current_trace_with(const lf_trace_fields *fields) LF_I_SYMBOL("lf_update_current_trace_sized");
#define lf_update_current_trace(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_WITH_FIELDS(lf_trace_fields, lf_update_current_trace_with, __VA_ARGS__))

/* The address of a trace in Langfuse (NULL: of the current one): https://.../project/.../traces/... Asks the server for the
 * project's id, once. The caller frees it with free().
 * Blocks:  at most timeout_ms (5000).
 * Returns: NULL: no trace is open, or the server gave no answer. */
LF_API char *lf_trace_url(const char *trace_id_or_null, int timeout_ms);

/* A new trace id. Without a seed (NULL or "") it is random; otherwise the first 16 bytes of the seed's SHA-256, so that every
 * process that knows the seed has the same id. */
LF_API void lf_create_trace_id(const char *seed_or_null, char out_id[LF_TRACE_ID_SIZE]);

/* Attributes of every observation in a scope; see OBSERVE_ATTRIBUTES in observe.h. A text longer than 200 characters is left
 * out, with one warning. */
typedef struct lf_attributes {
    size_t struct_size; /* the macro sets it; LF_ATTRIBUTES_INIT by hand */
    const char *user_id;
    const char *session_id;
    const char *version;
    const char *trace_name;
    const char *environment; /* at most 40 of a-z, 0-9, - and _, not beginning with "langfuse" */
    lf_value_from_LF_TAGS tags;       /* added behind the tags of the scopes around */
    lf_value_from_LF_OBJECT metadata; /* short values, merged into those of the scopes around; sent as text */
    const lf_prompt *prompt; /* of the generations in the scope */
    const char *prompt_name; /* the same by hand, together with prompt_version */
    int prompt_version;
    lf_switch as_baggage; /* LF_ON: lf_inject passes them on to other processes, where everybody on the way can read them */
} lf_attributes;

#define LF_ATTRIBUTES_INIT .struct_size = sizeof(lf_attributes)

/* ---- Context across threads --------------------------------------------------------------------------------------- */

/* A place in a trace: the trace, the innermost observation, the attributes. A context does not change and may outlive the
 * observation. Several threads may use one at the same time. */

/* Copy the context of this thread. The caller frees it with lf_context_free. Allocates once.
 * Returns: NULL when nothing is open, or without memory. Every call accepts NULL as the context that is in no trace. */
LF_API lf_context *lf_context_copy(void);

/* The context in which observations become children of this handle. The caller frees it with lf_context_free.
 * Returns: NULL when the handle is NULL or ended long ago, or without memory. */
LF_API lf_context *lf_observation_context(const lf_observation *observation);

/* Release a context. NULL is fine. Threads may still run in it. */
LF_API void lf_context_free(lf_context *context);

/* Run fn(arg) in a context: its observations become children of the copied observation; with NULL they begin traces of their
 * own.
 * Returns: the result of fn. */
LF_API void *lf_context_run(const lf_context *context, void *(*fn)(void *), void *arg);

/* pthread_create for a thread that starts in the context of this one. Returns: the result of pthread_create. */
LF_API int lf_thread_create(pthread_t *out_thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg);

/* ---- Coroutines ------------------------------------------------------------------------------------------------------ */

/* The open observations of a coroutine or fiber: code that stops in the middle of a function and goes on later, while other
 * code runs on the same thread. Its scheduler switches beside its own switch:
 *     lf_coroutine *before = lf_coroutine_switch(task->observed);
 *     swapcontext(&scheduler, &task->machine);
 *     lf_coroutine_switch(before);
 * Callbacks that return before the next one runs need none: there OBSERVE_UNDER is enough. */
typedef struct lf_coroutine lf_coroutine;

/* Make a coroutine. It begins in no trace; OBSERVE_CONTEXT or OBSERVE_UNDER gives it a place. It takes the address
 * space that an observed thread takes, and a few pages of memory. The caller frees it with lf_coroutine_free.
 * Returns: NULL without memory; then the code is observed in the context of its thread. */
LF_API lf_coroutine *lf_coroutine_new(void);

/* From here on this thread observes in the coroutine; NULL: in its own context again. Takes no lock, and allocates only in a
 * coroutine's first switch after a fork, or after tracing was switched on. One thread at a time may be in a coroutine; another one
 * may go on with it.
 * Returns: the coroutine that this thread was in; NULL: in none. */
LF_API lf_coroutine *lf_coroutine_switch(lf_coroutine *to);

/* End the coroutine's open observations, marked as left, and release it. No other thread may be in it. NULL is fine. */
LF_API void lf_coroutine_free(lf_coroutine *coroutine);

/* ---- Context across processes --------------------------------------------------------------------------------------- */

/* Write the context of this thread as W3C headers: traceparent; tracestate and baggage only where they have a value.
 * `set` is called for each. Baggage carries the trace id and the attributes of scopes with .as_baggage, as langfuse_user_id=...
 * and so on.
 * Returns: the number of headers; 0 outside of a trace and of scopes with .as_baggage. Blocks: never; allocates. */
LF_API int lf_inject(void (*set)(void *data, const char *name, const char *value), void *data);

/* The same for another context: that of a handle (lf_observation_context), or a copied one. */
LF_API int lf_inject_from(const lf_context *context, void (*set)(void *data, const char *name, const char *value), void *data);

/* The same for libcurl: the headers are appended to `headers` (NULL: a new list), as curl_slist_append does.
 * Returns: the list. A header is left out without memory. */
struct curl_slist;
LF_API struct curl_slist *lf_inject_curl(struct curl_slist *headers);
LF_API struct curl_slist *lf_inject_curl_from(const lf_context *context, struct curl_slist *headers);

/* Read the headers of an incoming request: a context whose observations continue the trace of the sender, for OBSERVE_CONTEXT
 * or lf_context_run. `get` returns the value of a header by its lower-case name, or NULL; the value is read before the next
 * call of `get`. The sender decides whether the trace is sampled. The caller frees the context with lf_context_free.
 * Returns: NULL without a valid traceparent and without baggage of Langfuse. Blocks: never; allocates. */
LF_API lf_context *lf_extract(const char *(*get)(void *data, const char *name), void *data);

/* The same from TRACEPARENT, TRACESTATE and BAGGAGE in the environment, as a parent process leaves them for a child. */
LF_API lf_context *lf_extract_environment(void);

/* ---- The interface between macros and library ----------------------------------------------------------------------- */

/* From version 1.0 on it does not change: a program keeps the macros it was compiled with. */

/* A place in the code that opens scopes; a static of the macro. `version` tells which fields it has. */
typedef struct lf_site {
    uint32_t version;      /* LANGFUSE_VERSION_NUM of the headers */
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

/* A scope in the user's frame. The first word tells whether something is open (not 0); the last one is the macros' own in C++. */
typedef struct lf_scope {
    uint64_t words[4];
} lf_scope;

/* OBSERVE_WITH((...)): how an observation differs from its place in the code. */
typedef struct lf_observe_options {
    size_t struct_size; /* the macro sets it */
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
enum { LF_I_PAUSED = -1, LF_I_UNKNOWN = 0, LF_I_OFF = 1, LF_I_ON = 2, LF_I_ON_CAPTURING = 3 };
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
                           uintptr_t stack_pointer) LF_I_SYMBOL("lf_i_open_with_sized");
LF_API void lf_i_open_attributes(lf_scope *scope, lf_site *site, const lf_attributes *attributes, uintptr_t stack_pointer)
    LF_I_SYMBOL("lf_i_open_attributes_sized");
LF_API void lf_i_open_context(lf_scope *scope, lf_site *site, const lf_context *context, uintptr_t stack_pointer);
LF_API void lf_i_open_under(lf_scope *scope, lf_site *site, const lf_observation *observation, uintptr_t stack_pointer);
LF_API void lf_i_close(lf_scope *scope);
/* Say something of the observation of one scope. */
LF_API void lf_i_put_result(lf_scope *scope, const lf_value *value); /* obeys capture_output */
LF_API void lf_i_put_thrown(lf_scope *scope); /* level ERROR, and a status message unless it has one */
LF_API void lf_i_put_scope_fields(lf_scope *scope, const lf_observation_fields *fields)
    LF_I_SYMBOL("lf_i_put_scope_fields_sized");
/* Say something of the current observation, from the place that LF_I_HERE names. */
LF_API void lf_i_put_return(const char *around, uint64_t at, const lf_value *value); /* obeys capture_output */
LF_API void lf_i_put_output(const char *around, uint64_t at, const lf_value *value); /* always kept */
LF_API void lf_i_put_error(const char *around, uint64_t at, const char *format, ...) LF_PRINTF(3, 4);
LF_API void lf_i_put_fields(const char *around, uint64_t at, const lf_observation_fields *fields)
    LF_I_SYMBOL("lf_i_put_fields_sized");
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

/* In the function that this is expanded in: no lower than any value that the stack pointer has there, whatever is allocated on
 * the stack, and lower than all of those that it has in the callers. */
#if defined(__s390x__) || defined(__riscv) || defined(__loongarch__) /* there the frame's address is the caller's stack pointer */
#define LF_I_FRAME_TOP (LF_I_ADDRESS_CAST(uintptr_t, __builtin_frame_address(0)) - 1)
#else
#define LF_I_FRAME_TOP LF_I_ADDRESS_CAST(uintptr_t, __builtin_frame_address(0))
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

/* Fields for the current observation, from the place where the macro stands. */
#define LF_I_WITH_FIELDS_HERE(type, function, ...) LF_I_WITH_FIELDS_HERE_(__COUNTER__, type, function, __VA_ARGS__)
#define LF_I_WITH_FIELDS_HERE_(id, type, function, ...)                                     \
    __extension__({                                                                         \
        type LF_I_FIELDS(id) = LF_I_ZERO;                                                   \
        LF_I_SET_THEN(id, function(LF_I_HERE, &LF_I_FIELDS(id)), __VA_ARGS__);              \
    })

/* Fields for a handle. */
#define LF_I_FOR_OBSERVATION(function, observation, ...) LF_I_FOR_OBSERVATION_(__COUNTER__, function, observation, __VA_ARGS__)
#define LF_I_FOR_OBSERVATION_(id, function, observation, ...)                                           \
    __extension__({                                                                                     \
        lf_observation *const LF_I_CAT(lf_i_observation_, id) = (observation);                          \
        lf_observation_fields LF_I_FIELDS(id) = LF_I_ZERO;                                              \
        LF_I_SET_THEN(id, function(LF_I_CAT(lf_i_observation_, id), &LF_I_FIELDS(id)), __VA_ARGS__);    \
    })

#ifdef __cplusplus
}
#endif
#endif
