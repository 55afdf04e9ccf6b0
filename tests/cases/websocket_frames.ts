/**
 * Frames of WebSocket clients, good and bad, and what a server that echoes messages answers.
 *
 * Texts are bytes: one character is one byte (U+0000 to U+00FF).
 *
 * @module
 */

/** What a client sends behind its handshake, and the answer. */
export interface WebSocketCase {
  /** What is special about it; unique. */
  readonly name: string;
  /** The bytes. */
  readonly text: string;
  /**
   * The frames of the answer: `text …`, `pong …`, `close <code>`, or `close` without a code. A Close
   * frame is the last one, and the connection closes behind it.
   */
  readonly answer: readonly string[];
}

/** Longest message that the cases' server takes. Unit: bytes. */
export const MAX_MESSAGE_BYTES = 4096;

/** How a frame differs from a usual one. */
export interface FrameOptions {
  /** Whether it is the last one of its message; it is. */
  readonly fin?: boolean;
  /** Bits of the first byte besides FIN and opcode. */
  readonly reserved?: number;
  /** Four bytes; undefined: the frame is not masked. */
  readonly mask?: readonly number[] | undefined;
  /** Bytes that the length takes: 0 (in the head), 2 or 8; as few as it needs. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** The length that it claims; its payload's. */
  readonly length?: number;
}

const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** Makes a frame of a client. */
export function frame(opcode: number, payload = "", options: FrameOptions = {}): string {
  const { fin = true, reserved = 0, length = payload.length } = options;
  const mask = "mask" in options ? options.mask : MASK;
  const lengthBytes = options.lengthBytes ?? (length < 126 ? 0 : length < 65536 ? 2 : 8);
  const head = [(fin ? 0x80 : 0) | reserved | opcode];
  head.push(
    (mask === undefined ? 0 : 0x80) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127),
  );
  for (let i = lengthBytes - 1; i >= 0; i--) head.push(Math.floor(length / 256 ** i) % 256);
  const bytes = Array.from(
    payload,
    (character, i) => character.charCodeAt(0) ^ (mask?.[i % 4] ?? 0),
  );
  return String.fromCharCode(...head, ...mask ?? []) +
    bytes.map((byte) => String.fromCharCode(byte)).join("");
}

/** A text message in one frame. */
export function text(payload: string, options: FrameOptions = {}): string {
  return frame(1, payload, options);
}

/** A part of a message that others follow. */
export function first(payload: string): string {
  return frame(1, payload, { fin: false });
}

/** A part behind another. */
export function more(payload: string, options: FrameOptions = {}): string {
  return frame(0, payload, { fin: false, ...options });
}

/** The last part. */
export function last(payload: string): string {
  return frame(0, payload);
}

/** A Ping frame. */
export function ping(payload = ""): string {
  return frame(9, payload);
}

/** A Close frame; without a code it is empty. */
export function close(code?: number, reason = ""): string {
  return frame(8, code === undefined ? "" : String.fromCharCode(code >> 8, code & 255) + reason);
}

/** UTF-8, one character per byte. */
export function utf8(characters: string): string {
  return String.fromCharCode(...new TextEncoder().encode(characters));
}

