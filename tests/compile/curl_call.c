/* A call of a model that fails at once, in plain libcurl: tests/compile/cmake.sh builds it with the targets that let it be recorded. */
#include <curl/curl.h>

int main(void)
{
    CURL *handle = curl_easy_init();
    if (handle == NULL)
        return 1;
    curl_easy_setopt(handle, CURLOPT_URL, "http://127.0.0.1:1/v1/chat/completions");
    curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{\"model\":\"small\",\"messages\":[]}");
    CURLcode code = curl_easy_perform(handle);
    curl_easy_cleanup(handle);
    return code != CURLE_COULDNT_CONNECT;
}
