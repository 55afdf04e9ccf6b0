/**
 * Bodies that are made for a request, in a coding that its client takes.
 *
 * @module
 */

import { encodeText } from "../../protocol/http/characters.ts";
import { Coding, CODING_NAMES, CodingChooser } from "../../protocol/http/content_coding.ts";
import type { HttpExchange } from "../../protocol/http/exchange.ts";
import { HttpError } from "../../protocol/http/http_error.ts";
import type { Compressor } from "../compressor.ts";
import { MemorySource } from "../static/sources.ts";

/** Shorter bodies travel in one packet or two either way. Unit: bytes. */
const CODED_MIN_BYTES = 1024;

/** Longer bodies are sent as they are. Unit: bytes. Reason: as for files, 64 slices. */
const CODED_MAX_BYTES = 1024 * 1024;

/** Longer ones go out as the client takes them. Unit: bytes. Reason: as for files. */
const ONE_WRITE_BYTES = 65536;

/**
 * Bodies that are kept for that, each counted once.
 *
 * Unit: bytes. Reason: clients that ask one after the other and take nothing would keep a body each.
 * Beyond it, bodies are copied to the connection's output, which counts as client memory.
 */
const KEPT_BODIES_MAX_BYTES = 4 * 1024 * 1024;

const VARY = "Vary: Accept-Encoding\r\n";

/** The header lines by coding. */
const LINES: readonly Uint8Array[] = CODING_NAMES.map((name, coding) =>
  encodeText(coding === Coding.IDENTITY ? VARY : `Content-Encoding: ${name}\r\n${VARY}`)
);

/** What a body became by coding, as far as anybody asked. */
type Forms = (Promise<Uint8Array<ArrayBuffer> | undefined> | undefined)[];

/**
 * Sends bodies compressed to those who take that.
 *
 * Not for bodies in which something that only their reader may know stands next to something that an
 * attacker chose and can have that reader ask for: from the lengths one could be guessed by way of
 * the other. Replies with numbers only are none of those; nor is anything where the password is in a
 * field that browsers do not send by themselves, so that no other site can have its reader ask.
 *
 * Thread: one per I/O thread.
 */
export class CodedBodies {
  readonly #compressor: Compressor;
  readonly #chooser = new CodingChooser();
  /** For bodies that are sent to several. */
  readonly #forms = new WeakMap<Uint8Array, Forms>();
  /** Bodies that clients are taking, with their number. */
  readonly #kept = new Map<Uint8Array, number>();
  #keptBytes = 0;

  /** Sends what `compressor` makes. */
  constructor(compressor: Compressor) {
    this.#compressor = compressor;
  }

  /**
   * Answers 200 with `body`.
   *
   * @param body must not change until the reply is written
   * @param isShared whether the same array is sent to others, too; it is compressed once, then
   * @throws {HttpError} 406 when the client takes no coding
   */
  send(
    exchange: HttpExchange,
    contentType: Uint8Array,
    body: Uint8Array<ArrayBuffer>,
    isShared = false,
  ): void | Promise<void> {
    const codings = this.#chooser.choose(exchange.request);
    const coding = codings[0];
    if (coding === undefined) throw new HttpError(406, "not_acceptable", "see Accept-Encoding");
    const isLengthRight = body.length >= CODED_MIN_BYTES && body.length <= CODED_MAX_BYTES;
    const isPlainTaken = codings.includes(Coding.IDENTITY);
    if (coding === Coding.IDENTITY || (!isLengthRight && isPlainTaken)) {
      return this.#answer(exchange, contentType, body, LINES[Coding.IDENTITY]!);
    }
    return this.#sendCoded(exchange, contentType, body, coding, isShared);
  }

  async #sendCoded(
    exchange: HttpExchange,
    contentType: Uint8Array,
    body: Uint8Array<ArrayBuffer>,
    coding: Coding,
    isShared: boolean,
  ): Promise<void> {
    const coded =
      await (isShared ? this.#formOf(body, coding) : this.#compressor.compress(body, coding));
    // When too many wait to be compressed, what is asked for matters more than its length.
    const lines = LINES[coded === undefined ? Coding.IDENTITY : coding];
    this.#answer(exchange, contentType, coded ?? body, lines!);
  }

  #answer(
    exchange: HttpExchange,
    contentType: Uint8Array,
    body: Uint8Array<ArrayBuffer>,
    lines: Uint8Array,
  ): void {
    if (body.length <= ONE_WRITE_BYTES || !this.#tryKeep(body)) {
      return exchange.sendBody(200, contentType, body, 0, body.length, lines);
    }
    exchange.sendKept(200, contentType, new MemorySource(body, () => this.#letGo(body)), lines);
  }

  #tryKeep(body: Uint8Array): boolean {
    const clients = this.#kept.get(body) ?? 0;
    if (clients === 0) {
      if (this.#keptBytes + body.length > KEPT_BODIES_MAX_BYTES) return false;
      this.#keptBytes += body.length;
    }
    this.#kept.set(body, clients + 1);
    return true;
  }

  #letGo(body: Uint8Array): void {
    const clients = this.#kept.get(body)! - 1;
    if (clients > 0) {
      this.#kept.set(body, clients);
      return;
    }
    this.#kept.delete(body);
    this.#keptBytes -= body.length;
  }

  #formOf(
    body: Uint8Array<ArrayBuffer>,
    coding: Coding,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    let forms = this.#forms.get(body);
    if (forms === undefined) this.#forms.set(body, forms = []);
    return forms[coding] ??= this.#compressor.compress(body, coding);
  }
}
