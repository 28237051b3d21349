/* Members of the JSON object that is being written, in the shapes that answers have. Pure. */
#ifndef LOCAL_MEMBER_H
#define LOCAL_MEMBER_H

#include "json.h"

void member_text(buf *out, const char *name, text value);
void member_or_null(buf *out, const char *name, text value);      /* null when value.at is NULL */
void member_unless_empty(buf *out, const char *name, text value); /* null when the text is empty */
void member_raw(buf *out, const char *name, const char *value);
void member_json(buf *out, const char *name, text value); /* JSON text as it is */
void member_bool(buf *out, const char *name, bool value);
void member_iso(buf *out, const char *name, int64_t ms);
void member_iso_if(buf *out, bool known, const char *name, int64_t ms); /* null unless it is known */
void member_number(buf *out, const char *name, double value);
void member_number_if(buf *out, bool known, const char *name, double value); /* the same */
void member_seconds_if(buf *out, bool known, const char *name, int64_t from_ms, int64_t to_ms);
void member_tier(buf *out, text model_id, text tier); /* id and name of the prices that an observation has; null when it has none */
void member_parsed(buf *out, arena *a, const char *name, text value); /* as json_put_parsed; NULL: null */
void member_metadata(buf *out, arena *a, text stored); /* its values are texts, and read as JSON when they parse */

#endif
