/* The JSON of the parameter `filter`: a list of conditions on the columns of a table. Which there are, what a valid one looks like,
 * and in which words a real server refuses the others. Pure: store_filter.c turns conditions into SQL. */
#ifndef LOCAL_FILTER_H
#define LOCAL_FILTER_H

#include "issues.h"

/* Ceilings of one filter; values are bounded by what fits into a request, too. */
enum { FILTER_MAX_CONDITIONS = 64, FILTER_MAX_VALUES = 1000, FILTER_MAX_ALL_OF = 100 };

typedef enum filter_table { FILTER_OBSERVATIONS, FILTER_TRACES, FILTER_SCORES } filter_table;

typedef enum filter_column {
    FILTER_ID,
    FILTER_TRACE_ID,
    FILTER_PARENT_ID,
    FILTER_TYPE,
    FILTER_NAME,
    FILTER_LEVEL,
    FILTER_STATUS_MESSAGE,
    FILTER_VERSION,
    FILTER_RELEASE,
    FILTER_ENVIRONMENT,
    FILTER_USER_ID,
    FILTER_SESSION_ID,
    FILTER_TRACE_NAME,
    FILTER_TAGS,
    FILTER_START_TIME, /* of a trace: its timestamp */
    FILTER_END_TIME,
    FILTER_LATENCY,
    FILTER_FIRST_TOKEN,
    FILTER_TOKENS_PER_SECOND,
    FILTER_INPUT_TOKENS,
    FILTER_OUTPUT_TOKENS,
    FILTER_TOTAL_TOKENS,
    FILTER_INPUT_COST,
    FILTER_OUTPUT_COST,
    FILTER_TOTAL_COST,
    FILTER_MODEL,
    FILTER_PROMPT_NAME,
    FILTER_PROMPT_VERSION,
    FILTER_INPUT,
    FILTER_OUTPUT,
    FILTER_METADATA,
    FILTER_IS_ROOT,
    FILTER_HAS_PARENT,
    FILTER_HAS_INPUT,
    FILTER_HAS_OUTPUT,
    FILTER_EXPERIMENT_ID,
    FILTER_EXPERIMENT_NAME,
    FILTER_EXPERIMENT_DATASET_ID,
    FILTER_BOOKMARKED,
    FILTER_PUBLIC, /* of traces, for their order only */
    FILTER_ERROR_COUNT,
    FILTER_WARNING_COUNT,
    FILTER_DEFAULT_COUNT,
    FILTER_DEBUG_COUNT,
    FILTER_SCORE_NUMBERS, /* the average of the scores with the name of the key */
    FILTER_SCORE_CATEGORIES, /* the value of one of them */
    FILTER_SCORE_BOOLEANS, /* the same */
    FILTER_OBSERVATION_ID, /* this and the rest are columns of scores */
    FILTER_VALUE,
    FILTER_BOOLEAN_VALUE,
    FILTER_STRING_VALUE,
    FILTER_DATA_TYPE,
    FILTER_SOURCE,
    FILTER_COMMENT,
    FILTER_AUTHOR,
    FILTER_COLUMN_COUNT
} filter_column;

typedef enum filter_operator {
    FILTER_EQUALS,
    FILTER_DIFFERS,
    FILTER_ABOVE,
    FILTER_BELOW,
    FILTER_AT_LEAST,
    FILTER_AT_MOST,
    FILTER_CONTAINS,
    FILTER_LACKS,
    FILTER_STARTS,
    FILTER_ENDS,
    FILTER_MATCHES, /* contains, in any case */
    FILTER_ANY_OF,
    FILTER_NONE_OF,
    FILTER_ALL_OF,
    FILTER_IS_NULL,
    FILTER_IS_NOT_NULL,
    FILTER_IS_SET, /* of a key: it is there */
    FILTER_IS_NOT_SET
} filter_operator;

typedef struct filter_condition {
    filter_column column;
    filter_operator op;
    text key; /* of metadata and scores; else NULL */
    bool numeric; /* the value is `number`; else it is one of `values`, or all of them */
    double number; /* also true and false, and a time in milliseconds */
    const text *values;
    size_t value_count;
} filter_condition;

/* All of the conditions hold. */
typedef struct filter {
    filter_table table;
    filter_condition list[FILTER_MAX_CONDITIONS];
    size_t count;
} filter;

typedef enum filter_status {
    FILTER_OK,
    FILTER_NO_JSON,
    FILTER_INVALID, /* for the reasons in `problems` */
    FILTER_REFUSED /* for the reason in *out_why */
} filter_status;

/* Reads the conditions for `out->table`. Texts live in `a` or in `given`. `newer`: with the operators of version 4.59. */
filter_status filter_read(arena *a, text given, bool newer, filter *out, issues *problems, text *out_why);

/* field.asc or field.desc, of traces. */
filter_status filter_read_order(arena *a, text given, filter_column *out_column, bool *out_ascending, issues *problems,
                                text *out_why);

bool filter_names(const filter *f, filter_column column); /* a condition is about that column */

#endif
