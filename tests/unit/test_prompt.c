/* Prompts in use: filled in as the Python SDK does, fallbacks, single braces, creating and labelling, linked to generations,
 * and without memory.
 */
#include "prompt_cases.h"

#include "../../src/ask/prompt_cache.h"

static void keep_lines(void)
{
    lf_options options = quiet_file();
    (void)lf_init(&options);
}

/* ---- Text ---------------------------------------------------------------------------------------------------------------- */

static lf_prompt *text_prompt(const char *text)
{
    lf_prompt *p = lf_get_prompt("p", .fallback = text);
    CHECK(p != NULL);
    return p;
}

#define CHECK_COMPILES(text, expected, ...)                          \
    do {                                                             \
        lf_prompt *check_p = text_prompt(text);                      \
        char *check_out = lf_prompt_compile(check_p, ##__VA_ARGS__); \
        CHECK(check_out != NULL);                                    \
        CHECK_TEXT(check_out, expected);                             \
        free(check_out);                                             \
        lf_prompt_free(check_p);                                     \
    } while (0)

/* Python: test_unmatched_opening_tag, test_unmatched_closing_tag, test_start_with_closing_braces */
TEST(unmatched_braces_stay)
{
    CHECK_COMPILES("Hi {{name", "Hi {{name", .variables = LF_OBJECT("name", "A"));
    CHECK_COMPILES("Hi name}}", "Hi name}}", .variables = LF_OBJECT("name", "A"));
    CHECK_COMPILES("}} {{a}}", "}} 1", .variables = LF_OBJECT("a", 1));
    CHECK_COMPILES("}}", "}}", .variables = LF_OBJECT("a", 1));
    CHECK_COMPILES("{{{a}}}", "Z}", .variables = LF_OBJECT("{a", "Z"));
    CHECK_COMPILES("{{{a}}}", "{{{a}}}", .variables = LF_OBJECT("a", "Z"));
    CHECK_COMPILES("", "", .variables = LF_OBJECT("a", "Z"));
}

/* Python: test_missing_variable, test_none_variable, test_strip_whitespace, test_multiple_templates_one_var,
 * test_variable_case_sensitivity, test_content_as_variable_name */
TEST(variables_are_filled_in)
{
    CHECK_COMPILES("Hi {{ name }}!", "Hi {{ name }}!");
    CHECK_COMPILES("Hi {{ name }}!", "Hi {{ name }}!", .variables = LF_OBJECT("other", 1));
    CHECK_COMPILES("Hi {{ name }}!", "Hi A!", .variables = LF_OBJECT("name", "A"));
    CHECK_COMPILES("Hi {{a}}!", "Hi !", .variables = LF_OBJECT("a", lf_null()));
    CHECK_COMPILES("{{a}}{{ a}}{{b}}{{a}}", "11{{b}}1", .variables = LF_OBJECT("a", 1));
    CHECK_COMPILES("{{Name}} {{name}}", "{{Name}} x", .variables = LF_OBJECT("name", "x"));
    CHECK_COMPILES("{{a b}} {{a-b}} {{\xc3\xa4}} {{content}}", "1 2 3 4",
                   .variables = LF_OBJECT("a b", 1, "a-b", 2, "\xc3\xa4", 3, "content", 4));
    CHECK_COMPILES("{{a}}", "True", .variables = LF_OBJECT("a", lf_bool(true)));
    CHECK_COMPILES("{{a}}", "[1, 'x']", .variables = lf_json("{\"a\":[1,\"x\"]}"));
    CHECK_COMPILES("{{a}}", "{{b}}", .variables = LF_OBJECT("a", "{{b}}", "b", 1));
    /* Without .variables they are looked up among the placeholders. */
    CHECK_COMPILES("{{a}}", "1", .placeholders = LF_OBJECT("a", 1));
}

/* Python: test_unescaped_JSON_variable_value */
TEST(json_goes_in_as_it_is)
{
    CHECK_COMPILES("{{a}}", "{\"key\": \"value\"}", .variables = LF_OBJECT("a", "{\"key\": \"value\"}"));
    cJSON *tree = cJSON_Parse("{\"a\":\"x\\\"y\"}");
    CHECK_COMPILES("<{{a}}>", "<x\"y>", .variables = LF_VALUE(tree));
    cJSON_Delete(tree);
}

TEST(a_text_prompt_as_messages_and_as_json)
{
    lf_prompt *p = text_prompt("say \"{{x}}\"");
    char *messages = lf_prompt_compile_messages(p, .variables = LF_OBJECT("x", "a\nb"));
    CHECK_TEXT(messages, "[{\"role\":\"user\",\"content\":\"say \\\"a\\nb\\\"\"}]");
    free(messages);
    cJSON *json = lf_prompt_compile_json(p, .variables = LF_OBJECT("x", 1));
    CHECK(cJSON_IsString(json));
    CHECK_TEXT(json->valuestring, "say \"1\"");
    cJSON_Delete(json);
    lf_prompt_free(p);
    CHECK(lf_prompt_compile(NULL) == NULL);
    CHECK(lf_prompt_compile_messages(NULL) == NULL);
    CHECK(lf_prompt_compile_json(NULL) == NULL);
    CHECK(lf_prompt_to_single_braces(NULL) == NULL);
    lf_prompt_free(NULL);
}

TEST(variables_are_listed_in_their_order)
{
    lf_prompt *p = text_prompt("{{b}} {{ a }} {{b}} {{");
    CHECK_TEXT(p->variables[0], "b");
    CHECK_TEXT(p->variables[1], "a");
    CHECK_TEXT(p->variables[2], "b");
    CHECK(p->variables[3] == NULL);
    lf_prompt_free(p);
}

/* One allocation for each name, and few for the list: one that grew by one each time could be copied each time. */
TEST(the_list_of_variables_grows_in_few_steps)
{
    enum { NAMES = 1000 };
    char text[5 * NAMES + 1];
    for (size_t i = 0; i < NAMES; i++)
        memcpy(text + 5 * i, "{{a}}", 6);
    lf__alloc_fail_from(NAMES + NAMES / 2);
    lf_prompt *p = lf_get_prompt("p", .fallback = text);
    lf__alloc_fail_from(0);
    CHECK(p != NULL);
    for (size_t i = 0; i < NAMES; i++)
        CHECK_TEXT(p->variables[i], "a");
    CHECK(p->variables[NAMES] == NULL);
    lf_prompt_free(p);
}

/* ---- Chats ---------------------------------------------------------------------------------------------------------------- */

static lf_prompt *chat_prompt(const char *messages)
{
    lf_prompt *p = lf_get_prompt("p", .fallback_messages = lf_json(messages));
    CHECK(p != NULL);
    CHECK_INT(p->type, LF_PROMPT_CHAT);
    return p;
}

static void check_same_json(const char *actual, const char *expected, int line)
{
    cJSON *a = cJSON_Parse(actual), *b = cJSON_Parse(expected);
    CHECK(b != NULL);
    if (a == NULL || !cJSON_Compare(a, b, true))
        harness_fail(__FILE__, line, "%s is not %s", actual == NULL ? "(null)" : actual, expected);
    cJSON_Delete(a);
    cJSON_Delete(b);
}

#define CHECK_CHAT(messages, expected, ...)                          \
    do {                                                             \
        lf_prompt *check_p = chat_prompt(messages);                  \
        char *check_out = lf_prompt_compile(check_p, ##__VA_ARGS__); \
        check_same_json(check_out, expected, __LINE__);              \
        free(check_out);                                             \
        lf_prompt_free(check_p);                                     \
    } while (0)

#define SYSTEM "{\"role\":\"system\",\"content\":\"You are {{role}}\"}"
#define EXAMPLES "{\"type\":\"placeholder\",\"name\":\"examples\"}"
#define USER "{\"role\":\"user\",\"content\":\"{{task}}\"}"

/* Python: test_compile_with_placeholders */
TEST(placeholders_are_filled_in)
{
    static const char chat[] = "[" SYSTEM "," EXAMPLES "," USER "]";
    keep_lines();
    lf_value two = lf_json("[{\"role\":\"user\",\"content\":\"Example {{task}}\"},{\"role\":\"assistant\",\"content\":\"ok\"}]");
    CHECK_CHAT("[" SYSTEM "," USER "]",
               "[{\"role\":\"system\",\"content\":\"You are kind\"},{\"role\":\"user\",\"content\":\"x\"}]",
               .variables = LF_OBJECT("role", "kind", "task", "x"));
    CHECK_CHAT(chat,
               "[{\"role\":\"system\",\"content\":\"You are kind\"},{\"role\":\"user\",\"content\":\"Example x\"},"
               "{\"role\":\"assistant\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":\"x\"}]",
               .variables = LF_OBJECT("role", "kind", "task", "x"), .placeholders = LF_OBJECT("examples", two));
    /* All in one object, either of the two. */
    for (int i = 0; i < 2; i++) {
        lf_value all = LF_OBJECT("role", "kind", "task", "x", "examples", two), unset = {0};
        CHECK_CHAT(chat,
                   "[{\"role\":\"system\",\"content\":\"You are kind\"},{\"role\":\"user\",\"content\":\"Example x\"},"
                   "{\"role\":\"assistant\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":\"x\"}]",
                   .variables = i == 0 ? all : unset, .placeholders = i == 0 ? unset : all);
    }
    CHECK_CHAT("[" EXAMPLES "," USER "," EXAMPLES "]", "[{\"role\":\"user\",\"content\":\"x\"}]",
               .variables = LF_OBJECT("task", "x"), .placeholders = LF_OBJECT("examples", lf_json("[]"), "unused", two));
    CHECK_CHAT("[" EXAMPLES "]", "[]", .placeholders = LF_OBJECT("examples", lf_json("[]")));
    CHECK_CHAT("[]", "[]");
}

TEST(what_is_no_message_says_so)
{
    keep_lines();
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"NOT_GIVEN\",\"content\":\"\",\"invalid\":\"format\"}]",
               .placeholders = LF_OBJECT("examples", lf_json("[{\"invalid\":\"format\"}]")));
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"NOT_GIVEN\",\"content\":\"x\"}]",
               .placeholders = LF_OBJECT("examples", lf_json("[{\"content\":\"x\"}]")));
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"user\",\"content\":\"\"}]",
               .placeholders = LF_OBJECT("examples", lf_json("[{\"role\":\"user\"}]")));
    CHECK_INT(lines_with("placeholder"), 0);
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"NOT_GIVEN\",\"content\":\"not a list\"}]",
               .placeholders = LF_OBJECT("examples", "not a list"));
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"NOT_GIVEN\",\"content\":\"5\"}]", .placeholders = LF_OBJECT("examples", 5));
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"NOT_GIVEN\",\"content\":\"None\"}]",
               .placeholders = LF_OBJECT("examples", lf_null()));
    CHECK_CHAT("[" EXAMPLES "]", "[{\"role\":\"NOT_GIVEN\",\"content\":\"None\"}]",
               .placeholders = LF_OBJECT("examples", lf_json(" null")));
    CHECK_INT(lines_with("is no list of messages"), 4);
    CHECK_CHAT("[" EXAMPLES "]",
               "[{\"role\":\"NOT_GIVEN\",\"content\":\"['a', {'role': 'user', 'content': 'x'}, "
               "1]\"},{\"role\":\"user\",\"content\":\"x\"},"
               "{\"role\":\"NOT_GIVEN\",\"content\":\"['a', {'role': 'user', 'content': 'x'}, 1]\"}]",
               .placeholders = LF_OBJECT("examples", lf_json("[\"a\",{\"role\":\"user\",\"content\":\"x\"},1]")));
    CHECK_INT(lines_with("no message"), 1);
}

