/* Prompts: what is accepted and in which words it is refused, references and their limits, labels, and the storage of all that. */
#include "harness.h"

#include "../../server/store_prompts.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_json(const json *actual, const char *expected)
{
    buf out = {0};
    assert_non_null(actual);
    json_write(&out, actual);
    assert_text(buf_view(&out), expected);
    buf_free(&out);
}

/* ---- Checking ---- */

#define TYPE(path, expected, received)                                                                                             \
    "{\"expected\":\"" expected "\",\"code\":\"invalid_type\",\"path\":[" path "],\"message\":\"Invalid input: expected " expected \
    ", received " received "\"}"
#define PATTERN(path, pattern, message)                                                                                   \
    "{\"origin\":\"string\",\"code\":\"invalid_format\",\"format\":\"regex\",\"pattern\":\"" pattern "\",\"path\":[" path \
    "],\"message\":\"" message "\"}"
#define CUSTOM(path, message) "{\"code\":\"custom\",\"path\":[" path "],\"message\":\"" message "\"}"
#define ONLY(value)                                                                                                               \
    "{\"code\":\"invalid_value\",\"values\":[\"" value "\"],\"path\":[\"type\"],\"message\":\"Invalid input: expected \\\"" value \
    "\\\"\"}"
#define NEITHER(path, first, second) \
    "{\"code\":\"invalid_union\",\"errors\":[[" first "],[" second "]],\"path\":[" path "],\"message\":\"Invalid input\"}"
#define START PATTERN("\"name\"", "/^[^/]/", "Name cannot start with a slash")
#define MIDDLE PATTERN("\"name\"", "/^(?!.*\\\\/\\\\/)/", "Name cannot contain consecutive slashes")
#define END PATTERN("\"name\"", "/^.*[^/]$/", "Name cannot end with a slash")
#define TEXT_WITH(name) "{\"name\":\"" name "\",\"prompt\":\"x\"}"
#define CHAT_OF(item) "{\"name\":\"n\",\"type\":\"chat\",\"prompt\":[" item "]}"
#define NO_CHAT ONLY("chat") "," TYPE("\"prompt\"", "array", "string")
#define NO_TEXT(problem) NEITHER("", ONLY("text") "," TYPE("\"prompt\"", "string", "array"), problem)

