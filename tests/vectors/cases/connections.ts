/** Transactions, publish and subscribe, connections and the server. */

import { vector, type VectorCase } from "../format.ts";

/** One case each: the command that is asked about may be missing. */
const GETKEYS = [
  "COMMAND GETKEYS GET k",
  "COMMAND GETKEYS MSET a 1 b 2",
  "COMMAND GETKEYS PING",
  "COMMAND GETKEYS NOSUCH k",
  "COMMAND GETKEYS GET",
  "COMMAND GETKEYS ZUNIONSTORE d 2 a b WEIGHTS 1 2",
  "COMMAND GETKEYS LMPOP 2 a b LEFT",
  "COMMAND GETKEYS SORT k STORE d",
  "COMMAND GETKEYS BLPOP a b 0",
  "COMMAND GETKEYS BITOP AND d a b",
  "COMMAND GETKEYS SINTERCARD 2 a b",
  "COMMAND GETKEYS ZDIFF 2 a b",
  "COMMAND GETKEYS RENAME a b",
  "COMMAND GETKEYS COPY a b",
  "COMMAND GETKEYS OBJECT ENCODING k",
  "COMMAND GETKEYS ZRANGESTORE d k 0 -1",
  "COMMAND GETKEYS BZMPOP 0 2 a b MIN",
  "COMMAND GETKEYS XX",
];

