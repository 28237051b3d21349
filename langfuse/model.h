/* Langfuse for C: one call of a model, whatever carries it. A program that has a request and a reply of a model API in memory gets a
 * generation with model, parameters, input, output, tool calls, token counts, cost and the moment of the first token:
 *
 *     #include "observe.h"                 for LF_OBJECT, where metadata is given
 *     #include "langfuse/model.h"
 *     lf_model_call *call = lf_model_begin(.url = url, .body = body);
 *     ... in the callback that receives bytes:  lf_model_reply(call, bytes, size);
 *     lf_model_end(call, .http_status = status);
 *
 * Understood are OpenAI's chat completions, Responses, completions, embeddings, images and audio, with the dialects of the servers that
 * speak them (Azure, OpenRouter, Mistral, Groq, DeepSeek, xAI, Moonshot, vLLM, llama.cpp, Ollama); Anthropic's messages, also on
 * Vertex; Gemini; Ollama; llama.cpp. A call of another API is recorded as it is. docs/models.md says which field comes from where.
 *
 * A program that uses libcurl needs none of this: langfuse/curl.h does it without a change. No call here sends anything to a model.
 * Keys and headers are never recorded; of the query of a URL only api-version, alt and beta are. Base64 data of images, sounds and
 * files is replaced by a reference.
 */
#ifndef LF_MODEL_H
#define LF_MODEL_H

#include "../lf_core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One call of a model: an open generation and the reply as far as it has come. Like a handle of an observation it stays valid for
 * ever: calls on one that has ended do nothing. NULL is a call that ignores everything. */
typedef struct lf_model_call lf_model_call;

/* A request as it is sent. Texts are borrowed until lf_model_begin returns. */
typedef struct lf_model_request {
    size_t struct_size;  /* the macro sets it; LF_MODEL_REQUEST_INIT by hand */
    const char *url;     /* its path tells the API; recorded without user, password and most of the query */
    const char *body;    /* JSON or a multipart form; NULL: there is none */
    size_t body_size;    /* default: strlen(body) */
    const char *name;    /* default: by the API, "OpenAI-generation", "Anthropic-generation", ... */
    lf_value_from_LF_OBJECT metadata; /* of yours, beside that of the request */
    lf_switch capture_io; /* input and output; default: LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED */
    const lf_prompt *prompt; /* links the generation to this version of a prompt */
    const lf_observation *parent; /* default: the innermost open observation of this thread */
    lf_client *client;   /* default: that of the parent, otherwise the default client */
    int64_t start_time_ns; /* default: now */
} lf_model_request;

#define LF_MODEL_REQUEST_INIT .struct_size = sizeof(lf_model_request)

static inline void lf_i_unsay_model_request(lf_model_request *request)
{
    request->body_size = SIZE_MAX;
}

/* Begin a call: opens a generation (for embeddings: an embedding) as lf_start_observation does, and reads the request.
 * Returns: NULL while tracing is off, and when too many calls or handles are open.
 * Blocks:  never; takes time and memory in proportion to the request, of which at most 16 MiB are read. */
LF_API lf_model_call *lf_model_begin_with(const lf_model_request *request) LF_I_SYMBOL("lf_model_begin_sized");
#define lf_model_begin(...) LF_I_NAMED(#__VA_ARGS__, LF_I_MODEL_BEGIN(__VA_ARGS__))
#define LF_I_MAKE_MODEL_CALL(...) \
    LF_I_WITH_FIELDS_UNSAID(lf_model_request, lf_i_unsay_model_request, lf_model_begin_with, __VA_ARGS__)

/* With -DLF_DISABLE a call is NULL: nothing is recorded, and no argument is evaluated. */
#ifdef LF_DISABLE
static inline __attribute__((always_inline)) lf_model_call *lf_i_no_model_call(void) /* a bare constant would be an unused value */
{
    return LF_I_CAST(lf_model_call *, 0);
}
#define LF_I_MODEL_BEGIN(...) LF_I_INSTEAD_OF(LF_I_MAKE_MODEL_CALL(__VA_ARGS__), lf_i_no_model_call())
#else
#define LF_I_MODEL_BEGIN(...) LF_I_MAKE_MODEL_CALL(__VA_ARGS__)
#endif

/* The generation of a call: for scores, as a .parent, for updates of your own. NULL: the call is NULL or has ended. */
LF_API lf_observation *lf_model_observation(const lf_model_call *call);

/* A piece of the reply's body, in the order of arrival, cut anywhere: server-sent events, lines of JSON, a list, or one JSON value. The
 * bytes are those of the body itself, without chunk sizes and compression. What is kept is the reply merged so far, at most
 * max_event_bytes of it, and one unfinished event, at most 16 MiB; beyond that the generation is marked truncated.
 * Threads: any, one at a time for one call. Blocks: never. */
LF_API void lf_model_reply(lf_model_call *call, const char *bytes, size_t size);

/* The same for bytes that arrived earlier, at this moment: it counts for the time to the first token. */
LF_API void lf_model_reply_at(lf_model_call *call, const char *bytes, size_t size, int64_t moment_ns);

/* How a call ended. */
typedef struct lf_model_outcome {
    size_t struct_size;  /* the macro sets it; LF_MODEL_OUTCOME_INIT by hand */
    int http_status;     /* 400 and above is an error; 0: not known */
    const char *error;   /* why there is no reply, or only a part of it, in the words of the transport */
    lf_switch cancelled; /* LF_ON: the program itself stopped the call: a warning, no error; so does .error = "cancelled" */
    size_t unread_bytes; /* bytes of the reply that lf_model_reply did not get, because they are compressed for instance */
    lf_value_from_LF_OBJECT metadata; /* of yours */
    int64_t end_time_ns; /* default: now */
} lf_model_outcome;

#define LF_MODEL_OUTCOME_INIT .struct_size = sizeof(lf_model_outcome)

/* End a call: fills in what the reply said, and ends the generation. Its level is ERROR after an HTTP status of 400 and more, an
 * error of the transport, and an error inside of the reply; WARNING after a cancellation, a blocked prompt, and a reply that ended
 * early; the message of the server is its status message. Blocks: never. */
LF_API void lf_model_end_with(lf_model_call *call, const lf_model_outcome *outcome) LF_I_SYMBOL("lf_model_end_sized");
#ifdef LF_DISABLE
#define lf_model_end(...) LF_I_INSTEAD_OF(LF_I_MODEL_END(__COUNTER__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__)), (void)0)
#else
#define lf_model_end(...) LF_I_MODEL_END(__COUNTER__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#endif
#define LF_I_MODEL_END(id, call, ...)                                                               \
    __extension__({                                                                                 \
        lf_model_call *const LF_I_CAT(lf_i_model_call_, id) = (call);                               \
        lf_model_outcome LF_I_FIELDS(id) = LF_I_ZERO;                                               \
        LF_I_SET_THEN(id, lf_model_end_with(LF_I_CAT(lf_i_model_call_, id), &LF_I_FIELDS(id)), __VA_ARGS__); \
    })

#ifdef __cplusplus
}
#endif
#endif