/** Every frame of these is fine. */
export const VALID_FRAMES: readonly WebSocketCase[] = [
  echoed("a message", text("hello"), "hello"),
  echoed("an empty message", text(""), ""),
  echoed("a message with a mask of zeros", text("hello", { mask: [0, 0, 0, 0] }), "hello"),
  echoed(
    "a message with a mask of ones",
    text("hello", { mask: [255, 255, 255, 255] }),
    "hello",
  ),
  echoed("125 bytes, the most in a short head", text("x".repeat(125)), "x".repeat(125)),
  echoed("126 bytes, the fewest with two bytes of length", text("x".repeat(126)), "x".repeat(126)),
  echoed("127 bytes", text("x".repeat(127)), "x".repeat(127)),
  echoed("the longest message", text("x".repeat(4096)), "x".repeat(4096)),
  ...[63, 64, 65, 66, 67, 68, 1001].map((length) => {
    const letters = Array.from({ length }, (_, i) => String.fromCharCode(97 + i % 26)).join("");
    return echoed(`${length} bytes that differ`, text(letters), letters);
  }),
  echoed("two parts", first("hel") + last("lo"), "hello"),
  echoed(
    "many parts",
    first("h") + [..."ell"].map((byte) => more(byte)).join("") + last("o"),
    "hello",
  ),
  echoed("parts without bytes", first("") + more("") + last(""), ""),
  echoed("empty parts around full ones", first("") + more("hi") + more("") + last(""), "hi"),
  echoed("300 empty parts", first("a") + more("").repeat(300) + last("b"), "ab"),
  echoed(
    "a message in parts of one byte",
    first("x") + more("y").repeat(1000) + last("z"),
    `x${"y".repeat(1000)}z`,
  ),
  echoed(
    "parts with a mask each",
    first("hello ") + more("wide ", { mask: [1, 2, 3, 4] }) + last("world"),
    "hello wide world",
  ),
  echoed(
    "parts of the greatest length together",
    first("x".repeat(2048)) + last("y".repeat(2048)),
    "x".repeat(2048) + "y".repeat(2048),
  ),
  echoed("characters of two, three and four bytes", text(utf8("é€😀")), utf8("é€😀")),
  echoed(
    "the first and last characters of each length",
    text(utf8("\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}")),
    utf8("\0\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}"),
  ),
  echoed(
    "a character cut by frames at each byte",
    first(utf8("😀").slice(0, 1)) + more(utf8("😀").slice(1, 2)) + more(utf8("😀").slice(2, 3)) +
      last(utf8("😀").slice(3)),
    utf8("😀"),
  ),
  echoed(
    "noncharacters, which are valid all the same",
    text(utf8("\ufffe\uffff\ufdd0")),
    utf8("\ufffe\uffff\ufdd0"),
  ),
  echoed("a byte order mark", text(utf8("\ufeffhi")), utf8("\ufeffhi")),
  { name: "a ping", text: ping(), answer: ["pong "] },
  { name: "a ping with a payload", text: ping("are you there"), answer: ["pong are you there"] },
  {
    name: "a ping with bytes that are no text",
    text: ping("\0\xff\xfe"),
    answer: ["pong \0\xff\xfe"],
  },
  {
    name: "a ping with 125 bytes",
    text: ping("p".repeat(125)),
    answer: [`pong ${"p".repeat(125)}`],
  },
  {
    name: "many pings",
    text: ping("a") + ping("b") + ping("c"),
    answer: ["pong a", "pong b", "pong c"],
  },
  {
    name: "a pong that nobody asked for",
    text: frame(10) + frame(10, "x") + text("a"),
    answer: ["text a"],
  },
  {
    name: "a ping between messages",
    text: text("a") + ping("1") + text("b"),
    answer: ["text a", "pong 1", "text b"],
  },
  {
    name: "a ping between parts",
    text: first("a") + ping("1") + last("b"),
    answer: ["pong 1", "text ab"],
  },
  {
    name: "pings and pongs between parts",
    text: first("a") + ping("1") + frame(10, "2") + more("b") + ping("3") + ping("4") + last("c"),
    answer: ["pong 1", "pong 3", "pong 4", "text abc"],
  },
  {
    name: "a ping in the middle of a character",
    text: first(utf8("€").slice(0, 1)) + ping("1") + last(utf8("€").slice(1)),
    answer: ["pong 1", `text ${utf8("€")}`],
  },
  {
    name: "a ping in front of the first byte of a message in parts",
    text: first("") + ping("1") + last("b"),
    answer: ["pong 1", "text b"],
  },
  {
    name: "messages one behind the other",
    text: text("a") + text("bc") + text("def"),
    answer: ["text a", "text bc", "text def"],
  },
  {
    name: "a message behind one in parts",
    text: first("a") + last("b") + text("c") + first("d") + last("e"),
    answer: ["text ab", "text c", "text de"],
  },
  ...[
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    3000,
    3999,
    4000,
    4999,
  ]
    .map((code) => ({
      name: `a goodbye with ${code}`,
      text: close(code),
      answer: [`close ${code}`],
    })),
  { name: "a goodbye without a code", text: close(), answer: ["close"] },
  { name: "a goodbye with a reason", text: close(1000, utf8("schön")), answer: ["close 1000"] },
  {
    name: "a goodbye with the longest reason",
    text: close(1000, "r".repeat(123)),
    answer: ["close 1000"],
  },
  {
    name: "a goodbye in the middle of a message",
    text: first("a") + close(1000),
    answer: ["close 1000"],
  },
  {
    name: "a goodbye behind messages",
    text: text("a") + text("b") + close(1001),
    answer: ["text a", "text b", "close 1001"],
  },
];

