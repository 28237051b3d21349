#define LF_I_CURL_NO_NAMES /* here libcurl's names mean libcurl */
#include "curl.h"
#undef LF_I_CURL_NO_NAMES
#include "model.h"

#include "../src/base/guest.h"
#include "../src/base/json.h"
#include "../src/base/once.h"
#include "../src/base/struct_size.h"
#include "../src/base/value.h"
#include "../src/deliver/http.h"
#include "../src/life/life.h"
#include "../src/model/api.h"
#include "../src/model/curl_calls.h"
#include "../src/model/form.h"
#include "../src/model/reply_head.h"
#include "../src/model/shadow.h"
#include "../src/observe/context.h"
#include "../src/observe/prompt_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    CURL_BODY_MAX = 16 << 20,   /* of a request that is kept: as much as lf_model_begin reads */
    CURL_PIECE_MAX = 1 << 20,   /* of a reply that is copied before the program sees it */
    CURL_URL_MAX = 64 << 10,
    CURL_METADATA_MAX = 16 << 10,
    CURL_SLACK = 256 /* of a copy that grows */
};

/* Options that libcurl's headers mark as deprecated, by number. */
enum { CURL_OPTION_PUT = 54, CURL_OPTION_HTTPPOST = 10024 };

/* ---- The real functions ------------------------------------------------------------------------------------------- */

/* They have other names here, since in this file of a program, which may include src/all.c, libcurl's own may lead to us. The weak
 * ones are there in a program that was linked with --wrap, where the plain names lead to us, too. */
