/* Templates of prompts: what Langfuse's Python SDK makes of the same text and variables, whatever kind of object the variables
 * come in, and what its LangChain conversion should make of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checkers.h"
#include "template_reference.h"

#include "../../observe.h"
#include "../../src/base/json.h"
#include "../../src/ask/template.h"
#include "../../src/base/value.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static lf__buf out, wanted;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 26);
    lf__buf_init(&wanted, 1 << 26);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__alloc_fail_from(0);
    lf__buf_done(&out);
    lf__buf_done(&wanted);
    return 0;
}

static const char *text_of(lf__buf *buf)
{
    assert_true(lf__buf_add_char(buf, '\0'));
    buf->length--;
    return buf->data;
}

/* In a block of its own size, so that a checker sees reading past it. */
static char *exact_copy(const char *text, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, text, size);
    return copy;
}

static const char *render(const char *text, const lf_value *variables)
{
    size_t size = strlen(text);
    char *copy = exact_copy(text, size);
    lf__template t;
    lf__buf_clear(&out);
    assert_true(lf__template_parse(&t, copy, size));
    assert_true(lf__template_render(&out, &t, variables));
    lf__template_free(&t);
    free(copy);
    return text_of(&out);
}

static const char *written(lf_value value)
{
    lf__buf_clear(&out);
    assert_true(lf__value_python(&out, &value));
    return text_of(&out);
}

static void assert_buffers_equal(const char *what, size_t what_size)
{
    if (out.length != wanted.length || (out.length > 0 && memcmp(out.data, wanted.data, out.length) != 0))
        fail_msg("of \"%.*s\" came \"%s\", not \"%s\"", (int)what_size, what, text_of(&out), text_of(&wanted));
}

/* ---- What a template means ---- */

static const struct {
    const char *text, *variables, *result;
} rows[] = {
    {"Hi {{ name }}!", "{\"name\":\"A\"}", "Hi A!"},
    {"{{a}}{{b}}", "{\"a\":1}", "1{{b}}"},
    {"{{a}} {{  b }}", "{\"a\":1}", "1 {{  b }}"},
    {"{{a}}", "{\"a\":null}", ""},
    {"{{a}}", "{\"a\":true}", "True"},
    {"{{a}}", "{\"a\":false}", "False"},
    {"{{a}}", "{\"a\":[1,\"x\"]}", "[1, 'x']"},
    {"{{a}}", "{\"a\":{\"b\":null}}", "{'b': None}"},
    {"{{a}}", "{\"a\":1e20}", "1e+20"},
    {"{{ }}", "{\"\":\"E\"}", "E"},
    {"{{}}", "{\"\":\"E\"}", "E"},
    {"{{}}}", "{\"\":\"E\"}", "E}"},
    {"{{a", "{\"a\":1}", "{{a"},
    {"{{a}", "{\"a\":1}", "{{a}"},
    {"{a}}", "{\"a\":1}", "{a}}"},
    {"}} {{a}}", "{\"a\":1}", "}} 1"},
    {"}}", "{\"a\":1}", "}}"},
    {"", "{\"a\":1}", ""},
    {"{{{a}}}", "{\"{a\":\"Z\"}", "Z}"},
    {"{{{a}}}", "{\"a\":1}", "{{{a}}}"},
    {"{{a b}}", "{\"a b\":1}", "1"},
    {"{{a-b}}", "{\"a-b\":1}", "1"},
    {"{{\xC3\xA4}}", "{\"\xC3\xA4\":1}", "1"},
    {"{{\xC3\xA4}}", "{\"\\u00e4\":1}", "1"},
    {"{{a\"b\\c}}", "{\"a\\\"b\\\\c\":1}", "1"},
    {"{{a}}", "{\"a\":\"{{b}}\",\"b\":1}", "{{b}}"},
    {"{{ {{b}} }}", "{\"{{b\":\"W\"}", "W }}"},
    {"{{ {{b}} }}", "{\"b\":1}", "{{ {{b}} }}"},
    {"{{a}}", "{}", "{{a}}"},
    {" {{a}} ", " { } ", " {{a}} "},
    {"{{a}} + {{a}} = {{b}}", "{\"a\":1,\"b\":2}", "1 + 1 = 2"},
    {"{{a}} + {{a}}", "{\"a\":1,\"b\":2}", "1 + 1"},
    {"{{a}} + {a} = {{b}", "{\"a\":1,\"b\":2}", "1 + {a} = {{b}"},
    {"{{Name}} != {{name}}", "{\"Name\":\"John\",\"name\":\"john\"}", "John != john"},
    {"Hello, {{name! Your balance is $100.", "{\"name\":\"John\"}", "Hello, {{name! Your balance is $100."},
    {"Hello, {{name}}! $100}}", "{\"name\":\"John\"}", "Hello, John! $100}}"},
    {"Hello, {{\t\r\n   name }}!", "{\"name\":\"John\"}", "Hello, John!"},
    {"Hello, {{name}}!", "{\"name\":\"\"}", "Hello, !"},
    {"{{symbol}}.", "{\"symbol\":\"@$%^&*\"}", "@$%^&*."},
    {"{{some_json}}", "{\"some_json\":\"{\\n  \\\"id\\\": [1, {}]\\n}\"}", "{\n  \"id\": [1, {}]\n}"},
    {"{{a}} + {{\n  \"k\": \"v\",\n  }}", "{\"a\":1,\"k\":2}", "1 + {{\n  \"k\": \"v\",\n  }}"},
    {"{{a}}", "{\"a\":1,\"a\":2}", "2"},
    {"{{a}}", "{\"\\u0061\":1,\"a\":2,\"\\u0061\":3}", "3"},
    {"{{a}}", "{\"a\":1,\"a\":null}", ""},
    {"{{a}}", "{\"b\":{\"a\":1}}", "{{a}}"},
};

