/**
 * Bytes that a client wrote, as text that can do nothing.
 *
 * @module
 */

/** What keys and values are in replies: text, or bytes in percent encoding. */
/** @typedef {string | { encoded: string }} ClientText */

/**
 * Characters that cannot be seen, or that change the order in which their neighbours are seen:
 * controls, marks of direction, spaces of no width, halves of surrogate pairs.
 */
const UNSEEN =
  // deno-lint-ignore no-control-regex -- these are what it is about
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udfff]/gu;

/**
 * The text as it is shown: what cannot be seen is escaped, and bytes that are no text are `\xNN`.
 *
 * @param {ClientText} text
 * @returns {string}
 */
export function shownText(text) {
  if (typeof text === "string") return text.replaceAll(UNSEEN, escapeCharacter);
  return text.encoded.replaceAll(
    /%([0-9A-Fa-f]{2})/g,
    (_, digits) => {
      const code = Number.parseInt(digits, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : `\\x${digits.toLowerCase()}`;
    },
  );
}

/**
 * The text as it stands in a path.
 *
 * @param {ClientText} text
 * @returns {string}
 */
export function pathText(text) {
  return typeof text === "string" ? encodeURIComponent(text) : text.encoded;
}

/** @param {string} character */
function escapeCharacter(character) {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}