/** Each of these ends the connection. */
export const INVALID_FRAMES: readonly WebSocketCase[] = [
  broken("a frame without a mask", text("hello", { mask: undefined })),
  broken("an empty frame without a mask", text("", { mask: undefined })),
  broken("a ping without a mask", frame(9, "", { mask: undefined })),
  broken("a goodbye without a mask", frame(8, "\x03\xe8", { mask: undefined })),
  broken("a part without a mask", first("a") + frame(0, "b", { mask: undefined })),
  ...[0x40, 0x20, 0x10, 0x70].flatMap((reserved) => [
    broken(`reserved bits ${reserved.toString(16)} in a text frame`, text("a", { reserved })),
    broken(
      `reserved bits ${reserved.toString(16)} in a part`,
      first("a") + more("b", { reserved }),
    ),
    broken(`reserved bits ${reserved.toString(16)} in a ping`, frame(9, "", { reserved })),
    broken(`reserved bits ${reserved.toString(16)} in a goodbye`, frame(8, "", { reserved })),
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
    broken(`the reserved opcode ${opcode}`, frame(opcode, "a"))
  ),
  broken("a reserved opcode between parts", first("a") + frame(3, "b") + last("c")),
  broken("a reserved opcode of a control frame between parts", first("a") + frame(11) + last("c")),
  broken("a ping of 126 bytes", frame(9, "p".repeat(126))),
  broken("a pong of 126 bytes", frame(10, "p".repeat(126))),
  broken("a goodbye of 126 bytes", frame(8, "\x03\xe8" + "r".repeat(124))),
  broken("a ping with eight bytes of length", frame(9, "", { lengthBytes: 8 })),
  broken("a ping in parts", frame(9, "a", { fin: false }) + last("b")),
  broken("a pong in parts", frame(10, "a", { fin: false })),
  broken("a goodbye in parts", frame(8, "\x03\xe8", { fin: false })),
  broken("a part of nothing", last("a")),
  broken("a part of nothing that others follow", more("a")),
  broken("a part behind a whole message", text("a") + last("b"), ["text a"]),
  broken("a part behind the last one", first("a") + last("b") + last("c"), ["text ab"]),
  broken("a message inside of another", first("a") + text("b")),
  broken("a message in parts inside of another", first("a") + first("b")),
  broken("binary data inside of a text", first("a") + frame(2, "b")),
  broken("125 in two bytes", text("x".repeat(125), { lengthBytes: 2 })),
  broken("0 in two bytes", text("", { lengthBytes: 2 })),
  broken("200 in eight bytes", text("x".repeat(200), { lengthBytes: 8 })),
  broken("65,535 in eight bytes", text("", { lengthBytes: 8, length: 65535 })),
  ended("binary data", 1003, frame(2, "hello")),
  ended("binary data in parts", 1003, frame(2, "hello", { fin: false })),
  ended("no binary data", 1003, frame(2)),
  ended("a message one byte too long", 1009, text("x".repeat(4097))),
  ended("parts that are too long together", 1009, first("x".repeat(4000)) + last("y".repeat(97))),
  ended("a part that is too long", 1009, first("a") + last("y".repeat(4096))),
  ended("a message of 64 KiB that does not come", 1009, text("", { length: 65536 })),
  ended("a message of 4 GiB that does not come", 1009, text("", { length: 2 ** 32 })),
  ended("a message of 2^53 bytes", 1009, text("", { length: 2 ** 53, lengthBytes: 8 })),
  ended("a message of 2^63 bytes", 1009, text("", { length: 2 ** 63, lengthBytes: 8 })),
  ...[
    ["a lone continuation byte", "\x80"],
    ["0xff", "\xff"],
    ["0xfe", "\xfe"],
    ["an overlong slash", "\xc0\xaf"],
    ["an overlong NUL", "\xc0\x80"],
    ["an overlong slash in three bytes", "\xe0\x80\xaf"],
    ["an overlong slash in four bytes", "\xf0\x80\x80\xaf"],
    ["the highest overlong form of two bytes", "\xc1\xbf"],
    ["the highest overlong form of three bytes", "\xe0\x9f\xbf"],
    ["the highest overlong form of four bytes", "\xf0\x8f\xbf\xbf"],
    ["the first surrogate", "\xed\xa0\x80"],
    ["the last surrogate", "\xed\xbf\xbf"],
    ["a pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80"],
    ["the first code point that is none", "\xf4\x90\x80\x80"],
    ["a character of five bytes", "\xf8\x88\x80\x80\x80"],
    ["a character of six bytes", "\xfc\x84\x80\x80\x80\x80"],
    ["a character that a letter cuts short", "\xe2\x82a"],
    ["a character that ends with the message", "\xe2\x82"],
    ["a character of four bytes that ends with the message", "\xf0\x9f\x98"],
    ["Latin-1", "sch\xf6n"],
    ["UTF-16", "\xff\xfeh\0i\0"],
  ].flatMap(([what, bytes]) => [
    ended(`${what} in a text`, 1007, text(`abc${bytes}`)),
    ended(`${what} in the last part`, 1007, first("abc") + last(bytes!)),
    ended(`${what} cut by parts`, 1007, first(`abc${bytes!.slice(0, 1)}`) + last(bytes!.slice(1))),
    ended(`${what} as a reason`, 1007, close(1000, bytes!)),
  ]),
  // Nothing that may come can make these right, so nothing is waited for.
  ended("a bad byte in a frame whose rest does not come", 1007, text("a\xff", { length: 4000 })),
  ended("a bad byte in a part that others would follow", 1007, first("a\xff")),
  broken("a goodbye of one byte", frame(8, "\x03")),
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) =>
    broken(`a goodbye with ${code}`, close(code))
  ),
  broken("a goodbye with a bad code and a reason", close(1005, "no code")),
  broken("HTTP instead of frames", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  broken("a RESP command instead of frames", "*1\r\n$4\r\nPING\r\n"),
  broken("a frame of a server", "\x81\x05hello"),
  broken("NULs", "\0\0\0\0"),
  broken("0xff everywhere", "\xff".repeat(20)),
];

function echoed(name: string, bytes: string, payload: string): WebSocketCase {
  return { name, text: bytes, answer: [`text ${payload}`] };
}

function broken(name: string, bytes: string, before: readonly string[] = []): WebSocketCase {
  return { name, text: bytes, answer: [...before, "close 1002"] };
}

function ended(name: string, code: number, bytes: string): WebSocketCase {
  return { name, text: bytes, answer: [`close ${code}`] };
}
