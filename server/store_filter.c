/* Conditions of a filter as SQL. The texts below are constant: what a client gives is bound. */
#include "store_private.h"

#include <string.h>

/* What a column is in SQL. The key of a condition is bound once for each mark that `keys` counts. */
typedef struct store_filter_column {
    const char *sql;
    int keys;
    bool list;          /* JSON text of an array */
    bool empty_is_null; /* the empty text counts as absent */
} store_filter_column;

#define STORE_SUM_OF(details, word) \
    "(SELECT coalesce(sum(value), 0) FROM json_each(" details ") WHERE instr(lower(key), '" word "') > 0)"
#define STORE_HAS_ENDED "end_ns > -9223372036854775807"
#define STORE_IS_ROOT "(parent_id = '' OR is_app_root)"
#define STORE_EXPERIMENT(name) "CASE WHEN experiment = '' THEN '' ELSE coalesce(json_extract(experiment, '$.\"" name "\"'), '') END"

static const store_filter_column store_filter_of_rows[FILTER_COLUMN_COUNT] = {
    [FILTER_ID] = {.sql = "id"},
    [FILTER_TRACE_ID] = {.sql = "trace_id"},
    [FILTER_PARENT_ID] = {.sql = "parent_id", .empty_is_null = true},
    [FILTER_TYPE] = {.sql = "type"},
    [FILTER_NAME] = {.sql = "name"},
    [FILTER_LEVEL] = {.sql = "level"},
    [FILTER_STATUS_MESSAGE] = {.sql = "status_message"},
    [FILTER_VERSION] = {.sql = "version"},
    [FILTER_RELEASE] = {.sql = "release", .empty_is_null = true},
    [FILTER_ENVIRONMENT] = {.sql = "environment"},
    [FILTER_USER_ID] = {.sql = "user_id"},
    [FILTER_SESSION_ID] = {.sql = "session_id"},
    [FILTER_TRACE_NAME] = {.sql = "coalesce(nullif(trace_name, ''), CASE WHEN " STORE_IS_ROOT " THEN nullif(name, '') END)"},
    [FILTER_TAGS] = {.sql = "tags", .list = true},
    [FILTER_START_TIME] = {.sql = "start_ms"},
    [FILTER_END_TIME] = {.sql = "CASE WHEN " STORE_HAS_ENDED " THEN end_ns / 1000000 END"},
    [FILTER_LATENCY] = {.sql = "CASE WHEN " STORE_HAS_ENDED " THEN (end_ns / 1000000 - start_ms) / 1000.0 END"},
    [FILTER_FIRST_TOKEN] = {.sql = "CASE WHEN completion_start_ms >= 0 THEN (completion_start_ms - start_ms) / 1000.0 END"},
    [FILTER_TOKENS_PER_SECOND] = {.sql = "CASE WHEN " STORE_HAS_ENDED " THEN " STORE_SUM_OF(
                                      "usage", "output") " / ((end_ns / 1000000 - start_ms) / 1000.0) END"},
    [FILTER_INPUT_TOKENS] = {.sql = STORE_SUM_OF("usage", "input")},
    [FILTER_OUTPUT_TOKENS] = {.sql = STORE_SUM_OF("usage", "output")},
    [FILTER_TOTAL_TOKENS] = {.sql = "json_extract(usage, '$.total')"},
    [FILTER_INPUT_COST] = {.sql = STORE_SUM_OF("cost", "input")},
    [FILTER_OUTPUT_COST] = {.sql = STORE_SUM_OF("cost", "output")},
    [FILTER_TOTAL_COST] = {.sql = "json_extract(cost, '$.total')"},
    [FILTER_MODEL] = {.sql = "model"},
    [FILTER_PROMPT_NAME] = {.sql = "prompt_name"},
    [FILTER_PROMPT_VERSION] = {.sql = "CASE WHEN prompt_version >= 0 THEN prompt_version END"},
    [FILTER_INPUT] = {.sql = "coalesce(input, '')"},
    [FILTER_OUTPUT] = {.sql = "coalesce(output, '')"},
    [FILTER_METADATA] = {.sql = "(SELECT value FROM json_each(metadata) WHERE key = ?)", .keys = 1},
    [FILTER_IS_ROOT] = {.sql = STORE_IS_ROOT},
    [FILTER_HAS_PARENT] = {.sql = "(parent_id != '')"},
    [FILTER_HAS_INPUT] = {.sql = "(coalesce(input, '') != '')"},
    [FILTER_HAS_OUTPUT] = {.sql = "(coalesce(output, '') != '')"},
    [FILTER_EXPERIMENT_ID] = {.sql = STORE_EXPERIMENT("id"), .empty_is_null = true},
    [FILTER_EXPERIMENT_NAME] = {.sql = STORE_EXPERIMENT("name")},
    [FILTER_EXPERIMENT_DATASET_ID] = {.sql = STORE_EXPERIMENT("dataset.id")},
};

