import assert from "node:assert/strict";
import { ByteWriter } from "../../../../src/base/bytes.ts";
import { Int64 } from "../../../../src/base/int64.ts";
import { ClientState } from "../../../../src/command/client_state.ts";
import { ReplyCode } from "../../../../src/command/reply_code.ts";
import { ERROR_TEXTS } from "../../../../src/protocol/resp/error_texts.ts";
import { RespSink } from "../../../../src/protocol/resp/resp_sink.ts";
import { latin1, toLatin1 } from "../../command/harness.ts";

/** What `write` puts on the wire in one protocol version. */
function written(protocol: 2 | 3, write: (sink: RespSink) => void): string {
  const client = new ClientState({ id: 1, connectedAtMs: 0 }, true);
  client.protocol = protocol;
  const sink = new RespSink(client);
  // As small as possible, so that every reply has to grow it.
  sink.output = new ByteWriter(1);
  write(sink);
  return toLatin1(sink.output.view());
}

const cases: [string, (sink: RespSink) => void, string, string?][] = [
  ["ok", (sink) => sink.ok(), "+OK\r\n"],
  ["simple", (sink) => sink.simple("PONG"), "+PONG\r\n"],
  ["integer 0", (sink) => sink.integer(0), ":0\r\n"],
  ["integer -17", (sink) => sink.integer(-17), ":-17\r\n"],
  ["integer 2^53 - 1", (sink) => sink.integer(2 ** 53 - 1), ":9007199254740991\r\n"],
  ["int64", (sink) => sink.int64(new Int64(-0x80000000, 0)), ":-9223372036854775808\r\n"],
  ["nil", (sink) => sink.nil(), "$-1\r\n", "_\r\n"],
  ["bulk", (sink) => sink.bulk(latin1("xhix"), 1, 3), "$2\r\nhi\r\n"],
  ["bulk of 0 bytes", (sink) => sink.bulk(latin1("x"), 1, 1), "$0\r\n\r\n"],
  ["bulkText", (sink) => sink.bulkText("\u00e9"), "$2\r\n\xc3\xa9\r\n"],
  ["verbatimText", (sink) => sink.verbatimText("a\n"), "$2\r\na\n\r\n", "=6\r\ntxt:a\n\r\n"],
  ["arrayStart", (sink) => sink.arrayStart(12), "*12\r\n"],
  ["setStart", (sink) => sink.setStart(2), "*2\r\n", "~2\r\n"],
  ["mapStart", (sink) => sink.mapStart(3), "*6\r\n", "%3\r\n"],
  ["error", (sink) => sink.error(ReplyCode.SYNTAX), "-ERR syntax error\r\n"],
  ["error with detail", (sink) => sink.error(ReplyCode.SERVER_BUSY, "full"), "-BUSY full\r\n"],
  ["protocolError", (sink) => sink.protocolError("bad"), "-ERR Protocol error: bad\r\n"],
];

for (const [name, write, version2, version3] of cases) {
  Deno.test(`RespSink: ${name} in both versions`, () => {
    assert.equal(written(2, write), version2);
    assert.equal(written(3, write), version3 ?? version2);
  });
}

Deno.test("RespSink: bulkStart gives room that the caller fills", () => {
  const reply = written(2, (sink) => {
    sink.ok();
    const offset = sink.bulkStart(70000);
    sink.target.fill(0x61, offset, offset + 70000);
    sink.ok();
  });
  assert.equal(reply, `+OK\r\n$70000\r\n${"a".repeat(70000)}\r\n+OK\r\n`);
});

Deno.test("RespSink: rewind takes back what came after the mark", () => {
  const reply = written(2, (sink) => {
    sink.ok();
    const mark = sink.mark();
    sink.bulkText("gone");
    sink.rewind(mark);
    sink.nil();
  });
  assert.equal(reply, "+OK\r\n$-1\r\n");
});

Deno.test("ERROR_TEXTS: every code has words of one printable line", () => {
  for (const [name, code] of Object.entries(ReplyCode)) {
    const { prefix, text } = ERROR_TEXTS[code]!;
    assert.match(prefix, /^[A-Z]+$/, name);
    assert.match(text, /^[\x20-\x7e]+$/, name);
  }
  assert.equal(ERROR_TEXTS.length, Object.keys(ReplyCode).length);
});
