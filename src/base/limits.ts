/**
 * Bounds that hold across parts: each with its unit, its reason and how it relates to others.
 *
 * A bound that only one part knows lives with that part (the longest RESP line, the bytes of a
 * page). The relations are checked when this file is loaded.
 *
 * @module
 */

import { assert } from "./assert.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const HOUR_MS = 3_600_000;

/**
 * Most event workers.
 *
 * Unit: threads. Reason: each costs 8 to 12 MiB, and the owner field of a lock word holds a thread
 * id.
 */
export const WORKERS_MAX = 256;

/**
 * Most I/O threads.
 *
 * Unit: threads. Reason: more than a machine's cores only cost memory, some 20 MiB each.
 */
export const IO_THREADS_MAX = 64;

/**
 * Most threads that ever share memory at one time: the main isolate, I/O threads, event workers.
 *
 * Unit: threads. Reason: lock words and job headers keep a thread id in 16 bits.
 */
export const THREADS_MAX: number = 1 + IO_THREADS_MAX + WORKERS_MAX;

/**
 * Messages of one thread that may wait in the inbox of an I/O thread.
 *
 * Unit: bytes, a power of two. Reason: two thousand outcomes of events fit, far more than an I/O
 * thread lets wait; pages of a ring that nobody uses are never committed.
 */
export const INBOX_RING_BYTES: number = 64 * KIB;

/**
 * The same while there are few threads, as published messages pass here, too.
 *
 * Unit: bytes, a power of two. Reason: a publisher sends some thousand messages before the receiving
 * thread has woken up and had its turn.
 */
export const INBOX_RING_MAX_BYTES: number = MIB;

/**
 * What the rings of one inbox may reserve together before they are smaller than
 * {@link INBOX_RING_MAX_BYTES}.
 *
 * Unit: bytes. Reason: untouched pages are not committed, but address space is not without end.
 */
export const INBOX_MAX_BYTES: number = 32 * MIB;

/**
 * Most jobs that may wait in the channel.
 *
 * Unit: jobs. Reason: a cell takes 576 bytes and the ring is one buffer of less than 1 GiB.
 */
export const CHANNEL_CAPACITY_MAX = 1_048_576;

/**
 * Largest job, or message of an embedding program, that a channel may be made for.
 *
 * Unit: bytes. Reason: a message is copied twice on its way, the second time under the consumers'
 * lock, which takes some 5 µs at this size; what is larger belongs into the store.
 */
export const CHANNEL_MESSAGE_MAX_BYTES: number = 64 * KIB;

/**
 * Most ids of events that are remembered.
 *
 * Unit: ids. Reason: each takes some 52 bytes, and they are one buffer of less than 1 GiB.
 */
export const EVENT_IDS_MAX = 16_000_000;

/**
 * Most commands that a client may queue between `MULTI` and `EXEC`; those whose work their arguments
 * do not bound count as 64.
 *
 * Unit: commands. Reason: `EXEC` runs them in one go with all their locks held, and nobody else
 * should notice (P3): so many small ones take a few milliseconds.
 */
export const TRANSACTION_COMMANDS_MAX = 10_000;

/**
 * Most arguments of all queued commands together.
 *
 * Unit: arguments. Reason: as above; each may be a key to look up.
 */
export const TRANSACTION_ARGUMENTS_MAX = 50_000;

/**
 * Most bytes of all queued arguments together.
 *
 * Unit: bytes. Reason: they are copied twice, when queued and by `EXEC`, at a few GB/s; one value of
 * the largest usual size fits.
 */
export const TRANSACTION_BYTES_MAX: number = 32 * MIB;

/**
 * Most keys that a client may watch.
 *
 * Unit: keys. Reason: `EXEC` looks at each with all locks held, some 0.2 µs.
 */
export const WATCHED_KEYS_MAX = 4096;

/**
 * Largest job.
 *
 * Unit: bytes. Reason: user, action and id at their longest (128 + 64 + 64) and the header fit, with
 * room for what later versions add.
 */
export const JOB_MAX_BYTES = 512;

/**
 * Longest JSON text of the further fields of an event.
 *
 * Unit: bytes of UTF-8. Reason: a record of a few dozen fields fits; a channel keeps room for it in each
 * of its cells while the processor has a schema.
 */
export const FIELDS_MAX_BYTES: number = 4 * KIB;

