/* Errors that jump: a reader of key = value lines in the style of libraries that report errors by longjmp. Nothing ends the
 * scopes in between, so the place that catches says that something was left.
 */
#include "observe.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf on_error;
static const char *error;

static _Noreturn void fail(const char *why)
{
    error = why;
    longjmp(on_error, 1);
}

static int number_of(const char *text)
{
    OBSERVE_TOOL(text);
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || number < 0 || number > 4096)
        fail("not a number between 0 and 4096");
    OBSERVE_RETURN((int)number);
}

static int read_setting(const char *line)
{
    OBSERVE(line);
    const char *value = strchr(line, '=');
    if (!value)
        fail("no = in this line");
    OBSERVE_RETURN(number_of(value + 1));
}

/* The scopes of read_setting and number_of end at OBSERVE_CAUGHT, marked "incomplete: abandoned"; the error and the default are
 * said of this function, whose scope is around the catch. */
static int setting_or(const char *line, int standard)
{
    OBSERVE(line, standard);
    if (setjmp(on_error) != 0) {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("%s", error);
        OBSERVE_RETURN(standard);
    }
    OBSERVE_RETURN(read_setting(line));
}

int main(void)
{
    static const char *const lines[] = {"max_tokens=256", "max_tokens 256", "max_tokens=many"};
    OBSERVE();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        printf("%s: %d\n", lines[i], setting_or(lines[i], 512));
    return EXIT_SUCCESS;
}
