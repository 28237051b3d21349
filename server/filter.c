/* The words are those of a real server, to the letter. */
#include "filter.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>

/* What a column holds, which decides the types that a condition on it may have. */
typedef enum filter_kind {
    FILTER_OF_TEXT,
    FILTER_OF_OPTIONS, /* a text, under another name */
    FILTER_OF_LIST,
    FILTER_OF_NUMBER,
    FILTER_OF_TIME,
    FILTER_OF_TRUTH,
    FILTER_OF_TEXTS_BY_KEY,
    FILTER_OF_NUMBERS_BY_KEY,
    FILTER_OF_CATEGORIES_BY_KEY,
    FILTER_OF_TRUTHS_BY_KEY
} filter_kind;

static const struct {
    const char *types[2];
} filter_kinds[] = {
    [FILTER_OF_TEXT] = {{"string", "stringOptions"}},
    [FILTER_OF_OPTIONS] = {{"stringOptions", "string"}},
    [FILTER_OF_LIST] = {{"arrayOptions", "stringOptions"}},
    [FILTER_OF_NUMBER] = {{"number", NULL}},
    [FILTER_OF_TIME] = {{"datetime", NULL}},
    [FILTER_OF_TRUTH] = {{"boolean", NULL}},
    [FILTER_OF_TEXTS_BY_KEY] = {{"stringObject", NULL}},
    [FILTER_OF_NUMBERS_BY_KEY] = {{"numberObject", NULL}},
    [FILTER_OF_CATEGORIES_BY_KEY] = {{"categoryOptions", "stringOptions"}},
    [FILTER_OF_TRUTHS_BY_KEY] = {{"booleanObject", NULL}},
};

/* A column goes by its id, and by the title that the pages of a real server show. */
typedef struct filter_entry {
    const char *id, *title;
    filter_column column;
    filter_kind kind;
} filter_entry;

static const filter_entry filter_observation_columns[] = {
    {"id", "ID", FILTER_ID, FILTER_OF_OPTIONS},
    {"traceId", "Trace ID", FILTER_TRACE_ID, FILTER_OF_TEXT},
    {"parentObservationId", "Parent Observation ID", FILTER_PARENT_ID, FILTER_OF_TEXT},
    {"type", "Type", FILTER_TYPE, FILTER_OF_OPTIONS},
    {"name", "Name", FILTER_NAME, FILTER_OF_OPTIONS},
    {"level", "Level", FILTER_LEVEL, FILTER_OF_OPTIONS},
    {"statusMessage", "Status Message", FILTER_STATUS_MESSAGE, FILTER_OF_TEXT},
    {"version", "Version", FILTER_VERSION, FILTER_OF_TEXT},
    {"release", "Release", FILTER_RELEASE, FILTER_OF_TEXT},
    {"environment", "Environment", FILTER_ENVIRONMENT, FILTER_OF_OPTIONS},
    {"traceEnvironment", "Trace Environment", FILTER_ENVIRONMENT, FILTER_OF_OPTIONS},
    {"userId", "User ID", FILTER_USER_ID, FILTER_OF_TEXT},
    {"sessionId", "Session ID", FILTER_SESSION_ID, FILTER_OF_TEXT},
    {"traceName", "Trace Name", FILTER_TRACE_NAME, FILTER_OF_OPTIONS},
    {"traceTags", "Trace Tags", FILTER_TAGS, FILTER_OF_LIST},
    {"tags", "Tags", FILTER_TAGS, FILTER_OF_LIST},
    {"startTime", "Start Time", FILTER_START_TIME, FILTER_OF_TIME},
    {"endTime", "End Time", FILTER_END_TIME, FILTER_OF_TIME},
    {"latency", "Latency (s)", FILTER_LATENCY, FILTER_OF_NUMBER},
    {"timeToFirstToken", "Time To First Token (s)", FILTER_FIRST_TOKEN, FILTER_OF_NUMBER},
    {"tokensPerSecond", "Tokens per second", FILTER_TOKENS_PER_SECOND, FILTER_OF_NUMBER},
    {"inputTokens", "Input Tokens", FILTER_INPUT_TOKENS, FILTER_OF_NUMBER},
    {"outputTokens", "Output Tokens", FILTER_OUTPUT_TOKENS, FILTER_OF_NUMBER},
    {"totalTokens", "Total Tokens", FILTER_TOTAL_TOKENS, FILTER_OF_NUMBER},
    {"tokens", "Tokens", FILTER_TOTAL_TOKENS, FILTER_OF_NUMBER},
    {"inputCost", "Input Cost ($)", FILTER_INPUT_COST, FILTER_OF_NUMBER},
    {"outputCost", "Output Cost ($)", FILTER_OUTPUT_COST, FILTER_OF_NUMBER},
    {"totalCost", "Total Cost ($)", FILTER_TOTAL_COST, FILTER_OF_NUMBER},
    {"model", "Model", FILTER_MODEL, FILTER_OF_OPTIONS},
    {"providedModelName", "Provided Model Name", FILTER_MODEL, FILTER_OF_OPTIONS},
    {"promptName", "Prompt Name", FILTER_PROMPT_NAME, FILTER_OF_OPTIONS},
    {"promptVersion", "Prompt Version", FILTER_PROMPT_VERSION, FILTER_OF_NUMBER},
    {"input", "Input", FILTER_INPUT, FILTER_OF_TEXT},
    {"output", "Output", FILTER_OUTPUT, FILTER_OF_TEXT},
    {"metadata", "Metadata", FILTER_METADATA, FILTER_OF_TEXTS_BY_KEY},
    {"isRootObservation", "Is Root Observation", FILTER_IS_ROOT, FILTER_OF_TRUTH},
    {"hasParentObservation", "Has Parent Observation", FILTER_HAS_PARENT, FILTER_OF_TRUTH},
    {"hasInput", "Has Input", FILTER_HAS_INPUT, FILTER_OF_TRUTH},
    {"hasOutput", "Has Output", FILTER_HAS_OUTPUT, FILTER_OF_TRUTH},
    {"experimentId", "Experiment ID", FILTER_EXPERIMENT_ID, FILTER_OF_OPTIONS},
    {"experimentName", "Experiment Name", FILTER_EXPERIMENT_NAME, FILTER_OF_OPTIONS},
    {"experimentDatasetId", "Experiment Dataset ID", FILTER_EXPERIMENT_DATASET_ID, FILTER_OF_OPTIONS},
    {NULL, NULL, FILTER_ID, FILTER_OF_TEXT},
};