/* The same variables as JSON text, as a tree, as an object of trees and as an object of JSON texts. */
static void each_row_says_the_same_for_every_kind_of_object(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        lf_value json = lf_jsonn(exact_copy(rows[i].variables, strlen(rows[i].variables)), strlen(rows[i].variables));
        assert_string_equal(render(rows[i].text, &json), rows[i].result);
        free((void *)(uintptr_t)json.as.p);

        cJSON *tree = cJSON_Parse(rows[i].variables);
        assert_non_null(tree);
        lf_value value = LF_VALUE(tree);
        assert_string_equal(render(rows[i].text, &value), rows[i].result);

        lf_member trees[8], texts[8];
        char *printed[8];
        size_t count = 0;
        for (const cJSON *child = tree->child; child != NULL; child = child->next, count++) {
            printed[count] = cJSON_PrintUnformatted(child);
            trees[count] = (lf_member){child->string, LF_VALUE(child)};
            texts[count] = (lf_member){child->string, lf_json(printed[count])};
        }
        value = lf_i_make_pointer(LF_KIND_OBJECT, trees, count);
        assert_string_equal(render(rows[i].text, &value), rows[i].result);
        value = lf_i_make_pointer(LF_KIND_OBJECT, texts, count);
        assert_string_equal(render(rows[i].text, &value), rows[i].result);
        while (count > 0)
            cJSON_free(printed[--count]);
        cJSON_Delete(tree);
    }
}

static void members_of_an_object_are_values_of_any_kind(void **state)
{
    (void)state;
    lf_value variables = LF_OBJECT("name", "Ada", "n", 3, "x", 0.1f, "yes", (bool)true);
    assert_string_equal(render("{{name}} {{ n }} {{x}} {{yes}} {{ no }}", &variables), "Ada 3 0.1 True {{ no }}");
    variables = LF_OBJECT("a", lf_secret("key"), "b", LF_ARRAY(1, "two"), "c", lf_strn("x\0y", 3));
    render("{{a}}{{b}}{{c}}", &variables);
    assert_int_equal(out.length, strlen("<secret>[1, 'two']xxx"));
    assert_memory_equal(out.data, "<secret>[1, 'two']x\0y", out.length);
}

