/* Prompts: creating versions, reading, listing, moving labels, deleting. Keys, their order and the words of errors are those of
 * a real server. */
#include "api.h"

#include "clock.h"
#include "member.h"
#include "parameter.h"
#include "store_prompts.h"
#include "uuid.h"

#include <string.h>

enum { PROMPTS_DEFAULT_LIMIT = 10 };

/* One request, and what it reads and writes. */
typedef struct prompts_turn {
    store *store;
    arena memory;
    http_answer *answer;
    int64_t now_ms;
} prompts_turn;

/* False, with an answer: the database failed. */
static bool prompts_begin(prompts_turn *t, bool write)
{
    store *used = store_begin(t->store, write);
    if (used == NULL)
        api_failed(t->answer);
    else
        t->store = used;
    return used != NULL;
}

/* Keeps the changes, unless the request failed or was refused. */
static void prompts_end(prompts_turn *t, bool ok)
{
    ok = ok && !t->memory.failed;
    bool refused = t->answer->status >= 400;
    if (!store_end(t->store, ok && !refused) || !ok)
        api_failed(t->answer);
}

static prompts_turn prompts_turn_of(api *server, http_answer *answer)
{
    return (prompts_turn){.store = server->store, .answer = answer, .now_ms = clock_now_ns() / CLOCK_NS_PER_MS};
}

static bool prompts_refuse(prompts_turn *t, unsigned status, text message)
{
    api_message(t->answer, status, message, status == 404 ? "LangfuseNotFoundError" : "InvalidRequestError");
    return true;
}

static void prompts_put_written(http_answer *answer, const prompt *p)
{
    buf_char(&answer->body, '{');
    prompt_put(&answer->body, p, PROMPT_NOT_SAID);
    buf_char(&answer->body, '}');
}

/* ---- Paths and parameters ---- */

#define PROMPTS_PATH "/api/public/v2/prompts/"

/* The first step behind the prefix, decoded, and what stands behind its slash as it was sent; NULL: no slash. The name of a
 * prompt in a folder is one step: a client that leaves its slashes as they are asks for a route that does not exist, as on a
 * real server. */
static bool prompts_name_of(const http_request *request, arena *a, text *out_name, text *out_rest, http_answer *answer)
{
    *out_rest = text_of(request->raw_path);
    if (!text_skip(out_rest, PROMPTS_PATH)) {
        api_not_found(answer, TEXT("Not found"));
        return false;
    }
    if (arena_unescape(a, text_take(out_rest, "/"), out_name))
        return true;
    api_plain(answer, 400, "Bad Request");
    return false;
}

/* For the routes of a name alone. */
static bool prompts_only_name_of(const http_request *request, arena *a, text *out_name, http_answer *answer)
{
    text rest;
    if (!prompts_name_of(request, a, out_name, &rest, answer))
        return false;
    if (text_starts(rest, "versions/"))
        api_wrong_method(answer);
    else if (rest.at != NULL)
        api_not_found(answer, TEXT("Not found"));
    return rest.at == NULL;
}

/* 0 counts as none. */
static bool prompts_read_version_parameter(const http_request *request, int64_t *out, http_answer *answer)
{
    const char *given = http_query(request, "version");
    size_t number = 0;
    *out = 0;
    if (given != NULL && *given == '\0')
        return true;
    if (!parameter_number(request, "version", INT64_MIN, INT64_MAX, &number, answer))
        return false;
    *out = (int64_t)number;
    return true;
}

static bool prompts_read_version_and_label(const http_request *request, int64_t *out_version, text *out_label, http_answer *answer)
{
    const char *label = http_query(request, "label");
    *out_label = label != NULL ? text_of(label) : TEXT_NONE;
    if (!parameter_once(request, "", "version", answer))
        return false;
    if (!prompts_read_version_parameter(request, out_version, answer))
        return false;
    if (*out_version == 0 || out_label->size == 0)
        return true;
    return api_invalid(answer, TEXT("Cannot specify both version and label"));
}

