#include "template.h"

#include "../base/json.h"
#include "../base/value.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_FEW = 64 }; /* names whose values are kept on the stack while a template is filled in: 2 KB */

/* ---- Taking apart ----------------------------------------------------------------------------------------------- */

/* What Python's str.strip takes away. */
static bool template_is_blank(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* The size of the blank at `at`, 0 when there is none. */
static size_t template_blank(const char *at, const char *end)
{
    uint32_t c;
    size_t size = lf__utf8_code_point(at, end, &c);
    return template_is_blank(c) ? size : 0;
}

/* The size of the blank before `end`; blanks have at most three bytes. */
static size_t template_blank_before(const char *start, const char *end)
{
    for (size_t size = 1; size <= 3 && size <= (size_t)(end - start); size++)
        if (template_blank(end - size, end) == size)
            return size;
    return 0;
}

/* Where two `c` stand side by side at or behind `from`; `size` when nowhere. */
static size_t template_pair(const char *text, size_t size, size_t from, char c)
{
    while (from + 1 < size) {
        const char *at = memchr(text + from, c, size - 1 - from);
        if (at == NULL)
            break;
        if (at[1] == c)
            return (size_t)(at - text);
        from = (size_t)(at - text) + 2;
    }
    return size;
}

/* The first variable at or behind `from`. False ends a search: behind an opening pair without a closing one there is no variable,
 * and a search from each place behind it would take time that grows with the square of the size. */
static bool template_next_tag(const char *text, size_t size, size_t from, lf__template_part *tag)
{
    size_t open = template_pair(text, size, from, '{');
    size_t close = open == size ? size : template_pair(text, size, open + 2, '}');
    if (close == size)
        return false;
    const char *name = text + open + 2, *end = text + close;
    size_t blank;
    while (name < end && (blank = template_blank(name, end)) > 0)
        name += blank;
    while (name < end && (blank = template_blank_before(name, end)) > 0)
        end -= blank;
    *tag = (lf__template_part){open, close + 2 - open, (size_t)(name - text), (size_t)(end - name), 0};
    return true;
}

/* Sizes are compared first: most names differ there already. */
static int template_compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    if (a_size != b_size)
        return a_size < b_size ? -1 : 1;
    return a_size == 0 ? 0 : memcmp(a, b, a_size);
}

static int template_compare_names(const void *a, const void *b)
{
    const lf__template_name *left = a, *right = b;
    return template_compare(left->text, left->size, right->text, right->size);
}

static size_t template_name_index(const lf__template *t, const char *name, size_t name_size)
{
    size_t low = 0, high = t->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = template_compare(name, name_size, t->names[middle].text, t->names[middle].size);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return LF__TEMPLATE_LITERAL;
}

static void template_fill_parts(lf__template *t)
{
    lf__template_part tag;
    size_t from = 0;
    for (; template_next_tag(t->text, t->size, from, &tag); from = tag.at + tag.size) {
        if (tag.at > from)
            t->parts[t->count++] = (lf__template_part){from, tag.at - from, 0, 0, LF__TEMPLATE_LITERAL};
        t->parts[t->count++] = tag;
        t->names[t->name_count++] = (lf__template_name){t->text + tag.name_at, tag.name_size};
    }
    if (from < t->size)
        t->parts[t->count++] = (lf__template_part){from, t->size - from, 0, 0, LF__TEMPLATE_LITERAL};
}

static void template_sort_names(lf__template *t)
{
    qsort(t->names, t->name_count, sizeof *t->names, template_compare_names);
    size_t kept = 1;
    for (size_t i = 1; i < t->name_count; i++)
        if (template_compare_names(&t->names[i], &t->names[kept - 1]) != 0)
            t->names[kept++] = t->names[i];
    t->name_count = kept;
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].name != LF__TEMPLATE_LITERAL)
            t->parts[i].name = template_name_index(t, t->text + t->parts[i].name_at, t->parts[i].name_size);
}

/* A literal before each variable and one at the end; the names lie behind the parts. */
static size_t template_parts(size_t tags)
{
    return 2 * tags + 1;
}

static size_t template_size(size_t tags)
{
    return template_parts(tags) * sizeof(lf__template_part) + tags * sizeof(lf__template_name);
}

size_t lf__template_bytes(const lf__template *t)
{
    size_t tags = 0;
    for (size_t i = 0; i < t->count; i++)
        tags += t->parts[i].name != LF__TEMPLATE_LITERAL;
    return t->parts == NULL ? 0 : lf__alloc_cost(template_size(tags));
}

