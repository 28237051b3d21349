/* liblangfuse-curl.so, for LD_PRELOAD: libcurl's names lead to langfuse/curl.c first, in the program and in its shared libraries.
 *
 * Where the process has a copy of the library of its own, that one records, so that a model's call lies in the trace of what the
 * program observes itself; otherwise the copy in here does. It exports libcurl's names, without versions, and nothing else.
 *
 * A process may have two libcurls, of OpenSSL and GnuTLS for instance, and the names of both lead here. A handle of one must never
 * come to the other. So each call goes to the libcurl of the object that calls. That of the process's own copy is recorded, or else
 * the first one; the others are left alone.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define LF_I_CURL_NO_NAMES
#include "../langfuse/curl.h"
#include "../src/model/curl_calls.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define PRELOAD_NAME "liblangfuse-curl.so"
#define PRELOAD_EXPORT __attribute__((visibility("default")))
#define PRELOAD_CALLER __builtin_extract_return_addr(__builtin_return_address(0))

enum { PRELOAD_LIBCURLS = 4 };

LF__CURL_REAL_STRUCT;

/* What the library itself needs of libcurl beside those that it looks at. */
#define PRELOAD_OTHERS(C, V)                                                                                        \
    C(const char *, easy_strerror, (CURLcode code), (code))                                                         \
    C(CURLMcode, multi_perform, (CURLM * multi, int *running), (multi, running))                                    \
    C(CURLMcode, multi_fdset, (CURLM * multi, fd_set * in, fd_set * out, fd_set * except, int *highest),            \
      (multi, in, out, except, highest))                                                                            \
    C(CURLMcode, multi_timeout, (CURLM * multi, long *ms), (multi, ms))                                             \
    C(CURLMcode, multi_wakeup, (CURLM * multi), (multi))                                                            \
    C(CURLMcode, multi_poll, (CURLM * multi, struct curl_waitfd * fds, unsigned count, int timeout_ms, int *ready), \
      (multi, fds, count, timeout_ms, ready))                                                                       \
    C(struct curl_slist *, slist_append, (struct curl_slist * list, const char *text), (list, text))                \
    V(void, slist_free_all, (struct curl_slist * list), (list))                                                     \
    C(CURLUcode, url_get, (void *url, CURLUPart part, char **out, unsigned flags), (url, part, out, flags))         \
    V(void, free, (void *memory), (memory))

typedef struct preload_libcurl {
    struct lf_curl_real real;
    CURLcode (*global_init)(long);
    CURLM *(*multi_init)(void);
    CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
    CURLMcode (*multi_setopt)(CURLM *, CURLMoption, ...);
    PRELOAD_OTHERS(LF__CURL_MEMBER, LF__CURL_MEMBER)
} preload_libcurl;

static struct {
    pthread_mutex_t lock; /* guards the making of what follows */
    preload_libcurl libcurls[PRELOAD_LIBCURLS];
    _Atomic unsigned count;
    struct lf_curl_real calls; /* of a copy of the library: where calls of the first libcurl go */
} preload = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- Which libcurl is the caller's? -------------------------------------------------------------------------------- */