static const filter_entry filter_trace_columns[] = {
    {"id", "ID", FILTER_ID, FILTER_OF_TEXT},
    {"traceId", "Trace ID", FILTER_ID, FILTER_OF_TEXT},
    {"name", "Name", FILTER_NAME, FILTER_OF_OPTIONS},
    {"traceName", "Trace Name", FILTER_NAME, FILTER_OF_OPTIONS},
    {"timestamp", "Timestamp", FILTER_START_TIME, FILTER_OF_TIME},
    {"userId", "User ID", FILTER_USER_ID, FILTER_OF_TEXT},
    {"sessionId", "Session ID", FILTER_SESSION_ID, FILTER_OF_TEXT},
    {"environment", "Environment", FILTER_ENVIRONMENT, FILTER_OF_OPTIONS},
    {"version", "Version", FILTER_VERSION, FILTER_OF_TEXT},
    {"release", "Release", FILTER_RELEASE, FILTER_OF_TEXT},
    {"tags", "Tags", FILTER_TAGS, FILTER_OF_LIST},
    {"traceTags", "Trace Tags", FILTER_TAGS, FILTER_OF_LIST},
    {"bookmarked", "\u2B50\uFE0F", FILTER_BOOKMARKED, FILTER_OF_TRUTH},
    {"metadata", "Metadata", FILTER_METADATA, FILTER_OF_TEXTS_BY_KEY},
    {"latency", "Latency (s)", FILTER_LATENCY, FILTER_OF_NUMBER},
    {"inputTokens", "Input Tokens", FILTER_INPUT_TOKENS, FILTER_OF_NUMBER},
    {"outputTokens", "Output Tokens", FILTER_OUTPUT_TOKENS, FILTER_OF_NUMBER},
    {"totalTokens", "Total Tokens", FILTER_TOTAL_TOKENS, FILTER_OF_NUMBER},
    {"tokens", "Tokens", FILTER_TOTAL_TOKENS, FILTER_OF_NUMBER},
    {"inputCost", "Input Cost ($)", FILTER_INPUT_COST, FILTER_OF_NUMBER},
    {"outputCost", "Output Cost ($)", FILTER_OUTPUT_COST, FILTER_OF_NUMBER},
    {"totalCost", "Total Cost ($)", FILTER_TOTAL_COST, FILTER_OF_NUMBER},
    {"level", "Level", FILTER_LEVEL, FILTER_OF_OPTIONS},
    {"warningCount", "Warning Level Count", FILTER_WARNING_COUNT, FILTER_OF_NUMBER},
    {"errorCount", "Error Level Count", FILTER_ERROR_COUNT, FILTER_OF_NUMBER},
    {"defaultCount", "Default Level Count", FILTER_DEFAULT_COUNT, FILTER_OF_NUMBER},
    {"debugCount", "Debug Level Count", FILTER_DEBUG_COUNT, FILTER_OF_NUMBER},
    {"scores_avg", "Scores (numeric)", FILTER_SCORE_NUMBERS, FILTER_OF_NUMBERS_BY_KEY},
    {"score_categories", "Scores (categorical)", FILTER_SCORE_CATEGORIES, FILTER_OF_CATEGORIES_BY_KEY},
    {"score_booleans", "Scores (boolean)", FILTER_SCORE_BOOLEANS, FILTER_OF_TRUTHS_BY_KEY},
    {NULL, NULL, FILTER_ID, FILTER_OF_TEXT},
};

