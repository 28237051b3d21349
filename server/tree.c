#include "tree.h"

#include "clock.h"
#include "forest.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* Deeper levels are drawn at this one: a line has room for text, too. */
enum { TREE_MAX_LEVELS = 24, TREE_MAX_NAME_COLUMNS = 60, TREE_MIN_VALUE_COLUMNS = 24 };

#define TREE_NO_NAME "(no name)"

#define TREE_DIM "2"
#define TREE_BOLD "1"
#define TREE_RED "31"
#define TREE_GREEN "32"
#define TREE_YELLOW "33"
#define TREE_BLUE "34"
#define TREE_MAGENTA "35"
#define TREE_CYAN "36"

#define TREE_DOT " \xC2\xB7 "                       /* · */
#define TREE_ELLIPSIS "\xE2\x80\xA6"                /* … */
#define TREE_NEWLINE "\xE2\x8F\x8E"                 /* ⏎ */
#define TREE_REPLACEMENT "\xEF\xBF\xBD"             /* � */
#define TREE_ARROW " \xE2\x86\x92 "                 /* → */
#define TREE_MICRO "\xC2\xB5"                       /* µ */
#define TREE_BRANCH "\xE2\x94\x9C\xE2\x94\x80 "     /* ├─ */
#define TREE_LAST_BRANCH "\xE2\x94\x94\xE2\x94\x80 " /* └─ */
#define TREE_TRUNK "\xE2\x94\x82  "                 /* │ */

/* ---- Safe text ---- */

static uint32_t tree_code_point(text t, size_t size)
{
    const unsigned char *s = (const unsigned char *)t.at;
    switch (size) {
    case 1: return s[0];
    case 2: return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    case 3: return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    default: return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
    }
}

/* Controls, and marks that reorder text or hide in it. */
static bool tree_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F && c != 0x200D) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

/* Columns of one character: East Asian and emoji take two, combining marks none. A few ranges are enough to keep lines short. */
static size_t tree_columns_of(uint32_t c)
{
    if ((c >= 0x300 && c <= 0x36F) || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F))
        return 0;
    bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
    return wide ? 2 : 1;
}

/* What one character is shown as, and its width. */
static text tree_shown(text rest, size_t *taken, size_t *columns)
{
    size_t size = text_utf8_size(rest);
    uint32_t c = size > 0 ? tree_code_point(rest, size) : 0;
    *taken = size > 0 ? size : 1;
    *columns = 1;
    if (size > 0 && c == '\n')
        return TEXT(TREE_NEWLINE);
    if (size > 0 && (c == '\t' || c == '\r'))
        return TEXT(" ");
    if (size == 0 || tree_is_unsafe(c))
        return TEXT(TREE_REPLACEMENT);
    *columns = tree_columns_of(c);
    return (text){rest.at, size};
}

/* One line of at most `limit` columns; what does not fit ends in an ellipsis. Returns the columns used. */
static size_t tree_put_clipped(buf *out, text t, size_t limit)
{
    size_t used = 0, fits = out->size, fits_used = 0;
    while (t.size > 0) {
        size_t taken, columns;
        text piece = tree_shown(t, &taken, &columns);
        if (used + columns > limit) {
            out->size = fits;
            buf_string(out, TREE_ELLIPSIS);
            return fits_used + 1;
        }
        buf_text(out, piece);
        used += columns;
        if (used < limit) { /* the ellipsis would still fit behind this */
            fits = out->size;
            fits_used = used;
        }
        t = text_from(t, taken);
    }
    return used;
}

static void tree_put_safe(buf *out, text t)
{
    tree_put_clipped(out, t, SIZE_MAX);
}

static void tree_paint(buf *out, const tree_style *style, const char *color)
{
    if (style->color)
        buf_format(out, "\x1b[%sm", color);
}

static void tree_put_painted(buf *out, const tree_style *style, const char *color, text t)
{
    tree_paint(out, style, color);
    tree_put_safe(out, t);
    tree_paint(out, style, "0");
}

/* ---- Numbers for people ---- */