#define CURL_LABEL(name) __asm__(LF_I_STRING(__USER_LABEL_PREFIX__) name)
#define CURL_DECLARE_REAL(type, name, parameters, arguments)                   \
    extern __typeof__(curl_##name) curl_real_##name CURL_LABEL("curl_" #name); \
    extern __typeof__(curl_##name) curl_behind_wrap_##name CURL_LABEL("__real_curl_" #name) __attribute__((weak));
CURL_DECLARE_REAL(CURL *, easy_init, , )
CURL_DECLARE_REAL(CURLcode, easy_setopt, , )
LF__CURL_CALLS(CURL_DECLARE_REAL, CURL_DECLARE_REAL)

LF__CURL_REAL_STRUCT;
static const struct lf_curl_real *curl_real_of_process; /* NULL: these names lead to libcurl */

void lf_i_curl_use(const struct lf_curl_real *real)
{
    if (real != NULL && real->struct_size >= sizeof *real)
        __atomic_store_n(&curl_real_of_process, real, __ATOMIC_RELEASE);
}

static inline const struct lf_curl_real *curl_real_given(void)
{
    return __atomic_load_n(&curl_real_of_process, __ATOMIC_ACQUIRE); /* pairs with the release in lf_i_curl_use */
}

#define CURL_REAL(name)                                                       \
    (__builtin_expect(curl_real_given() != NULL, 0) ? curl_real_given()->name \
     : curl_behind_wrap_##name != NULL              ? curl_behind_wrap_##name \
                                                    : curl_real_##name)

/* ---- What is known of a handle ------------------------------------------------------------------------------------ */

typedef size_t (*curl_data_function)(char *bytes, size_t unit, size_t count, void *data);
typedef int (*curl_seek_function)(void *data, curl_off_t offset, int origin);

typedef enum curl_method { CURL_GET, CURL_HEAD, CURL_POST, CURL_MIME, CURL_FORM, CURL_PUT } curl_method;
typedef enum curl_verb { CURL_VERB_NONE, CURL_VERB_POST, CURL_VERB_OTHER } curl_verb;

/* What lf_curl_set said. */
typedef struct curl_wishes {
    lf__prompt_link_of prompt; /* its name is ours */
    char *name;
    char *metadata; /* JSON */
    lf_context *context;
    const lf_observation *parent;
    bool traceparent;
    bool skip;
} curl_wishes;

/* The options that the program set, as far as they count. */
typedef struct curl_options {
    char *url;
    size_t url_room;
    CURLU *url_parts;
    const char *post; /* the program's, or post_copy */
    char *post_copy;
    size_t post_copy_size;
    bool post_is_copy;
    curl_off_t post_size; /* -1: up to the NUL */
    curl_mime *mime;
    char *form; /* of a copied handle: its form as JSON, since libcurl copies the parts unseen */
    curl_data_function read, write, header;
    curl_seek_function seek;
    void *read_data, *write_data, *header_data, *seek_data;
    struct curl_slist *headers;
    const char *error_text;
    uint8_t method; /* curl_method */
    uint8_t verb;   /* curl_verb */
    bool has_head_in_body;
    bool decodes;
    bool is_raw;     /* no decoding of the content, whatever was asked for */
    bool keeps_chunks;
    bool connects_only;
} curl_options;

struct curl_transfer;

typedef struct curl_shadow {
    lf__shadow shadow; /* of the handle */
    curl_options options;
    curl_wishes wishes;
    struct curl_transfer *transfer; /* while a recorded one runs */
    lf_observation *observation;    /* the generation of the transfer that runs, or of the last one; NULL: it has none */
    bool performs; /* it is in curl_easy_perform, which uses a multi handle of its own */
    bool is_known; /* its options were seen from the begin on: callbacks that were set unseen could not be put back */
} curl_shadow;

/* The recorded transfers of a multi handle. */
typedef struct curl_multi {
    lf__shadow shadow;
    struct curl_transfer *first;
    bool is_ending; /* curl_multi_cleanup frees it; until then the list may become empty */
} curl_multi;

/* A recorded transfer. */
typedef struct curl_transfer {
    struct curl_transfer *next, **link; /* in the list of its multi handle */
    curl_multi *multi;       /* NULL: of curl_easy_perform */
    CURL *handle;
    curl_shadow *of;
    lf_model_call *call;
    lf_context *context;     /* with `reads`: where it began */
    bool reads;              /* its body comes from a read callback, and `body` collects it */
    bool seeks;              /* curl_on_seek is in its place, too */
    bool is_open;            /* no body is awaited: there is a call, or there was no room for one */
    bool has_stopped;        /* a callback of the program said so */
    bool is_in_head;         /* the lines of a head are in the body */
    int64_t begin_ns;
    lf__buf body;
    lf__reply_head head;
    uint64_t received;
    size_t unread;
    struct curl_slist *headers; /* ours, with traceparent */
    char *piece;
    size_t piece_room;
} curl_transfer;

static void curl_options_init(curl_options *options)
{
    *options = (curl_options){.post_size = -1, .read_data = stdin, .write_data = stdout};
}

static void curl_options_done(curl_options *options)
{
    lf__free(options->url);
    lf__free(options->post_copy);
    lf__free(options->form);
}

static void curl_wishes_done(curl_wishes *wishes)
{
    lf__free((char *)(uintptr_t)wishes->prompt.name);
    lf__free(wishes->name);
    lf__free(wishes->metadata);
    lf__free(wishes->context);
    *wishes = (curl_wishes){.name = NULL};
}

static void curl_shadow_free(curl_shadow *shadow)
{
    if (shadow == NULL)
        return;
    curl_options_done(&shadow->options);
    curl_wishes_done(&shadow->wishes);
    lf__free(shadow);
}

/* NULL: nothing is known of the handle, or it is one of the library's own. */
static inline curl_shadow *curl_find(CURL *handle)
{
    return handle == NULL || lf__http_is_inside() ? NULL : (curl_shadow *)lf__shadow_find(handle);
}

static bool curl_watch_forks(void)
{
    static bool watches;
    if (!__atomic_load_n(&watches, __ATOMIC_RELAXED))
        __atomic_store_n(&watches, lf__life_watch_forks(), __ATOMIC_RELAXED);
    return __atomic_load_n(&watches, __ATOMIC_RELAXED);
}

static bool curl_keep(lf__shadow *shadow, const void *of)
{
    return shadow != NULL && curl_watch_forks() && lf__shadow_add(shadow, of);
}

static curl_shadow *curl_make(CURL *handle)
{
    curl_shadow *shadow = lf__alloc(sizeof *shadow);
    if (shadow != NULL)
        curl_options_init(&shadow->options);
    if (curl_keep((lf__shadow *)shadow, handle))
        return shadow;
    curl_shadow_free(shadow);
    return NULL;
}

static curl_shadow *curl_find_or_make(CURL *handle)
{
    if (handle == NULL || lf__http_is_inside())
        return NULL;
    lf__shadow *found = lf__shadow_find(handle);
    return __builtin_expect(found != NULL, 1) ? (curl_shadow *)found : curl_make(handle);
}

/* ---- Options ------------------------------------------------------------------------------------------------------ */

static bool curl_is_noted(int option)
{
    switch (option) {
    case CURLOPT_URL:
    case CURLOPT_CURLU:
    case CURLOPT_POSTFIELDS:
    case CURLOPT_COPYPOSTFIELDS:
    case CURLOPT_POSTFIELDSIZE:
    case CURLOPT_POSTFIELDSIZE_LARGE:
    case CURLOPT_POST:
    case CURLOPT_HTTPGET:
    case CURLOPT_NOBODY:
    case CURLOPT_UPLOAD:
    case CURL_OPTION_PUT:
    case CURL_OPTION_HTTPPOST:
    case CURLOPT_MIMEPOST:
    case CURLOPT_CUSTOMREQUEST:
    case CURLOPT_READFUNCTION:
    case CURLOPT_READDATA:
    case CURLOPT_SEEKFUNCTION:
    case CURLOPT_SEEKDATA:
    case CURLOPT_WRITEFUNCTION:
    case CURLOPT_WRITEDATA:
    case CURLOPT_HEADERFUNCTION:
    case CURLOPT_HEADERDATA:
    case CURLOPT_HEADER:
    case CURLOPT_HTTPHEADER:
    case CURLOPT_ERRORBUFFER:
    case CURLOPT_ACCEPT_ENCODING:
    case CURLOPT_HTTP_CONTENT_DECODING:
    case CURLOPT_HTTP_TRANSFER_DECODING:
    case CURLOPT_CONNECT_ONLY: return true;
    default: return false;
    }
}

static void curl_note_url(curl_options *options, const char *url)
{
    size_t size = url == NULL ? 0 : strlen(url) + 1;
    if (size == 0 || size > CURL_URL_MAX) {
        lf__free(options->url);
        options->url = NULL;
        options->url_room = 0;
        return;
    }
    if (size > options->url_room) {
        char *larger = lf__realloc(options->url, size + CURL_SLACK);
        if (larger == NULL) {
            lf__free(options->url);
            options->url = NULL;
            options->url_room = 0;
            return;
        }
        options->url = larger;
        options->url_room = size + CURL_SLACK;
    }
    memcpy(options->url, url, size);
}

static void curl_drop_copy(curl_options *options)
{
    if (options->post_copy != NULL)
        lf__free(options->post_copy);
    options->post_copy = NULL;
    options->post_copy_size = 0;
    options->post_is_copy = false;
}

/* The size counts that was set before. A body beyond the limit is not kept. */
static void curl_note_copy(curl_options *options, const char *body)
{
    curl_drop_copy(options);
    options->post = body;
    options->post_is_copy = body != NULL;
    if (body == NULL)
        return;
    size_t size = options->post_size < 0 ? strlen(body) : (size_t)options->post_size;
    options->post_copy = size <= CURL_BODY_MAX ? lf__alloc(size + 1) : NULL;
    if (options->post_copy == NULL)
        return;
    memcpy(options->post_copy, body, size);
    options->post_copy_size = size;
}

/* As libcurl sees it: what was said last counts. */
static void curl_note_method(curl_options *options, int option, bool on)
{
    switch (option) {
    case CURLOPT_HTTPGET: options->method = on ? CURL_GET : options->method; break;
    case CURLOPT_NOBODY: options->method = on ? CURL_HEAD : options->method == CURL_HEAD ? CURL_GET : options->method; break;
    case CURLOPT_POST: options->method = on ? CURL_POST : CURL_GET; break;
    case CURLOPT_MIMEPOST: options->method = CURL_MIME; break;
    case CURL_OPTION_HTTPPOST: options->method = CURL_FORM; break;
    default: options->method = on ? CURL_PUT : CURL_GET; break;
    }
}

static void curl_note_verb(curl_options *options, const char *verb)
{
    options->verb = verb == NULL ? CURL_VERB_NONE : strcmp(verb, "POST") == 0 ? CURL_VERB_POST : CURL_VERB_OTHER;
}

/* C11 has no way from a pointer to data to one to a function but its bytes. */
#define CURL_NOTE_FUNCTION(member, value) memcpy(&(member), &(value), sizeof(member))

static void curl_note_callback(curl_options *options, int option, void *value)
{
    switch (option) {
    case CURLOPT_READFUNCTION: CURL_NOTE_FUNCTION(options->read, value); break;
    case CURLOPT_READDATA: options->read_data = value; break;
    case CURLOPT_SEEKFUNCTION: CURL_NOTE_FUNCTION(options->seek, value); break;
    case CURLOPT_SEEKDATA: options->seek_data = value; break;
    case CURLOPT_WRITEFUNCTION: CURL_NOTE_FUNCTION(options->write, value); break;
    case CURLOPT_WRITEDATA: options->write_data = value; break;
    case CURLOPT_HEADERFUNCTION: CURL_NOTE_FUNCTION(options->header, value); break;
    default: options->header_data = value; break;
    }
}

static void curl_note(curl_options *options, int option, void *value)
{
    long number = (long)(intptr_t)value;
    switch (option) {
    case CURLOPT_URL: curl_note_url(options, value); break;
    case CURLOPT_CURLU: options->url_parts = value; break;
    case CURLOPT_POSTFIELDS:
        curl_drop_copy(options);
        options->post = value;
        options->method = CURL_POST;
        break;
    case CURLOPT_COPYPOSTFIELDS:
        curl_note_copy(options, value);
        options->method = CURL_POST;
        break;
    case CURLOPT_POSTFIELDSIZE: options->post_size = number; break;
    case CURLOPT_MIMEPOST:
        options->mime = value;
        lf__free(options->form);
        options->form = NULL;
        curl_note_method(options, option, true);
        break;
    case CURLOPT_POST:
    case CURLOPT_HTTPGET:
    case CURLOPT_NOBODY:
    case CURLOPT_UPLOAD:
    case CURL_OPTION_PUT:
    case CURL_OPTION_HTTPPOST: curl_note_method(options, option, number != 0); break;
    case CURLOPT_CUSTOMREQUEST: curl_note_verb(options, value); break;
    case CURLOPT_HEADER: options->has_head_in_body = number != 0; break;
    case CURLOPT_HTTPHEADER: options->headers = value; break;
    case CURLOPT_ERRORBUFFER: options->error_text = value; break;
    case CURLOPT_ACCEPT_ENCODING: options->decodes = value != NULL; break;
    case CURLOPT_HTTP_CONTENT_DECODING: options->is_raw = number == 0; break;
    case CURLOPT_HTTP_TRANSFER_DECODING: options->keeps_chunks = number == 0; break;
    case CURLOPT_CONNECT_ONLY: options->connects_only = number != 0; break;
    default: curl_note_callback(options, option, value); break;
    }
}

/* Is it a callback that the library has in its place now? Then it is only noted. */
static bool curl_is_replaced(const curl_transfer *transfer, int option)
{
    if (transfer == NULL)
        return false;
    switch (option) {
    case CURLOPT_WRITEFUNCTION:
    case CURLOPT_WRITEDATA:
    case CURLOPT_HEADERFUNCTION:
    case CURLOPT_HEADERDATA: return true;
    case CURLOPT_READFUNCTION:
    case CURLOPT_READDATA: return transfer->reads;
    case CURLOPT_SEEKFUNCTION:
    case CURLOPT_SEEKDATA: return transfer->seeks;
    default: return false;
    }
}

static CURLcode curl_set_noted(CURL *handle, CURLoption option, void *value)
{
    curl_shadow *shadow = curl_find_or_make(handle);
    if (shadow == NULL)
        return CURL_REAL(easy_setopt)(handle, option, value);
    CURLcode code = CURLE_OK;
    if (!curl_is_replaced(shadow->transfer, (int)option))
        code = CURL_REAL(easy_setopt)(handle, option, value);
    if (code == CURLE_OK)
        curl_note(&shadow->options, (int)option, value);
    return code;
}

static CURLcode curl_set_large(CURL *handle, CURLoption option, curl_off_t value)
{
    CURLcode code = CURL_REAL(easy_setopt)(handle, option, value);
    curl_shadow *shadow = option == CURLOPT_POSTFIELDSIZE_LARGE && code == CURLE_OK ? curl_find_or_make(handle) : NULL;
    if (shadow != NULL)
        shadow->options.post_size = value;
    return code;
}

/* The argument is read as wide as libcurl reads it: a long is as wide as a pointer wherever this library runs. */
CURLcode lf_curl_easy_setopt(CURL *handle, CURLoption option, ...)
{
    va_list arguments;
    CURLcode code;
    va_start(arguments, option);
    if ((int)option >= CURLOPTTYPE_OFF_T && (int)option < CURLOPTTYPE_OFF_T + 10000) {
        code = curl_set_large(handle, option, va_arg(arguments, curl_off_t));
    } else {
        void *value = va_arg(arguments, void *);
        code = curl_is_noted((int)option) ? curl_set_noted(handle, option, value) : CURL_REAL(easy_setopt)(handle, option, value);
    }
    va_end(arguments);
    return code;
}
_Static_assert(sizeof(long) == sizeof(void *), "libcurl's options of type long are passed on as pointers");

/* ---- What the program wants of a handle's generations --------------------------------------------------------------- */

static lf_context *curl_copy_context(const lf_context *context)
{
    size_t size = context == NULL ? 0 : sizeof *context + context->size;
    lf_context *copy = context == NULL ? NULL : lf__alloc(size);
    if (copy != NULL)
        memcpy(copy, context, size);
    return copy;
}

static char *curl_json_of(const lf_value *value)
{
    lf__buf text;
    lf__buf_init(&text, CURL_METADATA_MAX);
    if (value->kind == LF_KIND_UNSET || !lf__value_json(&text, value) || !lf__buf_add_char(&text, '\0')) {
        lf__buf_done(&text);
        return NULL;
    }
    return text.data;
}

static void curl_copy_prompt(lf__prompt_link_of *out, const lf__prompt_link_of *prompt)
{
    if (prompt == NULL || prompt->name == NULL)
        return;
    out->name = lf__strdup(prompt->name);
    out->version = prompt->version;
    out->is_fallback = prompt->is_fallback;
}

void lf_curl_set_with(CURL *handle, const lf_curl_fields *fields)
{
    LF__KEEP_ERRNO;
    curl_shadow *shadow = fields == NULL ? NULL : curl_find_or_make(handle);
    if (shadow == NULL)
        return;
    lf_curl_fields own;
    const size_t first = LF__SIZE_WITH(lf_curl_fields, skip);
    fields = lf__fields(fields, &own, sizeof own, first);
    curl_wishes_done(&shadow->wishes);
    shadow->wishes = (curl_wishes){
        .name = lf__strdup(fields->name),
        .metadata = curl_json_of(&fields->metadata),
        .context = curl_copy_context(fields->context),
        .parent = fields->parent,
        .traceparent = fields->traceparent == LF_ON,
        .skip = fields->skip == LF_ON,
    };
    if (fields->prompt != NULL)
        curl_copy_prompt(&shadow->wishes.prompt, lf__prompt_link(fields->prompt));
}

lf_observation *lf_curl_observation(CURL *handle)
{
    const curl_shadow *shadow = curl_find(handle);
    return shadow == NULL ? NULL : shadow->observation;
}

static void curl_copy_wishes(curl_wishes *out, const curl_wishes *wishes)
{
    *out = (curl_wishes){
        .name = lf__strdup(wishes->name),
        .metadata = lf__strdup(wishes->metadata),
        .context = curl_copy_context(wishes->context),
        .parent = wishes->parent,
        .traceparent = wishes->traceparent,
        .skip = wishes->skip,
    };
    curl_copy_prompt(&out->prompt, &wishes->prompt);
}

/* ---- Forms -------------------------------------------------------------------------------------------------------- */

typedef struct curl_form {
    lf__shadow shadow; /* of the curl_mime */
    lf__form form;
    struct curl_part *parts;
} curl_form;

typedef struct curl_part {
    lf__shadow shadow; /* of the curl_mimepart */
    struct curl_part *next;
    lf__form_part *part;
    curl_mime *inner; /* its own parts; libcurl frees them with it */
} curl_part;

/* Forget a form and all forms in it. */
static void curl_form_drop(const curl_mime *mime)
{
    curl_form *form = mime == NULL || lf__http_is_inside() ? NULL : (curl_form *)lf__shadow_take(mime);
    if (form == NULL)
        return;
    while (form->parts != NULL) {
        curl_part *part = form->parts;
        form->parts = part->next;
        curl_form_drop(part->inner);
        (void)lf__shadow_take(part->shadow.of);
        lf__free(part);
    }
    lf__form_done(&form->form);
    lf__free(form);
}

static curl_form *curl_form_of(const curl_mime *mime)
{
    curl_form *form = (curl_form *)lf__shadow_find(mime);
    if (form != NULL)
        return form;
    form = lf__alloc(sizeof *form);
    if (curl_keep((lf__shadow *)form, mime))
        return form;
    lf__free(form);
    return NULL;
}

static void curl_form_add(const curl_mime *mime, const curl_mimepart *part)
{
    curl_form *form = curl_form_of(mime);
    curl_part *known = form == NULL ? NULL : lf__alloc(sizeof *known);
    if (known == NULL)
        return;
    known->part = lf__form_add(&form->form);
    if (known->part == NULL || !curl_keep((lf__shadow *)known, part)) {
        lf__free(known);
        return;
    }
    known->next = form->parts;
    form->parts = known;
}

/* NULL: it is not known, or the call failed. */
static curl_part *curl_form_part(const curl_mimepart *part, CURLcode code)
{
    return part == NULL || code != CURLE_OK || lf__http_is_inside() ? NULL : (curl_part *)lf__shadow_find(part);
}

curl_mime *lf_curl_mime_init(CURL *handle)
{
    curl_mime *mime = CURL_REAL(mime_init)(handle);
    curl_form_drop(mime); /* one that was freed unseen had this address */
    return mime;
}

void lf_curl_mime_free(curl_mime *mime)
{
    curl_form_drop(mime);
    CURL_REAL(mime_free)(mime);
}

curl_mimepart *lf_curl_mime_addpart(curl_mime *mime)
{
    curl_mimepart *part = CURL_REAL(mime_addpart)(mime);
    if (part != NULL && !lf__http_is_inside())
        curl_form_add(mime, part);
    return part;
}

CURLcode lf_curl_mime_name(curl_mimepart *part, const char *name)
{
    CURLcode code = CURL_REAL(mime_name)(part, name);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL)
        lf__form_set(&known->part->name, name);
    return code;
}

CURLcode lf_curl_mime_filename(curl_mimepart *part, const char *name)
{
    CURLcode code = CURL_REAL(mime_filename)(part, name);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL)
        lf__form_set_file(known->part, name);
    return code;
}

CURLcode lf_curl_mime_type(curl_mimepart *part, const char *type)
{
    CURLcode code = CURL_REAL(mime_type)(part, type);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL)
        lf__form_set(&known->part->type, type);
    return code;
}