bool lf__template_parse(lf__template *out, const char *text, size_t size)
{
    *out = (lf__template){.text = text, .size = size};
    lf__template_part tag;
    size_t tags = 0;
    for (size_t from = 0; template_next_tag(text, size, from, &tag); from = tag.at + tag.size)
        tags++;
    if (tags == 0)
        return true;
    out->parts = lf__alloc(template_size(tags));
    if (out->parts == NULL)
        return false;
    out->names = (lf__template_name *)(void *)(out->parts + template_parts(tags));
    template_fill_parts(out);
    template_sort_names(out);
    return true;
}

void lf__template_free(lf__template *t)
{
    lf__free(t->parts);
    *t = (lf__template){0};
}

bool lf__template_names(const lf__template *t, size_t *at, const char **name, size_t *name_size)
{
    while (*at < t->count) {
        const lf__template_part *part = &t->parts[(*at)++];
        if (part->name != LF__TEMPLATE_LITERAL) {
            *name = t->text + part->name_at;
            *name_size = part->name_size;
            return true;
        }
    }
    return false;
}

/* ---- Filling in ------------------------------------------------------------------------------------------------- */

/* A walk over the members of an object of any kind. `key` holds a name of JSON text that has escapes. */
typedef struct template_members {
    const lf_value *object;
    size_t at;
    size_t size;        /* of JSON text */
    const cJSON *child; /* the next one of a tree */
    lf__buf key;
} template_members;

/* False: the value is no object. */
static bool template_members_begin(template_members *walk, const lf_value *object)
{
    *walk = (template_members){.object = object};
    lf__buf_init(&walk->key, SIZE_MAX / 2);
    if (object == NULL || lf__value_is_refused(object))
        return false;
    if (object->kind == LF_KIND_OBJECT)
        return true;
    if (object->as.p == NULL)
        return false;
    if (object->kind == LF_KIND_CJSON) {
        walk->child = ((const cJSON *)object->as.p)->child;
        return cJSON_IsObject((const cJSON *)object->as.p);
    }
    if (object->kind != LF_KIND_JSON)
        return false;
    walk->size = lf__value_json_size(object);
    return lf__json_valid(object->as.p, walk->size); /* other JSON has no members */
}

static bool template_next_json_member(template_members *walk, lf__template_name *name, lf_value *value)
{
    lf__json_member member;
    if (!lf__json_next_member(walk->object->as.p, walk->size, &walk->at, &member))
        return false;
    *value = lf_jsonn(member.value, member.value_size);
    *name = (lf__template_name){member.key, member.key_size};
    if (member.key_size > 0 && memchr(member.key, '\\', member.key_size) != NULL) {
        lf__buf_clear(&walk->key);
        if (!lf__json_unescape(&walk->key, member.key, member.key_size))
            return false;
        *name = (lf__template_name){walk->key.data, walk->key.length};
    }
    return true;
}

/* `name` is good until the next call. False: there are no more members, or (walk->key.failed) no memory. */
static bool template_next_member(template_members *walk, lf__template_name *name, lf_value *value)
{
    if (walk->object->kind == LF_KIND_JSON)
        return template_next_json_member(walk, name, value);
    if (walk->object->kind == LF_KIND_CJSON) {
        const cJSON *child = walk->child;
        if (child == NULL)
            return false;
        walk->child = child->next;
        *name = (lf__template_name){child->string, child->string == NULL ? 0 : strlen(child->string)};
        *value = lf_i_make_pointer(LF_KIND_CJSON, child, 0);
        return true;
    }
    const lf_member *members = walk->object->as.p;
    while (members != NULL && walk->at < walk->object->extra) {
        const lf_member *member = &members[walk->at++];
        if (member->name == NULL || member->value.kind == LF_KIND_UNSET)
            continue;
        *name = (lf__template_name){member->name, strlen(member->name)};
        *value = member->value;
        return true;
    }
    return false;
}

bool lf__template_find(const lf_value *variables, const char *name, size_t name_size, lf_value *value)
{
    template_members walk;
    lf__template_name found;
    lf_value candidate;
    bool is_there = false;
    if (template_members_begin(&walk, variables))
        while (template_next_member(&walk, &found, &candidate))
            if (template_compare(found.text, found.size, name, name_size) == 0) {
                *value = candidate;
                is_there = true;
            }
    if (walk.key.failed)
        *value = lf_i_make(LF_KIND_UNSET, 0);
    is_there = is_there && !walk.key.failed;
    lf__buf_done(&walk.key);
    return is_there;
}

/* One value for each name of the template, unset where the variables have none. */
static bool template_look_up(const lf__template *t, template_members *walk, lf_value *values)
{
    lf__template_name name;
    lf_value value;
    while (template_next_member(walk, &name, &value)) {
        size_t i = template_name_index(t, name.text, name.size);
        if (i != LF__TEMPLATE_LITERAL)
            values[i] = value;
    }
    return !walk->key.failed;
}

