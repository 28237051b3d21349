/* Query parameters: those that several routes read in the same way. Most of these answer, and return false, when a parameter is not
 * acceptable. */
#ifndef LOCAL_PARAMETER_H
#define LOCAL_PARAMETER_H

#include "http.h"
#include "json.h"

/* The shape in which a real server reports a bad parameter: a list of one problem. `details` are members that come first. Returns
 * false. */
bool parameter_refuse(http_answer *answer, const char *parameter, const char *details, const char *message);

/* Between `least` and `most`. Absent or empty: *out is left as it is. */
bool parameter_number(const http_request *request, const char *name, int64_t least, int64_t most, size_t *out, http_answer *answer);
bool parameter_time(const http_request *request, const char *name, int64_t *out_ms, http_answer *answer);
bool parameter_date(const http_request *request, const char *name, int64_t *out_ms, http_answer *answer); /* in other words */

/* Only the parameters of the list `repeated`, between commas, may be there more than once. Those of `numbers` are refused in other
 * words. */
bool parameter_once(const http_request *request, const char *repeated, const char *numbers, http_answer *answer);

/* A parameter as JSON: a string; an array of strings when it occurs several times; NULL when it is absent. */
const json *parameter_json(const http_request *request, arena *a, const char *name);

/* All values of a parameter that may occur several times; `split` takes commas apart as well. */
text *parameter_values(const http_request *request, arena *a, const char *name, bool split, size_t *out_count);

/* Environments, of which any will do: one text is a list between commas. */
text *parameter_environments(const http_request *request, arena *a, size_t *out_count);

/* Tags, of which all must be there: each is a condition of its own in a query. */
bool parameter_tags(const http_request *request, arena *a, const char *name, text **out, size_t *out_count, http_answer *answer);

/* JSON in base64; NULL when it is none. */
const json *parameter_cursor(arena *a, text encoded);

typedef struct parameter_page {
    size_t number, limit, offset;
} parameter_page;

bool parameter_read_page(const http_request *request, size_t default_limit, parameter_page *out, http_answer *answer);
void parameter_put_page(buf *out, const parameter_page *page, int64_t total); /* ],"meta":{...}} */

#endif
