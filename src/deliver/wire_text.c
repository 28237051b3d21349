#include "wire_text.h"

#include "../base/json.h"
#include "../base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t lf__wire_time(char out[LF__WIRE_TIME_SIZE], uint64_t wall_ns)
{
    uint64_t micros = wall_ns / 1000, days = micros / 86400000000u, second = micros / 1000000 % 86400;
    /* Civil date from days since 1970, counted in years that begin in March, so that the leap day comes last. */
    uint64_t z = days + 719468, era = z / 146097, day_of_era = z % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t march = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * march + 2) / 5 + 1;
    uint64_t month = march < 10 ? march + 3 : march - 9, year = year_of_era + era * 400 + (month <= 2);
    int size = snprintf(out, LF__WIRE_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)year, (unsigned)month,
                        (unsigned)day, (unsigned)(second / 3600), (unsigned)(second / 60 % 60), (unsigned)(second % 60),
                        (unsigned)(micros % 1000000));
    return size > 0 ? (size_t)size : 0;
}

const char *lf__wire_type_name(lf_type type)
{
    static const char *const names[] = {
        [LF_TYPE_DEFAULT] = "span",   [LF_SPAN] = "span",           [LF_GENERATION] = "generation", [LF_EVENT] = "event",
        [LF_AGENT] = "agent",         [LF_TOOL] = "tool",           [LF_CHAIN] = "chain",           [LF_RETRIEVER] = "retriever",
        [LF_EVALUATOR] = "evaluator", [LF_EMBEDDING] = "embedding", [LF_GUARDRAIL] = "guardrail",
    };
    return names[(size_t)type < sizeof names / sizeof *names ? type : LF_SPAN];
}

const char *lf__wire_level_name(lf_level level)
{
    static const char *const names[] = {
        [LF_LEVEL_DEBUG] = "DEBUG",
        [LF_LEVEL_DEFAULT] = "DEFAULT",
        [LF_LEVEL_WARNING] = "WARNING",
        [LF_LEVEL_ERROR] = "ERROR",
    };
    return (size_t)level < sizeof names / sizeof *names ? names[level] : NULL;
}

bool lf__wire_is_id(const char *text, size_t size)
{
    enum { MAX = 800 }; /* the server refuses longer ones, and carriage returns */
    return size > 0 && size <= MAX && memchr(text, '\r', size) == NULL && lf__utf8_valid_prefix(text, size) == size;
}

int64_t lf__wire_int(const lf__field *field)
{
    int64_t value = 0;
    bool is_int = field != NULL && (field->kind == LF_KIND_INT || field->kind == LF_KIND_UINT || field->kind == LF_KIND_BOOL);
    if (is_int && field->length >= sizeof value)
        memcpy(&value, lf__field_payload(field), sizeof value);
    return value;
}

const lf__field *lf__wire_prompt_version(const lf__view *view)
{
    const lf__field *version = view->last[LF__TAG_PROMPT_VERSION], *name = view->last[LF__TAG_PROMPT_NAME];
    bool of_another = version != NULL && lf__is_propagated(version) && (name == NULL || !lf__is_propagated(name));
    return of_another ? NULL : version;
}

lf__text lf__wire_model(const lf__view *view)
{
    const lf__field *model = view->last[LF__TAG_MODEL];
    bool is_text = model != NULL && model->kind == LF_KIND_STRING;
    return is_text ? (lf__text){lf__field_payload(model), model->length} : (lf__text){NULL, 0};
}

const char *lf__wire_incomplete(const lf__record *record, const char **message)
{
    if ((record->flags & LF__FLAG_INTERRUPTED) != 0) {
        *message = "still open when the process exited";
        return "interrupted";
    }
    if ((record->flags & LF__FLAG_ABANDONED) != 0) {
        *message = "scope was left without ending";
        return "abandoned";
    }
    return NULL;
}

