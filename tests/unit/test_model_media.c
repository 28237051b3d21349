#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/json.h"
#include "../../src/model/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf__buf out;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 22);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__buf_done(&out);
    return 0;
}

/* `json` in a block of its own size, so that a checker sees reading past it. */
static const char *replaced(const char *json, const char *media_type)
{
    size_t size = strlen(json);
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy + 1, json, size);
    assert_true(lf__json_valid(copy + 1, size));
    lf__buf_clear(&out);
    assert_true(lf__media_add_json(&out, (lf__text){copy + 1, size}, media_type));
    free(copy);
    assert_true(lf__json_valid(out.data, out.length));
    assert_true(lf__buf_add_char(&out, '\0'));
    return out.data;
}

#define PNG "iVBORw0KGgo="
#define TOKEN(type, id) "@@@langfuseMedia:type=" type "|id=" id "|source=base64_data_uri@@@"
#define PNG_TOKEN TOKEN("image/png", "TEtqO-ExSrhhOL70MU3eAi")
#define HELLO_TOKEN(type) TOKEN(type, "LPJNul-wow4m6Dsqxbninh") /* aGVsbG8= */
#define PDF "JVBERi0xLjcK"
#define PDF_TOKEN TOKEN("application/pdf", "Bxb5Jkyf4Z9ddFUnYQfz3c")
#define FFFF_TOKEN(type) TOKEN(type, "rZUTG8C3mcCxr0d_sU_PJq") /* four bytes of ones */

