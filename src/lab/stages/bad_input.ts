/**
 * Stage 3: whatever is sent, each input gets its own predictable reply, and the server lives.
 *
 * @module
 */

import { fromBinary, toJsonString } from "@bufbuild/protobuf";
import { ServerMessageSchema } from "../../protocol/protobuf/gen/sluice/v1/messages_pb.ts";
import { ServerChild } from "../child/server_child.ts";
import { Wire } from "../child/wire.ts";
import type { LoadProtocol } from "../load/plan.ts";
import type { StageCheck, StageReport } from "../model.ts";
import type { Stage, StageContext } from "../stage.ts";
import { HEADER_TIMEOUT_FLAG, INPUT_CASES, type InputCase, VALID } from "./bad_input_cases.ts";
import { exactly, row, summarize } from "./findings.ts";
import { LATE, pause, within } from "./patience.ts";

/** How long nothing is sent between two pieces of a request. Unit: ms. */
const SILENCE_MS = 150;

/** How long a reply may take. Unit: ms. */
const REPLY_PATIENCE_MS = 5000;

const PROTOCOL_NAMES: Readonly<Record<LoadProtocol, string>> = {
  http: "HTTP",
  resp: "RESP",
  proto: "Protobuf",
};

/** What is shown of a connection after its first reply. */
const GOES_ON = "goes on";
const CLOSED = "closed";

const decoder = new TextDecoder();

/** The third stage. */
export const badInputStage: Stage = {
  number: 3,
  title: "garbage in, a clear answer out",
  expectedSeconds: 4,
  run: async (context): Promise<StageReport> => {
    const startedAtMs = performance.now();
    const { signal } = context;
    await using server = await ServerChild.start(
      context.program,
      ["--workers", "1", "--header-timeout", HEADER_TIMEOUT_FLAG],
      signal,
    );
    const checks: StageCheck[] = [];
    const latenciesMs: number[] = [];
    let acceptedCount = 0;
    let otherCount = 0;
    for (const [i, input] of INPUT_CASES.entries()) {
      context.show(i / INPUT_CASES.length, `${PROTOCOL_NAMES[input.protocol]}, ${input.what}`);
      const port = server.port(input.protocol);
      const { seen, acceptedHere, othersHere, latencyMs } = await tryInput(input, port, context);
      acceptedCount += acceptedHere;
      otherCount += othersHere;
      latenciesMs.push(latencyMs);
      checks.push(exactly(
        `${PROTOCOL_NAMES[input.protocol]}, ${input.what}`,
        seen,
        `${input.reply} (${input.goesOn ? GOES_ON : CLOSED})`,
      ));
    }
    checks.push(...await stillServes(server, acceptedCount, signal));
    const predictable = checks.slice(0, INPUT_CASES.length).filter(({ passed }) => passed).length;
    return {
      stage: 3,
      title: badInputStage.title,
      lesson: "A server must have an answer to anything that can be sent: its own for each kind " +
        "of mistake, always the same, and never a crash.",
      server: "the real server, validating events over HTTP, RESP and Protobuf",
      load: `${INPUT_CASES.length} inputs: garbage, partial, wrong types, valid; behind each a ` +
        "valid event, where the connection goes on",
      rows: [row("3", {
        accepted: acceptedCount,
        refused: 0,
        errors: otherCount,
        latency: summarize(latenciesMs),
        figures: [{ name: "predicted replies", value: predictable, unit: "" }],
      })],
      checks,
      series: {},
      durationMs: performance.now() - startedAtMs,
    };
  },
};

/** What came of one input. */
interface InputOutcome {
  /** The reply, and whether the connection goes on. */
  readonly seen: string;
  /** Events accepted on this connection. */
  readonly acceptedHere: number;
  /** Requests on it that were answered otherwise, or not at all while it was open. */
  readonly othersHere: number;
  /** From the last piece to the reply. Unit: ms. */
  readonly latencyMs: number;
}

async function tryInput(
  { protocol, pieces }: InputCase,
  port: number,
  { signal }: StageContext,
): Promise<InputOutcome> {
  using wire = await Wire.connect(port);
  const reading = readReply(wire, protocol);
  // Whoever does not await it must not be surprised by its end.
  reading.catch(() => {});
  for (const piece of pieces.slice(0, -1)) {
    await wire.send(piece);
    if (await within(reading, SILENCE_MS, signal) !== LATE) {
      return { seen: `${await reading}, too early`, acceptedHere: 0, othersHere: 1, latencyMs: 0 };
    }
  }
  await wire.send(pieces.at(-1)!);
  const sentAtMs = performance.now();
  const reply = await within(reading, REPLY_PATIENCE_MS, signal);
  const latencyMs = performance.now() - sentAtMs;
  if (reply === LATE) return { seen: "no reply", acceptedHere: 0, othersHere: 1, latencyMs };
  const { bytes, reply: accepted } = VALID[protocol];
  const again = await answersAgain(wire, protocol, bytes, signal);
  const answers = again === null ? [reply] : [reply, again];
  const acceptedHere = answers.filter((answer) => answer === accepted).length;
  const after = again === null ? CLOSED : again === accepted ? GOES_ON : `goes on with ${again}`;
  return {
    seen: `${reply} (${after})`,
    acceptedHere,
    othersHere: answers.length - acceptedHere,
    latencyMs,
  };
}

/** The answer to another request on the same connection; null when it was closed. */
async function answersAgain(
  wire: Wire,
  protocol: LoadProtocol,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await wire.send(bytes);
    const reply = await within(readReply(wire, protocol), REPLY_PATIENCE_MS, signal);
    return reply === LATE || reply === "" ? null : reply;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error) return null;
    throw error;
  }
}

/** One reply, in the words of its protocol. */
async function readReply(wire: Wire, protocol: LoadProtocol): Promise<string> {
  if (protocol === "http") {
    const { status, body } = await wire.readAnswer();
    return `${status} ${body}`;
  }
  if (protocol === "resp") {
    const line = await wire.readUntil((bytes) => decoder.decode(bytes).endsWith("\r\n"));
    return decoder.decode(line).replace(/\r\n$/, "");
  }
  // Replies of this stage are shorter than 128 bytes, so that their length is one byte.
  const frame = await wire.readUntil((bytes) => bytes.length > 0 && bytes.length > bytes[0]!);
  return frame.length === 0 ? "" : toJsonString(
    ServerMessageSchema,
    fromBinary(
      ServerMessageSchema,
      frame.subarray(1),
    ),
  );
}

/** That the server has noticed everything and lost nothing. */
async function stillServes(
  server: ServerChild,
  acceptedCount: number,
  signal: AbortSignal,
): Promise<StageCheck[]> {
  using wire = await Wire.connect(server.port("http"));
  const health = await wire.request("GET", "/health");
  // Events are settled soon, not at once.
  await pause(SILENCE_MS, signal);
  const { body } = await wire.request("GET", "/metrics", "", ["Accept: application/json"]);
  const { processed, workers } = JSON.parse(body);
  const { code, lines } = await server.stop(signal);
  const faults = lines.filter((line) => line["level"] === "error").length;
  return [
    exactly("the server afterwards", `${health.status}`, "200"),
    exactly("accepted events that were processed", `${processed}`, `${acceptedCount}`),
    exactly("workers that died", `${workers.deaths}`, "0"),
    exactly("errors in its log, exit code", `${faults}, ${code}`, "0, 0"),
  ];
}