static const filter_entry filter_score_columns[] = {
    {"id", "ID", FILTER_ID, FILTER_OF_TEXT},
    {"timestamp", "Timestamp", FILTER_START_TIME, FILTER_OF_TIME},
    {"environment", "Environment", FILTER_ENVIRONMENT, FILTER_OF_OPTIONS},
    {"traceId", "Trace ID", FILTER_TRACE_ID, FILTER_OF_TEXT},
    {"observationId", "Observation ID", FILTER_OBSERVATION_ID, FILTER_OF_TEXT},
    {"sessionId", "Session ID", FILTER_SESSION_ID, FILTER_OF_TEXT},
    {"name", "Name", FILTER_NAME, FILTER_OF_OPTIONS},
    {"value", "Value", FILTER_VALUE, FILTER_OF_NUMBER},
    {"booleanValue", "Boolean Value", FILTER_BOOLEAN_VALUE, FILTER_OF_OPTIONS},
    {"stringValue", "String Value", FILTER_STRING_VALUE, FILTER_OF_OPTIONS},
    {"source", "Source", FILTER_SOURCE, FILTER_OF_OPTIONS},
    {"dataType", "Data Type", FILTER_DATA_TYPE, FILTER_OF_OPTIONS},
    {"comment", "Comment", FILTER_COMMENT, FILTER_OF_TEXT},
    {"authorUserId", "Author User ID", FILTER_AUTHOR, FILTER_OF_TEXT},
    {"metadata", "Metadata", FILTER_METADATA, FILTER_OF_TEXTS_BY_KEY},
    {"traceName", "Trace Name", FILTER_TRACE_NAME, FILTER_OF_OPTIONS},
    {"userId", "User ID", FILTER_USER_ID, FILTER_OF_OPTIONS},
    {"trace_tags", "Trace Tags", FILTER_TAGS, FILTER_OF_LIST},
    {NULL, NULL, FILTER_ID, FILTER_OF_TEXT},
};

static const filter_entry *filter_find_column(filter_table table, text name)
{
    static const filter_entry *const tables[] = {[FILTER_OBSERVATIONS] = filter_observation_columns,
                                                 [FILTER_TRACES] = filter_trace_columns,
                                                 [FILTER_SCORES] = filter_score_columns};
    const filter_entry *entry = tables[table];
    while (entry->id != NULL && !text_is(name, entry->id) && !text_is(name, entry->title))
        entry++;
    return entry->id != NULL ? entry : NULL;
}

/* ---- Types and operators ---- */

typedef enum filter_value {
    FILTER_TEXT_VALUE,
    FILTER_LIST_VALUE,
    FILTER_NUMBER_VALUE,
    FILTER_TIME_VALUE,
    FILTER_TRUTH_VALUE,
    FILTER_EMPTY_VALUE
} filter_value;

#define FILTER_MAX_OPERATORS 6

typedef struct filter_type {
    const char *name;
    bool keyed;
    filter_value value;
    const char *operators[FILTER_MAX_OPERATORS];
} filter_type;

