-- Reads a part of a topic's records.
--
-- KEYS  about, topics, stream
-- ARGV  above which number, up to which number, most records, most bytes
-- =>    0 if one of them may be gone, then up to which number that is so; else 1, then the entries
local about, topics, stream = KEYS[1], KEYS[2], KEYS[3]
local after, most, bytes = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])

local log = redis.call('HMGET', about, 'format', 'lost', 'forgotten')
if not log[1] then
    return redis.error_reply('SSEGONE the log has begun anew')
end
if after < tonumber(log[2]) then
    return { 0, tonumber(log[2]) }
end
local last = redis.call('ZSCORE', topics, stream)
if not last and redis.call('EXISTS', stream) == 1 then
    -- The server has thrown away a part of the log.
    return { 0, 2 ^ 53 }
elseif not last then
    return after < tonumber(log[3]) and { 0, tonumber(log[3]) } or { 1 }
end
if tonumber(last) <= after then
    return { 1 }
end
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local gone = first and tonumber(first[2][1]) or tonumber(last)
if after < gone then
    return { 0, gone }
end
local found, from = { 1 }, '(' .. ARGV[1]
repeat
    local part = redis.call('XRANGE', stream, from, ARGV[2], 'COUNT', 32)
    for n = 1, #part do
        found[#found + 1] = part[n]
        bytes, most = bytes - #part[n][2][2], most - 1
        from = '(' .. part[n][1]
        if bytes <= 0 or most == 0 then
            return found
        end
    end
until #part < 32
return found
