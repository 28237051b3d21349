/* What only C++ has: templates, lambdas, members, references, classes. */
#include "macros.c"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

template <class T> T in_template(T value)
{
    OBSERVE(value);
    OBSERVE_RETURN(value);
}

template <class T> int with_constexpr_if(const T &value)
{
    if constexpr (sizeof(T) > 4) {
        OBSERVE_TOOL(value);
        return 1;
    } else {
        OBSERVE_CHAIN(value);
        OBSERVE_RETURN(2);
    }
}

template <class... A> void variadic(const A &...values)
{
    OBSERVE_WITH((.name = "variadic"), sizeof...(values));
    ((void)in_template(&values), ...);
}

class machine {
  public:
    explicit machine(std::string name) : name_(std::move(name))
    {
        OBSERVE(name_);
    }
    ~machine()
    {
        OBSERVE_TOOL(this);
    }
    int run(int n) const
    {
        OBSERVE(n, name_, this->name_);
        OBSERVE_RETURN(n + 1);
    }
    static int make(int n)
    {
        OBSERVE_AGENT(n);
        OBSERVE_RETURN(n);
    }
    int operator()(int n) const
    {
        OBSERVE(n);
        OBSERVE_RETURN(run(n));
    }

  private:
    std::string name_;
};

std::string text_back(const std::string &question, const std::vector<int> &numbers)
{
    OBSERVE(question, lf_array(numbers.data(), numbers.size()), numbers);
    OBSERVE_RETURN(question + "!");
}

int lambdas(int n)
{
    OBSERVE(n);
    auto twice = [](int x) {
        OBSERVE(x);
        OBSERVE_RETURN(2 * x);
    };
    auto captures = [&n](auto x) -> int {
        OBSERVE_TOOL(x, n);
        OBSERVE_RETURN(n);
    };
    return twice(n) + captures(1.5) + OBSERVE_CALL(twice, 3);
}

int &reference(int &x)
{
    return x;
}

std::unique_ptr<int> owner(std::unique_ptr<int> p)
{
    return p;
}

int calls_cpp(int n)
{
    int kept = n;
    kept += OBSERVE_CALL(reference, kept);
    auto p = OBSERVE_CALL(owner, std::make_unique<int>(3));
    machine m("m");
    return OBSERVE_CALL(m, 1) + *p + kept + OBSERVE_CALL(machine::make, 2) + OBSERVE_CALL(std::stoi, std::string("1"), nullptr, 10);
}

OBSERVE_FN(std::string, decorated_text, (const std::string &, question))
{
    return question;
}

/* Temporaries live until the call is over. */
std::string filled_in(const std::string &movie)
{
    lf_prompt *prompt = lf_get_prompt(("critic-" + movie).c_str(), .fallback = (movie + ": {{what}}").c_str());
    char *text = lf_prompt_compile(prompt, .variables = LF_OBJECT("what", movie + "!"));
    std::string result = text != nullptr ? text : "";
    std::free(text);
    lf_prompt_free(prompt);
    auto labels = [](int version) { return lf_update_prompt(.name = "critic", .version = version, .new_labels = LF_TAGS("a")); };
    return labels(1) == LF_OK ? result : movie;
}

std::string asked(const std::string &question)
{
    lf_model_call *call = lf_model_begin(.url = ("http://localhost/" + question).c_str(), .body = (question + "{}").c_str(),
                                         .metadata = LF_OBJECT("question", question));
    auto feed = [call](const std::string &piece) { lf_model_reply(call, piece.data(), piece.size()); };
    feed("data: [DONE]");
    lf_model_end(call, .http_status = 200, .error = question.empty() ? "empty" : nullptr);
    return question;
}

void throws(int n)
{
    OBSERVE(n);
    if (n > 0)
        throw n;
}

} // namespace

int all_of_it(int n);
int all_of_it(int n)
{
    variadic(1, 2.5, "x");
    machine m("name");
    try {
        throws(n);
    } catch (int x) {
        OBSERVE_ERROR("threw %d", x);
    }
    return in_template(n) + with_constexpr_if(1.5) + with_constexpr_if('c') + m(n) + machine::make(1) + lambdas(n) + calls_cpp(n) +
           static_cast<int>(text_back("q", {1, 2}).size() + decorated_text("q").size() + in_template(std::string("x")).size() +
                            filled_in("x").size() + asked("y").size());
}
