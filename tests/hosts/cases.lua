-- lua5.4 cases.lua CASE COUNT: does one thing COUNT times, with the module of lua.c.
local observed = require "lua"
local case, count = arg[1], tonumber(arg[2])
local cases = {}

function cases.plain_pcall(n)
    local good, result = pcall(observed.risky, n)
    assert(good == (n % 3 ~= 0) and (not good or result == 2 * n))
end

function cases.deep(n)
    pcall(observed.descend, n % 5, n % 2 == 0 and function() error { code = n } end or nil)
end

function cases.pcall_of_the_module(n)
    local good, result = observed.pcall(observed.risky, n)
    assert(good == (n % 3 ~= 0) and result == (good and 2 * n or "no " .. n))
    observed.note(n)
end

function cases.caught(n)
    if not pcall(observed.risky, n) then observed.caught() end
    observed.note(n)
end

-- Caught in Lua, within a scope of C.
function cases.around(n)
    observed.around(n, function()
        observed.pcall(observed.risky, n)
        observed.note(n)
        if n % 2 == 0 then observed.risky(n) end
        return "done"
    end)
end

function cases.levels(n)
    pcall(observed.levels, n, 3)
end

function cases.retry(n) observed.retry(n) end
function cases.give_up(n) observed.give_up(n) end

function cases.handler(n)
    xpcall(observed.risky, observed.explain, n)
end

function cases.closing(n)
    observed.pcall(function()
        local resource <close> = setmetatable({}, { __close = function() observed.note(n) end })
        observed.risky(n)
    end)
end

-- A finalizer that fails is caught by the collector, which tells nobody.
function cases.finalizers(n)
    observed.around(n, function()
        setmetatable({}, { __gc = function() observed.risky(n) end })
        collectgarbage()
        observed.note(n)
        return "done"
    end)
end

-- Lua allows about 200 calls from C to Lua and back within each other.
function cases.overflow(n)
    local function deeper() observed.descend(0, deeper) end
    local good, message = observed.pcall(deeper)
    assert(not good and message:find("stack overflow"))
end

-- Ten coroutines take turns; each waits three times, and fails at last if its number is a multiple of three.
function cases.turns(n)
    local all = {}
    for i = 1, 10 do
        all[i] = coroutine.create(function(first)
            for _ = 1, 3 do observed.wait(i) end
            return observed.risky(i)
        end)
    end
    for turn = 1, 4 do
        for i = 1, 10 do observed.step(all[i], turn) end
    end
end

function cases.left_by_a_yield(n)
    local thread = coroutine.create(function() observed.leave(n); observed.note(n) end)
    observed.step(thread, n)
    observed.note(-n)
    observed.step(thread, n)
end

-- Resumed and yielded by Lua alone, with a pcall of the module around the yield.
function cases.yield_across_pcall(n)
    local thread = coroutine.wrap(function()
        return observed.pcall(function()
            coroutine.yield()
            return observed.risky(n)
        end)
    end)
    thread()
    observed.note(n)
    assert(thread() == (n % 3 ~= 0))
    observed.note(-n)
end

for n = 1, count do cases[case](n) end
observed.risky(1) -- without a word where it lands, the last failure is noticed by what follows
print(observed.stats())
