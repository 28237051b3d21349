#include "tree.h"

enum { TREE_FIRST_ROOM = 64 };

bool lf__tree_read(lf__tree *tree, lf__text text)
{
    tree->text = text.at;
    tree->count = 0;
    if (text.size == 0)
        return false;
    bool ok = lf__json_index(text.at, text.size, tree->nodes, tree->room, &tree->count);
    if (!ok || tree->count <= tree->room)
        return ok;
    if (tree->count > LF__TREE_NODES_MAX)
        return false;
    size_t room = tree->count < TREE_FIRST_ROOM ? TREE_FIRST_ROOM : tree->count;
    lf__json_node *nodes = lf__alloc(room * sizeof *nodes);
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

lf__item lf__item_member(lf__item object, const char *name)
{
    if (lf__item_begins(object) != '{')
        return (lf__item){object.tree, NULL};
    size_t size = strlen(name);
    lf__item member = lf__item_first(object);
    while (member.node != NULL && (member.node->key_size != size || memcmp(member.tree->text + member.node->key, name, size) != 0))
        member = lf__item_next(object, member);
    return member;
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
    return lf__item_begins(item) == '"' && lf__text_equals(lf__item_string(item), lf__text_of(word));
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
