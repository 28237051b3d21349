/* JSON text with an index of its values (lf__json_index), for reading members by name. The memory of the index is used again for the
 * next text. Pure.
 */
#ifndef LF_SRC_TREE_H
#define LF_SRC_TREE_H

#include "../base/json.h"

enum {
    LF__TREE_NODES_MAX = 256 << 10, /* 6 MiB; a text with more values is not read */
    LF__TREE_ESCAPE = 6 /* bytes of the escape of a letter */
};

typedef struct lf__tree {
    const char *text;
    lf__json_node *nodes; /* the first one is the whole */
    size_t count, room;
    bool was_full; /* the last text had too many values, or there was no memory for them */
} lf__tree;

/* A place in a tree; node NULL: there is none. Every reader takes one. */
typedef struct lf__item {
    const lf__tree *tree;
    const lf__json_node *node;
} lf__item;

/* Index a text, which stays the caller's. False: it is no JSON, has too many values, or there is no memory. */
bool lf__tree_read(lf__tree *tree, lf__text text);
void lf__tree_done(lf__tree *tree);

static inline lf__item lf__tree_root(const lf__tree *tree)
{
    return (lf__item){tree, tree->nodes};
}

/* The first value in a list or object; a scalar has none. */
static inline lf__item lf__item_first(lf__item container)
{
    bool is_empty = container.node == NULL || container.node->next == (size_t)(container.node - container.tree->nodes) + 1;
    return (lf__item){container.tree, is_empty ? NULL : container.node + 1};
}

/* The value behind an item of a list or object. */
static inline lf__item lf__item_next(lf__item container, lf__item item)
{
    return (lf__item){item.tree, item.node->next == container.node->next ? NULL : &item.tree->nodes[item.node->next]};
}

lf__item lf__item_member(lf__item object, const char *name); /* the first one of this name */
lf__item lf__item_path(lf__item object, const char *first, const char *second);
static inline bool lf__item_is(lf__item item)
{
    return item.node != NULL;
}

/* Raw JSON; none: there is no such value. */
static inline lf__text lf__item_json(lf__item item)
{
    return item.node == NULL ? (lf__text){NULL, 0} : (lf__text){item.tree->text + item.node->at, item.node->size};
}

static inline char lf__item_begins(lf__item item) /* '{', '[', '"', a digit, ...; 0: none */
{
    return item.node == NULL ? '\0' : item.tree->text[item.node->at];
}

static inline bool lf__item_is_null(lf__item item) /* or absent */
{
    return item.node == NULL || lf__item_begins(item) == 'n';
}

static inline lf__text lf__item_key(lf__item item)
{
    return (lf__text){item.tree->text + item.node->key, item.node->key_size};
}

/* The same for a member whose name has escapes. */
void lf__item_match_escaped(lf__item member, const lf__text *names, size_t count, lf__item *out);

/* The first members of these names, in one pass over the object. Inlined and unrolled, so that sizes and names are constants in the
 * code: every event of a stream comes by here, and as a loop over the names it is a quarter of the time that an event takes. */
static inline __attribute__((always_inline)) void lf__item_members(lf__item object, const lf__text *names, size_t count,
                                                                   lf__item *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (lf__item){object.tree, NULL};
    if (lf__item_begins(object) != '{')
        return;
    for (lf__item member = lf__item_first(object); lf__item_is(member); member = lf__item_next(object, member)) {
        lf__text key = lf__item_key(member);
        bool found = false;
#pragma GCC unroll 16
        for (size_t i = 0; i < count; i++)
            if (key.size == names[i].size && memcmp(key.at, names[i].at, names[i].size) == 0) {
                found = true;
                if (out[i].node == NULL)
                    out[i] = member;
            }
        if (!found && key.size > LF__TREE_ESCAPE && memchr(key.at, '\\', key.size) != NULL)
            lf__item_match_escaped(member, names, count, out);
    }
}

/* What stands between the quotes, still escaped; none: it is no string. */
lf__text lf__item_string(lf__item item);
bool lf__item_equals(lf__item item, const char *word); /* is it this string, however it is escaped? */
bool lf__item_is_named(lf__item member, const char *name);
bool lf__item_int(lf__item item, int64_t *out); /* a whole number */
bool lf__item_is_true(lf__item item);

#endif