static void an_unset_member_and_one_without_a_name_are_not_there(void **state)
{
    (void)state;
    lf_member members[] = {
        {"a", lf_int(1)}, {"a", lf_i_make(LF_KIND_UNSET, 0)}, {NULL, lf_int(2)}, {"b", lf_i_make(LF_KIND_UNSET, 0)},
        {"", lf_int(3)},
    };
    lf_value variables = lf_i_make_pointer(LF_KIND_OBJECT, members, COUNT(members));
    assert_string_equal(render("{{a}}{{b}}{{}}", &variables), "1{{b}}3");
    variables = lf_i_make_pointer(LF_KIND_OBJECT, NULL, 0);
    assert_string_equal(render("{{a}}", &variables), "{{a}}");
}

static void what_is_no_object_leaves_the_text_unchanged(void **state)
{
    (void)state;
    cJSON *list = cJSON_Parse("[{\"a\":1}]");
    lf_value none[] = {
        lf_i_make(LF_KIND_UNSET, 0),
        lf_null(),
        lf_int(1),
        lf_text("a"),
        lf_text("{\"a\":1}"),
        lf_json("[{\"a\":1}]"),
        lf_json("\"a\""),
        lf_json("{\"a\":1"),
        lf_json("{\"a\":1}}"),
        lf_json(""),
        lf_json(NULL),
        lf_jsonn("{\"a\":1}", 6),
        lf_jsonn("", 0),
        lf_jsonn(" \0{", 3),
        LF_ARRAY("a", 1),
        LF_VALUE(list),
        lf_i_make_pointer(LF_KIND_CJSON, NULL, 0),
        lf_secret(1),
        lf_pointer(&list),
    };
    assert_string_equal(render("{{a}}{{ b", NULL), "{{a}}{{ b");
    for (size_t i = 0; i < COUNT(none); i++) {
        lf_value value;
        assert_string_equal(render("{{a}}{{ b", &none[i]), "{{a}}{{ b");
        assert_false(lf__template_find(&none[i], "a", 1, &value));
    }
    cJSON_Delete(list);
}

static void every_blank_that_python_strips_is_stripped_and_no_other(void **state)
{
    (void)state;
    lf_value variables = LF_OBJECT("a", 1);
    char text[64];
    for (size_t i = 0; i < REFERENCE_BLANKS; i++) {
        const char *blank = reference_blanks[i];
        snprintf(text, sizeof text, "{{%sa%s}}", blank, blank);
        assert_string_equal(render(text, &variables), "1");
        snprintf(text, sizeof text, "{{ %s%s \n a}}", blank, blank);
        assert_string_equal(render(text, &variables), "1");
        snprintf(text, sizeof text, "{{a%sa}}", blank);
        assert_string_equal(render(text, &variables), text);
    }
    /* A zero-width space, a byte order mark, the neighbours of blanks, halves of blanks. */
    static const char *const others[] = {"\xE2\x80\x8B", "\xEF\xBB\xBF", "\xE2\x80\x8C", "\xC2\x84",     "\xC2\x86", "\xC2\xA1",
                                         "\x1B",         "\x7F",         "\x08",         "\xE1\xA0\x8E", "\xC2",     "\xA0",
                                         "\x85",         "\x80\x80",     "\xE2\x80",     "\xE3\x80",     "\x9A\x80"};
    for (size_t i = 0; i < COUNT(others); i++) {
        snprintf(text, sizeof text, "{{%sa}}{{a%s}}", others[i], others[i]);
        assert_string_equal(render(text, &variables), text);
    }
    /* What looks like the beginning of a longer character and is not. */
    assert_string_equal(render("{{\xC2 a \xE2\x80}}", &variables), "{{\xC2 a \xE2\x80}}");
}

static void nul_is_data(void **state)
{
    (void)state;
    static const char text[] = "\0{{a\0b}}\0{{a}}";
    static const char result[] = "\0"
                                 "2\0{{a}}";
    lf_value variables = lf_json("{\"a\\u0000b\":2}");
    lf__template t;
    assert_true(lf__template_parse(&t, text, sizeof text - 1));
    assert_true(lf__template_render(&out, &t, &variables));
    lf__template_free(&t);
    assert_int_equal(out.length, sizeof result - 1);
    assert_memory_equal(out.data, result, sizeof result - 1);
}

