/* Fuzz target for everything that reads bytes from the network: the first byte chooses the decoder, the rest is its input.
 *
 * clang -fsanitize=fuzzer,address,undefined tests/server/fuzz_otlp.c $(ls server/[!m]*.c) -lmicrohttpd -lsqlite3 -lz -lm
 */
#include "../../server/auth.h"
#include "../../server/clock.h"
#include "../../server/gunzip.h"
#include "../../server/host.h"
#include "../../server/js_date.h"
#include "../../server/json.h"
#include "../../server/span.h"
#include "../../server/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As far as the server goes with an export: refused, or turned into rows, which are then drawn. */
static void fuzz_export(text body, otlp_status (*decode)(arena *, text, otlp_export *))
{
    arena a = {.ceiling = (size_t)64 << 20};
    otlp_export e;
    unsigned losses = 0;
    buf out = {.ceiling = (size_t)64 << 20};
    const tree_style style = {80, true, false};
    if (decode(&a, body, &e) == OTLP_OK && !otlp_refused(&e, &out) && e.lost == NULL) {
        const observation *rows = span_map_all(&e, 1, body.size % 2 != 0, &losses);
        trace_data data = {.id = TEXT("t"), .rows = (observation *)rows, .row_count = e.span_count}; /* rendering changes nothing */
        if (rows != NULL)
            tree_render(&out, &data, &style);
    }
    buf_free(&out);
    arena_free(&a);
}

static void fuzz_json(text body)
{
    arena a = {.ceiling = (size_t)64 << 20};
    buf out = {0};
    const json *value = json_parse(&a, body);
    if (value != NULL)
        json_write(&out, value);
    buf_free(&out);
    arena_free(&a);
}

static void fuzz_small(text body)
{
    buf out = {.ceiling = (size_t)1 << 20};
    int64_t number;
    double real;
    gunzip(body, &out);
    buf_from_base64(&out, body);
    host_fits(&(host_rules){.listening = "box.lan"}, body);
    clock_parse_any(body, &number);
    js_date_parse(body, &number);
    text_to_int(body, &number);
    text_to_double(body, &real);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    text body = {(const char *)data + 1, size - 1};
    switch (data[0] % 4) {
    case 0: fuzz_export(body, otlp_pb_decode); break;
    case 1: fuzz_export(body, otlp_json_decode); break;
    case 2: fuzz_json(body); break;
    default: fuzz_small(body);
    }
    return 0;
}
