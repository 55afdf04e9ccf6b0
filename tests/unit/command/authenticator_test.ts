import assert from "node:assert/strict";
import { Authenticator, FAILURE_DELAY_MS } from "../../../src/command/authenticator.ts";

const encoder = new TextEncoder();

function authenticatorOf(password: string): {
  authenticator: Authenticator;
  matches: (candidate: string) => boolean;
  failures: () => number;
  pauses: number[];
} {
  let failures = 0;
  const pauses: number[] = [];
  const authenticator = new Authenticator({
    password: encoder.encode(password),
    counters: { add: (id) => void (id === 7 && failures++) },
    failures: 7,
    pause: (durationMs) => {
      pauses.push(durationMs);
      return Promise.resolve();
    },
  });
  const matches = (candidate: string): boolean => {
    // Somewhere inside a larger buffer, as it comes from a connection.
    const bytes = encoder.encode(`xx${candidate}yy`);
    return authenticator.matches(bytes, 2, bytes.length - 2);
  };
  return { authenticator, matches, failures: () => failures, pauses };
}

Deno.test("Authenticator: matches the password and nothing else", () => {
  const { matches, authenticator } = authenticatorOf("sesame");
  assert.ok(authenticator.required);
  assert.ok(matches("sesame"));
  for (
    const wrong of [
      "",
      "s",
      "sesam",
      "sesamE",
      "Sesame",
      "sesame\0",
      "sesamesesame",
      "sesamesesamf",
    ]
  ) {
    assert.ok(!matches(wrong), wrong);
  }
  assert.ok(authenticatorOf("päss wörd").matches("päss wörd"));
});

Deno.test("Authenticator: without a password nothing is required, and nothing matches", () => {
  const { matches, authenticator } = authenticatorOf("");
  assert.ok(!authenticator.required);
  assert.ok(!matches("") && !matches("x"));
});

Deno.test("Authenticator: a wrong password is counted and its answer held back", async () => {
  const { authenticator, failures, pauses } = authenticatorOf("sesame");
  await authenticator.refuse();
  await authenticator.refuse();
  assert.equal(failures(), 2);
  for (const durationMs of pauses) {
    assert.ok(durationMs >= FAILURE_DELAY_MS / 2 && durationMs <= FAILURE_DELAY_MS);
  }
});