static void bodies_are_checked(void **state)
{
    static const struct {
        const char *body, *issues;
    } cases[] = {
        {TEXT_WITH("n"), ""},
        {TEXT_WITH("a/b c/\xC3\xA4"), ""},
        {TEXT_WITH("metrics/of"), ""},
        {TEXT_WITH("1 < 2"), ""},
        {"{\"name\":\"n\",\"prompt\":\"\",\"type\":\"text\",\"labels\":[],\"tags\":null,\"config\":null,\"commitMessage\":null}",
         ""},
        {CHAT_OF(""), ""},
        {CHAT_OF("{\"role\":\"any\",\"content\":\"\"},{\"type\":\"placeholder\",\"name\":\"a_1\"}"), ""},
        {TEXT_WITH("/a//b/"), START "," MIDDLE "," END},
        {TEXT_WITH("  "), CUSTOM("\"name\"", "Name cannot be empty")},
        {TEXT_WITH("new"), CUSTOM("\"name\"", "Prompt name cannot be 'new'")},
        {TEXT_WITH(" prompt-detail"), CUSTOM("\"name\"", "Prompt name cannot be 'prompt-detail'")},
        {TEXT_WITH("a<b>c"), CUSTOM("\"name\"", "Text cannot contain HTML tags")},
        {"{\"name\":7,\"prompt\":\"x\"}",
         NEITHER("", TYPE("\"name\"", "string", "number"), TYPE("\"name\"", "string", "number") "," NO_CHAT)},
        {"{\"name\":\"n\",\"prompt\":\"x\",\"labels\":[\"\",\"a-._9\"]}",
         "{\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true,\"path\":[\"labels\",0],"
         "\"message\":\"Too small: expected string to have >=1 characters\"}," PATTERN(
             "\"labels\",0", "/^[a-z0-9_\\\\-.]+$/",
             "Label must be lowercase alphanumeric with optional underscores, hyphens, or periods")},
        {"{\"name\":\"n\",\"prompt\":\"x\",\"labels\":[\"123456789012345678901234567890123456\","
         "\"1234567890123456789012345678901234567\"]}",
         "{\"origin\":\"string\",\"code\":\"too_big\",\"maximum\":36,\"inclusive\":true,\"path\":[\"labels\",1],"
         "\"message\":\"Too big: expected string to have <=36 characters\"}"},
        {"{\"name\":\"n\",\"prompt\":\"x\",\"type\":null}", NEITHER("", ONLY("text"), NO_CHAT)},
        {"{\"name\":\"n\",\"prompt\":\"x\",\"tags\":[1]}",
         NEITHER("", TYPE("\"tags\",0", "string", "number"), NO_CHAT "," TYPE("\"tags\",0", "string", "number"))},
        {CHAT_OF("{\"role\":\"user\",\"content\":\"x\"},{\"type\":\"placeholder\",\"name\":\"\"}"),
         PATTERN("\"prompt\",1,\"name\"", "/^[a-zA-Z][a-zA-Z0-9_]*$/",
                 "Placeholder name must start with a letter and contain only alphanumeric characters and underscores")},
        {CHAT_OF("{\"role\":\"user\",\"content\":1}"),
         NO_TEXT(NEITHER("\"prompt\",0", TYPE("\"content\"", "string", "number"),
                         "{\"code\":\"invalid_value\",\"values\":[\"placeholder\"],\"path\":[\"type\"],"
                         "\"message\":\"Invalid input: expected \\\"placeholder\\\"\"}," TYPE("\"name\"", "string", "undefined")))},
        {CHAT_OF("5"), NO_TEXT(NEITHER("\"prompt\",0", TYPE("", "object", "number"), TYPE("", "object", "number")))},
        {"\"text\"", NEITHER("", TYPE("", "object", "string"), TYPE("", "object", "string"))},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        issues found = {0};
        prompt p;
        const json *body = json_parse(&a, text_of(cases[i].body));
        assert_non_null(body);
        prompt_check(&a, body, &found, &p);
        assert_false(found.list.failed || a.failed);
        assert_text(buf_view(&found.list), cases[i].issues);
        issues_free(&found);
        arena_free(&a);
    }
}

static void a_body_becomes_a_prompt(void **state)
{
    arena a = {0};
    issues found = {0};
    prompt p;
    (void)state;
    prompt_check(
        &a,
        json_parse(&a, TEXT("{\"name\":\" a/b \",\"type\":\"chat\",\"prompt\":[{\"content\":\"c\\n\",\"role\":\"r\",\"x\":1},"
                            "{\"name\":\"p\",\"type\":\"placeholder\"}],\"config\":[1],\"tags\":[\"t\",\"t\"]}")),
        &found, &p);
    assert_int_equal(found.count, 0);
    assert_text(p.name, "a/b");
    assert_text(p.type, "chat");
    assert_text(p.content, "[{\"role\":\"r\",\"content\":\"c\\n\"},{\"name\":\"p\",\"type\":\"placeholder\"}]");
    assert_text(p.config, "[1]");
    assert_json(p.tags, "[\"t\"]");
    assert_json(p.labels, "[]");
    assert_null(p.commit_message.at);
    prompt_check(&a, json_parse(&a, TEXT("{\"name\":\"n\",\"prompt\":\"\",\"commitMessage\":\"\"}")), &found, &p);
    assert_text(p.content, "\"\"");
    assert_text(p.config, "{}");
    assert_text(p.commit_message, "");
    assert_null(p.tags);
    issues_free(&found);
    arena_free(&a);
}

/* JavaScript counts UTF-16 units: 250 emoji are as many as are allowed. */
static void a_commit_message_has_500_characters(void **state)
{
    (void)state;
    for (size_t count = 250; count <= 251; count++) {
        arena a = {0};
        issues found = {0};
        buf body = {0};
        prompt p;
        buf_string(&body, "{\"name\":\"n\",\"prompt\":\"x\",\"commitMessage\":\"");
        for (size_t i = 0; i < count; i++)
            buf_string(&body, "\xF0\x9F\x98\x80");
        buf_string(&body, "\"}");
        prompt_check(&a, json_parse(&a, buf_view(&body)), &found, &p);
        assert_text(buf_view(&found.list),
                    count == 250
                        ? ""
                        : "{\"origin\":\"string\",\"code\":\"too_big\",\"maximum\":500,\"inclusive\":true,"
                          "\"path\":[\"commitMessage\"],\"message\":\"Too big: expected string to have <=500 characters\"}");
        issues_free(&found);
        buf_free(&body);
        arena_free(&a);
    }
}

