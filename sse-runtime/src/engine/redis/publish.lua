-- Appends a group of records, and publishes them: each gets the next number of the log.
--
-- KEYS  about, topics, node, then the streams of the topics, then the keys of what is to be there once
-- ARGV  generation, group, the group before it, how many groups' answers are kept, for how long (ms), most events of a
--       topic, most topics, how long a dedupe key is known (ms), how many streams; then for each record: which stream,
--       which of those keys (or 0), record
-- =>    the numbers; 0 for a record whose stream is something else
local about, topics, node = KEYS[1], KEYS[2], KEYS[3]
local group, before, slots = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most_topics, window, streams = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])

local function text(number)
    return string.format('%.0f', number)
end

-- Nothing is written before all has been read: an error up to there leaves everything as it was.
local log = redis.call('HMGET', about, 'generation', 'top', 'next', 'old')
if log[1] ~= ARGV[1] then
    return redis.error_reply('SSEGONE the log has begun anew')
end
local slot = text(group % slots)
local answered = redis.call('HMGET', node, 'last', slot)
if answered[1] then
    local last = tonumber(answered[1])
    if group <= last then
        -- It comes again, after a connection was lost.
        local numbers = {}
        for number in string.gmatch(answered[2] or '', '%d+') do
            numbers[#numbers + 1] = tonumber(number)
        end
        if table.remove(numbers, 1) ~= group then
            return redis.error_reply('SSEOLD the answer is not known any more')
        end
        return numbers
    end
    if last < before then
        return redis.error_reply('SSEWAIT the group before it is missing')
    end
end
local previous = redis.call('ZMSCORE', topics, unpack(KEYS, 4, 3 + streams))
local start = math.max(tonumber(log[2]), tonumber(log[3]))
local top, numbers, new, mine = start, {}, {}, {}
for at = 10, #ARGV, 3 do
    local record, key, known = #numbers + 1, nil, nil
    if ARGV[at + 1] ~= '0' then
        key = KEYS[3 + streams + tonumber(ARGV[at + 1])]
        known = mine[key] or tonumber(redis.call('GET', key) or nil)
    end
    if not known then
        top = top + 1
        known, new[record] = top, true
        if key then
            mine[key] = top
        end
    end
    numbers[record] = known
end

-- The first that is written is refused if there is no memory.
redis.call('HSET', about, 'top', text(top > start and top or tonumber(log[2])))
local scores, old = {}, tonumber(log[4]) or 0
local answer = { text(group) }
-- Where it matters little, whole nodes of the stream are evicted, which takes no time.
local trim = tonumber(ARGV[6]) < 1000 and '=' or '~'
for record = 1, #numbers do
    local number = numbers[record]
    if new[record] then
        local at = 7 + 3 * record
        local stream, value, id = tonumber(ARGV[at]), ARGV[at + 2], text(number)
        local key, since = KEYS[3 + stream], previous[stream] or '0'
        local added = redis.pcall('XADD', key, 'MAXLEN', ARGV[6], id .. '-0', 'p', since, 'r', value)
        if type(added) == 'table' and added.err then
            numbers[record] = 0
        else
            redis.call('PUBLISH', key, id .. ' ' .. since .. ' ' .. value)
            previous[stream], scores[stream] = id, id
            if ARGV[at + 1] ~= '0' then
                redis.call('SET', KEYS[3 + streams + tonumber(ARGV[at + 1])], id, 'PX', window)
            end
        end
    end
    answer[record + 1] = text(numbers[record])
end
local changed = {}
for stream, id in pairs(scores) do
    changed[#changed + 1] = id
    changed[#changed + 1] = KEYS[3 + stream]
    if old > 0 then
        redis.call('XTRIM', KEYS[3 + stream], 'MINID', text(old + 1))
    end
end
if #changed > 0 then
    redis.call('ZADD', topics, unpack(changed))
    local excess = redis.call('ZCARD', topics) - most_topics
    if excess > 0 then
        -- Those that have been silent for the longest time.
        local let_go = redis.call('ZPOPMIN', topics, math.min(excess, 200))
        for n = 1, #let_go, 2 do
            redis.call('UNLINK', let_go[n])
        end
        redis.call('HSET', about, 'forgotten', let_go[#let_go])
    end
end
redis.call('HSET', node, 'last', text(group), slot, table.concat(answer, ' '))
redis.call('PEXPIRE', node, ARGV[5])
return numbers
