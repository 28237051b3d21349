/* C++ at run time: what is returned, what exceptions and the end of a thread leave behind. The program reads back what it wrote. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include "observe.h"

static int failures;

static void check(bool ok, int line, const char *what)
{
    if (!ok) {
        std::fprintf(stderr, "exceptions.cpp:%d: not so: %s\n", line, what);
        failures++;
    }
}
#define CHECK(...) check((__VA_ARGS__), __LINE__, #__VA_ARGS__)

/* ---- An exception leaves scopes as a return does: they end, and what follows is no child of theirs. */

static void throws(int n)
{
    OBSERVE_WITH((.name = "throws"), n);
    if (n == 0)
        throw 7;
    throws(n - 1);
}

static void catches()
{
    OBSERVE_WITH((.name = "catches"));
    char before[LF_OBSERVATION_ID_SIZE], after[LF_OBSERVATION_ID_SIZE];
    CHECK(lf_current_observation_id(before));
    try {
        throws(3);
        CHECK(false);
    } catch (int n) {
        CHECK(n == 7);
    }
    lf_stats stats;
    lf_get_stats(&stats);
    CHECK(lf_current_observation_id(after) && std::strcmp(before, after) == 0);
    CHECK(stats.accepted == 4 && stats.open == 1 && stats.misused == 0);
}

/* ---- What is returned */

struct counted {
    int copies = 0, moves = 0, number = 0;
    explicit counted(int n) : number(n) {}
    counted(const counted &other) : copies(other.copies + 1), moves(other.moves), number(other.number) {}
    counted(counted &&other) noexcept : copies(other.copies), moves(other.moves + 1), number(other.number) {}
    counted &operator=(const counted &) = delete;
    ~counted() = default;
};

static lf_value lf_capture_value(const counted &c)
{
    return lf_int(c.number);
}

struct shape {
    shape() = default;
    shape(const shape &) = delete;
    shape &operator=(const shape &) = delete;
    virtual ~shape() = default;
    virtual int corners() const = 0;
};

struct square : shape {
    int corners() const override
    {
        OBSERVE();
        OBSERVE_RETURN(4);
    }
};

struct account {
    int balance = 1;
    unsigned flags : 3;
    std::unique_ptr<int> limit = std::make_unique<int>(5);
    account() : flags(6) {}
    int &of_balance()
    {
        OBSERVE();
        OBSERVE_RETURN(balance);
    }
    account &self()
    {
        OBSERVE();
        OBSERVE_RETURN(*this);
    }
    unsigned of_flags()
    {
        OBSERVE();
        OBSERVE_RETURN(flags);
    }
    unsigned of_flags_of(const account *other)
    {
        OBSERVE();
        if (other == nullptr)
            OBSERVE_RETURN(this->flags);
        OBSERVE_RETURN(other->flags);
    }
    std::unique_ptr<int> take()
    {
        OBSERVE();
        OBSERVE_RETURN(std::move(limit));
    }
};

static int &by_name(int &n)
{
    OBSERVE(n);
    OBSERVE_RETURN(n);
}

static int &by_expression(std::vector<int> &numbers, std::size_t n)
{
    OBSERVE(n);
    OBSERVE_RETURN(numbers[n]);
}

static int &by_call(std::vector<int> &numbers)
{
    OBSERVE();
    OBSERVE_RETURN(OBSERVE_CALL(by_expression, numbers, 1));
}

static const std::string &of_constant(const std::string &text)
{
    OBSERVE(text);
    OBSERVE_RETURN(text.empty() ? text : *&text);
}

static const shape &of_abstract(const shape &s)
{
    OBSERVE();
    OBSERVE_RETURN(s);
}

static const shape &of_base(const square &s)
{
    OBSERVE();
    OBSERVE_RETURN(s);
}

/* std::max returns a reference to what dies with the expression. */
static int largest(int a)
{
    OBSERVE(a);
    OBSERVE_RETURN(std::max(a + 1, 3));
}

static std::string of_temporary(const std::string &text)
{
    OBSERVE(text);
    OBSERVE_RETURN(std::move(std::string(text + " and more, so that it is on the heap").append("!")));
}

static decltype(auto) of_deduced(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN(std::string(static_cast<std::size_t>(n), 'x'));
}

static short narrow(int way)
{
    OBSERVE(way);
    if (way == 0)
        OBSERVE_RETURN(-1);
    OBSERVE_RETURN(0x7f);
}

static const char *nothing(int way)
{
    OBSERVE(way);
    if (way == 0)
        OBSERVE_RETURN(NULL);
    OBSERVE_RETURN(nullptr);
}

static counted local(int n)
{
    OBSERVE(n);
    counted c(n);
    OBSERVE_RETURN(c);
}

static counted made(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN(counted(n));
}

static std::unique_ptr<int> passed_on(std::unique_ptr<int> p)
{
    OBSERVE();
    OBSERVE_RETURN(p);
}

static std::unique_ptr<shape> as_base()
{
    OBSERVE();
    auto s = std::make_unique<square>();
    OBSERVE_RETURN(s);
}

