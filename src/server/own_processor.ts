/**
 * The processor of one's own in the threads of a server: loading it, and what it says of events that
 * are offered.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import { EventFields, MAX_FIELDS_JOB_BYTES, MAX_JOB_BYTES } from "../base/job.ts";
import { getLogger } from "../base/log.ts";
import { textOfBytes } from "../base/short_text.ts";
import type { Settlement } from "../command/event_waits.ts";
import { EventGate } from "../command/event_gate.ts";
import { OfferedEvent } from "../worker/offered_event.ts";
import { Outcome, reasonOf } from "../worker/outcome.ts";
import { type LoadedProcessor, loadProcessor, processorUrl } from "../worker/processor_module.ts";
import type { Config } from "./config.ts";
import type { SettlementMaker } from "./io_inbox.ts";
import { StartError } from "./start_error.ts";

/** How long loading a module may take. Unit: ms. Reason: one that waits for ever is told so. */
const LOAD_TIMEOUT_MS = 30_000;
/** Largest channel. Unit: bytes. Reason: it is one buffer, whose indices are fast below 1 GiB. */
const CHANNEL_MAX_BYTES = 2 ** 30;
/** Failures of `validate` that are logged in a second; the others are counted. */
const LOGGED_PER_SECOND = 10;

function ownProcessorUrl({ processor }: Config): string {
  try {
    return processorUrl(processor, Deno.cwd());
  } catch (error) {
    throw new StartError(`Cannot find the processor ${processor}: ${textOf(error)}`);
  }
}

/** What the main isolate needs of a processor of one's own. */
export interface PreparedProcessor {
  /** The module, absolute. */
  readonly url: string;
  /** What is in it. */
  readonly loaded: LoadedProcessor;
  /** Longest job of its server. Unit: bytes. */
  readonly jobBytes: number;
}

/**
 * Loads the module of `--processor`, which there is, before the server is made for it.
 *
 * Thread: main isolate.
 *
 * @throws {StartError} when it is no processor, or the other settings do not fit it
 */
export async function prepareOwnProcessor(config: Config): Promise<PreparedProcessor> {
  const url = ownProcessorUrl(config);
  const loaded = await loadOwn(config, url);
  const jobBytes = loaded.schema === undefined ? MAX_JOB_BYTES : MAX_FIELDS_JOB_BYTES;
  const most = Math.floor(CHANNEL_MAX_BYTES / (2 * jobBytes));
  if (loaded.schema !== undefined && config.channelCapacity > most) {
    throw new StartError(
      `Cannot have ${config.channelCapacity} events with further fields wait; choose at most ` +
        `${most} with --channel-capacity`,
    );
  }
  return { url, loaded, jobBytes };
}

async function loadOwn(config: Config, url: string): Promise<LoadedProcessor> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      timeout.reject(
        new StartError(
          `Cannot use the processor ${config.processor}: it was not loaded within ` +
            `${LOAD_TIMEOUT_MS / 1000} s; something that it awaits does not happen`,
        ),
      ),
    LOAD_TIMEOUT_MS,
  );
  try {
    return await Promise.race([loadProcessor(url), timeout.promise]);
  } catch (error) {
    throw error instanceof StartError ? error : new StartError(textOf(error));
  } finally {
    clearTimeout(timer);
  }
}

/** What an I/O thread needs of a processor of one's own. */
export interface OwnProcessor {
  /** Lets events through, or refuses them. */
  readonly gate: EventGate;
  /** What clients are told of outcomes. */
  readonly settlementOf: SettlementMaker;
}

/**
 * Loads the module of `--processor`, which there is, into an I/O thread.
 *
 * Thread: that one.
 *
 * @throws {StartError} when it is no processor
 */
export async function openOwnProcessor(config: Config): Promise<OwnProcessor> {
  const own = await loadOwn(config, ownProcessorUrl(config));
  return { gate: createGate(own), settlementOf: ownSettlementOf };
}

/** Makes what lets events through. Thread: the I/O thread that will ask it. */
export function createGate({ processor, schema, name }: LoadedProcessor): EventGate {
  const offered = new OfferedEvent(new EventFields());
  return new EventGate({
    schema,
    validate: processor.validate === undefined
      ? undefined
      : (event, fields) => processor.validate!(offered.show(event, fields)),
    onFailure: failureLog(name),
  });
}

/** Logs failures of `validate`, but no more of them than a log can take. */
function failureLog(processor: string): (error: unknown) => void {
  const log = getLogger("processor");
  let secondStartMs = 0;
  let loggedCount = 0;
  let unloggedCount = 0;
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - secondStartMs >= 1000) {
      secondStartMs = nowMs;
      loggedCount = 0;
    }
    if (++loggedCount > LOGGED_PER_SECOND) {
      unloggedCount++;
      return;
    }
    log.error("an event could not be validated", {
      event: "validation_failed",
      processor,
      error,
      ...(unloggedCount === 0 ? {} : { unlogged_count: unloggedCount }),
    });
    unloggedCount = 0;
  };
}

/**
 * What a client is told of an event that a processor of one's own saw to: there is no balance, but
 * perhaps a result.
 */
export function ownSettlementOf(
  outcome: number,
  _balance: Int64,
  resultBytes?: Uint8Array,
): Settlement {
  if (outcome !== Outcome.PROCESSED) return { kind: "failed", reason: reasonOf(outcome) };
  const hasResult = resultBytes !== undefined && resultBytes.length > 0;
  return {
    kind: "processed",
    balance: undefined,
    result: hasResult ? textOfBytes(resultBytes, 0, resultBytes.length) : undefined,
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
