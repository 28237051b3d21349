#include "fold.h"

#include <stdio.h>
#include <stdlib.h>

/* Far beyond real use: what is more is dropped. */
enum { FOLD_MAX_NODES = 100000, FOLD_MAX_TAGS = 10000, FOLD_MAX_METADATA = 64 << 20 };

/* Fewer members are looked for one by one; more of them through a table. */
enum { FOLD_FEW = 16, FOLD_FIRST_TABLE = 256 };

/* The place of an event among those of its id. Of one batch and one time the first create counts, and the last update. */
typedef struct fold_order {
    int64_t time; /* in half milliseconds: those of updates are odd */
    int64_t arrived_ns, place;
} fold_order;

#define FOLD_NEVER ((fold_order){INT64_MIN, INT64_MIN, INT64_MIN})

typedef struct fold_value {
    fold_order at;
    json_kind kind;
    bool given;
    text text;
} fold_value;

/* A value in metadata. Objects are merged, arrays item by item; a value of another kind replaces what was there before it. */
typedef struct fold_node {
    text key, text;
    fold_order first, scalar, object, array; /* the first mention; the latest of each kind */
    struct fold_node *parent, *children, *next, *older;
    const json *given; /* by the event that is added */
    size_t index, count;
    json_kind kind; /* of the scalar */
} fold_node;

/* Which of several values of a member counts. An absent value says nothing, but for the last two rules. */
typedef enum fold_rule {
    FOLD_DROPPED,
    FOLD_LAST,        /* also null */
    FOLD_LAST_GIVEN,  /* neither null nor an empty object */
    FOLD_LAST_TRUE,   /* nothing that is false in JavaScript */
    FOLD_FIRST_GIVEN, /* not null */
    FOLD_OF_FIRST,    /* of the first event, absent or not */
    FOLD_OF_LAST,     /* of the last event, absent or not */
} fold_rule;

/* Other members of a body are dropped, as by a real server. The first ones are large, and no part of fold_body;
 * spans and events have none of the last ones. */