/** Cases of transactions. */
export const TRANSACTIONS: readonly VectorCase[] = [
  vector("MULTI: queues and executes", "MULTI", "SET a 1", "INCR a", "GET a", "EXEC", "GET a"),
  vector("MULTI: nothing queued", "MULTI", "EXEC"),
  vector(
    "MULTI: each reply in its own shape",
    ...["MULTI", "SET s v", "GET missing", "LPOP missing 1", "HSET h f 1", "HGETALL h"],
    ...["ZADD z 1.5 a", "ZSCORE z a", "SADD e 1", "SMEMBERS e", "INCR s", "PING", "EXEC"],
  ),
  vector("DISCARD", "MULTI", "SET a 1", "DISCARD", "GET a", "DISCARD", "EXEC"),
  vector(
    "MULTI: not inside itself, no WATCH either",
    ...["MULTI", "MULTI", "WATCH k", "SET a 1", "EXEC", "GET a"],
  ),
  vector(
    "EXEC: refused when a command was refused",
    ...["MULTI", "SET a 1", "NOSUCHCOMMAND x", "SET b 1", "EXEC", "MGET a b", "MULTI", "GET"],
    ...["EXEC", "MULTI", "SET a", "DISCARD", "EXEC"],
  ),
  vector(
    "EXEC: an error in one command does not undo the others",
    ...["SET s v", "MULTI", "SET a 1", "INCR s", "LPUSH s x", "SET b 2", "EXEC", "MGET a b"],
  ),
  vector(
    "WATCH: a change by another aborts",
    ...["SET k 1", "WATCH k", "B| SET k 2", "MULTI", "SET k 3", "EXEC", "GET k", "MULTI"],
    ...["SET k 4", "EXEC", "GET k"],
  ),
  vector(
    "WATCH: no change, no abort",
    ...["SET k 1", "SET other 1", "WATCH k", "B| SET other 2", "B| GET k", "MULTI", "SET k 3"],
    ...["EXEC", "GET k"],
  ),
  vector(
    "WATCH: own changes count as well",
    ...["SET k 1", "WATCH k", "SET k 2", "MULTI", "GET k", "EXEC"],
  ),
  vector(
    "WATCH: a key that is made, deleted, made and deleted",
    ...["WATCH k", "B| SET k 1", "MULTI", "PING", "EXEC", "WATCH k", "B| DEL k", "MULTI", "PING"],
    ...["EXEC", "WATCH k", "B| SET k 1", "B| DEL k", "MULTI", "PING", "EXEC", "WATCH k"],
    ...["B| DEL k", "MULTI", "PING", "EXEC"],
  ),
  vector(
    "WATCH: every type",
    ...["RPUSH l a", "HSET h f 1", "SADD e a", "ZADD z 1 a"],
    ...["l|RPUSH l b", "h|HINCRBY h f 1", "e|SREM e a", "z|ZINCRBY z 1 a"].flatMap((each) => {
      const [key, change] = each.split("|");
      return [`WATCH ${key}`, `B| ${change}`, "MULTI", "PING", "EXEC"];
    }),
  ),
  vector(
    "WATCH: a change that changes nothing",
    ...["SADD e a", "WATCH e", "B| SADD e a", "MULTI", "PING", "EXEC", "SET k 1 EX 100"],
    ...["WATCH k", "B| EXPIRE k 200", "MULTI", "PING", "EXEC", "WATCH k", "B| PERSIST k"],
    ...["MULTI", "PING", "EXEC", "WATCH k", "B| TOUCH k", "MULTI", "PING", "EXEC"],
  ),
  vector(
    "UNWATCH",
    ...["SET k 1", "WATCH k", "B| SET k 2", "UNWATCH", "MULTI", "GET k", "EXEC", "UNWATCH"],
    ...["MULTI", "UNWATCH", "EXEC"],
  ),
  vector(
    "WATCH: DISCARD and EXEC forget it",
    ...["WATCH k", "B| SET k 1", "MULTI", "DISCARD", "MULTI", "PING", "EXEC", "WATCH k", "MULTI"],
    ...["EXEC", "B| SET k 2", "MULTI", "PING", "EXEC"],
  ),
  vector(
    "WATCH: FLUSHALL, FLUSHDB and SWAPDB",
    ...["SET k 1", "WATCH k", "B| FLUSHALL", "MULTI", "PING", "EXEC", "WATCH missing"],
    ...["B| FLUSHDB", "MULTI", "PING", "EXEC", "SET k 1", "WATCH k", "B| SWAPDB 0 1", "MULTI"],
    ...["PING", "EXEC", "B| FLUSHALL"],
  ),
  vector(
    "WATCH: RENAME, COPY and expiry",
    ...["SET k 1", "WATCH k", "B| RENAME k j", "MULTI", "PING", "EXEC", "WATCH n", "B| COPY j n"],
    ...["MULTI", "PING", "EXEC", "SET t v PX 10", "WATCH t", "DEBUG SLEEP 0.05", "MULTI", "PING"],
    "EXEC",
  ),
  vector(
    "WATCH: another database",
    ...["SET k 1", "WATCH k", "B| SELECT 1", "B| SET k 5", "MULTI", "PING", "EXEC", "WATCH k"],
    ...["SELECT 1", "B| SELECT 0", "B| SET k 6", "MULTI", "PING", "EXEC"],
  ),
  vector(
    "MULTI: SELECT inside",
    ...["MULTI", "SELECT 1", "SET k one", "SELECT 0", "SET k zero", "EXEC", "GET k", "SELECT 1"],
    "GET k",
  ),
  vector("MULTI: RESET ends it", "MULTI", "SET k v", "RESET"),
  vector(
    "MULTI: commands that are refused in it",
    ...["MULTI", "SUBSCRIBE c", "DISCARD", "MULTI", "AUTH x", "DISCARD", "MULTI"],
    ...["DEBUG SLEEP 0", "EXEC"],
  ),
  vector("EXEC and DISCARD: without MULTI", "EXEC", "DISCARD", "UNWATCH"),
  vector("EXEC: with arguments", "MULTI", "EXEC x", "EXEC", "MULTI x", "DISCARD x", "WATCH"),
];

