#include "secret.h"

#include <string.h>

enum {
    SECRET_WORD = 4,  /* a shorter secret key is a word ("any", for a Collector that checks none) */
    SECRET_CUT = 8,   /* this much of a secret at the end of a text is a secret: the quote was cut there */
    SECRET_PART = 16  /* this much of it anywhere is one, too: the answer escaped or cut it */
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
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
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