static const struct fold_member {
    const char *name;
    fold_rule rules[3]; /* of traces, observations, scores */
} fold_members[] = {
    {"input", {FOLD_LAST_TRUE, FOLD_LAST_TRUE, FOLD_DROPPED}},
    {"output", {FOLD_LAST_TRUE, FOLD_LAST_TRUE, FOLD_DROPPED}},
    {"name", {FOLD_LAST, FOLD_LAST, FOLD_LAST}},
    {"environment", {FOLD_OF_FIRST, FOLD_OF_FIRST, FOLD_OF_FIRST}},
    {"traceId", {FOLD_DROPPED, FOLD_FIRST_GIVEN, FOLD_FIRST_GIVEN}},
    {"version", {FOLD_LAST, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"userId", {FOLD_LAST, FOLD_DROPPED, FOLD_DROPPED}},
    {"sessionId", {FOLD_LAST, FOLD_DROPPED, FOLD_LAST}},
    {"release", {FOLD_LAST, FOLD_DROPPED, FOLD_DROPPED}},
    {"public", {FOLD_OF_LAST, FOLD_DROPPED, FOLD_DROPPED}},
    {"timestamp", {FOLD_OF_FIRST, FOLD_DROPPED, FOLD_DROPPED}},
    {"type", {FOLD_DROPPED, FOLD_OF_LAST, FOLD_DROPPED}},
    {"startTime", {FOLD_DROPPED, FOLD_OF_FIRST, FOLD_DROPPED}},
    {"endTime", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"parentObservationId", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"level", {FOLD_DROPPED, FOLD_LAST, FOLD_DROPPED}},
    {"statusMessage", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"value", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"dataType", {FOLD_DROPPED, FOLD_DROPPED, FOLD_OF_LAST}},
    {SCORE_CATEGORY, {FOLD_DROPPED, FOLD_DROPPED, FOLD_OF_LAST}},
    {"comment", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"configId", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"queueId", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"source", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"observationId", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"datasetRunId", {FOLD_DROPPED, FOLD_DROPPED, FOLD_LAST}},
    {"completionStartTime", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"model", {FOLD_DROPPED, FOLD_LAST, FOLD_DROPPED}},
    {"modelParameters", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"usage", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"usageDetails", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"costDetails", {FOLD_DROPPED, FOLD_LAST_GIVEN, FOLD_DROPPED}},
    {"promptName", {FOLD_DROPPED, FOLD_LAST_TRUE, FOLD_DROPPED}},
    {"promptVersion", {FOLD_DROPPED, FOLD_LAST_TRUE, FOLD_DROPPED}},
};

enum { FOLD_MEMBER_COUNT = sizeof fold_members / sizeof *fold_members, FOLD_LARGE_MEMBERS = 2, FOLD_MODEL_MEMBERS = 8 };

struct fold {
    arena *arena;
    event_kind kind;
    text id;
    const event_type *last_type;
    fold_order first, last;
    int64_t created_ns, updated_ns;
    fold_value values[FOLD_MEMBER_COUNT];
    text *tags;
    size_t tag_count, sorted_tags;
    fold_node metadata, *newest; /* of all nodes */
    size_t node_count, metadata_size;
    fold_node **table; /* NULL: no node has many children */
    size_t table_size;
};

static int fold_compare(const fold_order *a, const fold_order *b)
{
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->arrived_ns != b->arrived_ns)
        return a->arrived_ns < b->arrived_ns ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static fold_order fold_order_of(const event *e)
{
    return (fold_order){e->timestamp_ms * 2 + e->type->update, e->arrived_ns, e->type->update ? e->place : -e->place};
}

/* False when `mark` is later. */
static bool fold_raise(fold_order *mark, const fold_order *at)
{
    if (fold_compare(at, mark) < 0)
        return false;
    *mark = *at;
    return true;
}

fold *fold_new(arena *a, event_kind kind, text id)
{
    fold *f = arena_take(a, sizeof *f);
    if (f == NULL)
        return NULL;
    f->arena = a;
    f->kind = kind;
    f->id = arena_copy(a, id);
    f->metadata.key = TEXT("metadata");
    f->metadata.scalar = f->metadata.object = f->metadata.array = FOLD_NEVER;
    return f;
}

/* ---- Members ---- */

static bool fold_is_false(const json *value)
{
    return json_is_null(value) || value->kind == JSON_FALSE || (value->kind == JSON_NUMBER && value->number == 0) ||
           (value->kind == JSON_STRING && value->string.size == 0);
}

static bool fold_says_something(fold_rule rule, const json *value)
{
    switch (rule) {
    case FOLD_DROPPED: return false;
    case FOLD_LAST: return value != NULL;
    case FOLD_LAST_GIVEN: return !json_is_null(value) && (value->kind != JSON_OBJECT || value->first != NULL);
    case FOLD_LAST_TRUE: return !fold_is_false(value);
    case FOLD_FIRST_GIVEN: return !json_is_null(value);
    case FOLD_OF_FIRST:
    case FOLD_OF_LAST: return true;
    }
    return false;
}

/* Strings and the spelling of numbers are copied; what else there is becomes JSON text. */
static text fold_keep(arena *a, const json *value)
{
    return value->kind == JSON_STRING || value->kind == JSON_NUMBER ? arena_copy(a, value->string) : json_text(a, value);
}

static void fold_put(fold *f, size_t index, const fold_order *at, const json *value)
{
    fold_rule rule = fold_members[index].rules[f->kind];
    fold_value *v = &f->values[index];
    bool first_wins = rule == FOLD_FIRST_GIVEN || rule == FOLD_OF_FIRST;
    if (!fold_says_something(rule, value) || (v->given && (fold_compare(at, &v->at) < 0) != first_wins))
        return;
    v->at = *at;
    v->given = true;
    v->kind = value != NULL ? value->kind : JSON_NULL;
    v->text = v->kind != JSON_NULL ? fold_keep(f->arena, value) : TEXT("");
}

/* FOLD_MEMBER_COUNT: there is none. */
static size_t fold_member_of(text name)
{
    size_t index = 0;
    while (index < FOLD_MEMBER_COUNT &&
           (name.size == 0 || *name.at != *fold_members[index].name || !text_is(name, fold_members[index].name)))
        index++;
    return index;
}

/* Of a name that occurs twice the last value counts. */
static void fold_put_members(fold *f, const fold_order *at, const event_type *type, const json *body)
{
    size_t most = event_type_has_model(type) ? FOLD_MEMBER_COUNT : FOLD_MEMBER_COUNT - FOLD_MODEL_MEMBERS;
    const json *values[FOLD_MEMBER_COUNT] = {NULL};
    for (const json *member = body->first; member != NULL; member = member->next) {
        size_t index = fold_member_of(member->key);
        if (index < most)
            values[index] = member;
    }
    for (size_t i = 0; i < FOLD_MEMBER_COUNT; i++)
        fold_put(f, i, at, values[i]);
}

/* ---- Tags ---- */

static int fold_by_text(const void *left, const void *right)
{
    return text_order(*(const text *)left, *(const text *)right);
}

/* Sorted, each once, and the first ones when they are too many. */
static void fold_unite_tags(fold *f)
{
    size_t kept = 0;
    if (f->tag_count > f->sorted_tags)
        qsort(f->tags, f->tag_count, sizeof *f->tags, fold_by_text);
    for (size_t i = 0; i < f->tag_count && kept < FOLD_MAX_TAGS; i++)
        if (kept == 0 || !text_equal(f->tags[i], f->tags[kept - 1]))
            f->tags[kept++] = f->tags[i];
    f->tag_count = f->sorted_tags = kept;
}

/* New ones wait behind those that are sorted until they are as many. */
static void fold_put_tags(fold *f, const json *tags)
{
    for (const json *tag = json_first(tags, JSON_ARRAY); tag != NULL; tag = tag->next) {
        if (tag->kind != JSON_STRING ||
            (f->sorted_tags > 0 && bsearch(&tag->string, f->tags, f->sorted_tags, sizeof *f->tags, fold_by_text) != NULL))
            continue;
        text *added = arena_add(f->arena, &f->tags, sizeof *added, &f->tag_count);
        if (added != NULL)
            *added = arena_copy(f->arena, tag->string);
        if (f->tag_count > 2 * f->sorted_tags + FOLD_FEW)
            fold_unite_tags(f);
    }
}

/* ---- Metadata ---- */

/* The slot that has the child, or is free for it. */
static fold_node **fold_slot(const fold *f, const fold_node *parent, text key)
{
    uint64_t hash = (uintptr_t)parent; /* of another value in each process */
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (uint8_t)key.at[i]) * UINT64_C(0x9E3779B97F4A7C15);
    size_t slot = (size_t)(hash >> 32) & (f->table_size - 1);
    while (f->table[slot] != NULL && (f->table[slot]->parent != parent || !text_equal(f->table[slot]->key, key)))
        slot = (slot + 1) & (f->table_size - 1);
    return &f->table[slot];
}