static void names_come_in_order_and_as_often_as_they_stand_there(void **state)
{
    (void)state;
    static const char text[] = "{{b}} x {{ a }}{{b}}{{}} {{{c}}} {{d";
    static const char *const names[] = {"b", "a", "b", "", "{c"};
    lf__template t;
    const char *name = NULL;
    size_t at = 0, size = 0;
    assert_true(lf__template_parse(&t, text, strlen(text)));
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(lf__template_names(&t, &at, &name, &size));
        assert_int_equal(size, strlen(names[i]));
        assert_memory_equal(name, names[i], size);
    }
    assert_false(lf__template_names(&t, &at, &name, &size));
    assert_false(lf__template_names(&t, &at, &name, &size));
    lf__template_free(&t);
    lf__template_free(&t); /* twice is fine */
    at = 0;
    assert_true(lf__template_parse(&t, NULL, 0));
    assert_false(lf__template_names(&t, &at, &name, &size));
    assert_true(lf__template_render(&out, &t, NULL));
    assert_int_equal(out.length, 0);
    lf__template_free(&t);
}

static void a_value_is_found_by_its_name(void **state)
{
    (void)state;
    lf_value value, variables = LF_OBJECT("a", 1, "b", "x", "a", 2);
    assert_true(lf__template_find(&variables, "a", 1, &value));
    assert_string_equal(written(value), "2");
    assert_true(lf__template_find(&variables, "b", 1, &value));
    assert_string_equal(written(value), "x");
    assert_false(lf__template_find(&variables, "ab", 2, &value));
    variables = lf_json("{\"a\\n\":[1],\"\":{}}");
    assert_true(lf__template_find(&variables, "a\n", 2, &value));
    assert_string_equal(written(value), "[1]");
    assert_true(lf__template_find(&variables, "", 0, &value));
    assert_string_equal(written(value), "{}");
    assert_false(lf__template_find(&variables, "a", 1, &value));
}

/* More names than are kept on the stack, in an order that no sort leaves alone. */
static void many_names_are_filled_in(void **state)
{
    (void)state;
    enum { NAMES = 1000 };
    lf__buf text, json;
    lf__buf_init(&text, 1 << 20);
    lf__buf_init(&json, 1 << 20);
    lf__buf_add_char(&json, '{');
    for (unsigned i = 0; i < NAMES; i++) {
        char part[96];
        unsigned n = i * 377 % NAMES;
        snprintf(part, sizeof part, "{{ name%u }}{{none%u}}{{name%u}};", n, n, n);
        lf__buf_add_text(&text, part);
        snprintf(part, sizeof part, "%u{{none%u}}%u;", n, n, n);
        lf__buf_add_text(&wanted, part);
        snprintf(part, sizeof part, "%s\"name%u\":%u", i == 0 ? "" : ",", i, i);
        lf__buf_add_text(&json, part);
    }
    lf__buf_add_char(&json, '}');
    lf_value variables = lf_jsonn(json.data, json.length);
    render(text_of(&text), &variables);
    assert_buffers_equal("many names", strlen("many names"));
    lf__buf_done(&text);
    lf__buf_done(&json);
}

/* Millions of bytes that make a careless scanner start over at each of them: it would not be done within the time limit of
 * a test program. */
static void no_text_takes_more_than_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {"{",    "}",     "{{",   "{{ ",  "{ {",         "} }",   "{{}",
                                        "{{}}", "{{a}}", "{{{}", "}}{{", " {{\xC3\xA4", "{{ a }"};
    lf_value variables = LF_OBJECT("a", 1);
    const size_t size = (size_t)rounds(16 << 20);
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(units); i++) {
        for (size_t at = 0; at < size; at++)
            text[at] = units[i][at % strlen(units[i])];
        lf__template t;
        lf__buf_clear(&out);
        assert_true(lf__template_parse(&t, text, size));
        assert_true(lf__template_render(&out, &t, &variables));
        lf__template_free(&t);
        lf__buf_clear(&out);
        assert_true(lf__template_single_braces(&out, text, size));
    }
    /* One variable of blanks only. */
    memset(text, ' ', size);
    memcpy(text, "{{", 2);
    memcpy(text + size - 2, "}}", 2);
    lf__template t;
    assert_true(lf__template_parse(&t, text, size));
    assert_int_equal(t.count, 1);
    assert_int_equal(t.parts[0].name_size, 0);
    lf__template_free(&t);
    free(text);
}

/* ---- Single braces ---- */

