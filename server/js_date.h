/* Times as JavaScript's Date reads them: forms of ISO 8601, and nearly everything else that people write. Pure. */
#ifndef LOCAL_JS_DATE_H
#define LOCAL_JS_DATE_H

#include "text.h"

/* Milliseconds since 1970. Without a zone the time is UTC. False for what Date calls invalid. */
bool js_date_parse(text given, int64_t *out_ms);

#endif