/**
 * Least memory for the JavaScript objects of a processor of one's own, in each worker.
 *
 * Unit: bytes. Reason: less than this and the worker's own program does not fit.
 */
export const PROCESSOR_MEMORY_MIN_BYTES: number = 32 * MIB;

/**
 * Most memory for the JavaScript objects of a processor of one's own, in each worker.
 *
 * Unit: bytes. Reason: the engine's heap cannot be larger.
 */
export const PROCESSOR_MEMORY_MAX_BYTES: number = 4 * GIB;

/**
 * Longest JSON text of what a processor returns for an event.
 *
 * Unit: bytes of UTF-8. Reason: it passes through the worker's slot and the inbox of the thread that
 * replies, which has room for several.
 */
export const RESULT_MAX_BYTES: number = 16 * KIB;

/**
 * Most shards; the number is a power of two.
 *
 * Unit: shards. Reason: beyond a few per core they only cost memory, 1 KiB of control block each.
 */
export const SHARDS_MAX = 4096;

/**
 * Smallest arena.
 *
 * Unit: bytes. Reason: less than a few pages cannot hold anything useful.
 */
export const MEMORY_MIN_BYTES: number = MIB;

/**
 * Largest arena.
 *
 * Unit: bytes. Reason: addresses are 32-bit numbers of 8-byte units.
 */
export const MEMORY_MAX_BYTES: number = 32 * GIB;

/**
 * Arena that each shard needs at least.
 *
 * Unit: bytes. Reason: a shard leases a page of 64 KiB for every size of key and value in use, two
 * more for its index; with less than eight the memory would be gone long before it is full.
 */
export const MEMORY_PER_SHARD_BYTES: number = 512 * KIB;

/**
 * Largest value that `--max-value-bytes` may allow.
 *
 * Unit: bytes. Reason: the addresses of its parts fit one block of the arena, with room to spare.
 */
export const VALUE_MAX_BYTES: number = 60 * MIB;

/**
 * A longer value is replied piece by piece, from a lease and not from a copy, where the protocol can.
 *
 * Unit: bytes. Reason: copying this much takes some 10 µs under the shard's lock, and this much more
 * output than a batch should have is still little; a lease costs about 1 µs and some garbage.
 */
export const LEASED_VALUE_BYTES = 65536;

/**
 * Smallest `--max-request-bytes`.
 *
 * Unit: bytes. Reason: the largest event as JSON, its names and escapes included, and a usual set
 * of HTTP headers fit.
 */
export const REQUEST_MIN_BYTES: number = 4 * KIB;

/**
 * Largest `--max-request-bytes`.
 *
 * Unit: bytes. Reason: a value at its largest and the command around it fit.
 */
export const REQUEST_MAX_BYTES: number = GIB;

/**
 * Most connections.
 *
 * Unit: connections. Reason: each takes a file descriptor and at least 6 KiB; systems rarely grant
 * more descriptors than this to one process.
 */
export const CONNECTIONS_MAX = 1_000_000;

/**
 * Smallest `--max-client-memory`.
 *
 * Unit: bytes. Reason: a few connections and their requests fit.
 */
export const CLIENT_MEMORY_MIN_BYTES: number = MIB;

/**
 * Largest `--max-client-memory`.
 *
 * Unit: bytes. Reason: one thread's share is one buffer whose indices are fast below 1 GiB.
 */
export const CLIENT_MEMORY_MAX_BYTES: number = GIB;

/**
 * What a connection holds while it is busy: what it reads into, and as much again for replies.
 *
 * Unit: bytes. Reason: a request without a body fits, or a pipeline of some dozens of commands.
 */
export const CONNECTION_BUFFER_BYTES: number = 4 * KIB;

/**
 * What a connection holds at least while it is open: what it waits for input with.
 *
 * Unit: bytes. Reason: most servers have more idle connections than busy ones, and a buffer that was
 * read into once is resident from then on; most commands and requests fit.
 */
export const IDLE_INPUT_BYTES: number = KIB;

/**
 * Input buffer of a connection that has filled the smallest one, and how far it grows while reads go on
 * filling it; beyond 32 KiB only while an eighth of the memory of clients is lent at most. Reason: a
 * pipeline of 64 values of 1 KiB is read at one go, and answered with one write.
 */