CURLcode lf_curl_mime_data(curl_mimepart *part, const char *data, size_t size)
{
    CURLcode code = CURL_REAL(mime_data)(part, data, size);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL)
        lf__form_set_data(known->part, data, size == CURL_ZERO_TERMINATED && data != NULL ? strlen(data) : size);
    return code;
}

/* libcurl has just looked at the file, too. */
static void curl_form_measure(lf__form_part *part, const char *path)
{
    LF__KEEP_ERRNO;
    struct stat file;
    part->has_size = path != NULL && stat(path, &file) == 0 && S_ISREG(file.st_mode);
    part->size = part->has_size ? (uint64_t)file.st_size : 0;
}

CURLcode lf_curl_mime_filedata(curl_mimepart *part, const char *path)
{
    CURLcode code = CURL_REAL(mime_filedata)(part, path);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL) {
        lf__form_set_data(known->part, NULL, 0);
        lf__form_set_file(known->part, path);
        curl_form_measure(known->part, path);
    }
    return code;
}

CURLcode lf_curl_mime_data_cb(curl_mimepart *part, curl_off_t size, curl_read_callback on_read, curl_seek_callback on_seek,
                              curl_free_callback on_free, void *data)
{
    CURLcode code = CURL_REAL(mime_data_cb)(part, size, on_read, on_seek, on_free, data);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL) {
        lf__form_set_data(known->part, NULL, 0);
        known->part->has_size = size >= 0;
        known->part->size = size >= 0 ? (uint64_t)size : 0;
    }
    return code;
}

