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

void metadata_put_top(arena *a, metadata *in, const json *object)
{
    size_t index = 0;
    for (const json *member = object->first; member != NULL; member = member->next, index++)
        metadata_put(a, in, metadata_name_of(a, object, member, index), metadata_value_text(a, member, TEXT("null")));
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

/* ---- As before Langfuse 4 ---- */

/* Where a stored key belongs; those of the program stand at the top. */
enum metadata_place {
    METADATA_OWN,
    METADATA_ATTRIBUTES,
    METADATA_RESOURCE,
    METADATA_SCOPE_ATTRIBUTES,
    METADATA_SCOPE,
    METADATA_PLACES
};

static enum metadata_place metadata_place_of(text *key)
{
    static const char *const prefixes[METADATA_PLACES] = {
        [METADATA_ATTRIBUTES] = "attributes.",
        [METADATA_RESOURCE] = "resourceAttributes.",
        [METADATA_SCOPE_ATTRIBUTES] = "scope.attributes.",
        [METADATA_SCOPE] = "scope.",
    };
    for (enum metadata_place place = METADATA_ATTRIBUTES; place < METADATA_PLACES; place++)
        if (text_skip(key, prefixes[place]))
            return place;
    return METADATA_OWN;
}

/* A text that is exactly what another value is written as was that value. */
static void metadata_read_type(arena *a, json *member)
{
    const json *parsed = json_parse(a, member->string);
    if (json_is_null(parsed) || parsed->kind == JSON_STRING || !text_equal(json_text(a, parsed), member->string))
        return;
    member->kind = parsed->kind;
    member->number = parsed->number;
    member->first = parsed->first;
}

/* Stored keys come last one first. */
static void metadata_sort(arena *a, const json *stored, json places[METADATA_PLACES])
{
    for (const json *member = json_first(stored, JSON_OBJECT); member != NULL; member = member->next) {
        json *copy = json_new(a, JSON_STRING);
        if (copy == NULL)
            return;
        copy->key = member->key;
        copy->string = member->string;
        enum metadata_place place = metadata_place_of(&copy->key);
        if (place == METADATA_RESOURCE || place == METADATA_SCOPE_ATTRIBUTES)
            metadata_read_type(a, copy);
        copy->next = places[place].first;
        places[place].first = copy;
    }
}

static void metadata_put_members(buf *out, const json *object)
{
    for (const json *member = object->first; member != NULL; member = member->next) {
        json_put_name(out, member->key);
        json_write(out, member);
    }
}

text metadata_of_before(arena *a, text stored, text own)
{
    json places[METADATA_PLACES] = {0};
    buf out = {0};
    for (size_t i = 0; i < METADATA_PLACES; i++)
        places[i].kind = JSON_OBJECT;
    metadata_sort(a, json_parse(a, stored), places);
    const json *given = own.size > 0 ? json_parse(a, own) : &places[METADATA_OWN];
    buf_char(&out, '{');
    if (json_is(given, JSON_OBJECT))
        metadata_put_members(&out, given);
    if (!text_starts(json_string_at(&places[METADATA_SCOPE], "name"), "langfuse-sdk")) {
        json_put_key(&out, "attributes");
        json_write(&out, &places[METADATA_ATTRIBUTES]);
    }
    json_put_key(&out, "resourceAttributes");
    json_write(&out, &places[METADATA_RESOURCE]);
    json_put_key(&out, "scope");
    buf_char(&out, '{');
    metadata_put_members(&out, &places[METADATA_SCOPE]);
    json_put_key(&out, "attributes");
    json_write(&out, &places[METADATA_SCOPE_ATTRIBUTES]);
    buf_string(&out, "}}");
    return buf_move(&out, a);
}
