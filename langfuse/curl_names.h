/* Langfuse for C: from here on the calls of libcurl in this file lead to the library, which records those that talk to a model and
 * passes all of them on. A program includes langfuse/curl.h, or nothing: see there.
 *
 * Only the linker's names change. So curl's own checks of types stay, a pointer to curl_easy_perform leads to the library, too, and
 * a member or a namespace may have functions of these names. Before curl's headers or behind them, C or C++ of any version.
 */
#if !defined(LF_CURL_NAMES_H) && !defined(LF_CURL_NO_NAMES) && !defined(LF_DISABLE)
#define LF_CURL_NAMES_H

#pragma GCC system_header /* or a program that asks for it is warned of a second declaration */

#include <curl/curl.h>

/* Clang renames what was declared before, but in no function that it has compiled already. Gcc renames everywhere where a function is
 * declared again. */
#if defined(__clang__) && defined(LF_I_ALL_C)
#error "clang: include langfuse/curl.h before src/all.c"
#elif defined(__clang__)
#pragma redefine_extname curl_easy_init lf_curl_easy_init
#pragma redefine_extname curl_easy_setopt lf_curl_easy_setopt
#pragma redefine_extname curl_easy_perform lf_curl_easy_perform
#pragma redefine_extname curl_easy_reset lf_curl_easy_reset
#pragma redefine_extname curl_easy_cleanup lf_curl_easy_cleanup
#pragma redefine_extname curl_easy_duphandle lf_curl_easy_duphandle
#pragma redefine_extname curl_multi_add_handle lf_curl_multi_add_handle
#pragma redefine_extname curl_multi_remove_handle lf_curl_multi_remove_handle
#pragma redefine_extname curl_multi_info_read lf_curl_multi_info_read
#pragma redefine_extname curl_multi_cleanup lf_curl_multi_cleanup
#pragma redefine_extname curl_mime_init lf_curl_mime_init
#pragma redefine_extname curl_mime_free lf_curl_mime_free
#pragma redefine_extname curl_mime_addpart lf_curl_mime_addpart
#pragma redefine_extname curl_mime_name lf_curl_mime_name
#pragma redefine_extname curl_mime_filename lf_curl_mime_filename
#pragma redefine_extname curl_mime_type lf_curl_mime_type
#pragma redefine_extname curl_mime_data lf_curl_mime_data
#pragma redefine_extname curl_mime_filedata lf_curl_mime_filedata
#pragma redefine_extname curl_mime_data_cb lf_curl_mime_data_cb
#pragma redefine_extname curl_mime_subparts lf_curl_mime_subparts
#elif defined(__GNUC__)
#ifdef __cplusplus
extern "C" {
#endif
#define LF_I_CURL_NAME(name) extern __typeof__(curl_##name) curl_##name __asm__("lf_curl_" #name);
LF_I_CURL_NAME(easy_init)
LF_I_CURL_NAME(easy_setopt)
LF_I_CURL_NAME(easy_perform)
LF_I_CURL_NAME(easy_reset)
LF_I_CURL_NAME(easy_cleanup)
LF_I_CURL_NAME(easy_duphandle)
LF_I_CURL_NAME(multi_add_handle)
LF_I_CURL_NAME(multi_remove_handle)
LF_I_CURL_NAME(multi_info_read)
LF_I_CURL_NAME(multi_cleanup)
LF_I_CURL_NAME(mime_init)
LF_I_CURL_NAME(mime_free)
LF_I_CURL_NAME(mime_addpart)
LF_I_CURL_NAME(mime_name)
LF_I_CURL_NAME(mime_filename)
LF_I_CURL_NAME(mime_type)
LF_I_CURL_NAME(mime_data)
LF_I_CURL_NAME(mime_filedata)
LF_I_CURL_NAME(mime_data_cb)
LF_I_CURL_NAME(mime_subparts)
#undef LF_I_CURL_NAME
#ifdef __cplusplus
}
#endif
#else
#error "Langfuse for C needs gcc or clang"
#endif

#endif
