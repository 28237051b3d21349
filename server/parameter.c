#include "parameter.h"

#include "clock.h"
#include "js_date.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

enum { PARAMETER_MAX_LIMIT = 100 };

/* Values of one parameter: as many as fit into the headers that the HTTP server takes, in any case. */
enum { PARAMETER_MAX_VALUES = 1000 };

/* More than any route has. */
enum { PARAMETER_MAX_NAMES = 64 };

/* With all other filters they fit into one query. */
enum { PARAMETER_MAX_TAGS = 20 };

bool parameter_refuse(http_answer *answer, const char *parameter, const char *details, const char *message)
{
    answer->status = 400;
    buf_format(&answer->body, "{\"message\":\"Invalid request data\",\"error\":[{%s,\"path\":[\"%s\"],\"message\":", details,
               parameter);
    json_put_string(&answer->body, text_of(message));
    buf_string(&answer->body, "}]}");
    return false;
}

static bool parameter_refuse_size(http_answer *answer, const char *name, bool big, int64_t bound)
{
    char details[128], message[128];
    snprintf(details, sizeof details, "\"origin\":\"number\",\"code\":\"%s\",\"%s\":%lld,\"inclusive\":true",
             big ? "too_big" : "too_small", big ? "maximum" : "minimum", (long long)bound);
    snprintf(message, sizeof message, "Too %s: expected number to be %s%lld", big ? "big" : "small",
             big ? "<=" : ">=", (long long)bound);
    return parameter_refuse(answer, name, details, message);
}

bool parameter_number(const http_request *request, const char *name, int64_t least, int64_t most, size_t *out, http_answer *answer)
{
    const char *given = http_query(request, name);
    int64_t value;
    double number;
    if (given == NULL || *given == '\0')
        return true;
    if (!text_to_int(text_of(given), &value)) {
        bool fraction = text_to_double(text_of(given), &number);
        return parameter_refuse(answer, name,
                                fraction ? "\"expected\":\"int\",\"format\":\"safeint\",\"code\":\"invalid_type\""
                                         : "\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"NaN\"",
                                fraction ? "Invalid input: expected int, received number"
                                         : "Invalid input: expected number, received NaN");
    }
    if (value < least || value > most)
        return parameter_refuse_size(answer, name, value > most, value > most ? most : least);
    *out = (size_t)value;
    return true;
}

bool parameter_time(const http_request *request, const char *name, int64_t *out_ms, http_answer *answer)
{
    const char *given = http_query(request, name);
    if (given == NULL || clock_parse_any(text_of(given), out_ms))
        return true;
    return parameter_refuse(answer, name, "\"code\":\"invalid_format\",\"format\":\"datetime\"", "Invalid ISO datetime");
}

/* An empty text counts as absent. */
bool parameter_date(const http_request *request, const char *name, int64_t *out_ms, http_answer *answer)
{
    text given = text_of(http_query(request, name));
    if (given.size == 0 || js_date_parse(given, out_ms))
        return true;
    return parameter_refuse(answer, name, "\"expected\":\"date\",\"code\":\"invalid_type\",\"received\":\"Invalid Date\"",
                            "Invalid input: expected date, received Date");
}

typedef struct parameter_names {
    const char *repeated;
    const char *list[PARAMETER_MAX_NAMES];
    size_t count;
    const char *twice; /* the first that is there again */
} parameter_names;

static void parameter_visit_name(void *context, const char *name, const char *value)
{
    parameter_names *names = context;
    size_t i = 0;
    (void)value;
    if (names->twice != NULL || text_lists(text_of(names->repeated), text_of(name)))
        return;
    while (i < names->count && strcmp(names->list[i], name) != 0)
        i++;
    if (i < names->count)
        names->twice = name;
    else if (names->count < PARAMETER_MAX_NAMES)
        names->list[names->count++] = name;
}

bool parameter_once(const http_request *request, const char *repeated, const char *numbers, http_answer *answer)
{
    parameter_names names = {.repeated = repeated};
    http_queries(request, parameter_visit_name, &names);
    if (names.twice == NULL)
        return true;
    if (text_lists(text_of(numbers), text_of(names.twice)))
        return parameter_refuse(answer, names.twice, "\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"NaN\"",
                                "Invalid input: expected number, received NaN");
    return parameter_refuse(answer, names.twice, "\"expected\":\"string\",\"code\":\"invalid_type\"",
                            "Invalid input: expected string, received array");
}

typedef struct parameter_list {
    arena *arena;
    const char *name;
    bool split;
    text *list;
    size_t count;
} parameter_list;

static void parameter_add_value(parameter_list *v, text value)
{
    text *added = v->count < PARAMETER_MAX_VALUES ? arena_add(v->arena, &v->list, sizeof *added, &v->count) : NULL;
    if (added != NULL)
        *added = value;
}

static void parameter_visit_value(void *context, const char *name, const char *value)
{
    parameter_list *v = context;
    if (strcmp(name, v->name) != 0)
        return;
    text rest = text_of(value);
    if (!v->split)
        parameter_add_value(v, rest);
    while (v->split && rest.at != NULL)
        parameter_add_value(v, text_trim(text_take(&rest, ",")));
}

text *parameter_values(const http_request *request, arena *a, const char *name, bool split, size_t *out_count)
{
    parameter_list v = {.arena = a, .name = name, .split = split};
    http_queries(request, parameter_visit_value, &v);
    *out_count = v.count;
    return v.list;
}

const json *parameter_json(const http_request *request, arena *a, const char *name)
{
    size_t count;
    const text *values = parameter_values(request, a, name, false, &count);
    json *list = json_new(a, JSON_ARRAY), *last = NULL;
    for (size_t i = 0; i < count; i++)
        json_append(a, list, &last, &(json){.kind = JSON_STRING, .string = values[i]});
    return count == 1 ? last : count > 1 ? list : NULL;
}

text *parameter_environments(const http_request *request, arena *a, size_t *out_count)
{
    text *values = parameter_values(request, a, "environment", false, out_count);
    return *out_count == 1 ? parameter_values(request, a, "environment", true, out_count) : values;
}

bool parameter_tags(const http_request *request, arena *a, const char *name, text **out, size_t *out_count, http_answer *answer)
{
    *out = parameter_values(request, a, name, true, out_count);
    if (*out_count <= PARAMETER_MAX_TAGS)
        return true;
    return parameter_refuse(answer, name, "\"code\":\"custom\"", "langfuse-local takes 20 tags at most.");
}

const json *parameter_cursor(arena *a, text encoded)
{
    buf plain = {.ceiling = HTTP_MAX_BODY};
    bool ok = buf_from_base64(&plain, encoded);
    text decoded = buf_move(&plain, a);
    return ok ? json_parse(a, decoded) : NULL;
}

bool parameter_read_page(const http_request *request, size_t default_limit, parameter_page *out, http_answer *answer)
{
    *out = (parameter_page){.number = 1, .limit = default_limit};
    bool ok = parameter_number(request, "page", 1, INT32_MAX, &out->number, answer) &&
              parameter_number(request, "limit", 1, PARAMETER_MAX_LIMIT, &out->limit, answer);
    out->offset = (out->number - 1) * out->limit;
    return ok;
}

void parameter_put_page(buf *out, const parameter_page *page, int64_t total)
{
    int64_t limit = (int64_t)page->limit;
    buf_format(out, "],\"meta\":{\"page\":%zu,\"limit\":%zu,\"totalItems\":%lld,\"totalPages\":%lld}}", page->number, page->limit,
               (long long)total, (long long)((total + limit - 1) / limit));
}