static const struct {
    const char *json, *expected;
    const char *media_type;
} rows[] = {
    /* Data URIs. */
    {"\"data:image/png;base64," PNG "\"", "\"" PNG_TOKEN "\"", NULL},
    {"{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64," PNG "\",\"detail\":\"low\"}}",
     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"" PNG_TOKEN "\",\"detail\":\"low\"}}", NULL},
    {"{\"type\":\"input_image\",\"image_url\":\"data:image\\/png;base64,iVBORw0KGgo\"}",
     "{\"type\":\"input_image\",\"image_url\":\"" PNG_TOKEN "\"}", NULL},
    {"[\"data:text/plain;charset=utf-8;name=a.txt;base64,aGVsbG8=\"]", "[\"" HELLO_TOKEN("text/plain") "\"]", NULL},
    {"\"DATA:audio/wav;BASE64,aGVsbG8=\"", "\"" HELLO_TOKEN("audio/wav") "\"", NULL},
    {"\"data:;base64," PNG "\"", "\"" PNG_TOKEN "\"", NULL},
    {"\"data:image/png;base64,iVBORw0K\\r\\nGgo=\\n\"", "\"" PNG_TOKEN "\"", NULL},
    {"\"data:image/png;base64,\\/\\/\\/\\/\\/w==\"", "\"" FFFF_TOKEN("image/png") "\"", NULL},
    {"\"data:image/png;base64,\\u002f////w\\u003D=\"", "\"" FFFF_TOKEN("image/png") "\"", NULL},
    {"\"data:image/png;base64,_____w\"", "\"" FFFF_TOKEN("image/png") "\"", NULL},
    {"\"data:text/plain,hello\"", "\"data:text/plain,hello\"", NULL},
    {"\"data:image/svg+xml;utf8,<svg/>\"", "\"data:image/svg+xml;utf8,<svg/>\"", NULL},
    {"\"data:image/png;base64,\"", "\"data:image/png;base64,\"", NULL},
    {"\"data:image/png;base64,abc!\"", "\"data:image/png;base64,abc!\"", NULL},
    {"\"data:image/png;base64,abcde\"", "\"data:image/png;base64,abcde\"", NULL},
    {"\"data:a|b;base64,aGVsbG8=\"", "\"data:a|b;base64,aGVsbG8=\"", NULL},
    {"\"data:base64,aGVsbG8=\"", "\"data:base64,aGVsbG8=\"", NULL},
    {"\"data: see below\"", "\"data: see below\"", NULL},
    {"{\"url\":\"https://example.com/a.png\"}", "{\"url\":\"https://example.com/a.png\"}", NULL},
    /* A key is none of these. */
    {"{\"data:image/png;base64," PNG "\":1}", "{\"data:image/png;base64," PNG "\":1}", NULL},
    /* Sounds. */
    {"{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"aGVsbG8=\",\"format\":\"wav\"}}",
     "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"" HELLO_TOKEN("audio/wav") "\",\"format\":\"wav\"}}", NULL},
    {"{\"input_audio\" : { \"format\" : \"mp3\" , \"data\" : \"aGVsbG8=\" } }",
     "{\"input_audio\" : { \"format\" : \"mp3\" , \"data\" : \"" HELLO_TOKEN("audio/mp3") "\" } }", NULL},
    {"{\"input_audio\":{\"data\":\"aGVsbG8=\"}}", "{\"input_audio\":{\"data\":\"" HELLO_TOKEN("audio/wav") "\"}}", NULL},
    {"{\"audio\":{\"id\":\"a\",\"data\":\"aGVsbG8=\",\"transcript\":\"hi\"}}",
     "{\"audio\":{\"id\":\"a\",\"data\":\"" HELLO_TOKEN("audio/flac") "\",\"transcript\":\"hi\"}}", "audio/flac"},
    {"{\"audio\":{\"data\":\"UklGRgAAAABXQVZF\"}}", "{\"audio\":{\"data\":\"" TOKEN("audio/wav", "Vt3yC66UaTomcyp2KdEQlX") "\"}}",
     NULL},
    {"{\"data\":\"aGVsbG8=\",\"format\":\"pcm16\"}",
     "{\"data\":\"" HELLO_TOKEN("application/octet-stream") "\",\"format\":\"pcm16\"}", NULL},
    {"{\"data\":\"aGVsbG8=\",\"format\":\"csv\"}", "{\"data\":\"aGVsbG8=\",\"format\":\"csv\"}", NULL},
    /* Anthropic. */
    {"{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"" PNG "\"}}",
     "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"" PNG_TOKEN "\"}}", NULL},
    {"{\"content\":[{\"type\":\"tool_result\",\"content\":[{\"source\":{\"data\":\"aGVsbG8=\",\"media_type\":\"image\\/gif\"}}]}]}",
     "{\"content\":[{\"type\":\"tool_result\",\"content\":[{\"source\":{\"data\":\"" HELLO_TOKEN(
         "image/gif") "\",\"media_type\":\"image\\/gif\"}}]}]}",
     NULL},
    {"{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"text\"}",
     "{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"text\"}", NULL},
    {"{\"type\":\"redacted_thinking\",\"data\":\"aGVsbG8=\"}", "{\"type\":\"redacted_thinking\",\"data\":\"aGVsbG8=\"}", NULL},
    /* Gemini. */
    {"{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"" PNG "\"}}",
     "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"" PNG_TOKEN "\"}}", NULL},
    {"{\"inline_data\":{\"d\\u0061ta\":\"" PNG "\",\"mime_type\":\"image/png\"}}",
     "{\"inline_data\":{\"d\\u0061ta\":\"" PNG_TOKEN "\",\"mime_type\":\"image/png\"}}", NULL},
    {"{\"mimeType\":\"no type\",\"data\":\"text\"}", "{\"mimeType\":\"no type\",\"data\":\"text\"}", NULL},
    {"{\"mimeType\":5,\"data\":\"text\"}", "{\"mimeType\":5,\"data\":\"text\"}", NULL},
    /* Files. */
    {"{\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"aGVsbG8=\"}}",
     "{\"file\":{\"filename\":\"a.pdf\",\"file_data\":\"" HELLO_TOKEN("application/pdf") "\"}}", NULL},
    {"{\"file_data\":\"" PDF "\"}", "{\"file_data\":\"" PDF_TOKEN "\"}", NULL},
    {"{\"file_data\":\"aGVsbG8=\"}", "{\"file_data\":\"" HELLO_TOKEN("application/octet-stream") "\"}", NULL},
    {"{\"file_data\":\"data:application/pdf;base64," PDF "\"}", "{\"file_data\":\"" PDF_TOKEN "\"}", NULL},
    /* Results of image models. */
    {"{\"data\":[{\"b64_json\":\"" PNG "\",\"revised_prompt\":\"a\"}]}",
     "{\"data\":[{\"b64_json\":\"" PNG_TOKEN "\",\"revised_prompt\":\"a\"}]}", NULL},
    {"{\"b64_json\":\"aGVsbG8=\"}", "{\"b64_json\":\"" HELLO_TOKEN("image/webp") "\"}", "image/webp"},
    {"{\"b64_json\":null}", "{\"b64_json\":null}", NULL},
    {"{\"type\":\"image_generation_call\",\"result\":\"aGVsbG8=\",\"output_format\":\"jpeg\"}",
     "{\"type\":\"image_generation_call\",\"result\":\"" HELLO_TOKEN("image/jpeg") "\",\"output_format\":\"jpeg\"}", NULL},
    {"{\"type\":\"mcp_call\",\"result\":\"aGVsbG8=\"}", "{\"type\":\"mcp_call\",\"result\":\"aGVsbG8=\"}", NULL},
    /* Ollama and llama.cpp, which say no type. */
    {"{\"images\":[\"" PNG "\",\"aGVsbG8=\",\"photo1\",\"img1\"]}",
     "{\"images\":[\"" PNG_TOKEN "\",\"" HELLO_TOKEN("application/octet-stream") "\",\"photo1\",\"img1\"]}", NULL},
    {"{\"prompt\":{\"prompt_string\":\"a\",\"multimodal_data\":[\"" PDF "\"]}}",
     "{\"prompt\":{\"prompt_string\":\"a\",\"multimodal_data\":[\"" PDF_TOKEN "\"]}}", NULL},
    {"{\"names\":[\"" PNG "\"],\"data\":\"" PNG "\"}", "{\"names\":[\"" PNG "\"],\"data\":\"" PNG "\"}", NULL},
};

