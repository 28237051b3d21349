#include "tree.h"

enum { TREE_FIRST_ROOM = 64 };

bool lf__tree_read(lf__tree *tree, lf__text text)
{
    tree->text = text.at;
    tree->count = 0;
    tree->was_full = false;
    if (text.size == 0)
        return false;
    bool ok = lf__json_index(text.at, text.size, tree->nodes, tree->room, &tree->count);
    if (!ok || tree->count <= tree->room)
        return ok;
    size_t room = tree->count < TREE_FIRST_ROOM ? TREE_FIRST_ROOM : tree->count;
    lf__json_node *nodes = tree->count > LF__TREE_NODES_MAX ? NULL : lf__alloc(room * sizeof *nodes);
    tree->was_full = nodes == NULL;
    if (nodes == NULL)
        return false;
    lf__free(tree->nodes);
    tree->nodes = nodes;
    tree->room = room;
    return lf__json_index(text.at, text.size, nodes, room, &tree->count);
}

void lf__tree_done(lf__tree *tree)
{
    lf__free(tree->nodes);
    *tree = (lf__tree){0};
}

/* An escape takes six bytes for one at least, so a name of nearly the same size has none. */
static bool tree_is(const char *raw, size_t raw_size, const char *name, size_t size)
{
    if (raw_size == size)
        return memcmp(raw, name, size) == 0;
    return raw_size > size + 4 && lf__json_is(raw, raw_size, name);
}

lf__item lf__item_member(lf__item object, const char *name)
{
    if (lf__item_begins(object) != '{')
        return (lf__item){object.tree, NULL};
    size_t size = strlen(name);
    lf__item member = lf__item_first(object);
    while (member.node != NULL && !tree_is(member.tree->text + member.node->key, member.node->key_size, name, size))
        member = lf__item_next(object, member);
    return member;
}

void lf__item_match_escaped(lf__item member, const lf__text *names, size_t count, lf__item *out)
{
    lf__text key = lf__item_key(member);
    for (size_t i = 0; i < count; i++)
        if (out[i].node == NULL && lf__json_is(key.at, key.size, names[i].at))
            out[i] = member;
}

bool lf__item_is_named(lf__item member, const char *name)
{
    lf__text key = lf__item_key(member);
    return tree_is(key.at, key.size, name, strlen(name));
}

lf__item lf__item_path(lf__item object, const char *first, const char *second)
{
    return lf__item_member(lf__item_member(object, first), second);
}

lf__text lf__item_string(lf__item item)
{
    return lf__item_begins(item) == '"' ? (lf__text){item.tree->text + item.node->at + 1, item.node->size - 2}
                                        : (lf__text){NULL, 0};
}

bool lf__item_equals(lf__item item, const char *word)
{
    lf__text text = lf__item_string(item);
    return text.at != NULL && tree_is(text.at, text.size, word, strlen(word));
}

bool lf__item_int(lf__item item, int64_t *out)
{
    lf__text text = lf__item_json(item);
    bool negative = text.size > 0 && text.at[0] == '-';
    int64_t value = 0;
    size_t i = negative;
    for (; i < text.size && text.at[i] >= '0' && text.at[i] <= '9'; i++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text.at[i] - '0', &value))
            return false;
    if (i == negative || i != text.size)
        return false;
    *out = negative ? -value : value;
    return true;
}

bool lf__item_is_true(lf__item item)
{
    return lf__item_begins(item) == 't';
}