/* The table has all nodes, and is at most half full. Without one (out of memory) children are looked for one by one. */
static void fold_build_table(fold *f)
{
    size_t size = FOLD_FIRST_TABLE;
    while (size < 4 * f->node_count)
        size *= 2;
    f->table = arena_take(f->arena, size * sizeof *f->table);
    f->table_size = size;
    for (fold_node *node = f->newest; f->table != NULL && node != NULL; node = node->older)
        *fold_slot(f, node->parent, node->key) = node;
}

static fold_node *fold_find(const fold *f, const fold_node *parent, text key)
{
    if (parent->count > FOLD_FEW && f->table != NULL)
        return *fold_slot(f, parent, key);
    for (fold_node *child = parent->children; child != NULL; child = child->next)
        if (text_equal(child->key, key))
            return child;
    return NULL;
}

/* NULL when there are too many, or no memory. */
static fold_node *fold_add_child(fold *f, fold_node *parent, text key)
{
    bool fits = f->node_count < FOLD_MAX_NODES && f->metadata_size + key.size <= FOLD_MAX_METADATA;
    fold_node *child = fits ? arena_take(f->arena, sizeof *child) : NULL;
    if (child == NULL)
        return NULL;
    child->key = arena_copy(f->arena, key);
    child->scalar = child->object = child->array = FOLD_NEVER;
    child->parent = parent;
    child->next = parent->children;
    child->older = f->newest;
    parent->children = f->newest = child;
    parent->count++;
    f->node_count++;
    f->metadata_size += key.size;
    if (f->table != NULL && 2 * f->node_count <= f->table_size)
        *fold_slot(f, parent, key) = child;
    else if (f->table != NULL || parent->count > FOLD_FEW)
        fold_build_table(f);
    return child;
}

static text fold_key_of(const json *parent, const json *member, size_t index, char digits[24])
{
    if (parent->kind == JSON_OBJECT)
        return member->key;
    snprintf(digits, 24, "%zu", index);
    return text_of(digits);
}

/* Of a key that occurs twice the last value counts. */
static void fold_mention(fold *f, fold_node *node, const fold_order *at, const json *parent)
{
    char digits[24];
    size_t index = 0;
    for (const json *member = parent->first; member != NULL; member = member->next, index++) {
        text key = fold_key_of(parent, member, index, digits);
        fold_node *child = fold_find(f, node, key);
        if (child == NULL) {
            if ((child = fold_add_child(f, node, key)) == NULL)
                continue;
            child->first = *at;
            child->index = index;
        } else if (fold_compare(at, &child->first) < 0) {
            child->first = *at;
            child->index = index;
        }
        child->given = member;
    }
}

