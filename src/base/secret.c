#include "secret.h"

#include "text.h"

#include <string.h>
#include <strings.h>

enum {
    SECRET_WORD = 4,  /* a shorter secret key is a word ("any", for a Collector that checks none) */
    SECRET_CUT = 8,   /* this much of a secret at the end of a text is a secret: the quote was cut there */
    SECRET_PART = 16, /* this much of it anywhere is one, too: the answer escaped or cut it */
    SECRET_BEHIND = 8, /* behind a word that announces one; a shorter one is a word of the sentence */
    SECRET_LOOK = 16  /* a key of a provider is longer */
};

#define SECRET_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* How a key begins, or the word before it. */
static const struct {
    const char *start;
    bool hides_start;
    size_t least; /* behind the start */
} secret_looks[] = {
    {"key=", false, SECRET_BEHIND},    {"api-key=", false, SECRET_BEHIND}, {"api_key=", false, SECRET_BEHIND},
    {"bearer ", false, SECRET_BEHIND}, {"basic ", false, SECRET_BEHIND},   {"sk-", true, SECRET_LOOK},
    {"gsk_", true, SECRET_LOOK},       {"xai-", true, SECRET_LOOK},        {"hf_", true, SECRET_LOOK},
    {"aiza", true, SECRET_LOOK},
};

static const char secret_sign[] = "(secret)";

/* How many characters at the beginning of the text belong to this secret; 0 where that may be chance. */
static size_t secret_part(const char *text, const char *secret, size_t least)
{
    size_t size = strlen(secret), most = 0;
    for (size_t from = 0; from < size; from++) {
        size_t same = 0;
        while (from + same < size && text[same] == secret[from + same])
            same++;
        size_t enough = same == size ? least : text[same] == '\0' ? SECRET_CUT : SECRET_PART;
        if (same >= enough && same > most)
            most = same;
    }
    return most;
}

/* A secret key of Langfuse, of any client: users swap keys. */
static size_t secret_key_by_its_look(const char *text)
{
    static const char start[] = "sk-lf-";
    static const char rest[] = SECRET_LETTERS;
    if (strncmp(text, start, sizeof start - 1) != 0)
        return 0;
    size_t size = strspn(text + sizeof start - 1, rest);
    return size == 0 ? 0 : sizeof start - 1 + size;
}

/* Of "Bearer abc" an answer may repeat only the last word. */
static const char *secret_last_word(const char *value)
{
    const char *blank = strrchr(value, ' ');
    return blank == NULL ? value : blank + 1;
}

static size_t secret_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t secret_of_keys(const char *text, const char *secret_key, const char *authorization)
{
    size_t key = secret_key == NULL ? 0 : secret_part(text, secret_key, SECRET_WORD);
    return authorization == NULL ? key : secret_larger(key, secret_part(text, secret_last_word(authorization), SECRET_CUT));
}

static size_t secret_size(const char *text, const lf__config *config)
{
    size_t size = secret_key_by_its_look(text);
    size = secret_larger(size, secret_of_keys(text, config->secret_key, config->authorization));
    const lf__keys *keys = config->key_source == NULL ? NULL
                                                      : atomic_load_explicit(&config->key_source->newest, memory_order_acquire);
    for (; keys != NULL; keys = keys->before)
        size = secret_larger(size, secret_of_keys(text, keys->secret_key, keys->authorization));
    for (size_t i = 0; i < config->header_count; i++) {
        size = secret_larger(size, secret_part(text, config->headers[i].value, SECRET_CUT));
        size = secret_larger(size, secret_part(text, secret_last_word(config->headers[i].value), SECRET_CUT));
    }
    return size;
}

void lf__secret_hide(char *text, const lf__config *config)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        size_t size = secret_size(from, config);
        if (size == 0) {
            *to++ = *from++;
            continue;
        }
        from += size;
        size_t shown = sizeof secret_sign - 1;
        if (size < shown)
            memset(to, '*', shown = size);
        else
            memcpy(to, secret_sign, shown);
        to += shown;
    }
    *to = '\0';
}

static size_t secret_span(const char *text, size_t size)
{
    size_t span = 0;
    while (span < size && lf__is_one_of(text[span], SECRET_LETTERS "~+/="))
        span++;
    return span;
}

/* Hide a key that begins here, or the word before it. Returns how many bytes were looked at. */
static size_t secret_hide_here(char *text, size_t size)
{
    for (size_t i = 0; i < sizeof secret_looks / sizeof *secret_looks; i++) {
        size_t start = strlen(secret_looks[i].start);
        if (size < start || strncasecmp(text, secret_looks[i].start, start) != 0)
            continue;
        size_t span = secret_span(text + start, size - start), from = secret_looks[i].hides_start ? 0 : start;
        if (span < secret_looks[i].least)
            continue;
        memset(text + from, '*', start + span - from);
        return start + span;
    }
    return 1;
}

void lf__secret_hide_by_look(char *text, size_t size)
{
    bool is_inside = false; /* of a word: a key begins with one */
    for (size_t at = 0; at < size;) {
        size_t step = is_inside ? 1 : secret_hide_here(text + at, size - at);
        is_inside = lf__is_one_of(text[at + step - 1], SECRET_LETTERS);
        at += step;
    }
}