/* The operators in the order in which a real server lists them. */
#define FILTER_TEXT_OPERATORS {"=", "contains", "does not contain", "starts with", "ends with", NULL}
#define FILTER_NUMBER_OPERATORS {"=", ">", "<", ">=", "<=", NULL}

static const filter_type filter_types[] = {
    {"datetime", false, FILTER_TIME_VALUE, {">", "<", ">=", "<=", NULL}},
    {"string", false, FILTER_TEXT_VALUE, FILTER_TEXT_OPERATORS},
    {"number", false, FILTER_NUMBER_VALUE, FILTER_NUMBER_OPERATORS},
    {"stringOptions", false, FILTER_LIST_VALUE, {"any of", "none of", NULL}},
    {"categoryOptions", true, FILTER_LIST_VALUE, {"any of", "none of", NULL}},
    {"arrayOptions", false, FILTER_LIST_VALUE, {"any of", "none of", "all of", NULL}},
    {"stringObject", true, FILTER_TEXT_VALUE, FILTER_TEXT_OPERATORS},
    {"numberObject", true, FILTER_NUMBER_VALUE, FILTER_NUMBER_OPERATORS},
    {"booleanObject", true, FILTER_TRUTH_VALUE, {"=", "<>", NULL}},
    {"boolean", false, FILTER_TRUTH_VALUE, {"=", "<>", NULL}},
    {"null", false, FILTER_EMPTY_VALUE, {"is null", "is not null", NULL}},
};

static const struct {
    const char *name;
    filter_operator op;
} filter_operators[] = {
    {"=", FILTER_EQUALS},
    {"<>", FILTER_DIFFERS},
    {">", FILTER_ABOVE},
    {"<", FILTER_BELOW},
    {">=", FILTER_AT_LEAST},
    {"<=", FILTER_AT_MOST},
    {"contains", FILTER_CONTAINS},
    {"does not contain", FILTER_LACKS},
    {"starts with", FILTER_STARTS},
    {"ends with", FILTER_ENDS},
    {"matches", FILTER_MATCHES},
    {"any of", FILTER_ANY_OF},
    {"none of", FILTER_NONE_OF},
    {"all of", FILTER_ALL_OF},
    {"is null", FILTER_IS_NULL},
    {"is not null", FILTER_IS_NOT_NULL},
    {"is set", FILTER_IS_SET},
    {"is not set", FILTER_IS_NOT_SET},
};

static const filter_type *filter_type_of(const json *name)
{
    for (size_t i = 0; i < sizeof filter_types / sizeof *filter_types; i++)
        if (json_is_string(name, filter_types[i].name))
            return &filter_types[i];
    return NULL;
}

static filter_operator filter_operator_of(text name)
{
    size_t i = 0;
    while (i + 1 < sizeof filter_operators / sizeof *filter_operators && !text_is(name, filter_operators[i].name))
        i++;
    return filter_operators[i].op;
}

/* ---- Checking ---- */

typedef struct filter_reading {
    arena *arena;
    filter *out;
    bool newer;
    issues *problems;
    size_t index;
} filter_reading;

/* Texts of observations have an operator more. */
static void filter_check_operator(filter_reading *r, const filter_type *type, const json *given)
{
    bool text_type = type->value == FILTER_TEXT_VALUE, matches = text_type && r->out->table == FILTER_OBSERVATIONS;
    bool set = json_is_string(given, "is set") || json_is_string(given, "is not set");
    if ((matches && json_is_string(given, "matches")) || (set && text_type && type->keyed && r->newer))
        return;
    for (size_t i = 0; type->operators[i] != NULL; i++)
        if (json_is_string(given, type->operators[i]))
            return;
    if (matches)
        issues_add_option_or(r->problems, "operator", type->operators, "matches");
    else
        issues_add_option(r->problems, "operator", type->operators);
}

/* A list of texts. An empty one would select nothing, except where it stands for "not chosen yet". */
static void filter_check_list(filter_reading *r, const filter_type *type, const json *value, const json *op)
{
    size_t index = 0, count = json_count(value);
    const char *prefix = r->problems->prefix;
    if (!json_is(value, JSON_ARRAY)) {
        issues_add_type(r->problems, "value", "array", value);
        return;
    }
    for (const json *item = value->first; item != NULL; item = item->next, index++) {
        char path[80];
        snprintf(path, sizeof path, "%s,\"value\",%zu", prefix, index);
        r->problems->prefix = path;
        issues_check_string(r->problems, item, "", true);
        r->problems->prefix = prefix;
    }
    if (count == 0 && strcmp(type->name, "stringOptions") == 0)
        issues_add_custom(r->problems, "value", "Invalid input");
    if (count == 0 && strcmp(type->name, "arrayOptions") == 0 && json_is_string(op, "any of"))
        issues_add_custom(r->problems, "",
                          "Value array must not be empty unless operator is 'all of' or 'none of' (which represent waiting for "
                          "selection)");
    if (count > FILTER_MAX_VALUES || (json_is_string(op, "all of") && count > FILTER_MAX_ALL_OF))
        issues_add_custom(r->problems, "value", "langfuse-local takes 1000 values at most, and 100 for `all of`.");
}

