//! The keys, and the scripts that change and read them atomically.
//!
//! A hash contains the entries by `id`, so each `id` is unique. A stream contains their order. A reader
//! with a position reads the stream, and new elements wake it. The stream may be trimmed, but the hash
//! is complete.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult};

use crate::info::Info;
use crate::problem::Problem;

/// The hash: `id` to JSON. The field with the empty name contains the random name of this hash. The
/// braces put both keys into the same cluster slot.
pub(crate) const ENTRIES: &str = "{portcullis:revocations}:entries";

/// The stream of `id`s.
pub(crate) const LOG: &str = "{portcullis:revocations}:log";

/// Returns 1 if the entry is new. A known entry is written again, so that WAITAOF also waits for it:
/// the first writer may have ended before its WAITAOF.
const APPEND: &str = "
redis.call('HSETNX', KEYS[1], '', ARGV[3])
local known = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], known or ARGV[2])
if known then return 0 end
redis.call('XADD', KEYS[2], '*', 'id', ARGV[1])
return 1";

/// The state of both keys, at the start of the scripts that read.
const STATE: &str = "
local state = {redis.call('HGET', KEYS[1], '') or '', '0-0', '0'}
local stream = redis.pcall('XINFO', 'STREAM', KEYS[2])
if not stream.err then
    state[3] = ''
    for i = 1, #stream, 2 do
        if stream[i] == 'last-generated-id' then state[2] = stream[i + 1] end
        if stream[i] == 'entries-added' then state[3] = tostring(stream[i + 1]) end
    end
end
";

/// Returns the state, the `id` of the last element of the stream, the number of elements, and the
/// entries after `ARGV[1]`. Entries that have been pruned are omitted.
const AFTER: &str = "
local found, last, count = {}, ARGV[1], 0
for _, element in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
    last, count = element[1], count + 1
    local entry = redis.call('HGET', KEYS[1], element[2][2])
    if entry then found[#found + 1] = entry end
end
return {state[1], state[2], state[3], last, count, found}";

/// Returns the state, the next cursor of the scan, the number 0, and some entries of the hash.
const SCAN: &str = "
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local found = {}
for i = 1, #page[2], 2 do
    if page[2][i] ~= '' then found[#found + 1] = page[2][i + 1] end
end
return {state[1], state[2], state[3], page[1], 0, found}";

/// Scans a part of the hash, and deletes those of its entries that end before `ARGV[3]`. Returns the next
/// cursor.
const PRUNE: &str = "
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
for i = 1, #page[2], 2 do
    if page[2][i] ~= '' and cjson.decode(page[2][i + 1])['until'] < tonumber(ARGV[3]) then
        redis.call('HDEL', KEYS[1], page[2][i])
    end
end
return page[1]";

/// The number of fields that each step of a scan visits.
const SCANNED: usize = 1000;

/// How long an element stays in the stream, in milliseconds. A reader that is further behind reads the
/// hash.
const LOG_KEPT: u128 = 3_600_000;

/// The result of [`after`] and [`scan`].
pub(crate) struct Found {
    /// The random name of the hash; empty if there is none.
    pub(crate) name: String,
    /// The last `id` of the stream.
    pub(crate) last: String,
    /// The number of elements that were ever added to the stream.
    pub(crate) added: u64,
    /// The position at which the response ends.
    pub(crate) end: String,
    /// The number of elements of the stream in the response.
    pub(crate) count: u64,
    /// The entries, in JSON.
    pub(crate) entries: Vec<String>,
}

fn eval(script: &str) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(2).arg(ENTRIES).arg(LOG);
    command
}

fn info() -> Pipeline {
    let mut pipeline = redis::pipe();
    for section in ["server", "persistence", "replication"] {
        pipeline.cmd("INFO").arg(section);
    }
    pipeline
}

pub(crate) async fn info_of(connection: &mut MultiplexedConnection) -> Result<Info, Problem> {
    let sections: Vec<String> = info().query_async(connection).await?;
    Info::parse(&sections.concat())
}

/// Appends an entry. `name` is the name of the hash if the hash does not exist yet.
pub(crate) async fn append(
    connection: &mut MultiplexedConnection,
    (id, json, name): (&str, &str, &str),
) -> Result<(Info, bool), Problem> {
    let mut pipeline = info();
    let mut append = eval(APPEND);
    append.arg(id).arg(json).arg(name);
    pipeline.add_command(append);
    let (server, persistence, replication, is_new): (String, String, String, bool) =
        pipeline.query_async(connection).await?;
    Ok((Info::parse(&[server, persistence, replication].concat())?, is_new))
}

/// Reads the entries after an element of the stream.
pub(crate) async fn after(
    connection: &mut MultiplexedConnection,
    id: &str,
    limit: usize,
) -> Result<(Info, Found), Problem> {
    let mut after = eval(&format!("{STATE}{AFTER}"));
    after.arg(id).arg(limit);
    read(connection, after).await
}

/// Reads a part of the hash. The cursor 0 starts a scan. If 0 is returned, the scan is complete.
pub(crate) async fn scan(
    connection: &mut MultiplexedConnection,
    cursor: &str,
) -> Result<(Info, Found), Problem> {
    let mut scan = eval(&format!("{STATE}{SCAN}"));
    scan.arg(cursor).arg(SCANNED);
    read(connection, scan).await
}

async fn read(
    connection: &mut MultiplexedConnection,
    script: Cmd,
) -> Result<(Info, Found), Problem> {
    type Read = (String, String, String, String, u64, Vec<String>);
    let mut pipeline = info();
    pipeline.add_command(script);
    let (server, persistence, replication, read): (String, String, String, Read) =
        pipeline.query_async(connection).await?;
    let info = Info::parse(&[server, persistence, replication].concat())?;
    let (name, last, added, end, count, entries) = read;
    let added = added.parse().map_err(|_| Problem::Missing("entries-added"))?;
    Ok((info, Found { name, last, added, end, count, entries }))
}

/// Deletes entries that end before `before`, and old elements of the stream.
pub(crate) async fn prune(
    connection: &mut MultiplexedConnection,
    before: u64,
) -> Result<(), Problem> {
    let mut cursor = "0".to_owned();
    loop {
        let mut prune = eval(PRUNE);
        prune.arg(&cursor).arg(SCANNED).arg(before);
        cursor = prune.query_async(connection).await?;
        if cursor == "0" {
            break;
        }
    }
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
    let now = u128::from(seconds) * 1000 + u128::from(micros) / 1000;
    let oldest = now.saturating_sub(LOG_KEPT).to_string();
    let trim = redis::cmd("XTRIM").arg(LOG).arg("MINID").arg("~").arg(oldest).to_owned();
    trim.query_async::<()>(connection).await?;
    Ok(())
}

/// Waits until this server and `replicas` replicas have written to their disks everything that was
/// written on this connection.
pub(crate) async fn wait_aof(
    connection: &mut MultiplexedConnection,
    replicas: u64,
    millis: u64,
) -> RedisResult<(u64, u64)> {
    let wait = redis::cmd("WAITAOF").arg(1).arg(replicas).arg(millis).to_owned();
    wait.query_async(connection).await
}
