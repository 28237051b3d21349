/* The words are those of a real server, to the letter. */
#include "prompt.h"

#include "member.h"

#include <stdio.h>
#include <string.h>

enum { PROMPT_MAX_LABEL = 36, PROMPT_MAX_COMMIT_MESSAGE = 500 };

/* ---- Checking ---- */

/* <, then anything, then > */
static bool prompt_has_markup(text t)
{
    const char *open = t.size > 0 ? memchr(t.at, '<', t.size) : NULL;
    return open != NULL && memchr(open, '>', t.size - (size_t)(open - t.at)) != NULL;
}

static void prompt_check_trimmed_name(text name, issues *to)
{
    static const char *const pages[] = {"new", "metrics", "prompt-detail"}; /* of the real server's web pages */
    char message[64];
    if (name.size == 0)
        issues_add_custom(to, "name", "Name cannot be empty");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        snprintf(message, sizeof message, "Prompt name cannot be '%s'", pages[i]);
        if (text_is(name, pages[i]))
            issues_add_custom(to, "name", message);
    }
}

/* A line ends before the last character. */
static bool prompt_has_lines(text name)
{
    for (size_t i = 0; i + 1 < name.size; i++) {
        text rest = text_from(name, i);
        bool separator = rest.size > 3 && (text_starts(rest, "\u2028") || text_starts(rest, "\u2029"));
        if (rest.at[0] == '\n' || rest.at[0] == '\r' || separator)
            return true;
    }
    return false;
}

static void prompt_check_name(const json *value, issues *to)
{
    size_t before = to->count;
    if (!issues_check_string(to, value, "name", true))
        return;
    text name = value->string;
    if (name.size == 0)
        issues_add_empty(to, "name", "Text cannot be empty");
    if (prompt_has_markup(name))
        issues_add_custom(to, "name", "Text cannot contain HTML tags");
    if (text_has(name, "|"))
        issues_add_pattern(to, "name", "/^[^|]*$/", "Prompt name cannot contain '|' character");
    if (name.size == 0 || name.at[0] == '/')
        issues_add_pattern(to, "name", "/^[^/]/", "Name cannot start with a slash");
    if (text_has(name, "//"))
        issues_add_pattern(to, "name", "/^(?!.*\\\\/\\\\/)/", "Name cannot contain consecutive slashes");
    if (name.size == 0 || name.at[name.size - 1] == '/' || prompt_has_lines(name))
        issues_add_pattern(to, "name", "/^.*[^/]$/", "Name cannot end with a slash");
    if (to->count == before)
        prompt_check_trimmed_name(text_trim(name), to);
}

static bool prompt_is_label(text label)
{
    for (size_t i = 0; i < label.size; i++)
        if (memchr("abcdefghijklmnopqrstuvwxyz0123456789_-.", label.at[i], 39) == NULL)
            return false;
    return label.size > 0;
}

static void prompt_check_label(const json *value, issues *to)
{
    if (!issues_check_string(to, value, "", true))
        return;
    if (value->string.size == 0)
        issues_add_short(to, "", 1);
    if (issues_length(value->string) > PROMPT_MAX_LABEL)
        issues_add_long(to, "", PROMPT_MAX_LABEL);
    if (!prompt_is_label(value->string))
        issues_add_pattern(to, "", "/^[a-z0-9_\\\\-.]+$/",
                           "Label must be lowercase alphanumeric with optional underscores, hyphens, or periods");
}

static void prompt_check_any_string(const json *value, issues *to)
{
    issues_check_string(to, value, "", true);
}

/* Each item of an array, under its own path. */
static void prompt_check_items(const json *list, const char *name, issues_shape *check, issues *to)
{
    char prefix[64];
    size_t index = 0;
    if (!json_is(list, JSON_ARRAY)) {
        issues_add_type(to, name, "array", list);
        return;
    }
    for (const json *item = list->first; item != NULL; item = item->next) {
        const char *outside = to->prefix;
        snprintf(prefix, sizeof prefix, "\"%s\",%zu", name, index++);
        to->prefix = prefix; /* no list has lists as items */
        check(item, to);
        to->prefix = outside;
    }
}

static void prompt_check_message(const json *value, issues *to)
{
    if (!json_is(value, JSON_OBJECT)) {
        issues_add_type(to, "", "object", value);
        return;
    }
    issues_check_string(to, json_get(value, "role"), "role", true);
    issues_check_string(to, json_get(value, "content"), "content", true);
}

static bool prompt_is_placeholder_name(text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '_')))
            return false;
    }
    return name.size > 0;
}

static void prompt_check_placeholder(const json *value, issues *to)
{
    static const char *const only[] = {"placeholder", NULL};
    const json *name = json_get(value, "name");
    if (!json_is(value, JSON_OBJECT)) {
        issues_add_type(to, "", "object", value);
        return;
    }
    if (!json_is_string(json_get(value, "type"), only[0]))
        issues_add_option(to, "type", only);
    if (issues_check_string(to, name, "name", true) && !prompt_is_placeholder_name(name->string))
        issues_add_pattern(to, "name", "/^[a-zA-Z][a-zA-Z0-9_]*$/",
                           "Placeholder name must start with a letter and contain only alphanumeric characters and underscores");
}