static void replaces_the_data_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(replaced(rows[i].json, rows[i].media_type), rows[i].expected);
}

static void pieces_with_padding_are_one_medium(void **state)
{
    (void)state;
    char whole[256];
    snprintf(whole, sizeof whole, "%s", replaced("{\"input_audio\":{\"data\":\"aGVsbG8=\"}}", NULL));
    assert_string_equal(replaced("{\"input_audio\":{\"data\":\"aA==ZWw=bG8=\"}}", NULL), whole);
    assert_string_equal(replaced("{\"input_audio\":{\"data\":\"aA=ZWw=bG8=\"}}", NULL),
                        "{\"input_audio\":{\"data\":\"aA=ZWw=bG8=\"}}");
}

/* `count` times the base64 of the bytes 0 to 47, between two texts. */
static char *long_text(const char *before, size_t count, const char *after)
{
    static const char line[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v";
    lf__buf buf;
    lf__buf_init(&buf, 1 << 22);
    lf__buf_add_text(&buf, before);
    for (size_t i = 0; i < count; i++)
        lf__buf_add_text(&buf, line);
    lf__buf_add_text(&buf, after);
    assert_true(lf__buf_add_char(&buf, '\0'));
    char *text = strdup(buf.data);
    assert_non_null(text);
    lf__buf_done(&buf);
    return text;
}

static void long_base64_lies_in_no_text(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        size_t count;
        const char *after, *expected;
    } texts[] = {
        /* 64 characters each time. */
        {"\"", 16, "\"", NULL},
        {"\"", 17, "\"", "\"<base64, 1088 bytes>\""},
        {"\"\\n", 17, " x\"", "\"\\n<base64, 1088 bytes> x\""},
        {"\"\\\\", 17, "\\\"\"", "\"\\\\<base64, 1088 bytes>\\\"\""},
        {"\"\\u00e9", 17, "\\u00e9\"", "\"\\u00e9<base64, 1088 bytes>\\u00e9\""},
        {"\"\\/", 17, "\\u002B\"", "\"<base64, 1096 bytes>\""},
        {"{\"a\":\"", 17, "\"}", "{\"a\":\"<base64, 1088 bytes>\"}"},
        /* A data URI in the middle of a text, as in the arguments of a tool. */
        {"\"{\\\"image\\\":\\\"data:image/png;base64,", 1, "\\\"}\"", "\"{\\\"image\\\":\\\"@@@\\\"}\""},
        {"\"![x](data:image/png;base64,", 1, ") and\"", "\"![x](@@@) and\""},
        {"\"![x](data:image/png;base64,", 4, "A) and\"", "\"![x](data:image/png;base64,<base64, 257 bytes>) and\""},
        {"\"see data:image/png;base64,", 0, "aGVsbG8= and\"", NULL},
        /* Broken base64 where data is expected. */
        {"{\"b64_json\":\"", 4, "\"}", "{\"b64_json\":\"@@@\"}"},
        {"{\"b64_json\":\"", 4, "A\"}", "{\"b64_json\":\"<base64, 257 bytes>\"}"},
        {"{\"b64_json\":\"", 3, "A\"}", NULL},
        {"{\"b64_json\":\"", 4, " words\"}", NULL},
        /* Signatures. */
        {"{\"signature\":\"", 5, "\"}", "{\"signature\":\"<base64, 320 bytes>\"}"},
        {"{\"thoughtSignature\":\"", 5, "\"}", "{\"thoughtSignature\":\"<base64, 320 bytes>\"}"},
        {"{\"encrypted_content\":\"", 5, "=\"}", "{\"encrypted_content\":\"<base64, 321 bytes>\"}"},
        {"{\"type\":\"redacted_thinking\",\"data\":\"", 5, "\"}",
         "{\"type\":\"redacted_thinking\",\"data\":\"<base64, 320 bytes>\"}"},
        {"{\"signature\":\"", 3, "\"}", NULL},
        {"{\"signature\":\"", 5, " words\"}", NULL},
        /* The first bytes tell it. */
        {"{\"data\":\"" PNG, 2, "\"}", "{\"data\":\"@@@\"}"},
        {"{\"data\":\"", 2, "\"}", NULL},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = long_text(texts[i].before, texts[i].count, texts[i].after);
        const char *got = replaced(text, NULL), *expected = texts[i].expected == NULL ? text : texts[i].expected;
        const char *token = strstr(expected, "@@@");
        if (token == NULL) {
            assert_string_equal(got, expected);
        } else {
            size_t head = (size_t)(token - expected);
            assert_memory_equal(got, expected, head);
            assert_memory_equal(got + head, "@@@langfuseMedia:type=", 22);
            const char *end = strstr(got + head + 3, "@@@");
            assert_non_null(end);
            assert_string_equal(end, token);
        }
        free(text);
    }
}

