/* Parts of answers and requests; see answer.h. */
#include "answer.h"
#include "clock.h"

#include <stdio.h>
#include <string.h>

#define MAX_LIMIT 100

/* Values of one parameter: as many as fit into the headers that the HTTP server takes, in any case. */
#define MAX_VALUES 1000

/* With all other filters they fit into one query. */
#define MAX_TAGS 20

void member_text(buf *out, const char *name, text value)
{
    json_put_key(out, name);
    json_put_string(out, value);
}

void member_or_null(buf *out, const char *name, text value)
{
    if (value.at)
        member_text(out, name, value);
    else
        member_raw(out, name, "null");
}

void member_unless_empty(buf *out, const char *name, text value)
{
    member_or_null(out, name, text_unless_empty(value));
}

void member_raw(buf *out, const char *name, const char *value)
{
    json_put_key(out, name);
    buf_string(out, value);
}

void member_json(buf *out, const char *name, text value)
{
    json_put_key(out, name);
    buf_text(out, value);
}

void member_bool(buf *out, const char *name, bool value)
{
    member_raw(out, name, value ? "true" : "false");
}

void member_iso(buf *out, const char *name, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_iso(ms, iso);
    member_text(out, name, text_of(iso));
}

void member_iso_if(buf *out, bool known, const char *name, int64_t ms)
{
    if (known)
        member_iso(out, name, ms);
    else
        member_raw(out, name, "null");
}

void member_number(buf *out, const char *name, double value)
{
    json_put_key(out, name);
    json_put_number(out, value);
}

void member_number_if(buf *out, bool known, const char *name, double value)
{
    if (known)
        member_number(out, name, value);
    else
        member_raw(out, name, "null");
}

void member_seconds_if(buf *out, bool known, const char *name, int64_t from_ms, int64_t to_ms)
{
    member_number_if(out, known, name, known ? (double)(to_ms - from_ms) / 1000 : 0);
}

void answer_put_parsed(buf *out, arena *a, text value)
{
    const json *parsed = json_parse(a, value);
    if (parsed)
        json_write(out, parsed);
    else
        json_put_string(out, value);
}

void member_parsed(buf *out, arena *a, const char *name, text value)
{
    json_put_key(out, name);
    if (value.at)
        answer_put_parsed(out, a, value);
    else
        buf_string(out, "null");
}

void member_metadata(buf *out, arena *a, text stored)
{
    const json *object = json_parse(a, stored);
    json_put_key(out, "metadata");
    buf_char(out, '{');
    for (const json *member = json_first(object, JSON_OBJECT); member; member = member->next) {
        json_put_name(out, member->key);
        if (member->kind == JSON_STRING)
            answer_put_parsed(out, a, member->string);
        else
            json_write(out, member);
    }
    buf_char(out, '}');
}

/* --- parameters --- */

void answer_bad_parameter(http_answer *answer, const char *parameter, const char *details, const char *message)
{
    answer->status = 400;
    buf_format(&answer->body, "{\"message\":\"Invalid request data\",\"error\":[{%s,\"path\":[\"%s\"],\"message\":", details,
               parameter);
    json_put_string(&answer->body, text_of(message));
    buf_string(&answer->body, "}]}");
}

static void refuse_size(http_answer *answer, const char *name, bool big, int64_t bound)
{
    char details[128], message[128];
    snprintf(details, sizeof details, "\"origin\":\"number\",\"code\":\"%s\",\"%s\":%lld,\"inclusive\":true",
             big ? "too_big" : "too_small", big ? "maximum" : "minimum", (long long)bound);
    snprintf(message, sizeof message, "Too %s: expected number to be %s%lld", big ? "big" : "small",
             big ? "<=" : ">=", (long long)bound);
    answer_bad_parameter(answer, name, details, message);
}

bool parameter_number(const http_request *request, const char *name, int64_t least, int64_t most, size_t *out, http_answer *answer)
{
    const char *given = http_query(request, name);
    int64_t value;
    double number;
    if (!given)
        return true;
    if (!text_to_int(text_of(given), &value)) {
        bool fraction = text_to_double(text_of(given), &number);
        answer_bad_parameter(answer, name,
                             fraction ? "\"expected\":\"int\",\"format\":\"safeint\",\"code\":\"invalid_type\""
                                      : "\"expected\":\"number\",\"code\":\"invalid_type\",\"received\":\"NaN\"",
                             fraction ? "Invalid input: expected int, received number"
                                      : "Invalid input: expected number, received NaN");
        return false;
    }
    if (value < least || value > most) {
        refuse_size(answer, name, value > most, value > most ? most : least);
        return false;
    }
    *out = (size_t)value;
    return true;
}

bool parameter_time(const http_request *request, const char *name, int64_t *out_ms, http_answer *answer)
{
    const char *given = http_query(request, name);
    if (!given || clock_parse_any(text_of(given), out_ms))
        return true;
    answer_bad_parameter(answer, name, "\"code\":\"invalid_format\",\"format\":\"datetime\"", "Invalid ISO datetime");
    return false;
}

typedef struct values {
    arena *arena;
    const char *name;
    bool split;
    text *list;
    size_t count;
} values;

static void add_value(values *v, text value)
{
    text *added = v->count < MAX_VALUES ? arena_add(v->arena, &v->list, sizeof *added, &v->count) : NULL;
    if (added)
        *added = value;
}

static void visit_value(void *context, const char *name, const char *value)
{
    values *v = context;
    if (strcmp(name, v->name) != 0)
        return;
    text rest = text_of(value);
    if (!v->split)
        add_value(v, rest);
    while (v->split && rest.at)
        add_value(v, text_trim(text_take(&rest, ",")));
}

text *parameter_values(const http_request *request, arena *a, const char *name, bool split, size_t *out_count)
{
    values v = {.arena = a, .name = name, .split = split};
    http_queries(request, visit_value, &v);
    *out_count = v.count;
    return v.list;
}

bool parameter_tags(const http_request *request, arena *a, const char *name, text **out, size_t *out_count, http_answer *answer)
{
    *out = parameter_values(request, a, name, true, out_count);
    if (*out_count <= MAX_TAGS)
        return true;
    answer_bad_parameter(answer, name, "\"code\":\"custom\"", "langfuse-local takes 20 tags at most.");
    return false;
}

const json *parameter_cursor(arena *a, text encoded)
{
    buf plain = {.ceiling = HTTP_MAX_BODY};
    bool good = buf_from_base64(&plain, encoded);
    text decoded = buf_move(&plain, a);
    return good ? json_parse(a, decoded) : NULL;
}

bool parameter_paging(const http_request *request, size_t default_limit, paging *out, http_answer *answer)
{
    *out = (paging){.page = 1, .limit = default_limit};
    bool good = parameter_number(request, "page", 1, INT32_MAX, &out->page, answer) &&
                parameter_number(request, "limit", 1, MAX_LIMIT, &out->limit, answer);
    out->offset = (out->page - 1) * out->limit;
    return good;
}

void put_paging(buf *out, const paging *p, int64_t total)
{
    int64_t limit = (int64_t)p->limit;
    buf_format(out, "],\"meta\":{\"page\":%zu,\"limit\":%zu,\"totalItems\":%lld,\"totalPages\":%lld}}", p->page, p->limit,
               (long long)total, (long long)((total + limit - 1) / limit));
}