/** Cases of publish and subscribe. */
export const PUBSUB: readonly VectorCase[] = [
  vector(
    "SUBSCRIBE: several channels, twice",
    ...["SUBSCRIBE a b a", "SUBSCRIBE c", "UNSUBSCRIBE a", "UNSUBSCRIBE x", "? UNSUBSCRIBE"],
    "UNSUBSCRIBE",
  ),
  vector(
    "PSUBSCRIBE: several patterns",
    ...["PSUBSCRIBE a* b? a*", "PUNSUBSCRIBE a*", "PUNSUBSCRIBE none", "PUNSUBSCRIBE"],
    "PUNSUBSCRIBE",
  ),
  vector(
    "SUBSCRIBE and PSUBSCRIBE: one count",
    ...["SUBSCRIBE a", "PSUBSCRIBE b*", "UNSUBSCRIBE", "PUNSUBSCRIBE"],
  ),
  vector(
    "PUBLISH: to channels and patterns",
    ...["B| SUBSCRIBE news", "C| PSUBSCRIBE n* *s", "PUBLISH news hello", "B<", "~ C<"],
    ...["PUBLISH none x", `PUBLISH news ""`, "B<", "~ C<", `PUBLISH news "\\x00\\r\\n\\xff"`, "B<"],
    "~ C<",
  ),
  vector(
    "PUBLISH: to both subscriptions of one client",
    ...["B| SUBSCRIBE c", "B| PSUBSCRIBE c*", "PUBLISH c m", "B<"],
  ),
  vector("PUBLISH: to itself", "SUBSCRIBE c", "B| PUBLISH c m", "A<"),
  vector(
    "PUBSUB: who listens",
    ...["PUBSUB CHANNELS", "PUBSUB NUMPAT", "PUBSUB NUMSUB", "PUBSUB NUMSUB a b"],
    ...["B| SUBSCRIBE a b", "C| SUBSCRIBE a", "C| PSUBSCRIBE p* q*", "B| PSUBSCRIBE p*"],
    ...["~ PUBSUB CHANNELS", "~ PUBSUB CHANNELS a*", "PUBSUB CHANNELS none"],
    ...["PUBSUB NUMSUB a b c", "PUBSUB NUMPAT", "B| UNSUBSCRIBE a", "PUBSUB NUMSUB a"],
    ...["pubsub numpat", "PUBSUB FOO"],
  ),
  vector(
    "subscribed: what is still allowed",
    ...["SUBSCRIBE c", "PING", "PING hello", "GET k", "SET k v", "PUBLISH c x", "NOSUCHCOMMAND"],
    "GET",
  ),
  vector("subscribed: QUIT", "SUBSCRIBE c", "QUIT"),
  vector("subscribed: RESET goes back", "SUBSCRIBE c", "RESET", "GET k", "PUBSUB CHANNELS"),
  vector(
    "subscribed: free again after the last",
    ...["SUBSCRIBE c", "PSUBSCRIBE p", "UNSUBSCRIBE", "GET k", "PUNSUBSCRIBE", "GET k"],
  ),
  vector(
    "PUBLISH: inside a transaction",
    ...["B| SUBSCRIBE c", "MULTI", "PUBLISH c 1", "PUBLISH c 2", "EXEC", "B<"],
  ),
  vector(
    "PUBLISH: patterns of every kind",
    ...["B| PSUBSCRIBE h?llo h[ae]y \\*x", "PUBLISH hello 1", "B<", "PUBLISH hey 2", "B<"],
    ...["PUBLISH hiy 3", "PUBLISH *x 4", "B<"],
  ),
  vector("sharded channels", "SPUBLISH c m", "PUBSUB SHARDCHANNELS", "PUBSUB SHARDNUMSUB a"),
  vector(
    "keyspace notifications: strings and keys",
    ...["CONFIG SET notify-keyspace-events KEA", "B| PSUBSCRIBE __key*@0__:*", "SET k v", "B<"],
    ...["EXPIRE k 100", "B<", "INCR n", "B<", "APPEND k x", "B<", "RENAME k j", "B<", "DEL j"],
    ...["B<", "PERSIST n", "GET missing", "B<", "SETRANGE n 0 5", "B<"],
    "CONFIG SET notify-keyspace-events ''",
  ),
  vector(
    "keyspace notifications: collections",
    ...["CONFIG SET notify-keyspace-events KEA", "B| PSUBSCRIBE __keyevent@0__:*", "RPUSH l a b"],
    ...["B<", "LPOP l", "B<", "RPOP l", "B<", "HSET h f 1", "B<", "HINCRBY h f 1", "B<"],
    ...["HDEL h f", "B<", "SADD s a", "B<", "SPOP s", "B<", "ZADD z 1 a", "B<", "ZINCRBY z 1 a"],
    ...["B<", "ZREM z a", "B<", "CONFIG SET notify-keyspace-events ''"],
  ),
  vector(
    "keyspace notifications: which are asked for",
    ...["CONFIG SET notify-keyspace-events Kg$", "CONFIG GET notify-keyspace-events"],
    ...["B| PSUBSCRIBE *", "SET k v", "B<", "RPUSH l a", "B<", "DEL k", "B<"],
    ...["CONFIG SET notify-keyspace-events E", "SET k v", "B<"],
    ...["CONFIG SET notify-keyspace-events x", "CONFIG SET notify-keyspace-events ''"],
    "CONFIG GET notify-keyspace-events",
  ),
];

