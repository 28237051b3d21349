#include "trace.h"

#include "clock.h"
#include "metadata.h"

#include <stdlib.h>
#include <string.h>

/* Far beyond real use: the merge is quadratic, and metadata may be hostile. */
enum { TRACE_MAX_MERGED_KEYS = 2000 };

static int trace_by_text(const void *left, const void *right)
{
    return text_order(*(const text *)left, *(const text *)right);
}

/* ---- Tags ---- */

static void trace_add_tags(arena *a, text list, text **tags, size_t *count)
{
    const json *parsed = json_parse(a, list);
    for (const json *tag = json_first(parsed, JSON_ARRAY); tag != NULL; tag = tag->next) {
        text *added = tag->kind == JSON_STRING ? arena_add(a, tags, sizeof *added, count) : NULL;
        if (added != NULL)
            *added = tag->string;
    }
}

text trace_unite_tags(arena *a, text left, text right)
{
    size_t count = 0;
    buf out = {0};
    text *tags = NULL;
    trace_add_tags(a, left, &tags, &count);
    trace_add_tags(a, right, &tags, &count);
    if (count > 1)
        qsort(tags, count, sizeof *tags, trace_by_text);
    buf_char(&out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && text_equal(tags[i], tags[i - 1]))
            continue;
        json_put_comma(&out);
        json_put_string(&out, tags[i]);
    }
    buf_char(&out, ']');
    return buf_move(&out, a);
}

/* ---- Metadata ---- */

static void trace_put_members(buf *out, const json *object, const json *but_not_those_of)
{
    for (const json *member = object->first; member != NULL; member = member->next) {
        bool replaced = false;
        for (const json *other = but_not_those_of != NULL ? but_not_those_of->first : NULL; other != NULL && !replaced;
             other = other->next)
            replaced = text_equal(other->key, member->key);
        if (replaced)
            continue;
        json_put_name(out, member->key);
        json_write(out, member);
    }
}

text trace_merge_metadata(arena *a, text left, text right)
{
    const json *first = json_parse(a, left), *second = json_parse(a, right);
    buf out = {0};
    if (json_first(second, JSON_OBJECT) == NULL)
        return left;
    if (json_first(first, JSON_OBJECT) == NULL || json_count(first) > TRACE_MAX_MERGED_KEYS ||
        json_count(second) > TRACE_MAX_MERGED_KEYS)
        return right;
    buf_char(&out, '{');
    trace_put_members(&out, first, second);
    trace_put_members(&out, second, NULL);
    buf_char(&out, '}');
    return buf_move(&out, a);
}

/* ---- The view ---- */

static void trace_take_newest(text *value, text candidate)
{
    if (candidate.size > 0)
        *value = candidate;
}

static int trace_by_arrival(const void *left, const void *right)
{
    const observation *a = *(const observation *const *)left, *b = *(const observation *const *)right;
    return (a->arrived_ns > b->arrived_ns) - (a->arrived_ns < b->arrived_ns);
}

/* Adds numbers of which negative ones mean "not given". */
static void trace_add_known(double *sum, double more)
{
    if (more >= 0)
        *sum = (*sum > 0 ? *sum : 0) + more;
}

static void trace_add_totals(trace_view *v, const observation *o)
{
    arena memory = {0};
    if (o->usage.size > 2)
        trace_add_known(&v->tokens, json_number_at(json_parse(&memory, o->usage), "total", -1));
    if (o->cost.size > 2)
        trace_add_known(&v->cost, json_number_at(json_parse(&memory, o->cost), "total", -1));
    arena_free(&memory);
}

/* Most observations of a trace carry the same tags and trace metadata; these are merged when they differ from those of the
 * `previous` one. What the root says of metadata is there already. */
static void trace_add_row(arena *a, trace_view *v, const observation *o, const observation *previous, bool is_root)
{
    int64_t end_ns = o->end_ns == OBSERVATION_OPEN ? o->start_ns : o->end_ns;
    trace_take_newest(&v->name, o->trace_name);
    trace_take_newest(&v->user_id, o->user_id);
    trace_take_newest(&v->session_id, o->session_id);
    trace_take_newest(&v->environment, text_is(o->environment, "default") ? TEXT("") : o->environment);
    trace_take_newest(&v->release, o->release);
    trace_take_newest(&v->version, o->version);
    if (!text_is(o->tags, "[]") && !(previous != NULL && text_equal(previous->tags, o->tags)))
        v->tags = trace_unite_tags(a, v->tags, o->tags);
    if (o->trace_metadata.at != NULL && !is_root && !(previous != NULL && text_equal(previous->trace_metadata, o->trace_metadata)))
        v->metadata = trace_merge_metadata(a, v->metadata, o->trace_metadata);
    v->is_public |= o->is_public;
    v->start_ns = o->start_ns < v->start_ns ? o->start_ns : v->start_ns;
    v->end_ns = end_ns > v->end_ns ? end_ns : v->end_ns;
    v->created_ns = o->arrived_ns < v->created_ns ? o->arrived_ns : v->created_ns;
    v->updated_ns = o->arrived_ns > v->updated_ns ? o->arrived_ns : v->updated_ns;
    v->errors += text_is(o->level, "ERROR");
    trace_add_totals(v, o);
}

