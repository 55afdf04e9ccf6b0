import assert from "node:assert/strict";
import { listen } from "../../../src/server/listen.ts";
import { StartError } from "../../../src/server/start_error.ts";

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert(error instanceof StartError);
    assert.equal(error.message.includes("\n"), false, "one line");
    return error.message;
  }
  return assert.fail("it did not throw");
}

Deno.test("listen: a port in use is named, with what to do", () => {
  using first = listen("http", "127.0.0.1", 0);
  const { port } = first.addr;
  const message = messageOf(() => listen("resp", "127.0.0.1", port));
  assert.match(message, new RegExp(`127\\.0\\.0\\.1:${port} for resp: the port is in use`));
  assert.match(message, /--resp-port/);
});

Deno.test("listen: an address of another machine is named, with what to do", () => {
  // TEST-NET-1 of RFC 5737: nobody has it.
  assert.match(messageOf(() => listen("http", "192.0.2.1", 0)), /192\.0\.2\.1:0.*--host/);
});

Deno.test("listen: a host that means nothing is named, with what to do", () => {
  assert.match(messageOf(() => listen("http", "no such host", 0)), /no such host:0.*--host/);
});
