/**
 * Bytes that a client wrote, as text that can do nothing.
 *
 * @module
 */

/** What keys and values are in replies: text, or bytes in percent encoding. */
/** @typedef {string | { encoded: string }} ClientText */

/**
 * Characters that cannot be seen, or that change the order or look of their neighbours: controls,
 * marks of direction, spaces and letters of no width, variations, halves of surrogate pairs.
 */
const UNSEEN =
  /[\p{C}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]/gu;

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
 * A key's name as it is shown, which may be nothing at all.
 *
 * @param {ClientText} key
 * @returns {string}
 */
export function shownKey(key) {
  return shownText(key) || "(empty)";
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
