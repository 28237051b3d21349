/* A program of one file with us that is built with -ffast-math: what is no number, what is endless, and the smallest and the
 * largest numbers are recorded as what they are. Its exit status says whether scores are taken and refused as they should be.
 */
#include "observe.h"

#include "langfuse/score.h"

#include <string.h>

/* Read at run time, so that no compiler knows what they are. */
static volatile uint64_t not_a_number = UINT64_C(0x7ff8000000000000), endless = UINT64_C(0x7ff0000000000000);
static volatile uint64_t sign = UINT64_C(1) << 63, tiny = 1, largest = UINT64_C(0x7fefffffffffffff);
static volatile uint32_t tiny_float = 1;

static double number(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static float narrow(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double as_arguments(double nan, double inf, double small, double zero, double large, float small_float)
{
    OBSERVE(nan, inf, small, zero, large, small_float);
    OBSERVE_RETURN(number(endless | sign));
}

static double as_fields(const double *all, const float *floats)
{
    OBSERVE_GENERATION();
    lf_update_current_observation(.metadata = LF_OBJECT("a", all[0], "b", lf_array(all, 5), "c", lf_array(floats, 1)),
                                  .input = LF_ARRAY(all[0], all[1], floats[0]),
                                  .model_parameters = LF_OBJECT("t", 0.1, "p", all[2]));
    lf_update_current_observation(.usage_details = LF_OBJECT("input", 3.0, "output", all[0]),
                                  .cost_details = LF_OBJECT("input", all[2], "output", all[0], "total", all[4]));
    OBSERVE_RETURN(all[0]);
}

static int scores(const double *all)
{
    OBSERVE();
    for (int i = 0; i < 2; i++)
        if (lf_score_current_trace(.name = "none", .value = all[i]) != LF_ERR_ARGUMENT ||
            lf_score_current_trace(.name = "none", .value = -all[i], .data_type = LF_SCORE_NUMERIC) != LF_ERR_ARGUMENT ||
            lf_score_current_trace(.name = "none", .value = all[i], .data_type = LF_SCORE_BOOLEAN) != LF_ERR_ARGUMENT)
            return 1;
    if (lf_score_current_trace(.name = "none", .value = all[2], .data_type = LF_SCORE_BOOLEAN) != LF_ERR_ARGUMENT ||
        lf_score_current_trace(.name = "yes", .value = 1, .data_type = LF_SCORE_BOOLEAN) != LF_OK ||
        lf_score_current_trace(.name = "tiny", .value = all[2]) != LF_OK)
        return 2;
    return lf_score_current_trace(.name = "large", .value = all[4]) == LF_OK ? 0 : 3;
}

int main(void)
{
    const double all[] = {number(not_a_number), number(endless), number(tiny), number(sign), number(largest)};
    const float floats[] = {narrow(tiny_float)};
    (void)as_arguments(all[0], all[1], all[2], all[3], all[4], floats[0]);
    (void)as_fields(all, floats);
    return scores(all);
}