static const struct link_map *preload_map(const void *code)
{
    Dl_info info;
    struct link_map *map = NULL;
    return dladdr1(code, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ? NULL : map;
}

/* The object that the code belongs to; NULL: this one, or code that was made at run time. */
static const struct link_map *preload_object(const void *code)
{
    const struct link_map *map = preload_map(code);
    return map == preload_map(&preload) ? NULL : map;
}

/* A function of libcurl as the object finds it, if this library were not there. */
static void *preload_symbol(const struct link_map *object, const char *name)
{
    void *found = NULL;
    if (object != NULL && object->l_name != NULL && object->l_name[0] != '\0') {
        void *scope = dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD);
        found = scope == NULL ? NULL : dlsym(scope, name);
        if (scope != NULL)
            (void)dlclose(scope);
    }
    return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

static void *preload_symbol_or_standard(const struct link_map *object, const char *name)
{
    void *found = preload_symbol(object, name);
    void *standard = found != NULL ? NULL : dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
    return standard == NULL ? found : dlsym(standard, name);
}

/* It stays, whatever becomes of the object that brought it. */
static void preload_pin(const void *function)
{
    Dl_info info;
    if (dladdr(function, &info) != 0 && info.dli_fname != NULL)
        (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* C11 has no way from a pointer to data to one to a function but its bytes. */
#define PRELOAD_SET(to, found_by)            \
    do {                                     \
        void *found = (found_by);            \
        memcpy(&(to), &found, sizeof found); \
    } while (0)
#define PRELOAD_FIND(to, name) PRELOAD_SET(to, preload_symbol_or_standard(object, "curl_" name))
#define PRELOAD_FIND_REAL(type, name, parameters, arguments) PRELOAD_FIND(libcurl->real.name, #name);
#define PRELOAD_FIND_OTHER(type, name, parameters, arguments) PRELOAD_FIND(libcurl->name, #name);

static void preload_fill(preload_libcurl *libcurl, const struct link_map *object)
{
    libcurl->real.struct_size = sizeof libcurl->real;
    PRELOAD_FIND(libcurl->real.easy_init, "easy_init");
    PRELOAD_FIND(libcurl->real.easy_setopt, "easy_setopt");
    PRELOAD_FIND(libcurl->global_init, "global_init");
    PRELOAD_FIND(libcurl->multi_init, "multi_init");
    PRELOAD_FIND(libcurl->easy_getinfo, "easy_getinfo");
    PRELOAD_FIND(libcurl->multi_setopt, "multi_setopt");
    LF__CURL_CALLS(PRELOAD_FIND_REAL, PRELOAD_FIND_REAL)
    PRELOAD_OTHERS(PRELOAD_FIND_OTHER, PRELOAD_FIND_OTHER)
}

/* ---- Which copy of the library records? ----------------------------------------------------------------------------- */

#define PRELOAD_OWN(type, name, parameters, arguments) preload.calls.name = lf_curl_##name;
#define PRELOAD_THEIRS(type, name, parameters, arguments)           \
    PRELOAD_SET(calls.name, dlsym(RTLD_DEFAULT, "lf_curl_" #name)); \
    all = all && calls.name != NULL;

typedef void (*preload_use)(const struct lf_curl_real *real);

/* The process's own copy: what tells it of libcurl. NULL: there is none, or one of a version without these calls. */
static preload_use preload_take_theirs(void)
{
    struct lf_curl_real calls = {.struct_size = sizeof calls};
    preload_use use;
    bool all = true;
    PRELOAD_SET(use, dlsym(RTLD_DEFAULT, "lf_i_curl_use"));
    PRELOAD_THEIRS(, easy_init, , )
    PRELOAD_THEIRS(, easy_setopt, , )
    LF__CURL_CALLS(PRELOAD_THEIRS, PRELOAD_THEIRS)
    if (!all || use == NULL)
        return NULL;
    preload.calls = calls;
    return use;
}

static preload_use preload_take_own(void)
{
    PRELOAD_OWN(, easy_init, , )
    PRELOAD_OWN(, easy_setopt, , )
    LF__CURL_CALLS(PRELOAD_OWN, PRELOAD_OWN)
    return lf_i_curl_use;
}

/* With the lock held. */
static void preload_set_up(const void *caller)
{
    preload_use use = preload_take_theirs();
    const void *user = caller;
    if (use != NULL)
        memcpy(&user, &use, sizeof use);
    else
        use = preload_take_own();
    preload_libcurl *first = &preload.libcurls[0];
    preload_fill(first, preload_object(user));
    if (first->real.easy_init == NULL)
        return; /* without a libcurl nobody calls */
    const void *function;
    memcpy(&function, &first->real.easy_init, sizeof function);
    preload_pin(function);
    use(&first->real);
    preload.count = 1;
}

/* ---- A call -------------------------------------------------------------------------------------------------------- */

/* With the lock held: the number of the libcurl that the caller means. Beyond the ceiling: the first one. */
static unsigned preload_number(const void *caller)
{
    const struct link_map *object = preload_object(caller);
    void *init = object == NULL ? NULL : preload_symbol(object, "curl_easy_init");
    unsigned count = preload.count;
    for (unsigned i = 0; init != NULL && i < count; i++)
        if (memcmp(&preload.libcurls[i].real.easy_init, &init, sizeof init) == 0)
            return i;
    if (init == NULL || count == PRELOAD_LIBCURLS)
        return 0;
    preload_fill(&preload.libcurls[count], object);
    preload_pin(init);
    preload.count = count + 1;
    return count;
}

static unsigned preload_look(const void *caller)
{
    pthread_mutex_lock(&preload.lock);
    if (preload.count == 0)
        preload_set_up(caller);
    unsigned number = preload_number(caller);
    pthread_mutex_unlock(&preload.lock);
    return number;
}

/* A child must not find the lock held by a thread that it does not have. */
static void preload_before_fork(void)
{
    pthread_mutex_lock(&preload.lock);
}

static void preload_after_fork_parent(void)
{
    pthread_mutex_unlock(&preload.lock);
}

static void preload_after_fork_child(void)
{
    (void)pthread_mutex_init(&preload.lock, NULL);
}

static __attribute__((constructor)) void preload_watch_forks(void)
{
    (void)pthread_atfork(preload_before_fork, preload_after_fork_parent, preload_after_fork_child);
}

/* A process with one libcurl is not looked at again. */
static inline const preload_libcurl *preload_of(const void *caller)
{
    unsigned number = __builtin_expect(preload.count == 1, 1) ? 0 : preload_look(caller);
    return &preload.libcurls[number];
}

/* Where a call goes that the library looks at. */
static inline const struct lf_curl_real *preload_calls(const preload_libcurl *libcurl)
{
    return __builtin_expect(libcurl == preload.libcurls, 1) ? &preload.calls : &libcurl->real;
}

/* A program begins with one of these three: here a second libcurl shows itself. */
PRELOAD_EXPORT CURLcode curl_global_init(long flags)
{
    return preload.libcurls[preload_look(PRELOAD_CALLER)].global_init(flags);
}

PRELOAD_EXPORT CURLM *curl_multi_init(void)
{
    return preload.libcurls[preload_look(PRELOAD_CALLER)].multi_init();
}

PRELOAD_EXPORT CURL *curl_easy_init(void)
{
    return preload_calls(&preload.libcurls[preload_look(PRELOAD_CALLER)])->easy_init();
}

/* The argument is as wide as libcurl reads it. */
PRELOAD_EXPORT CURLcode curl_easy_setopt(CURL *handle, CURLoption option, ...)
{
    const struct lf_curl_real *calls = preload_calls(preload_of(PRELOAD_CALLER));
    va_list arguments;
    CURLcode code;
    va_start(arguments, option);
    if ((int)option >= CURLOPTTYPE_OFF_T && (int)option < CURLOPTTYPE_OFF_T + 10000)
        code = calls->easy_setopt(handle, option, va_arg(arguments, curl_off_t));
    else
        code = calls->easy_setopt(handle, option, va_arg(arguments, void *));
    va_end(arguments);
    return code;
}

#define PRELOAD_CALL(type, name, parameters, arguments)                   \
    PRELOAD_EXPORT type curl_##name parameters                            \
    {                                                                     \
        return preload_calls(preload_of(PRELOAD_CALLER))->name arguments; \
    }
#define PRELOAD_CALL_VOID(type, name, parameters, arguments)       \
    PRELOAD_EXPORT type curl_##name parameters                     \
    {                                                              \
        preload_calls(preload_of(PRELOAD_CALLER))->name arguments; \
    }
LF__CURL_CALLS(PRELOAD_CALL, PRELOAD_CALL_VOID)

/* ---- What the copy of the library in here asks of libcurl ------------------------------------------------------------ */

/* These are not exported, and have other names in C, since versions of libcurl declare their arguments differently. They lead to the libcurl whose handles that copy sees. */
#define PRELOAD_OTHER(type, name, parameters, arguments)   \
    type preload_##name parameters __asm__("curl_" #name); \
    type preload_##name parameters                         \
    {                                                      \
        return preload_of(&preload)->name arguments;       \
    }
#define PRELOAD_OTHER_VOID(type, name, parameters, arguments) \
    type preload_##name parameters __asm__("curl_" #name);    \
    type preload_##name parameters                            \
    {                                                         \
        preload_of(&preload)->name arguments;                 \
    }
PRELOAD_OTHERS(PRELOAD_OTHER, PRELOAD_OTHER_VOID)

CURLcode curl_easy_getinfo(CURL *handle, CURLINFO info, ...)
{
    va_list arguments;
    va_start(arguments, info);
    CURLcode code = preload_of(&preload)->easy_getinfo(handle, info, va_arg(arguments, void *));
    va_end(arguments);
    return code;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
    va_list arguments;
    va_start(arguments, option);
    CURLMcode code = preload_of(&preload)->multi_setopt(multi, option, va_arg(arguments, void *));
    va_end(arguments);
    return code;
}

/* ---- Children of the program ---------------------------------------------------------------------------------------- */

static bool preload_is_own_name(const char *path, size_t size)
{
    const size_t own = sizeof PRELOAD_NAME - 1;
    return size >= own && memcmp(path + size - own, PRELOAD_NAME, own) == 0 && (size == own || path[size - own - 1] == '/');
}

/* The list without this library. */
static void preload_strike_out(char *list)
{
    char *to = list;
    for (const char *at = list; *at != '\0';) {
        size_t size = strcspn(at, " :");
        bool keeps = size != 0 && !preload_is_own_name(at, size);
        if (keeps && to != list)
            *to++ = ':';
        if (keeps) {
            memmove(to, at, size);
            to += size;
        }
        at += size;
        at += *at != '\0';
    }
    *to = '\0';
}

/* The place of the variable among those of the process. NULL: it is not there. The functions of libc for this may be the
 * program's own: those of bash do nothing yet. */
static char **preload_variable(const char *start)
{
    char **at = environ;
    while (at != NULL && *at != NULL && strncmp(*at, start, strlen(start)) != 0)
        at++;
    return at != NULL && *at != NULL ? at : NULL;
}

static void preload_drop(char **variable)
{
    do
        variable[0] = variable[1];
    while (*variable++ != NULL);
}

/* Programs that this one starts are none of ours, unless LANGFUSE_CURL_CHILDREN=true. */
static __attribute__((constructor)) void preload_leave_children_alone(void)
{
    static const char list[] = "LD_PRELOAD=";
    char **variable = preload_variable(list);
    if (variable == NULL || preload_variable("LANGFUSE_CURL_CHILDREN=true") != NULL)
        return;
    preload_strike_out(*variable + sizeof list - 1);
    if ((*variable)[sizeof list - 1] == '\0')
        preload_drop(variable);
}