/* ---- References ---- */

static bool prompts_look_up(void *context, arena *a, const prompt_reference *wanted, prompt *out, bool *out_found)
{
    *out_found = false;
    if (wanted->by_version && wanted->version == 0)
        return true;
    return store_find_prompt(context, a, wanted->name, wanted->version, wanted->wanted, out, out_found);
}

static prompt_graph prompts_graph(prompts_turn *t)
{
    return (prompt_graph){.arena = &t->memory, .lookup = prompts_look_up, .context = t->store};
}

/* ---- Reading one ---- */

static bool prompts_refuse_absent(prompts_turn *t, text name, int64_t version, text label)
{
    buf words = {0};
    buf_string(&words, "Prompt not found: '");
    buf_text(&words, name);
    buf_string(&words, version != 0 ? "' with version " : "' with label '");
    if (version != 0)
        buf_format(&words, "%lld", (long long)version);
    else
        buf_text(&words, label);
    buf_string(&words, version != 0 ? "" : "'");
    return prompts_refuse(t, 404, buf_move(&words, &t->memory));
}

/* The prompt with its references replaced, unless the client wants the references. */
static bool prompts_put_resolved(prompts_turn *t, prompt *p, bool resolve)
{
    prompt_graph g = prompts_graph(t);
    text content = resolve ? prompt_resolve(&g, p) : p->content;
    buf *out = &t->answer->body;
    if (g.problem.size > 0) { /* a label was moved or a prompt changed since it was created */
        t->answer->status = 500;
        buf_string(out, "{\"message\":\"Internal Server Error\",\"error\":");
        json_put_string(out, g.problem);
        buf_char(out, '}');
        return true;
    }
    p->content = content;
    buf_char(out, '{');
    prompt_put(out, p, PROMPT_SAID);
    prompt_put_graph(out, p, &g);
    buf_char(out, '}');
    return !g.failed;
}

static bool prompts_answer_prompt(prompts_turn *t, text name, int64_t version, text label, bool resolve)
{
    prompt found;
    bool is_there;
    if (version == 0 && label.size == 0) /* of a label that is given, and empty */
        return prompts_refuse_absent(t, name, version, label);
    if (!store_find_prompt(t->store, &t->memory, name, version, label, &found, &is_there))
        return false;
    return is_there ? prompts_put_resolved(t, &found, resolve) : prompts_refuse_absent(t, name, version, label);
}

static void prompts_read_one(prompts_turn *t, text name, int64_t version, text label, bool resolve)
{
    if (prompts_begin(t, false))
        prompts_end(t, prompts_answer_prompt(t, name, version, label.at != NULL ? label : TEXT(PROMPT_PRODUCTION), resolve));
}

static bool prompts_read_resolve(const http_request *request, bool *out, http_answer *answer)
{
    static const char *const options[] = {"true", "false", NULL};
    const char *given = http_query(request, "resolve");
    const json value = {.kind = given != NULL ? JSON_STRING : JSON_NULL, .string = text_of(given)};
    issues problem = {0};
    *out = !json_is_string(&value, "false");
    issues_check_option(&problem, &value, "resolve", options);
    return !api_refused(answer, &problem);
}

void api_get_prompt(api *server, const http_request *request, http_answer *answer)
{
    prompts_turn t = prompts_turn_of(server, answer);
    text name, label;
    int64_t version;
    bool resolve;
    if (prompts_only_name_of(request, &t.memory, &name, answer) && prompts_read_resolve(request, &resolve, answer) &&
        prompts_read_version_and_label(request, &version, &label, answer))
        prompts_read_one(&t, name, version, label, resolve);
    arena_free(&t.memory);
}

