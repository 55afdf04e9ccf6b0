import assert from "node:assert/strict";
import { contains, parseAddress, parseNetwork } from "../../../src/base/network.ts";

const ADDRESSES: readonly (readonly [text: string, hex: string | null])[] = [
  ["127.0.0.1", "00000000000000000000ffff7f000001"],
  ["255.255.255.255", "00000000000000000000ffffffffffff"],
  ["::", "00000000000000000000000000000000"],
  ["::1", "00000000000000000000000000000001"],
  ["2001:db8::8:800:200C:417A", "20010db80000000000080800200c417a"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
  ["::ffff:10.1.2.3", "00000000000000000000ffff0a010203"],
  ["fe80::1%eth0", "fe800000000000000000000000000001"],
  ["", null],
  ["1.2.3", null],
  ["1.2.3.4.5", null],
  ["1.2.3.256", null],
  ["01.2.3.4", null],
  ["1.2.3.4 ", null],
  [":1", null],
  ["1::2::3", null],
  ["1:2:3:4:5:6:7", null],
  ["1:2:3:4:5:6:7:8:9", null],
  ["1:2:3:4:5:6:7:8::", null],
  ["1.2.3.4::", null],
  ["12345::", null],
  ["g::", null],
];

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("parseAddress: addresses of both families, and what is none", () => {
  for (const [text, hex] of ADDRESSES) {
    const bytes = parseAddress(text);
    assert.equal(bytes === null ? null : toHex(bytes), hex, text);
  }
});

Deno.test("parseNetwork: prefixes at their bounds", () => {
  assert.equal(parseNetwork("10.0.0.0/8")?.prefixBits, 104);
  assert.equal(parseNetwork("10.0.0.1")?.prefixBits, 128);
  assert.equal(parseNetwork("::/0")?.prefixBits, 0);
  assert.equal(parseNetwork("0.0.0.0/0")?.prefixBits, 96);
  for (
    const text of ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8/8", "/8", "a/8", "fe80::%1/64"]
  ) {
    assert.equal(parseNetwork(text), null, text);
  }
});

Deno.test("contains: agrees with the addresses' bits, for every prefix", () => {
  const base = parseAddress("2001:db8:a5a5:5a5a:1234:5678:9abc:def0")!;
  for (let bit = 0; bit < 128; bit++) {
    const other = base.slice();
    other[bit >> 3]! ^= 0x80 >> (bit & 7);
    for (let prefixBits = 0; prefixBits <= 128; prefixBits++) {
      assert.equal(contains({ address: base, prefixBits }, other), prefixBits <= bit);
    }
  }
  assert.ok(contains(parseNetwork("10.0.0.0/8")!, parseAddress("::ffff:10.255.0.1")!));
  assert.ok(!contains(parseNetwork("10.0.0.0/8")!, parseAddress("11.0.0.1")!));
});
