/* The decoders: JSON text, OTLP in both formats, gzip, base64, times, authorization. Mostly what they must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/auth.h"
#include "../../server/clock.h"
#include "../../server/gunzip.h"
#include "../../server/js_date.h"
#include "../../server/json.h"
#include "../../server/otlp.h"
#include "pb_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define assert_text(actual, expected)                                \
    do {                                                             \
        text actual_ = (actual);                                     \
        assert_int_equal(actual_.size, strlen(expected));            \
        assert_memory_equal(actual_.at, expected, strlen(expected)); \
    } while (0)

/* ---- JSON ---- */

static void json_accepts_what_rfc_8259_accepts(void **state)
{
    static const char *const ok[] = {"0", "-0", "1.5e+3", " [ ] ", "{\"a\":[1,{\"b\":null}]}", "\"\\u0000\\ud83d\\ude00\"", "true"};
    (void)state;
    for (size_t i = 0; i < sizeof ok / sizeof *ok; i++) {
        arena a = {0};
        assert_non_null(json_parse(&a, text_of(ok[i])));
        arena_free(&a);
    }
}

static void json_refuses_everything_else(void **state)
{
    static const char *const bad[] = {
        "",      "01",     "1.",      "+1", ".5",  "nul",  "[1,]",   "{\"a\":1,}", "{a:1}", "'a'", "\"\n\"", "\"\\x\"", "\"\\u12\"",
        "[1] 2", "\"open", "{\"a\"}", "[",  "NaN", "\"\\", "\"\\u1", "{\"a\":}",   "-",     "1e",  "[1 2]",  "tru",     "\x01"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arena a = {0};
        assert_null(json_parse(&a, text_of(bad[i])));
        arena_free(&a);
    }
}

static void json_stops_at_its_depth(void **state)
{
    arena a = {0};
    buf deep = {0};
    (void)state;
    for (int i = 0; i < 100000; i++)
        buf_char(&deep, '[');
    assert_null(json_parse(&a, buf_view(&deep)));
    buf_free(&deep);
    arena_free(&a);
}

static void json_strings_keep_nul_and_repair_half_surrogates(void **state)
{
    arena a = {0};
    (void)state;
    const json *value = json_parse(&a, TEXT("\"a\\u0000b\\ud800\""));
    assert_int_equal(value->string.size, 6);
    assert_memory_equal(value->string.at, "a\0b\xEF\xBF\xBD", 6);
    arena_free(&a);
}

