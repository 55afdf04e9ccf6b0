/**
 * TCP sockets without the runtime: the system's own calls, for load generators.
 *
 * The runtime polls all sockets of an isolate as one task with a budget of 128 operations, and serves
 * the same hundred again and again when more are busy. A client made of such sockets would measure
 * its own unfairness. `epoll` tells of every ready socket, oldest first, for two system calls a
 * request.
 *
 * Linux only, little-endian; needs `--allow-ffi`.
 *
 * @module
 */

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_LINGER = 13;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
const EINTR = 4;

/** `struct epoll_event` is packed on x86-64 only. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const EVENT_DATA_OFFSET = EVENT_BYTES - 8;

// Sizes are `size_t`, given as 32 bits, which calls extend with zeros: 64 bits would cost a bigint each.
const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

const libc = Deno.dlopen("libc.so.6", SYMBOLS).symbols;

/** What {@link receive} and {@link trySend} return when nothing can be done now. */
export const NOT_NOW = -1;

/** What they return when the peer has reset the connection. */
export const RESET = -2;

/** A connected socket: its file descriptor. */
export type Socket = number;

/** How a socket is made. */
export interface SocketOptions {
  /** Size of the kernel's receive buffer; the system's own when left out. Unit: bytes. */
  readonly receiveBytes?: number;
}

/**
 * Connects to `port` of the loopback address; waits until the system has done so.
 *
 * @throws {Error} when nobody listens, or no file descriptor is left
 */
export function connect(port: number, options: SocketOptions = {}): Socket {
  const socket = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) throw new Error(`Cannot make a socket: errno ${errno()}`);
  if (options.receiveBytes !== undefined) {
    setOption(socket, SOL_SOCKET, SO_RCVBUF, Int32Array.of(options.receiveBytes));
  }
  const address = new Uint8Array(16);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, 0x7f000001);
  for (;;) {
    if (libc.connect(socket, address, address.length) === 0) break;
    const code = errno();
    if (code === EINTR) continue;
    libc.close(socket);
    throw new Error(`Cannot connect to port ${port}: errno ${code}`);
  }
  setOption(socket, IPPROTO_TCP, TCP_NODELAY, Int32Array.of(1));
  return socket;
}

/** Sends what the kernel takes now. Returns how much, {@link NOT_NOW} or {@link RESET}. */
export function trySend(socket: Socket, bytes: Uint8Array<ArrayBuffer>): number {
  const count = libc.send(socket, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  return count >= 0 ? count : failure();
}

/**
 * Receives what is there.
 *
 * @returns how much, 0 when the peer has closed, {@link NOT_NOW} or {@link RESET}
 */
export function receive(socket: Socket, room: Uint8Array<ArrayBuffer>): number {
  const count = libc.recv(socket, room, room.length, MSG_DONTWAIT);
  return count >= 0 ? count : failure();
}

/** Closes. */
export function close(socket: Socket): void {
  libc.close(socket);
}

/** Closes with a reset instead of a farewell. */
export function reset(socket: Socket): void {
  setOption(socket, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0));
  libc.close(socket);
}

/** Tells which sockets have something to read. */
export class Poller implements Disposable {
  readonly #epoll: number;
  readonly #events: DataView<ArrayBuffer>;
  readonly #eventBytes: Uint8Array<ArrayBuffer>;

  /**
   * Watches nothing yet.
   *
   * @param batchCount most sockets told of at a time
   */
  constructor(batchCount = 256) {
    this.#epoll = libc.epoll_create1(0);
    this.#eventBytes = new Uint8Array(batchCount * EVENT_BYTES);
    this.#events = new DataView(this.#eventBytes.buffer);
  }

  /** Watches `socket`; it is told of as `index`. Closing it ends that. */
  add(socket: Socket, index: number): void {
    const event = new Uint8Array(EVENT_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, EPOLLIN, true);
    view.setUint32(EVENT_DATA_OFFSET, index, true);
    if (libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, socket, event) !== 0) {
      throw new Error(`Cannot watch a socket: errno ${errno()}`);
    }
  }

  /**
   * Waits until a socket is ready; a closed one is, too.
   *
   * @param timeoutMs longest wait, in whole ms
   * @returns how many are ready; {@link Poller.indexAt} says which
   */
  wait(timeoutMs: number): number {
    const count = this.#events.byteLength / EVENT_BYTES;
    return Math.max(0, libc.epoll_wait(this.#epoll, this.#eventBytes, count, timeoutMs));
  }

  /** Index of the `place`-th ready socket. */
  indexAt(place: number): number {
    return this.#events.getUint32(place * EVENT_BYTES + EVENT_DATA_OFFSET, true);
  }

  /** Stops watching. */
  [Symbol.dispose](): void {
    libc.close(this.#epoll);
  }
}

function setOption(socket: Socket, level: number, name: number, value: Int32Array<ArrayBuffer>) {
  libc.setsockopt(socket, level, name, value, value.byteLength);
}

function failure(): number {
  const code = errno();
  return code === EAGAIN || code === EINTR ? NOT_NOW : RESET;
}

function errno(): number {
  const place = libc.__errno_location();
  return place === null ? 0 : new Deno.UnsafePointerView(place).getInt32();
}
