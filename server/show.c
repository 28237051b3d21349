#include "show.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SHOW_DEFAULT_WIDTH = 100, SHOW_MAX_WIDTH = 10000 };

static text show_variable(const char *name)
{
    return text_of(getenv(name));
}

static size_t show_width(int fd)
{
    struct winsize size;
    int64_t columns;
    if (text_to_int(show_variable("COLUMNS"), &columns) && columns > 0 && columns <= SHOW_MAX_WIDTH)
        return (size_t)columns;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : SHOW_DEFAULT_WIDTH;
}

tree_style show_style(int fd, const char *color, bool full)
{
    bool automatic = isatty(fd) && show_variable("NO_COLOR").size == 0 && !text_is(show_variable("TERM"), "dumb");
    bool colored = strcmp(color, "always") == 0 || (strcmp(color, "auto") == 0 && automatic);
    return (tree_style){show_width(fd), colored, full};
}

bool show_trace(buf *out, store *s, text id, show_render *as, const tree_style *style)
{
    arena memory = {.ceiling = SIZE_MAX / 2};
    trace_data data;
    bool ok = store_load_trace(s, &memory, id, &data);
    if (ok)
        as(out, &data, style);
    arena_free(&memory);
    return ok && !out->failed;
}