static const observation **trace_sorted_rows(arena *a, const trace_data *data)
{
    const observation **order = arena_take(a, data->row_count * sizeof *order);
    for (size_t i = 0; order != NULL && i < data->row_count; i++)
        order[i] = &data->rows[i];
    if (order != NULL)
        qsort(order, data->row_count, sizeof *order, trace_by_arrival);
    return order;
}

/* The earliest observation without parent is the root of the trace; without one, the earliest that is marked as a root. */
static const observation *trace_root_of(const trace_data *data)
{
    const observation *root = NULL;
    for (size_t i = 0; i < data->row_count; i++) {
        const observation *o = &data->rows[i];
        bool better = root == NULL || (o->parent_id.size == 0) > (root->parent_id.size == 0) ||
                      ((o->parent_id.size == 0) == (root->parent_id.size == 0) && o->start_ns < root->start_ns);
        if (observation_is_root(o) && better)
            root = o;
    }
    return root;
}

/* What a root that came in an export says for its trace; one that came in a batch has a trace event beside it. */
static const observation *trace_exported_root(const observation *root)
{
    return root != NULL && !observation_is_of_batch(root) ? root : NULL;
}

/* What the root says for the trace, and for itself, and whence it came; without a root, whence the first observation came. */
static text trace_first_metadata(arena *a, const trace_data *data, const observation *root)
{
    if (root != NULL)
        return trace_merge_metadata(a, root->trace_metadata.at != NULL ? root->trace_metadata : TEXT("{}"),
                                    metadata_of_before(a, root->metadata, root->own_metadata));
    for (size_t i = 0; i < data->row_count; i++)
        if (!observation_is_of_batch(&data->rows[i]))
            return metadata_of_before(a, data->rows[i].metadata, TEXT("{}"));
    return TEXT("{}");
}

static void trace_set_io(trace_view *v, const observation *root, const observation **rows, size_t count)
{
    v->input = root != NULL ? root->input : TEXT_NONE;
    v->output = root != NULL ? root->output : TEXT_NONE;
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->trace_input.at != NULL)
            v->input = rows[i]->trace_input;
        if (rows[i]->trace_output.at != NULL)
            v->output = rows[i]->trace_output;
    }
}

static void trace_add_record(arena *a, trace_view *v, const trace_record *r)
{
    trace_take_newest(&v->name, r->name);
    trace_take_newest(&v->user_id, r->user_id);
    trace_take_newest(&v->session_id, r->session_id);
    trace_take_newest(&v->environment, text_is(r->environment, "default") ? TEXT("") : r->environment);
    trace_take_newest(&v->release, r->release);
    trace_take_newest(&v->version, r->version);
    v->tags = trace_unite_tags(a, v->tags, r->tags);
    v->metadata = trace_merge_metadata(a, v->metadata, r->metadata);
    if (r->is_public >= 0)
        v->is_public = r->is_public != 0;
    if (r->input.at != NULL)
        v->input = r->input;
    if (r->output.at != NULL)
        v->output = r->output;
    v->created_ns = r->created_ns < v->created_ns ? r->created_ns : v->created_ns;
    v->updated_ns = r->updated_ns > v->updated_ns ? r->updated_ns : v->updated_ns;
    if (v->start_ns == INT64_MAX)
        v->start_ns = v->end_ns = clock_ns_of_ms(r->timestamp_ms);
}

trace_view trace_view_of(arena *a, const trace_data *data)
{
    const observation **rows = trace_sorted_rows(a, data), *root = trace_exported_root(trace_root_of(data));
    trace_view v = {.id = data->id,
                    .start_ns = INT64_MAX,
                    .end_ns = INT64_MIN,
                    .created_ns = INT64_MAX,
                    .updated_ns = INT64_MIN,
                    .tokens = -1,
                    .cost = -1,
                    .tags = TEXT("[]"),
                    .metadata = trace_first_metadata(a, data, root)};
    for (size_t i = 0; rows != NULL && i < data->row_count; i++)
        trace_add_row(a, &v, rows[i], i > 0 ? rows[i - 1] : NULL, rows[i] == root);
    trace_set_io(&v, root, rows, rows != NULL ? data->row_count : 0);
    if (data->has_record)
        trace_add_record(a, &v, &data->record);
    if (v.environment.size == 0)
        v.environment = TEXT("default");
    return v;
}

bool trace_is_known(const trace_data *data)
{
    bool known = data->has_record;
    for (size_t i = 0; i < data->row_count && !known; i++)
        known = !observation_is_of_batch(&data->rows[i]);
    return known;
}