void api_get_old_prompt(api *server, const http_request *request, http_answer *answer)
{
    prompts_turn t = prompts_turn_of(server, answer);
    const char *name = http_query(request, "name");
    int64_t version;
    if (name == NULL)
        parameter_refuse(answer, "name", "\"expected\":\"string\",\"code\":\"invalid_type\"",
                         "Invalid input: expected string, received undefined");
    else if (parameter_once(request, "", "version", answer) && prompts_read_version_parameter(request, &version, answer))
        prompts_read_one(&t, text_of(name), version, TEXT_NONE, true);
    arena_free(&t.memory);
}

/* ---- Labels ---- */

/* Takes the labels from all versions that have them, and gives the versions the tags, unless these are NULL. */
static bool prompts_take_from_others(prompts_turn *t, const prompt *versions, size_t count, const json *labels, const json *tags)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        prompt p = versions[i];
        p.labels = prompt_without(&t->memory, p.labels, labels);
        p.updated_ms = t->now_ms;
        if (tags != NULL && !prompt_same_items(tags, p.tags))
            p.tags = tags;
        if (p.labels != versions[i].labels || p.tags != versions[i].tags)
            ok = !t->memory.failed && store_update_prompt(t->store, &p);
    }
    return ok;
}

static bool prompts_refuse_missing_version(prompts_turn *t, text name, int64_t version)
{
    buf words = {0};
    buf_string(&words, "Prompt '");
    buf_text(&words, name);
    buf_format(&words, "' version %lld not found in project", (long long)version);
    return prompts_refuse(t, 404, buf_move(&words, &t->memory));
}

static bool prompts_move_labels(prompts_turn *t, text name, int64_t version, const json *labels)
{
    prompt *versions, p;
    size_t count, at = 0;
    bool found;
    if (!store_prompt_versions(t->store, &t->memory, name, &versions, &count))
        return false;
    while (at < count && versions[at].version != version)
        at++;
    if (at == count)
        return prompts_refuse_missing_version(t, name, version);
    p = versions[at];
    p.labels = prompt_join(&t->memory, labels, p.labels);
    p.updated_ms = t->now_ms;
    if (t->memory.failed || !prompts_take_from_others(t, versions, count, labels, NULL) || !store_update_prompt(t->store, &p) ||
        !store_find_prompt(t->store, &t->memory, name, version, TEXT(""), &p, &found) || !found)
        return false;
    prompts_put_written(t->answer, &p);
    return true;
}

/* What the database of a real server cannot do. */
static bool prompts_fail(http_answer *answer)
{
    api_message(answer, 500, TEXT("Internal Server Error"), "An unknown error occurred");
    return false;
}

void api_patch_prompt(api *server, const http_request *request, http_answer *answer)
{
    prompts_turn t = prompts_turn_of(server, answer);
    issues problems = {0};
    text name, rest;
    int64_t version;
    if (!prompts_name_of(request, &t.memory, &name, &rest, answer)) {
        arena_free(&t.memory);
        return;
    }
    const json *body = api_body(server, request, &t.memory);
    if (rest.at == NULL)
        api_wrong_method(answer);
    else if (!text_skip(&rest, "versions/") || rest.size == 0 || text_has(rest, "/"))
        api_not_found(answer, TEXT("Not found"));
    else if (body == NULL)
        api_plain(answer, 400, "Invalid JSON");
    else if (text_to_int(rest, &version) || prompts_fail(answer)) {
        prompt_check_labels(body, &problems);
        if (!api_refused(answer, &problems) && prompts_begin(&t, true))
            prompts_end(&t, prompts_move_labels(&t, name, version, json_get(body, "newLabels")));
    }
    arena_free(&t.memory);
}

/* ---- Creating ---- */

