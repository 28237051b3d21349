#include "answer.h"

#include "json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* One line without control characters, cut at the end of a character. */
static void answer_line(char *out, size_t room, const char *text, size_t size)
{
    size_t length = size > room - 1 ? lf__utf8_floor(text, room - 1) : size;
    for (size_t i = 0; i < length; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[length] = '\0';
}

/* ---- Pages -------------------------------------------------------------------------------------------------------- */

static bool answer_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte order mark comes before the blanks, if at all. */
static size_t answer_skip_blanks(const char *body, size_t size)
{
    size_t at = size >= 3 && memcmp(body, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < size && answer_is_blank(body[at]))
        at++;
    return at;
}

/* A protobuf message may begin like a page: a first field of 60 bytes is "\n<" and then the tag of a field in it, which is a
 * control character. */
bool lf__answer_is_page(const char *body, size_t size)
{
    size_t at = answer_skip_blanks(body, size);
    return at < size && body[at] == '<' && (at + 1 == size || (unsigned char)body[at + 1] >= 0x20 || answer_is_blank(body[at + 1]));
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

/* The next bytes, or those of them that are there: the answer may have been cut off. */
static answer_reader answer_take(answer_reader *in, uint64_t size)
{
    size_t left = (size_t)(in->end - in->at);
    answer_reader taken = {in->at, in->at + (size < left ? (size_t)size : left)};
    in->at = taken.end;
    return taken;
}

/* False at the end, and at what is no field. */
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
            answer_line(out->message, sizeof out->message, (const char *)field.bytes.at, (size_t)(field.bytes.end - field.bytes.at));
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

/* A 64-bit number, which is text in this JSON; some write a number. 0 for what is neither. */
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
        answer_line(out->message, sizeof out->message, message, strlen(message));
    cJSON_Delete(json);
}

void lf__answer_read_partial(lf__answer_partial *out, const char *body, size_t size, bool is_json)
{
    *out = (lf__answer_partial){0};
    if (is_json)
        answer_read_json(out, body, size);
    else
        answer_read_protobuf(out, body, size);
}