static void json_that_is_read_back_keeps_its_digits(void **state)
{
    static const struct {
        const char *stored, *read;
    } cases[] = {
        {"9007199254740991", "9007199254740991"},
        {"9007199254740992", "9007199254740992"},
        {"9007199254740993", "\"9007199254740993\""},
        {"-9223372036854775808", "\"-9223372036854775808\""},
        {"1000000000000000000000", "1e+21"},
        {"0.1234567890123456789", "\"0.1234567890123456789\""},
        {"1e400", "\"1e400\""},
        {"1e-400", "\"1e-400\""},
        {"-0.0", "0"},
        {"0.10000000000000000000", "0.1"},
        {"[1,{\"a\":12345678901234567890}]", "[1,{\"a\":\"12345678901234567890\"}]"},
        {"12345678901234567890 tokens", "\"12345678901234567890 tokens\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        buf out = {0};
        json_put_parsed(&out, &a, text_of(cases[i].stored));
        if (!text_is(buf_view(&out), cases[i].read))
            fail_msg("%s: %.*s, not %s", cases[i].stored, (int)out.size, out.at, cases[i].read);
        buf_free(&out);
        arena_free(&a);
    }
}

static void json_writes_numbers_as_javascript_does(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{1, "1"},
                 {-0.0, "0"},
                 {0.2, "0.2"},
                 {1e21, "1e+21"},
                 {1e-7, "1e-7"},
                 {0.000025, "0.000025"},
                 {9007199254740992.0, "9007199254740992"},
                 {-9223372036854775808.0, "-9223372036854776000"},
                 {123456789012345678901.0, "123456789012345680000"},
                 {0.1 + 0.2, "0.30000000000000004"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = {0};
        json_put_number(&out, cases[i].value);
        assert_text(buf_view(&out), cases[i].text);
        buf_free(&out);
    }
}

/* ---- OTLP in protobuf ---- */

static buf sample_export(void)
{
    buf span = {0}, any = {0}, list = {0}, item = {0}, status = {0}, spans = {0};
    pb_bytes(&span, 1, (text){"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xab", 16});
    pb_bytes(&span, 2, (text){"\xAA\xBB\xCC\xDD\xEE\xFF\x00\x11", 8});
    pb_bytes(&span, 5, TEXT("name"));
    pb_fixed64(&span, 7, UINT64_C(1795239341857771008));
    pb_fixed64(&span, 8, UINT64_C(1795239342857771008));
    pb_string_attribute(&span, 9, "text", "value");
    pb_number(&any, 3, (uint64_t)-5);
    pb_attribute(&span, 9, "int", &any);
    pb_number(&any, 2, 1);
    pb_attribute(&span, 9, "bool", &any);
    pb_fixed64(&any, 4, UINT64_C(0x3FF8000000000000));
    pb_attribute(&span, 9, "double", &any);
    for (const char *word = "ab"; *word != '\0'; word++) {
        pb_bytes(&item, 1, (text){word, 1});
        pb_message(&list, 1, &item);
    }
    pb_message(&any, 5, &list);
    pb_attribute(&span, 9, "list", &any);
    pb_bytes(&status, 2, TEXT("it broke"));
    pb_number(&status, 3, 2);
    pb_message(&span, 15, &status);
    pb_message(&spans, 2, &span);
    return pb_export(&spans);
}

static void protobuf_gives_what_was_sent(void **state)
{
    arena a = {0};
    otlp_export e;
    buf body = sample_export();
    static const char *const values[] = {"value", "-5", "true", "1.5", "[\"a\",\"b\"]"};
    (void)state;
    assert_int_equal(otlp_pb_decode(&a, buf_view(&body), &e), OTLP_OK);
    assert_false(e.empty);
    assert_null(e.lost);
    assert_int_equal(e.span_count, 1);
    assert_text(e.spans[0].trace_id, "0102030405060708090a0b0c0d0e0fab");
    assert_text(e.spans[0].id, "aabbccddeeff0011");
    assert_int_equal(e.spans[0].start_ns, INT64_C(1795239341857771008));
    assert_text(e.spans[0].status_message, "it broke");
    assert_int_equal(e.spans[0].status_code, 2);
    assert_int_equal(e.spans[0].attributes.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_text(otlp_text(&a, &e.attributes[e.spans[0].attributes.first + i].value), values[i]);
    buf_free(&body);
    arena_free(&a);
}

/* Copied to its own allocation at each length, so that the sanitizer sees a read beyond the end. */
static void protobuf_cut_anywhere_is_refused_or_empty(void **state)
{
    buf body = sample_export();
    (void)state;
    for (size_t size = 0; size < body.size; size++) {
        arena a = {0};
        otlp_export e;
        char *cut = malloc(size > 0 ? size : 1);
        assert_non_null(cut);
        memcpy(cut, body.at, size);
        otlp_status status = otlp_pb_decode(&a, (text){cut, size}, &e);
        assert_int_equal(status, size > 0 ? OTLP_MALFORMED : OTLP_OK);
        arena_free(&a);
        free(cut);
    }
    buf_free(&body);
}

static void protobuf_survives_any_changed_byte(void **state)
{
    buf body = sample_export();
    (void)state;
    for (size_t i = 0; i < body.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            arena a = {0};
            otlp_export e;
            body.at[i] = (char)(body.at[i] ^ (1 << bit));
            otlp_pb_decode(&a, buf_view(&body), &e);
            body.at[i] = (char)(body.at[i] ^ (1 << bit));
            arena_free(&a);
        }
    }
    buf_free(&body);
}

static void protobuf_refuses_bad_wire(void **state)
{
    const text bad[] = {
        TEXT("zzzz"),
        TEXT("\x0b\x0c"),     /* a group */
        TEXT("\x08\x01"),                   /* resource_spans as a number */
        TEXT("\x0a\xff\xff\xff\xff\x0f"),   /* longer than the body */
        TEXT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        TEXT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), /* a varint of twelve bytes */
        {"\x00\x01", 2},                  /* field number 0 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arena a = {0};
        otlp_export e;
        assert_int_equal(otlp_pb_decode(&a, bad[i], &e), OTLP_MALFORMED);
        arena_free(&a);
    }
}

static void protobuf_values_nest_only_so_deep(void **state)
{
    arena a = {0};
    otlp_export e;
    buf value = {0}, span = {0}, spans = {0};
    (void)state;
    for (int i = 0; i < 5000; i++) {
        buf array = {0}, outer = {0};
        pb_message(&array, 1, &value);
        pb_message(&outer, 5, &array);
        value = outer;
    }
    pb_attribute(&span, 9, "deep", &value);
    pb_message(&spans, 2, &span);
    buf body = pb_export(&spans);
    assert_int_equal(otlp_pb_decode(&a, buf_view(&body), &e), OTLP_MALFORMED);
    buf_free(&body);
    arena_free(&a);
}

static void protobuf_keeps_maps_and_bytes_as_json(void **state)
{
    arena a = {0};
    otlp_export e;
    buf span = {0}, spans = {0}, any = {0}, map = {0}, empty = {0};
    (void)state;
    pb_string_attribute(&map, 1, "k", "v");
    pb_message(&any, 6, &map);
    pb_attribute(&span, 9, "map", &any);
    pb_bytes(&any, 7, TEXT("abc"));
    pb_attribute(&span, 9, "bytes", &any);
    pb_message(&any, 5, &empty);
    pb_attribute(&span, 9, "nothing", &any);
    pb_attribute(&span, 9, "empty", &empty);
    pb_bytes(&any, 1, TEXT("a\xFF"));
    pb_attribute(&span, 9, "broken", &any);
    pb_message(&spans, 2, &span);
    buf body = pb_export(&spans);
    static const char *const values[] = {"{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}}",
                                         "{\"bytesValue\":\"YWJj\"}", "{\"arrayValue\":{}}", "{}", "a\xEF\xBF\xBD"};
    assert_int_equal(otlp_pb_decode(&a, buf_view(&body), &e), OTLP_OK);
    for (size_t i = 0; i < 5; i++)
        assert_text(otlp_text(&a, &e.attributes[e.spans[0].attributes.first + i].value), values[i]);
    assert_int_equal(e.repairs, 1);
    assert_int_equal(e.bad_spans, 1); /* it has no ids */
    buf_free(&body);
    arena_free(&a);
}

static void an_attribute_without_value_loses_the_export(void **state)
{
    arena a = {0};
    otlp_export e;
    buf span = {0}, spans = {0}, attribute = {0};
    (void)state;
    pb_bytes(&attribute, 1, TEXT("k"));
    pb_message(&span, 9, &attribute);
    pb_message(&spans, 2, &span);
    buf body = pb_export(&spans);
    assert_int_equal(otlp_pb_decode(&a, buf_view(&body), &e), OTLP_OK);
    assert_non_null(e.lost);
    buf_free(&body);
    arena_free(&a);
}

/* ---- OTLP in JSON ---- */

#define SPAN_JSON(members) "{\"resourceSpans\":[{\"scopeSpans\":[{\"scope\":{\"name\":\"s\"},\"spans\":[{" members "}]}]}]}"

static void assert_refusal(const char *body, const char *expected_start)
{
    arena a = {0};
    otlp_export e;
    buf words = {0};
    assert_int_equal(otlp_json_decode(&a, text_of(body), &e), OTLP_OK);
    assert_int_equal(otlp_refused(&e, &words), expected_start != NULL);
    if (expected_start != NULL)
        assert_true(text_starts(buf_view(&words), expected_start));
    buf_free(&words);
    arena_free(&a);
}

static void json_export_words_its_refusals(void **state)
{
    (void)state;
    assert_refusal(SPAN_JSON("\"traceId\":\"AB\",\"spanId\":\"cd\""), NULL);
    assert_refusal(SPAN_JSON("\"name\":\"a\""), "Invalid OTLP trace export: 1 of 1 span(s) cannot be processed (traceId:absent, "
                                                "spanId:absent). traceId and spanId are required on every span, and each");
    assert_refusal(SPAN_JSON("\"traceId\":\"\",\"spanId\":\"\""), NULL);
    assert_refusal(SPAN_JSON("\"traceId\":5,\"spanId\":null"),
                   "Invalid OTLP trace export: 1 of 1 span(s) cannot be processed "
                   "(traceId:not_an_id, spanId:absent). traceId and spanId are required");
    assert_refusal(
        SPAN_JSON("\"traceId\":{\"data\":[1]},\"spanId\":{\"length\":8},\"parentSpanId\":true,\"events\":[{\"attributes\":{}}]"),
        "Invalid OTLP trace export: 1 of 1 span(s) cannot be processed (traceId:not_an_id, spanId:not_an_id, "
        "parentSpanId:not_an_id, event.attributes:not_an_array). traceId");
    assert_refusal(
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":{}},\"scopeSpans\":["
        "{\"scope\":{\"name\":\"fine\"},\"spans\":[{\"traceId\":\"a\",\"spanId\":\"b\"}]},"
        "{\"scope\":{\"name\":\"two\",\"attributes\":1},\"spans\":{}},{\"scope\":{\"name\":\"one\"},\"spans\":[{\"spanId\":\"c\"},"
        "null]}]},"
        "{\"scopeSpans\":\"x\"}]}",
        "Invalid OTLP trace export: 2 of 3 span(s) cannot be processed; 4 resource- or scope-level field(s) are present but not "
        "arrays (resource.attributes:not_an_array, scope.attributes:not_an_array, spans:not_an_array, traceId:absent, "
        "spanId:absent, scopeSpans:not_an_array). traceId and spanId are required on every span, and each must be a string or a "
        "byte array. scopeSpans, spans, attributes and events must all be arrays \xE2\x80\x94 OTLP attributes are a list of {key, "
        "value} entries, not a JSON object. The entire export was rejected and no spans were ingested. Instrumentation scopes: "
        "two, one. This endpoint");
    assert_refusal(SPAN_JSON("\"traceId\":\"a\",\"spanId\":\"b\",\"attributes\":{}"),
                   "Invalid OTLP trace export: 1 of 1 span(s) cannot be processed (attributes:not_an_array). scopeSpans, spans,");
    assert_refusal(
        "{\"resourceSpans\":[{\"scopeSpans\":{}}]}",
        "Invalid OTLP trace export: 1 resource- or scope-level field(s) are present but not arrays (scopeSpans:not_an_array). ");
}

static void json_export_reads_ids_and_times_verbatim(void **state)
{
    arena a = {0};
    otlp_export e;
    (void)state;
    text body = TEXT(
        SPAN_JSON("\"traceId\":\"AB\",\"spanId\":\"x\",\"parentSpanId\":null,\"startTimeUnixNano\":\"1795239341857771008\","
                  "\"endTimeUnixNano\":1795239342857771008,\"status\":{\"code\":2,\"message\":\"m\"},"
                  "\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"9007199254740993\"}},"
                  "{\"key\":\"d\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"e\",\"value\":{}}]"));
    static const char *const values[] = {"9007199254740992", "NaN", "{}"};
    assert_int_equal(otlp_json_decode(&a, body, &e), OTLP_OK);
    assert_text(e.spans[0].trace_id, "AB");
    assert_int_equal(e.spans[0].parent_id.size, 0);
    assert_int_equal(e.spans[0].start_ns, INT64_C(1795239341857771008));
    assert_int_equal(e.spans[0].end_ns, INT64_C(1795239342857771008));
    for (size_t i = 0; i < 3; i++)
        assert_text(otlp_text(&a, &e.attributes[i].value), values[i]);
    arena_free(&a);
}

/* As the protobuf library of JavaScript keeps them, and what JavaScript makes of other types. */
static void json_export_takes_what_javascript_takes(void **state)
{
    static const struct {
        const char *id, *hex;
    } ids[] = {
        {"\"\"", ""},
        {"[1,171,256,-1,\"16\",null,2.9]", "01ab00ff100002"},
        {"{\"type\":\"Buffer\",\"data\":[10,11]}", "0a0b"},
        {"[]", ""},
    };
    static const struct {
        const char *time;
        int64_t ns;
    } times[] = {
        {"\"0\"", 0},
        {"0", 0},
        {"\"-1500000\"", -1500000},
        {"\" 7 \"", 7},
        {"\"\"", OTLP_NO_TIME},
        {"\"soon\"", OTLP_NO_TIME},
        {"null", OTLP_NO_TIME},
        {"true", OTLP_NO_TIME},
        {"1.5e18", INT64_C(1500000000000000000)},
        {"{\"high\":417993217,\"low\":-1717986918}", INT64_C(417993217) * 4294967296 + INT64_C(2576980378)},
        {"{\"high\":-1,\"low\":-1}", -1},
        {"{\"high\":1}", OTLP_NO_TIME},
    };
    static const struct {
        const char *any, *value;
    } values[] = {
        {"{\"intValue\":\"1.5\"}", "1.5"},
        {"{\"intValue\":\"\"}", "0"},
        {"{\"intValue\":\"many\"}", "{\"intValue\":\"many\"}"},
        {"{\"intValue\":{\"low\":7,\"high\":0}}", "7"},
        {"{\"intValue\":{\"low\":-1,\"high\":-1}}", "-1"},
        {"{\"doubleValue\":\"2.50\"}", "2.5"},
        {"{\"doubleValue\":\"-Infinity\"}", "-Infinity"},
        {"{\"arrayValue\":{\"values\":[]}}", "[]"},
        {"{\"arrayValue\":{}}", "{\"arrayValue\":{}}"},
    };
    char body[500];
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        arena a = {0};
        otlp_export e;
        snprintf(body, sizeof body, SPAN_JSON("\"traceId\":%s,\"spanId\":%s,\"parentSpanId\":%s"), ids[i].id, ids[i].id, ids[i].id);
        assert_int_equal(otlp_json_decode(&a, text_of(body), &e), OTLP_OK);
        assert_int_equal(e.bad_spans, 0);
        assert_text(e.spans[0].trace_id, ids[i].hex);
        assert_text(e.spans[0].id, ids[i].hex);
        assert_text(e.spans[0].parent_id, ids[i].hex);
        arena_free(&a);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        arena a = {0};
        otlp_export e;
        snprintf(body, sizeof body, SPAN_JSON("\"startTimeUnixNano\":%s"), times[i].time);
        assert_int_equal(otlp_json_decode(&a, text_of(body), &e), OTLP_OK);
        assert_int_equal(e.spans[0].start_ns, times[i].ns);
        arena_free(&a);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        arena a = {0};
        otlp_export e;
        snprintf(body, sizeof body, SPAN_JSON("\"attributes\":[{\"key\":\"k\",\"value\":%s}]"), values[i].any);
        assert_int_equal(otlp_json_decode(&a, text_of(body), &e), OTLP_OK);
        assert_text(otlp_text(&a, &e.attributes[0].value), values[i].value);
        arena_free(&a);
    }
}

