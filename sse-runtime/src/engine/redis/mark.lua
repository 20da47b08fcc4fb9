-- Says to one node how far the log has come: behind all that was published before, on the same connection. Every node
-- asks for it once a second, so what time does to the log is done here, too.
--
-- KEYS  about, topics, clock, nodes
-- ARGV  generation, channel of the node, what to say, age (ms, or 0), how often the time is noted (ms), the node's field,
--       for how long its answers are kept after it was last here (ms), how many they are
-- =>    nothing
local about, topics, clock, nodes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local age, every = tonumber(ARGV[4]), tonumber(ARGV[5])

local log = redis.call('HMGET', about, 'generation', 'top', 'old', 'swept')
if log[1] ~= ARGV[1] then
    return redis.error_reply('SSEGONE the log has begun anew')
end
redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. log[2])

-- Which nodes there are, and until when their answers are kept. Not each time: a quiet log writes nothing.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local keep = tonumber(ARGV[7])
local noted = tonumber(redis.call('ZSCORE', nodes, ARGV[6]) or nil)
if not noted or noted < now + keep * 7 / 8 then
    noted = redis.pcall('ZADD', nodes, string.format('%.0f', now + keep), ARGV[6])
end
-- A server that refuses what is written has not let others say that they are there, either.
if type(noted) ~= 'table' then
    local gone = redis.call('ZRANGEBYSCORE', nodes, '-inf', string.format('%.0f', now), 'LIMIT', 0, 100)
    for n = 1, #gone do
        redis.pcall('HDEL', about, gone[n])
        for slot = 0, tonumber(ARGV[8]) - 1 do
            redis.pcall('HDEL', about, gone[n] .. ' ' .. slot)
        end
        redis.pcall('ZREM', nodes, gone[n])
    end
end
if age == 0 then
    return
end

-- When which number was the newest one.
local newest = redis.call('ZRANGE', clock, -1, -1, 'WITHSCORES')
if newest[2] then
    -- A clock that is set back does not bring the log out of order.
    now = math.max(now, tonumber(newest[2]))
end
if newest[1] ~= log[2] and (not newest[2] or now - tonumber(newest[2]) >= every) then
    -- There may be no memory: what is evicted below makes some.
    redis.pcall('ZADD', clock, 'NX', string.format('%.0f', now), log[2])
end
local old = tonumber(log[3]) or 0
local past = redis.call('ZRANGEBYSCORE', clock, '-inf', string.format('%.0f', now - age))
if #past > 0 then
    for n = 1, #past do
        old = math.max(old, tonumber(past[n]))
    end
    redis.pcall('HSET', about, 'old', string.format('%.0f', old))
    redis.pcall('ZREM', clock, unpack(past, 1, math.min(#past, 1000)))
end

-- Topics of which everything is too old.
local swept = tonumber(log[4]) or 0
if swept < old then
    local due = redis.call('ZRANGEBYSCORE', topics, '(' .. string.format('%.0f', swept), string.format('%.0f', old),
        'WITHSCORES', 'LIMIT', 0, 500)
    for n = 1, #due, 2 do
        redis.pcall('UNLINK', due[n])
    end
    redis.pcall('HSET', about, 'swept', #due < 1000 and string.format('%.0f', old) or due[1000])
end