static void lines_and_numbers_are_no_base64(void **state)
{
    (void)state;
    char json[3000];
    for (const char *c = "-=a0/_A"; *c != '\0'; c++) {
        memset(json, *c, sizeof json);
        json[0] = json[sizeof json - 2] = '"';
        json[sizeof json - 1] = '\0';
        assert_string_equal(replaced(json, NULL), json);
    }
}

/* However it is nested, and whatever stands around. */
static void deep_nesting_is_walked(void **state)
{
    (void)state;
    for (size_t depth = 1; depth <= 512; depth += depth < 40 ? 1 : 59) {
        lf__buf json;
        lf__buf_init(&json, 1 << 20);
        for (size_t i = 1; i < depth; i++)
            lf__buf_add_text(&json, i % 2 == 0 ? "[" : "{\"a\":");
        lf__buf_add_text(&json, "{\"mimeType\":\"image/png\",\"data\":\"" PNG "\"}");
        for (size_t i = depth - 1; i > 0; i--)
            lf__buf_add_text(&json, i % 2 == 0 ? "]" : "}");
        assert_true(lf__buf_add_char(&json, '\0'));
        assert_int_equal(strstr(replaced(json.data, NULL), PNG_TOKEN) != NULL, depth <= 32);
        lf__buf_done(&json);
    }
}

static void each_size_of_data_has_its_own_hash(void **state)
{
    (void)state;
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[1600];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t size = 1; size <= sizeof bytes; size += size < 100 ? 1 : 97) {
        char json[2500] = "{\"mimeType\":\"image/png\",\"data\":\"", expected[200];
        size_t length = strlen(json);
        for (size_t i = 0; i < size; i += 3) {
            uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)(i + 1 < size ? bytes[i + 1] : 0) << 8 |
                            (i + 2 < size ? bytes[i + 2] : 0);
            for (unsigned k = 0; k < 4; k++)
                json[length++] = i + k > size ? '=' : letters[bits >> (18 - 6 * k) & 63];
        }
        memcpy(json + length, "\"}", 3);
        lf__buf token;
        lf__buf_over(&token, expected, sizeof expected);
        lf__buf_add_text(&token, "{\"mimeType\":\"image/png\",\"data\":\"");
        lf__media_add_token(&token, "image/png", bytes, size, "base64_data_uri");
        assert_true(lf__buf_add(&token, "\"}", 3));
        assert_string_equal(replaced(json, NULL), expected);
    }
}

