/* all: at_most_32_arguments_can_be_given_here */
#include "observe.h"

void observed(int a);
void observed(int a)
{
#ifdef CONTROL
    lf_update_current_observation(.prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a);
#else
    lf_update_current_observation(.prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a, .prompt_version = a, .prompt_version = a, .prompt_version = a,
                                  .prompt_version = a);
#endif
}