static int counts(const std::vector<int> &numbers, int limit)
{
    OBSERVE(limit);
    OBSERVE_RETURN(static_cast<int>(std::count_if(numbers.begin(), numbers.end(), [limit](int n) { return n > limit; })));
}

static std::function<int(int)> adder(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN([n](int x) { return x + n; });
}

OBSERVE_FN(int &, decorated_reference, (int &, n))
{
    return n;
}

static OBSERVE_FN(std::unique_ptr<int>, decorated_moves, (std::unique_ptr<int>, p), (int, n))
{
    *p += n;
    return p;
}

static void returns()
{
    int n = 1;
    by_name(n) = 2;
    CHECK(n == 2 && &by_name(n) == &n);
    decorated_reference(n) = 3;
    CHECK(n == 3 && &decorated_reference(n) == &n);
    OBSERVE_CALL(by_name, n) = 4;
    CHECK(n == 4 && &OBSERVE_CALL(by_name, n) == &n);

    std::vector<int> numbers{1, 2, 3};
    by_expression(numbers, 2) = 7;
    by_call(numbers) = 5;
    CHECK(numbers[2] == 7 && numbers[1] == 5 && &by_call(numbers) == &numbers[1]);

    account a;
    a.self().of_balance() = 9;
    CHECK(a.balance == 9 && &a.self() == &a && a.of_flags() == 6 && a.of_flags_of(nullptr) == 6 && a.of_flags_of(&a) == 6);
    auto limit = a.take();
    CHECK(limit != nullptr && *limit == 5 && a.limit == nullptr);
    const int *address = limit.get();
    limit = decorated_moves(OBSERVE_CALL(passed_on, passed_on(std::move(limit))), 1);
    CHECK(limit.get() == address && *limit == 6);

    const std::string text = "text";
    CHECK(&of_constant(text) == &text);
    square s;
    CHECK(&of_abstract(s) == &s && &of_base(s) == &s && as_base()->corners() == 4);
    CHECK(largest(1) == 3 && largest(8) == 9);
    CHECK(of_temporary(text) == "text and more, so that it is on the heap!" && of_deduced(3) == "xxx");
    CHECK(narrow(0) == -1 && narrow(1) == 127 && nothing(0) == nullptr && nothing(1) == nullptr);
    CHECK(local(1).copies == 0 && made(2).copies == 0 && OBSERVE_CALL(local, 3).copies == 0);
    CHECK(counts({1, 2, 3}, 1) == 2 && adder(2)(3) == 5);
}

/* ---- What is thrown */

struct not_of_std {
    int code;
};

static int throws_std(const std::string &text)
{
    if (!text.empty())
        throw std::runtime_error(text);
    return 1;
}

static int throws_text(int way)
{
    if (way > 0)
        throw "a text";
    return 1;
}

static int throws_other(int code)
{
    if (code > 0)
        throw not_of_std{code};
    return 1;
}

OBSERVE_FN(int, decorated_throws, (const std::string &, text))
{
    return throws_std(text);
}

static OBSERVE_VOID_FN(decorated_void_throws, (const std::string &, text))
{
    throws_std(text);
}

/* Observes while an exception is on its way. */
struct cleaner {
    ~cleaner()
    {
        OBSERVE_WITH((.name = "cleaner"));
        try {
            OBSERVE_WITH((.name = "fails in cleaner"));
            throws_std("within");
        } catch (const std::exception &) {
        }
    }
};

template <class F> static std::string thrown_by(const F &f)
{
    try {
        f();
    } catch (const std::exception &e) {
        return e.what();
    } catch (const char *text) {
        return text;
    } catch (const not_of_std &other) {
        return "code " + std::to_string(other.code);
    }
    return "nothing";
}

static void exceptions()
{
    CHECK(thrown_by([] { OBSERVE_CALL(throws_std, "by call"); }) == "by call");
    CHECK(thrown_by([] { OBSERVE_CALL(throws_text, 1); }) == "a text");
    CHECK(thrown_by([] { OBSERVE_CALL(throws_other, 3); }) == "code 3");
    CHECK(thrown_by([] { decorated_throws("by decorator"); }) == "by decorator");
    CHECK(thrown_by([] { decorated_void_throws("by void"); }) == "by void");
    CHECK(thrown_by([] {
        OBSERVE_WITH((.name = "left"));
        throws_std("not seen");
    }) == "not seen");
    CHECK(thrown_by([] {
        OBSERVE_WITH((.name = "left with words"));
        OBSERVE_ERROR("said before");
        throws_other(4);
    }) == "code 4");
    CHECK(thrown_by([] {
        OBSERVE_WITH((.name = "cleaned"));
        cleaner c;
        throws_std("cleaned");
    }) == "cleaned");
    CHECK(thrown_by([] {
        OBSERVE_WITH((.name = "unhurt"));
        CHECK(thrown_by([] { throws_std("inside"); }) == "inside");
        CHECK(thrown_by([] { throws_other(5); }) == "code 5");
    }) == "nothing");
}

