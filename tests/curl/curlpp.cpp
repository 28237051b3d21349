// curlpp, a library of C++ over libcurl: its calls are made in its own shared library, so only a preloaded library sees them.
#include <curlpp/Easy.hpp>
#include <curlpp/Options.hpp>
#include <curlpp/cURLpp.hpp>

#include <iostream>
#include <sstream>

int main(int, char **argv)
{
    curlpp::Cleanup cleanup;
    for (const char *kind : {"json", "stream", "429"}) {
        const std::string question = "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}";
        std::ostringstream reply;
        curlpp::Easy request;
        request.setOpt(new curlpp::options::Url(std::string(argv[1]) + "/curlpp/" + kind + "/v1/chat/completions"));
        request.setOpt(new curlpp::options::PostFields(question));
        request.setOpt(new curlpp::options::PostFieldSize(static_cast<long>(question.size())));
        request.setOpt(new curlpp::options::WriteStream(&reply));
        request.perform();
        std::cout << reply.str() << "\n";
    }
    return 0;
}
