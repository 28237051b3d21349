#define _GNU_SOURCE
#include "answer.h"

#include "json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Append to a line, cut at the end of a character: a blank for a control character, a question mark for a byte that is no
 * UTF-8. Returns the line's length. */
static size_t answer_add(char *out, size_t room, size_t length, const char *text, size_t size)
{
    size_t left = room - 1 - length, kept = size > left ? lf__utf8_floor(text, left) : size;
    for (size_t i = 0; i < kept; i++)
        out[length + i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    for (size_t at = 0; (at += lf__utf8_valid_prefix(out + length + at, kept - at)) < kept; at++)
        out[length + at] = '?';
    out[length + kept] = '\0';
    return length + kept;
}

static size_t answer_add_text(char *out, size_t room, size_t length, const char *text)
{
    return answer_add(out, room, length, text, strlen(text));
}

/* ---- Pages -------------------------------------------------------------------------------------------------------- */

static bool answer_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does a text begin so? A byte order mark and blanks may come before. A protobuf message begins alike: a first field of 60 bytes
 * is "\n<", one of 123 bytes is "\n{". Behind it stands the tag of a field in it, which is a control character. */
static bool answer_begins(const char *body, size_t size, char first)
{
    size_t at = size >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < size && answer_is_blank(body[at]))
        at++;
    return at < size && body[at] == first &&
           (at + 1 == size || (unsigned char)body[at + 1] >= 0x20 || answer_is_blank(body[at + 1]));
}

bool lf__answer_is_page(const char *body, size_t size)
{
    return answer_begins(body, size, '<');
}

/* ---- Partial success, as protobuf --------------------------------------------------------------------------------- */

typedef struct answer_reader {
    const uint8_t *at, *end;
} answer_reader;

typedef struct answer_field {
    uint64_t number;
    uint64_t value;      /* of a varint */
    answer_reader bytes; /* of text, or of a message; else empty */
} answer_field;

static bool answer_varint(answer_reader *in, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* The next bytes, or those of them that are there: the answer may be cut off. */
static answer_reader answer_take(answer_reader *in, uint64_t size)
{
    size_t left = (size_t)(in->end - in->at);
    answer_reader taken = {in->at, in->at + (size < left ? (size_t)size : left)};
    in->at = taken.end;
    return taken;
}

/* False at the end, and where no field begins. */
static bool answer_next_field(answer_reader *in, answer_field *field)
{
    enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
    uint64_t tag, size;
    *field = (answer_field){0};
    if (!answer_varint(in, &tag))
        return false;
    field->number = tag >> 3;
    switch (tag & 7) {
    case VARINT: return answer_varint(in, &field->value);
    case FIXED64: (void)answer_take(in, 8); return true;
    case FIXED32: (void)answer_take(in, 4); return true;
    case BYTES:
        if (!answer_varint(in, &size))
            return false;
        field->bytes = answer_take(in, size);
        return true;
    default: return false;
    }
}

/* ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; } */
static void answer_read_success(lf__answer_partial *out, answer_reader in)
{
    answer_field field;
    while (answer_next_field(&in, &field)) {
        if (field.number == 1)
            out->rejected = field.value > INT64_MAX ? 0 : field.value;
        else if (field.number == 2 && field.bytes.at != NULL)
            answer_add(out->message, sizeof out->message, 0, (const char *)field.bytes.at,
                       (size_t)(field.bytes.end - field.bytes.at));
    }
}

/* ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; } */
static void answer_read_protobuf(lf__answer_partial *out, const char *body, size_t size)
{
    answer_reader in = {(const uint8_t *)body, (const uint8_t *)body + size};
    answer_field field;
    while (answer_next_field(&in, &field))
        if (field.number == 1)
            answer_read_success(out, field.bytes);
}

/* ---- Partial success, as JSON ------------------------------------------------------------------------------------- */

/* A 64-bit number, which is text in this JSON; some receivers write a number. 0: it is neither. */
static uint64_t answer_number(const cJSON *json)
{
    if (cJSON_IsNumber(json)) {
        double exact = 9007199254740992.0; /* 2^53 */
        return json->valuedouble >= exact ? (uint64_t)exact : json->valuedouble >= 1 ? (uint64_t)json->valuedouble : 0;
    }
    const char *text = cJSON_GetStringValue(json);
    return text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : 0;
}

static void answer_read_json(lf__answer_partial *out, const char *body, size_t size)
{
    cJSON *json = cJSON_ParseWithLengthOpts(body, size, NULL, 0);
    const cJSON *partial = cJSON_GetObjectItemCaseSensitive(json, "partialSuccess");
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(partial, "errorMessage"));
    out->rejected = answer_number(cJSON_GetObjectItemCaseSensitive(partial, "rejectedSpans"));
    if (message != NULL)
        answer_add_text(out->message, sizeof out->message, 0, message);
    cJSON_Delete(json);
}

void lf__answer_read_partial(lf__answer_partial *out, const char *body, size_t size)
{
    *out = (lf__answer_partial){0};
    if (answer_begins(body, size, '{'))
        answer_read_json(out, body, size);
    else
        answer_read_protobuf(out, body, size);
}

/* ---- Scores ------------------------------------------------------------------------------------------------------- */

/* The number at the beginning of a text. Returns how many digits it has, of at most nine that are looked at. */
static size_t answer_digits(const char *text, size_t size, unsigned *out)
{
    enum { DIGITS_MAX = 9 };
    size_t digits = 0;
    for (*out = 0; digits < size && digits < DIGITS_MAX && text[digits] >= '0' && text[digits] <= '9'; digits++)
        *out = 10 * *out + (unsigned)(text[digits] - '0');
    return digits;
}