static void template_write(lf__buf *out, const lf__template *t, const lf_value *values)
{
    for (size_t i = 0; i < t->count && !out->failed; i++) {
        const lf__template_part *part = &t->parts[i];
        if (part->name == LF__TEMPLATE_LITERAL || values[part->name].kind == LF_KIND_UNSET)
            lf__buf_add(out, t->text + part->at, part->size);
        else
            lf__value_python(out, &values[part->name]);
    }
}

static void template_fill_in(lf__buf *out, const lf__template *t, template_members *walk)
{
    lf_value few[TEMPLATE_FEW], *values = few;
    if (t->name_count > TEMPLATE_FEW)
        values = lf__alloc(t->name_count * sizeof *values);
    else
        memset(few, 0, t->name_count * sizeof *values);
    if (values != NULL && template_look_up(t, walk, values))
        template_write(out, t, values);
    else
        out->failed = true;
    if (values != few)
        lf__free(values);
}

bool lf__template_render(lf__buf *out, const lf__template *t, const lf_value *variables)
{
    size_t start = out->length;
    template_members walk;
    if (t->count == 0)
        return lf__buf_add(out, t->text, t->size);
    if (template_members_begin(&walk, variables))
        template_fill_in(out, t, &walk);
    else
        lf__buf_add(out, t->text, t->size);
    lf__buf_done(&walk.key);
    return lf__buf_finish(out, start);
}

/* ---- Single braces ---------------------------------------------------------------------------------------------- */

static bool template_is_word(const char *at, size_t size)
{
    const char *end = at + size;
    while (at < end) {
        uint32_t c;
        size_t step = lf__utf8_code_point(at, end, &c);
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!is_letter && (c < 0x80 || template_is_blank(c)))
            return false;
        at += step;
    }
    return size > 0;
}

/* The size of "{word}" or "{{ word }}" at the beginning of the text (`braces` 1 or 2), and where the word is; 0: it is none. */
static size_t template_word_at(const char *text, size_t size, size_t braces, size_t *word, size_t *word_size)
{
    size_t i = braces;
    if (size <= 2 * braces || memcmp(text, "{{", braces) != 0)
        return 0;
    while (i < size && text[i] != '{' && text[i] != '}')
        i++; /* not past an opening one: the text would be searched to its end from each of them */
    if (size - i < braces || memcmp(text + i, "}}", braces) != 0)
        return 0;
    lf__template_part tag;
    size_t whole = i + braces;
    if (braces == 1) { /* without blanks, as str.format has it */
        *word = 1;
        *word_size = whole - 2;
    } else {
        if (!template_next_tag(text, whole, 0, &tag))
            return 0;
        *word = tag.name_at;
        *word_size = tag.name_size;
    }
    return template_is_word(text + *word, *word_size) ? whole : 0;
}

enum { TEMPLATE_OPEN_MAX = 1024 }; /* braces open at once that are told apart; deeper ones count as single */

/* The braces that are open: pairs "{{" that were doubled before, and single ones. */
typedef struct template_open {
    size_t depth;
    bool is_pair[TEMPLATE_OPEN_MAX];
} template_open;

static bool template_closes_pair(template_open *open)
{
    bool is_single = open->depth > 0 && (open->depth > TEMPLATE_OPEN_MAX || !open->is_pair[open->depth - 1]);
    open->depth -= open->depth > 0;
    return !is_single;
}

static void template_push(template_open *open, bool is_pair)
{
    if (open->depth < TEMPLATE_OPEN_MAX)
        open->is_pair[open->depth] = is_pair;
    open->depth++;
}

bool lf__template_single_braces(lf__buf *out, const char *text, size_t size)
{
    template_open open = {0};
    size_t start = out->length, i = 0, word = 0, word_size = 0, whole;
    while (i < size && !out->failed) {
        const char *at = text + i;
        size_t left = size - i;
        bool twice = left > 1 && at[0] == at[1];
        if (*at != '{' && *at != '}') {
            size_t plain = 1;
            while (plain < left && at[plain] != '{' && at[plain] != '}')
                plain++;
            lf__buf_add(out, at, plain);
            i += plain;
        } else if ((whole = template_word_at(at, left, 2, &word, &word_size)) != 0) {
            lf__buf_add_char(out, '{');
            lf__buf_add(out, at + word, word_size);
            lf__buf_add_char(out, '}');
            i += whole;
        } else if (!(*at == '{' && twice) && (whole = template_word_at(at, left, 1, &word, &word_size)) != 0) {
            lf__buf_add(out, at, whole);
            i += whole;
        } else {
            bool pair = twice && (*at == '{' || template_closes_pair(&open));
            if (*at == '{')
                template_push(&open, pair);
            else if (!twice && open.depth > 0)
                open.depth--;
            lf__buf_add(out, *at == '{' ? "{{" : "}}", 2);
            i += pair ? 2 : 1;
        }
    }
    return lf__buf_finish(out, start);
}