static const char *single(const char *text)
{
    char *copy = exact_copy(text, strlen(text));
    lf__buf_clear(&out);
    assert_true(lf__template_single_braces(&out, copy, strlen(text)));
    free(copy);
    return text_of(&out);
}

static void words_lose_a_brace_and_single_ones_are_doubled(void **state)
{
    (void)state;
    static const struct {
        const char *text, *result;
    } texts[] = {
        {"", ""},
        {"Hi {{ name }}!", "Hi {name}!"},
        {"{{a}}{{ _b9 }}{{\n\xC3\xA4}}", "{a}{_b9}{\xC3\xA4}"},
        {"{\"a\": {\"b\": 1}}", "{{\"a\": {{\"b\": 1}}}}"},
        {"{\"a\": {\"b\": {{x}}}}", "{{\"a\": {{\"b\": {x}}}}}"},
        {"{\"a\": {{x}}, \"e\": {}, \"f\": [{}]}", "{{\"a\": {x}, \"e\": {{}}, \"f\": [{{}}]}}"},
        {"{\n  'k': '{{v}}'\n}", "{{\n  'k': '{v}'\n}}"},
        {"{x}", "{x}"},
        {"{{a.b}}", "{{a.b}}"},
        {"{{a b}} {{a-b}} {{a[0]}} {{a!r}} {{a:>3}} {{}}", "{{a b}} {{a-b}} {{a[0]}} {{a!r}} {{a:>3}} {{}}"},
        {"{a b} {a-b} {a[0]} {a!r} {a:>3} {} { a }", "{{a b}} {{a-b}} {{a[0]}} {{a!r}} {{a:>3}} {{}} {{ a }}"},
        {"{\"user\": {user}, \"x\": {{x}}}", "{{\"user\": {user}, \"x\": {x}}}"},
        {"{{\"a\": {{\"b\": {c}}}}}", "{{\"a\": {{\"b\": {c}}}}}"},
        {"{\"a\":{\"b\":{\"c\":1}}}", "{{\"a\":{{\"b\":{{\"c\":1}}}}}}"},
        {"{{\"k\": 1}}", "{{\"k\": 1}}"},
        {"{{{a}}}", "{{{a}}}"},
        {"{{a}}}", "{a}}}"},
        {"{{a", "{{a"},
        {"}} {{a}} {", "}} {a} {{"},
        {"{{a\xC2\xA0"
         "b}} {{\xC2\xA0"
         "b\xE2\x80\x83}}",
         "{{a\xC2\xA0"
         "b}} {b}"},
        {"{{ {{b}} }}", "{{ {b} }}"},
        {"{{0}}", "{0}"},
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_string_equal(single(texts[i].text), texts[i].result);
}

/* A library that formats without an opinion of ours: snprintf's "%s" is all it takes once braces are single. */
static void json_around_variables_survives_formatting(void **state)
{
    (void)state;
    static const char text[] =
        "This is a {{animal}}.\n{\n  \"metadata\": {\"context\": \"{{context}}\", \"nested\": {\"d\": {\"e\": 0}}},"
        "\n  \"list\": [{}, {\"q\": 'it''s \\\"{ quoted }\\\"'}]}\n{{ footer }}";
    static const char result[] =
        "This is a <animal>.\n{\n  \"metadata\": {\"context\": \"<context>\", \"nested\": {\"d\": {\"e\": 0}}},"
        "\n  \"list\": [{}, {\"q\": 'it''s \\\"{ quoted }\\\"'}]}\n<footer>";
    single(text);
    assert_true(reference_format(&wanted, out.data, out.length));
    assert_string_equal(text_of(&wanted), result);
}

/* ---- Against the reference ---- */

enum { TEMPLATES = 200000, TEXT_MAX = 40, ENTRIES_MAX = 6 };

static uint64_t random_state = 20240607;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % n);
}

static size_t random_text(char *text)
{
    static const char *const letters[] = {"{", "{{", "}", "}}", " ", "a", "b", "\n", "\xC3\xA4", "\xC2\xA0"};
    size_t size = 0;
    for (unsigned left = random_below(TEXT_MAX / 2 + 1); left > 0; left--) {
        const char *letter = letters[random_below(COUNT(letters))];
        memcpy(text + size, letter, strlen(letter));
        size += strlen(letter);
    }
    return size;
}

