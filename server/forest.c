#include "forest.h"

#include <stdlib.h>

static int forest_by_start(const void *left, const void *right)
{
    const observation *a = ((const forest_node *)left)->row, *b = ((const forest_node *)right)->row;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return (a->arrived_ns > b->arrived_ns) - (a->arrived_ns < b->arrived_ns);
}

static int forest_by_id(const void *left, const void *right)
{
    return text_order((*(forest_node *const *)left)->row->id, (*(forest_node *const *)right)->row->id);
}

static int forest_find_id(const void *wanted, const void *candidate)
{
    return text_order(*(const text *)wanted, (*(forest_node *const *)candidate)->row->id);
}

static void forest_append_child(forest_node *parent, forest_node *child)
{
    child->parent = parent;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

forest_node *forest_next(forest_node *n, const forest_node *top)
{
    if (n->first != NULL)
        return n->first;
    while (n != top && n->next == NULL)
        n = n->parent;
    return n == top ? NULL : n->next;
}

static void forest_mark_placed(forest_node *root)
{
    root->placed = true;
    for (forest_node *n = root->first; n != NULL; n = n == root ? NULL : forest_next(n, root))
        n->placed = true;
}

/* Cuts a child out of its parent's list, to make it a root. */
static void forest_detach(forest_node *child)
{
    forest_node *before = NULL, *parent = child->parent;
    for (forest_node *n = parent->first; n != child; n = n->next)
        before = n;
    if (before != NULL)
        before->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = before;
    child->next = NULL;
}

/* Observations that no root leads to are in cycles, or below one; the earliest of each is made a root. */
static void forest_break_cycles(forest *f)
{
    for (forest_node *root = f->top.first; root != NULL; root = root->next)
        forest_mark_placed(root);
    for (size_t i = 0; i < f->count; i++) {
        forest_node *n = &f->nodes[i];
        if (n->placed)
            continue;
        forest_detach(n);
        forest_append_child(&f->top, n);
        n->cyclic = true;
        forest_mark_placed(n);
    }
}

bool forest_plant(arena *a, const observation *rows, size_t count, forest *f)
{
    *f = (forest){.count = count};
    f->nodes = arena_take(a, count * sizeof *f->nodes);
    f->by_id = arena_take(a, count * sizeof *f->by_id);
    if (f->nodes == NULL || f->by_id == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        f->nodes[i].row = &rows[i];
    qsort(f->nodes, count, sizeof *f->nodes, forest_by_start);
    for (size_t i = 0; i < count; i++)
        f->by_id[i] = &f->nodes[i];
    qsort(f->by_id, count, sizeof *f->by_id, forest_by_id);
    for (size_t i = 0; i < count; i++) {
        forest_node *n = &f->nodes[i];
        text wanted = n->row->parent_id;
        forest_node **parent = wanted.size > 0 ? bsearch(&wanted, f->by_id, count, sizeof *f->by_id, forest_find_id) : NULL;
        n->orphan = wanted.size > 0 && parent == NULL;
        forest_append_child(parent != NULL ? *parent : &f->top, n);
    }
    forest_break_cycles(f);
    for (forest_node *n = f->top.first; n != NULL; n = forest_next(n, &f->top))
        n->level = n->parent == &f->top ? 0 : n->parent->level + 1;
    return true;
}

bool forest_has(const forest *f, text id)
{
    return bsearch(&id, f->by_id, f->count, sizeof *f->by_id, forest_find_id) != NULL;
}