CURLcode lf_curl_mime_subparts(curl_mimepart *part, curl_mime *mime)
{
    CURLcode code = CURL_REAL(mime_subparts)(part, mime);
    curl_part *known = curl_form_part(part, code);
    if (known != NULL)
        known->inner = mime;
    return code;
}

/* NULL: nothing is known of it. Free it with lf__free. */
static char *curl_form_json(const curl_mime *mime)
{
    const curl_form *form = mime == NULL ? NULL : (const curl_form *)lf__shadow_find(mime);
    lf__buf json;
    lf__buf_init(&json, CURL_BODY_MAX);
    if (form != NULL && lf__form_json(&json, &form->form) && lf__buf_add_char(&json, '\0'))
        return json.data;
    lf__buf_done(&json);
    return NULL;
}

/* ---- A transfer: recognised, begun -------------------------------------------------------------------------------- */

static bool curl_is_post(const curl_options *options)
{
    if (options->verb == CURL_VERB_OTHER || options->connects_only)
        return false;
    bool posts = options->method == CURL_POST || options->method == CURL_MIME || options->method == CURL_FORM;
    return posts || (options->method == CURL_PUT && options->verb == CURL_VERB_POST);
}

static bool curl_reads(const curl_options *options)
{
    return options->method == CURL_PUT || (options->method == CURL_POST && options->post == NULL);
}

/* The body, as far as it is known before the transfer. */
static lf__text curl_posted(const curl_options *options)
{
    if (options->method != CURL_POST || options->post == NULL)
        return (lf__text){NULL, 0};
    if (options->post_is_copy)
        return (lf__text){options->post_copy, options->post_copy_size};
    return (lf__text){options->post, options->post_size < 0 ? strlen(options->post) : (size_t)options->post_size};
}

