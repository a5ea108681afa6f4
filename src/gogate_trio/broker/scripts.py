"""What Redis does in one step. For Redis 6.2 or later and Valkey; no module is needed.

The stream's ids are Redis's own; the offset that counts is in each entry's header. So what a
stranger adds is in nobody's way. ``meta`` holds the epoch, the offset of the newest entry and
the bytes of payload so far; a publication of another epoch changes nothing.
"""

from __future__ import annotations

from typing import Final

from gogate_trio.cluster.link import Script

_COMMON: Final = """
local meta, stream = KEYS[1], KEYS[2]
local function clock()
  local now = redis.call('TIME')
  return now[1] .. string.format('%03d', math.floor(tonumber(now[2]) / 1000))
end
local function find(...)
  local found = redis.pcall('HMGET', meta, ...)
  if not found.err then return found end
  if not found.err:find('WRONGTYPE') then return {err = found.err} end
  return {}
end
local function is_epoch(word) return word and #word <= 32 and word:find('^[0-9a-z]+$') end
local function is_number(word) return word and #word <= 15 and word:find('^[0-9]+$') end
local function is_sound(found) return is_number(found[2]) and is_number(found[3]) end
local function text(number) return string.format('%.0f', number) end
"""

_BEGIN: Final = """
local function begin(found, version, epoch, node)
  local head = text(tonumber(found[2]) + 1)
  redis.call('HSET', meta, 'epoch', epoch, 'head', head)
  local header = table.concat({version, epoch, head, clock(), found[3], node, '0'}, ' ')
  redis.call('XADD', stream, '*', 'h', header, 'p', '')
end
"""

ATTACH: Final = Script(
    _COMMON
    + """
-- ARGV: an epoch to begin where there is none, the id of an entry, anything to see that Redis
-- takes what is written: one that is full, or a replica, answers what is read only.
local found = find('epoch', 'head', 'bytes')
if found.err then return found end
if not is_epoch(found[1]) or not is_sound(found) then
  redis.call('DEL', stream, meta)
  redis.call('HSET', meta, 'epoch', ARGV[1], 'head', 0, 'bytes', 0)
  found = {ARGV[1], '0'}
elseif ARGV[3] ~= '' then
  redis.call('HSET', meta, 'epoch', found[1])
end
local entry = nil
if ARGV[2] ~= '' and redis.call('TYPE', stream).ok == 'stream' then
  entry = redis.call('XRANGE', stream, ARGV[2], ARGV[2])[1]
  entry = entry or redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
end
return {found[1], found[2], clock(), entry and entry[1] or '', entry and entry[2][2] or ''}
"""
)
"""Returns epoch, head, time in milliseconds, and id and header of that entry; where it is not
there, of the oldest there is, if any."""

PUBLISH: Final = Script(
    _COMMON
    + """
-- KEYS[3]: the number of this node's last publication.
-- ARGV: version, epoch, node, most entries, most bytes, prefix of keys, their seconds, another
-- epoch, the newest offset the node knows, and for each publication: its number, its key or
-- nothing, its payload.
local found = find('epoch', 'head', 'bytes')
if found.err then return found end
if found[1] ~= ARGV[2] or not is_sound(found) then return {'epoch'} end
local head, bytes = tonumber(found[2]), tonumber(found[3])
if head < tonumber(ARGV[9]) then return {'epoch'} end
local last = redis.pcall('GET', KEYS[3])
last = is_number(type(last) == 'string' and last) and tonumber(last) or 0
local reply = {'ok', 0, clock()}
local added, done = 0, last
for i = 10, #ARGV, 3 do
  local number, key, payload = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  local mine = ARGV[3] .. ':' .. ARGV[i]
  local outcome = 'added'
  if number <= last then
    if key ~= '' and redis.call('GET', ARGV[6] .. key) ~= mine then outcome = 'known' end
  elseif key ~= '' and not redis.call('SET', ARGV[6] .. key, mine, 'NX', 'EX', ARGV[7]) then
    outcome = 'known'
  else
    local words = {ARGV[1], ARGV[2], text(head + 1), reply[3], text(bytes + #payload)}
    local header = table.concat(words, ' ') .. ' ' .. ARGV[3] .. ' ' .. ARGV[i]
    local entry = redis.pcall('XADD', stream, '*', 'h', header, 'p', payload)
    if type(entry) == 'table' and entry.err then
      if key ~= '' then redis.call('DEL', ARGV[6] .. key) end
      local err = entry.err
      if err:find('WRONGTYPE') or err:find('exhausted') or err:find('smaller') then
        -- What a stranger has done there cannot be lived with.
        redis.call('DEL', stream)
        redis.call('HSET', meta, 'epoch', ARGV[8], 'head', 0, 'bytes', 0)
        return {'epoch'}
      end
      if #reply == 3 then return entry end
      break
    end
    head, bytes, added = head + 1, bytes + #payload, added + 1
  end
  done = math.max(done, number)
  reply[#reply + 1] = outcome
end
redis.call('SET', KEYS[3], text(done), 'EX', 86400)
reply[2] = head
if added == 0 then return reply end
redis.call('HSET', meta, 'head', text(head), 'bytes', text(bytes))
redis.call('XTRIM', stream, 'MAXLEN', '~', ARGV[4])
for _ = 1, 32 do
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  local before = first[2][1] == 'h' and first[2][2]:match('^%S+ %S+ %S+ %S+ (%d+) ')
  if before and bytes - tonumber(before) <= tonumber(ARGV[5]) then break end
  local length = redis.call('XLEN', stream)
  if length == 1 then break end
  redis.call('XTRIM', stream, 'MAXLEN', before and length - math.ceil(length / 32) or length - 1)
end
return reply
"""
)
"""Returns ``ok``, the head, the time and an outcome for each publication that was seen to; or
``epoch``, when nothing was done because the stream is another, or shorter than it was. Doing it
again does nothing."""

DECLARE: Final = Script(
    _COMMON
    + _BEGIN
    + """
-- ARGV: version, epoch, the next epoch, node, and anything to clear the stream.
local found = find('epoch', 'head', 'bytes')
if found.err then return found end
if found[1] ~= ARGV[2] or not is_sound(found) then
  return {'epoch', is_epoch(found[1]) and found[1] or ''}
end
if ARGV[5] ~= '' then redis.call('DEL', stream) end
begin(found, ARGV[1], ARGV[3], ARGV[4])
return {'ok'}
"""
)
"""Begins another epoch, where it still is that one: an entry without a number says so. Returns
``ok``; or ``epoch`` and which it is, or nothing where the next node that attaches begins one."""

MOURN: Final = Script(
    _COMMON
    + _BEGIN
    + """
-- KEYS[3]: until when each node is vouched for that has not said goodbye; KEYS[4]: a pause.
-- ARGV: version, the next epoch, node, the seconds of the pause.
local found = find('epoch', 'head', 'bytes')
if found.err then return found end
local missing = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', clock(), 'LIMIT', 0, 1000)
if #missing == 0 then return {} end
if not redis.call('SET', KEYS[4], ARGV[3], 'NX', 'EX', ARGV[4]) then return {} end
redis.call('ZREM', KEYS[3], unpack(missing))
if found[1] and tonumber(found[2]) and tonumber(found[3]) then
  begin(found, ARGV[1], ARGV[2], ARGV[3])
end
return missing
"""
)
"""Begins another epoch because nodes have gone without a goodbye; returns which. It is said once:
whoever does it first does it for all, and what is not said dies with nobody."""
