/* Traces as text for a terminal: a tree of one trace, and lists of traces.
 *
 * Rendering is pure: rows in, text out. Whatever the rows hold, no control character of theirs reaches the terminal.
 */
#ifndef LOCAL_TREE_H
#define LOCAL_TREE_H

#include "observation.h"

typedef struct tree_style {
    size_t width; /* columns of the terminal */
    bool color;
    bool full; /* inputs and outputs are not shortened */
} tree_style;

/* One trace. `rows` may come in any order, may name parents that are not there, or form cycles. */
void tree_render(buf *out, const observation *rows, size_t count, const tree_style *style);

/* One line about one trace. */
void tree_render_summary(buf *out, const observation *rows, size_t count, const tree_style *style);

/* A copy of a row with all its texts in `a`, to keep rows beyond store_read. */
observation tree_keep(arena *a, const observation *row);

#endif