export const BUSY_INPUT_BYTES: readonly [number, number] = [CONNECTION_BUFFER_BYTES, 128 * KIB];

/**
 * Longest password.
 *
 * Unit: bytes of UTF-8. Reason: it must fit a request's head, with room for the rest.
 */
export const PASSWORD_MAX_BYTES: number = KIB;

/**
 * Most networks that `--allow` and `--deny` take each.
 *
 * Unit: networks. Reason: they are searched one by one for each connection.
 */
export const NETWORKS_MAX = 1024;

/**
 * Longest time that a client may wait for the outcome of its event.
 *
 * Unit: ms. Reason: a connection that waits is not read from, so its end goes unnoticed.
 */
export const EVENT_WAIT_MAX_MS = 60_000;

/**
 * Longest of all durations a flag takes.
 *
 * Unit: ms. Reason: timers take a 32-bit number of milliseconds (24.8 days).
 */
export const DURATION_MAX_MS: number = 24 * HOUR_MS;

/**
 * Longest simulated work of one event.
 *
 * Unit: ms. Reason: more than a minute of it could not be told from a stuck worker.
 */
export const SIMULATED_WORK_MAX_MS = 60_000;

/**
 * Log lines that may wait for a slow stderr.
 *
 * Unit: lines. Reason: bursts of a few thousand lines pass whole; beyond, dropping is better than
 * stopping the server or filling memory.
 */
export const LOG_QUEUE_MAX_LINES = 8192;

/**
 * Bytes of log lines that may wait for a slow stderr.
 *
 * Unit: bytes (UTF-16 code units, counted twice). Reason: long lines must not make the bound on
 * lines meaningless.
 */
export const LOG_QUEUE_MAX_BYTES: number = 4 * MIB;

/**
 * Longest log line.
 *
 * Unit: UTF-16 code units. Reason: nothing a client sends may fill the log; longer lines lose their
 * fields.
 */
export const LOG_LINE_MAX_LENGTH = 16_384;

/**
 * Longest text inside a log line: its message, or one field.
 *
 * Unit: UTF-16 code units. Reason: an error with its stack fits.
 */
export const LOG_TEXT_MAX_LENGTH = 4096;

/**
 * Log lines that one worker hands over in a second; more are dropped and counted.
 *
 * Unit: lines. Reason: the main isolate's message queue has no bound of its own.
 */
export const LOG_WORKER_LINES_PER_SECOND = 1000;

/**
 * Most shards that a scrape shows one by one; with more, only their sum is shown.
 *
 * Unit: shards. Reason: a scrape stays well below 100 KB.
 */
export const METRICS_MAX_SHARD_SERIES = 256;

assert(THREADS_MAX < 65535, "a thread id + 1 fits 16 bits");
assert(THREADS_MAX * (INBOX_RING_BYTES + 128) < GIB, "the largest inbox is one small buffer");
assert(CHANNEL_CAPACITY_MAX * (JOB_MAX_BYTES + 64) < GIB, "the largest ring is one small buffer");
assert(RESULT_MAX_BYTES * 2 < INBOX_RING_BYTES, "several results fit the smallest inbox");
assert(Number.isInteger(Math.log2(SHARDS_MAX)), "the largest number of shards is a power of two");
assert(MEMORY_MAX_BYTES <= 2 ** 32 * 8, "an address reaches the whole arena");
assert(SHARDS_MAX * MEMORY_PER_SHARD_BYTES <= MEMORY_MAX_BYTES, "the most shards fit an arena");
assert(VALUE_MAX_BYTES < REQUEST_MAX_BYTES, "a request can carry the largest value");
assert(DURATION_MAX_MS < 2 ** 31, "a timer can wait for the longest duration");
assert(SIMULATED_WORK_MAX_MS <= DURATION_MAX_MS, "simulated work is a duration");
assert(LOG_TEXT_MAX_LENGTH < LOG_LINE_MAX_LENGTH, "a line can carry the longest text");
assert(LOG_LINE_MAX_LENGTH * 2 < LOG_QUEUE_MAX_BYTES, "the queue can hold the longest line");

/**
 * Longest Protobuf message before the password.
 *
 * Unit: bytes. Reason: nobody without it should make the server hold much; an `AuthRequest` with the
 * longest password is far shorter.
 */
export const PROTO_MAX_UNAUTHENTICATED_BYTES: number = 16 * KIB;
