/* Langfuse for C: libcurl. The requests to models that a program sends with libcurl become generations: model, parameters, input,
 * output, tool calls, token counts, cost, the moment of the first token. Other requests are left alone. Three ways, one result:
 *
 *     source   #include "langfuse/curl.h" in the files that use libcurl, behind their other headers. Or no line changes:
 *              cc $(pkg-config --cflags langfuse-curl) ... $(pkg-config --libs langfuse-curl)
 *     link     cc ... $(pkg-config --libs langfuse-curl-wrap): all objects and static libraries of the program, by ld's --wrap
 *     run      LD_PRELOAD=liblangfuse-curl.so program: also what shared libraries of the program send; nothing is built
 *
 * A call of a model is told by the path of its URL (/chat/completions, /v1/messages, :generateContent, ...; langfuse/model.h names
 * the APIs) and a POST. The generation begins in curl_easy_perform or curl_multi_add_handle, below the innermost open observation of
 * that thread; one whose body comes from a read callback is told once that was read. It ends with curl_easy_perform, or when
 * curl_multi_info_read tells the result. A program that never asks for results ends it with curl_multi_remove_handle,
 * curl_easy_cleanup or curl_multi_cleanup. One transfer is one generation, redirects included.
 *
 * What the program sends and receives stays as it is, byte for byte. While a recorded transfer runs, its write and header functions
 * (and a read function) are called by the library. No header of a request is ever read; of the reply's headers the ids of the
 * request, x-litellm-response-cost and retry-after are recorded. A reply whose compression libcurl does not undo is recorded by its
 * size. Of a multipart form the texts are recorded, and the name, type and size of each file.
 *
 * Set all options of a handle in one way: a callback that a compiled library sets unseen, on a handle of the program, is not called
 * while a recorded transfer runs. A handle that comes from such a library is left alone, until curl_easy_reset.
 *
 * Not seen are calls through dlsym, curl_formadd's forms (only their URL), curl_easy_send, WebSockets, and options that are set
 * after curl_multi_add_handle. Programs started under LD_PRELOAD do not pass it on to those that they start, unless
 * LANGFUSE_CURL_CHILDREN=true.
 *
 * LF_CURL_NO_NAMES, defined before this header, leaves the names of libcurl alone: only the lf_curl_ functions are declared. So
 * does LF_DISABLE, with which lf_curl_set is nothing.
 */
#ifndef LF_CURL_H
#define LF_CURL_H

#include "../lf_core.h"

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x074400
#error "langfuse/curl.h needs libcurl 7.68 or later"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a program can say of the transfers of one handle. Texts and values are copied; LF_OBJECT is a macro of observe.h. */
typedef struct lf_curl_fields {
    size_t struct_size;  /* the macro sets it; LF_CURL_FIELDS_INIT by hand */
    const char *name;    /* of the generation; default: by the API, "OpenAI-generation", ... */
    const lf_prompt *prompt; /* links the generations to this version of a prompt */
    lf_value_from_LF_OBJECT metadata; /* beside that of the request and the reply */
    const lf_observation *parent; /* default: the innermost open observation of the thread that begins the transfer */
    const lf_context *context; /* the same by a context, for transfers that other threads begin; copied */
    lf_switch traceparent; /* LF_ON: the request gets the header traceparent (and tracestate and baggage where they have a value), so
                              that a server that traces continues the trace. Not where the body comes from a read callback */
    lf_switch skip;      /* LF_ON: transfers of this handle are not recorded */
} lf_curl_fields;

#define LF_CURL_FIELDS_INIT .struct_size = sizeof(lf_curl_fields)

/* Say something of the transfers that this handle begins from here on: lf_curl_set(handle, .name = "judge", .prompt = p). Each call
 * replaces what the one before said; curl_easy_reset and curl_easy_cleanup end it, curl_easy_duphandle copies it. Blocks: never. */
LF_API void lf_curl_set_with(CURL *handle, const lf_curl_fields *fields) LF_I_SYMBOL("lf_curl_set_sized");
#ifdef LF_DISABLE
#define lf_curl_set(...) LF_I_INSTEAD_OF(LF_I_CURL_SET(__COUNTER__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__)), (void)0)
#else
#define lf_curl_set(...) LF_I_CURL_SET(__COUNTER__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#endif
#define LF_I_CURL_SET(id, handle, ...)                                                                          \
    __extension__({                                                                                             \
        CURL *const LF_I_CAT(lf_i_curl_, id) = (handle);                                                        \
        lf_curl_fields LF_I_FIELDS(id) = LF_I_ZERO;                                                             \
        LF_I_SET_THEN(id, lf_curl_set_with(LF_I_CAT(lf_i_curl_, id), &LF_I_FIELDS(id)), __VA_ARGS__);           \
    })

/* The generation of the transfer that runs on this handle, or else of the last one: as .observation of a score, as a .parent. It is
 * told until the next transfer begins, curl_easy_reset or curl_easy_cleanup.
 * Returns: NULL: that transfer is not recorded, there was none, another copy of the library records it, or its body comes from a
 *          read callback and has not been read yet. Threads: like other calls on the handle; also in its callbacks. Blocks: never. */
LF_API lf_observation *lf_curl_observation(CURL *handle);

/* The functions that those of libcurl lead to. Each does what its namesake does, and returns what that returns. A program may call
 * them by name instead of having names changed; then it calls them for all options and calls of a handle. */
LF_API CURL *lf_curl_easy_init(void);
LF_API CURLcode lf_curl_easy_setopt(CURL *handle, CURLoption option, ...);
LF_API CURLcode lf_curl_easy_perform(CURL *handle);
LF_API void lf_curl_easy_reset(CURL *handle);
LF_API void lf_curl_easy_cleanup(CURL *handle);
LF_API CURL *lf_curl_easy_duphandle(CURL *handle);
LF_API CURLMcode lf_curl_multi_add_handle(CURLM *multi, CURL *handle);
LF_API CURLMcode lf_curl_multi_remove_handle(CURLM *multi, CURL *handle);
LF_API CURLMsg *lf_curl_multi_info_read(CURLM *multi, int *left);
LF_API CURLMcode lf_curl_multi_cleanup(CURLM *multi);
LF_API curl_mime *lf_curl_mime_init(CURL *handle);
LF_API void lf_curl_mime_free(curl_mime *mime);
LF_API curl_mimepart *lf_curl_mime_addpart(curl_mime *mime);
LF_API CURLcode lf_curl_mime_name(curl_mimepart *part, const char *name);
LF_API CURLcode lf_curl_mime_filename(curl_mimepart *part, const char *name);
LF_API CURLcode lf_curl_mime_type(curl_mimepart *part, const char *type);
LF_API CURLcode lf_curl_mime_data(curl_mimepart *part, const char *data, size_t size);
LF_API CURLcode lf_curl_mime_filedata(curl_mimepart *part, const char *path);
LF_API CURLcode lf_curl_mime_data_cb(curl_mimepart *part, curl_off_t size, curl_read_callback on_read, curl_seek_callback on_seek,
                                     curl_free_callback on_free, void *data);
LF_API CURLcode lf_curl_mime_subparts(curl_mimepart *part, curl_mime *mime);

/* The library's: where libcurl's own functions are, in a process in which their names lead here (liblangfuse-curl.so). */
struct lf_curl_real;
LF_API void lf_i_curl_use(const struct lf_curl_real *real);

#ifdef __cplusplus
}
#endif
#endif

/* Also where the header is included once more, behind src/all.c for instance. */
#if !defined(LF_I_CURL_NO_NAMES)
#include "curl_names.h"
#endif
