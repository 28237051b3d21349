#include "metadata.h"

#include <stdio.h>
#include <string.h>

/* Far beyond real metadata: a hostile request cannot make the buckets long lists. Further keys are dropped. */
enum { METADATA_MAX_KEYS = 10000 };

static size_t metadata_bucket_of(text name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (uint8_t)name.at[i]) * 16777619u;
    return hash % METADATA_BUCKETS;
}

void metadata_put(arena *a, metadata *in, text key, text value)
{
    size_t *bucket = &in->buckets[metadata_bucket_of(key)];
    for (size_t i = *bucket; i > 0; i = in->list[i - 1].next_in_bucket) {
        if (text_equal(in->list[i - 1].key, key)) {
            in->list[i - 1].value = value;
            return;
        }
    }
    metadata_entry *added = in->count < METADATA_MAX_KEYS ? arena_add(a, &in->list, sizeof *added, &in->count) : NULL;
    if (added == NULL)
        return;
    *added = (metadata_entry){key, value, *bucket};
    *bucket = in->count;
}

text metadata_key(arena *a, text prefix, text name)
{
    size_t dot = prefix.size > 0;
    char *result = dot > 0 ? arena_take(a, prefix.size + dot + name.size) : NULL;
    if (result == NULL)
        return name;
    memcpy(result, prefix.at, prefix.size);
    result[prefix.size] = '.';
    if (name.size > 0)
        memcpy(result + prefix.size + dot, name.at, name.size);
    return (text){result, prefix.size + dot + name.size};
}

static text metadata_name_of(arena *a, const json *parent, const json *member, size_t index)
{
    char digits[24];
    if (parent->kind != JSON_ARRAY)
        return member->key;
    snprintf(digits, sizeof digits, "%zu", index);
    return arena_copy(a, text_of(digits));
}

/* Strings as they are, everything else as JSON text. */
static text metadata_value_text(arena *a, const json *value, text null)
{
    if (value->kind == JSON_NULL)
        return null;
    return value->kind == JSON_STRING ? value->string : json_text(a, value);
}

/* Arrays below the top stay JSON text. */
static void metadata_flatten(arena *a, metadata *into, text prefix, const json *object)
{
    size_t index = 0;
    for (const json *member = object->first; member != NULL; member = member->next, index++) {
        text name = metadata_key(a, prefix, metadata_name_of(a, object, member, index));
        if (member->kind == JSON_OBJECT)
            metadata_flatten(a, into, name, member);
        else
            metadata_put(a, into, name, metadata_value_text(a, member, TEXT("")));
    }
}

void metadata_put_json(arena *a, metadata *in, const json *object)
{
    metadata_flatten(a, in, TEXT(""), object);
}

void metadata_put_decoded(arena *a, metadata *in, text key, const json *value)
{
    bool ambiguous = value->kind == JSON_STRING && json_parse(a, value->string) != NULL;
    if (value->kind == JSON_OBJECT)
        metadata_flatten(a, in, key, value);
    else
        metadata_put(a, in, key, ambiguous ? json_text(a, value) : metadata_value_text(a, value, TEXT("null")));
}

void metadata_merge(arena *a, metadata *into, const char *prefix, const metadata *from)
{
    for (size_t i = 0; i < from->count; i++)
        metadata_put(a, into, metadata_key(a, text_of(prefix), from->list[i].key), from->list[i].value);
}

void metadata_write(buf *out, const metadata *from)
{
    for (size_t i = from->count; i-- > 0;) {
        json_put_name(out, from->list[i].key);
        json_put_string(out, from->list[i].value);
    }
}

static void metadata_put_member(arena *a, buf *out, text name, const json *value)
{
    json_put_name(out, name);
    json_put_string(out, metadata_value_text(a, value, TEXT("null")));
}

text metadata_of_json(arena *a, const json *given)
{
    buf out = {0};
    buf_char(&out, '{');
    if (json_is(given, JSON_OBJECT)) {
        for (const json *member = given->first; member != NULL; member = member->next)
            metadata_put_member(a, &out, member->key, member);
    } else if (!json_is_null(given)) {
        metadata_put_member(a, &out, TEXT("metadata"), given);
    }
    buf_char(&out, '}');
    return buf_move(&out, a);
}
