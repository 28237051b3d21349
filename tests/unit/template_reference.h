/* What templates mean, told slowly: one character after the other, no parts, no sorting. The unit test and the fuzzer compare
 * the library with it.
 */
#ifndef TESTS_TEMPLATE_REFERENCE_H
#define TESTS_TEMPLATE_REFERENCE_H

#include "../../src/base/buf.h"

#include <stdlib.h>
#include <string.h>

typedef struct reference_entry {
    const char *name;
    size_t name_size;
    const char *value; /* as it is to be printed */
    size_t value_size;
} reference_entry;

static const char *const reference_blanks[] = {
    "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1C",         "\x1D",         "\x1E",         "\x1F",         " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
};
enum { REFERENCE_BLANKS = sizeof reference_blanks / sizeof *reference_blanks };

static inline bool reference_starts_with(const char *text, size_t size, const char *start)
{
    return size >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

static inline void reference_strip(const char **text, size_t *size)
{
    for (size_t i = 0; i < REFERENCE_BLANKS; i++) {
        size_t blank = strlen(reference_blanks[i]);
        bool before = reference_starts_with(*text, *size, reference_blanks[i]);
        bool behind = !before && *size >= blank && memcmp(*text + *size - blank, reference_blanks[i], blank) == 0;
        if (before || behind) {
            *text += before ? blank : 0;
            *size -= blank;
            i = (size_t)-1; /* and once more, from the first kind of blank on */
        }
    }
}

/* A variable that begins right here: its name, and how long the whole is. */
static inline bool reference_tag(const char *text, size_t size, const char **name, size_t *name_size, size_t *whole)
{
    if (!reference_starts_with(text, size, "{{"))
        return false;
    for (size_t i = 2; i < size; i++)
        if (reference_starts_with(text + i, size - i, "}}")) {
            *name = text + 2;
            *name_size = i - 2;
            *whole = i + 2;
            reference_strip(name, name_size);
            return true;
        }
    return false;
}

/* The last entry of that name. */
static inline const reference_entry *reference_find(const reference_entry *entries, size_t count, const char *name, size_t size)
{
    while (count-- > 0)
        if (entries[count].name_size == size && memcmp(entries[count].name, name, size) == 0)
            return &entries[count];
    return NULL;
}

static inline void reference_compile(lf__buf *out, const char *text, size_t size, const reference_entry *entries, size_t count)
{
    const char *name;
    size_t name_size, whole;
    for (size_t i = 0; i < size; i += whole) {
        bool is_tag = reference_tag(text + i, size - i, &name, &name_size, &whole);
        const reference_entry *entry = is_tag ? reference_find(entries, count, name, name_size) : NULL;
        if (!is_tag)
            whole = 1;
        if (entry != NULL)
            lf__buf_add(out, entry->value, entry->value_size);
        else
            lf__buf_add(out, text + i, whole);
    }
}

static inline bool reference_is_word(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < 0x80 && (c == '\0' || strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", c) == NULL))
            return false;
        for (size_t k = 0; k < REFERENCE_BLANKS; k++)
            if (reference_starts_with(name + i, size - i, reference_blanks[k]))
                return false;
    }
    return size > 0;
}

/* Python's str.format with "<name>" as the value of each name. False where it raises an error, and for all that is more than
 * a plain name: attributes, indexes, conversions, formats. */
static inline bool reference_format(lf__buf *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (reference_starts_with(text + i, size - i, "{{") || reference_starts_with(text + i, size - i, "}}")) {
            lf__buf_add_char(out, text[i++]);
        } else if (text[i] == '}') {
            return false;
        } else if (text[i] == '{') {
            lf__buf_add_char(out, '<');
            for (i++; i < size && text[i] != '}'; i++) {
                if (text[i] != '\0' && strchr("{.[]!:", text[i]) != NULL)
                    return false;
                lf__buf_add_char(out, text[i]);
            }
            if (i == size || text[i - 1] == '{')
                return false;
            lf__buf_add_char(out, '>');
        } else {
            lf__buf_add_char(out, text[i]);
        }
    }
    return true;
}

/* What the template itself makes of its words: "<name>" for each, and everything else as it stands. */
static inline void reference_compile_words(lf__buf *out, const char *text, size_t size)
{
    const char *name;
    size_t name_size, whole;
    for (size_t i = 0; i < size; i += whole) {
        if (!reference_tag(text + i, size - i, &name, &name_size, &whole)) {
            lf__buf_add_char(out, text[i]);
            whole = 1;
        } else if (reference_is_word(name, name_size)) {
            lf__buf_add_char(out, '<');
            lf__buf_add(out, name, name_size);
            lf__buf_add_char(out, '>');
        } else {
            lf__buf_add(out, text + i, whole);
        }
    }
}

/* Is there, besides words in double braces, no brace that stands for itself already: no pair, no single word? */
static inline bool reference_has_only_words(const char *text, size_t size)
{
    const char *name;
    size_t name_size, whole;
    for (size_t i = 0; i < size; i += whole) {
        bool tag = reference_tag(text + i, size - i, &name, &name_size, &whole);
        if (tag && !reference_is_word(name, name_size))
            return false;
        if (tag)
            continue;
        whole = 1;
        if (reference_starts_with(text + i, size - i, "{{") || reference_starts_with(text + i, size - i, "}}"))
            return false;
        const char *close = text[i] == '{' ? memchr(text + i, '}', size - i) : NULL;
        if (close != NULL && reference_is_word(text + i + 1, (size_t)(close - text) - i - 1))
            return false;
    }
    return true;
}

#endif