void lf__wire_pieces(lf__buf *out, const lf__view *view)
{
    const lf__field *piece = view->last[LF__TAG_OUTPUT];
    while ((piece = lf__view_next_of(view, LF__TAG_OUTPUT_PIECE, piece)) != NULL)
        lf__buf_add(out, lf__field_payload(piece), piece->length);
}

/* ---- Metadata --------------------------------------------------------------------------------------------------- */

/* By key, then by order. */
static int wire_compare_members(const void *left, const void *right)
{
    const lf__wire_member *a = left, *b = right;
    int keys = memcmp(a->key, b->key, a->key_size < b->key_size ? a->key_size : b->key_size);
    if (keys != 0)
        return keys;
    if (a->key_size != b->key_size)
        return a->key_size < b->key_size ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void wire_collect(lf__buf *scratch, lf__wire_member member)
{
    member.order = scratch->length;
    lf__buf_add(scratch, &member, sizeof member);
}

static void wire_collect_object(lf__buf *scratch, const lf__field *object)
{
    bool propagated = lf__is_propagated(object);
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(lf__field_payload(object), object->length, &at, &member);)
        if (member.value[0] != 'n' && (!propagated || lf__propagated_json(member.value, member.value_size)))
            wire_collect(scratch, (lf__wire_member){member.key, member.key_size, member.value, member.value_size,
                                                    .as_text = propagated && member.value[0] != '"'});
}

/* Replace raw keys by unescaped ones behind the prefix, which are written behind the members. No pointer into the buffer may
 * be kept before its last growth, so room for all keys, and for the longest value, is made at once; unescaping valid JSON
 * never makes it longer. */
static bool wire_finish_keys(lf__buf *scratch, size_t count, const char *prefix)
{
    size_t prefix_size = strlen(prefix), room = count * prefix_size, longest = 0;
    const lf__wire_member *raw = (const lf__wire_member *)(const void *)scratch->data;
    for (size_t i = 0; i < count; i++) {
        room += raw[i].key_size;
        longest = raw[i].value_size > longest ? raw[i].value_size : longest;
    }
    if (lf__buf_reserve(scratch, room + longest) == NULL)
        return false;
    lf__wire_member *members = (lf__wire_member *)(void *)scratch->data;
    for (size_t i = 0; i < count; i++) {
        size_t start = scratch->length;
        lf__buf_add(scratch, prefix, prefix_size);
        lf__json_unescape(scratch, members[i].key, members[i].key_size);
        members[i].key = scratch->data + start;
        members[i].key_size = scratch->length - start;
    }
    return !scratch->failed;
}

/* Sort, and keep the last of equal keys. Returns how many are left. */
static size_t wire_merge(lf__wire_member *members, size_t count)
{
    size_t kept = 0;
    qsort(members, count, sizeof *members, wire_compare_members);
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count || members[i].key_size != members[i + 1].key_size ||
                    memcmp(members[i].key, members[i + 1].key, members[i].key_size) != 0;
        if (last)
            members[kept++] = members[i];
    }
    return kept;
}

bool lf__wire_metadata_read(lf__wire_metadata *metadata, lf__buf *scratch, const lf__view *view, lf__tag tag,
                            const char *key_prefix, const lf__wire_member *extras, size_t extra_count)
{
    *metadata = (lf__wire_metadata){0};
    lf__buf_clear(scratch);
    for (const lf__field *field = NULL; view->last[tag] != NULL && (field = lf__view_next_of(view, tag, field)) != NULL;) {
        if (lf__field_is_json(field, '{'))
            wire_collect_object(scratch, field);
        else
            metadata->whole = field;
    }
    for (size_t i = 0; i < extra_count; i++)
        wire_collect(scratch, extras[i]);
    size_t count = scratch->length / sizeof(lf__wire_member);
    if (scratch->failed || count == 0)
        return !scratch->failed;
    if (!wire_finish_keys(scratch, count, key_prefix))
        return false;
    metadata->members = (lf__wire_member *)(void *)scratch->data;
    metadata->count = wire_merge(metadata->members, count);
    return true;
}