/* A URL that was given in parts takes the place of the other one, as in libcurl. */
static lf__text curl_url_of(curl_options *options)
{
    char *text = NULL;
    if (options->url_parts != NULL && curl_url_get(options->url_parts, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        curl_note_url(options, text);
        curl_free(text);
    }
    return lf__text_of(options->url);
}

/* What lf_model_begin is called with, in a context. */
typedef struct curl_request {
    const char *url;
    lf__text body;
    const curl_wishes *wishes;
    int64_t start_ns; /* 0: now */
    lf_model_call *call;
} curl_request;

static void *curl_open_here(void *of)
{
    curl_request *request = of;
    const curl_wishes *wishes = request->wishes;
    const lf_prompt *prompt = wishes->prompt.name == NULL ? NULL : (const lf_prompt *)(const void *)&wishes->prompt;
    lf_model_request fields = {
        LF_MODEL_REQUEST_INIT, .url = request->url, .body = request->body.at, .body_size = request->body.size,
        .name = wishes->name,  .prompt = prompt,    .parent = wishes->parent, .start_time_ns = request->start_ns};
    fields.struct_size |= 1; /* a body of no bytes is said */
    if (wishes->metadata != NULL)
        fields.metadata = lf_json(wishes->metadata);
    request->call = lf_model_begin_with(&fields);
    return NULL;
}

/* False: tracing is off, or there is no room for one more. */
static bool curl_open(curl_transfer *transfer, lf__text body)
{
    const curl_wishes *wishes = &transfer->of->wishes;
    curl_request request = {
        .url = transfer->of->options.url, .body = body, .wishes = wishes, .start_ns = transfer->reads ? transfer->begin_ns : 0};
    const lf_context *context = wishes->context != NULL ? wishes->context : transfer->context;
    if (context != NULL)
        (void)lf_context_run(context, curl_open_here, &request);
    else
        (void)curl_open_here(&request);
    transfer->is_open = true;
    transfer->call = request.call;
    transfer->of->observation = lf_model_observation(request.call);
    return transfer->call != NULL;
}

static bool curl_open_known(curl_transfer *transfer)
{
    const curl_options *options = &transfer->of->options;
    char *form = options->method != CURL_MIME ? NULL
                 : options->form != NULL      ? lf__strdup(options->form)
                                              : curl_form_json(options->mime);
    bool ok = curl_open(transfer, options->method == CURL_MIME ? lf__text_of(form) : curl_posted(options));
    lf__free(form);
    return ok;
}

/* The body from a read callback is there, or no more of it will come. */
static void curl_open_late(curl_transfer *transfer)
{
    if (transfer->is_open)
        return;
    (void)curl_open(transfer, lf__buf_text(&transfer->body));
    lf__buf_done(&transfer->body);
    lf__buf_init(&transfer->body, 0);
}

static void curl_transfer_free(curl_transfer *transfer)
{
    if (transfer == NULL)
        return;
    lf_context_free(transfer->context);
    lf__buf_done(&transfer->body);
    curl_slist_free_all(transfer->headers);
    lf__free(transfer->piece);
    lf__free(transfer);
}

/* ---- Callbacks in the place of the program's ----------------------------------------------------------------------- */

/* What libcurl calls where the program has set no function. */
static size_t curl_call_write(curl_data_function write, char *bytes, size_t unit, size_t count, void *data)
{
    return write != NULL ? write(bytes, unit, count, data) : fwrite(bytes, unit, count, (FILE *)data);
}

/* A copy of a piece: the program may change it. NULL: it is too long for one, or there is no memory. */
static const char *curl_copy_piece(curl_transfer *transfer, const char *bytes, size_t size)
{
    if (size > transfer->piece_room && size <= CURL_PIECE_MAX) {
        char *larger = lf__realloc(transfer->piece, size);
        transfer->piece = larger != NULL ? larger : transfer->piece;
        transfer->piece_room = larger != NULL ? size : transfer->piece_room;
    }
    if (size > transfer->piece_room)
        return NULL;
    lf__copy(transfer->piece, bytes, size);
    return transfer->piece;
}

static bool curl_is_coded(const curl_transfer *transfer)
{
    const curl_options *options = &transfer->of->options;
    bool is_compressed = transfer->head.encoding[0] != '\0' && (!options->decodes || options->is_raw);
    return is_compressed || (options->keeps_chunks && transfer->head.is_chunked);
}

static void curl_feed(curl_transfer *transfer, const char *bytes, size_t size, int64_t moment_ns)
{
    transfer->received += size;
    if (curl_is_coded(transfer))
        transfer->unread += size;
    else
        lf_model_reply_at(transfer->call, bytes, size, moment_ns);
}

/* With CURLOPT_HEADER each line of a head comes as a piece of the body: from a status line up to the empty one. */
static bool curl_is_head_in_body(curl_transfer *transfer, const char *bytes, size_t size)
{
    if (!transfer->of->options.has_head_in_body)
        return false;
    if (!transfer->is_in_head)
        transfer->is_in_head = transfer->received == 0 && lf__reply_head_begins(bytes, size);
    if (!transfer->is_in_head)
        return false;
    transfer->is_in_head = bytes[0] != '\r' && bytes[0] != '\n';
    return true;
}

static void curl_take_piece(curl_transfer *transfer, const char *bytes, size_t size, int64_t moment_ns)
{
    LF__KEEP_ERRNO;
    if (size == 0 || curl_is_head_in_body(transfer, bytes, size))
        return;
    curl_open_late(transfer);
    curl_feed(transfer, bytes, size, moment_ns);
}

/* The recorded transfer of the handle. NULL: there is none, as after a function of the program that has reset the handle. */
static curl_transfer *curl_running(const void *handle)
{
    const curl_shadow *shadow = (const curl_shadow *)lf__shadow_find(handle);
    return shadow == NULL ? NULL : shadow->transfer;
}

/* The program's function first. A piece that it refuses comes again, when it has paused, or never. `handle`, rather than the shadow,
 * since libcurl may have copied the handle where nobody saw it. */
static size_t curl_on_write(char *bytes, size_t unit, size_t count, void *handle)
{
    curl_shadow *shadow = (curl_shadow *)lf__shadow_find(handle);
    if (shadow == NULL)
        return unit * count;
    curl_transfer *transfer = shadow->transfer;
    if (transfer == NULL)
        return curl_call_write(shadow->options.write, bytes, unit, count, shadow->options.write_data);
    size_t size = unit * count;
    int64_t moment_ns = (int64_t)lf__wall_ns();
    const char *copy = curl_copy_piece(transfer, bytes, size);
    size_t taken = curl_call_write(shadow->options.write, bytes, unit, count, shadow->options.write_data);
    if (curl_running(handle) != transfer)
        return taken;
    if (taken == size)
        curl_take_piece(transfer, copy != NULL ? copy : bytes, size, moment_ns);
    else if (taken != CURL_WRITEFUNC_PAUSE)
        transfer->has_stopped = true;
    return taken;
}

static void curl_take_head_line(curl_transfer *transfer, const char *line, size_t size)
{
    LF__KEEP_ERRNO;
    lf__reply_head_line(&transfer->head, line, size);
    if (transfer->head.status >= 200)
        curl_open_late(transfer); /* a 100 only asks for the body */
}

/* As libcurl does: the program's header function; without one its write function, where it has set data for headers. */
static size_t curl_on_header(char *bytes, size_t unit, size_t count, void *handle)
{
    curl_shadow *shadow = (curl_shadow *)lf__shadow_find(handle);
    size_t size = unit * count, taken = size;
    if (shadow == NULL)
        return size;
    if (shadow->transfer != NULL)
        curl_take_head_line(shadow->transfer, bytes, size);
    const curl_options *options = &shadow->options;
    if (options->header != NULL)
        taken = options->header(bytes, unit, count, options->header_data);
    else if (options->header_data != NULL)
        taken = curl_call_write(options->write, bytes, unit, count, options->header_data);
    curl_transfer *transfer = curl_running(handle);
    if (taken != size && taken != CURL_WRITEFUNC_PAUSE && transfer != NULL)
        transfer->has_stopped = true;
    return taken;
}

static size_t curl_on_read(char *bytes, size_t unit, size_t count, void *handle)
{
    curl_shadow *shadow = (curl_shadow *)lf__shadow_find(handle);
    if (shadow == NULL)
        return CURL_READFUNC_ABORT;
    const curl_options *options = &shadow->options;
    size_t got = options->read != NULL ? options->read(bytes, unit, count, options->read_data)
                                       : fread(bytes, unit, count, (FILE *)options->read_data);
    curl_transfer *transfer = curl_running(handle);
    if (got <= unit * count && transfer != NULL && !transfer->is_open)
        (void)lf__buf_add(&transfer->body, bytes, got); /* CURL_READFUNC_PAUSE and _ABORT are larger */
    return got;
}

/* Without functions of the program libcurl reads a file, and goes back to its begin by itself, where the file can. */
static bool curl_rewinds_file(const curl_options *options)
{
    return options->read == NULL && options->seek == NULL && options->read_data != NULL;
}

static int curl_call_seek(const curl_options *options, curl_off_t offset, int origin)
{
    if (options->seek != NULL)
        return options->seek(options->seek_data, offset, origin);
    bool is_begin = curl_rewinds_file(options) && offset == 0 && origin == SEEK_SET;
    return is_begin && fseek((FILE *)options->read_data, 0, SEEK_SET) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
}

/* libcurl begins to send anew: so does the copy. */
static int curl_on_seek(void *handle, curl_off_t offset, int origin)
{
    curl_shadow *shadow = (curl_shadow *)lf__shadow_find(handle);
    if (shadow == NULL)
        return CURL_SEEKFUNC_CANTSEEK;
    int result = curl_call_seek(&shadow->options, offset, origin);
    curl_transfer *transfer = curl_running(handle);
    bool is_back = result == CURL_SEEKFUNC_OK && origin == SEEK_SET && transfer != NULL && !transfer->is_open;
    if (is_back && offset >= 0 && (uint64_t)offset <= transfer->body.length)
        lf__buf_rewind(&transfer->body, (size_t)offset);
    return result;
}

/* ---- In place, and back -------------------------------------------------------------------------------------------- */

/* Where there is no way back, libcurl says so in its own words only without a function. */
static bool curl_seeks(const curl_options *options)
{
    return options->seek != NULL || (curl_rewinds_file(options) && ftell((FILE *)options->read_data) >= 0);
}

static bool curl_install(CURL *handle, const curl_shadow *shadow)
{
    bool ok = CURL_REAL(easy_setopt)(handle, CURLOPT_WRITEFUNCTION, curl_on_write) == CURLE_OK &&
              CURL_REAL(easy_setopt)(handle, CURLOPT_WRITEDATA, handle) == CURLE_OK &&
              CURL_REAL(easy_setopt)(handle, CURLOPT_HEADERFUNCTION, curl_on_header) == CURLE_OK &&
              CURL_REAL(easy_setopt)(handle, CURLOPT_HEADERDATA, handle) == CURLE_OK;
    if (ok && shadow->transfer->reads)
        ok = CURL_REAL(easy_setopt)(handle, CURLOPT_READFUNCTION, curl_on_read) == CURLE_OK &&
             CURL_REAL(easy_setopt)(handle, CURLOPT_READDATA, handle) == CURLE_OK;
    if (ok && shadow->transfer->seeks)
        ok = CURL_REAL(easy_setopt)(handle, CURLOPT_SEEKFUNCTION, curl_on_seek) == CURLE_OK &&
             CURL_REAL(easy_setopt)(handle, CURLOPT_SEEKDATA, handle) == CURLE_OK;
    return ok;
}

/* What the program has set counts again, on this handle or on a copy of it. */
static void curl_restore(CURL *handle, const curl_options *options, const curl_transfer *transfer)
{
    (void)CURL_REAL(easy_setopt)(handle, CURLOPT_WRITEFUNCTION, options->write);
    (void)CURL_REAL(easy_setopt)(handle, CURLOPT_WRITEDATA, options->write_data);
    (void)CURL_REAL(easy_setopt)(handle, CURLOPT_HEADERFUNCTION, options->header);
    (void)CURL_REAL(easy_setopt)(handle, CURLOPT_HEADERDATA, options->header_data);
    if (transfer->reads) {
        (void)CURL_REAL(easy_setopt)(handle, CURLOPT_READFUNCTION, options->read);
        (void)CURL_REAL(easy_setopt)(handle, CURLOPT_READDATA, options->read_data);
    }
    if (transfer->seeks) {
        (void)CURL_REAL(easy_setopt)(handle, CURLOPT_SEEKFUNCTION, options->seek);
        (void)CURL_REAL(easy_setopt)(handle, CURLOPT_SEEKDATA, options->seek_data);
    }
    if (transfer->headers != NULL)
        (void)CURL_REAL(easy_setopt)(handle, CURLOPT_HTTPHEADER, options->headers);
}

/* The program's list and the place of the generation, for this transfer. Without memory the list stays as it is. */
static void curl_send_place(CURL *handle, curl_transfer *transfer)
{
    if (!transfer->of->wishes.traceparent || transfer->call == NULL)
        return;
    struct curl_slist *list = NULL;
    for (const struct curl_slist *line = transfer->of->options.headers; line != NULL; line = line->next) {
        struct curl_slist *longer = curl_slist_append(list, line->data);
        if (longer == NULL) {
            curl_slist_free_all(list);
            return;
        }
        list = longer;
    }
    lf_context *place = lf_observation_context(lf_model_observation(transfer->call));
    list = lf_inject_curl_from(place, list);
    lf_context_free(place);
    if (list != NULL && CURL_REAL(easy_setopt)(handle, CURLOPT_HTTPHEADER, list) == CURLE_OK)
        transfer->headers = list;
    else
        curl_slist_free_all(list);
}

/* ---- The end of a transfer ---------------------------------------------------------------------------------------- */

static void curl_add_last_url(lf__buf *out, CURL *handle)
{
    long redirects = 0;
    char *url = NULL;
    lf__buf shown;
    (void)curl_easy_getinfo(handle, CURLINFO_REDIRECT_COUNT, &redirects);
    if (redirects <= 0 || curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &url) != CURLE_OK || url == NULL)
        return;
    lf__buf_init(&shown, CURL_METADATA_MAX);
    if (lf__api_add_url(&shown, lf__text_of(url)))
        (void)(LF__BUF_ADD(out, "\"effective_url\":") && lf__json_string(out, shown.data, shown.length) &&
               lf__buf_add_char(out, ','));
    lf__buf_done(&shown);
}