static size_t random_entries(reference_entry *entries, lf_member *members)
{
    static const char *const names[] = {"a", "b", "ab", "", "{a", "\xC3\xA4", "a b", "{", "a{", "{{a", "} a", "aa"};
    static const char *const values[] = {"1", "", "{{b}}", "}}", "{", "\xC3\xA4", "x}"};
    size_t count = random_below(ENTRIES_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        const char *name = names[random_below(COUNT(names))], *value = values[random_below(COUNT(values))];
        entries[i] = (reference_entry){name, strlen(name), value, strlen(value)};
        members[i] = (lf_member){name, lf_text(value)};
    }
    return count;
}

static void check_names(const lf__template *t)
{
    const char *name, *wanted_name;
    size_t at = 0, size, wanted_size, whole;
    for (size_t i = 0; i < t->size; i += whole) {
        whole = 1;
        if (!reference_tag(t->text + i, t->size - i, &wanted_name, &wanted_size, &whole))
            continue;
        assert_true(lf__template_names(t, &at, &name, &size));
        assert_true(size == wanted_size && (size == 0 || name == wanted_name));
    }
    assert_false(lf__template_names(t, &at, &name, &size));
}

static void random_templates_mean_what_the_reference_says(void **state)
{
    (void)state;
    int templates = rounds(TEMPLATES);
    int filled = 0, words = 0;
    for (int i = 0; i < templates; i++) {
        char text[TEXT_MAX];
        reference_entry entries[ENTRIES_MAX];
        lf_member members[ENTRIES_MAX];
        size_t size = random_text(text), count = random_entries(entries, members);
        lf_value variables = lf_i_make_pointer(LF_KIND_OBJECT, members, count);
        char *copy = exact_copy(text, size);
        lf__template t;
        assert_true(lf__template_parse(&t, copy, size));
        lf__buf_clear(&out);
        lf__buf_clear(&wanted);
        assert_true(lf__template_render(&out, &t, &variables));
        reference_compile(&wanted, copy, size, entries, count);
        assert_buffers_equal(text, size);
        filled += out.length != size || (size > 0 && memcmp(out.data, text, size) != 0);
        check_names(&t);
        lf__template_free(&t);

        /* Formatting what has single braces gives what the template gives. */
        lf__buf single_braces;
        lf__buf_init(&single_braces, 4 * TEXT_MAX);
        assert_true(lf__template_single_braces(&single_braces, copy, size));
        lf__buf_clear(&out);
        lf__buf_clear(&wanted);
        if (!reference_format(&out, single_braces.data, single_braces.length))
            fail_msg("\"%.*s\" became a template with an error", (int)size, text);
        if (reference_has_only_words(copy, size)) {
            reference_compile_words(&wanted, copy, size);
            assert_buffers_equal(text, size);
            words += out.length != size || (size > 0 && memcmp(out.data, text, size) != 0);
        }
        lf__buf_done(&single_braces);
        free(copy);
    }
    /* The comparison is worth something only if a fair part of the texts had variables with values. */
    assert_true(filled > templates / 50);
    assert_true(words > templates / 500);
}

/* ---- Failures ---- */

/* Everything that can allocate: parts, many names, a name and a text with escapes, a long number, the output. */
static bool everything(lf__buf *to)
{
    static const char json[] =
        "{\"a\\n0\":[\"x\\ny\", 1.00000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000]}";
    lf__template t;
    char text[1024];
    size_t size = 0;
    for (unsigned i = 0; i < 70; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "{{a\n%u}}", i);
    lf_value variables = lf_json(json);
    bool done = lf__template_parse(&t, text, size) && lf__template_render(to, &t, &variables);
    done = done && lf__template_single_braces(to, "{{{a}}{{b}}}", 12);
    lf__template_free(&t);
    return done;
}

static void without_memory_nothing_is_written(void **state)
{
    (void)state;
    unsigned long n = 1;
    for (;; n++) {
        lf__buf to;
        lf__buf_init(&to, 1 << 16);
        lf__alloc_fail_from(n);
        bool done = everything(&to);
        lf__alloc_fail_from(0);
        assert_int_equal(done, !to.failed && to.length > 0);
        lf__buf_done(&to);
        if (done)
            break;
    }
    assert_true(n > 6); /* each of the places above has failed once */
}