static void json_export_that_is_none_is_empty_or_lost(void **state)
{
    static const char *const empty[] = {"{}", "{\"resourceSpans\":[]}", "{\"resourceSpans\":null}", "[]", "5"};
    arena a = {0};
    otlp_export e;
    (void)state;
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        assert_int_equal(otlp_json_decode(&a, text_of(empty[i]), &e), OTLP_OK);
        assert_true(e.empty);
    }
    assert_int_equal(otlp_json_decode(&a, TEXT("{\"resourceSpans\":{\"a\":1}}"), &e), OTLP_OK);
    assert_non_null(e.lost);
    assert_int_equal(
        otlp_json_decode(&a, TEXT(SPAN_JSON("\"traceId\":\"a\",\"spanId\":\"b\",\"attributes\":[{\"key\":\"k\"}]")), &e), OTLP_OK);
    assert_non_null(e.lost);
    assert_int_equal(otlp_json_decode(&a, TEXT("{"), &e), OTLP_MALFORMED);
    arena_free(&a);
}

static void an_export_over_the_memory_ceiling_is_too_big(void **state)
{
    arena a = {.ceiling = 1000};
    otlp_export e;
    buf body = sample_export();
    (void)state;
    assert_int_equal(otlp_pb_decode(&a, buf_view(&body), &e), OTLP_TOO_BIG);
    arena_free(&a);
    a.ceiling = 1000;
    assert_int_equal(otlp_json_decode(&a, TEXT(SPAN_JSON("\"a\":[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]")), &e), OTLP_TOO_BIG);
    arena_free(&a);
    buf_free(&body);
}