/* Python: test_tool_calls_preservation_in_message_placeholder */
TEST(all_members_of_given_messages_are_kept)
{
    CHECK_CHAT(
        "[" EXAMPLES "]",
        "[{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":"
        "{\"name\":\"f\",\"arguments\":\"{{a}}\"}}]},{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"1\",\"n\":null},"
        "{\"role\":\"assistant\",\"content\":null},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"{{a}}\"}]}]",
        .variables = LF_OBJECT("a", "x"),
        .placeholders = LF_OBJECT(
            "examples",
            lf_json(
                "[{\"role\":\"assistant\",\"content\":\"{{a}}\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":"
                "{\"name\":\"f\",\"arguments\":\"{{a}}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"n\":null},"
                "{\"role\":\"assistant\",\"content\":null},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"{{a}}\"}]}"
                "]")));
}

TEST(a_placeholder_that_is_not_given_stays)
{
    keep_lines();
    CHECK_CHAT("[" SYSTEM "," EXAMPLES "]", "[{\"role\":\"system\",\"content\":\"You are x\"}," EXAMPLES "]",
               .variables = LF_OBJECT("role", "x"));
    CHECK_INT(lines_with("examples"), 1);
    CHECK_INT(lines_with("not given"), 1);
    lf_prompt *p = chat_prompt("[" EXAMPLES "," USER "]");
    CHECK_TEXT(p->variables[0], "task");
    CHECK(p->variables[1] == NULL);
    CHECK_INT(cJSON_GetArraySize(p->messages), 2);
    check_same_json(p->prompt, "[" EXAMPLES "," USER "]", __LINE__);
    lf_prompt_free(p);
}