/* A date alone, and a time without zone, are of UTC. */
static bool filter_read_time(const json *value, double *out_ms)
{
    int64_t ms;
    char text_of_time[48];
    if (value->kind == JSON_NUMBER || value->kind != JSON_STRING) {
        *out_ms = value->kind == JSON_NUMBER ? value->number : value->kind == JSON_TRUE;
        return value->kind != JSON_ARRAY && value->kind != JSON_OBJECT;
    }
    if (!clock_parse_any(value->string, &ms)) {
        int size = snprintf(text_of_time, sizeof text_of_time, "%.*s%sZ", (int)(value->string.size < 32 ? value->string.size : 32),
                            value->string.at, value->string.size == 10 ? "T00:00:00" : "");
        if (value->string.size > 32 || !clock_parse_any((text){text_of_time, (size_t)size}, &ms))
            return false;
    }
    *out_ms = (double)ms;
    return true;
}

static void filter_check_value(filter_reading *r, const filter_type *type, const json *value, const json *op)
{
    double ms;
    if (json_is_string(op, "is set") || json_is_string(op, "is not set"))
        return;
    switch (type->value) {
    case FILTER_TEXT_VALUE: issues_check_string(r->problems, value, "value", true); break;
    case FILTER_LIST_VALUE: filter_check_list(r, type, value, op); break;
    case FILTER_NUMBER_VALUE:
        if (!json_is(value, JSON_NUMBER))
            issues_add_type(r->problems, "value", "number", value);
        break;
    case FILTER_TIME_VALUE:
        if (value == NULL || !filter_read_time(value, &ms))
            issues_add_date(r->problems, "value");
        break;
    case FILTER_TRUTH_VALUE:
        if (!json_is(value, JSON_TRUE) && !json_is(value, JSON_FALSE))
            issues_add_type(r->problems, "value", "boolean", value);
        break;
    case FILTER_EMPTY_VALUE:
        if (!json_is_string(value, ""))
            issues_add_option(r->problems, "value", (const char *const[]){"", NULL});
        break;
    }
}

/* The place of an observation in its trace. The lists take such a condition, and ignore it. */
static void filter_check_position(issues *to, const json *given)
{
    static const char *const operators[] = {"=", NULL};
    static const char *const keys[] = {"root", "first", "last", "nthFromEnd", "nthFromStart", NULL};
    const json *op = json_get(given, "operator"), *key = json_get(given, "key"), *value = json_get(given, "value");
    size_t before = to->count;
    issues_check_string(to, json_get(given, "column"), "column", true);
    if (!json_is(op, JSON_STRING))
        issues_add_option(to, "operator", operators);
    else
        issues_check_option(to, op, "operator", operators);
    if (!json_is(key, JSON_STRING))
        issues_add_option(to, "key", keys);
    else
        issues_check_option(to, key, "key", keys);
    if (value != NULL && value->kind != JSON_NUMBER)
        issues_add_type(to, "value", "number", value);
    if (to->count == before && text_starts(key->string, "nth") && json_number_at(given, "value", 0) < 1)
        issues_add_refined(to, "value", TEXT("Position must be >= 1 for nth selection"));
}

static void filter_check(filter_reading *r, const json *given)
{
    const json *op = json_get(given, "operator"), *name = json_get(given, "type");
    const filter_type *type = filter_type_of(name);
    if (!json_is(given, JSON_OBJECT)) {
        issues_add_wrong_object(r->problems, given);
        return;
    }
    if (json_is_string(name, "positionInTrace")) {
        filter_check_position(r->problems, given);
        return;
    }
    if (type == NULL) {
        issues_add_discriminator(r->problems, "type");
        return;
    }
    issues_check_string(r->problems, json_get(given, "column"), "column", true);
    if (type->keyed)
        issues_check_string(r->problems, json_get(given, "key"), "key", true);
    filter_check_operator(r, type, op);
    filter_check_value(r, type, json_get(given, "value"), op);
}