static issues_shape *const prompt_message_shapes[] = {prompt_check_message, prompt_check_placeholder};

static void prompt_check_chat_item(const json *value, issues *to)
{
    issues_choose(to, value, prompt_message_shapes, 2);
}

static void prompt_check_rest(const json *body, issues *to)
{
    const json *tags = json_get(body, "tags"), *message = json_get(body, "commitMessage");
    if (!json_is_null(tags))
        prompt_check_items(tags, "tags", prompt_check_any_string, to);
    if (issues_check_string(to, message, "commitMessage", false) && json_is(message, JSON_STRING) &&
        issues_length(message->string) > PROMPT_MAX_COMMIT_MESSAGE)
        issues_add_long(to, "commitMessage", PROMPT_MAX_COMMIT_MESSAGE);
}

static bool prompt_check_head(const json *body, issues *to)
{
    const json *labels = json_get(body, "labels");
    if (!json_is(body, JSON_OBJECT)) {
        issues_add_type(to, "", "object", body);
        return false;
    }
    prompt_check_name(json_get(body, "name"), to);
    if (labels != NULL)
        prompt_check_items(labels, "labels", prompt_check_label, to);
    return true;
}

static void prompt_check_text_prompt(const json *body, issues *to)
{
    static const char *const only[] = {PROMPT_TEXT, NULL};
    const json *type = json_get(body, "type");
    if (!prompt_check_head(body, to))
        return;
    if (type != NULL && !json_is_string(type, only[0]))
        issues_add_option(to, "type", only);
    issues_check_string(to, json_get(body, "prompt"), "prompt", true);
    prompt_check_rest(body, to);
}

static void prompt_check_chat_prompt(const json *body, issues *to)
{
    static const char *const only[] = {"chat", NULL};
    if (!prompt_check_head(body, to))
        return;
    if (!json_is_string(json_get(body, "type"), only[0]))
        issues_add_option(to, "type", only);
    prompt_check_items(json_get(body, "prompt"), "prompt", prompt_check_chat_item, to);
    prompt_check_rest(body, to);
}

static issues_shape *const prompt_shapes[] = {prompt_check_text_prompt, prompt_check_chat_prompt};

void prompt_check_labels(const json *body, issues *to)
{
    const json *labels = json_get(body, "newLabels");
    if (!json_is(body, JSON_OBJECT)) {
        issues_add_type(to, "", "object", body);
        return;
    }
    prompt_check_items(labels, "newLabels", prompt_check_any_string, to);
    if (!to->wrong_type && prompt_lists(labels, TEXT(PROMPT_LATEST)))
        issues_add_custom(to, "newLabels", "Label 'latest' is always assigned to the latest prompt version");
}

/* ---- What a body says ---- */

/* Only the members that a message and a placeholder have: others are not kept. */
static text prompt_chat_text(arena *a, const json *messages)
{
    buf out = {0};
    buf_char(&out, '[');
    for (const json *m = messages->first; m != NULL; m = m->next) {
        const json *role = json_get(m, "role"), *content = json_get(m, "content");
        bool message = json_is(role, JSON_STRING) && json_is(content, JSON_STRING);
        json_put_comma(&out);
        buf_char(&out, '{');
        member_text(&out, message ? "role" : "name", message ? role->string : json_get(m, "name")->string);
        member_text(&out, message ? "content" : "type", message ? content->string : TEXT("placeholder"));
        buf_char(&out, '}');
    }
    buf_char(&out, ']');
    return buf_move(&out, a);
}

void prompt_check(arena *a, const json *body, issues *problems, prompt *out)
{
    static const json nothing = {.kind = JSON_ARRAY};
    const json *content = json_get(body, "prompt"), *config = json_get(body, "config"), *labels = json_get(body, "labels"),
               *tags = json_get(body, "tags"), *message = json_get(body, "commitMessage");
    size_t shape = issues_choose(problems, body, prompt_shapes, 2);
    if (problems->count > 0)
        return;
    *out = (prompt){.name = text_trim(json_get(body, "name")->string), .type = shape > 0 ? TEXT("chat") : TEXT(PROMPT_TEXT)};
    out->content = shape > 0 ? prompt_chat_text(a, content) : json_text(a, content);
    out->config = json_is_null(config) ? TEXT("{}") : json_text(a, config);
    out->labels = labels != NULL ? labels : &nothing;
    if (!json_is_null(tags))
        out->tags = prompt_join(a, tags, NULL);
    if (json_is(message, JSON_STRING))
        out->commit_message = message->string.size > 0 ? message->string : TEXT("");
}

/* The placeholder of that name, anywhere in the chat. */
static bool prompt_has_placeholder(const json *messages, text name)
{
    for (const json *m = messages->first; m != NULL; m = m->next)
        if (json_is(json_get(m, "name"), JSON_STRING) && text_equal(json_string_at(m, "name"), name))
            return true;
    return false;
}

