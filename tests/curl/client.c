/* The library's own client in a program that has a copy of the library: client BASE_URL. */
#include "langfuse/openai.h"
#include "observe.h"

#include <stdio.h>

static bool print_text(void *data, const char *text, size_t size)
{
    (void)data;
    return fwrite(text, 1, size, stdout) == size;
}

int main(int argc, char **argv)
{
    char url[512];
    lf_error error;
    int failures = argc != 2;
    for (int i = 0; i < 2 && argc == 2; i++) {
        snprintf(url, sizeof url, "%s/client/%s/v1", argv[1], i == 0 ? "json" : "stream");
        lf_reply *reply = lf_openai_chat(.model = "small", .messages = LF_VALUE("Why?"), .base_url = url,
                                         .on_text = i == 0 ? NULL : print_text, .error = &error);
        puts(reply != NULL ? reply->text : error.message);
        failures += reply == NULL;
        lf_reply_free(reply);
    }
    return failures;
}
