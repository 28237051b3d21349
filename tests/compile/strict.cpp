/* No warning in a user's build, in C++: every macro (macros.cpp), the macros in macros of strict.c, and what only C++ has in the
 * arguments of macros. No cast of ours is an old one. */
#include "macros.cpp"
#include "strict.c"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <stdexcept>
#include <tuple>

namespace {

struct account {
    int balance;
    std::string owner;
    std::unique_ptr<int> limit;
    int &of_balance()
    {
        OBSERVE();
        OBSERVE_RETURN(balance);
    }
    const std::string &of_owner() const
    {
        OBSERVE(owner, this->balance);
        OBSERVE_RETURN(this->owner);
    }
    account &self()
    {
        OBSERVE();
        OBSERVE_RETURN(*this);
    }
    std::unique_ptr<int> take()
    {
        OBSERVE(limit);
        OBSERVE_RETURN(std::move(limit));
    }
    static account make(int n)
    {
        OBSERVE_TOOL(n);
        account made{n, "o", nullptr};
        OBSERVE_RETURN(made);
    }
};

struct only_moves {
    only_moves() = default;
    only_moves(only_moves &&) = default;
    only_moves &operator=(only_moves &&) = default;
};

only_moves by_name(int n)
{
    OBSERVE(n);
    only_moves local;
    OBSERVE_RETURN(local);
}

only_moves by_move(only_moves value)
{
    OBSERVE(value);
    if (OBSERVE_CALL(twice, 1) > 1)
        OBSERVE_RETURN(value);
    OBSERVE_RETURN(only_moves{});
}

std::unique_ptr<int> pointers_that_move(std::unique_ptr<int> p)
{
    OBSERVE(p, p.get());
    if (p == nullptr)
        OBSERVE_RETURN(nullptr);
    if (*p > 1)
        OBSERVE_RETURN(OBSERVE_CALL(owner, std::move(p)));
    OBSERVE_RETURN(std::make_unique<int>(OBSERVE_CALL(twice, *p)));
}

int &chosen(std::vector<int> &numbers, std::size_t n)
{
    OBSERVE(numbers.size(), n);
    if (n > 3)
        OBSERVE_RETURN(numbers[0]);
    if (n > 2)
        OBSERVE_RETURN(*&numbers[n]);
    OBSERVE_RETURN(OBSERVE_CALL(reference, numbers.at(n)));
}

const int &constant(const int &n)
{
    OBSERVE(n);
    OBSERVE_RETURN(n > 0 ? n : n);
}

std::vector<int> sorted(std::vector<int> numbers)
{
    OBSERVE(numbers.size());
    OBSERVE_CALL([](std::vector<int> &all) { std::sort(all.begin(), all.end(), [](int a, int b) { return a < b; }); }, numbers);
    OBSERVE_RETURN(numbers);
}

/* Lambdas in arguments: of returns, with scopes and returns in them, in fields, in observed calls. */
int lambdas_inside(const std::vector<int> &numbers, int n)
{
    OBSERVE(std::count_if(numbers.begin(), numbers.end(), [](int x) { return x > 1; }), n);
    OBSERVE_OUTPUT(std::count_if(numbers.begin(), numbers.end(), [n](int x) { return x > n; }));
    lf_update_current_observation(.prompt_version = [&] { OBSERVE(n); OBSERVE_RETURN(n); }());
    if (n > 1)
        OBSERVE_RETURN(static_cast<int>(std::count_if(numbers.begin(), numbers.end(), [](int x) { return x > 2; })));
    if (n > 0)
        OBSERVE_RETURN([&] {
            OBSERVE_TOOL(n);
            OBSERVE_RETURN(n + 1);
        }());
    OBSERVE_RETURN([](int x) { OBSERVE(x); OBSERVE_RETURN(OBSERVE_CALL(twice, x)); }(n));
}

auto generic = [](auto &&...all) {
    OBSERVE(sizeof...(all));
    OBSERVE_RETURN(sizeof...(all) + 1);
};

std::function<int(int)> returns_a_function(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN([n](int x) { return x + n; });
}

std::string texts(const std::string &s, const char *c)
{
    OBSERVE(s, c, s + c, s.c_str(), std::string(c));
    OBSERVE_ATTRIBUTES(.user_id = (s + "@").c_str(), .tags = LF_TAGS(s, s + c), .metadata = LF_OBJECT(s.c_str(), s + "!"));
    OBSERVE_WITH((.name = (s + ".").c_str()), s + "?");
    OBSERVE_ERROR("%s", (s + c).c_str());
    lf_update_current_observation(.name = (s + "1").c_str(), .input = LF_ARRAY(s + c, std::string("x")), .model = s.c_str());
    lf_update_current_trace(.name = (s + "2").c_str(), .tags = LF_TAGS(s));
    lf_start_observation(.name = (s + "3").c_str(), .parent = lf_start_observation(.name = (s + "4").c_str()));
    lf_observation_end(lf_create_event(.name = (s + "5").c_str()), .status_message = (s + "6").c_str());
    lf_create_score(.name = (s + "7").c_str(), .string_value = (s + "8").c_str());
    lf_prompt_free(lf_get_prompt((s + "9").c_str(), .label = (s + "10").c_str(), .fallback = (s + c).c_str()));
    std::free(lf_prompt_compile(lf_get_prompt(c), .variables = LF_OBJECT("a", s + "11")));
    lf_prompt_free(lf_create_prompt(.name = (s + "12").c_str(), .prompt = (s + "13").c_str(), .labels = LF_TAGS(s + "14")));
    lf_update_prompt(.name = (s + "15").c_str(), .new_labels = LF_TAGS((s + "16").c_str()));
    OBSERVE_CALL(note, (s + "17").c_str());
    if (s.empty())
        OBSERVE_RETURN("literal");
    OBSERVE_RETURN(OBSERVE_CALL([](const std::string &text) -> const std::string & { return text; }, s));
}

std::map<std::string, int> aggregates(int n)
{
    OBSERVE(n);
    if (n > 0)
        OBSERVE_RETURN(std::map<std::string, int>{{"a", n}, {"b", 2}});
    OBSERVE_RETURN(std::map<std::string, int>());
}

std::tuple<int, std::string> tuples(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN(std::make_tuple(n, "x"));
}

template <class T, class... A> auto in_templates(T &&value, A &&...rest) -> decltype(auto)
{
    OBSERVE(value, sizeof...(rest));
    lf_update_current_observation(.input = LF_OBJECT("value", value), .prompt = lf_get_prompt("p"));
    OBSERVE_CALL([](auto &&...) {}, std::forward<A>(rest)...);
    OBSERVE_RETURN(std::forward<T>(value));
}

enum class tone : unsigned char { kind, rude };

tone enums(tone t, const tone *p)
{
    OBSERVE(t, *p, tone::rude, lf_array(p, 1));
    OBSERVE_RETURN(t == *p ? tone::kind : t);
}

bool booleans(bool a, const std::vector<bool> &b)
{
    OBSERVE(a, b[0], !a, a && b[0]);
    if (a)
        OBSERVE_RETURN(b[0]);
    OBSERVE_RETURN(a || b[0]);
}

OBSERVE_FN(std::unique_ptr<int>, decorated_moves, (std::unique_ptr<int>, p), (only_moves, m))
{
    (void)m;
    return p;
}

static OBSERVE_FN(int &, decorated_reference, (int &, n))
{
    return n;
}

OBSERVE_VOID_FN(decorated_throws, (const std::string &, s))
{
    if (s.empty())
        throw std::runtime_error(s);
}

OBSERVE_FN_WITH((.name = "n", .type = LF_CHAIN), const std::string &, decorated_const, (const std::string &, s))
{
    return s;
}

int catches_all(int n)
{
    OBSERVE(n);
    try {
        OBSERVE_TOOL(n);
        decorated_throws("");
    } catch (const std::exception &e) {
        OBSERVE_ERROR("%s", e.what());
        OBSERVE_RETURN(-1);
    } catch (...) {
        OBSERVE_CAUGHT();
        throw;
    }
    OBSERVE_RETURN(n);
}

int noexcept_too(int n) noexcept
{
    OBSERVE(n);
    OBSERVE_RETURN(n);
}

} // namespace

int all_that_is_strict(int n);
int all_that_is_strict(int n)
{
    std::vector<int> numbers{1, 2, 3, n};
    account a = account::make(n);
    a.self().of_balance() = chosen(numbers, 1) = constant(n);
    const tone t = tone::rude;
    only_moves m = by_move(by_name(n));
    in_templates(std::string("x"), n, a.of_owner());
    in_templates(n) += static_cast<int>(generic(1, 2, numbers));
    n += *decorated_moves(pointers_that_move(a.take()), std::move(m)) + decorated_reference(n) + returns_a_function(n)(1);
    n += static_cast<int>(texts("a", "b").size() + aggregates(n).size() + std::get<1>(tuples(n)).size() + sorted(numbers).size());
    n += booleans(n > 0, {true}) + static_cast<int>(enums(t, &t)) + static_cast<int>(decorated_const("x").size());
    return n + lambdas_inside(numbers, n) + catches_all(n) + noexcept_too(n);
}
