/* A process with two libcurls: each plugin is linked with one of them, and must reach no other. The same file is the plugin (-DPLUGIN)
 * and the program: program URL PLUGIN...
 */
#ifdef PLUGIN
#include <curl/curl.h>
#include <stdio.h>

static size_t count_bytes(char *bytes, size_t unit, size_t count, void *size)
{
    (void)bytes;
    *(size_t *)size += unit * count;
    return unit * count;
}

static CURLcode run_copy(CURL *handle)
{
    CURLM *multi = curl_multi_init();
    CURL *copy = curl_easy_duphandle(handle);
    int running = 1, left;
    curl_multi_add_handle(multi, copy);
    while (running > 0) {
        curl_multi_perform(multi, &running);
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    CURLMsg *message = curl_multi_info_read(multi, &left);
    CURLcode code = message == NULL ? CURLE_FAILED_INIT : message->data.result;
    curl_multi_remove_handle(multi, copy);
    curl_easy_cleanup(copy);
    curl_multi_cleanup(multi);
    return code;
}

void ask(const char *url);
void ask(const char *url)
{
    size_t size = 0;
    long status = 0;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *handle = curl_easy_init();
    curl_mime *form = curl_mime_init(handle);
    curl_mime_name(curl_mime_addpart(form), "model");
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{\"model\":\"small\",\"messages\":[]}");
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &size);
    CURLcode code = curl_easy_perform(handle), copied = run_copy(handle);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    printf("%s: %d %d %ld %zu\n", curl_version_info(CURLVERSION_NOW)->ssl_version, code, copied, status, size);
    curl_mime_free(form);
    curl_easy_cleanup(handle);
}
#else
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    void (*ask)(const char *url);
    char url[300];
    if (argc < 2)
        return 2;
    snprintf(url, sizeof url, "%s/two/json/v1/chat/completions", argv[1]);
    for (int i = 2; i < argc; i++) {
        void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL), *found = plugin == NULL ? NULL : dlsym(plugin, "ask");
        if (found == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        memcpy(&ask, &found, sizeof found);
        ask(url);
    }
    return 0;
}
#endif