/** Cases of connections and the server. */
export const SERVER: readonly VectorCase[] = [
  vector(
    "PING and ECHO",
    ...["PING", "PING hello", `PING ""`, "ping HELLO", "ECHO hello", `ECHO ""`],
    ...[`ECHO "\\x00\\r\\n"`, "PING a b", "ECHO", "ECHO a b"],
  ),
  vector("QUIT", "QUIT"),
  vector(
    "unknown commands",
    ...["NOSUCHCOMMAND", "NOSUCHCOMMAND a b c", 'nosuch \'with spaces\' "x\\"y"', `"" a`],
    ...[`"\\r\\n" a`, `NOSUCH ${"x".repeat(200)}`, `${"N".repeat(200)} a`, "GET k"],
  ),
  vector(
    "unknown subcommands",
    ...["CLIENT FOO", "CLIENT FOO bar", "CONFIG FOO", "COMMAND FOO", "OBJECT FOO", "PUBSUB FOO"],
    ...["MEMORY FOO", "SLOWLOG FOO", "LATENCY FOO", "ACL FOO"],
  ),
  vector(
    "HELLO: versions",
    ...["HELLO 4", "HELLO 1", "HELLO x", "HELLO 2.5", "HELLO 3 FOO", "HELLO 3 SETNAME"],
    ...["HELLO 3 AUTH a", `HELLO 2 SETNAME "a b"`, "PING"],
  ),
  vector(
    "HELLO: changes the shape of nil",
    ...["? HELLO 2 SETNAME me", "GET missing", "CLIENT GETNAME"],
  ),
  vector("AUTH: without a password set", "AUTH x", "AUTH default x", "AUTH other x", "AUTH a b c"),
  vector(
    "CLIENT: name and id",
    ...["CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT SETNAME 'a b'"],
    ...[`CLIENT SETNAME "a\\nb"`, "CLIENT SETNAME ''", "CLIENT GETNAME", "? CLIENT ID"],
  ),
  vector(
    "CLIENT: switches",
    ...["CLIENT REPLY ON", "CLIENT REPLY FOO", "CLIENT NO-EVICT ON", "CLIENT NO-EVICT OFF"],
    ...["CLIENT NO-EVICT FOO", "CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT PAUSE 1 FOO"],
    ...["CLIENT PAUSE 0 WRITE", "CLIENT PAUSE 0 ALL", "CLIENT UNPAUSE"],
  ),
  vector(
    "CLIENT REPLY: SKIP and OFF",
    ...["A> CLIENT REPLY SKIP", "A> SET k v", "GET k", "A> CLIENT REPLY OFF", "A> SET k w"],
    ...["CLIENT REPLY ON", "GET k"],
  ),
  vector(
    "CLIENT KILL: wrong calls",
    ...["CLIENT KILL 1.2.3.4:5", "CLIENT KILL ID x", "CLIENT KILL ID 0", "CLIENT KILL ID 999999"],
    ...["CLIENT KILL TYPE foo", "CLIENT KILL ID", "CLIENT KILL FOO bar"],
    ...["CLIENT KILL ADDR 1.2.3.4:5", "CLIENT KILL USER nobody", "CLIENT KILL SKIPME maybe"],
  ),
  vector(
    "CLIENT LIST: wrong calls",
    ...["CLIENT LIST FOO", "CLIENT LIST TYPE foo", "CLIENT LIST ID x", "CLIENT LIST TYPE"],
    ...["CLIENT LIST ID 999999", "CLIENT LIST TYPE master"],
  ),
  vector(
    "RESET: everything as at the start",
    ...["SELECT 3", "CLIENT SETNAME me", "RESET", "CLIENT GETNAME", "SET k v", "SELECT 0"],
    "GET k",
  ),
  ...GETKEYS.map((call) => vector(call, call)),
  vector(
    "COMMAND: LIST and INFO",
    ...["COMMAND LIST FILTERBY FOO bar", "COMMAND LIST FILTERBY"],
    ...["COMMAND LIST FILTERBY PATTERN decrb*", "COMMAND LIST FILTERBY PATTERN none*"],
    ...["COMMAND LIST FILTERBY MODULE x", "COMMAND INFO nosuch", "COMMAND DOCS nosuch"],
    "COMMAND LIST FOO",
  ),
  vector(
    "CONFIG: what both know",
    ...["CONFIG GET nosuchparameter", "CONFIG SET nosuchparameter 1", "CONFIG SET"],
    ...["CONFIG SET a", "CONFIG GET", "CONFIG RESETSTAT", "CONFIG SET slowlog-log-slower-than x"],
    ...["CONFIG SET slowlog-max-len 64", "CONFIG GET slowlog-max-len"],
    ...["CONFIG SET slowlog-max-len 128", "CONFIG SET slowlog-max-len 64 slowlog-max-len 32"],
    ...["CONFIG GET SLOWLOG-MAX-LEN", "CONFIG SET slowlog-max-len 128"],
  ),
  vector("TIME, DBSIZE, LOLWUT", "? TIME", "DBSIZE", "SET k v", "DBSIZE", "TIME x"),
  vector(
    "WAIT: without replicas",
    ...["WAIT 0 10", "WAIT 0 0", "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "WAIT -1 0", "WAIT 1 10"],
  ),
  vector("DEBUG SLEEP", "DEBUG SLEEP 0", "DEBUG SLEEP 0.01"),
  vector(
    "SLOWLOG",
    ...["CONFIG SET slowlog-log-slower-than -1", "SLOWLOG RESET", "SLOWLOG LEN", "SLOWLOG GET"],
    ...["SLOWLOG GET 5", "SLOWLOG GET -1", "SLOWLOG GET -2", "SLOWLOG GET x"],
    "CONFIG SET slowlog-log-slower-than 10000",
  ),
  vector(
    "LATENCY",
    ...["LATENCY RESET", "LATENCY LATEST", "LATENCY HISTORY none", "LATENCY RESET none"],
  ),
  vector(
    "MEMORY",
    ...["MEMORY USAGE missing", "SET k v", "? MEMORY USAGE k", "? MEMORY USAGE k SAMPLES 5"],
    ...["MEMORY USAGE k SAMPLES x", "MEMORY USAGE k SAMPLES -1", "MEMORY USAGE k FOO"],
    "MEMORY USAGE k SAMPLES",
  ),
  vector("ACL WHOAMI", "ACL WHOAMI", "ACL WHOAMI x"),
  vector("MONITOR: begins with OK", "MONITOR x", "B| MONITOR"),
  vector(
    "INFO: sections",
    ...["INFO nosuchsection", "INFO keyspace", "SELECT 3", "SET k v", "INFO keyspace"],
    ...["SET t v EX 33177117420", "DEL k t"],
  ),
  vector("SHUTDOWN: wrong calls", "SHUTDOWN FOO", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT"),
];
