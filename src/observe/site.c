#include "site.h"

#include "../base/hash.h"
#include "../base/json.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SITE_BUCKETS = 1024 };

typedef struct site_entry {
    lf__site site;
    struct site_entry *next; /* in its bucket */
    uint32_t id;
    const char *arguments;
    char text[]; /* what the pointers above point to */
} site_entry;

/* Ids are indices here; entries are never changed or freed once published. Untouched pages of the table cost no memory. */
static _Atomic(const site_entry *) site_table[LF__SITE_MAX];

static pthread_mutex_t site_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the two below, and writing to site_table */
static site_entry *site_buckets[SITE_BUCKETS];
static uint32_t site_count;

void lf__site_lock(void)
{
    pthread_mutex_lock(&site_mutex);
}

void lf__site_unlock(void)
{
    pthread_mutex_unlock(&site_mutex);
}

/* ---- Argument names --------------------------------------------------------------------------------------------- */

/* White space of C. */
static const char site_blanks[] = " \t\n\r\f\v";

size_t lf__site_find(lf__text text, char stop)
{
    int depth = 0;
    char quote = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (quote != 0) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
            continue;
        }
        if (depth == 0 && c == stop)
            return i;
        if (c == '"' || c == '\'')
            quote = c;
        else if (c == '(' || c == '[' || c == '{')
            depth++;
        else if (c == ')' || c == ']' || c == '}')
            depth--;
    }
    return text.size;
}

/* lf_strn(body, n) is called "body": the wrappers say how to read a value, not what it is. */
static lf__text site_unwrap(lf__text text)
{
    static const char *const wrappers[] = {"lf_strn", "lf_array", "lf_json", "lf_secret", "LF_VALUE"};
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        if (!lf__text_begins(text, wrappers[i]))
            continue;
        lf__text rest = lf__text_trim(lf__text_behind(text, strlen(wrappers[i])), site_blanks);
        if (rest.size < 2 || rest.at[0] != '(')
            continue;
        lf__text inside = lf__text_behind(rest, 1);
        if (lf__site_find(inside, ')') != inside.size - 1)
            continue;
        inside.size--;
        inside.size = lf__site_find(inside, ',');
        return site_unwrap(lf__text_trim(inside, site_blanks));
    }
    return text;
}

static bool site_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* The name of the last member of request->items[i].count: "count". Texts that are no such chain stay. */
static lf__text site_last_member(lf__text text)
{
    size_t at = 0, word = 0;
    while (at < text.size && site_is_word(text.at[at]))
        at++;
    if (at == 0 || (text.at[0] >= '0' && text.at[0] <= '9'))
        return text;
    while (at < text.size) {
        bool arrow = text.at[at] == '-' && at + 1 < text.size && text.at[at + 1] == '>';
        bool index = text.at[at] == '[';
        if (index)
            at += 1 + lf__site_find(lf__text_behind(text, at + 1), ']') + 1;
        else if (arrow || text.at[at] == '.')
            for (word = at += arrow ? 2 : 1; at < text.size && site_is_word(text.at[at]);)
                at++;
        else
            return text;
        if (index ? at > text.size : at == word)
            return text;
        word = index ? 0 : word;
    }
    return lf__text_behind(text, word);
}

/* Name members by their last name, unless two arguments of the call would get the same one. */
static void site_shorten(lf__text *names, unsigned count)
{
    lf__text shorter[LF__SITE_MAX_ARGUMENTS];
    for (unsigned i = 0; i < count; i++)
        shorter[i] = site_last_member(names[i]);
    for (unsigned i = 0; i < count; i++) {
        unsigned alike = 0;
        for (unsigned j = 0; j < count; j++)
            alike += lf__text_equals(shorter[i], shorter[j]);
        if (alike == 1)
            names[i] = shorter[i];
    }
}

static unsigned site_split(lf__text text, lf__text names[LF__SITE_MAX_ARGUMENTS])
{
    unsigned count = 0;
    text = lf__text_trim(text, site_blanks);
    while (text.size > 0 && count < LF__SITE_MAX_ARGUMENTS) {
        size_t size = lf__site_find(text, ',');
        names[count++] = site_unwrap(lf__text_trim((lf__text){text.at, size}, site_blanks));
        text = lf__text_behind(text, size + (size < text.size));
    }
    site_shorten(names, count);
    return count;
}