/* ---- Gzip, base64, times, keys ---- */

static text zipped(const char *plain, unsigned char *room, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)plain;
    z.avail_in = (uInt)strlen(plain);
    z.next_out = room;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size -= z.avail_out;
    deflateEnd(&z);
    return (text){(const char *)room, size};
}

static void gunzip_unpacks_refuses_and_stops(void **state)
{
    unsigned char room[200];
    text packed = zipped("hello, hello, hello", room, sizeof room);
    buf out = {0}, small = {.ceiling = 8};
    (void)state;
    assert_int_equal(gunzip(packed, &out), GUNZIP_OK);
    assert_text(buf_view(&out), "hello, hello, hello");
    assert_int_equal(gunzip(packed, &small), GUNZIP_TOO_BIG);
    for (size_t size = 0; size < packed.size; size++)
        assert_int_equal(gunzip((text){packed.at, size}, &out), GUNZIP_MALFORMED);
    assert_int_equal(gunzip(TEXT("{}"), &out), GUNZIP_MALFORMED);
    buf_free(&out);
    buf_free(&small);
}

static void base64_goes_there_and_back(void **state)
{
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}};
    buf out = {0};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        out.size = 0;
        buf_base64(&out, text_of(cases[i][0]));
        assert_text(buf_view(&out), cases[i][1]);
        out.size = 0;
        assert_true(buf_from_base64(&out, text_of(cases[i][1])));
        assert_text(buf_view(&out), cases[i][0]);
    }
    assert_false(buf_from_base64(&out, TEXT("Z*==")));
    assert_false(buf_from_base64(&out, TEXT("Zm9vY")));
    buf_free(&out);
}

