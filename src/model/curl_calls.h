/* The calls of libcurl that pass through the library, as a list for macros: C for those that return something, V for those that do
 * not: (type, name without curl_, parameters, arguments). curl_easy_setopt, with its varying arguments, and curl_easy_init stand apart.
 * Whoever expands the list includes curl's headers.
 */
#ifndef LF_SRC_CURL_CALLS_H
#define LF_SRC_CURL_CALLS_H

#define LF__CURL_CALLS(C, V)                                                                                                      \
    C(CURLcode, easy_perform, (CURL * handle), (handle))                                                                          \
    V(void, easy_reset, (CURL * handle), (handle))                                                                                \
    V(void, easy_cleanup, (CURL * handle), (handle))                                                                              \
    C(CURL *, easy_duphandle, (CURL * handle), (handle))                                                                          \
    C(CURLMcode, multi_add_handle, (CURLM * multi, CURL * handle), (multi, handle))                                               \
    C(CURLMcode, multi_remove_handle, (CURLM * multi, CURL * handle), (multi, handle))                                            \
    C(CURLMsg *, multi_info_read, (CURLM * multi, int *left), (multi, left))                                                      \
    C(CURLMcode, multi_cleanup, (CURLM * multi), (multi))                                                                         \
    C(curl_mime *, mime_init, (CURL * handle), (handle))                                                                          \
    V(void, mime_free, (curl_mime * mime), (mime))                                                                                \
    C(curl_mimepart *, mime_addpart, (curl_mime * mime), (mime))                                                                  \
    C(CURLcode, mime_name, (curl_mimepart * part, const char *name), (part, name))                                                \
    C(CURLcode, mime_filename, (curl_mimepart * part, const char *name), (part, name))                                            \
    C(CURLcode, mime_type, (curl_mimepart * part, const char *type), (part, type))                                                \
    C(CURLcode, mime_data, (curl_mimepart * part, const char *data, size_t size), (part, data, size))                             \
    C(CURLcode, mime_filedata, (curl_mimepart * part, const char *path), (part, path))                                            \
    C(CURLcode, mime_data_cb,                                                                                                     \
      (curl_mimepart * part, curl_off_t size, curl_read_callback on_read, curl_seek_callback on_seek, curl_free_callback on_free, \
       void *data),                                                                                                               \
      (part, size, on_read, on_seek, on_free, data))                                                                              \
    C(CURLcode, mime_subparts, (curl_mimepart * part, curl_mime * mime), (part, mime))

/* Where libcurl's own functions are, for a process in which their names lead to the library instead. New ones go to the end. */
#define LF__CURL_MEMBER(type, name, parameters, arguments) type(*name) parameters;
#define LF__CURL_REAL_STRUCT                              \
    struct lf_curl_real {                                 \
        size_t struct_size;                               \
        CURL *(*easy_init)(void);                         \
        CURLcode (*easy_setopt)(CURL *, CURLoption, ...); \
        LF__CURL_CALLS(LF__CURL_MEMBER, LF__CURL_MEMBER)  \
    }

#endif