static void tree_put_duration(buf *out, int64_t ns)
{
    if (ns < 0)
        buf_char(out, '-');
    double size = ns < 0 ? -(double)ns : (double)ns;
    int64_t seconds = (int64_t)(size / 1e9);
    if (size < 1e3)
        buf_format(out, "%.0f ns", size);
    else if (size < 1e6)
        buf_format(out, "%.3g " TREE_MICRO "s", size < 999.5e3 ? size / 1e3 : 999.0);
    else if (size < 1e9)
        buf_format(out, "%.3g ms", size < 999.5e6 ? size / 1e6 : 999.0);
    else if (size < 60e9)
        buf_format(out, "%.2f s", size / 1e9);
    else if (size < 3600e9)
        buf_format(out, "%dm %02ds", (int)(seconds / 60), (int)(seconds % 60));
    else
        buf_format(out, "%lldh %02dm", (long long)(seconds / 3600), (int)(seconds / 60 % 60));
}

/* 1234567 as 1,234,567. */
static void tree_put_grouped(buf *out, double number)
{
    char digits[32];
    buf plain = {.at = digits, .capacity = sizeof digits, .ceiling = sizeof digits};
    buf_format(&plain, "%.0f", number < 1e18 ? number : 1e18);
    for (size_t i = 0; i < plain.size; i++) {
        buf_char(out, digits[i]);
        size_t left = plain.size - 1 - i;
        if (left > 0 && left % 3 == 0)
            buf_char(out, ',');
    }
}

static void tree_put_cost(buf *out, double dollars)
{
    buf_format(out, dollars >= 1 ? "$%.2f" : "$%.6f", dollars);
}

static void tree_put_when(buf *out, int64_t ns)
{
    char iso[CLOCK_ISO_SIZE];
    clock_iso(ns / CLOCK_NS_PER_MS, iso);
    buf_format(out, "%.10s %.8s UTC", iso, iso + 11);
}

/* ---- Usage ---- */

/* Negative: not given. */
typedef struct tree_usage {
    double input, cached;     /* all tokens of the request, and those of them that were read from a cache */
    double output, reasoning; /* all tokens of the reply, and those of them that are reasoning */
    double total, cost;
} tree_usage;

static void tree_add(double *sum, double more)
{
    *sum = (*sum > 0 ? *sum : 0) + more;
}

/* A count is part of its side by its name: input_cached_tokens, cache_read_input_tokens, output_reasoning_tokens. */
static void tree_add_count(tree_usage *u, text key, double tokens)
{
    bool cache = text_has(key, "cache");
    if (text_is(key, "total"))
        u->total = tokens;
    if (text_is(key, "input") || text_starts(key, "input_") || cache)
        tree_add(&u->input, tokens);
    if (cache && !text_has(key, "creation") && !text_has(key, "write"))
        tree_add(&u->cached, tokens);
    if (text_is(key, "output") || text_starts(key, "output_"))
        tree_add(&u->output, tokens);
    if (text_starts(key, "output_reasoning"))
        tree_add(&u->reasoning, tokens);
}

static tree_usage tree_usage_of(const observation *o)
{
    arena memory = {0};
    const json *tokens = json_parse(&memory, o->usage), *cost = json_parse(&memory, o->cost);
    tree_usage u = {-1, -1, -1, -1, -1, json_number_at(cost, "total", -1)};
    for (const json *count = json_first(tokens, JSON_OBJECT); count != NULL; count = count->next)
        if (count->kind == JSON_NUMBER)
            tree_add_count(&u, count->key, count->number);
    if (u.total >= 0 && u.input + u.output > u.total) { /* counts that overlap: no sum of them is true */
        u.input = json_number_at(tokens, "input", -1);
        u.output = json_number_at(tokens, "output", -1);
        u.cached = u.reasoning = -1;
    }
    arena_free(&memory);
    return u;
}

static void tree_put_side(buf *out, double tokens, double part, const char *what)
{
    tree_put_grouped(out, tokens);
    if (part <= 0)
        return;
    buf_string(out, " (");
    tree_put_grouped(out, part);
    buf_format(out, " %s)", what);
}

static void tree_put_tokens(buf *out, const tree_usage *u)
{
    if (u->total < 0)
        return;
    buf_string(out, "  ");
    if (u->input >= 0 && u->output >= 0) {
        tree_put_side(out, u->input, u->cached, "cached");
        buf_string(out, TREE_ARROW);
        tree_put_side(out, u->output, u->reasoning, "reasoning");
        if (u->total > u->input + u->output) {
            buf_string(out, " of ");
            tree_put_grouped(out, u->total);
        }
    } else {
        tree_put_grouped(out, u->total);
    }
    buf_string(out, " tokens");
}

