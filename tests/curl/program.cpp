// Ways in which C++ drives libcurl: a header-only client that keeps one handle, functions of libcurl's names in classes and
// namespaces, exceptions that leave a callback. Prints what the program received, as tests/curl/program.c does.
#include <curl/curl.h>

#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>

static std::string base;

// A client as header-only libraries have it: the body before its size, the head without a function of its own.
class Session {
public:
    Session() : handle_(curl_easy_init())
    {
        curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
    }
    ~Session()
    {
        curl_easy_cleanup(handle_);
    }
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    std::string ask(const std::string &path, const std::string &question)
    {
        std::string reply, head;
        curl_easy_setopt(handle_, CURLOPT_URL, (base + path).c_str());
        curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE, question.length());
        curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, question.data());
        curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, append);
        curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &reply);
        curl_easy_setopt(handle_, CURLOPT_HEADERDATA, &head);
        CURLcode code = curl_easy_perform(handle_);
        return std::to_string(code) + " " + head + reply;
    }

private:
    static std::size_t append(void *bytes, std::size_t unit, std::size_t count, std::string *to)
    {
        to->append(static_cast<const char *>(bytes), unit * count);
        return unit * count;
    }
    CURL *handle_;
};

// Methods and functions with libcurl's names.
namespace wrapped {
class Easy {
public:
    explicit Easy(CURL *handle) : handle_(handle) {}
    CURLcode curl_easy_perform()
    {
        return ::curl_easy_perform(handle_);
    }
    template <class T> CURLcode set(CURLoption option, T value)
    {
        return ::curl_easy_setopt(handle_, option, value);
    }

private:
    CURL *handle_;
};
inline void curl_easy_cleanup(CURL *handle)
{
    ::curl_easy_cleanup(handle);
}
} // namespace wrapped

static std::size_t on_write(char *bytes, std::size_t unit, std::size_t count, void *to)
{
    (*static_cast<std::function<void(const std::string &)> *>(to))(std::string(bytes, unit * count));
    return unit * count;
}

static void members()
{
    std::string reply;
    std::function<void(const std::string &)> take = [&](const std::string &piece) { reply += piece; };
    CURL *handle = curl_easy_init();
    wrapped::Easy easy(handle);
    easy.set(CURLOPT_URL, (base + "members/json/v1/chat/completions").c_str());
    easy.set(CURLOPT_COPYPOSTFIELDS, "{\"model\":\"small\",\"messages\":[]}");
    easy.set(CURLOPT_WRITEFUNCTION, on_write);
    easy.set(CURLOPT_WRITEDATA, &take);
    CURLcode code = easy.curl_easy_perform();
    std::printf("members %d %s\n", code, reply.c_str());
    wrapped::curl_easy_cleanup(handle);
}

// An exception of a callback passes libcurl's frames. The handle is not to be used any more after that; the program goes on.
static void thrown()
{
    std::function<void(const std::string &)> fail = [](const std::string &) { throw std::runtime_error("enough"); };
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, (base + "thrown/json/v1/chat/completions").c_str());
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, "{\"model\":\"small\",\"messages\":[]}");
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &fail);
    try {
        curl_easy_perform(handle);
    } catch (const std::exception &error) {
        std::printf("thrown %s\n", error.what());
    }
}

int main(int, char **argv)
{
    base = std::string(argv[1]) + "/";
    curl_global_init(CURL_GLOBAL_DEFAULT);
    {
        Session session;
        const std::string question = "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}";
        std::printf("client %s\n", session.ask("client/json/v1/chat/completions", question).c_str());
        std::printf("client %s\n", session.ask("client/stream/v1/chat/completions", question).c_str());
        std::printf("client %s\n", session.ask("client/429/v1/chat/completions", question).c_str());
    }
    members();
    thrown();
    return 0;
}