static void fold_put_scalar(fold *f, fold_node *node, const fold_order *at, const json *value)
{
    size_t size = value->kind == JSON_STRING || value->kind == JSON_NUMBER ? value->string.size : 0;
    if (f->metadata_size - node->text.size + size > FOLD_MAX_METADATA || !fold_raise(&node->scalar, at))
        return;
    f->metadata_size += size - node->text.size;
    node->kind = value->kind;
    node->text = size > 0 ? arena_copy(f->arena, value->string) : TEXT("");
}

static void fold_put_node(fold *f, fold_node *node, const fold_order *at, const json *value)
{
    char digits[24];
    size_t index = 0;
    if (value->kind != JSON_OBJECT && value->kind != JSON_ARRAY) {
        fold_put_scalar(f, node, at, value);
        return;
    }
    fold_raise(value->kind == JSON_OBJECT ? &node->object : &node->array, at);
    fold_mention(f, node, at, value);
    for (const json *member = value->first; member != NULL; member = member->next, index++) {
        fold_node *child = fold_find(f, node, fold_key_of(value, member, index, digits));
        if (child != NULL && child->given == member)
            fold_put_node(f, child, at, member);
    }
}

/* What is no object stands under the key "metadata", an array as its JSON text. */
static void fold_put_metadata(fold *f, const fold_order *at, const json *value)
{
    if (fold_is_false(value))
        return;
    if (value->kind == JSON_OBJECT) {
        fold_put_node(f, &f->metadata, at, value);
        return;
    }
    json member = *value, object = {.kind = JSON_OBJECT, .first = &member};
    member.key = TEXT("metadata");
    member.next = NULL;
    if (value->kind == JSON_ARRAY) {
        member.string = json_text(f->arena, value);
        member.kind = JSON_STRING;
    }
    fold_put_node(f, &f->metadata, at, &object);
}

/* ---- Events ---- */

void fold_add(fold *f, const event *e)
{
    fold_order at = fold_order_of(e);
    bool is_first = f->last_type == NULL;
    if (is_first || fold_compare(&at, &f->first) < 0)
        f->first = at;
    if (is_first || fold_compare(&at, &f->last) > 0) {
        f->last = at;
        f->last_type = e->type;
    }
    if (is_first || e->arrived_ns < f->created_ns)
        f->created_ns = e->arrived_ns;
    if (is_first || e->arrived_ns > f->updated_ns)
        f->updated_ns = e->arrived_ns;
    if (!json_is(e->body, JSON_OBJECT))
        return;
    fold_put_members(f, &at, e->type, e->body);
    fold_put_metadata(f, &at, json_get(e->body, "metadata"));
    if (f->kind == EVENT_TRACE)
        fold_put_tags(f, json_get(e->body, "tags"));
}

/* ---- A copy ---- */

static void fold_copy_node(fold *to, fold_node *into, const fold_node *from)
{
    for (const fold_node *old = from->children; old != NULL; old = old->next) {
        fold_node *copy = arena_take(to->arena, sizeof *copy);
        if (copy == NULL)
            return;
        *copy = *old;
        copy->key = arena_copy(to->arena, old->key);
        copy->text = arena_copy(to->arena, old->text);
        copy->parent = into;
        copy->next = into->children;
        copy->older = to->newest;
        copy->children = NULL;
        into->children = to->newest = copy;
        fold_copy_node(to, copy, old);
    }
}

static void fold_copy_tags(fold *to, const fold *from)
{
    to->tags = NULL;
    to->tag_count = 0;
    for (size_t i = 0; i < from->tag_count; i++) {
        text *added = arena_add(to->arena, &to->tags, sizeof *added, &to->tag_count);
        if (added != NULL)
            *added = arena_copy(to->arena, from->tags[i]);
    }
}