/* The first token is known in whole milliseconds, so it may seem to come with the start or before it: that tells nothing. */
static bool tree_first_token(const observation *o, int64_t *out_ns)
{
    *out_ns = clock_ns_of_ms(o->completion_start_ms) - o->start_ns;
    return o->completion_start_ms >= 0 && *out_ns > 0;
}

/* Tokens of a reply a second: since its first token, where that is known and no reasoning came before it. A reply of a few milliseconds
 * has no rate. */
static void tree_put_rate(buf *out, const observation *o, const tree_usage *u)
{
    int64_t first_ns;
    if (o->end_ns == OBSERVATION_OPEN || !text_is(o->type, "GENERATION"))
        return;
    int64_t ns = o->end_ns - o->start_ns;
    if (u->reasoning <= 0 && tree_first_token(o, &first_ns))
        ns -= first_ns;
    if (u->output > 1 && ns >= 10 * CLOCK_NS_PER_MS) {
        double rate = u->output / ((double)ns / 1e9);
        buf_format(out, rate < 100 ? "  %.1f tokens/s" : "  %.0f tokens/s", rate);
    }
}

static void tree_put_usage(buf *out, const observation *o)
{
    tree_usage u = tree_usage_of(o);
    tree_put_tokens(out, &u);
    tree_put_rate(out, o, &u);
    if (u.cost >= 0) {
        buf_string(out, "  ");
        tree_put_cost(out, u.cost);
    }
}

/* ---- The trace as a whole ---- */

static void tree_put_counts(buf *out, const trace_view *s, size_t count)
{
    tree_put_when(out, s->start_ns);
    buf_string(out, TREE_DOT);
    tree_put_duration(out, s->end_ns - s->start_ns);
    buf_format(out, TREE_DOT "%zu observation%s", count, count == 1 ? "" : "s");
    if (s->errors > 0)
        buf_format(out, TREE_DOT "%zu error%s", s->errors, s->errors == 1 ? "" : "s");
    if (s->tokens >= 0) {
        buf_string(out, TREE_DOT);
        tree_put_grouped(out, s->tokens);
        buf_string(out, " tokens");
    }
    if (s->cost >= 0) {
        buf_string(out, TREE_DOT);
        tree_put_cost(out, s->cost);
    }
}

static void tree_put_label(buf *out, const char **separator, const char *label, text value)
{
    if (value.size == 0)
        return;
    buf_string(out, *separator);
    buf_string(out, label);
    tree_put_safe(out, value);
    *separator = TREE_DOT;
}

static void tree_put_tags(buf *out, const char **separator, text tags)
{
    arena memory = {0};
    const json *list = json_parse(&memory, tags);
    const char *between = "tags ";
    for (const json *tag = json_first(list, JSON_ARRAY); tag != NULL; tag = tag->next) {
        if (tag == list->first)
            buf_string(out, *separator);
        buf_string(out, between);
        tree_put_safe(out, tag->string);
        between = ", ";
        *separator = TREE_DOT;
    }
    arena_free(&memory);
}

static void tree_put_header(buf *out, const trace_view *s, size_t count, const tree_style *style)
{
    const char *separator = "";
    tree_paint(out, style, TREE_BOLD);
    tree_put_clipped(out, s->name.size > 0 ? s->name : TEXT(TREE_NO_NAME), TREE_MAX_NAME_COLUMNS);
    tree_paint(out, style, "0");
    buf_string(out, "  ");
    tree_put_painted(out, style, TREE_DIM, s->id);
    buf_char(out, '\n');
    tree_paint(out, style, TREE_DIM);
    tree_put_counts(out, s, count);
    buf_char(out, '\n');
    tree_put_label(out, &separator, "user ", s->user_id);
    tree_put_label(out, &separator, "session ", s->session_id);
    tree_put_tags(out, &separator, s->tags);
    tree_put_label(out, &separator, "environment ", text_is(s->environment, "default") ? TEXT("") : s->environment);
    tree_put_label(out, &separator, "release ", s->release);
    tree_put_label(out, &separator, "version ", s->version);
    tree_put_label(out, &separator, "", s->is_public ? TEXT("public") : TEXT(""));
    if (*separator != '\0')
        buf_char(out, '\n');
    tree_paint(out, style, "0");
    buf_char(out, '\n');
}

