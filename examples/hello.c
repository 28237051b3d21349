/* One line in a function, and its calls appear in Langfuse. Nothing to start, nothing to flush. */
#include "observe.h"

#include <stdio.h>
#include <string.h>

static const char *answer(const char *question)
{
    OBSERVE(question);
    OBSERVE_RETURN(strstr(question, "2 + 2") ? "4" : "I do not know.");
}

int main(void)
{
    puts(answer("What is 2 + 2?"));
}
