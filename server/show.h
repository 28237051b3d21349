/* Traces of a database as text for a terminal. */
#ifndef LOCAL_SHOW_H
#define LOCAL_SHOW_H

#include "store.h"
#include "tree.h"

/* tree_render or tree_render_summary */
typedef void show_render(buf *out, const trace_data *data, const tree_style *style);

/* For text that goes to `fd`: as wide as that terminal, or as $COLUMNS says. `color` is auto, always or never. */
tree_style show_style(int fd, const char *color, bool full);

/* Appends one trace, whole, however large. False when reading or memory failed. */
bool show_trace(buf *out, store *s, text id, show_render *as, const tree_style *style);

#endif