static void names_of_variables_and_placeholders_differ(void **state)
{
    static const struct {
        const char *chat, *names;
    } cases[] = {
        {"[]", ""},
        {"[{\"content\":\"{{a}} {{ b }}\"},{\"name\":\"c\"}]", ""},
        {"[{\"content\":\"{{a}} {{ b }} {{\"},{\"name\":\"b\"},{\"content\":\"{{c}\"},{\"name\":\"c\"}]", "b"},
        {"[{\"content\":\"{{a}}\"},{\"name\":\"a\"},{\"name\":\"b\"},{\"content\":\"x{{\\tb\\n}}\"}]", "a, b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        assert_text(prompt_ambiguous_names(&a, text_of(cases[i].chat)), cases[i].names);
        arena_free(&a);
    }
}

static void lists_keep_their_order(void **state)
{
    arena a = {0};
    const json *left = json_parse(&a, TEXT("[\"b\",\"a\",\"b\"]")), *right = json_parse(&a, TEXT("[\"c\",\"a\"]"));
    (void)state;
    assert_json(prompt_join(&a, left, right), "[\"b\",\"a\",\"c\"]");
    assert_json(prompt_join(&a, NULL, right), "[\"c\",\"a\"]");
    assert_json(prompt_join(&a, NULL, NULL), "[]");
    assert_json(prompt_without(&a, left, right), "[\"b\",\"b\"]");
    assert_ptr_equal(prompt_without(&a, left, prompt_list_of(&a, TEXT("z"))), left);
    assert_true(prompt_lists(left, TEXT("a")) && !prompt_lists(left, TEXT("c")) && !prompt_lists(NULL, TEXT("a")));
    assert_true(prompt_same_items(right, json_parse(&a, TEXT("[\"a\",\"c\"]"))));
    assert_false(prompt_same_items(right, left) || prompt_same_items(left, right));
    arena_free(&a);
}

/* ---- References ---- */

#define REF(inside) "@@@langfusePrompt:" inside "@@@"

static void references_are_found(void **state)
{
    static const struct {
        const char *content, *found; /* name, = or #, what is wanted, a space */
    } cases[] = {
        {"", ""},
        {"no @@@ reference @@@", ""},
        {"x" REF("name=a|label=b") "y" REF("name=c d/e|version=12") "z", "a=b c d/e#12 "},
        {REF("name=a|label="), "a= "},
        {REF("name=a|label=b=c"), "a=b "},
        {REF("name=a"), ""},
        {REF("name=a|label"), ""},
        {REF("name=a|label=b|version=1"), ""},
        {REF("name=|label=b"), ""},
        {REF("label=b|name=a"), ""},
        {REF("name=a|version=x"), ""},
        {REF("name=a|version=99999999999999999999"), ""},
        {"@@@langfusePrompt:name=a|label=b@@", ""},
        {"@@@langfusePrompt:", ""},
        {REF("broken") REF("name=a|label=b"), "a=b "},
        {REF("name=a|label=b") "@@@", "a=b "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        buf out = {0};
        size_t count;
        char *exact = malloc(strlen(cases[i].content) + 1); /* so that a checker sees a read behind the end */
        memcpy(exact, cases[i].content, strlen(cases[i].content));
        const prompt_reference *list = prompt_references(&a, (text){exact, strlen(cases[i].content)}, &count);
        for (size_t j = 0; j < count; j++)
            buf_format(&out, "%.*s%c%.*s ", (int)list[j].name.size, list[j].name.at, list[j].by_version ? '#' : '=',
                       (int)list[j].wanted.size, list[j].wanted.at);
        assert_text(buf_view(&out), cases[i].found);
        free(exact);
        buf_free(&out);
        arena_free(&a);
    }
}

/* Prompts that refer to each other, found by name alone. */
static const struct known {
    const char *name, *id, *content, *type;
} known[] = {
    {"leaf", "1", "\"say \\\"hi\\\"\\n$1\"", "text"},
    {"empty", "2", "\"\"", "text"},
    {"two", "3", "\"[" REF("name=leaf|label=l") "|" REF("name=empty|version=1") "]\"", "text"},
    {"chat", "4", "[]", "chat"},
    {"self", "5", "\"" REF("name=self|label=l") "\"", "text"},
    {"ping", "6", "\"" REF("name=pong|label=l") "\"", "text"},
    {"pong", "7", "\"" REF("name=ping|label=l") "\"", "text"},
    {"d1", "8", "\"1" REF("name=leaf|label=l") "\"", "text"},
    {"d2", "9", "\"2" REF("name=d1|label=l") "\"", "text"},
    {"d3", "10", "\"3" REF("name=d2|label=l") "\"", "text"},
    {"d4", "11", "\"4" REF("name=d3|label=l") "\"", "text"},
};

static bool look_up(void *context, arena *a, const prompt_reference *wanted, prompt *out, bool *out_found)
{
    (void)a;
    *out_found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!text_is(wanted->name, known[i].name))
            continue;
        *out = (prompt){.id = text_of(known[i].id),
                        .name = text_of(known[i].name),
                        .type = text_of(known[i].type),
                        .version = 1,
                        .content = text_of(known[i].content)};
        *out_found = true;
    }
    return context == NULL; /* a context stands for a storage that fails */
}