/* ---- One observation ---- */

static const char *tree_color_of(text type)
{
    static const struct {
        const char *type, *color;
    } colors[] = {
        {"GENERATION", TREE_MAGENTA}, {"TOOL", TREE_CYAN}, {"AGENT", TREE_YELLOW},  {"RETRIEVER", TREE_BLUE},
        {"EMBEDDING", TREE_BLUE},     {"EVENT", TREE_DIM}, {"GUARDRAIL", TREE_RED}, {"EVALUATOR", TREE_YELLOW},
    };
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (text_is(type, colors[i].type))
            return colors[i].color;
    return TREE_GREEN;
}

/* Branches of the levels above, for lines of `n` itself or, when `below`, for lines under it. */
static size_t tree_put_branches(buf *out, const forest_node *n, bool below, const tree_style *style)
{
    const forest_node *path[TREE_MAX_LEVELS];
    size_t levels = n->level < TREE_MAX_LEVELS ? n->level : TREE_MAX_LEVELS;
    const forest_node *step = n;
    for (size_t i = levels; i-- > 0; step = step->parent)
        path[i] = step;
    tree_paint(out, style, TREE_DIM);
    for (size_t i = 0; i < levels; i++) {
        bool branch = i + 1 == levels && !below;
        if (branch)
            buf_string(out, path[i]->next != NULL ? TREE_BRANCH : TREE_LAST_BRANCH);
        else
            buf_string(out, path[i]->next != NULL ? TREE_TRUNK : "   ");
    }
    if (below)
        buf_string(out, n->first != NULL && n->level < TREE_MAX_LEVELS ? TREE_TRUNK : "   ");
    tree_paint(out, style, "0");
    return 3 * (levels + below);
}

static void tree_put_type(buf *out, text type, const tree_style *style)
{
    tree_paint(out, style, tree_color_of(type));
    for (size_t i = 0; i < type.size; i++) {
        char c = type.at[i];
        buf_char(out, (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : '?'));
    }
    tree_paint(out, style, "0");
}

static void tree_put_level(buf *out, const observation *o, const tree_style *style)
{
    if (text_is(o->level, "DEFAULT"))
        return;
    buf_string(out, "  ");
    tree_paint(out, style, text_is(o->level, "ERROR") ? TREE_RED : text_is(o->level, "WARNING") ? TREE_YELLOW : TREE_DIM);
    tree_put_safe(out, o->level);
    if (o->status_message.size > 0) {
        buf_string(out, ": ");
        tree_put_clipped(out, o->status_message, style->full ? SIZE_MAX : style->width);
    }
    tree_paint(out, style, "0");
}

/* prompt NAME v3 */
static void tree_put_prompt(buf *out, const observation *o)
{
    if (o->prompt_name.size == 0)
        return;
    buf_string(out, "  prompt ");
    tree_put_clipped(out, o->prompt_name, TREE_MAX_NAME_COLUMNS);
    if (o->prompt_version >= 0)
        buf_format(out, " v%lld", (long long)o->prompt_version);
}

static void tree_put_first_token(buf *out, const observation *o)
{
    int64_t ns;
    if (!tree_first_token(o, &ns))
        return;
    buf_string(out, "  first token ");
    tree_put_duration(out, ns);
}

/* Why a model stopped. Of several choices it is a list. */
static void tree_put_finish_reason(buf *out, const observation *o)
{
    arena memory = {0};
    text reason = TEXT("");
    if (text_has(o->metadata, "\"finish_reason\""))
        reason = json_string_at(json_parse(&memory, o->metadata), "finish_reason");
    if (reason.size > 0) {
        buf_string(out, "  finish ");
        tree_put_clipped(out, reason, TREE_MAX_NAME_COLUMNS);
    }
    arena_free(&memory);
}

