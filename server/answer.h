/* Parts of answers and requests that several routes share: members of JSON objects, query parameters, pages. */
#ifndef LOCAL_ANSWER_H
#define LOCAL_ANSWER_H

#include "http.h"
#include "json.h"

/* --- members of the object that is being written --- */

void member_text(buf *out, const char *name, text value);
void member_or_null(buf *out, const char *name, text value); /* null when value.at is NULL */
void member_unless_empty(buf *out, const char *name, text value); /* null when the text is empty */
void member_raw(buf *out, const char *name, const char *value);
void member_json(buf *out, const char *name, text value); /* JSON text as it is */
void member_bool(buf *out, const char *name, bool value);
void member_iso(buf *out, const char *name, int64_t ms);
void member_iso_if(buf *out, bool known, const char *name, int64_t ms); /* null unless it is known */
void member_number(buf *out, const char *name, double value);
void member_number_if(buf *out, bool known, const char *name, double value); /* the same */
void member_seconds_if(buf *out, bool known, const char *name, int64_t from_ms, int64_t to_ms);
void member_parsed(buf *out, arena *a, const char *name, text value); /* JSON when it parses as such, else a string; NULL: null */
void member_metadata(buf *out, arena *a, text stored);                /* its values are texts, and read as JSON when they parse */
void answer_put_parsed(buf *out, arena *a, text value);               /* JSON when it parses as such, else a string */

/* --- parameters --- */

/* The shape in which a real server reports a bad parameter: a list of one problem. `details` are members that come first. */
void answer_bad_parameter(http_answer *answer, const char *parameter, const char *details, const char *message);

/* Between `least` and `most`; absent: *out is left as it is. These answer, and return false, when a parameter is not acceptable. */
bool parameter_number(const http_request *request, const char *name, int64_t least, int64_t most, size_t *out, http_answer *answer);
bool parameter_time(const http_request *request, const char *name, int64_t *out_ms, http_answer *answer);

/* All values of a parameter that may occur several times; `split` takes commas apart as well. */
text *parameter_values(const http_request *request, arena *a, const char *name, bool split, size_t *out_count);

/* Tags, of which all must be there: each is a condition of its own in a query. False, with an answer, when there are too many. */
bool parameter_tags(const http_request *request, arena *a, const char *name, text **out, size_t *out_count, http_answer *answer);

/* JSON in base64; NULL when it is none. */
const json *parameter_cursor(arena *a, text encoded);

typedef struct paging {
    size_t page, limit, offset;
} paging;

bool parameter_paging(const http_request *request, size_t default_limit, paging *out, http_answer *answer);
void put_paging(buf *out, const paging *p, int64_t total);                            /* ],"meta":{...}} */

#endif