TEST(long_histories_fit)
{
    size_t size = 3 << 20, at;
    char *history = malloc(size + 200);
    at = (size_t)snprintf(history, 100, "[{\"role\":\"user\",\"content\":\"");
    memset(history + at, 'x', size);
    snprintf(history + at + size, 50, "\"},{\"role\":\"b\"}]");
    lf_prompt *p = chat_prompt("[" EXAMPLES "," USER "]");
    cJSON *json = lf_prompt_compile_json(p, .placeholders = LF_OBJECT("examples", lf_json(history)));
    CHECK_INT(cJSON_GetArraySize(json), 3);
    CHECK_INT(strlen(text_of(cJSON_GetArrayItem(json, 0), "content")), size);
    cJSON_Delete(json);
    lf_prompt_free(p);
    free(history);
}

static void check_one_message(char *out, size_t size)
{
    cJSON *json = cJSON_Parse(out), *message = cJSON_GetArrayItem(json, 0);
    CHECK_INT(cJSON_GetArraySize(json), 1);
    CHECK_TEXT(text_of(message, "role"), "user");
    CHECK_INT(strlen(text_of(message, "content")), size);
    CHECK(cJSON_IsNumber(cJSON_GetObjectItem(message, "tail")));
    cJSON_Delete(json);
    free(out);
}