static void tree_put_title(buf *out, const forest_node *n, const tree_style *style)
{
    const observation *o = n->row;
    tree_put_branches(out, n, false, style);
    tree_put_type(out, o->type, style);
    buf_char(out, ' ');
    tree_paint(out, style, TREE_BOLD);
    tree_put_clipped(out, o->name.size > 0 ? o->name : TEXT(TREE_NO_NAME), TREE_MAX_NAME_COLUMNS);
    tree_paint(out, style, "0");
    tree_paint(out, style, TREE_DIM);
    if (o->end_ns != OBSERVATION_OPEN) {
        buf_string(out, "  ");
        tree_put_duration(out, o->end_ns - o->start_ns);
    } else if (!text_is(o->type, "EVENT")) { /* events are moments; anything else lacks its end */
        buf_string(out, "  no end");
    }
    tree_put_first_token(out, o);
    if (o->model.size > 0) {
        buf_string(out, "  ");
        tree_put_clipped(out, o->model, TREE_MAX_NAME_COLUMNS);
    }
    tree_put_prompt(out, o);
    tree_put_usage(out, o);
    tree_put_finish_reason(out, o);
    if (n->orphan) {
        buf_string(out, "  (parent ");
        tree_put_clipped(out, o->parent_id, TREE_MAX_NAME_COLUMNS);
        buf_string(out, " is not stored)");
    }
    if (n->cyclic)
        buf_string(out, "  (its own ancestor)");
    if (n->level > TREE_MAX_LEVELS)
        buf_format(out, "  (level %zu)", n->level);
    tree_paint(out, style, "0");
    tree_put_level(out, o, style);
    buf_char(out, '\n');
}

static void tree_put_value_line(buf *out, const forest_node *n, const char *label, text value, const tree_style *style)
{
    size_t used = tree_put_branches(out, n, true, style);
    tree_paint(out, style, TREE_DIM);
    buf_string(out, label);
    tree_paint(out, style, "0");
    used += strlen(label);
    size_t left = style->width > used + TREE_MIN_VALUE_COLUMNS ? style->width - used : TREE_MIN_VALUE_COLUMNS;
    tree_put_clipped(out, value, style->full ? SIZE_MAX : left);
    buf_char(out, '\n');
}

/* In full, a value keeps its lines. */
static void tree_put_value(buf *out, const forest_node *n, const char *label, text value, const tree_style *style)
{
    while (style->full && value.size > 0) {
        tree_put_value_line(out, n, label, text_take(&value, "\n"), style);
        label = "     ";
    }
    if (value.size > 0)
        tree_put_value_line(out, n, label, value, style);
}

/* Every observation of a process has those of its library and its machine: they tell nothing of this one. */
static bool tree_is_everywhere(text key)
{
    return text_is(key, "scope.name") || text_is(key, "scope.version") || text_starts(key, "scope.attributes.") ||
           text_starts(key, "resourceAttributes.");
}

static void tree_put_metadata(buf *out, const forest_node *n, const tree_style *style)
{
    arena memory = {0};
    buf own = {0};
    buf_char(&own, '{');
    const json *all = json_parse(&memory, n->row->metadata);
    for (const json *entry = json_first(all, JSON_OBJECT); entry != NULL; entry = entry->next) {
        if (tree_is_everywhere(entry->key))
            continue;
        json_put_name(&own, entry->key);
        if (entry->kind == JSON_STRING)
            json_put_parsed(&own, &memory, entry->string); /* as reads answer it */
        else
            json_write(&own, entry);
    }
    buf_char(&own, '}');
    if (own.size > 2)
        tree_put_value(out, n, "meta ", buf_view(&own), style);
    out->failed |= own.failed;
    buf_free(&own);
    arena_free(&memory);
}

/* What a reader of the whole wants to know, too. */
static void tree_put_rest(buf *out, const forest_node *n, const tree_style *style)
{
    if (!style->full)
        return;
    if (n->row->model_parameters.size > 2)
        tree_put_value(out, n, "with ", n->row->model_parameters, style);
    tree_put_metadata(out, n, style);
}

/* ---- Scores ---- */

static void tree_put_score_value(buf *out, const score *s, size_t limit)
{
    if (text_is(s->data_type, "BOOLEAN"))
        buf_string(out, s->value != 0 ? "true" : "false");
    else if (score_has_number(s))
        json_put_number(out, s->value);
    else
        tree_put_clipped(out, s->string_value, limit);
}

