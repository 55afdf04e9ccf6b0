/**
 * As much of HTTP as the lab's own servers need: a request with a body, an answer with a body.
 *
 * @module
 */

const READ_BYTES = 4096;

/** A request is one line of head and a short body; more is not waited for. Unit: bytes. */
const REQUEST_MAX_BYTES = 65_536;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Reads one request.
 *
 * @returns its body; null when the client closes the connection first or says too much
 */
export async function readRequestBody(socket: Deno.Conn): Promise<string | null> {
  const chunk = new Uint8Array(READ_BYTES);
  let text = "";
  while (text.length <= REQUEST_MAX_BYTES) {
    const headEnd = text.indexOf("\r\n\r\n");
    if (headEnd >= 0) {
      const length = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0);
      const body = text.slice(headEnd + 4);
      if (body.length >= length) return body.slice(0, length);
    }
    const count = await socket.read(chunk);
    if (count === null) return null;
    text += decoder.decode(chunk.subarray(0, count));
  }
  return null;
}

/** Answers 200 with a body. */
export async function writeAnswer(socket: Deno.Conn, body: string): Promise<void> {
  let rest = encoder.encode(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${
      encoder.encode(body).length
    }\r\n\r\n${body}`,
  );
  while (rest.length > 0) rest = rest.subarray(await socket.write(rest));
}
