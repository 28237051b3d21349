/* A Lua module whose functions are observed. lua_error is a longjmp to the lua_pcall that catches, and a yield is one to the
 * lua_resume that waits.
 */
#include <lauxlib.h>
#include <lua.h>

#include "observe.h"

/* ---- What fails ---------------------------------------------------------------------------------------------------- */

/* risky(n): 2n, or an error. */
static int risky(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    OBSERVE(n);
    if (n % 3 == 0) {
        lua_pushfstring(L, "no %I", n);
        return lua_error(L);
    }
    OBSERVE_OUTPUT(2 * n);
    lua_pushinteger(L, 2 * n);
    return 1;
}

/* descend(n, f): n observations deep, then f, or an error if there is none. */
static void descend_to(lua_State *L, lua_Integer n)
{
    OBSERVE(n);
    if (n == 0) {
        luaL_argcheck(L, lua_isfunction(L, 2), 2, "no function");
        lua_pushvalue(L, 2);
        lua_call(L, 0, 0);
    } else {
        descend_to(L, n - 1);
    }
    OBSERVE_OUTPUT("back");
}

static int descend(lua_State *L)
{
    descend_to(L, luaL_checkinteger(L, 1));
    return 0;
}

static int note(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    OBSERVE(n);
    return 0;
}

/* A message handler of xpcall: it runs before the jump, within what failed. */
static int explain(lua_State *L)
{
    OBSERVE_ERROR("%s", lua_tostring(L, 1));
    return 1;
}

/* ---- What catches in C --------------------------------------------------------------------------------------------- */

/* pcall(f, ...), as the one of Lua, but that it says where it lands. */
static int finish_pcall(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status != LUA_OK && status != LUA_YIELD)
        OBSERVE_CAUGHT();
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_replace(L, 1);
    return lua_gettop(L);
}

static int observing_pcall(lua_State *L)
{
    lua_pushnil(L); /* the place of the first result */
    lua_insert(L, 1);
    return finish_pcall(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish_pcall), 0);
}

/* caught(): for code that has only the pcall of Lua. */
static int caught(lua_State *L)
{
    (void)L;
    OBSERVE_CAUGHT();
    return 0;
}

/* around(n, f): what f returned, or the message of its error. */
static int around(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    OBSERVE(n);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("%s", lua_tostring(L, -1));
    }
    OBSERVE_OUTPUT(lua_tostring(L, -1));
    return 1;
}

/* levels(n, depth): each level catches what failed below, and fails again unless it is level n % 4. */
static int levels(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1), depth = luaL_checkinteger(L, 2);
    OBSERVE(n, depth);
    lua_pushcfunction(L, depth == 0 ? risky : levels);
    lua_pushinteger(L, n);
    lua_pushinteger(L, depth - 1);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        OBSERVE_CAUGHT();
        if (depth != n % 4)
            return lua_error(L);
        lua_pushinteger(L, -n);
    }
    OBSERVE_OUTPUT(lua_tointeger(L, -1));
    return 1;
}

/* retry(n): the first of n, n + 1, ... that works. Nothing is said where it lands; the next attempt tells. */
static int retry(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    OBSERVE(n);
    int status;
    do {
        lua_settop(L, 1);
        lua_pushcfunction(L, risky);
        lua_pushinteger(L, n++);
        status = lua_pcall(L, 1, 1, 0);
    } while (status != LUA_OK);
    OBSERVE_OUTPUT(lua_tointeger(L, -1));
    return 1;
}

/* give_up(n): one attempt, and nothing said where it lands: what is said next is said of this function nevertheless. */
static int give_up(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    OBSERVE(n);
    lua_pushcfunction(L, risky);
    lua_pushinteger(L, n);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        OBSERVE_ERROR("gave up");
    OBSERVE_RETURN(1);
}

/* ---- Coroutines: yielding leaves the C function for good ------------------------------------------------------------ */

/* wait(n): what it waits for is a handle, which the continuation ends. */
static int finish_wait(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lf_observation *waiting = (lf_observation *)context;
    lf_observation_end(waiting, .output = LF_VALUE(lua_tointeger(L, -1)));
    return 1;
}

static int wait_for(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    lf_observation *waiting = lf_start_observation(.name = "wait", .input = LF_OBJECT("n", n));
    return lua_yieldk(L, 1, (lua_KContext)waiting, finish_wait);
}

/* leave(n): a scope is not ended by a yield. */
static int leave(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    OBSERVE(n);
    return lua_yield(L, 1);
}

/* step(coroutine, n): resumes it once. The status, and what it yielded, returned or failed with. */
static int step(lua_State *L)
{
    lua_State *coroutine = lua_tothread(L, 1);
    lua_Integer n = luaL_checkinteger(L, 2);
    OBSERVE(n);
    int count;
    lua_pushinteger(coroutine, n);
    int status = lua_resume(coroutine, L, 1, &count);
    if (status != LUA_OK)
        OBSERVE_CAUGHT();
    if (status != LUA_OK && status != LUA_YIELD)
        OBSERVE_ERROR("%s", lua_tostring(coroutine, -1));
    OBSERVE_OUTPUT(lua_tostring(coroutine, -1));
    lua_pushinteger(L, status);
    lua_xmove(coroutine, L, 1);
    return 2;
}

/* ---- The module ---------------------------------------------------------------------------------------------------- */

static int stats(lua_State *L)
{
    lf_status status = lf_flush(20000);
    lf_stats s;
    lf_get_stats(&s);
    lua_pushfstring(L, "status %d accepted %I delivered %I open %I misused %I", (int)status, (lua_Integer)s.accepted,
                    (lua_Integer)s.delivered, (lua_Integer)s.open, (lua_Integer)s.misused);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_lua(lua_State *L);

int luaopen_lua(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"risky", risky},   {"descend", descend}, {"note", note},     {"explain", explain}, {"pcall", observing_pcall},
        {"caught", caught}, {"around", around},   {"levels", levels}, {"retry", retry},     {"give_up", give_up},
        {"wait", wait_for}, {"leave", leave},     {"step", step},     {"stats", stats},     {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}
