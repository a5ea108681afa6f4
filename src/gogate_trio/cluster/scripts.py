"""What Redis does in one step about nodes, users and rates. Times are Redis's own, in ms.

Keys, all behind the gateway's prefix: ``nodes`` has until when each node is vouched for;
``owing`` the same of those that have not said goodbye, until somebody has told of their loss;
``node:ID:card`` what it says of itself; ``node:ID:users`` its users, each with the number of
connections and since when the oldest is there, and under ``#`` the number of the last report;
``node:ID:errands`` whom it has to hang up on; ``left`` who left a node lately, and when;
``moves`` a short log of who came or left; ``rate:…`` the buckets.
"""

from __future__ import annotations

from typing import Final

from gogate_trio.cluster.link import Script

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

BEAT: Final = Script(
    _NOW
    + """
local nodes, card, users, errands, left, moves, owing = unpack(KEYS)
local me, lease, grace, text, cursor, slack = unpack(ARGV)
for key, kind in pairs({[nodes] = 'zset', [left] = 'zset', [owing] = 'zset', [users] = 'hash',
                        [errands] = 'list', [moves] = 'stream'}) do
  local found = redis.call('TYPE', key).ok
  -- What a stranger has put there cannot be lived with; all of it is said again.
  if found ~= 'none' and found ~= kind then redis.call('DEL', key) end
end
local before = redis.call('ZSCORE', owing, me)
local ago = before and now + lease - tonumber(before) or -1
-- Where the clock was set back, as by a change of masters, nobody waits for it to catch up.
for key, latest in pairs({[nodes] = now + lease, [owing] = now + lease, [left] = now}) do
  local ahead = redis.call('ZRANGEBYSCORE', key, '(' .. latest, '+inf', 'LIMIT', 0, 1000)
  for _, member in ipairs(ahead) do redis.call('ZADD', key, latest, member) end
end
redis.call('ZADD', nodes, now + lease, me)
redis.call('ZADD', owing, now + lease, me)
redis.call('ZREMRANGEBYSCORE', nodes, '-inf', now - grace)
redis.call('ZREMRANGEBYSCORE', left, '-inf', now - grace)
redis.call('SET', card, text, 'PX', lease)
redis.call('PEXPIRE', users, lease + grace)
local errand = redis.call('LRANGE', errands, 0, -1)
redis.call('DEL', errands)
local found = {}
if cursor == '' then
  local last = redis.call('XREVRANGE', moves, '+', '-', 'COUNT', 1)
  cursor = last[1] and last[1][1] or '0-0'
elseif cursor ~= '-' then
  for _, entry in ipairs(redis.call('XRANGE', moves, '(' .. cursor, '+', 'COUNT', 500)) do
    cursor = entry[1]
    found[#found + 1] = entry[2][2]
  end
end
local number = tonumber(redis.call('HGET', users, '#') or 0)
local live = redis.call('ZCOUNT', nodes, '(' .. now, '+inf')
local missing = redis.call('ZCOUNT', owing, '-inf', now - slack)
return {number, live, errand, cursor, found, ago, missing}
"""
)
"""Vouch for a node; return the number of its last report, how many nodes there are, its errands,
and who has moved since the cursor; how long ago it was vouched for last (-1: not at all), and how
many nodes are gone without a goodbye. A cursor of ``-`` asks for no moves."""

