/* The observations of a trace as trees. They are walked without recursion, so that a chain of any depth can be shown. Pure. */
#ifndef LOCAL_FOREST_H
#define LOCAL_FOREST_H

#include "observation.h"

typedef struct node {
    const observation *row;
    struct node *parent, *first, *next, *last;
    size_t level;
    bool placed, orphan, cyclic;
} node;

typedef struct forest {
    node *nodes;   /* by start */
    node **by_id;  /* sorted */
    node top;      /* its children are the roots */
    size_t count;
} forest;

/* Puts each observation below its parent. Those whose parent is not there become roots (`orphan`), and so does the earliest of each cycle
 * (`cyclic`). The nodes live in `a`; false when out of memory. */
bool forest_plant(arena *a, const observation *rows, size_t count, forest *f);

/* The next node in the order of printing, or NULL behind the last one below `top`. */
node *forest_next(node *n, const node *top);

bool forest_has(const forest *f, text id);

#endif
