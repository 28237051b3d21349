/* The words are those of a real server, to the letter. */
#include "issues.h"

#include "clock.h"

#include <math.h>
#include <string.h>

/* The pattern that a real server shows with each date it does not take, escaped as JSON. */
#define ISSUES_DATETIME_PATTERN                                                                                                 \
    "/^(?:(?:\\\\d\\\\d[2468][048]|\\\\d\\\\d[13579][26]|\\\\d\\\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\\\d{4}-"         \
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\\\d|30)|(?:02)-(?:0[1-9]|1\\\\d|2[0-8])))T" \
    "(?:(?:[01]\\\\d|2[0-3]):[0-5]\\\\d(?::[0-5]\\\\d(?:\\\\.\\\\d+)?)?(?:Z|([+-](?:[01]\\\\d|2[0-3]):[0-5]\\\\d)))$/"

/* ---- Writing ---- */

static buf *issues_begin(issues *to)
{
    to->count++;
    json_put_comma(&to->list);
    buf_char(&to->list, '{');
    return &to->list;
}

/* `names` are JSON texts between commas, or nothing. */
static void issues_put_path(issues *to, const char *names)
{
    json_put_key(&to->list, "path");
    buf_char(&to->list, '[');
    if (to->prefix != NULL)
        buf_format(&to->list, "%s%s", to->prefix, *names != '\0' ? "," : "");
    buf_string(&to->list, names);
    buf_char(&to->list, ']');
}

/* A path of one step, or of none for an empty name. */
static void issues_put_step(issues *to, const char *name)
{
    const char *comma = to->prefix != NULL && *name != '\0' ? "," : "", *quote = *name != '\0' ? "\"" : "";
    json_put_key(&to->list, "path");
    if (to->prefix != NULL)
        buf_format(&to->list, "[%s%s%s%s%s]", to->prefix, comma, quote, name, quote);
    else
        buf_format(&to->list, "[%s%s%s]", quote, name, quote);
}

static void issues_end(issues *to, const char *message)
{
    json_put_key(&to->list, "message");
    json_put_string(&to->list, text_of(message));
    buf_char(&to->list, '}');
}

static const char *issues_kind_name(const json *value)
{
    if (value == NULL)
        return "undefined";
    switch (value->kind) {
    case JSON_NULL: return "null";
    case JSON_FALSE:
    case JSON_TRUE: return "boolean";
    case JSON_NUMBER: return "number";
    case JSON_STRING: return "string";
    case JSON_ARRAY: return "array";
    case JSON_OBJECT: break;
    }
    return "object";
}

/* A number that is too large for a double is a number of no use. */
static const char *issues_received(const json *got)
{
    return json_is(got, JSON_NUMBER) && isinf(got->number) ? ",\"received\":\"Infinity\"" : "";
}

void issues_add_type(issues *to, const char *name, const char *expected, const json *got)
{
    to->wrong_type = true;
    buf *out = issues_begin(to);
    buf_format(out, "\"expected\":\"%s\",\"code\":\"invalid_type\"%s", expected,
               strcmp(expected, "number") == 0 ? issues_received(got) : "");
    issues_put_step(to, name);
    buf_format(out, ",\"message\":\"Invalid input: expected %s, received %s\"}", expected, issues_kind_name(got));
}

void issues_add_wrong_object(issues *to, const json *got)
{
    to->wrong_type = true;
    buf_string(issues_begin(to), "\"code\":\"invalid_type\",\"expected\":\"object\"");
    issues_put_step(to, "");
    buf_format(&to->list, ",\"message\":\"Invalid input: expected object, received %s\"}", issues_kind_name(got));
}

void issues_add_short(issues *to, const char *name, unsigned least)
{
    buf *out = issues_begin(to);
    buf_format(out, "\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":%u,\"inclusive\":true", least);
    issues_put_step(to, name);
    buf_format(out, ",\"message\":\"Too small: expected string to have >=%u characters\"}", least);
}

void issues_add_empty(issues *to, const char *name, const char *message)
{
    buf_string(issues_begin(to), "\"origin\":\"string\",\"code\":\"too_small\",\"minimum\":1,\"inclusive\":true");
    issues_put_step(to, name);
    issues_end(to, message);
}

