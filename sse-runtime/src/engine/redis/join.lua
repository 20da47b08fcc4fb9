-- A node takes part in the log: begins it, if it is not there, and says what the node has to know.
--
-- KEYS  about, topics
-- ARGV  epoch, number up to which the node knows of records (or "" if it starts), run of the server, generation to
--       use if there is none yet or a new one is needed, numbers to leave out, format
-- =>    epoch, top, generation, whether records were lost that the node knows of (1) or not (0)
local about, topics = KEYS[1], KEYS[2]
local epoch, known, run, fresh = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local jump, format = tonumber(ARGV[5]), ARGV[6]

local function text(number)
    return string.format('%.0f', number)
end

local log = redis.call('HMGET', about, 'format', 'epoch', 'top', 'next', 'run', 'generation', 'lost', 'holes')
-- An error, if it is not what it should be.
redis.call('ZCARD', topics)
if not log[1] then
    if redis.call('EXISTS', about, topics) > 0 then
        return redis.error_reply('SSEFOREIGN not a log')
    end
    -- It begins; or, for a node that has run, all of it is lost.
    local top, holes = 0, ''
    if known then
        top = known + jump
        holes = '0 ' .. text(top)
    end
    redis.call('HSET', about, 'format', format, 'epoch', epoch, 'top', text(top), 'next', text(top), 'run', run,
        'generation', fresh, 'lost', text(top), 'forgotten', text(top), 'holes', holes)
    return { epoch, text(top), fresh, known and 1 or 0 }
end
if log[1] ~= format then
    return redis.error_reply('SSEFORMAT ' .. log[1])
end

local top, following, lost, holes = tonumber(log[3]), tonumber(log[4]), tonumber(log[7]), log[8]
local generation, changed, gone = log[6], false, false

-- The numbers from here up to there mean nothing, whoever may have seen them.
local function leave_out(from, to)
    holes = holes .. ' ' .. text(from) .. ' ' .. text(to)
    -- Of the last 32 such ranges.
    local count = select(2, string.gsub(holes, '%d+', ''))
    if count > 64 then
        holes = string.gsub(holes, '^%s*%d+ %d+', '', 1)
    end
    following, changed = to, true
end

if log[5] ~= run then
    -- Another process, of which nobody knows what it has forgotten: numbers that were given out must not be given again.
    generation, changed = fresh, true
    if following <= top then
        leave_out(top, top + jump)
    end
end
if known and log[2] ~= epoch then
    -- The log that this node knew is gone, and somebody else was faster to begin another.
    local to = math.max(following, top, known) + jump
    leave_out(0, to)
    top, lost, generation, gone = to, to, fresh, true
    redis.call('HSET', about, 'forgotten', text(to))
elseif known then
    if known > math.max(top, following) then
        leave_out(top, known + jump)
    elseif known > top and following <= top then
        leave_out(top, top + jump)
    end
    local bounds = {}
    for bound in string.gmatch(holes, '%d+') do
        bounds[#bounds + 1] = tonumber(bound)
    end
    for n = 1, #bounds, 2 do
        if bounds[n] < known and known < bounds[n + 1] then
            gone = true
        end
    end
    if gone then
        lost, changed = math.max(lost, known), true
        -- Above all that the node has seen.
        top = math.max(top, following)
    end
end
if changed then
    redis.call('HSET', about, 'top', text(top), 'next', text(following), 'run', run, 'generation', generation, 'lost',
        text(lost), 'holes', holes)
end
return { log[2], text(top), generation, gone and 1 or 0 }
