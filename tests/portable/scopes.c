/* Where a scope belongs must not depend on how the compiler lays out machine frames: one function with several scopes, inlined
 * helpers, loops, jumps within a function, recursion, threads, handles.
 */
#include "portable.h"

static volatile int sink; /* keeps calls from becoming jumps */

/* ---- Nesting by call and by block ---- */

static NOINLINE int leaf(int n)
{
    OBSERVE_TOOL(n);
    OBSERVE_RETURN(n + 1);
}

static INLINE int inlined(int n)
{
    OBSERVE_CHAIN(n);
    int sum = leaf(n) + 1;
    OBSERVE_RETURN(sum);
}

static INLINE void notes(const char *text)
{
    OBSERVE_OUTPUT(text);
    lf_update_current_observation(.metadata = LF_OBJECT("noted", text));
}

static NOINLINE int by_call(int n)
{
    OBSERVE(n);
    int sum = inlined(n);
    sum += inlined(sum);
    notes("between");
    sum += leaf(sum);
    OBSERVE_RETURN(sum);
}

static NOINLINE void by_block(void)
{
    OBSERVE();
    {
        OBSERVE_WITH((.name = "first block"));
        leaf(1);
        {
            OBSERVE_WITH((.name = "inner block"));
            leaf(2);
        }
        leaf(3);
    }
    {
        OBSERVE_WITH((.name = "second block"));
        OBSERVE_OUTPUT("of the second block");
    }
    OBSERVE_OUTPUT("of the function");
}

static NOINLINE int two_scopes(int n)
{
    OBSERVE(n);
    OBSERVE_GENERATION(n);
    lf_update_current_observation(.model = "m", .usage_details = LF_OBJECT("input", 3, "output", 4));
    lf_output_append("one ", 4);
    lf_output_append("two", 3);
    sink = leaf(n);
    return n;
}

static NOINLINE void attributes(void)
{
    OBSERVE();
    OBSERVE_ATTRIBUTES(.user_id = "user", .tags = LF_TAGS("a", "b"));
    leaf(4);
    {
        OBSERVE_ATTRIBUTES(.session_id = "session", .metadata = LF_OBJECT("plan", "pro"));
        OBSERVE_WITH((.name = "inside"));
        sink = inlined(5);
    }
    leaf(6);
    OBSERVE_OUTPUT("attributed");
}

static NOINLINE int expressions(int n)
{
    OBSERVE(n);
    int a = __extension__({
        OBSERVE_WITH((.name = "first expression"));
        leaf(n);
    });
    int b = __extension__({
        OBSERVE_WITH((.name = "second expression"));
        OBSERVE_OUTPUT(a);
        a * 2;
    });
    if (__extension__({
            OBSERVE_WITH((.name = "condition"));
            leaf(b) > 0;
        }))
        b++;
    OBSERVE_RETURN(a + b);
}

/* ---- Loops and jumps ---- */

static NOINLINE void loops(void)
{
    OBSERVE();
    for (int i = 0; i < 6; i++) {
        OBSERVE_TOOL(i);
        if (i == 1)
            continue;
        switch (i) {
        case 2: {
            OBSERVE_CHAIN(i);
            break;
        }
        default: break;
        }
        do {
            OBSERVE_RETRIEVER(i);
            if (i == 3)
                break;
            sink = leaf(i);
        } while (0);
        if (i == 4)
            goto done;
    }
done:
    OBSERVE_OUTPUT("looped");
}

static NOINLINE int again(void)
{
    int tries = 0;
    OBSERVE();
retry:;
    {
        OBSERVE_EMBEDDING(tries);
        if (++tries < 3)
            goto retry;
        OBSERVE_OUTPUT("at last");
    }
    OBSERVE_RETURN(tries);
}

static NOINLINE int early(int n)
{
    OBSERVE(n);
    if (n == 0)
        return 0;
    OBSERVE_GUARDRAIL(n);
    if (n == 1) {
        OBSERVE_ERROR("failed with %d", n);
        return -1;
    }
    OBSERVE_RETURN(n);
}

static NOINLINE int with_room(int n)
{
    OBSERVE(n);
    char room[(size_t)n * 100];
    for (int i = 0; i < n * 100; i++)
        room[i] = (char)i;
    sink = room[n] + leaf(n);
    OBSERVE_RETURN(n);
}

/* ---- Calls and decorators ---- */

static NOINLINE int add(int a, int b)
{
    OBSERVE_CHAIN(a, b);
    return a + b;
}

static OBSERVE_FN(int, decorated, (int, a), (const char *, text))
{
    return a > 0 ? decorated(a - 1, text) + 1 : (int)text[0];
}

static OBSERVE_VOID_FN(nothing, (int, a))
{
    sink = leaf(a);
}

static NOINLINE void calls(void)
{
    OBSERVE();
    sink = OBSERVE_CALL(add, 1, OBSERVE_CALL(add, 2, 3));
    sink = decorated(2, "A");
    nothing(7);
    OBSERVE_OUTPUT("called");
}

/* ---- Recursion ---- */

static NOINLINE int down(int n)
{
    OBSERVE();
    if (n > 0)
        sink = down(n - 1);
    OBSERVE_OUTPUT("as deep as it goes");
    return n;
}

static NOINLINE int odd(int n);

static NOINLINE int even(int n)
{
    OBSERVE(n);
    int answer = n == 0 ? 1 : odd(n - 1);
    OBSERVE_RETURN(answer);
}

static NOINLINE int odd(int n)
{
    OBSERVE_CHAIN(n);
    int answer = n == 0 ? 0 : even(n - 1);
    OBSERVE_RETURN(answer);
}

/* ---- Threads ---- */

static void *on_a_thread(void *context)
{
    OBSERVE_CONTEXT((const lf_context *)context);
    OBSERVE();
    sink = by_call(10);
    OBSERVE_OUTPUT("threaded");
    return NULL;
}

static void *created(void *unused)
{
    OBSERVE();
    leaf(20);
    return unused;
}

static NOINLINE void threads(void)
{
    OBSERVE();
    pthread_t thread;
    lf_context *context = lf_context_copy();
    if (pthread_create(&thread, NULL, on_a_thread, context) == 0)
        pthread_join(thread, NULL);
    lf_context_free(context);
    if (lf_thread_create(&thread, NULL, created, NULL) == 0)
        pthread_join(thread, NULL);
    if (pthread_create(&thread, NULL, created, NULL) == 0) /* a trace of its own */
        pthread_join(thread, NULL);
    OBSERVE_OUTPUT("joined");
}

/* ---- Handles ---- */

static NOINLINE void with_handles(void)
{
    OBSERVE();
    lf_observation *handle = lf_start_observation(.name = "handle", .type = LF_GENERATION);
    leaf(30); /* not below the handle */
    lf_observation *child = lf_start_observation(.name = "child of the handle", .parent = handle);
    lf_observation_end(child, .output = LF_VALUE(1));
    lf_observation *current = lf_start_as_current_observation(.name = "current");
    leaf(31);
    lf_update_current_observation(.metadata = LF_OBJECT("by", "its place"));
    lf_observation_end(current);
    leaf(32);
    lf_observation_end(handle, .output = LF_VALUE("handled"));
    OBSERVE_OUTPUT("after handles");
}

/* One trace a call. */
int main(void)
{
    sink = by_call(1);
    by_block();
    sink = two_scopes(2);
    attributes();
    sink = expressions(3);
    loops();
    sink = again();
    sink = early(0) + early(1) + early(2);
    sink = with_room(40);
    calls();
    sink = down(2000);
    sink = even(3);
    threads();
    with_handles();
    return portable_end();
}
