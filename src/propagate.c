#include "propagate.h"

#include "json.h"

#include <string.h>

static size_t propagate_characters(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

bool lf__propagated_text(const char *text, size_t size)
{
    return size <= 4 * LF__PROPAGATED_MAX && propagate_characters(text, size) <= LF__PROPAGATED_MAX;
}

bool lf__environment_valid(const char *text, size_t size)
{
    if (size == 0 || size > LF__ENVIRONMENT_MAX || (size >= 8 && memcmp(text, "langfuse", 8) == 0))
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool propagate_is_json(const lf__field *field, char first)
{
    const char *text = lf__field_payload(field);
    return field->kind == LF_KIND_JSON && field->length > 0 && text[0] == first && lf__json_valid(text, field->length);
}

bool lf__propagated_valid(const lf__field *field)
{
    const char *text = lf__field_payload(field);
    if ((field->index & LF__MARK_PROPAGATED) == 0 || field->tag == LF__TAG_ARGUMENT)
        return true;
    switch (field->tag) {
    case LF__TAG_USER_ID:
    case LF__TAG_SESSION_ID:
    case LF__TAG_TRACE_NAME:
    case LF__TAG_VERSION: return field->kind == LF_KIND_STRING && lf__propagated_text(text, field->length);
    case LF__TAG_PROMPT_NAME: return field->kind == LF_KIND_STRING && field->length > 0;
    case LF__TAG_ENVIRONMENT: return field->kind == LF_KIND_STRING && lf__environment_valid(text, field->length);
    case LF__TAG_TRACE_TAGS: return propagate_is_json(field, '[');
    case LF__TAG_TRACE_METADATA: return propagate_is_json(field, '{');
    default: return true;
    }
}
