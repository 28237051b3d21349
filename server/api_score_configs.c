/* Score configs: what scores that name one must be like. Keys and their order are those of a real server. */
#include "api.h"

#include "clock.h"
#include "member.h"
#include "parameter.h"
#include "uuid.h"

#include <string.h>

enum { SCORE_CONFIGS_DEFAULT_LIMIT = 50 };

static void score_configs_put(buf *out, const score_config *c)
{
    buf_char(out, '{');
    member_text(out, "id", c->id);
    member_text(out, "name", c->name);
    member_bool(out, "isArchived", c->is_archived);
    member_or_null(out, "description", c->description);
    member_iso(out, "createdAt", c->created_ms);
    member_iso(out, "updatedAt", c->updated_ms);
    member_text(out, "projectId", TEXT("local"));
    member_number_if(out, c->has_max, "maxValue", c->max);
    member_number_if(out, c->has_min, "minValue", c->min);
    member_text(out, "dataType", c->data_type);
    member_json(out, "categories", c->categories.at != NULL ? c->categories : TEXT("null"));
    buf_char(out, '}');
}

static void score_configs_store(api *server, const arena *memory, const score_config *c, http_answer *answer)
{
    if (!memory->failed && store_put_score_config(server->store, c))
        score_configs_put(&answer->body, c);
    else
        api_failed(answer);
}

static void score_configs_create(api *server, arena *memory, const json *body, http_answer *answer)
{
    char id[UUID_SIZE];
    issues problems = {0};
    score_config_check(body, &problems);
    if (api_refused(answer, &problems))
        return;
    if (!uuid_make(id)) {
        api_failed(answer);
        return;
    }
    score_config c = score_config_from_body(memory, text_of(id), body);
    c.created_ms = c.updated_ms = clock_now_ns() / CLOCK_NS_PER_MS;
    score_configs_store(server, memory, &c, answer);
}

void api_post_score_config(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    const json *body = api_body(server, request, &memory);
    if (body != NULL)
        score_configs_create(server, &memory, body, answer);
    else
        api_plain(answer, 400, "Invalid JSON");
    arena_free(&memory);
}

/* False, with an answer, when there is none. */
static bool score_configs_find(api *server, const http_request *request, arena *memory, score_config *out, http_answer *answer)
{
    bool found;
    text id = text_of(request->path + strlen("/api/public/score-configs/"));
    if (!store_find_score_config(server->store, memory, id, out, &found)) {
        api_failed(answer);
        return false;
    }
    if (!found)
        api_not_found(answer, TEXT("Score config not found within authorized project"));
    return found;
}

void api_get_score_config(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    score_config c;
    if (score_configs_find(server, request, &memory, &c, answer))
        score_configs_put(&answer->body, &c);
    arena_free(&memory);
}

/* What does not fit the type of the config is told in one message, unlike what is wrong with the body alone. */
static bool score_configs_refused(http_answer *answer, arena *a, issues *problems)
{
    buf list = {0}, message = {0};
    bool any = problems->count > 0;
    issues_put_array(problems, &list);
    const json *parsed = any ? json_parse(a, buf_view(&list)) : NULL;
    for (const json *issue = json_first(parsed, JSON_ARRAY); issue != NULL; issue = issue->next) {
        buf_string(&message, message.size > 0 ? ", " : "");
        buf_text(&message, json_string_at(issue, "message"));
    }
    if (any)
        api_invalid(answer, buf_view(&message));
    buf_free(&list);
    buf_free(&message);
    issues_free(problems);
    return any;
}

static void score_configs_change(api *server, const http_request *request, arena *memory, const json *body, http_answer *answer)
{
    issues problems = {0};
    score_config c;
    score_config_check_change(body, &problems);
    if (api_refused(answer, &problems) || !score_configs_find(server, request, memory, &c, answer))
        return;
    problems = (issues){0};
    c = score_config_changed(memory, &c, body);
    c.updated_ms = clock_now_ns() / CLOCK_NS_PER_MS;
    score_config_check_whole(memory, &c, &problems);
    if (!score_configs_refused(answer, memory, &problems))
        score_configs_store(server, memory, &c, answer);
}

void api_patch_score_config(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    const json *body = api_body(server, request, &memory);
    if (body != NULL)
        score_configs_change(server, request, &memory, body, answer);
    else
        api_plain(answer, 400, "Invalid JSON");
    arena_free(&memory);
}

void api_list_score_configs(api *server, const http_request *request, http_answer *answer)
{
    arena memory = {0};
    parameter_page page;
    score_config *list;
    size_t count;
    int64_t total;
    if (parameter_read_page(request, SCORE_CONFIGS_DEFAULT_LIMIT, &page, answer)) {
        bool ok = store_list_score_configs(server->store, &memory, page.limit, page.offset, &list, &count, &total);
        buf_string(&answer->body, "{\"data\":[");
        for (size_t i = 0; ok && i < count; i++) {
            json_put_comma(&answer->body);
            score_configs_put(&answer->body, &list[i]);
        }
        if (ok)
            parameter_put_page(&answer->body, &page, total);
        answer->body.failed |= !ok || memory.failed;
    }
    arena_free(&memory);
}