/* Append `"name":`, and "name#2" when it is the second of this name in the call. */
static void site_add_key(lf__buf *out, const lf__text *names, unsigned index)
{
    unsigned same = 1;
    for (unsigned i = 0; i < index; i++)
        same += lf__text_equals(names[i], names[index]);
    lf__json_string(out, names[index].at, names[index].size);
    if (same > 1 && !out->failed) {
        out->length--; /* the quote */
        char suffix[16];
        snprintf(suffix, sizeof suffix, "#%u\"", same);
        lf__buf_add_text(out, suffix);
    }
    lf__buf_add_char(out, ':');
}

/* ---- Interning -------------------------------------------------------------------------------------------------- */

static site_entry *site_new(const char *function, const char *file, int line, const char *arguments)
{
    lf__text names[LF__SITE_MAX_ARGUMENTS];
    unsigned count = site_split(lf__text_of(arguments), names);
    size_t file_at, arguments_at, key_at[LF__SITE_MAX_ARGUMENTS + 1];

    lf__buf text;
    lf__buf_init(&text, SIZE_MAX / 2);
    lf__buf_add(&text, function, strlen(function) + 1);
    file_at = text.length;
    lf__buf_add(&text, file, strlen(file) + 1);
    arguments_at = text.length;
    lf__buf_add(&text, arguments, strlen(arguments) + 1);
    for (unsigned i = 0; i < count; i++) {
        key_at[i] = text.length;
        site_add_key(&text, names, i);
    }
    key_at[count] = text.length;

    site_entry *entry = text.failed ? NULL : lf__alloc(sizeof *entry + text.length);
    if (entry != NULL) {
        memcpy(entry->text, text.data, text.length);
        entry->arguments = entry->text + arguments_at;
        entry->site.function = entry->text;
        entry->site.file = entry->text + file_at;
        entry->site.line = line;
        entry->site.argument_count = count;
        for (unsigned i = 0; i < count; i++) {
            entry->site.argument_key[i] = entry->text + key_at[i];
            entry->site.argument_key_size[i] = key_at[i + 1] - key_at[i];
        }
    }
    lf__buf_done(&text);
    return entry;
}

static uint32_t site_intern_locked(const char *function, const char *file, int line, const char *arguments)
{
    uint64_t hash = lf__hash(LF__HASH ^ (unsigned)line, lf__text_of(function));
    hash = lf__hash(lf__hash(hash, lf__text_of(file)), lf__text_of(arguments));
    site_entry **bucket = &site_buckets[hash % SITE_BUCKETS];
    for (const site_entry *entry = *bucket; entry != NULL; entry = entry->next)
        if (entry->site.line == line && strcmp(entry->site.function, function) == 0 && strcmp(entry->site.file, file) == 0 &&
            strcmp(entry->arguments, arguments) == 0)
            return entry->id;
    if (site_count == LF__SITE_MAX - 1) /* id 0 means none */
        return 0;
    site_entry *entry = site_new(function, file, line, arguments);
    if (entry == NULL)
        return 0;
    entry->id = ++site_count;
    entry->next = *bucket;
    *bucket = entry;
    atomic_store_explicit(&site_table[entry->id], entry, memory_order_release); /* with lf__site_get */
    return entry->id;
}

uint32_t lf__site_intern(const char *function, const char *file, int line, const char *arguments)
{
    lf__site_lock();
    uint32_t id = site_intern_locked(function ? function : "", file ? file : "", line, arguments ? arguments : "");
    lf__site_unlock();
    return id;
}

const lf__site *lf__site_get(uint32_t id)
{
    static const lf__site none = {.function = "", .file = ""};
    if (id >= LF__SITE_MAX)
        return &none;
    /* Pairs with the release in site_intern_locked. */
    const site_entry *entry = atomic_load_explicit(&site_table[id], memory_order_acquire);
    return entry != NULL ? &entry->site : &none;
}
