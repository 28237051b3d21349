/* Costs in dollars, as a real server keeps them: those that a program gives, else those that its usage has by the price list. They
 * are decimals of 18 digits, 12 of them behind the point. Pure. */
#ifndef LOCAL_COST_H
#define LOCAL_COST_H

#include "observation.h"
#include "usage.h"

/* Sets cost, model and tier of an observation whose model, parameters and metadata are set. One given cost turns the price list
 * off: then a value that is no number counts as 0, and a total is made from plain input and output only, since other keys may
 * overlap. `given` may be NULL, and nulls in it are not given. */
void cost_set(arena *a, observation *o, const usage_counts *counts, const json *given);

/* Whether all costs are numbers. Absent and null are fine. */
bool cost_is_whole(const json *given);

/* Digits behind the 12th are cut off; what the decimal cannot hold becomes its largest value. */
void cost_put(buf *out, double dollars);

#endif
