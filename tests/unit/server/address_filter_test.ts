import assert from "node:assert/strict";
import { parseAddress } from "../../../src/base/network.ts";
import { AddressFilter } from "../../../src/server/address_filter.ts";

function admitted(filter: AddressFilter, ...addresses: string[]): string[] {
  return addresses.filter((address) => filter.admits(parseAddress(address)));
}

Deno.test("AddressFilter: two empty lists let everybody in", () => {
  const filter = new AddressFilter([], []);
  assert.ok(filter.admitsAll);
  assert.deepEqual(admitted(filter, "10.0.0.1", "::1"), ["10.0.0.1", "::1"]);
});

Deno.test("AddressFilter: with an allow list only its networks come in", () => {
  const filter = new AddressFilter(["10.0.0.0/8", "2001:db8::/32"], []);
  assert.ok(!filter.admitsAll);
  assert.deepEqual(
    admitted(filter, "10.9.9.9", "11.0.0.1", "::ffff:10.1.1.1", "2001:db8::7", "2001:db9::7"),
    ["10.9.9.9", "::ffff:10.1.1.1", "2001:db8::7"],
  );
});

Deno.test("AddressFilter: deny beats allow, and alone keeps out only its networks", () => {
  const both = new AddressFilter(["10.0.0.0/8"], ["10.1.0.0/16", "::1"]);
  assert.deepEqual(admitted(both, "10.0.0.1", "10.1.0.1", "::1"), ["10.0.0.1"]);
  const alone = new AddressFilter([], ["127.0.0.0/8"]);
  assert.deepEqual(admitted(alone, "127.0.0.1", "::ffff:127.9.9.9", "8.8.8.8"), ["8.8.8.8"]);
});

Deno.test("AddressFilter: what is no address comes in only when everybody does", () => {
  assert.ok(new AddressFilter([], []).admits(null));
  assert.ok(!new AddressFilter([], ["10.0.0.1"]).admits(null));
});
