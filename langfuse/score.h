/* Langfuse for C: scores. A judgement on a trace, an observation, a session or a dataset run: a number, a yes or no, a category
 * or text, by a program, a model or a person.
 *
 *     lf_score_current_observation(.name = "accuracy", .value = 0.9);
 *     lf_create_score(.name = "feedback", .string_value = "helpful", .trace_id = id, .comment = "user said so");
 *
 * Scores are sent in batches by the worker, like observations, and counted with them (lf_get_stats). They follow their
 * trace: where it is sampled out, so are they. Making one never blocks, and the result may be ignored.
 */
#ifndef LF_SCORE_H
#define LF_SCORE_H

#include "../lf_core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_score_type {
    LF_SCORE_DEFAULT = 0, /* numeric for .value, categorical for .string_value */
    LF_SCORE_NUMERIC,
    LF_SCORE_BOOLEAN,     /* .value 0 or 1 */
    LF_SCORE_CATEGORICAL, /* .string_value */
    LF_SCORE_TEXT,        /* .string_value of 1 to 500 UTF-16 units: an emoji counts as two */
    LF_SCORE_CORRECTION   /* .string_value: what the output of a trace or an observation should have been; the server stores
                             it under the name "output", whatever it is called */
} lf_score_type;

/* What a program can say of a score. Texts are copied. A score has a value: .value or .string_value. */
typedef struct lf_score_fields {
    size_t struct_size;       /* the macros set it; LF_SCORE_FIELDS_INIT by hand */
    const char *name;         /* required */
    double value;             /* NaN: no value. In a struct that is filled by hand it counts if string_value is NULL */
    const char *string_value; /* where both are given, this one counts */
    lf_score_type data_type;
    /* What is judged: a trace (with or without an observation in it), a session, or a dataset run. */
    const char *trace_id;       /* 32 hex digits or any text, as when the trace was started */
    const char *observation_id; /* with trace_id; 16 hex digits or any text */
    const lf_observation *observation; /* a handle, instead of both */
    const char *session_id;
    const char *dataset_run_id;
    const char *comment;
    const char *config_id; /* of a score config on the server */
    lf_value_from_LF_OBJECT metadata;
    const char *id;        /* a later score with the same id replaces this one, by the rule of timestamp_ns; default: random */
    const char *environment; /* default: that of the scope, else the client's */
    int64_t timestamp_ns;    /* default: now, or the time of an earlier score of this process with the same id. A score replaces one
                                with the same id and the same time */
    lf_client *client;       /* default: that of the current observation, otherwise the default client */
} lf_score_fields;

#define LF_SCORE_FIELDS_INIT .struct_size = sizeof(lf_score_fields)

/* Without a value: NaN. */
static inline void lf_i_unsay_score(lf_score_fields *fields)
{
    fields->value = __builtin_nan("");
}

/* Make a score.
 * Returns: LF_OK: it is queued, or sampled out with its trace; LF_ERR_ARGUMENT: no name, no value, no target, several targets,
 *          a value that does not fit the type, or a correction of a session or dataset run (one line is logged for each cause,
 *          once); LF_ERR_DISABLED: tracing is off. Blocks: never. */
LF_API lf_status lf_create_score_with(const lf_score_fields *fields) LF_I_SYMBOL("lf_create_score_sized");
#define lf_create_score(...) LF_I_NAMED(#__VA_ARGS__, LF_I_SCORE(lf_create_score_with, __VA_ARGS__))

/* Judge the innermost open observation of this thread, or its trace. Fields that name a target are ignored.
 * Returns: as lf_create_score; LF_ERR_ARGUMENT without an open observation. */
LF_API lf_status lf_score_current_observation_with(const lf_score_fields *fields) LF_I_SYMBOL("lf_score_current_observation_sized");
#define lf_score_current_observation(...) \
    LF_I_NAMED(#__VA_ARGS__, LF_I_SCORE(lf_score_current_observation_with, __VA_ARGS__))
LF_API lf_status lf_score_current_trace_with(const lf_score_fields *fields) LF_I_SYMBOL("lf_score_current_trace_sized");
#define lf_score_current_trace(...) LF_I_NAMED(#__VA_ARGS__, LF_I_SCORE(lf_score_current_trace_with, __VA_ARGS__))

/* With -DLF_DISABLE nothing is left of these, as of the macros of observe.h; their value is LF_ERR_DISABLED. */
#ifdef LF_DISABLE
static inline __attribute__((always_inline)) lf_status lf_i_no_score(void) /* the bare constant would be an unused value */
{
    return LF_ERR_DISABLED;
}
#define LF_I_SCORE(function, ...) LF_I_INSTEAD_OF(LF_I_MAKE_SCORE(function, __VA_ARGS__), lf_i_no_score())
#else
#define LF_I_SCORE(function, ...) LF_I_MAKE_SCORE(function, __VA_ARGS__)
#endif
#define LF_I_MAKE_SCORE(function, ...) LF_I_WITH_FIELDS_UNSAID(lf_score_fields, lf_i_unsay_score, function, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