/* Of an answer that is cut, or no JSON: what comes first says how many were refused, then why. */
static void answer_read_cut(lf__answer_partial *out, const char *body, size_t size)
{
    lf__json_member member;
    lf__text error;
    for (size_t at = 0; lf__json_next_member(body, size, &at, &member);) {
        unsigned rejected;
        if (lf__json_is(member.key, member.key_size, "rejected") && answer_digits(member.value, member.value_size, &rejected) > 0)
            out->rejected = rejected;
        if (lf__json_is(member.key, member.key_size, "errors") &&
            lf__json_next_item(member.value, member.value_size, &(size_t){0}, &error))
            answer_add(out->message, sizeof out->message, 0, error.at, error.size);
    }
    if (out->rejected == 0)
        answer_add_text(out->message, sizeof out->message, 0, "(an answer that cannot be read)");
}

void lf__answer_read_rejected(lf__answer_partial *out, const char *body, size_t size)
{
    *out = (lf__answer_partial){0};
    cJSON *json = cJSON_ParseWithLengthOpts(body, size, NULL, 0);
    if (json == NULL) {
        if (size > 0)
            answer_read_cut(out, body, size);
        return;
    }
    const cJSON *errors = cJSON_GetObjectItemCaseSensitive(json, "errors"), *error;
    out->rejected = answer_number(cJSON_GetObjectItemCaseSensitive(json, "rejected"));
    size_t length = 0;
    cJSON_ArrayForEach(error, errors) {
        const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "message"));
        if (message == NULL)
            continue;
        length = answer_add_text(out->message, sizeof out->message, length, length == 0 ? "" : "; ");
        length = answer_add_text(out->message, sizeof out->message, length, message);
    }
    cJSON_Delete(json);
}

bool lf__answer_read_version(const char *body, size_t size, unsigned *out_major, unsigned *out_minor)
{
    cJSON *json = cJSON_ParseWithLengthOpts(body, size, NULL, 0);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "version"));
    text = text == NULL ? "" : text + (text[0] == 'v');
    size_t major = answer_digits(text, strlen(text), out_major);
    bool is_whole = text[major] == '\0'; /* "5" */
    size_t minor = is_whole ? 0 : answer_digits(text + major + 1, strlen(text + major + 1), out_minor);
    bool is_version = major > 0 && (is_whole || (text[major] == '.' && minor > 0));
    if (is_whole)
        *out_minor = 0;
    cJSON_Delete(json);
    return is_version;
}

/* ---- Refusals ------------------------------------------------------------------------------------------------------ */

/* The place of an issue: "labels.0: ". */
static size_t answer_add_path(char *out, size_t room, size_t length, const cJSON *path)
{
    enum { STEP_MAX = 30 };
    const cJSON *step;
    cJSON_ArrayForEach(step, path) {
        char text[STEP_MAX + 1];
        if (cJSON_IsNumber(step))
            snprintf(text, sizeof text, "%d", step->valueint);
        else
            snprintf(text, sizeof text, "%.*s", STEP_MAX, cJSON_IsString(step) ? step->valuestring : "?");
        length = answer_add_text(out, room, length, text);
        length = answer_add_text(out, room, length, step->next != NULL ? "." : ": ");
    }
    return length;
}

static size_t answer_add_issue(char *out, size_t room, size_t length, const cJSON *issue)
{
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(issue, "message"));
    if (message == NULL)
        return length;
    const char *content = strcasestr(message, ", received"); /* older validators quote the value */
    length = answer_add_text(out, room, length, ": ");
    length = answer_add_path(out, room, length, cJSON_GetObjectItemCaseSensitive(issue, "path"));
    return answer_add(out, room, length, message, content == NULL ? strlen(message) : (size_t)(content - message));
}

/* A validator's list, also as text, or a sentence. One word is the name of a kind of error, which the message says as well; any
 * other JSON may be the content that was sent. */
static size_t answer_add_detail(char *out, size_t room, size_t length, const cJSON *detail)
{
    if (cJSON_IsArray(detail))
        return answer_add_issue(out, room, length, cJSON_GetArrayItem(detail, 0));
    const char *text = cJSON_GetStringValue(detail);
    if (text == NULL)
        return length;
    cJSON *list = cJSON_Parse(text);
    if (cJSON_IsArray(list)) {
        length = answer_add_issue(out, room, length, cJSON_GetArrayItem(list, 0));
    } else if (list == NULL && strchr(text, ' ') != NULL) {
        length = answer_add_text(out, room, length, ": ");
        length = answer_add_text(out, room, length, text);
    }
    cJSON_Delete(list);
    return length;
}

void lf__answer_text(char *out, size_t room, const char *body, size_t size)
{
    cJSON *json = cJSON_ParseWithLengthOpts(body, size, NULL, 0);
    const cJSON *detail = cJSON_GetObjectItemCaseSensitive(json, "error");
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "message"));
    const char *error = cJSON_GetStringValue(detail);
    if (message != NULL)
        (void)answer_add_detail(out, room, answer_add_text(out, room, 0, message), detail);
    else if (error != NULL)
        (void)answer_add_text(out, room, 0, error);
    else
        (void)answer_add(out, room, 0, body, size);
    cJSON_Delete(json);
}
