/* Prices of models, by the form and the rules of a real server: a table that is built in, and the models of a file, which win.
 *
 * One list for the process. It does not change once threads read it; a lock guards the building of it and the cache of names.
 */
#ifndef LOCAL_PRICE_H
#define LOCAL_PRICE_H

#include "json.h"
#include "usage.h"

#include <regex.h>

/* Dollars for one of what the key counts: digits / 10^places. */
typedef struct price_rate {
    text key;
    int64_t digits;
    int places;
} price_rate;

typedef enum price_source { PRICE_USAGE, PRICE_PARAMETERS, PRICE_METADATA } price_source;
typedef enum price_operator { PRICE_GT, PRICE_GTE, PRICE_LT, PRICE_LTE, PRICE_EQ, PRICE_NEQ, PRICE_OPERATOR_COUNT } price_operator;

/* Of usage: the sum of all counts whose key fits the pattern is compared. Else: a member of the parameters or the metadata has one
 * of the values. */
typedef struct price_condition {
    price_source source;
    regex_t pattern;
    price_operator operator;
    double bound;
    text key;
    const text *values;
    size_t value_count;
} price_condition;

typedef struct price_tier {
    text name;
    const price_condition *conditions; /* all of them; the default tier has none */
    const price_rate *rates;
    size_t condition_count, rate_count;
    int64_t priority;
    bool is_default;
} price_tier;

typedef struct price_model {
    text id, name;
    const regex_t *pattern;
    const price_tier *tiers; /* in the order in which they are tried, the default one last */
    size_t tier_count;
    int64_t start_ms; /* of the models that fit, the one with the latest start counts; INT64_MIN: not given */
    bool is_managed;  /* by Langfuse: the models of a project come before it */
} price_model;

/* Adds the models of a file, given as its text. False, with one line in `why`, when it is not of the form. Before the server
 * starts. */
bool price_add_file(text file, char *why, size_t why_size);

/* The model whose pattern fits the name that a program gives; NULL: none. Any thread. */
const price_model *price_find(text name);
const price_model *price_of_id(text id); /* the model of an id that price_find gave */

/* The first tier whose conditions hold. `parameters` and `metadata` are JSON objects. */
const price_tier *price_tier_of(arena *a, const price_model *model, const usage_counts *counts, text parameters, text metadata);
const price_tier *price_default_tier(const price_model *model); /* NULL when `model` is */

const price_rate *price_rate_of(const price_tier *tier, text key); /* NULL: no price. `tier` may be NULL */
double price_of(const price_rate *rate, int64_t tokens);

#endif
