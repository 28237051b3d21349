/* The whole library as one file: cc app.c src/all.c -lcjson -lcurl -lpthread
 * Static names must be unique across files for this; the tests build it, so a clash is a compile error.
 */
#define _GNU_SOURCE
#include "../lf_core.c"
#include "base.c"
#include "buf.c"
#include "capture.c"
#include "config.c"
#include "export.c"
#include "http.c"
#include "json.c"
#include "limits.c"
#include "pending.c"
#include "propagate.c"
#include "record.c"
#include "segment.c"
#include "sha256.c"
#include "site.c"
#include "trace_context.c"
#include "usage.c"
#include "wire_otlp.c"
#include "worker.c"
