/* What must not leave the process: secrets by type where they are captured, and a mask over everything else on its way out. */
#include "langfuse/score.h"
#include "observe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The mask ----------------------------------------------------------------------------------------------------- */

static bool of_address(char c)
{
    return isalnum((unsigned char)c) || memchr("._%+-", c, 5) != NULL;
}

static const char hidden[] = "[email]";
enum { HIDDEN_SIZE = sizeof hidden - 1 };

/* Where the address that ends at `end` begins. In JSON "...\ngrace@..." the n belongs to the backslash, not to grace. */
static size_t begin_of_address(const char *text, size_t end)
{
    size_t begin = end;
    while (begin > 0 && of_address(text[begin - 1]))
        begin--;
    if (begin > 0 && begin < end && text[begin - 1] == '\\')
        begin += text[begin] == 'u' ? 5 : 1;
    return begin < end ? begin : end;
}

/* Copies `text` with every e-mail address hidden; `out` has room for HIDDEN_SIZE times its size. Returns the new size. */
static size_t hide_addresses(const char *text, size_t size, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '@') {
            out[used++] = text[i];
            continue;
        }
        used = begin_of_address(out, used);
        memcpy(out + used, hidden, HIDDEN_SIZE);
        used += HIDDEN_SIZE;
        while (i + 1 < size && of_address(text[i + 1]))
            i++;
    }
    return used;
}

/* Sees every value before it is sent, on the worker thread, as it will be sent: text, or JSON. The brackets are fine inside a
 * JSON string, so both are treated alike; is_json stays what it was. (Would it not be JSON any more, it would be sent as text.)
 * False would send a fixed text instead of the value. */
static bool mask(void *data, lf_masked *value)
{
    (void)data;
    if (memchr(value->text, '@', value->size) == NULL)
        return true;
    char *text = malloc(HIDDEN_SIZE * value->size); /* were every character an @ */
    if (text == NULL)
        return false;
    size_t size = hide_addresses(value->text, value->size, text);
    bool replaced = lf_mask_replace(value, text, size, value->is_json);
    free(text);
    return replaced;
}

/* ---- The program -------------------------------------------------------------------------------------------------- */

/* A password is not even captured: lf_secret says that there was one, and does not look at it. */
static bool sign_in(const char *user, const char *password)
{
    OBSERVE_GUARDRAIL(user, lf_secret(password));
    bool strong = strlen(password) > 8;
    OBSERVE_RETURN(strong);
}

static const char *draft_reply(const char *mail)
{
    OBSERVE_GENERATION(mail);
    lf_update_current_observation(.metadata = LF_OBJECT("customer", "grace@example.org", "language", "en"));
    OBSERVE_RETURN("Dear Grace, we will write to grace@example.org tomorrow.");
}

static void handle_mail(const char *from, const char *mail)
{
    OBSERVE_AGENT(from, mail);
    lf_update_current_trace(.metadata = LF_OBJECT("sender", from));
    if (sign_in(from, "correct horse"))
        puts(draft_reply(mail));
    lf_score_current_trace(.name = "reviewed", .value = 1, .comment = "approved by ada@example.org");
}

int main(void)
{
    lf_init(&(lf_options){LF_OPTIONS_INIT, .mask = mask});
    handle_mail("grace@example.org", "Please answer to\ngrace@example.org, copy to the.boss+copy@example.com. Thanks!");
    return EXIT_SUCCESS;
}
