-- Appends a group of records, and publishes them: each gets the next number of the log.
--
-- KEYS  about, topics, node, then the streams of the topics, then the keys of what is to be there once
-- ARGV  generation, group, the group before it, how many groups' answers are kept, for how long (ms), most events of a
--       topic, most topics, how long a dedupe key is known (ms), how many streams; then for each record: which stream,
--       which of those keys (or 0), record
-- =>    the numbers; 0 for a record whose stream is something else
local about, topics, node = KEYS[1], KEYS[2], KEYS[3]
local group, before = tonumber(ARGV[2]), tonumber(ARGV[3])
local call, pcall, format = redis.call, redis.pcall, string.format
local streams = tonumber(ARGV[9])

-- Nothing is written before all has been read: an error up to there leaves everything as it was.
local log = call('HMGET', about, 'generation', 'top', 'next', 'old')
if log[1] ~= ARGV[1] then
    return redis.error_reply('SSEGONE the log has begun anew')
end
-- The last groups of this node, the newest first, a line each: its number, and the numbers that it was answered.
local answered = call('GET', node) or ''
local last = tonumber(string.match(answered, '^%d+'))
if last and group <= last then
    -- It comes again, after a connection was lost.
    local said = string.match('\n' .. answered, '\n' .. ARGV[2] .. ':([^\n]*)')
    if not said then
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
if last and last < before then
    return redis.error_reply('SSEWAIT the group before it is missing')
end
local previous = call('ZMSCORE', topics, unpack(KEYS, 4, 3 + streams))
local start = math.max(tonumber(log[2]), tonumber(log[3]))
local top, numbers, new, once, ends, unknown = start, {}, {}, {}, {}, false
local record = 0
for at = 10, #ARGV, 3 do
    record = record + 1
    local known
    if ARGV[at + 1] ~= '0' then
        local key = KEYS[3 + streams + tonumber(ARGV[at + 1])]
        known = once[key] or tonumber(call('GET', key) or nil)
        once[key] = known or top + 1
    end
    if not known then
        top = top + 1
        known, new[record] = top, true
        -- The last record of each stream.
        ends[tonumber(ARGV[at])] = record
    end
    numbers[record] = known
end

-- The first that is written is refused if there is no memory.
call('HSET', about, 'top', format('%.0f', top > start and top or tonumber(log[2])))
-- Where it matters little, whole nodes of the stream are evicted, which takes no time.
local most = ARGV[6]
local trim = tonumber(most) < 1000 and '=' or '~'
local scores, old, plain = {}, tonumber(log[4]) or 0, true
-- What comes in a row of one stream is one message: most of what a message costs is not its bytes.
local row, channel = {}, nil
local function publish()
    if channel then
        call('PUBLISH', channel, table.concat(row))
        row, channel = {}, nil
    end
end
for at = 10, #ARGV, 3 do
    record = (at - 7) / 3
    local number = numbers[record]
    if new[record] then
        local stream, id = tonumber(ARGV[at]), format('%.0f', number)
        local key, since = KEYS[3 + stream], previous[stream]
        unknown = unknown or not since
        local entry = id .. ' ' .. (since or '0') .. ' ' .. ARGV[at + 2]
        local added
        if ends[stream] == record then
            added = pcall('XADD', key, 'MAXLEN', trim, most, id .. '-0', 'r', entry)
        else
            added = pcall('XADD', key, id .. '-0', 'r', entry)
        end
        if type(added) == 'table' then
            numbers[record], plain = 0, false
        else
            if channel ~= key then
                publish()
                channel = key
            end
            row[#row + 1] = #entry
            row[#row + 1] = ' '
            row[#row + 1] = entry
            previous[stream], scores[stream] = id, id
            if ARGV[at + 1] ~= '0' then
                call('SET', KEYS[3 + streams + tonumber(ARGV[at + 1])], id, 'PX', ARGV[8])
            end
        end
    else
        plain = false
    end
end
publish()
local changed = {}
for stream, id in pairs(scores) do
    changed[#changed + 1] = id
    changed[#changed + 1] = KEYS[3 + stream]
    -- Not each time: it is seldom that something has become too old since.
    if old > 0 and tonumber(id) % 16 == 0 then
        call('XTRIM', KEYS[3 + stream], 'MINID', format('%.0f', old + 1))
    end
end
if #changed > 0 then
    call('ZADD', topics, unpack(changed))
    local excess = unknown and call('ZCARD', topics) - tonumber(ARGV[7]) or 0
    if excess > 0 then
        -- Those that have been silent for the longest time.
        local let_go = call('ZPOPMIN', topics, math.min(excess, 500))
        for n = 1, #let_go, 2 do
            call('UNLINK', let_go[n])
        end
        call('HSET', about, 'forgotten', let_go[#let_go])
    end
end
local answer
if plain then
    answer = format('%.0f-%.0f', numbers[1], numbers[#numbers])
else
    local texts = {}
    for n = 1, #numbers do
        texts[n] = format('%.0f', numbers[n])
    end
    answer = table.concat(texts, ' ')
end
local kept, slots = ARGV[2] .. ':' .. answer, tonumber(ARGV[4])
for line in string.gmatch(answered, '[^\n]+') do
    slots = slots - 1
    if slots <= 0 then
        break
    end
    kept = kept .. '\n' .. line
end
call('SET', node, kept, 'PX', ARGV[5])
return numbers