REPORT: Final = Script(
    _NOW
    + """
local nodes, mine, errands, left, moves = unpack(KEYS)
local home, me, keep, number, whole, tells, policy = unpack(ARGV)
if tonumber(number) <= tonumber(redis.call('HGET', mine, '#') or 0) then return 0 end
local errand, keeps = redis.call('LRANGE', errands, 0, -1), {}
redis.call('DEL', errands)
for _, text in ipairs(errand) do
  local user, most = text:match('^(%d+):(%d+)$')
  keeps[user] = math.min(tonumber(most), keeps[user] or tonumber(most))
end
local known = {}
if whole == '1' then
  for _, user in ipairs(redis.call('HKEYS', mine)) do known[user] = true end
  redis.call('DEL', mine)
end
redis.call('HSET', mine, '#', number)
redis.call('PEXPIRE', mine, keep)
local live = redis.call('ZRANGEBYSCORE', nodes, '(' .. now, '+inf')
local verdicts, moved = {}, {}
for i = 8, #ARGV, 4 do
  local user, count, since = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local limit, verdict = tonumber(ARGV[i + 3]), -2
  if keeps[user] then
    local comes = limit > 0 and 1 or 0
    count = math.min(count, keeps[user] + comes)
  end
  if limit > 0 then
    local total, places = count, {}
    for _, node in ipairs(live) do
      local there = node ~= me and redis.call('HGET', home .. node .. ':users', user)
      if there then
        local many, from = there:match('^(%d+):(%d+)$')
        total = total + many
        places[#places + 1] = {node, tonumber(many), tonumber(from), 0}
      end
    end
    if total > limit and policy == 'oldest' then
      verdict, count = -1, count - 1
    elseif total > limit then
      places[#places + 1] = {me, count - 1, tonumber(since), 0}
      for _ = 1, total - limit do
        local oldest = nil
        for _, place in ipairs(places) do
          if place[2] > 0 and (not oldest or place[3] < oldest[3]) then oldest = place end
        end
        if not oldest then break end
        oldest[2], oldest[4] = oldest[2] - 1, oldest[4] + 1
      end
      for _, place in ipairs(places) do
        local node, many, from, over = unpack(place)
        if node == me then
          count = many + 1
          verdict = count
        elseif over > 0 then
          local there, list = home .. node .. ':users', home .. node .. ':errands'
          if many > 0 then
            redis.call('HSET', there, user, string.format('%d:%.0f', many, from))
          else
            redis.call('HDEL', there, user)
          end
          redis.call('RPUSH', list, user .. ':' .. many)
          redis.call('LTRIM', list, -1000, -1)
          redis.call('PEXPIRE', list, keep)
        end
      end
    end
  end
  local was = known[user] or redis.call('HEXISTS', mine, user) == 1
  known[user] = nil
  if count > 0 then
    redis.call('HSET', mine, user, count .. ':' .. since)
  else
    redis.call('HDEL', mine, user)
    if was and tells == '1' then redis.call('ZADD', left, now, user) end
  end
  if was ~= (count > 0) then moved[#moved + 1] = user end
  verdicts[#verdicts + 1] = verdict
end
if tells == '1' and #moved > 0 then
  redis.call('XADD', moves, 'MAXLEN', '~', 10000, '*', 'u', table.concat(moved, ','))
end
return {verdicts, errand}
"""
)
"""Take down how many connections users have on a node; for each that comes, whether it may.

Who comes is counted, but none of those that still wait for a verdict. A verdict of -1: it may
not; -2: it may; else it may, and so many of the user's may stay on the node, it among them, the
newest first. Elsewhere the oldest go by an errand, which says how many may stay there. The node's
own errands come with the answer and are taken for done. A report whose number is not above the
last one's is late: it changes nothing, and the answer is 0."""

STANDINGS: Final = Script(
    _NOW
    + """
local nodes, left = unpack(KEYS)
local home, me, grace = unpack(ARGV)
local users, answers = {}, {}
for i = 4, #ARGV do users[#users + 1] = ARGV[i] end
for i, score in ipairs(redis.call('ZMSCORE', left, unpack(users))) do
  answers[i] = score and math.max(0, now - tonumber(score)) or -2
end
local places = redis.call('ZRANGEBYSCORE', nodes, now - grace, '+inf', 'WITHSCORES')
for p = 1, #places, 2 do
  if places[p] ~= me then
    local ago = math.max(0, now - tonumber(places[p + 1]))
    local alive = tonumber(places[p + 1]) > now
    for i, there in ipairs(redis.call('HMGET', home .. places[p] .. ':users', unpack(users))) do
      if there and alive then
        answers[i] = -1
      elseif there and answers[i] ~= -1 and (answers[i] == -2 or ago < answers[i]) then
        answers[i] = ago
      end
    end
  end
end
return answers
"""
)
"""Say for each user how long ago they left all other nodes; -1: they have not, -2: no trace."""

NODES: Final = Script(
    _NOW
    + """
local cards = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, 1000)) do
  cards[#cards + 1] = redis.call('GET', ARGV[1] .. node .. ':card') or ''
end
return cards
"""
)
"""Return the card of each node that is vouched for."""

HOLDERS: Final = Script(
    _NOW
    + """
local found = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, 1000)) do
  local there = redis.pcall('HGET', ARGV[1] .. node .. ':users', ARGV[2])
  if type(there) == 'string' then
    found[#found + 1] = redis.call('GET', ARGV[1] .. node .. ':card') or ''
    found[#found + 1] = tonumber(there:match('^(%d+):%d+$')) or 0
  end
end
return found
"""
)
"""Return, of each node that is vouched for and has connections of a user, its card and how many."""

GOODBYE: Final = Script(
    _NOW
    + """
redis.call('ZADD', KEYS[1], 'XX', now, ARGV[1])
redis.call('DEL', KEYS[2])
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[3], 'XX', now, ARGV[1])
else
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return 0
"""
)
"""Vouch for a node no longer; who is still on it has left now. ``1``: it owes the others what
it could not tell them, and is to be missed."""

RATES: Final = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local waits = {}
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local kept = redis.pcall('GET', key)
  kept = type(kept) == 'string' and tonumber(kept) or 0
  local empty = now + burst * interval
  if kept > empty then
    -- The clock was set back, as by a change of masters; nobody waits for it to catch up.
    kept = empty
    redis.call('SET', key, string.format('%.3f', kept), 'PX', math.ceil(burst * interval / 1000))
  end
  local arrival = math.max(now, kept) + interval
  local wait = arrival - now - burst * interval
  if wait > interval * 0.001 then
    waits[i] = math.ceil(wait)
  else
    waits[i] = 0
    local until_full = math.ceil((arrival - now) / 1000)
    redis.call('SET', key, string.format('%.3f', arrival), 'PX', math.max(1, until_full))
  end
end
return waits
"""
)
"""Take one from each bucket, as ``state.ratelimit`` does: the microseconds to wait, or 0."""