/* What is read as the trace, see trace_view_of: the value of its events, else the one that an observation brought last. The
 * trace is `each.trace_id` of the query around. */
#define STORE_OF_RECORD(column) "(SELECT " column " FROM traces AS t WHERE t.id = each.trace_id)"
#define STORE_OF_ROWS(what) "(SELECT " what " FROM observations AS o WHERE o.trace_id = each.trace_id)"
#define STORE_SAID(column, of_rows, nothing)                                                                              \
    "coalesce(nullif(" STORE_OF_RECORD(column) ", " nothing "), (SELECT o." of_rows " FROM observations AS o"             \
                                               " WHERE o.trace_id = each.trace_id AND o." of_rows " NOT IN ('', " nothing \
                                               ") ORDER BY o.arrived_ns DESC LIMIT 1))"
#define STORE_SUM_OF_ROWS(details, condition)                                                 \
    "(SELECT coalesce(sum(j.value), 0) FROM observations AS o, json_each(o." details ") AS j" \
    " WHERE o.trace_id = each.trace_id AND " condition ")"
#define STORE_LEVELS(level) STORE_OF_ROWS("count(CASE level WHEN '" level "' THEN 1 END)")
#define STORE_SCORES(what) "(SELECT " what " FROM scores AS s WHERE s.trace_id = each.trace_id AND s.name = ?"

#define STORE_TRACE_TAGS                                                  \
    "(SELECT json_group_array(DISTINCT j.value) FROM"                     \
    " (SELECT tags FROM traces AS t WHERE t.id = each.trace_id UNION ALL" \
    "  SELECT tags FROM observations AS o WHERE o.trace_id = each.trace_id) AS u, json_each(u.tags) AS j)"

