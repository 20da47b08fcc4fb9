-- Appends a group of records, and publishes them: each gets the next number of the log.
--
-- KEYS  about, topics, then the streams of the topics, then the keys of what is to be there once
-- ARGV  generation, group, the group before it, the node's field and that of the answer, most events of a topic, most
--       topics, how long a dedupe key is known (ms), how many streams; then for each record: which stream, which of those
--       keys (or 0), record
-- =>    the numbers; 0 for a record whose stream is something else
local about, topics = KEYS[1], KEYS[2]
local group, node, kept = ARGV[2], ARGV[4], ARGV[5]
local call, pcall, format, floor = redis.call, redis.pcall, string.format, math.floor
local streams = tonumber(ARGV[9])
-- Texts of more than that are put together in several steps, each of which goes through all of it.
local MESSAGE = 7900

-- Not as a float, which takes several times as long; and an integer may have 32 bits.
local function text(number)
    if number < 1e9 then
        return format('%d', number)
    end
    local high = floor(number / 1e9)
    return format('%d%09d', high, number - high * 1e9)
end

-- Nothing is written before all has been read: an error up to there leaves everything as it was.
local log = call('HMGET', about, 'generation', 'top', 'next', 'old', node)
if log[1] ~= ARGV[1] then
    return redis.error_reply('SSEGONE the log has begun anew')
end
local last = tonumber(log[5] or nil)
if last and tonumber(group) <= last then
    -- It comes again, after a connection was lost.
    local of, said = string.match(call('HGET', about, kept) or '', '^(%d+):(.*)$')
    if of ~= group then
        return redis.error_reply('SSEOLD the answer is not known any more')
    end
    local numbers = {}
    local from, to = string.match(said, '^(%d+)%-(%d+)$')
    if from then
        for number = tonumber(from), tonumber(to) do
            numbers[#numbers + 1] = number
        end
    else
        for number in string.gmatch(said, '%d+') do
            numbers[#numbers + 1] = tonumber(number)
        end
    end
    return numbers
end
if last and last < tonumber(ARGV[3]) then
    return redis.error_reply('SSEWAIT the group before it is missing')
end
-- Where it matters little, whole nodes of the stream are evicted, which takes no time.
local most = ARGV[6]
local trim = tonumber(most) < 1000 and '=' or '~'
local start, old = math.max(tonumber(log[2]), tonumber(log[3])), tonumber(log[4]) or 0

-- Whether the topic of this record is looked through for what is too old: at one in 16, since it is seldom that something has
-- become that. In steps that are no fraction, so that of topics that take turns none is left out, however many they are.
local function is_to_be_looked_through(number)
    return old > 0 and number * 0.6180339887498949 % 16 < 1
end

-- If there are too many topics: those that have been silent for the longest time.
local function forget_some()
    local excess = call('ZCARD', topics) - tonumber(ARGV[7])
    if excess > 0 then
        local let_go = call('ZPOPMIN', topics, math.min(excess, 500))
        for n = 1, #let_go, 2 do
            call('UNLINK', let_go[n])
        end
        call('HSET', about, 'forgotten', let_go[#let_go])
    end
end

-- One record without a dedupe key, which is what comes where little is published: the same as below, in fewer steps.
if #ARGV == 12 and ARGV[11] == '0' then
    local stream, id, value = KEYS[3], text(start + 1), ARGV[12]
    local since = call('ZSCORE', topics, stream)
    call('HSET', about, 'top', id, node, group, kept, group .. ':' .. id .. '-' .. id)
    local added = pcall('XADD', stream, 'MAXLEN', trim, most, id .. '-0', since or '0', value)
    if type(added) == 'table' then
        call('HSET', about, kept, group .. ':0')
        return { 0 }
    end
    call('PUBLISH', stream, #value .. ' ' .. id .. ' ' .. (since or '0') .. ' ' .. value)
    if is_to_be_looked_through(start + 1) then
        call('XTRIM', stream, 'MINID', text(old + 1))
    end
    call('ZADD', topics, id, stream)
    if not since then
        forget_some()
    end
    return { start + 1 }
end

local previous = call('ZMSCORE', topics, unpack(KEYS, 3, 2 + streams))
local top, numbers, new, once, ends, unknown = start, {}, {}, {}, {}, false
local record = 0
for at = 10, #ARGV, 3 do
    record = record + 1
    local known
    if ARGV[at + 1] ~= '0' then
        local key = KEYS[2 + streams + tonumber(ARGV[at + 1])]
        known = once[key] or tonumber(call('GET', key) or nil)
        once[key] = known or top + 1
    end
    if not known then
        top = top + 1
        known, new[record] = top, true
        -- The last record of each stream.
        ends[ARGV[at]] = record
    end
    numbers[record] = known
end

-- What the node is told if it asks again.
local function answer(plain)
    if plain then
        return group .. ':' .. text(start + 1) .. '-' .. text(top)
    end
    local texts = {}
    for n = 1, #numbers do
        texts[n] = text(numbers[n])
    end
    return group .. ':' .. table.concat(texts, ' ')
end

-- The first that is written is refused if there is no memory.
call('HSET', about, 'top', top > start and text(top) or log[2], node, group, kept, answer(top - start == record))
local scores, foreign = {}, false
-- What comes in a row of one stream is one message: most of what a message costs is not its bytes.
local channel, row, parts, bytes = nil, {}, 0, 0
local function publish()
    if parts == 2 then
        call('PUBLISH', channel, row[1] .. row[2])
    elseif parts > 2 then
        call('PUBLISH', channel, table.concat(row, '', 1, parts))
    end
    parts, bytes = 0, 0
end
for at = 10, #ARGV, 3 do
    record = (at - 7) / 3
    if new[record] then
        local stream, id, value = tonumber(ARGV[at]), text(numbers[record]), ARGV[at + 2]
        local key, since = KEYS[2 + stream], previous[stream]
        unknown = unknown or not since
        since = since or '0'
        local added
        if ends[ARGV[at]] == record then
            added = pcall('XADD', key, 'MAXLEN', trim, most, id .. '-0', since, value)
        else
            added = pcall('XADD', key, id .. '-0', since, value)
        end
        if type(added) == 'table' then
            -- With all that have its dedupe key.
            local failed = numbers[record]
            for n = record, #numbers do
                numbers[n] = numbers[n] == failed and 0 or numbers[n]
            end
            foreign = true
        else
            if channel ~= key or bytes + #value > MESSAGE then
                publish()
                channel = key
            end
            local head = #value .. ' ' .. id .. ' ' .. since .. ' '
            row[parts + 1], row[parts + 2] = head, value
            parts, bytes = parts + 2, bytes + #head + #value
            previous[stream], scores[stream] = id, id
            if ARGV[at + 1] ~= '0' then
                call('SET', KEYS[2 + streams + tonumber(ARGV[at + 1])], id, 'PX', ARGV[8])
            end
        end
    end
end
publish()
if foreign then
    call('HSET', about, kept, answer(false))
end
local changed = {}
for stream, id in pairs(scores) do
    changed[#changed + 1] = id
    changed[#changed + 1] = KEYS[2 + stream]
    if is_to_be_looked_through(tonumber(id)) then
        call('XTRIM', KEYS[2 + stream], 'MINID', text(old + 1))
    end
end
if #changed > 0 then
    call('ZADD', topics, unpack(changed))
    if unknown then
        forget_some()
    end
end
return numbers