/* Of C values, of a tree, as a fallback. */
static void check_size(size_t size)
{
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    lf_value message = LF_OBJECT("role", "user", "content", text, "tail", 1), list = LF_ARRAY(message);
    lf_prompt *p = chat_prompt("[" EXAMPLES "]");
    check_one_message(lf_prompt_compile(p, .placeholders = LF_OBJECT("examples", list)), size);
    cJSON *inputs = cJSON_CreateObject(), *tree = cJSON_CreateObject(), *trees = cJSON_CreateArray();
    cJSON_AddStringToObject(tree, "role", "user");
    cJSON_AddStringToObject(tree, "content", text);
    cJSON_AddNumberToObject(tree, "tail", 1);
    cJSON_AddItemToArray(trees, tree);
    cJSON_AddItemToObject(inputs, "examples", trees);
    check_one_message(lf_prompt_compile(p, .placeholders = LF_VALUE(inputs)), size);
    cJSON_Delete(inputs);
    lf_prompt_free(p);
    p = lf_get_prompt("p", .fallback_messages = list);
    CHECK(p != NULL && p->messages != NULL);
    CHECK_INT(strlen(text_of(cJSON_GetArrayItem(p->messages, 0), "content")), size);
    lf_prompt_free(p);
    free(text);
}

TEST(messages_of_every_size_stay_whole)
{
    for (size_t size = 3900; size < 4200; size++)
        check_size(size);
    for (size_t size = 5000; size < (2 << 20); size *= 3)
        check_size(size);
}

/* Numbers with more digits than a double has, and with others than it would be printed with. */
TEST(what_is_not_filled_in_is_not_rewritten)
{
    lf_prompt *p = chat_prompt("[" EXAMPLES "]");
    char *out = lf_prompt_compile(
        p, .variables = LF_OBJECT("a", "A\n"),
        .placeholders = LF_OBJECT("examples", lf_json(" [ {\"n\":9007199254740993,\"x\": [1.10, 1e400],\"\\u0063ontent\" : "
                                                      "\"\\u007b{a}} \\u0000\",\"role\":\"r\"} , {} ] ")));
    CHECK_TEXT(out, "[{\"n\":9007199254740993,\"x\":[1.10, 1e400],\"\\u0063ontent\":\"A\\n \\u0000\",\"role\":\"r\"},"
                    "{\"role\":\"NOT_GIVEN\",\"content\":\"\"}]");
    free(out);
    lf_prompt_free(p);
}

TEST(numbers_that_no_double_holds_leave_errno_alone)
{
    keep_lines();
    errno = ENOTTY;
    lf_prompt *p = lf_get_prompt("p", .version = -1,
                                 .fallback_messages = lf_json("[{\"role\":\"u\",\"content\":\"\",\"n\":1e400}]"));
    CHECK(p != NULL);
    CHECK_INT(errno, ENOTTY);
    lf_prompt_free(p);
    p = chat_prompt("[" EXAMPLES "]");
    cJSON *json = lf_prompt_compile_json(p, .placeholders = LF_OBJECT("examples", lf_json("[{\"n\":1e400}]")));
    CHECK_INT(errno, ENOTTY);
    CHECK_INT(cJSON_GetArraySize(json), 1);
    cJSON_Delete(json);
    lf_prompt_free(p);
}

/* Python: test_normal_variables_with_nested_json, test_edge_case_empty_json_objects, test_get_langchain_prompt_with_unresolved_placeholders */
TEST(single_braces)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {{"Hi {{ name }}!", "Hi {name}!"},
                 {"{\"a\": {\"b\": {{x}}}}", "{{\"a\": {{\"b\": {x}}}}}"},
                 {"{} {{}}", "{{}} {{}}"},
                 {"{{a.b}}", "{{a.b}}"},
                 {"plain", "plain"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lf_prompt *p = text_prompt(cases[i].text);
        char *out = lf_prompt_to_single_braces(p);
        CHECK_TEXT(out, cases[i].expected);
        free(out);
        lf_prompt_free(p);
    }
    lf_prompt *p = chat_prompt("[" SYSTEM "," EXAMPLES "]");
    char *out = lf_prompt_to_single_braces(p);
    check_same_json(out, "[{\"role\":\"system\",\"content\":\"You are {role}\"}," EXAMPLES "]", __LINE__);
    free(out);
    lf_prompt_free(p);
}