static void references_are_resolved(void **state)
{
    static const struct {
        const char *content, *resolved, *problem;
    } cases[] = {
        {"\"plain\"", "\"plain\"", ""},
        {"\"<" REF("name=leaf|label=l") ">\"", "\"<say \\\"hi\\\"\\n$1>\"", ""},
        {"\"" REF("name=two|version=1") REF("name=leaf|label=l") "\"", "\"[say \\\"hi\\\"\\n$1|]say \\\"hi\\\"\\n$1\"", ""},
        {"[{\"role\":\"r\",\"content\":\"" REF("name=empty|label=l") REF("name=d1|label=l") "\"}]",
         "[{\"role\":\"r\",\"content\":\"1say \\\"hi\\\"\\n$1\"}]", ""},
        {"\"" REF("name=d3|label=l") "\"", "\"321say \\\"hi\\\"\\n$1\"", ""},
        {"\"" REF("name=d4|label=l") "\"", NULL, "Maximum nesting depth exceeded (5)"},
        {"\"" REF("name=none|version=7") "\"", NULL, "Prompt dependency not found: none - version 7"},
        {"\"" REF("name=none|label=x y") "\"", NULL, "Prompt dependency not found: none - label x y"},
        {"\"" REF("name=chat|label=l") "\"", NULL, "Prompt dependency is not a text prompt: chat - label l"},
        {"\"" REF("name=self|label=l") "\"", NULL, "Circular dependency detected involving prompt 'self' version 1"},
        {"\"" REF("name=ping|label=l") "\"", NULL, "Circular dependency detected involving prompt 'ping' version 1"},
        {"\"" REF("name=root|label=l") "\"", NULL, "Prompt dependency not found: root - label l"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        prompt_graph g = {.arena = &a, .lookup = look_up};
        const prompt root = {.id = TEXT("0"), .name = TEXT("root"), .version = 1, .content = text_of(cases[i].content)};
        text resolved = prompt_resolve(&g, &root);
        assert_false(g.failed);
        assert_text(g.problem.at != NULL ? g.problem : TEXT(""), cases[i].problem);
        if (cases[i].resolved != NULL)
            assert_text(resolved, cases[i].resolved);
        arena_free(&a);
    }
    /* Another version of the root is as bad as the root. */
    arena a = {0};
    prompt_graph g = {.arena = &a, .lookup = look_up};
    const prompt root = {
        .id = TEXT("0"), .name = TEXT("leaf"), .version = 2, .content = TEXT("\"" REF("name=leaf|version=1") "\"")};
    prompt_resolve(&g, &root);
    assert_text(g.problem, "Circular dependency detected involving prompt 'leaf' version 1");
    arena_free(&a);
}

static void a_storage_that_fails_is_no_answer(void **state)
{
    arena a = {0};
    int fails = 1;
    prompt_graph g = {.arena = &a, .lookup = look_up, .context = &fails};
    const prompt root = {.id = TEXT("0"), .name = TEXT("root"), .content = TEXT("\"" REF("name=leaf|label=l") "\"")};
    (void)state;
    prompt_resolve(&g, &root);
    assert_true(g.failed);
    arena_free(&a);
}

/* As many as one answer should hold, and one more. */
static void references_have_a_ceiling(void **state)
{
    (void)state;
    for (size_t wanted = 1000; wanted <= 1001; wanted++) {
        arena a = {0};
        buf content = {0};
        buf_char(&content, '"');
        for (size_t i = 0; i < wanted; i++)
            buf_string(&content, REF("name=empty|label=l"));
        buf_char(&content, '"');
        prompt_graph g = {.arena = &a, .lookup = look_up};
        const prompt root = {.id = TEXT("0"), .name = TEXT("root"), .content = buf_view(&content)};
        text resolved = prompt_resolve(&g, &root);
        assert_int_equal(g.failed, wanted > 1000);
        if (wanted == 1000)
            assert_text(resolved, "\"\"");
        buf_free(&content);
        arena_free(&a);
    }
}

static void a_graph_has_each_parent_once(void **state)
{
    arena a = {0};
    buf out = {0};
    prompt_graph g = {.arena = &a, .lookup = look_up};
    const prompt root = {.id = TEXT("0"),
                         .name = TEXT("root"),
                         .version = 3,
                         .content = TEXT("\"" REF("name=two|label=l") REF("name=leaf|label=l") "\"")};
    (void)state;
    buf_char(&out, '{');
    prompt_put_graph(&out, &root, &g);
    prompt_resolve(&g, &root);
    prompt_put_graph(&out, &root, &g);
    assert_text(buf_view(&out),
                "{\"resolutionGraph\":null,\"resolutionGraph\":{\"root\":{\"name\":\"root\",\"version\":3,\"id\":\"0\"},"
                "\"dependencies\":{\"0\":[{\"id\":\"3\",\"name\":\"two\",\"version\":1},"
                "{\"id\":\"1\",\"name\":\"leaf\",\"version\":1}],\"3\":[{\"id\":\"1\",\"name\":\"leaf\",\"version\":1},"
                "{\"id\":\"2\",\"name\":\"empty\",\"version\":1}]}}");
    buf_free(&out);
    arena_free(&a);
}

static void paths_are_unescaped(void **state)
{
    static const struct {
        const char *from, *to; /* NULL: refused */
    } cases[] = {
        {"", ""},       {"a", "a"},       {"a%2Fb%2fc", "a/b/c"}, {"%C3%A4+%20", "\xC3\xA4+ "},
        {"%41%", NULL}, {"%4", NULL},     {"%4g", NULL},          {"%g4", NULL},
        {"%%41", NULL}, {"%2541", "%41"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena a = {0};
        text out = TEXT("untouched");
        assert_int_equal(arena_unescape(&a, text_of(cases[i].from), &out), cases[i].to != NULL);
        assert_text(out, cases[i].to != NULL ? cases[i].to : "untouched");
        arena_free(&a);
    }
}

/* ---- Storage ---- */

/* Labels and tags are JSON. Within a transaction. */
static void add(store *s, const char *id, const char *name, int64_t version, const char *labels, const char *tags)
{
    arena a = {0};
    size_t count;
    const prompt p = {.id = text_of(id),
                      .name = text_of(name),
                      .version = version,
                      .type = TEXT("text"),
                      .config = TEXT("{}"),
                      .content = TEXT("\"" REF("name=x|label=l") REF("name=x|version=3") "\""),
                      .labels = json_parse(&a, text_of(labels)),
                      .tags = json_parse(&a, text_of(tags)),
                      .created_ms = version,
                      .updated_ms = version * 10};
    const prompt_reference *references = prompt_references(&a, p.content, &count);
    assert_true(store_add_prompt(s, &p, references, count));
    arena_free(&a);
}

/* name.version, a space behind each */
static const char *list(store *s, const store_prompt_query *given, int64_t total)
{
    static char names[500];
    arena a = {0};
    store_prompt_query query = *given;
    prompt *found;
    size_t count, used = 0;
    int64_t counted;
    query.from_ms = query.from_ms != 0 ? query.from_ms : INT64_MIN;
    query.to_ms = query.to_ms != 0 ? query.to_ms : INT64_MAX;
    query.limit = query.limit > 0 ? query.limit : 100;
    assert_true(store_list_prompts(s, &a, &query, &found, &count, &counted));
    assert_int_equal(counted, total);
    names[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%.*s.%d ", (int)found[i].name.size, found[i].name.at,
                                 (int)found[i].version);
    arena_free(&a);
    return names;
}

static void lists_are_filtered_and_paged(void **state)
{
    store *s = open_store(":memory:", false);
    (void)state;
    assert_non_null(store_begin(s, true));
    add(s, "1", "b", 1, "[\"qa\"]", "[\"t\"]");
    add(s, "2", "b", 2, "[\"q\",\"latest\"]", "[\"t\"]");
    add(s, "3", "a", 1, "[\"q\\\"a\",\"latest\"]", "[\"u\"]");
    add(s, "4", "c/d", 1, "[]", "[]");
    assert_string_equal(list(s, &(store_prompt_query){0}, 3), "a.1 b.1 b.2 c/d.1 ");
    assert_string_equal(list(s, &(store_prompt_query){.name = TEXT("b")}, 1), "b.1 b.2 ");
    assert_string_equal(list(s, &(store_prompt_query){.name = TEXT("c/d")}, 1), "c/d.1 ");
    assert_string_equal(list(s, &(store_prompt_query){.label = TEXT("latest")}, 2), "a.1 b.2 ");
    assert_string_equal(list(s, &(store_prompt_query){.label = TEXT("q")}, 1), "b.2 ");
    assert_string_equal(list(s, &(store_prompt_query){.label = TEXT("q\"a")}, 1), "a.1 ");
    assert_string_equal(list(s, &(store_prompt_query){.label = TEXT("a")}, 0), "");
    assert_string_equal(list(s, &(store_prompt_query){.tag = TEXT("t"), .version = 1}, 1), "b.1 ");
    assert_string_equal(list(s, &(store_prompt_query){.from_ms = 11, .to_ms = 20}, 0), "");
    assert_string_equal(list(s, &(store_prompt_query){.from_ms = 10, .to_ms = 20}, 3), "a.1 b.1 c/d.1 ");
    assert_string_equal(list(s, &(store_prompt_query){.limit = 1, .offset = 1}, 3), "b.1 b.2 ");
    assert_string_equal(list(s, &(store_prompt_query){.limit = 2, .offset = 2}, 3), "c/d.1 ");
    assert_string_equal(list(s, &(store_prompt_query){.limit = 2, .offset = 4}, 3), "");
    assert_true(store_end(s, true));
    store_close(s);
}

static void what_is_not_kept_is_not_there(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    prompt *versions, found;
    size_t count;
    bool there;
    (void)state;
    assert_non_null(store_begin(s, true));
    add(s, "1", "n", 1, "[\"l\"]", "[]");
    assert_true(store_end(s, true));
    assert_non_null(store_begin(s, true));
    add(s, "2", "n", 2, "[\"m\"]", "[]");
    assert_true(store_remove_prompt(s, TEXT("1")));
    assert_true(store_end(s, false));
    assert_non_null(store_begin(s, false));
    assert_true(store_prompt_versions(s, &a, TEXT("n"), &versions, &count));
    assert_int_equal(count, 1);
    assert_json(versions[0].labels, "[\"l\"]");
    assert_null(versions[0].content.at);
    assert_true(store_find_prompt(s, &a, TEXT("n"), 0, TEXT("m"), &found, &there) && !there);
    assert_true(store_find_prompt(s, &a, TEXT("n"), 1, TEXT(""), &found, &there) && there);
    assert_text(found.content, "\"" REF("name=x|label=l") REF("name=x|version=3") "\"");
    assert_null(found.commit_message.at);
    assert_true(store_end(s, false));
    arena_free(&a);
    store_close(s);
}

static void dependents_go_with_their_parent(void **state)
{
    store *s = open_store(":memory:", false);
    arena a = {0};
    store_dependent *dependents;
    size_t count;
    (void)state;
    assert_non_null(store_begin(s, true));
    add(s, "1", "n", 1, "[]", "[]");
    add(s, "2", "n", 2, "[]", "[]");
    assert_true(store_prompt_dependents(s, &a, TEXT("x"), &dependents, &count));
    assert_int_equal(count, 4);
    assert_text(dependents[0].parent_name, "n");
    assert_text(dependents[0].wanted, "l");
    assert_int_equal(dependents[0].version, 0);
    assert_int_equal(dependents[3].version, 3);
    assert_int_equal(dependents[3].parent_version, 2);
    assert_true(store_remove_prompt(s, TEXT("2")));
    assert_true(store_prompt_dependents(s, &a, TEXT("x"), &dependents, &count));
    assert_int_equal(count, 2);
    assert_true(store_prompt_dependents(s, &a, TEXT("n"), &dependents, &count));
    assert_int_equal(count, 0);
    assert_true(store_end(s, true));
    arena_free(&a);
    store_close(s);
}

#define EACH 100

/* The next version, as a request makes it: read, decide, write. */
static void *add_versions(void *context)
{
    store *s = context;
    for (int i = 0; i < EACH; i++) {
        arena a = {0};
        prompt *versions;
        size_t count;
        char id[32];
        if (store_begin(s, true) == NULL)
            return "begin";
        bool ok = store_prompt_versions(s, &a, TEXT("n"), &versions, &count);
        int64_t version = ok && count > 0 ? versions[count - 1].version + 1 : 1;
        snprintf(id, sizeof id, "%lld", (long long)version);
        const prompt p = {.id = text_of(id),
                          .name = TEXT("n"),
                          .version = version,
                          .type = TEXT("text"),
                          .config = TEXT("{}"),
                          .content = TEXT("\"\""),
                          .labels = prompt_list_of(&a, TEXT("latest")),
                          .tags = prompt_join(&a, NULL, NULL)};
        ok = ok && store_add_prompt(s, &p, NULL, 0);
        arena_free(&a);
        if (!store_end(s, ok) || !ok)
            return "add";
    }
    return NULL;
}

/* Two threads over one connection, and a third with a connection of its own, as another process has it. */
static void nothing_comes_between_reading_and_writing(void **state)
{
    char path[] = TEMPORARY_PATH;
    (void)state;
    make_file(path);
    store *one = open_store(path, false), *other = open_store(path, false);
    store *const of[] = {one, one, other};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_versions, of[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        void *problem = NULL;
        pthread_join(threads[i], &problem);
        assert_null(problem);
    }
    store_close(one);
    store_close(other);
    one = open_store(path, true); /* and it is all there when the file is opened again */
    arena a = {0};
    prompt *versions;
    size_t count;
    assert_non_null(store_begin(one, false));
    assert_true(store_prompt_versions(one, &a, TEXT("n"), &versions, &count));
    assert_int_equal(count, 3 * EACH);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(versions[i].version, i + 1);
    assert_false(store_remove_prompt(one, TEXT("1"))); /* a reader cannot write */
    assert_true(store_end(one, false));
    arena_free(&a);
    store_close(one);
    unlink(path);
}

/* What version 2 had: no prompts. The rest of its tables matters to nothing here. */
static void a_database_of_version_2_is_upgraded(void **state)
{
    char path[] = TEMPORARY_PATH;
    sqlite3 *old;
    (void)state;
    make_file(path);
    store_close(open_store(path, false));
    assert_int_equal(sqlite3_open(path, &old), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(old, "DROP TABLE prompts; DROP TABLE prompt_references;" HARNESS_OLD_OBSERVATIONS "PRAGMA user_version = 2;",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(old);
    store *s = open_store(path, false);
    assert_non_null(store_begin(s, true));
    add(s, "1", "n", 1, "[]", "[]");
    assert_true(store_end(s, true));
    store_close(s);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_checked),
        cmocka_unit_test(a_body_becomes_a_prompt),
        cmocka_unit_test(a_commit_message_has_500_characters),
        cmocka_unit_test(names_of_variables_and_placeholders_differ),
        cmocka_unit_test(lists_keep_their_order),
        cmocka_unit_test(references_are_found),
        cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(a_storage_that_fails_is_no_answer),
        cmocka_unit_test(references_have_a_ceiling),
        cmocka_unit_test(a_graph_has_each_parent_once),
        cmocka_unit_test(paths_are_unescaped),
        cmocka_unit_test(lists_are_filtered_and_paged),
        cmocka_unit_test(what_is_not_kept_is_not_there),
        cmocka_unit_test(dependents_go_with_their_parent),
        cmocka_unit_test(nothing_comes_between_reading_and_writing),
        cmocka_unit_test(a_database_of_version_2_is_upgraded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
