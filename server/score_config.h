/* Score configs: what is accepted as one, and which scores fit it. Pure: no storage, no HTTP. */
#ifndef LOCAL_SCORE_CONFIG_H
#define LOCAL_SCORE_CONFIG_H

#include "issues.h"

typedef struct score_config {
    text id, name, data_type;
    text description;      /* NULL: none */
    text categories;       /* JSON array of {"label","value"}; NULL: none */
    bool has_min, has_max; /* of `min` and `max` */
    double min, max;
    bool is_archived;
    int64_t created_ms, updated_ms;
} score_config;

/* Each adds what is wrong: with the body of a new config, with that of a change, and with a config that was changed. */
void score_config_check(const json *body, issues *to);
void score_config_check_change(const json *body, issues *to);
void score_config_check_whole(arena *a, const score_config *c, issues *to);

/* From bodies that passed the check. Times are left to the caller. */
score_config score_config_from_body(arena *a, text id, const json *body);
score_config score_config_changed(arena *a, const score_config *old, const json *body);

/* Whether a score with this body, which is valid by itself, may be stored under the config; *out_number is the number of its
 * category, or 0. */
bool score_config_fits(arena *a, const score_config *c, const json *body, double *out_number);

#endif