static void a_token_says_type_id_and_source(void **state)
{
    (void)state;
    lf__buf_clear(&out);
    assert_true(lf__media_add_token(&out, "text/plain", "hello", 5, "bytes"));
    assert_true(lf__buf_add_char(&out, ' '));
    assert_true(lf__media_add_token(&out, NULL, "%PDF-1.7\n", 9, "file"));
    assert_true(lf__buf_add_char(&out, ' '));
    assert_true(lf__media_add_token(&out, "no|type", "", 0, "bytes"));
    assert_true(lf__buf_add_char(&out, '\0'));
    assert_string_equal(out.data, "@@@langfuseMedia:type=text/plain|id=LPJNul-wow4m6Dsqxbninh|source=bytes@@@ "
                                  "@@@langfuseMedia:type=application/pdf|id=Bxb5Jkyf4Z9ddFUnYQfz3c|source=file@@@ "
                                  "@@@langfuseMedia:type=application/octet-stream|id=47DEQpj8HBSa-_TImW-5JC|source=bytes@@@");
}

static void first_bytes_tell_the_type(void **state)
{
    (void)state;
    static const struct {
        lf__text bytes;
        const char *type;
    } files[] = {
        {LF__TEXT("\x89PNG\r\n\x1a\n"), "image/png"},
        {LF__TEXT("\xFF\xD8\xFF\xE0"), "image/jpeg"},
        {LF__TEXT("GIF89a.."), "image/gif"},
        {LF__TEXT("RIFF1234WEBPVP8 "), "image/webp"},
        {LF__TEXT("RIFF1234WAVEfmt "), "audio/wav"},
        {LF__TEXT("ABCD1234WAVEfmt "), "application/octet-stream"},
        {LF__TEXT("%PDF-1.4"), "application/pdf"},
        {LF__TEXT("ID3\4"), "audio/mpeg"},
        {LF__TEXT("fLaC"), "audio/flac"},
        {LF__TEXT("OggS"), "audio/ogg"},
        {LF__TEXT("\0\0\0\x18"
                  "ftypmp42"),
         "video/mp4"},
        {LF__TEXT("\0\0\0\x18"
                  "ftypheic"),
         "image/heic"},
        {LF__TEXT("\0\0\0\x18"
                  "ftypM4A "),
         "audio/mp4"},
        {LF__TEXT("\x1A\x45\xDF\xA3"), "video/webm"},
        {LF__TEXT("hello"), "application/octet-stream"},
        {LF__TEXT("\x89PN"), "application/octet-stream"},
        {LF__TEXT(""), "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        assert_string_equal(lf__media_sniff(files[i].bytes.at, files[i].bytes.size), files[i].type);
}

static void formats_have_types(void **state)
{
    (void)state;
    static const char *const formats[][3] = {
        {"audio", "wav", "audio/wav"},
        {"audio", "mp3", "audio/mp3"},
        {"audio", "pcm16", "application/octet-stream"},
        {"image", "png", "image/png"},
        {"image", "jpg", "image/jpeg"},
        {"image", "a b", ""},
        {"image", "", ""},
        {"image", "a/b", ""},
        {"image", "an-image-format-whose-name-is-long", ""},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char type[32] = "x";
        lf__media_type_of(type, sizeof type, formats[i][0], lf__text_of(formats[i][1]));
        assert_string_equal(type, formats[i][2]);
    }
}

static void what_does_not_fit_is_not_added(void **state)
{
    (void)state;
    static const char json[] = "[\"data:image/png;base64," PNG "\",\"data:image/png;base64," PNG "\"]";
    lf__buf_clear(&out);
    assert_true(lf__media_add_json(&out, lf__text_of(json), NULL));
    size_t whole = out.length;
    for (size_t room = 0; room <= whole; room++) {
        char *memory = malloc(room + 1);
        lf__buf small;
        assert_non_null(memory);
        lf__buf_over(&small, memory, room);
        assert_int_equal(lf__media_add_json(&small, lf__text_of(json), NULL), room == whole);
        assert_int_equal(small.length, room == whole ? whole : 0);
        free(memory);
    }
    lf__buf_clear(&out);
    assert_true(lf__media_add_json(&out, (lf__text){NULL, 0}, NULL));
    assert_int_equal(out.length, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replaces_the_data_and_nothing_else),
        TEST(pieces_with_padding_are_one_medium),
        TEST(long_base64_lies_in_no_text),
        TEST(lines_and_numbers_are_no_base64),
        TEST(deep_nesting_is_walked),
        TEST(each_size_of_data_has_its_own_hash),
        TEST(a_token_says_type_id_and_source),
        TEST(first_bytes_tell_the_type),
        TEST(formats_have_types),
        TEST(what_does_not_fit_is_not_added),
    };
    return cmocka_run_group_tests_name("model_media", tests, NULL, NULL);
}
