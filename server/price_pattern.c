#include "price_pattern.h"

#include "buf.h"

#include <stdio.h>
#include <string.h>

enum {
    PRICE_PATTERN_MOST = 1000, /* bytes of a pattern, and of a text that one is tried on; a longer text fits none */
    PRICE_PATTERN_EXPANDED = 20 * PRICE_PATTERN_MOST /* "\w" becomes a class */
};

/* Inside of brackets a class stands without brackets of its own. */
static const char *price_pattern_class(char letter, bool bracket)
{
    switch (letter) {
    case 'd': return bracket ? "0-9" : "[0-9]";
    case 'w': return bracket ? "A-Za-z0-9_" : "[A-Za-z0-9_]";
    case 's': return bracket ? "[:space:]" : "[[:space:]]";
    default: return NULL;
    }
}

/* What stands behind a backslash; false when POSIX has nothing like it. */
static bool price_pattern_put_escape(buf *out, char letter, bool bracket)
{
    const char *class = price_pattern_class(letter, bracket);
    bool is_word = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
    if (class != NULL) {
        buf_string(out, class);
        return true;
    }
    if (is_word || (bracket && strchr("]^-\\", letter) != NULL))
        return false;
    if (!bracket && strchr(".[]{}()*+?^$|\\", letter) != NULL)
        buf_char(out, '\\');
    buf_char(out, letter);
    return true;
}

static bool price_pattern_translate(buf *out, text pattern)
{
    bool bracket = false;
    for (size_t i = 0; i < pattern.size; i++) {
        char c = pattern.at[i];
        text rest = text_from(pattern, i);
        if (c == '\\') {
            if (++i == pattern.size || !price_pattern_put_escape(out, pattern.at[i], bracket))
                return false;
            continue;
        }
        if (!bracket && text_starts(rest, "(?")) {
            if (!text_starts(rest, "(?:"))
                return false;
            i += 2;
        }
        bracket = bracket ? c != ']' : c == '[';
        buf_char(out, c);
    }
    return true;
}

bool price_pattern_compile(regex_t *out, text pattern, bool ignore_case, char *why, size_t why_size)
{
    buf posix = {.ceiling = PRICE_PATTERN_EXPANDED};
    ignore_case |= text_skip(&pattern, "(?i)");
    bool ok = pattern.size > 0 && pattern.size <= PRICE_PATTERN_MOST && memchr(pattern.at, '\0', pattern.size) == NULL &&
              price_pattern_translate(&posix, pattern);
    buf_char(&posix, '\0');
    snprintf(why, why_size, "the pattern is empty, too long, or has what is not known here");
    if (ok && !posix.failed) {
        int problem = regcomp(out, posix.at, REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0));
        ok = problem == 0;
        if (!ok)
            regerror(problem, out, why, why_size);
    }
    ok &= !posix.failed;
    buf_free(&posix);
    return ok;
}

bool price_pattern_fits(const regex_t *pattern, text t)
{
    char copy[PRICE_PATTERN_MOST + 1];
    if (t.size == 0 || t.size > PRICE_PATTERN_MOST || memchr(t.at, '\0', t.size) != NULL)
        return false;
    memcpy(copy, t.at, t.size);
    copy[t.size] = '\0';
    return regexec(pattern, copy, 0, NULL, 0) == 0;
}