void issues_add_pattern(issues *to, const char *name, const char *pattern, const char *message)
{
    buf_format(issues_begin(to), "\"origin\":\"string\",\"code\":\"invalid_format\",\"format\":\"regex\",\"pattern\":\"%s\"",
               pattern);
    issues_put_step(to, name);
    issues_end(to, message);
}

void issues_add_long(issues *to, const char *name, unsigned most)
{
    buf *out = issues_begin(to);
    buf_format(out, "\"origin\":\"string\",\"code\":\"too_big\",\"maximum\":%u,\"inclusive\":true", most);
    issues_put_step(to, name);
    buf_format(out, ",\"message\":\"Too big: expected string to have <=%u characters\"}", most);
}

void issues_add_option(issues *to, const char *name, const char *const *options)
{
    buf *out = issues_begin(to);
    to->wrong_type = true;
    buf_string(out, "\"code\":\"invalid_value\",\"values\":[");
    for (size_t i = 0; options[i] != NULL; i++)
        buf_format(out, "%s\"%s\"", i > 0 ? "," : "", options[i]);
    buf_char(out, ']');
    issues_put_step(to, name);
    buf_string(out,
               options[1] != NULL ? ",\"message\":\"Invalid option: expected one of " : ",\"message\":\"Invalid input: expected ");
    for (size_t i = 0; options[i] != NULL; i++)
        buf_format(out, "%s\\\"%s\\\"", i > 0 ? "|" : "", options[i]);
    buf_string(out, "\"}");
}

void issues_add_option_or(issues *to, const char *name, const char *const *options, const char *other)
{
    issues first = {0}, second = {0};
    buf *out = issues_begin(to);
    to->wrong_type = true;
    issues_add_option(&first, "", options);
    issues_add_option(&second, "", (const char *const[]){other, NULL});
    buf_string(out, "\"code\":\"invalid_union\",\"errors\":[");
    issues_put_array(&first, out);
    buf_char(out, ',');
    issues_put_array(&second, out);
    buf_char(out, ']');
    issues_put_step(to, name);
    issues_end(to, "Invalid input");
    issues_free(&first);
    issues_free(&second);
}

void issues_add_date(issues *to, const char *name)
{
    to->wrong_type = true;
    buf_string(issues_begin(to), "\"expected\":\"date\",\"code\":\"invalid_type\",\"received\":\"Invalid Date\"");
    issues_put_step(to, name);
    issues_end(to, "Invalid input: expected date, received Date");
}

void issues_add_discriminator(issues *to, const char *name)
{
    buf *out = issues_begin(to);
    to->wrong_type = true;
    buf_format(out, "\"code\":\"invalid_union\",\"errors\":[],\"note\":\"No matching discriminator\",\"discriminator\":\"%s\"",
               name);
    issues_put_step(to, name);
    issues_end(to, "Invalid input");
}

static void issues_put_alternative(buf *out, const char *expected, const json *got)
{
    buf_format(out,
               "[{\"expected\":\"%s\",\"code\":\"invalid_type\"%s,\"path\":[],"
               "\"message\":\"Invalid input: expected %s, received %s\"}]",
               expected, strcmp(expected, "number") == 0 ? issues_received(got) : "", expected, issues_kind_name(got));
}

void issues_add_string_or_number(issues *to, const char *name, const json *got)
{
    buf *out = issues_begin(to);
    to->wrong_type = true;
    buf_string(out, "\"code\":\"invalid_union\",\"errors\":[");
    issues_put_alternative(out, "string", got);
    buf_char(out, ',');
    issues_put_alternative(out, "number", got);
    buf_char(out, ']');
    issues_put_step(to, name);
    issues_end(to, "Invalid input");
}

size_t issues_choose(issues *to, const json *value, issues_shape *const *shapes, size_t count)
{
    issues found[ISSUES_MAX_SHAPES] = {0};
    size_t fits = count, near = count, near_count = 0;
    for (size_t i = 0; i < count && fits == count; i++) {
        shapes[i](value, &found[i]);
        if (found[i].count == 0)
            fits = i;
        if (!found[i].wrong_type) {
            near = i;
            near_count++;
        }
    }
    if (fits == count && near_count == 1) {
        shapes[near](value, to); /* a second time, with the path to the value */
    } else if (fits == count) {
        buf *out = issues_begin(to);
        to->wrong_type = true;
        buf_string(out, "\"code\":\"invalid_union\",\"errors\":[");
        for (size_t i = 0; i < count; i++) {
            json_put_comma(out);
            issues_put_array(&found[i], out);
        }
        buf_char(out, ']');
        issues_put_step(to, "");
        issues_end(to, "Invalid input");
    }
    for (size_t i = 0; i < count; i++)
        issues_free(&found[i]);
    return fits;
}

