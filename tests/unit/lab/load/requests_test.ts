import assert from "node:assert/strict";
import { toJson } from "@bufbuild/protobuf";
import { sizeDelimitedDecodeStream } from "@bufbuild/protobuf/wire";
import { ClientMessageSchema } from "../../../../src/protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { authRequest, EventRequests } from "../../../../src/lab/load/requests.ts";

const TARGET = { hostname: "::1", port: 8080, password: "user0 user00 user000" };
const USERS = [1, 9, 10, 42, 999, 1000, 1_000_000];

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

async function messageIn(bytes: Uint8Array): Promise<unknown> {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(bytes);
  }
  const messages = sizeDelimitedDecodeStream(ClientMessageSchema, source());
  const { value } = await messages[Symbol.asyncIterator]().next();
  return toJson(ClientMessageSchema, value);
}

Deno.test("EventRequests: http posts an event with host, password and the right length", () => {
  const requests = new EventRequests({ ...TARGET, protocol: "http" });
  for (const user of [...USERS, ...USERS]) {
    const [head, body] = textOf(requests.forUser(user)).split("\r\n\r\n");
    assert.equal(body, `{"user":"user${user}","action":"stress","amount":1}`);
    assert.deepEqual(head!.split("\r\n"), [
      "POST /events HTTP/1.1",
      "Host: [::1]:8080",
      "Authorization: Bearer user0 user00 user000",
      "Content-Type: application/json",
      `Content-Length: ${body!.length}`,
    ]);
  }
});

Deno.test("EventRequests: resp is an EVENT with lengths that fit", () => {
  const requests = new EventRequests({ ...TARGET, protocol: "resp" });
  for (const user of [...USERS, ...USERS]) {
    assert.equal(
      textOf(requests.forUser(user)),
      `*4\r\n$5\r\nEVENT\r\n$${4 + String(user).length}\r\nuser${user}\r\n` +
        "$6\r\nstress\r\n$1\r\n1\r\n",
    );
  }
});

Deno.test("EventRequests: proto is an Event with its length in front", async () => {
  const requests = new EventRequests({ ...TARGET, protocol: "proto" });
  for (const user of [...USERS, ...USERS]) {
    assert.deepEqual(await messageIn(requests.forUser(user)), {
      event: { user: `user${user}`, action: "stress", amount: "1" },
    });
  }
});

Deno.test("authRequest: says the password first where it does not come with each request", async () => {
  const password = "pässword";
  assert.equal(authRequest({ ...TARGET, password, protocol: "http" }), null);
  assert.equal(
    textOf(authRequest({ ...TARGET, password, protocol: "resp" })!),
    "*2\r\n$4\r\nAUTH\r\n$9\r\npässword\r\n",
  );
  assert.deepEqual(
    await messageIn(authRequest({ ...TARGET, password, protocol: "proto" })!),
    { authRequest: { password } },
  );
  for (const protocol of ["http", "resp", "proto"] as const) {
    assert.equal(authRequest({ ...TARGET, password: undefined, protocol }), null);
  }
});