/* ---- Fallbacks ------------------------------------------------------------------------------------------------------------ */

/* Python: v2 test_fallback_text_prompt, test_fallback_chat_prompt, test_do_not_return_fallback_if_fetch_success */
TEST(fallbacks_look_like_prompts)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "there", .fallback = "f");
    script.status = 404;
    lf_prompt *p = lf_get_prompt("p", .label = "staging", .fallback = "f {{x}}");
    CHECK(p->is_fallback && p->version == 0 && p->commit_message == NULL && p->messages == NULL);
    CHECK_TEXT(p->name, "p");
    CHECK_TEXT(p->labels[0], "staging");
    CHECK(p->labels[1] == NULL && p->tags[0] == NULL);
    CHECK(cJSON_IsObject(p->config) && p->config->child == NULL);
    CHECK_TEXT(p->variables[0], "x");
    lf_prompt_free(p);
    p = lf_get_prompt("p", .label = "", .fallback = "f");
    CHECK(p->is_fallback && p->labels[0] == NULL);
    lf_prompt_free(p);
    p = lf_get_prompt("p", .version = 7, .fallback = "");
    CHECK(p->is_fallback && p->version == 7 && p->labels[0] == NULL);
    lf_prompt_free(p);
    p = lf_get_prompt("p", .fallback_messages = lf_json("[" USER "]"));
    CHECK(p->is_fallback && p->type == LF_PROMPT_CHAT && p->messages != NULL);
    lf_prompt_free(p);
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .fallback_messages = lf_json("{}"), .error = &error) == NULL);
    CHECK_INT(error.http_status, 404);
    CHECK(lf_get_prompt("p", .fallback_messages = LF_VALUE("text")) == NULL);
    script.status = 0;
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p", .fallback = "f"); /* fallbacks are not cached */
    fake_server_free(server);
}

TEST(a_chat_comes_from_the_server_with_what_belongs_to_it)
{
    fake_server *server = start_prompts();
    script.prompt =
        "[{\"type\":\"message\",\"role\":\"system\",\"content\":\"Hi {{a}}\"},{\"type\":\"placeholder\",\"name\":\"h\"}]";
    lf_prompt *p = lf_get_prompt("p", .fallback = "text");
    CHECK_INT(p->type, LF_PROMPT_CHAT);
    char *out = lf_prompt_compile(p, .variables = LF_OBJECT("a", 1), .placeholders = LF_OBJECT("h", lf_json("[]")));
    check_same_json(out, "[{\"role\":\"system\",\"content\":\"Hi 1\"}]", __LINE__);
    free(out);
    lf_prompt_free(p);
    script_reset();
    script.body = "{\"name\":\"q\",\"version\":3,\"type\":\"text\",\"prompt\":\"x\",\"config\":[1,2],\"labels\":null,"
                  "\"commitMessage\":\"why\","
                  "\"tags\":[\"a\",5,\"b\"],\"unknown\":{}}";
    p = lf_get_prompt("q");
    CHECK_TEXT(p->commit_message, "why");
    CHECK(cJSON_IsArray(p->config) && p->labels[0] == NULL);
    CHECK_TEXT(p->tags[1], "b");
    CHECK(p->tags[2] == NULL);
    lf_prompt_free(p);
    fake_server_free(server);
}

/* ---- Writing -------------------------------------------------------------------------------------------------------------- */

static const char *last_body(fake_server *server, const char *start)
{
    const char *body = NULL;
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->request_count; i++)
        if (strncmp(server->requests[i].head, start, strlen(start)) == 0)
            body = server->requests[i].body;
    pthread_mutex_unlock(&server->lock);
    CHECK(body != NULL);
    return body;
}