/* ---- Reading ---- */

static text filter_type_refusal(arena *a, text type, text column, const char *expected)
{
    buf out = {0};
    buf_string(&out, "Invalid filter type '");
    buf_text(&out, type);
    buf_string(&out, "' for column '");
    buf_text(&out, column);
    buf_format(&out, "'. Expected filter type '%s'.", expected);
    return buf_move(&out, a);
}

static text filter_scores_refusal(arena *a, text type, text column)
{
    buf out = {0};
    buf_string(&out, "Invalid filter type '");
    buf_text(&out, type);
    buf_string(&out, "' for legacy score column '");
    buf_text(&out, column);
    buf_string(&out, "'. Expected one of 'categoryOptions', 'numberObject', or 'booleanObject'.");
    return buf_move(&out, a);
}

static text filter_column_refusal(arena *a, text column)
{
    buf out = {0};
    buf_string(&out, "Column ");
    buf_text(&out, column);
    buf_string(&out, " does not match a UI / CH table mapping.");
    return buf_move(&out, a);
}

static bool filter_has_token(text value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.at[i], low = c | 0x20;
        if (c >= 0x80 || (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z'))
            return true;
    }
    return false;
}

static bool filter_is_of_scores(text column)
{
    return text_is(column, "scores") || text_is(column, "Scores");
}

/* Columns of scores had one name once: which is meant follows from the type. */
static text filter_column_name(text column, text type)
{
    if (!filter_is_of_scores(column))
        return column;
    return text_is(type, "categoryOptions") ? TEXT("score_categories")
           : text_is(type, "booleanObject") ? TEXT("score_booleans")
           : text_is(type, "numberObject")  ? TEXT("scores_avg")
                                            : column;
}

static void filter_take_values(arena *a, const json *value, filter_condition *out)
{
    bool list = json_is(value, JSON_ARRAY);
    text *values = arena_take(a, (list ? json_count(value) : 1) * sizeof *values);
    for (const json *item = list ? value->first : value; values != NULL && item != NULL; item = list ? item->next : NULL)
        values[out->value_count++] = item->string;
    out->values = values;
}

/* Empty, or why the condition, which is valid by itself, does not fit the column. */
static text filter_refusal(arena *a, filter_table table, const json *given, const filter_entry **out_entry)
{
    text type = json_string_at(given, "type"), column = filter_column_name(json_string_at(given, "column"), type);
    const filter_entry *entry = *out_entry = filter_find_column(table, column);
    if (filter_is_of_scores(column))
        return filter_scores_refusal(a, type, column);
    if (entry == NULL)
        return filter_column_refusal(a, column);
    const char *const *types = filter_kinds[entry->kind].types;
    if (!text_is(type, "null") && !text_is(type, types[0]) && (types[1] == NULL || !text_is(type, types[1])))
        return filter_type_refusal(a, type, json_string_at(given, "column"), types[0]);
    if (!json_is_string(json_get(given, "operator"), "matches"))
        return TEXT("");
    if (!filter_has_token(json_string_at(given, "value")))
        return TEXT("`matches` requires at least one search token.");
    bool fits = entry->column == FILTER_INPUT || entry->column == FILTER_OUTPUT || entry->column == FILTER_METADATA;
    return fits ? TEXT("") : TEXT("`matches` is only supported for input, output, and metadata filters.");
}

static void filter_keep(filter_reading *r, const json *given, const filter_entry *entry)
{
    const filter_type *type = filter_type_of(json_get(given, "type"));
    const json *value = json_get(given, "value");
    filter_condition *c = &r->out->list[r->out->count++];
    *c = (filter_condition){.column = entry->column, .op = filter_operator_of(json_string_at(given, "operator"))};
    if (type->keyed)
        c->key = json_string_at(given, "key");
    c->numeric = type->value == FILTER_NUMBER_VALUE || type->value == FILTER_TIME_VALUE || type->value == FILTER_TRUTH_VALUE;
    if (type->value == FILTER_TIME_VALUE)
        filter_read_time(value, &c->number);
    else if (c->numeric)
        c->number = type->value == FILTER_NUMBER_VALUE ? value->number : json_is(value, JSON_TRUE);
    else if (c->op != FILTER_IS_SET && c->op != FILTER_IS_NOT_SET)
        filter_take_values(r->arena, value, c);
}

/* Whole inputs and outputs are only searched by their index. */
static text filter_refusal_of_io(const filter *f, const json *list)
{
    bool any = false, fast = false;
    for (const json *given = list->first; given != NULL && f->table == FILTER_OBSERVATIONS; given = given->next) {
        const filter_entry *entry = filter_find_column(f->table, json_string_at(given, "column"));
        if (entry == NULL || (entry->column != FILTER_INPUT && entry->column != FILTER_OUTPUT))
            continue;
        if (!json_is_string(json_get(given, "type"), "string"))
            return TEXT("Input/output filters only support filter type `string`.");
        any = true;
        fast |= text_lists(TEXT("=,matches"), json_string_at(given, "operator"));
    }
    return any && !fast ? TEXT("Input/output filters require at least one `matches` or `=` operator.") : TEXT("");
}

filter_status filter_read(arena *a, text given, bool newer, filter *out, issues *problems, text *out_why)
{
    filter_reading r = {a, out, newer, problems, 0};
    const json *list = json_parse(a, given);
    char prefix[40] = "\"filter\"";
    if (list == NULL)
        return FILTER_NO_JSON;
    problems->prefix = prefix;
    if (list->kind != JSON_ARRAY)
        issues_add_type(problems, "", "array", list);
    else if (json_count(list) > FILTER_MAX_CONDITIONS)
        issues_add_custom(problems, "", "langfuse-local takes 64 conditions at most.");
    for (const json *item = json_first(list, JSON_ARRAY); item != NULL; item = item->next) {
        snprintf(prefix, sizeof prefix, "\"filter\",%zu", r.index++);
        filter_check(&r, item);
    }
    problems->prefix = NULL;
    if (problems->count > 0)
        return FILTER_INVALID;
    *out_why = filter_refusal_of_io(out, list);
    for (const json *item = list->first; item != NULL && out_why->size == 0; item = item->next) {
        const filter_entry *entry;
        if (json_is_string(json_get(item, "type"), "positionInTrace"))
            continue;
        *out_why = filter_refusal(a, out->table, item, &entry);
        if (out_why->size == 0)
            filter_keep(&r, item, entry);
    }
    return out_why->size > 0 ? FILTER_REFUSED : FILTER_OK;
}

filter_status filter_read_order(arena *a, text given, filter_column *out_column, bool *out_ascending, issues *problems,
                                text *out_why)
{
    static const char *const ways[] = {"ASC", "DESC", NULL};
    static const filter_entry columns[] = {
        {"id", "", FILTER_ID, FILTER_OF_TEXT},
        {"timestamp", "", FILTER_START_TIME, FILTER_OF_TIME},
        {"name", "", FILTER_NAME, FILTER_OF_TEXT},
        {"userId", "", FILTER_USER_ID, FILTER_OF_TEXT},
        {"release", "", FILTER_RELEASE, FILTER_OF_TEXT},
        {"version", "", FILTER_VERSION, FILTER_OF_TEXT},
        {"public", "", FILTER_PUBLIC, FILTER_OF_TRUTH},
        {"bookmarked", "", FILTER_BOOKMARKED, FILTER_OF_TRUTH},
        {"sessionId", "", FILTER_SESSION_ID, FILTER_OF_TEXT},
        {NULL, NULL, FILTER_ID, FILTER_OF_TEXT},
    };
    text rest = given, name = text_take(&rest, "."), way = arena_upper(a, text_take(&rest, "."));
    const filter_entry *entry = columns;
    *out_ascending = text_is(way, "ASC");
    if (!*out_ascending && !text_is(way, "DESC")) {
        problems->prefix = "\"orderBy\"";
        issues_add_option(problems, "order", ways);
        problems->prefix = NULL;
        return FILTER_INVALID;
    }
    while (entry->id != NULL && !text_is(name, entry->id))
        entry++;
    *out_column = entry->column;
    if (entry->id != NULL)
        return FILTER_OK;
    buf why = {0};
    buf_string(&why, "Invalid order by column: ");
    buf_text(&why, name);
    *out_why = buf_move(&why, a);
    return FILTER_REFUSED;
}

bool filter_names(const filter *f, filter_column column)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->list[i].column == column)
            return true;
    return false;
}
