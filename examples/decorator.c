/* The decorator: wrap a whole definition, keep its ordinary return statements. Arguments and results are captured. */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every call is a span, the recursive ones too: they nest. */
static OBSERVE_FN(long, factorial, (int, n))
{
    if (n <= 1)
        return 1;
    return n * factorial(n - 1);
}

/* The same, as a generation. */
static OBSERVE_GENERATION_FN(const char *, complete, (const char *, prompt), (double, temperature))
{
    lf_update_current_observation(.model = "tiny-1", .model_parameters = LF_OBJECT("temperature", temperature));
    return strstr(prompt, "factorial") ? "The factorial of 5 is 120." : "I only know factorials.";
}

/* With options: another name and type; the password stays out, as does everything else of the input. */
static OBSERVE_FN_WITH((.name = "sign-in", .type = LF_GUARDRAIL, .capture_input = LF_OFF), bool, sign_in, (const char *, user),
                       (const char *, password))
{
    return strcmp(user, "ada") == 0 && strlen(password) > 8;
}

/* Without a result. */
static OBSERVE_VOID_FN(show, (const char *, title), (long, value))
{
    printf("%s: %ld\n", title, value);
}

/* Without arguments. Calls of functions that are not ours are observed from the outside. */
static OBSERVE_FN(int, run)
{
    if (!sign_in("ada", "correct horse"))
        return EXIT_FAILURE;
    long n = OBSERVE_CALL(strtol, "5", NULL, 10);
    show("factorial", factorial((int)n));
    puts(complete("What is the factorial of 5?", 0.0));
    return EXIT_SUCCESS;
}

int main(void)
{
    return run();
}