/* name value  (comment) */
static void tree_put_score(buf *out, const score *s, size_t used, const tree_style *style)
{
    size_t left = style->full                                    ? SIZE_MAX
                  : style->width > used + TREE_MIN_VALUE_COLUMNS ? style->width - used
                                                                 : TREE_MIN_VALUE_COLUMNS;
    tree_paint(out, style, TREE_DIM);
    buf_string(out, "score  ");
    tree_paint(out, style, "0");
    tree_put_clipped(out, s->name, TREE_MAX_NAME_COLUMNS);
    buf_char(out, ' ');
    tree_paint(out, style, TREE_BOLD);
    tree_put_score_value(out, s, left);
    tree_paint(out, style, "0");
    if (s->comment.size > 0) {
        tree_paint(out, style, TREE_DIM);
        buf_string(out, "  (");
        tree_put_clipped(out, s->comment, left);
        buf_char(out, ')');
        tree_paint(out, style, "0");
    }
    buf_char(out, '\n');
}

static int tree_by_target(const void *left, const void *right)
{
    const score *a = *(const score *const *)left, *b = *(const score *const *)right;
    int order = text_order(a->observation_id, b->observation_id);
    if (order == 0)
        order = (a->timestamp_ms > b->timestamp_ms) - (a->timestamp_ms < b->timestamp_ms);
    return order != 0 ? order : text_order(a->id, b->id);
}

/* Sorted by observation, oldest first; those of the trace have none and come before all others. */
static const score **tree_sort_scores(arena *a, const trace_data *data)
{
    const score **order = arena_take(a, data->score_count * sizeof *order);
    for (size_t i = 0; order != NULL && i < data->score_count; i++)
        order[i] = &data->scores[i];
    if (order != NULL)
        qsort(order, data->score_count, sizeof *order, tree_by_target);
    return order;
}

/* The first score of an observation, or of a later one. */
static size_t tree_find_scores(const score *const *order, size_t count, text observation_id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (text_order(order[middle]->observation_id, observation_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void tree_put_scores_of(buf *out, const forest_node *n, const score *const *order, size_t count, const tree_style *style)
{
    for (size_t i = tree_find_scores(order, count, n->row->id); i < count && text_equal(order[i]->observation_id, n->row->id); i++)
        tree_put_score(out, order[i], tree_put_branches(out, n, true, style), style);
}

/* Of the trace itself, and of observations that are not stored. */
static void tree_put_other_scores(buf *out, const forest *f, const score *const *order, size_t count, const tree_style *style)
{
    size_t put = 0;
    for (size_t i = 0; i < count; i++) {
        text wanted = order[i]->observation_id;
        if (wanted.size > 0 && forest_has(f, wanted))
            continue;
        tree_put_score(out, order[i], 0, style);
        put++;
    }
    if (put > 0 && f->count > 0)
        buf_char(out, '\n');
}

void tree_render(buf *out, const trace_data *data, const tree_style *style)
{
    arena memory = {.ceiling = SIZE_MAX / 2};
    forest f;
    if (data->row_count == 0 && !data->has_record)
        return;
    trace_view view = trace_view_of(&memory, data);
    tree_put_header(out, &view, data->row_count, style);
    const score **scores = tree_sort_scores(&memory, data);
    bool planted = scores != NULL && forest_plant(&memory, data->rows, data->row_count, &f);
    if (planted)
        tree_put_other_scores(out, &f, scores, data->score_count, style);
    for (forest_node *n = planted ? f.top.first : NULL; n != NULL; n = forest_next(n, &f.top)) {
        tree_put_title(out, n, style);
        tree_put_value(out, n, "in   ", n->row->input, style);
        tree_put_value(out, n, "out  ", n->row->output, style);
        tree_put_rest(out, n, style);
        tree_put_scores_of(out, n, scores, data->score_count, style);
    }
    out->failed |= !planted;
    arena_free(&memory);
}

void tree_render_summary(buf *out, const trace_data *data, const tree_style *style)
{
    arena memory = {.ceiling = SIZE_MAX / 2};
    if (data->row_count == 0 && !data->has_record)
        return;
    trace_view s = trace_view_of(&memory, data);
    tree_put_painted(out, style, TREE_DIM, s.id);
    buf_string(out, "  ");
    tree_paint(out, style, TREE_BOLD);
    tree_put_clipped(out, s.name.size > 0 ? s.name : TEXT(TREE_NO_NAME), TREE_MAX_NAME_COLUMNS);
    tree_paint(out, style, "0");
    buf_string(out, "  ");
    tree_paint(out, style, TREE_DIM);
    tree_put_counts(out, &s, data->row_count);
    tree_paint(out, style, "0");
    buf_char(out, '\n');
    arena_free(&memory);
}