static void without_memory_a_value_is_not_found(void **state)
{
    (void)state;
    lf_value value, variables = lf_json("{\"a\":1,\"\\n\":2}");
    lf__alloc_fail_from(1);
    assert_false(lf__template_find(&variables, "a", 1, &value));
    lf__alloc_fail_from(0);
    assert_true(lf__template_find(&variables, "a", 1, &value));
}

/* The output has room; what is missing is memory to unescape a name. */
static void without_memory_nothing_is_left_out_in_silence(void **state)
{
    (void)state;
    lf_value variables = lf_json("{\"a\":1,\"\\u0062\":2}");
    char memory[64];
    lf__buf to;
    lf__template t;
    assert_true(lf__template_parse(&t, "{{a}}{{b}}", 10));
    lf__alloc_fail_from(1);
    lf__buf_over(&to, memory, sizeof memory);
    assert_false(lf__template_render(&to, &t, &variables));
    assert_int_equal(to.length, 0);
    lf__alloc_fail_from(0);
    lf__template_free(&t);
}

/* At every size of the output but the last: false, and what stood there before stays. */
static void without_room_the_output_is_as_before(void **state)
{
    (void)state;
    static const char text[] = "x{{a}}y{{b}}z{";
    lf_value variables = LF_OBJECT("a", LF_ARRAY("it's", 1.5, lf_null(), lf_json("{\"k\":[\"\\n\"]}")), "b", lf_strn("q\xFF", 2));
    lf__template t;
    assert_true(lf__template_parse(&t, text, strlen(text)));
    assert_true(lf__template_render(&wanted, &t, &variables));
    for (size_t room = 0; room <= wanted.length; room++) {
        char *memory = exact_copy(wanted.data, 3 + room);
        lf__buf to;
        lf__buf_over(&to, memory, 3 + room);
        lf__buf_add(&to, "abc", 3);
        bool fits = room == wanted.length;
        assert_int_equal(lf__template_render(&to, &t, &variables), fits);
        assert_int_equal(to.length, 3 + (fits ? wanted.length : 0));
        assert_memory_equal(to.data, "abc", 3);
        assert_memory_equal(to.data + 3, wanted.data, to.length - 3);
        free(memory);
    }
    lf__template_free(&t);

    char memory[16];
    for (size_t room = 0; room <= 8; room++) {
        lf__buf to;
        lf__buf_over(&to, memory, room);
        assert_int_equal(lf__template_single_braces(&to, "{{a}}{ }", 8), room == 8);
        assert_int_equal(to.length, room == 8 ? 8 : 0);
    }
}

static void what_cannot_be_an_object_is_none(void **state)
{
    (void)state;
    lf_value found, object = lf_i_make_pointer(LF_KIND_OBJECT, "", SIZE_MAX), json = lf_jsonn("{}", (size_t)-1);
    uint64_t refused = lf__refused;
    assert_false(lf__template_find(&object, "a", 1, &found));
    assert_false(lf__template_find(&json, "a", 1, &found));
    assert_int_equal(lf__refused, refused + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_row_says_the_same_for_every_kind_of_object),
        TEST(what_cannot_be_an_object_is_none),
        TEST(members_of_an_object_are_values_of_any_kind),
        TEST(an_unset_member_and_one_without_a_name_are_not_there),
        TEST(what_is_no_object_leaves_the_text_unchanged),
        TEST(every_blank_that_python_strips_is_stripped_and_no_other),
        TEST(nul_is_data),
        TEST(names_come_in_order_and_as_often_as_they_stand_there),
        TEST(a_value_is_found_by_its_name),
        TEST(many_names_are_filled_in),
        TEST(no_text_takes_more_than_linear_time),
        TEST(words_lose_a_brace_and_single_ones_are_doubled),
        TEST(json_around_variables_survives_formatting),
        TEST(random_templates_mean_what_the_reference_says),
        TEST(without_memory_nothing_is_written),
        TEST(without_memory_a_value_is_not_found),
        TEST(without_memory_nothing_is_left_out_in_silence),
        TEST(without_room_the_output_is_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
