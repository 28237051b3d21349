/* JSON text: writing values, repairing UTF-8, checking and taking apart text that users hand us. Pure, no I/O, locale-free,
 * safe for 64-bit integers. Answers of the server are read with cJSON elsewhere.
 */
#ifndef LF_SRC_JSON_H
#define LF_SRC_JSON_H

#include "buf.h"

/* Length of the longest valid UTF-8 prefix of `text`; == size when all of it is valid. */
size_t lf__utf8_valid_prefix(const char *text, size_t size);
/* The largest length <= size that does not cut a UTF-8 sequence of `text` in two. */
size_t lf__utf8_floor(const char *text, size_t size);
/* Append text as it is, each maximal invalid part as U+FFFD (the W3C/WHATWG way). */
bool lf__utf8_add(lf__buf *out, const char *text, size_t size);
size_t lf__utf8_size(const char *text, size_t size); /* the bytes that lf__utf8_add would append */
bool lf__utf8_add_code_point(lf__buf *out, uint32_t c); /* U+FFFD for what is no character */
/* The code point at `at`, before `end`, and its size in bytes. U+FFFD for a maximal invalid part. */
size_t lf__utf8_code_point(const char *at, const char *end, uint32_t *out_c);

/* Append a quoted JSON string, escaped; invalid UTF-8 repaired; non-ASCII is left unescaped. */
bool lf__json_string(lf__buf *out, const char *text, size_t size);
bool lf__json_int(lf__buf *out, int64_t value);
bool lf__json_uint(lf__buf *out, uint64_t value);
/* 128 bits as a decimal number, unquoted; is_signed tells how to read the high half. */
bool lf__json_int128(lf__buf *out, uint64_t high, uint64_t low, bool is_signed);
/* Shortest digits that read back as the same number ("0.9", "1.0", "1e+22" as Python's repr); NaN and infinities as the
 * strings "NaN", "Infinity", "-Infinity", quotes included. The number comes as the bits of a double (real.h), a float as the
 * bits of the double with its value. */
bool lf__json_double(lf__buf *out, uint64_t bits);
bool lf__json_float(lf__buf *out, uint64_t bits);

/* Is `text` one complete JSON value (RFC 8259), nested at most 512 deep? Strings must be valid UTF-8. */
bool lf__json_valid(const char *text, size_t size);

/* Behind the string, number or word that begins at `at`. NULL: there is none, or a wrong one. */
const char *lf__json_scalar_end(const char *at, const char *end);

/* A value in JSON text: where it stands, and where the next value stands that is none of its own. Texts are raw, as they stand
 * between the quotes. */
typedef struct lf__json_node {
    uint32_t key, key_size; /* of a member; 0, 0 of an item of a list */
    uint32_t at, size;      /* offset in the text, without blanks around */
    uint32_t next;          /* the index of the node behind this one and all that it contains */
    uint32_t numbers;       /* of a list that holds numbers only: how many. Such a list has no nodes for its items */
} lf__json_node;
/* Check a text as lf__json_valid does, and index its values on the way, each container before its contents. Nodes that have no
 * room are counted only. */
bool lf__json_index(const char *text, size_t size, lf__json_node *nodes, size_t room, size_t *out_count);

/* Walk the members of a JSON object that lf__json_valid accepted: start with *at = 0; false when there are no more or the
 * text is no object. `key` is raw (still escaped, without quotes), `value` is raw text without surrounding blanks. */
typedef struct lf__json_member {
    const char *key;
    size_t key_size;
    const char *value;
    size_t value_size;
} lf__json_member;
bool lf__json_next_member(const char *text, size_t size, size_t *at, lf__json_member *member);

/* The same for the items of a JSON array. */
bool lf__json_next_item(const char *text, size_t size, size_t *at, lf__text *item);
/* Where the value ends that begins at `at`. In text that is cut, or no JSON: somewhere up to `end`. */
const char *lf__json_value_end(const char *at, const char *end);
/* Append the text that a raw JSON string (without quotes) stands for, as UTF-8; lone surrogates become U+FFFD. */
bool lf__json_unescape(lf__buf *out, const char *raw, size_t size);
/* Does a raw JSON string stand for this name? Letters of it may be escaped: "\u006dodel" is "model". */
bool lf__json_is(const char *raw, size_t size, const char *text);
/* Make each \u escape of half a surrogate pair in JSON text one of U+FFFD, in place: some readers refuse all of a text with
 * one. */
void lf__json_mend(char *text, size_t size);

#endif