/* The times are those of node, where the zone is UTC. */
static void dates_are_those_of_javascript(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: invalid */
    } cases[] = {
        {"2026-11-21T05:38:58.123456789Z", 1795239538123},
        {"2026-11-21 05:38:58", 1795239538000},
        {"2026-11-21 05:38:58.123456", 1795239538123},
        {"2026-11-21 05:38:58 +0100", 1795235938000},
        {"2026-11-21T05:38", 1795239480000},
        {"2026-11-21T24:00:00Z", 1795305600000},
        {"2026-11-21T24:00:01Z", -1},
        {"2026-11-21T05:38:58+0100", 1795235938000},
        {"2026-11-21t05:38:58z", 1795239538000},
        {"+002026-11-21T05:38:58Z", 1795239538000},
        {"-000001-01-01T00:00:00Z", -62198755200000},
        {"-000000-01-01T00:00:00Z", -1},
        {"2026", 1767225600000},
        {"2026-11", 1793491200000},
        {"2026-02-30", 1772409600000},
        {"2026-13-01", -1},
        {"2026-11-21T5:38:58Z", -1},
        {"2026-11-21T05:38:58.Z", -1},
        {"2026-11-21T", -1},
        {"Sat, 21 Nov 2026 05:38:58 GMT", 1795239538000},
        {"Sat Nov 21 2026 05:38:58 GMT+0100 (CET)", 1795235938000},
        {"Nov 21, 2026 5:38 PM", 1795282680000},
        {"12:00 AM Jan 1 2020", 1577836800000},
        {"11/21/2026", 1795219200000},
        {"2026/11/21", 1795219200000},
        {"21 November 26", 1795219200000},
        {"Nov 21", 1006300800000},
        {"(c) 2026", 1767225600000},
        {"2026 (", 1767225600000},
        {"2026-11-21+01:00", -1},
        {"1795239341250", -1},
        {"5:30", -1},
        {"Jan 1 584544017", -1}, /* 2^64 milliseconds after the beginning of 1971 */
        {"Jan 1 2147483647", -1},
        {"soon", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = -1;
        if (!js_date_parse(text_of(cases[i].text), &ms))
            ms = -1;
        if (ms != cases[i].ms)
            fail_msg("%s: %lld, not %lld", cases[i].text, (long long)ms, (long long)cases[i].ms);
    }
}