static const store_filter_column store_filter_of_traces[FILTER_COLUMN_COUNT] = {
    [FILTER_ID] = {.sql = "each.trace_id"},
    [FILTER_NAME] = {.sql = "coalesce(" STORE_SAID("name", "trace_name", "''") ", '')"},
    [FILTER_USER_ID] = {.sql = STORE_SAID("user_id", "user_id", "''")},
    [FILTER_SESSION_ID] = {.sql = STORE_SAID("session_id", "session_id", "''")},
    [FILTER_VERSION] = {.sql = STORE_SAID("version", "version", "''")},
    [FILTER_RELEASE] = {.sql = STORE_SAID("release", "release", "''")},
    [FILTER_ENVIRONMENT] = {.sql = "coalesce(" STORE_SAID("environment", "environment", "'default'") ", 'default')"},
    [FILTER_TAGS] = {.sql = STORE_TRACE_TAGS, .list = true},
    [FILTER_START_TIME] = {.sql = "coalesce(" STORE_OF_ROWS("min(start_ms)") ", " STORE_OF_RECORD("timestamp_ms") ")"},
    [FILTER_BOOKMARKED] = {.sql = "(1 = 0)"},
    [FILTER_PUBLIC] = {.sql = "coalesce(nullif(" STORE_OF_RECORD("is_public") ", -1), " STORE_OF_ROWS("max(is_public)") ", 0)"},
    [FILTER_METADATA] = {.sql =
                             "coalesce((SELECT j.value FROM traces AS t, json_each(t.metadata) AS j"
                             "  WHERE t.id = each.trace_id AND j.key = ?),"
                             " (SELECT j.value FROM observations AS o, json_each(o.trace_metadata) AS j"
                             "  WHERE o.trace_id = each.trace_id AND o.trace_metadata IS NOT NULL AND j.key = ?"
                             "  ORDER BY o.arrived_ns DESC LIMIT 1),"
                             " (SELECT j.value FROM observations AS o, json_each(o.metadata) AS j"
                             "  WHERE o.trace_id = each.trace_id AND o.parent_id = '' AND j.key = ? ORDER BY o.start_ms LIMIT 1))",
                         .keys = 3},
    [FILTER_LATENCY] = {.sql = STORE_OF_ROWS("(max(CASE WHEN o." STORE_HAS_ENDED " THEN o.end_ns / 1000000 ELSE o.start_ms END)"
                                             " - min(o.start_ms)) / 1000.0")},
    [FILTER_INPUT_TOKENS] = {.sql = STORE_SUM_OF_ROWS("usage", "instr(lower(j.key), 'input') > 0")},
    [FILTER_OUTPUT_TOKENS] = {.sql = STORE_SUM_OF_ROWS("usage", "instr(lower(j.key), 'output') > 0")},
    [FILTER_TOTAL_TOKENS] = {.sql = STORE_SUM_OF_ROWS("usage", "j.key = 'total'")},
    [FILTER_INPUT_COST] = {.sql = STORE_SUM_OF_ROWS("cost", "instr(lower(j.key), 'input') > 0")},
    [FILTER_OUTPUT_COST] = {.sql = STORE_SUM_OF_ROWS("cost", "instr(lower(j.key), 'output') > 0")},
    [FILTER_TOTAL_COST] = {.sql = STORE_SUM_OF_ROWS("cost", "j.key = 'total'")},
    [FILTER_LEVEL] = {.sql = STORE_OF_ROWS("CASE max(CASE level WHEN 'ERROR' THEN 3 WHEN 'WARNING' THEN 2 WHEN 'DEFAULT' THEN 1"
                                           " ELSE 0 END) WHEN 3 THEN 'ERROR' WHEN 2 THEN 'WARNING' WHEN 1 THEN 'DEFAULT'"
                                           " WHEN 0 THEN 'DEBUG' END")},
    [FILTER_WARNING_COUNT] = {.sql = STORE_LEVELS("WARNING")},
    [FILTER_ERROR_COUNT] = {.sql = STORE_LEVELS("ERROR")},
    [FILTER_DEFAULT_COUNT] = {.sql = STORE_LEVELS("DEFAULT")},
    [FILTER_DEBUG_COUNT] = {.sql = STORE_LEVELS("DEBUG")},
    [FILTER_SCORE_NUMBERS] = {.sql = STORE_SCORES("avg(s.value)") " AND s.data_type = 'NUMERIC')", .keys = 1},
    [FILTER_SCORE_CATEGORIES] = {.sql = STORE_SCORES("json_group_array(s.string_value)") " AND s.data_type = 'CATEGORICAL')",
                                 .keys = 1,
                                 .list = true},
    [FILTER_SCORE_BOOLEANS] = {.sql = STORE_SCORES("json_group_array(s.value)") " AND s.data_type = 'BOOLEAN')", .keys = 1},
};