static const int line_of_lambda = __LINE__ + 3;
static void lambdas()
{
    const auto nameless = [](int n) { OBSERVE_TOOL(n); OBSERVE_RETURN(n + 1); };
    CHECK(nameless(41) == 42);
}

/* ---- The end of a thread unwinds its stack, and is no exception. */

static int ends_thread(int *value)
{
    pthread_exit(value);
}

OBSERVE_FN(int, decorated_ends, (int *, value))
{
    OBSERVE_CALL(ends_thread, value);
    return 1;
}

static void *exits(void *value)
{
    OBSERVE_WITH((.name = "exits"));
    decorated_ends(static_cast<int *>(value));
    return nullptr;
}

static void waits(int *waiting)
{
    __atomic_store_n(waiting, 1, __ATOMIC_RELEASE);
    for (;;)
        usleep(1000);
}

static void *is_cancelled(void *waiting)
{
    OBSERVE_WITH((.name = "is_cancelled"));
    OBSERVE_CALL(waits, static_cast<int *>(waiting));
    return nullptr;
}

static void threads()
{
    pthread_t thread;
    void *result = nullptr;
    int value = 0, waiting = 0;
    CHECK(pthread_create(&thread, nullptr, exits, &value) == 0 && pthread_join(thread, &result) == 0 && result == &value);
    CHECK(pthread_create(&thread, nullptr, is_cancelled, &waiting) == 0);
    while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

/* ---- What was written */

static std::string written;

/* The observation number n of this name. */
static std::string span(const std::string &name, int n = 0)
{
    const std::string key = "\"name\":\"" + name + "\"";
    std::size_t at = written.find(key);
    for (; n > 0 && at != std::string::npos; n--)
        at = written.find(key, at + 1);
    return at == std::string::npos ? "" : written.substr(at, written.find("{\"traceId\"", at) - at);
}

static bool says(const std::string &text, const char *attribute, const std::string &value)
{
    return text.find("\"langfuse.observation." + std::string(attribute) + "\",\"value\":{\"stringValue\":\"" + value + "\"}") !=
           std::string::npos;
}

static bool is_error(const std::string &text, const char *message)
{
    return says(text, "level", "ERROR") && says(text, "status_message", message);
}

static bool is_unhurt(const std::string &text)
{
    return text.find("\"status\":{}") != std::string::npos && text.find("observation.level") == std::string::npos &&
           text.find("status_message") == std::string::npos;
}

static void reads_back()
{
    const char *exporter = std::getenv("LANGFUSE_EXPORTER");
    CHECK(exporter != nullptr && std::strncmp(exporter, "file:", 5) == 0);
    std::ifstream file(exporter + 5);
    written.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());

    for (int n = 0; n < 4; n++)
        CHECK(is_error(span("throws", n), "left by an exception"));
    CHECK(is_unhurt(span("catches")));

    CHECK(says(span("by_name"), "output", "1") && says(span("by_name", 1), "output", "2"));
    CHECK(says(span("decorated_reference"), "output", "2") && says(span("by_expression"), "output", "3"));
    CHECK(says(span("of_flags"), "output", "6") && says(span("of_constant"), "output", "text"));
    CHECK(says(span("largest"), "output", "3") && says(span("largest", 1), "output", "9"));
    CHECK(says(span("of_temporary"), "output", "text and more, so that it is on the heap!"));
    CHECK(says(span("of_deduced"), "output", "xxx") && says(span("corners"), "output", "4") && says(span("counts"), "output", "2"));
    CHECK(says(span("narrow"), "output", "-1") && says(span("narrow", 1), "output", "127"));
    CHECK(says(span("local"), "output", "1") && says(span("made"), "output", "2"));

    CHECK(is_error(span("throws_std"), "by call"));
    CHECK(is_error(span("throws_text"), "a text"));
    CHECK(is_error(span("throws_other"), "left by an exception"));
    CHECK(is_error(span("decorated_throws"), "by decorator"));
    CHECK(is_error(span("decorated_void_throws"), "by void"));
    CHECK(is_error(span("left"), "left by an exception"));
    CHECK(is_error(span("left with words"), "said before"));
    CHECK(is_error(span("cleaned"), "left by an exception"));
    CHECK(is_unhurt(span("cleaner")) && is_error(span("fails in cleaner"), "left by an exception"));
    CHECK(is_unhurt(span("unhurt")));

    const std::string line = std::to_string(line_of_lambda);
#ifdef __FILE_NAME__
    CHECK(says(span("lambda (exceptions.cpp:" + line + ")"), "output", "42"));
#else
    CHECK(says(span("lambda (line " + line + ")"), "output", "42"));
#endif

    for (const char *name : {"exits", "decorated_ends", "ends_thread", "is_cancelled", "waits"})
        CHECK(is_unhurt(span(name)));
}

int main()
{
    catches();
    returns();
    exceptions();
    lambdas();
    threads();
    lf_stats stats;
    lf_get_stats(&stats);
    CHECK(stats.open == 0 && stats.misused == 0);
    CHECK(lf_flush(5000) == LF_OK);
    reads_back();
    return failures == 0 ? 0 : 1;
}
