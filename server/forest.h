/* The observations of a trace as trees. They are walked without recursion, so that a chain of any depth can be shown. Pure. */
#ifndef LOCAL_FOREST_H
#define LOCAL_FOREST_H

#include "observation.h"

typedef struct forest_node {
    const observation *row;
    struct forest_node *parent, *first, *next, *last;
    size_t level;
    bool placed, orphan, cyclic;
} forest_node;

typedef struct forest {
    forest_node *nodes;  /* by start */
    forest_node **by_id; /* sorted */
    forest_node top;     /* its children are the roots */
    size_t count;
} forest;

/* Puts each observation below its parent. Those whose parent is not there become roots (`orphan`), and so does the earliest of
 * each cycle (`cyclic`). The nodes live in `a`; false when out of memory. */
bool forest_plant(arena *a, const observation *rows, size_t count, forest *f);

/* The next node in the order of printing, or NULL behind the last one below `top`. */
forest_node *forest_next(forest_node *n, const forest_node *top);

bool forest_has(const forest *f, text id);

#endif