/* Adds the variables of one message that are placeholders too. */
static void prompt_find_ambiguous(text content, const json *messages, buf *names)
{
    for (text_take(&content, "{{"); content.at; text_take(&content, "{{")) {
        text rest = content, name = text_trim(text_take(&rest, "}}"));
        if (rest.at == NULL || !prompt_has_placeholder(messages, name))
            continue;
        buf_string(names, names->size > 0 ? ", " : "");
        buf_text(names, name);
    }
}

text prompt_ambiguous_names(arena *a, text content)
{
    buf names = {0};
    const json *messages = json_parse(a, content);
    for (const json *m = json_first(messages, JSON_ARRAY); m != NULL; m = m->next)
        prompt_find_ambiguous(json_string_at(m, "content"), messages, &names);
    return buf_move(&names, a);
}

/* ---- Lists of strings ---- */

bool prompt_lists(const json *list, text item)
{
    for (const json *i = json_first(list, JSON_ARRAY); i != NULL; i = i->next)
        if (i->kind == JSON_STRING && text_equal(i->string, item))
            return true;
    return false;
}

const json *prompt_list_of(arena *a, text item)
{
    json *list = json_new(a, JSON_ARRAY), *last = NULL;
    json_append(a, list, &last, &(json){.kind = JSON_STRING, .string = item});
    return list;
}

const json *prompt_join(arena *a, const json *first, const json *second)
{
    const json *const lists[] = {first, second};
    json *both = json_new(a, JSON_ARRAY), *last = NULL;
    for (size_t i = 0; i < 2; i++)
        for (const json *item = json_first(lists[i], JSON_ARRAY); item != NULL; item = item->next)
            if (!prompt_lists(both, item->string))
                json_append(a, both, &last, item);
    return both;
}

const json *prompt_without(arena *a, const json *list, const json *unwanted)
{
    json *rest = json_new(a, JSON_ARRAY), *last = NULL;
    for (const json *item = list->first; item != NULL; item = item->next)
        if (!prompt_lists(unwanted, item->string))
            json_append(a, rest, &last, item);
    return json_count(rest) == json_count(list) ? list : rest;
}

static bool prompt_has_all(const json *list, const json *items)
{
    for (const json *i = json_first(items, JSON_ARRAY); i != NULL; i = i->next)
        if (!prompt_lists(list, i->string))
            return false;
    return true;
}

bool prompt_same_items(const json *left, const json *right)
{
    return prompt_has_all(left, right) && prompt_has_all(right, left);
}

/* ---- JSON ---- */

static void prompt_member_list(buf *out, const char *name, const json *list)
{
    json_put_key(out, name);
    json_write(out, list);
}

static void prompt_member_version(buf *out, int64_t version)
{
    json_put_key(out, "version");
    buf_format(out, "%lld", (long long)version);
}

void prompt_put(buf *out, const prompt *p, prompt_activity activity)
{
    member_text(out, "id", p->id);
    member_iso(out, "createdAt", p->created_ms);
    member_iso(out, "updatedAt", p->updated_ms);
    member_text(out, "projectId", TEXT("local"));
    member_text(out, "createdBy", TEXT("API"));
    member_json(out, "prompt", p->content);
    member_text(out, "name", p->name);
    prompt_member_version(out, p->version);
    member_text(out, "type", p->type);
    if (activity == PROMPT_SAID)
        member_bool(out, "isActive", prompt_lists(p->labels, TEXT(PROMPT_PRODUCTION)));
    else
        member_raw(out, "isActive", "null");
    member_json(out, "config", p->config);
    prompt_member_list(out, "tags", p->tags);
    prompt_member_list(out, "labels", p->labels);
    member_or_null(out, "commitMessage", p->commit_message);
}

static bool prompt_is_first_of_parent(const prompt_graph *g, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (text_equal(g->edges[i].parent_id, g->edges[index].parent_id))
            return false;
    return true;
}

static void prompt_put_children(buf *out, const prompt_graph *g, text parent_id)
{
    json_put_name(out, parent_id);
    buf_char(out, '[');
    for (size_t i = 0; i < g->edge_count; i++) {
        if (!text_equal(g->edges[i].parent_id, parent_id))
            continue;
        json_put_comma(out);
        buf_char(out, '{');
        member_text(out, "id", g->edges[i].child_id);
        member_text(out, "name", g->edges[i].child_name);
        prompt_member_version(out, g->edges[i].child_version);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

void prompt_put_graph(buf *out, const prompt *root, const prompt_graph *g)
{
    json_put_key(out, "resolutionGraph");
    if (g->edge_count == 0) {
        buf_string(out, "null");
        return;
    }
    buf_string(out, "{\"root\":{");
    member_text(out, "name", root->name);
    prompt_member_version(out, root->version);
    member_text(out, "id", root->id);
    buf_string(out, "},\"dependencies\":{");
    for (size_t i = 0; i < g->edge_count; i++)
        if (prompt_is_first_of_parent(g, i))
            prompt_put_children(out, g, g->edges[i].parent_id);
    buf_string(out, "}}");
}