static const store_filter_column store_filter_of_scores[FILTER_COLUMN_COUNT] = {
    [FILTER_ID] = {.sql = "each.id"},
    [FILTER_START_TIME] = {.sql = "each.timestamp_ms"},
    [FILTER_ENVIRONMENT] = {.sql = "each.environment"},
    [FILTER_TRACE_ID] = {.sql = "nullif(each.trace_id, '')"},
    [FILTER_OBSERVATION_ID] = {.sql = "each.observation_id", .empty_is_null = true},
    [FILTER_SESSION_ID] = {.sql = "nullif(each.session_id, '')"},
    [FILTER_NAME] = {.sql = "each.name"},
    [FILTER_VALUE] = {.sql = "each.value"},
    [FILTER_BOOLEAN_VALUE] = {.sql =
                                  "CASE WHEN each.data_type != 'BOOLEAN' THEN '' WHEN each.value = 1 THEN 'true' ELSE 'false' END",
                              .empty_is_null = true},
    [FILTER_STRING_VALUE] = {.sql = "CASE each.data_type WHEN 'BOOLEAN' THEN CASE WHEN each.value = 1 THEN 'True' ELSE 'False' END"
                                    " WHEN 'CATEGORICAL' THEN each.string_value WHEN 'TEXT' THEN each.string_value END"},
    [FILTER_SOURCE] = {.sql = "each.source"},
    [FILTER_DATA_TYPE] = {.sql = "each.data_type"},
    [FILTER_COMMENT] = {.sql = "each.comment"},
    [FILTER_AUTHOR] = {.sql = "NULL"},
    [FILTER_METADATA] = {.sql = "(SELECT value FROM json_each(each.metadata) WHERE key = ?)", .keys = 1},
    [FILTER_TRACE_NAME] = {.sql = STORE_SAID("name", "trace_name", "''")},
    [FILTER_USER_ID] = {.sql = STORE_SAID("user_id", "user_id", "''")},
    [FILTER_TAGS] = {.sql = STORE_TRACE_TAGS, .list = true},
};

static const store_filter_column *store_filter_column_of(const filter *f, size_t i)
{
    static const store_filter_column *const tables[] = {[FILTER_OBSERVATIONS] = store_filter_of_rows,
                                                        [FILTER_TRACES] = store_filter_of_traces,
                                                        [FILTER_SCORES] = store_filter_of_scores};
    return &tables[f->table][f->list[i].column];
}

/* ---- SQL ---- */

const char *store_trace_column_sql(filter_column column)
{
    return store_filter_of_traces[column].sql;
}

static void store_put_marks(buf *sql, size_t count)
{
    buf_char(sql, '(');
    for (size_t i = 0; i < count; i++)
        buf_string(sql, i > 0 ? ",?" : "?");
    buf_char(sql, ')');
}

static void store_put_list_condition(buf *sql, const char *column, const filter_condition *c)
{
    if (c->op == FILTER_ALL_OF) {
        buf_string(sql, "1");
        for (size_t i = 0; i < c->value_count; i++)
            buf_format(sql, " AND EXISTS (SELECT 1 FROM json_each(%s) WHERE value = ?)", column);
        return;
    }
    buf_format(sql, "%sEXISTS (SELECT 1 FROM json_each(%s) WHERE value IN ", c->op == FILTER_NONE_OF ? "NOT " : "", column);
    store_put_marks(sql, c->value_count);
    buf_char(sql, ')');
}

static void store_put_text_condition(buf *sql, const store_filter_column *column, const filter_condition *c)
{
    const char *name = column->sql;
    bool negative = c->op == FILTER_LACKS || c->op == FILTER_NONE_OF;
    if (column->empty_is_null && negative)
        buf_format(sql, "%s != '' AND ", name);
    switch (c->op) {
    case FILTER_CONTAINS: buf_format(sql, "instr(%s, ?) > 0", name); break;
    case FILTER_LACKS: buf_format(sql, "instr(%s, ?) = 0", name); break;
    case FILTER_STARTS: buf_format(sql, "instr(%s, ?) = 1", name); break;
    case FILTER_ENDS: buf_format(sql, "substr(%s, length(%s) - length(?) + 1) = ?", name, name); break;
    case FILTER_MATCHES: buf_format(sql, c->key.at != NULL ? "instr(%s, ?) > 0" : "instr(lower(%s), lower(?)) > 0", name); break;
    case FILTER_ANY_OF:
    case FILTER_NONE_OF:
        buf_format(sql, "%s %sIN ", name, c->op == FILTER_NONE_OF ? "NOT " : "");
        store_put_marks(sql, c->value_count);
        break;
    default: buf_format(sql, "%s = ?", name); break;
    }
}

