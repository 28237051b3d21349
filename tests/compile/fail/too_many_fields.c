/* all: at_most_32_arguments_can_be_given_here */
#include "observe.h"

#define FOUR .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a
#define THIRTY_TWO FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR, FOUR

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    lf_update_current_observation(THIRTY_TWO);
#else
    lf_update_current_observation(THIRTY_TWO, .prompt_version = a);
#endif
}