fold *fold_copy(arena *a, const fold *f)
{
    fold *copy = arena_take(a, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *f;
    copy->arena = a;
    copy->id = arena_copy(a, f->id);
    for (size_t i = 0; i < FOLD_MEMBER_COUNT; i++)
        copy->values[i].text = arena_copy(a, f->values[i].text);
    fold_copy_tags(copy, f);
    copy->metadata.children = copy->newest = NULL;
    copy->table = NULL;
    fold_copy_node(copy, &copy->metadata, &f->metadata);
    if (f->table != NULL)
        fold_build_table(copy);
    return copy;
}

void fold_move(fold *f, arena *a)
{
    f->arena = a;
}

/* ---- What counts ---- */

text fold_id(const fold *f)
{
    return f->id;
}

const event_type *fold_last_type(const fold *f)
{
    return f->last_type;
}

int64_t fold_first_ms(const fold *f)
{
    return (f->first.time - (f->first.time & 1)) / 2;
}

int64_t fold_created_ns(const fold *f)
{
    return f->created_ns;
}

int64_t fold_updated_ns(const fold *f)
{
    return f->updated_ns;
}

text fold_text(const fold *f, const char *name)
{
    size_t index = fold_member_of(text_of(name));
    return index < FOLD_MEMBER_COUNT && f->values[index].kind != JSON_NULL ? f->values[index].text : TEXT_NONE;
}

static const json *fold_json(arena *a, const fold_value *v)
{
    json *value = v->kind == JSON_STRING || v->kind == JSON_NULL ? json_new(a, v->kind) : NULL;
    if (value == NULL)
        return json_parse(a, v->text);
    value->string = v->text;
    return value;
}

static int fold_by_mention(const void *left, const void *right)
{
    const fold_node *a = *(const fold_node *const *)left, *b = *(const fold_node *const *)right;
    int order = fold_compare(&a->first, &b->first);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int fold_by_index(const void *left, const void *right)
{
    const fold_node *a = *(const fold_node *const *)left, *b = *(const fold_node *const *)right;
    if (a->key.size != b->key.size) /* shorter numbers are smaller */
        return a->key.size < b->key.size ? -1 : 1;
    return text_order(a->key, b->key);
}

static const fold_order *fold_later(const fold_order *a, const fold_order *b)
{
    return fold_compare(a, b) < 0 ? b : a;
}

static const json *fold_render(arena *a, const fold_node *node, const fold_order *since);

static void fold_render_children(arena *a, const fold_node *node, const fold_order *since, json *into)
{
    json *last = NULL;
    size_t count = 0;
    const fold_node **order = arena_take(a, node->count * sizeof *order);
    for (const fold_node *child = node->children; order != NULL && child != NULL; child = child->next)
        if (fold_compare(fold_later(&child->scalar, fold_later(&child->object, &child->array)), since) > 0)
            order[count++] = child;
    if (count > 1)
        qsort(order, count, sizeof *order, into->kind == JSON_ARRAY ? fold_by_index : fold_by_mention);
    for (size_t i = 0; i < count; i++) {
        const json *value = fold_render(a, order[i], since);
        if (value != NULL)
            json_append(a, into, &last, value);
    }
}

/* The kind that was given last counts. What is older than the last value of another kind went with that. */
static const json *fold_render(arena *a, const fold_node *node, const fold_order *since)
{
    json *value = json_new(a, node->kind);
    bool object_counts = fold_compare(&node->object, &node->array) > 0;
    const fold_order *whole = object_counts ? &node->object : &node->array, *other = object_counts ? &node->array : &node->object;
    if (value == NULL)
        return NULL;
    value->key = node->key;
    value->string = node->text;
    if (fold_compare(&node->scalar, whole) > 0) {
        if (value->kind == JSON_NUMBER)
            text_to_double(node->text, &value->number);
        return value;
    }
    value->kind = object_counts ? JSON_OBJECT : JSON_ARRAY;
    fold_render_children(a, node, fold_later(since, fold_later(&node->scalar, other)), value);
    return value;
}

const json *fold_body(arena *a, fold *f)
{
    json *body = json_new(a, JSON_OBJECT), *last = NULL, list = {.kind = JSON_ARRAY, .key = TEXT("tags")}, *last_tag = NULL;
    for (size_t i = FOLD_LARGE_MEMBERS; i < FOLD_MEMBER_COUNT; i++) {
        if (!f->values[i].given)
            continue;
        const json *value = fold_json(a, &f->values[i]);
        if (value == NULL)
            continue;
        json_append(a, body, &last, value);
        if (last != NULL)
            last->key = text_of(fold_members[i].name);
    }
    if (f->metadata.children != NULL)
        json_append(a, body, &last, fold_render(a, &f->metadata, &FOLD_NEVER));
    fold_unite_tags(f);
    for (size_t i = 0; i < f->tag_count; i++)
        json_append(a, &list, &last_tag, &(json){.kind = JSON_STRING, .string = f->tags[i]});
    json_append(a, body, &last, &list);
    return a->failed || f->arena->failed ? NULL : body;
}