/* The code of the escape \uXXXX at the start; negative: there is none. */
static int32_t prompts_escape_of(text rest)
{
    int32_t code = 0;
    if (rest.size < 6 || !text_starts(rest, "\\u"))
        return -1;
    for (size_t i = 2; i < 6; i++) {
        int digit = text_hex_digit(rest.at[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* JSON may say U+0000 and half of a surrogate pair; no text of a real server's database has them. */
static bool prompts_has_no_text(text body)
{
    for (text rest = body; rest.size > 0;) {
        int32_t code = prompts_escape_of(rest);
        int32_t low = code >= 0xD800 && code < 0xDC00 ? prompts_escape_of(text_from(rest, 6)) : 0;
        bool pair = low >= 0xDC00 && low < 0xE000;
        if (code == 0 || (code >= 0xD800 && code < 0xE000 && !pair))
            return true;
        rest = text_from(rest, code >= 0 ? (pair ? 12 : 6) : rest.at[0] == '\\' && rest.size > 1 ? 2 : 1);
    }
    return false;
}

static bool prompts_refuse_ambiguous(prompts_turn *t, text names)
{
    buf words = {0};
    buf_string(&words, "Cannot create prompt, variables and placeholders must be unique, the following are not: ");
    buf_text(&words, names);
    return prompts_refuse(t, 400, buf_move(&words, &t->memory));
}

/* Answers, and returns true, when the text of the prompt is not acceptable. *out_failed: the database failed. */
static bool prompts_refuse_content(prompts_turn *t, const prompt *p, bool *out_failed)
{
    prompt_graph g = prompts_graph(t);
    text names = text_is(p->type, PROMPT_TEXT) ? TEXT("") : prompt_ambiguous_names(&t->memory, p->content);
    *out_failed = false;
    if (names.size > 0)
        return prompts_refuse_ambiguous(t, names);
    prompt_resolve(&g, p);
    *out_failed = g.failed;
    return g.problem.size > 0 && prompts_refuse(t, 400, g.problem);
}

static bool prompts_add_version(prompts_turn *t, prompt *p)
{
    prompt *versions;
    size_t count, reference_count;
    bool broken;
    if (!store_prompt_versions(t->store, &t->memory, p->name, &versions, &count))
        return false;
    const prompt *newest = count > 0 ? &versions[count - 1] : NULL;
    if (newest != NULL && !text_equal(newest->type, p->type))
        return prompts_refuse(t, 400,
                              TEXT("Previous versions have different prompt type. Create a new prompt with a different name."));
    p->version = newest != NULL ? newest->version + 1 : 1;
    if (prompts_refuse_content(t, p, &broken))
        return true;
    p->labels = prompt_join(&t->memory, p->labels, prompt_list_of(&t->memory, TEXT(PROMPT_LATEST)));
    if (p->tags == NULL)
        p->tags = newest != NULL ? newest->tags : prompt_join(&t->memory, NULL, NULL);
    const prompt_reference *references = prompt_references(&t->memory, p->content, &reference_count);
    if (broken || t->memory.failed || !prompts_take_from_others(t, versions, count, p->labels, p->tags) ||
        !store_add_prompt(t->store, p, references, reference_count))
        return false;
    t->answer->status = 201;
    prompts_put_written(t->answer, p);
    return true;
}

void api_post_prompt(api *server, const http_request *request, http_answer *answer)
{
    prompts_turn t = prompts_turn_of(server, answer);
    issues problems = {0};
    prompt p;
    char id[UUID_SIZE];
    const json *body = api_body(server, request, &t.memory);
    if (body == NULL) {
        api_plain(answer, 400, "Invalid JSON");
    } else if (!uuid_make(id)) {
        api_failed(answer);
    } else {
        prompt_check(&t.memory, body, &problems, &p);
        if (!api_refused(answer, &problems) && (!prompts_has_no_text(request->body) || prompts_fail(answer)) &&
            prompts_begin(&t, true)) {
            p.id = text_of(id);
            p.created_ms = p.updated_ms = t.now_ms;
            prompts_end(&t, prompts_add_version(&t, &p));
        }
    }
    arena_free(&t.memory);
}

/* ---- Deleting ---- */

static bool prompts_is_wanted(const prompt *p, int64_t version, text label)
{
    return (version == 0 || p->version == version) && (label.size == 0 || prompt_lists(p->labels, label));
}

/* A reference breaks when its version goes, or the last version that has its label. */
static bool prompts_breaks(const store_dependent *d, const prompt *versions, size_t count, int64_t version, text label)
{
    bool goes = false, stays = false;
    for (size_t i = 0; i < count; i++) {
        bool wanted = prompts_is_wanted(&versions[i], version, label);
        goes |= wanted && versions[i].version == d->version;
        stays |= !wanted && prompt_lists(versions[i].labels, d->wanted);
    }
    return d->version != 0 ? goes : !stays;
}

/* Answers, and returns true, when other prompts refer to the versions that are to be deleted. */
static bool prompts_refuse_referenced(prompts_turn *t, text name, const prompt *versions, size_t count, int64_t version, text label,
                                      bool *out_good)
{
    store_dependent *list;
    size_t list_count;
    buf words = {0};
    *out_good = store_prompt_dependents(t->store, &t->memory, name, &list, &list_count);
    for (size_t i = 0; *out_good && i < list_count; i++) {
        if (!prompts_breaks(&list[i], versions, count, version, label))
            continue;
        buf_string(&words, words.size > 0 ? "\n" : "Other prompts are depending on prompt versions you are trying to delete:\n\n");
        buf_text(&words, list[i].parent_name);
        buf_format(&words, " v%lld depends on ", (long long)list[i].parent_version);
        buf_text(&words, name);
        buf_string(&words, list[i].version != 0 ? " v" : " ");
        buf_text(&words, list[i].wanted);
    }
    if (words.size == 0)
        return false;
    buf_string(&words, "\n\nPlease delete the dependent prompts first.");
    return prompts_refuse(t, 400, buf_move(&words, &t->memory));
}

/* `latest` is always the newest version. */
static bool prompts_move_latest(prompts_turn *t, const prompt *newest)
{
    prompt p = *newest;
    if (prompt_lists(p.labels, TEXT(PROMPT_LATEST)))
        return true;
    p.labels = prompt_join(&t->memory, p.labels, prompt_list_of(&t->memory, TEXT(PROMPT_LATEST)));
    p.updated_ms = t->now_ms;
    return !t->memory.failed && store_update_prompt(t->store, &p);
}

static bool prompts_remove_versions(prompts_turn *t, text name, int64_t version, text label)
{
    prompt *versions, *newest_left = NULL;
    size_t count, wanted = 0;
    bool ok;
    if (!store_prompt_versions(t->store, &t->memory, name, &versions, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        wanted += prompts_is_wanted(&versions[i], version, label);
    if (wanted == 0)
        return prompts_refuse(t, 404, TEXT("Prompt not found"));
    if (prompts_refuse_referenced(t, name, versions, count, version, label, &ok))
        return true;
    for (size_t i = 0; ok && i < count; i++) {
        if (prompts_is_wanted(&versions[i], version, label))
            ok = store_remove_prompt(t->store, versions[i].id);
        else
            newest_left = &versions[i];
    }
    if (ok && newest_left != NULL)
        ok = prompts_move_latest(t, newest_left);
    t->answer->status = 204;
    return ok;
}

void api_delete_prompt(api *server, const http_request *request, http_answer *answer)
{
    prompts_turn t = prompts_turn_of(server, answer);
    text name, label;
    int64_t version;
    if (prompts_only_name_of(request, &t.memory, &name, answer) &&
        prompts_read_version_and_label(request, &version, &label, answer) && prompts_begin(&t, true))
        prompts_end(&t, prompts_remove_versions(&t, name, version, label));
    if (answer->status == 204)
        answer->content_type = NULL;
    arena_free(&t.memory);
}

/* ---- Listing ---- */

static bool prompts_read_list_query(const http_request *request, parameter_page *page, store_prompt_query *query,
                                    http_answer *answer)
{
    *query = (store_prompt_query){.from_ms = INT64_MIN, .to_ms = INT64_MAX};
    query->name = text_of(http_query(request, "name"));
    query->label = text_of(http_query(request, "label"));
    query->tag = text_of(http_query(request, "tag"));
    if (!parameter_once(request, "", "version,page,limit", answer) ||
        !prompts_read_version_parameter(request, &query->version, answer) ||
        !parameter_read_page(request, PROMPTS_DEFAULT_LIMIT, page, answer) ||
        !parameter_time(request, "fromUpdatedAt", &query->from_ms, answer) ||
        !parameter_time(request, "toUpdatedAt", &query->to_ms, answer))
        return false;
    query->limit = page->limit;
    query->offset = page->offset;
    return true;
}

/* Sorted, each once. */
static const json *prompts_labels_of(arena *a, const prompt *versions, size_t count)
{
    const json *all = NULL, *sorted = prompt_join(a, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        all = prompt_join(a, all, versions[i].labels);
    for (;;) {
        const json *next = NULL;
        for (const json *label = all != NULL ? all->first : NULL; label != NULL; label = label->next)
            if (!prompt_lists(sorted, label->string) && (next == NULL || text_order(label->string, next->string) < 0))
                next = label;
        if (next == NULL || a->failed)
            return sorted;
        sorted = prompt_join(a, sorted, prompt_list_of(a, next->string));
    }
}

/* The versions of one name. */
static void prompts_put_name(buf *out, arena *a, const prompt *versions, size_t count)
{
    const prompt *newest = &versions[count - 1];
    int64_t updated_ms = newest->updated_ms;
    buf_char(out, '{');
    member_text(out, "name", newest->name);
    json_put_key(out, "tags");
    json_write(out, newest->tags);
    for (size_t i = 0; i < count; i++)
        updated_ms = versions[i].updated_ms > updated_ms ? versions[i].updated_ms : updated_ms;
    member_iso(out, "lastUpdatedAt", updated_ms);
    json_put_key(out, "versions");
    for (size_t i = 0; i < count; i++)
        buf_format(out, "%c%lld", i > 0 ? ',' : '[', (long long)versions[i].version);
    buf_char(out, ']');
    json_put_key(out, "labels");
    const json *labels = prompts_labels_of(a, versions, count);
    if (labels != NULL)
        json_write(out, labels);
    member_text(out, "type", newest->type);
    member_json(out, "lastConfig", newest->config);
    buf_char(out, '}');
}

static void prompts_put_page(buf *out, const char *name, const parameter_page *page, int64_t total)
{
    int64_t limit = (int64_t)page->limit;
    buf_format(out, ",\"%s\":{\"page\":%zu,\"limit\":%zu,\"totalPages\":%lld,\"totalItems\":%lld}", name, page->number, page->limit,
               (long long)((total + limit - 1) / limit), (long long)total);
}

static bool prompts_put_list(prompts_turn *t, const store_prompt_query *query, const parameter_page *page)
{
    prompt *versions;
    size_t count, first = 0;
    int64_t total;
    buf *out = &t->answer->body;
    if (!store_list_prompts(t->store, &t->memory, query, &versions, &count, &total))
        return false;
    buf_string(out, "{\"data\":[");
    for (size_t i = 1; i <= count; i++) {
        if (i < count && text_equal(versions[i].name, versions[first].name))
            continue;
        json_put_comma(out);
        prompts_put_name(out, &t->memory, &versions[first], i - first);
        first = i;
    }
    buf_char(out, ']');
    prompts_put_page(out, "meta", page, total);
    prompts_put_page(out, "pagination", page, total); /* the same under an older name */
    buf_char(out, '}');
    return true;
}

void api_list_prompts(api *server, const http_request *request, http_answer *answer)
{
    prompts_turn t = prompts_turn_of(server, answer);
    parameter_page page;
    store_prompt_query query;
    if (prompts_read_list_query(request, &page, &query, answer) && prompts_begin(&t, false))
        prompts_end(&t, prompts_put_list(&t, &query, &page));
    arena_free(&t.memory);
}