static void store_put_null_condition(buf *sql, const store_filter_column *column, bool is)
{
    if (column->empty_is_null)
        buf_format(sql, "%s %s ''", column->sql, is ? "=" : "!=");
    else
        buf_format(sql, "%s IS %sNULL", column->sql, is ? "" : "NOT ");
}

static void store_put_number_condition(buf *sql, const char *column, const filter_condition *c)
{
    static const char *const operators[] = {[FILTER_EQUALS] = "=", [FILTER_DIFFERS] = "<>",  [FILTER_ABOVE] = ">",
                                            [FILTER_BELOW] = "<",  [FILTER_AT_LEAST] = ">=", [FILTER_AT_MOST] = "<="};
    if (c->column == FILTER_SCORE_BOOLEANS) /* without a score of that name nothing equals */
        buf_format(sql, "%sEXISTS (SELECT 1 FROM json_each(%s) WHERE value = ?)", c->op == FILTER_DIFFERS ? "NOT " : "", column);
    else
        buf_format(sql, "%s %s ?", column, operators[c->op]);
}

void store_put_filter(buf *sql, const filter *f)
{
    for (size_t i = 0; f != NULL && i < f->count; i++) {
        const filter_condition *c = &f->list[i];
        const store_filter_column *column = store_filter_column_of(f, i);
        buf_string(sql, " AND (");
        if (c->op == FILTER_IS_NULL || c->op == FILTER_IS_NOT_NULL)
            store_put_null_condition(sql, column, c->op == FILTER_IS_NULL);
        else if (c->op == FILTER_IS_SET || c->op == FILTER_IS_NOT_SET)
            buf_format(sql, "%s IS %sNULL", column->sql, c->op == FILTER_IS_SET ? "NOT " : "");
        else if (c->numeric)
            store_put_number_condition(sql, column->sql, c);
        else if (column->list)
            store_put_list_condition(sql, column->sql, c);
        else
            store_put_text_condition(sql, column, c);
        buf_char(sql, ')');
    }
}

/* ---- Values, in the order of their marks ---- */

static void store_bind_keys(sqlite3_stmt *statement, int *next, const store_filter_column *column, text key)
{
    for (int i = 0; i < column->keys; i++)
        store_bind_text(statement, next, key);
}

/* How often the column stands in the SQL of a condition, before its value. */
static void store_bind_condition(sqlite3_stmt *statement, int *next, const store_filter_column *column, const filter_condition *c)
{
    bool guarded = column->empty_is_null && (c->op == FILTER_LACKS || c->op == FILTER_NONE_OF);
    if (c->op == FILTER_ALL_OF) {
        for (size_t i = 0; i < c->value_count; i++) {
            store_bind_keys(statement, next, column, c->key);
            store_bind_text(statement, next, c->values[i]);
        }
        return;
    }
    for (int i = 0; i < 1 + guarded + (c->op == FILTER_ENDS); i++)
        store_bind_keys(statement, next, column, c->key);
    if (c->op == FILTER_IS_NULL || c->op == FILTER_IS_NOT_NULL || c->op == FILTER_IS_SET || c->op == FILTER_IS_NOT_SET)
        return;
    if (c->numeric)
        sqlite3_bind_double(statement, (*next)++, c->number);
    for (int i = 0; i < 1 + (c->op == FILTER_ENDS); i++)
        store_bind_all(statement, next, c->values, c->value_count);
}

void store_bind_filter(sqlite3_stmt *statement, int *next, const filter *f)
{
    for (size_t i = 0; f != NULL && i < f->count; i++)
        store_bind_condition(statement, next, store_filter_column_of(f, i), &f->list[i]);
}
