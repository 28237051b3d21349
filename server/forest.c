#include "forest.h"

#include <stdlib.h>

static int by_start(const void *left, const void *right)
{
    const observation *a = ((const node *)left)->row, *b = ((const node *)right)->row;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return (a->arrived_ns > b->arrived_ns) - (a->arrived_ns < b->arrived_ns);
}

static int by_id(const void *left, const void *right)
{
    return text_order((*(node *const *)left)->row->id, (*(node *const *)right)->row->id);
}

static int find_id(const void *wanted, const void *candidate)
{
    return text_order(*(const text *)wanted, (*(node *const *)candidate)->row->id);
}

static void append_child(node *parent, node *child)
{
    child->parent = parent;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

node *forest_next(node *n, const node *top)
{
    if (n->first != NULL)
        return n->first;
    while (n != top && n->next == NULL)
        n = n->parent;
    return n == top ? NULL : n->next;
}

static void mark_placed(node *root)
{
    root->placed = true;
    for (node *n = root->first; n != NULL; n = n == root ? NULL : forest_next(n, root))
        n->placed = true;
}

/* Cuts a child out of its parent's list, to make it a root. */
static void detach(node *child)
{
    node *before = NULL, *parent = child->parent;
    for (node *n = parent->first; n != child; n = n->next)
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
static void break_cycles(forest *f)
{
    for (node *root = f->top.first; root != NULL; root = root->next)
        mark_placed(root);
    for (size_t i = 0; i < f->count; i++) {
        node *n = &f->nodes[i];
        if (n->placed)
            continue;
        detach(n);
        append_child(&f->top, n);
        n->cyclic = true;
        mark_placed(n);
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
    qsort(f->nodes, count, sizeof *f->nodes, by_start);
    for (size_t i = 0; i < count; i++)
        f->by_id[i] = &f->nodes[i];
    qsort(f->by_id, count, sizeof *f->by_id, by_id);
    for (size_t i = 0; i < count; i++) {
        node *n = &f->nodes[i];
        text wanted = n->row->parent_id;
        node **parent = wanted.size > 0 ? bsearch(&wanted, f->by_id, count, sizeof *f->by_id, find_id) : NULL;
        n->orphan = wanted.size > 0 && parent == NULL;
        append_child(parent != NULL ? *parent : &f->top, n);
    }
    break_cycles(f);
    for (node *n = f->top.first; n != NULL; n = forest_next(n, &f->top))
        n->level = n->parent == &f->top ? 0 : n->parent->level + 1;
    return true;
}

bool forest_has(const forest *f, text id)
{
    return bsearch(&id, f->by_id, f->count, sizeof *f->by_id, find_id) != NULL;
}