/* False: there is nothing to tell. */
static bool curl_write_end_metadata(lf__buf *out, CURL *handle, const curl_transfer *transfer, int code)
{
    const char *encoding = transfer->head.encoding;
    (void)(lf__buf_add_char(out, '{') && lf__reply_head_metadata(out, &transfer->head));
    if (code > 0)
        (void)(LF__BUF_ADD(out, "\"curl_code\":") && lf__json_int(out, code) && lf__buf_add_char(out, ','));
    if (encoding[0] != '\0' && transfer->unread != 0)
        (void)(LF__BUF_ADD(out, "\"content_encoding\":") && lf__json_string(out, encoding, strlen(encoding)) &&
               lf__buf_add_char(out, ','));
    curl_add_last_url(out, handle);
    if (out->failed || out->length <= 1)
        return false;
    out->data[out->length - 1] = '}'; /* instead of the last comma */
    return true;
}

/* Did the program end it? */
static bool curl_is_cancelled(const curl_transfer *transfer, int code)
{
    if (code < 0) /* nobody knows */
        return !transfer->head.has_length || transfer->received < transfer->head.length;
    return code == CURLE_ABORTED_BY_CALLBACK || (code == CURLE_WRITE_ERROR && transfer->has_stopped);
}

/* In libcurl's words: those in the program's buffer tell more. "": there was no error. */
static void curl_explain(char *out, size_t room, const curl_transfer *transfer, int code)
{
    const char *own = transfer->of->options.error_text;
    out[0] = '\0';
    if (code > 0 && !curl_is_cancelled(transfer, code))
        (void)snprintf(out, room, "%.400s (%d)", own != NULL && own[0] != '\0' ? own : curl_easy_strerror((CURLcode)code), code);
}

