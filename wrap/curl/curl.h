/* Langfuse for C: curl's header, and the calls of libcurl lead to Langfuse. A folder for -I in front of curl's own, so that no line
 * of the program changes: pkg-config --cflags langfuse-curl.
 */
#pragma GCC system_header
#include_next <curl/curl.h>
#include "../../langfuse/curl_names.h"
