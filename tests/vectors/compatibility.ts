/**
 * The page about differences from Redis.
 *
 * @module
 */

import { DIFFERENCES, FACT_DIFFERENCES, NON_GOALS } from "./differences.ts";

/** Writes the page as Markdown. */
export function compatibilityPage(): string {
  const differences = DIFFERENCES.map(({ what, reason }) => `- ${what} ${reason}`);
  const facts = FACT_DIFFERENCES.map((difference) => {
    const names = difference.names.map((name) => name === "*" ? "all" : `\`${name}\``).join(", ");
    const flags = [
      ...(difference.without ?? []).map((flag) => `no \`${flag}\``),
      ...(difference.with ?? []).map((flag) => `\`${flag}\``),
    ].join(", ");
    return `- ${names}: ${difference.fact}${
      flags === "" ? "" : ` (${flags})`
    }. ${difference.reason}`;
  });
  const missing = NON_GOALS.map(({ names, reason }) =>
    `- ${reason} ${names.map((name) => `\`${name.toUpperCase().replace("|", " ")}\``).join(", ")}`
  );
  return `# Compatibility

This page is made from \`tests/vectors/differences.ts\` by \`deno task docs:compatibility\`.

The replies of Redis 7.0 to thousands of commands, in both versions of the protocol, are recorded in
\`tests/vectors/recorded/\`. The tests play all of them to this server. What is not answered in the
same bytes is here, with the reason. Elements of sets, fields of hashes and keys come in no
particular order, here as there.

## Replies

${differences.join("\n")}

## What \`COMMAND INFO\` says

${facts.join("\n")}

## Commands of Redis 7.0 that are not here

They are refused, with an error that says so. A name with \`*\` stands for all that begin so.

${missing.join("\n")}
`;
}
