/* Traces as text for a terminal: a tree of one trace, and lists of traces.
 *
 * Rendering is pure: rows in, text out. Whatever the rows hold, no control character of theirs reaches the terminal.
 */
#ifndef LOCAL_TREE_H
#define LOCAL_TREE_H

#include "trace.h"

typedef struct tree_style {
    size_t width; /* columns of the terminal */
    bool color;
    bool full; /* inputs and outputs are not shortened */
} tree_style;

/* One trace. Its rows may come in any order, may name parents that are not there, or form cycles. Scores stand below what they are
 * about, those of the trace before the first observation. */
void tree_render(buf *out, const trace_data *data, const tree_style *style);

/* One line about one trace. */
void tree_render_summary(buf *out, const trace_data *data, const tree_style *style);

#endif