void issues_add_refined(issues *to, const char *name, text message)
{
    buf_string(issues_begin(to), "\"code\":\"custom\",\"message\":");
    json_put_string(&to->list, message);
    issues_put_step(to, name);
    buf_char(&to->list, '}');
}

void issues_add_custom(issues *to, const char *name, const char *message)
{
    buf_string(issues_begin(to), "\"code\":\"custom\"");
    issues_put_step(to, name);
    issues_end(to, message);
}

void issues_add_custom_path(issues *to, const char *names, const char *message)
{
    buf_string(issues_begin(to), "\"code\":\"custom\"");
    issues_put_path(to, names);
    issues_end(to, message);
}

/* ---- Checks ---- */

bool issues_check_string(issues *to, const json *value, const char *name, bool required)
{
    if (json_is(value, JSON_STRING) || (!required && json_is_null(value)))
        return true;
    issues_add_type(to, name, "string", value);
    return false;
}

bool issues_check_kind(issues *to, const json *value, const char *name, json_kind kind, const char *expected)
{
    if (json_is_null(value) || value->kind == kind)
        return true;
    issues_add_type(to, name, expected, value);
    return false;
}

bool issues_check_datetime(issues *to, const json *value, const char *name, bool required)
{
    int64_t ms;
    if (!issues_check_string(to, value, name, required))
        return false;
    if (json_is_null(value) || clock_parse_any(value->string, &ms))
        return true;
    buf *out = issues_begin(to);
    to->wrong_type = true;
    buf_string(out,
               "\"origin\":\"string\",\"code\":\"invalid_format\",\"format\":\"datetime\",\"pattern\":\"" ISSUES_DATETIME_PATTERN
               "\"");
    issues_put_step(to, name);
    issues_end(to, "Invalid ISO datetime");
    return false;
}

bool issues_check_option(issues *to, const json *value, const char *name, const char *const *options)
{
    if (json_is_null(value))
        return true;
    for (size_t i = 0; value->kind == JSON_STRING && options[i] != NULL; i++)
        if (text_is(value->string, options[i]))
            return true;
    issues_add_option(to, name, options);
    return false;
}

bool issues_check_id(issues *to, const json *value, const char *name, bool required)
{
    size_t before = to->count;
    if (!issues_check_string(to, value, name, required) || json_is_null(value))
        return before == to->count;
    if (value->string.size == 0)
        issues_add_short(to, name, 1);
    if (issues_length(value->string) > ISSUES_MAX_ID)
        issues_add_long(to, name, ISSUES_MAX_ID);
    if (value->string.size > 0 && memchr(value->string.at, '\r', value->string.size) != NULL)
        issues_add_custom(to, name, "ID cannot contain carriage return characters");
    return before == to->count;
}

size_t issues_length(text t)
{
    size_t units = 0;
    for (size_t i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.at[i];
        units += (c & 0xC0) != 0x80; /* the first byte of a character */
        units += c >= 0xF0;          /* such a character needs a pair of units */
    }
    return units;
}

/* ---- Reports ---- */

void issues_put_array(const issues *from, buf *out)
{
    buf_char(out, '[');
    buf_text(out, buf_view(&from->list));
    buf_char(out, ']');
    out->failed |= from->list.failed;
}

void issues_put_pretty(const issues *from, arena *a, buf *out)
{
    buf compact = {0}, pretty = {0};
    issues_put_array(from, &compact);
    const json *list = json_parse(a, buf_move(&compact, a));
    if (list != NULL)
        json_write_pretty(&pretty, list);
    json_put_string(out, buf_move(&pretty, a));
    out->failed |= list == NULL;
}

void issues_free(issues *i)
{
    buf_free(&i->list);
}
