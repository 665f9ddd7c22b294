"""The scripts that change what Redis holds of the answer cache, each in one step.

`KEYS[1]` is the prefix of every name, the other keys are entries'. `ARGV[1..3]` are what a hit is worth, what a pinned entry is
worth, and how many removals are remembered. For an entry there are `entry:` (its bytes, with a time to live), `facts:` (a hash),
and its places in the sorted sets `worth`, `expiry` and `changed` (by sequence); `removed` remembers what is gone, likewise, and
the hash `store` holds what concerns all.
"""

from typing import Final

_COMMON: Final = """
local prefix, hit_worth, pinned_worth = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local store, worth_set, changed, removed = prefix .. 'store', prefix .. 'worth', prefix .. 'changed', prefix .. 'removed'

local function number(name)
  return tonumber(redis.call('HGET', store, name) or '0')
end

local function weigh(key)
  local facts = redis.call('HMGET', prefix .. 'facts:' .. key, 'pinned', 'cost', 'saved', 'hits', 'bytes')
  local worth
  if facts[1] == '0' then
    worth = number('clock') + (facts[2] + facts[3] + hit_worth * (facts[4] + 1)) / facts[5]
  else
    worth = pinned_worth / facts[1]
  end
  redis.call('ZADD', worth_set, string.format('%.17g', worth), key)
end

local function forget(key)
  redis.call('DEL', prefix .. 'entry:' .. key)
  local bytes = redis.call('HGET', prefix .. 'facts:' .. key, 'bytes')
  if not bytes then
    return 0
  end
  redis.call('HINCRBY', store, 'bytes', -tonumber(bytes))
  redis.call('DEL', prefix .. 'facts:' .. key)
  redis.call('ZREM', worth_set, key)
  redis.call('ZREM', prefix .. 'expiry', key)
  redis.call('ZREM', changed, key)
  redis.call('ZADD', removed, redis.call('HINCRBY', store, 'sequence', 1), key)
  return 1
end

local function trim_removals()
  local old = number('sequence') - tonumber(ARGV[3])
  local gone = redis.call('ZREVRANGEBYSCORE', removed, old, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if gone[2] then
    redis.call('ZREMRANGEBYSCORE', removed, '-inf', old)
    redis.call('HSET', store, 'told_from', gone[2])
  end
end
"""

PUT: Final = (
    _COMMON
    + """
local key, value, ttl_ms, expires_at, now = KEYS[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local pinned, cost, bytes, max_bytes, identity = ARGV[8], ARGV[9], ARGV[10], tonumber(ARGV[11]), ARGV[12]
local facts = prefix .. 'facts:' .. key
redis.call('HSETNX', store, 'identity', identity)
redis.call('HINCRBY', store, 'bytes', bytes - (redis.call('HGET', facts, 'bytes') or 0))
redis.call('SET', prefix .. 'entry:' .. key, value, 'PX', ttl_ms)
redis.call('HSET', facts, 'pinned', pinned, 'cost', cost, 'bytes', bytes)
redis.call('HSETNX', facts, 'hits', 0)
redis.call('HSETNX', facts, 'saved', 0)
redis.call('ZADD', prefix .. 'expiry', expires_at, key)
redis.call('ZADD', changed, redis.call('HINCRBY', store, 'sequence', 1), key)
redis.call('ZREM', removed, key)
weigh(key)
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'expiry', '-inf', now, 'LIMIT', 0, 8)) do
  forget(expired)
end
while number('bytes') > max_bytes do
  local least = redis.call('ZRANGE', worth_set, 0, 0, 'WITHSCORES')
  if not least[1] then
    break
  end
  forget(least[1])
  redis.call('HINCRBY', store, 'evicted', 1)
  if tonumber(least[2]) < pinned_worth / 2 and tonumber(least[2]) > number('clock') then
    redis.call('HSET', store, 'clock', least[2])
  end
end
trim_removals()
return 1
"""
)

ADD_HITS: Final = (
    _COMMON
    + """
for at = 2, #KEYS do
  local facts = prefix .. 'facts:' .. KEYS[at]
  if redis.call('EXISTS', facts) == 1 then
    redis.call('HINCRBY', facts, 'hits', ARGV[2 * at])
    redis.call('HINCRBY', facts, 'saved', ARGV[2 * at + 1])
    weigh(KEYS[at])
  end
end
return 1
"""
)

REMOVE: Final = (
    _COMMON
    + """
local count = 0
for at = 2, #KEYS do
  count = count + forget(KEYS[at])
end
trim_removals()
return count
"""
)

RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