static void times_are_read_and_written(void **state)
{
    char iso[CLOCK_ISO_SIZE];
    int64_t ms;
    static const char *const bad[] = {"",  "2026-11-21",           "2026-02-30T00:00:00Z", "2026-11-21T05:35:41",
                                      "x", "2026-11-21T24:00:00Z", "2026-13-21T05:35:41Z", "2026-11-21T05:35:41.Z"};
    (void)state;
    assert_true(clock_parse_any(TEXT("2026-11-21T05:35:41.957Z"), &ms));
    clock_iso(ms, iso);
    assert_string_equal(iso, "2026-11-21T05:35:41.957Z");
    assert_true(clock_parse_any(TEXT("2026-11-21T06:35:41.957123+01:00"), &ms));
    clock_iso(ms, iso);
    assert_string_equal(iso, "2026-11-21T05:35:41.957Z");
    clock_iso(-1, iso);
    assert_string_equal(iso, "1969-12-31T23:59:59.999Z");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(clock_parse_any(text_of(bad[i]), &ms));
}

static void only_the_secret_opens(void **state)
{
    auth_keys keys = {"pk", "sk"};
    static const struct {
        const char *header;
        auth_verdict verdict;
    } cases[] = {
        {NULL, AUTH_ABSENT},
        {"Basic cGs6c2s=", AUTH_OK},              /* pk:sk */
        {"Basic b3RoZXI6c2s=", AUTH_OK},          /* other:sk */
        {"Basic cGs6c2s6bW9yZQ==", AUTH_OK},      /* pk:sk:more */
        {"Basic c2s6cGs=", AUTH_WRONG},           /* swapped */
        {"Basic cGs6", AUTH_MALFORMED},           /* pk: */
        {"Basic ", AUTH_MALFORMED},
        {"basic cGs6c2s=", AUTH_MALFORMED},
        {"Token x", AUTH_MALFORMED},
        {"Bearer pk", AUTH_BEARER},
        {"Bearer sk", AUTH_BEARER_WRONG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(auth_check(&keys, cases[i].header), cases[i].verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_accepts_what_rfc_8259_accepts),
        cmocka_unit_test(json_refuses_everything_else),
        cmocka_unit_test(json_stops_at_its_depth),
        cmocka_unit_test(json_strings_keep_nul_and_repair_half_surrogates),
        cmocka_unit_test(json_that_is_read_back_keeps_its_digits),
        cmocka_unit_test(json_writes_numbers_as_javascript_does),
        cmocka_unit_test(protobuf_gives_what_was_sent),
        cmocka_unit_test(protobuf_cut_anywhere_is_refused_or_empty),
        cmocka_unit_test(protobuf_survives_any_changed_byte),
        cmocka_unit_test(protobuf_refuses_bad_wire),
        cmocka_unit_test(protobuf_values_nest_only_so_deep),
        cmocka_unit_test(protobuf_keeps_maps_and_bytes_as_json),
        cmocka_unit_test(an_attribute_without_value_loses_the_export),
        cmocka_unit_test(json_export_words_its_refusals),
        cmocka_unit_test(json_export_reads_ids_and_times_verbatim),
        cmocka_unit_test(json_export_takes_what_javascript_takes),
        cmocka_unit_test(json_export_that_is_none_is_empty_or_lost),
        cmocka_unit_test(an_export_over_the_memory_ceiling_is_too_big),
        cmocka_unit_test(gunzip_unpacks_refuses_and_stops),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(dates_are_those_of_javascript),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(only_the_secret_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
