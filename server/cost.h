/* Costs in dollars, as a real server keeps them: decimals of 18 digits, 12 of them behind the point. Pure. */
#ifndef LOCAL_COST_H
#define LOCAL_COST_H

#include "json.h"

/* A JSON object in `a` of the costs that a program gives; a value that is no number counts as 0. A total is made from plain input and
 * output only, since other keys may overlap. "{}" when no cost is given: `given` is NULL or has nothing but nulls. */
text cost_of_given(arena *a, const json *given);

/* Whether all costs are numbers. Absent and null are fine. */
bool cost_is_whole(const json *given);

/* Digits behind the 12th are cut off; what the decimal cannot hold becomes its largest value. */
void cost_put(buf *out, double dollars);

#endif