static void curl_unlink(curl_transfer *transfer)
{
    curl_multi *multi = transfer->multi;
    if (multi == NULL)
        return;
    *transfer->link = transfer->next;
    if (transfer->next != NULL)
        transfer->next->link = transfer->link;
    transfer->multi = NULL;
    if (multi->first == NULL && !multi->is_ending) {
        (void)lf__shadow_take(multi->shadow.of);
        lf__free(multi);
    }
}

/* The handle is what it was before, and the generation ends. A code of -1: nobody has asked for the result. */
static void curl_finish(CURL *handle, curl_shadow *shadow, int code)
{
    LF__KEEP_ERRNO;
    curl_transfer *transfer = shadow->transfer;
    if (transfer == NULL)
        return;
    char error[512];
    long status = 0;
    lf__buf metadata;
    curl_unlink(transfer);
    curl_open_late(transfer);
    lf__buf_init(&metadata, CURL_METADATA_MAX);
    bool has_metadata = curl_write_end_metadata(&metadata, handle, transfer, code);
    (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_explain(error, sizeof error, transfer, code);
    shadow->transfer = NULL;
    curl_restore(handle, &shadow->options, transfer);
    lf_model_outcome outcome = {LF_MODEL_OUTCOME_INIT, .http_status = status < 200 ? 0 : (int)status,
                                /* a 100 is no answer yet */ .error = error[0] == '\0' ? NULL : error,
                                .cancelled = curl_is_cancelled(transfer, code) ? LF_ON : LF_DEFAULT,
                                .unread_bytes = transfer->unread};
    if (has_metadata)
        outcome.metadata = lf_jsonn(metadata.data, metadata.length);
    lf_model_end_with(transfer->call, &outcome);
    lf__buf_done(&metadata);
    curl_transfer_free(transfer);
}

/* ---- The begin ---------------------------------------------------------------------------------------------------- */

/* Another copy of the library, which this process hides from us, has set its callbacks: it records the transfer (curl_install), or the
 * transfer is its own (src/deliver/http.c). */
static bool curl_is_recorded_elsewhere(CURL *handle, const curl_options *options)
{
    return options->write_data == handle && options->header_data == handle;
}

static bool curl_is_call(CURL *handle, curl_shadow *shadow)
{
    if (shadow->transfer != NULL || !shadow->is_known || shadow->wishes.skip || !curl_is_post(&shadow->options) ||
        curl_is_recorded_elsewhere(handle, &shadow->options))
        return false;
    lf__text url = curl_url_of(&shadow->options);
    return url.at != NULL && lf__api_of(url, curl_posted(&shadow->options)) != LF__API_NONE && lf_i_mode() >= LF_I_ON;
}

static curl_transfer *curl_transfer_new(CURL *handle, curl_shadow *shadow)
{
    curl_transfer *transfer = lf__alloc(sizeof *transfer);
    if (transfer == NULL)
        return NULL;
    transfer->handle = handle;
    transfer->of = shadow;
    transfer->reads = curl_reads(&shadow->options);
    transfer->seeks = transfer->reads && curl_seeks(&shadow->options);
    transfer->begin_ns = (int64_t)lf__wall_ns();
    lf__buf_init(&transfer->body, transfer->reads ? CURL_BODY_MAX : 0);
    if (transfer->reads)
        transfer->context = lf_context_copy(); /* another thread may drive it */
    return transfer;
}

static void curl_begin(CURL *handle, curl_shadow *shadow)
{
    LF__KEEP_ERRNO;
    shadow->observation = NULL;
    curl_transfer *transfer = curl_is_call(handle, shadow) ? curl_transfer_new(handle, shadow) : NULL;
    if (transfer == NULL)
        return;
    if (!transfer->reads && !curl_open_known(transfer)) {
        curl_transfer_free(transfer);
        return;
    }
    shadow->transfer = transfer;
    if (curl_install(handle, shadow))
        curl_send_place(handle, transfer);
    else
        curl_finish(handle, shadow, -1);
}

/* Link it to its multi handle, or let it go without: then curl_multi_cleanup does not end it. */
static void curl_join(curl_transfer *transfer, CURLM *handle)
{
    curl_multi *multi = (curl_multi *)lf__shadow_find(handle);
    if (multi == NULL) {
        multi = lf__alloc(sizeof *multi);
        if (!curl_keep((lf__shadow *)multi, handle)) {
            lf__free(multi);
            return;
        }
    }
    transfer->multi = multi;
    transfer->next = multi->first;
    transfer->link = &multi->first;
    if (multi->first != NULL)
        multi->first->link = &transfer->next;
    multi->first = transfer;
}

/* ---- The calls ---------------------------------------------------------------------------------------------------- */

/* What is known of a handle that was freed unseen, whose address another one has. */
static void curl_forget(curl_shadow *shadow)
{
    curl_transfer *transfer = shadow == NULL ? NULL : shadow->transfer;
    if (transfer != NULL) {
        const lf_model_outcome outcome = {LF_MODEL_OUTCOME_INIT, .cancelled = LF_ON};
        curl_unlink(transfer);
        lf_model_end_with(transfer->call, &outcome);
        curl_transfer_free(transfer);
    }
    curl_shadow_free(shadow);
}

CURL *lf_curl_easy_init(void)
{
    CURL *handle = CURL_REAL(easy_init)();
    if (handle == NULL || lf__http_is_inside())
        return handle;
    LF__KEEP_ERRNO;
    curl_forget((curl_shadow *)lf__shadow_take(handle));
    curl_shadow *shadow = curl_make(handle);
    if (shadow != NULL)
        shadow->is_known = true;
    return handle;
}

/* An exception of C++ that leaves it from a callback leaves the handle in use, also for libcurl; curl_easy_cleanup then ends it. */
static CURLcode curl_perform(CURL *handle, curl_shadow *shadow)
{
    shadow->performs = true;
    curl_begin(handle, shadow);
    CURLcode code = CURL_REAL(easy_perform)(handle);
    shadow->performs = false;
    curl_finish(handle, shadow, (int)code);
    return code;
}

CURLcode lf_curl_easy_perform(CURL *handle)
{
    curl_shadow *shadow = curl_find(handle);
    /* In a multi handle, or in a callback of its own, libcurl refuses it. */
    if (shadow == NULL || shadow->performs || shadow->transfer != NULL)
        return CURL_REAL(easy_perform)(handle);
    return curl_perform(handle, shadow);
}

void lf_curl_easy_reset(CURL *handle)
{
    curl_shadow *shadow = curl_find_or_make(handle);
    if (shadow != NULL)
        curl_finish(handle, shadow, -1);
    CURL_REAL(easy_reset)(handle);
    if (shadow == NULL)
        return;
    shadow->is_known = true;
    curl_options_done(&shadow->options);
    curl_options_init(&shadow->options);
    curl_wishes_done(&shadow->wishes);
    shadow->observation = NULL;
}

/* The shadow goes first: another thread may get a new handle at this address at once. */
void lf_curl_easy_cleanup(CURL *handle)
{
    curl_shadow *shadow = curl_find(handle);
    if (shadow != NULL) {
        curl_finish(handle, shadow, -1);
        curl_shadow_free((curl_shadow *)lf__shadow_take(handle));
    }
    CURL_REAL(easy_cleanup)(handle);
}

static void curl_copy_options(curl_options *out, const curl_options *options)
{
    *out = *options;
    out->url = NULL;
    out->url_room = 0;
    out->post_copy = NULL;
    curl_note_url(out, options->url);
    out->form = options->form != NULL ? lf__strdup(options->form) : curl_form_json(options->mime);
    out->mime = NULL;
    if (options->post_copy != NULL && (out->post_copy = lf__alloc(options->post_copy_size + 1)) != NULL)
        memcpy(out->post_copy, options->post_copy, options->post_copy_size);
    out->post_copy_size = out->post_copy == NULL ? 0 : options->post_copy_size;
}

CURL *lf_curl_easy_duphandle(CURL *handle)
{
    CURL *copy = CURL_REAL(easy_duphandle)(handle);
    const curl_shadow *shadow = copy == NULL ? NULL : curl_find(handle);
    if (copy != NULL && !lf__http_is_inside())
        curl_forget((curl_shadow *)lf__shadow_take(copy));
    if (shadow == NULL)
        return copy;
    if (shadow->transfer != NULL)
        curl_restore(copy, &shadow->options, shadow->transfer);
    curl_shadow *twin = curl_make(copy);
    if (twin == NULL)
        return copy;
    twin->is_known = shadow->is_known;
    curl_options_done(&twin->options);
    curl_copy_options(&twin->options, &shadow->options);
    curl_copy_wishes(&twin->wishes, &shadow->wishes);
    return copy;
}

CURLMcode lf_curl_multi_add_handle(CURLM *multi, CURL *handle)
{
    curl_shadow *shadow = curl_find(handle);
    if (shadow == NULL || shadow->performs || shadow->transfer != NULL)
        return CURL_REAL(multi_add_handle)(multi, handle);
    curl_begin(handle, shadow);
    CURLMcode code = CURL_REAL(multi_add_handle)(multi, handle);
    if (code != CURLM_OK)
        curl_finish(handle, shadow, -1);
    else if (shadow->transfer != NULL)
        curl_join(shadow->transfer, multi);
    return code;
}

CURLMcode lf_curl_multi_remove_handle(CURLM *multi, CURL *handle)
{
    CURLMcode code = CURL_REAL(multi_remove_handle)(multi, handle);
    curl_shadow *shadow = code == CURLM_OK ? curl_find(handle) : NULL;
    if (shadow != NULL && !shadow->performs)
        curl_finish(handle, shadow, -1);
    return code;
}

CURLMsg *lf_curl_multi_info_read(CURLM *multi, int *left)
{
    CURLMsg *message = CURL_REAL(multi_info_read)(multi, left);
    if (message == NULL || message->msg != CURLMSG_DONE)
        return message;
    curl_shadow *shadow = curl_find(message->easy_handle);
    if (shadow != NULL && !shadow->performs)
        curl_finish(message->easy_handle, shadow, (int)message->data.result);
    return message;
}

/* It is off the table first: another thread may get a new multi handle at this address at once. In a callback libcurl refuses. While
 * libcurl ends it, it may take handles out by calls that come here. */
CURLMcode lf_curl_multi_cleanup(CURLM *multi)
{
    curl_multi *known = lf__http_is_inside() ? NULL : (curl_multi *)lf__shadow_take(multi);
    if (known == NULL)
        return CURL_REAL(multi_cleanup)(multi);
    known->is_ending = true;
    CURLMcode code = CURL_REAL(multi_cleanup)(multi);
    known->is_ending = false;
    if (code != CURLM_OK && known->first != NULL && lf__shadow_add((lf__shadow *)known, multi))
        return code;
    known->is_ending = true;
    while (known->first != NULL)
        curl_finish(known->first->handle, known->first->of, -1);
    lf__free(known);
    return code;
}

/* ---- For a program that is linked with --wrap ------------------------------------------------------------------------ */

#define CURL_WRAP(type, name, parameters, arguments)                                           \
    LF_API extern __typeof__(lf_curl_##name) curl_wrap_##name CURL_LABEL("__wrap_curl_" #name) \
        __attribute__((alias("lf_curl_" #name)));
CURL_WRAP(CURL *, easy_init, , )
CURL_WRAP(CURLcode, easy_setopt, , )
LF__CURL_CALLS(CURL_WRAP, CURL_WRAP)
