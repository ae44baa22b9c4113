-- Calls, tables, strings, closures, floating point: what an interpreter spends its time on.
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end

local function sieve(n)
    local composite, count = {}, 0
    for i = 2, n do
        if not composite[i] then
            count = count + 1
            for k = i * i, n, i do composite[k] = true end
        end
    end
    return count
end

local function words(n)
    local parts, seen = {}, {}
    for i = 1, n do parts[#parts + 1] = ("word%d"):format(i * 7919 % 1000) end
    for word in table.concat(parts, " "):gmatch("%a+(%d+)") do seen[word] = (seen[word] or 0) + 1 end
    local most = 0
    for _, count in pairs(seen) do most = math.max(most, count) end
    return most
end

local function sorted(n)
    local t, seed = {}, 42
    for i = 1, n do
        seed = (seed * 1103515245 + 12345) % 2147483648
        t[i] = seed
    end
    table.sort(t, function(a, b) return a < b end)
    return t[n // 2]
end

local function mandelbrot(n)
    local inside = 0
    for y = 0, n - 1 do
        for x = 0, n - 1 do
            local cr, ci, r, i, k = 2 * x / n - 1.5, 2 * y / n - 1, 0, 0, 0
            while k < 50 and r * r + i * i < 4 do r, i, k = r * r - i * i + cr, 2 * r * i + ci, k + 1 end
            if k == 50 then inside = inside + 1 end
        end
    end
    return inside
end

print(fib(27), sieve(300000), words(60000), sorted(60000), mandelbrot(120))