TEST(creating_says_all_there_is)
{
    fake_server *server = start_prompts();
    script.status = 201;
    script.body = prompts_body("a/b", 4, NULL);
    lf_prompt *p = lf_create_prompt(.name = "a/b", .prompt = "Hi \"{{x}}\"", .labels = LF_TAGS("production", "x"),
                                    .tags = LF_TAGS("t"), .config = LF_OBJECT("temperature", 0.5), .commit_message = "why");
    CHECK(p != NULL);
    CHECK_INT(p->version, 4);
    CHECK_INT(p->source, LF_PROMPT_FRESH);
    lf_prompt_free(p);
    check_same_json(last_body(server, "POST " PROMPTS_PATH " "),
                    "{\"name\":\"a/b\",\"type\":\"text\",\"prompt\":\"Hi \\\"{{x}}\\\"\",\"labels\":[\"production\",\"x\"],"
                    "\"config\":{\"temperature\":0.5},\"tags\":[\"t\"],\"commitMessage\":\"why\"}",
                    __LINE__);
    lf_prompt_free(lf_create_prompt(.name = "c", .messages = lf_json("[" USER "," EXAMPLES "]")));
    check_same_json(last_body(server, "POST " PROMPTS_PATH " "),
                    "{\"name\":\"c\",\"type\":\"chat\",\"prompt\":[" USER "," EXAMPLES "],\"labels\":[],\"config\":{}}", __LINE__);
    char text[5001], expected[5200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lf_prompt_free(lf_create_prompt(.name = "c", .prompt = "p", .config = LF_OBJECT("system", text)));
    snprintf(expected, sizeof expected,
             "{\"name\":\"c\",\"type\":\"text\",\"prompt\":\"p\",\"labels\":[],\"config\":{\"system\":\"%s\"}}", text);
    check_same_json(last_body(server, "POST " PROMPTS_PATH " "), expected, __LINE__);
    script.status = 0;
    script.body = "{}";
    CHECK_INT(lf_update_prompt(.name = "a/b", .version = 3, .new_labels = LF_TAGS("production")), LF_OK);
    check_same_json(last_body(server, "PATCH " PROMPTS_PATH "/a%2Fb/versions/3 "), "{\"newLabels\":[\"production\"]}", __LINE__);
    CHECK_INT(lf_update_prompt(.name = "a/b", .version = 3), LF_OK);
    check_same_json(last_body(server, "PATCH "), "{\"newLabels\":[]}", __LINE__);
    fake_server_free(server);
}

TEST(creating_is_refused_or_fails_with_words)
{
    fake_server *server = start_prompts();
    lf_error error = {0};
    CHECK(lf_create_prompt(.prompt = "x", .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_ARGUMENT);
    CHECK(lf_create_prompt(.name = "p", .error = &error) == NULL);
    CHECK(lf_create_prompt(.name = "p", .prompt = "x", .messages = lf_json("[]")) == NULL);
    CHECK(lf_create_prompt_with(NULL) == NULL);
    CHECK_INT(lf_update_prompt(.name = "p"), LF_ERR_ARGUMENT);
    CHECK_INT(lf_update_prompt(.version = 1), LF_ERR_ARGUMENT);
    CHECK_INT(lf_update_prompt_with(NULL), LF_ERR_ARGUMENT);
    CHECK_INT(script.posts + script.patches, 0);
    static const struct {
        int http;
        lf_status expected;
    } cases[] = {{400, LF_ERR_REFUSED}, {401, LF_ERR_UNAUTHORIZED}, {413, LF_ERR_REFUSED}, {500, LF_ERR_SERVER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        script.status = cases[i].http;
        int before = script.posts;
        CHECK(lf_create_prompt(.name = "p", .prompt = "x", .error = &error) == NULL);
        CHECK_INT(error.status, cases[i].expected);
        CHECK_INT(error.http_status, cases[i].http);
        CHECK_INT(script.posts, before + 1);
        CHECK_INT(lf_update_prompt(.name = "p", .version = 1, .error = &error), cases[i].expected);
    }
    script_reset();
    script.body = "{}";
    CHECK(lf_create_prompt(.name = "p", .prompt = "x", .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_SERVER);
    script.manner = FAKE_HANG;
    CHECK(lf_create_prompt(.name = "p", .prompt = "x", .timeout_ms = 200, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK_INT(lf_update_prompt(.name = "p", .version = 1, .timeout_ms = 200), LF_ERR_TIMEOUT);
    fake_server_free(server);
}

/* ---- Linked to generations ------------------------------------------------------------------------------------------------ */

#define PROMPT_NAME "langfuse.observation.prompt.name"
#define PROMPT_VERSION "langfuse.observation.prompt.version"

static NOINLINE void uses(const lf_prompt *p)
{
    OBSERVE_GENERATION();
    lf_update_current_observation(.prompt = p);
}

static void generate(const char *name, const lf_prompt *p)
{
    lf_observation *o = lf_start_observation(.name = name, .type = LF_GENERATION, .prompt = p);
    lf_observation_end(o);
}

static NOINLINE void inside(const lf_prompt *around, const lf_prompt *own, const char *name)
{
    OBSERVE_ATTRIBUTES(.prompt = around);
    generate(name, own);
}

/* Python: v2 test_do_not_link_observation_if_fallback, test_prompt_dict_propagates, test_explicit_prompt_takes_precedence */
TEST(generations_are_linked_to_prompts_but_not_to_fallbacks)
{
    fake_server *server = fake_server_start(answer_prompts, NULL);
    lf_options options = to_fake(server);
    CHECK_INT(lf_init(&options), LF_OK);
    script.version = 5;
    lf_prompt *a = lf_get_prompt("a"), *b = lf_get_prompt("b"), *f = text_prompt("f");
    CHECK(a != NULL && b != NULL);
    lf_prompt *fallback = lf_get_prompt("x", .version = 1, .label = "y", .fallback = "f");
    CHECK(fallback != NULL && fallback->is_fallback);
    uses(a);
    generate("started", b);
    generate("fallback", fallback);
    inside(a, NULL, "propagated");
    inside(a, b, "explicit");
    inside(fallback, NULL, "propagated fallback");
    lf_prompt_free(a);
    lf_prompt_free(b);
    lf_prompt_free(f);
    lf_prompt_free(fallback);
    lf_clear_prompt_cache(); /* what was recorded needs them no more */
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    read_server(server);
    static const char *const linked[][2] = {{"uses", "a"}, {"started", "b"}, {"propagated", "a"}, {"explicit", "b"}};
    for (size_t i = 0; i < sizeof linked / sizeof *linked; i++) {
        CHECK_HAS(span_named(linked[i][0]), PROMPT_NAME, linked[i][1]);
        CHECK_HAS(span_named(linked[i][0]), PROMPT_VERSION, "5");
    }
    CHECK_HAS_NOT(span_named("fallback"), PROMPT_NAME);
    CHECK_HAS_NOT(span_named("fallback"), PROMPT_VERSION);
    CHECK_HAS_NOT(span_named("propagated fallback"), PROMPT_NAME);
    CHECK_HAS_NOT(span_named("propagated fallback"), PROMPT_VERSION);
    fake_server_free(server);
}

/* ---- Without memory ------------------------------------------------------------------------------------------------------- */

enum { ALLOCATIONS = 400 }; /* more than any of these calls makes */

static void use_disk(void)
{
    char folder[300];
    snprintf(folder, sizeof folder, "%s/prompts", harness_folder);
    setenv("LANGFUSE_PROMPT_CACHE_DIR", folder, 1);
}

/* The first that went well is not the last that can fail: a copy on disk or a missing label may be all that was lost. */
TEST(getting_without_memory)
{
    use_disk();
    fake_server *server = start_prompts();
    script.prompt = "[{\"role\":\"u\",\"content\":\"{{a}} {{b}}\"},{\"type\":\"placeholder\",\"name\":\"h\"}]";
    int got = 0, missed = 0;
    for (unsigned long n = 1; got < 20 && n < ALLOCATIONS; n++) {
        lf_clear_prompt_cache();
        lf_error error = {0};
        lf__alloc_fail_from(n);
        lf_prompt *p = lf_get_prompt("p", .label = "x", .max_retries = 0, .error = &error);
        lf__alloc_fail_from(0);
        if (p == NULL) {
            CHECK_INT(error.status, LF_ERR_MEMORY);
            missed++;
            continue;
        }
        got++;
        CHECK_INT(p->version, 1);
        CHECK_TEXT(p->variables[1], "b");
        lf_prompt_free(p);
    }
    CHECK(missed > 5 && got == 20);
    fake_server_free(server);
}

TEST(fallbacks_without_memory)
{
    fake_server *server = start_prompts();
    script.status = 404;
    int got = 0, missed = 0;
    for (unsigned long n = 1; got < 20 && n < ALLOCATIONS; n++) {
        lf__alloc_fail_from(n);
        lf_prompt *p = lf_get_prompt("p", .label = "x", .fallback_messages = lf_json("[" SYSTEM "," EXAMPLES "]"));
        lf__alloc_fail_from(0);
        missed += p == NULL;
        got += p != NULL;
        if (p != NULL) {
            CHECK(p->is_fallback);
            CHECK_TEXT(p->variables[0], "role");
        }
        lf_prompt_free(p);
    }
    CHECK(missed > 5 && got == 20);
    fake_server_free(server);
}

TEST(refreshing_without_memory_keeps_the_stale_copy)
{
    fake_server *server = start_prompts();
    for (unsigned long n = 1; n < 30; n++) {
        char name[16];
        snprintf(name, sizeof name, "p%lu", n);
        CHECK_GETS(LF_PROMPT_FRESH, 1, name, .cache_ttl_ms = 0);
        lf__alloc_fail_from(n);
        CHECK_GETS(LF_PROMPT_STALE, 1, name, .max_retries = 0);
        CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
        lf__alloc_fail_from(0);
        lf_prompt *p = lf_get_prompt(name);
        CHECK(p != NULL && p->version == 1);
        lf_prompt_free(p);
    }
    CHECK(lf__prompts_settle(HARNESS_WAIT_MS));
    fake_server_free(server);
}

/* What comes out is right or nothing. */
TEST(compiling_without_memory)
{
    static const char history[] = "[{\"role\":\"user\",\"content\":\"Hi {{a}}\",\"n\":1}]";
    static const char expected[] = "[{\"role\":\"s\",\"content\":\"1 {{b}}\"},{\"role\":\"user\",\"content\":\"Hi 1\",\"n\":1}]";
    lf_prompt *p = chat_prompt("[{\"role\":\"s\",\"content\":\"{{a}} {{b}}\"},{\"type\":\"placeholder\",\"name\":\"h\\\"\"}]");
    cJSON *inputs = cJSON_CreateObject();
    cJSON_AddItemToObject(inputs, "h\"", cJSON_Parse(history));
    cJSON_AddNumberToObject(inputs, "a", 1);
    char *text = cJSON_PrintUnformatted(inputs);
    for (int kind = 0; kind < 2; kind++) {
        lf_value value = kind == 0 ? LF_VALUE(inputs) : lf_json(text);
        int got = 0, missed = 0;
        for (unsigned long n = 1; got < 20 && n < ALLOCATIONS; n++) {
            lf__alloc_fail_from(n);
            char *out = lf_prompt_compile(p, .variables = value);
            lf__alloc_fail_from(0);
            if (out != NULL)
                check_same_json(out, expected, __LINE__);
            missed += out == NULL;
            got += out != NULL;
            free(out);
            lf__alloc_fail_from(n);
            cJSON *json = lf_prompt_compile_json(p, .variables = value);
            char *braces = lf_prompt_to_single_braces(p);
            lf__alloc_fail_from(0);
            cJSON_Delete(json);
            free(braces);
        }
        CHECK(missed > 2 && got == 20);
    }
    cJSON_Delete(inputs);
    cJSON_free(text);
    lf_prompt_free(p);
}

TEST(creating_without_memory)
{
    fake_server *server = start_prompts();
    int got = 0, missed = 0;
    for (unsigned long n = 1; got < 20 && n < ALLOCATIONS; n++) {
        lf_error error = {0};
        lf__alloc_fail_from(n);
        lf_prompt *p = lf_create_prompt(.name = "p", .messages = lf_json("[" USER "]"), .tags = LF_TAGS("a"), .error = &error);
        lf_status updated = lf_update_prompt(.name = "p", .version = 1, .new_labels = LF_TAGS("a"));
        lf__alloc_fail_from(0);
        CHECK(p != NULL || error.status != LF_OK);
        CHECK(updated == LF_OK || updated == LF_ERR_MEMORY);
        missed += p == NULL;
        got += p != NULL;
        lf_prompt_free(p);
    }
    CHECK(missed > 5 && got == 20);
    fake_server_free(server);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* one test, or those that match a pattern */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unmatched_braces_stay),
        cmocka_unit_test(variables_are_filled_in),
        cmocka_unit_test(json_goes_in_as_it_is),
        cmocka_unit_test(a_text_prompt_as_messages_and_as_json),
        cmocka_unit_test(variables_are_listed_in_their_order),
        cmocka_unit_test(the_list_of_variables_grows_in_few_steps),
        cmocka_unit_test(placeholders_are_filled_in),
        cmocka_unit_test(what_is_no_message_says_so),
        cmocka_unit_test(all_members_of_given_messages_are_kept),
        cmocka_unit_test(a_placeholder_that_is_not_given_stays),
        cmocka_unit_test(long_histories_fit),
        cmocka_unit_test(messages_of_every_size_stay_whole),
        cmocka_unit_test(what_is_not_filled_in_is_not_rewritten),
        cmocka_unit_test(numbers_that_no_double_holds_leave_errno_alone),
        cmocka_unit_test(single_braces),
        cmocka_unit_test(fallbacks_look_like_prompts),
        cmocka_unit_test(a_chat_comes_from_the_server_with_what_belongs_to_it),
        cmocka_unit_test(creating_says_all_there_is),
        cmocka_unit_test(creating_is_refused_or_fails_with_words),
        cmocka_unit_test(generations_are_linked_to_prompts_but_not_to_fallbacks),
        cmocka_unit_test(getting_without_memory),
        cmocka_unit_test(fallbacks_without_memory),
        cmocka_unit_test(refreshing_without_memory_keeps_the_stale_copy),
        cmocka_unit_test(compiling_without_memory),
        cmocka_unit_test(creating_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
