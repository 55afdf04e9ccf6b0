/**
 * Bodies of `POST /events` and what becomes of them.
 *
 * Texts are UTF-8 unless they are given as bytes.
 *
 * @module
 */

/** A body and the expected outcome. */
export interface EventBodyCase {
  /** What is special about it; unique. */
  readonly name: string;
  /** The body. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  /**
   * - `event`: the fields are these;
   * - `invalid_event`: `detail` is what is said;
   * - `invalid_json`.
   */
  readonly expected:
    | {
      readonly kind: "event";
      readonly user: string;
      readonly amount: string;
      readonly id?: string;
    }
    | { readonly kind: "invalid_event"; readonly detail: string }
    | { readonly kind: "invalid_json" };
}

const INT64_RULE = "amount must be an integer from -9223372036854775808 to 9223372036854775807";
const USER_TEXT_RULE = "user must be UTF-8 without control characters";
const USER_LENGTH_RULE = "user must be 1 to 128 bytes";
const ACTION_LENGTH_RULE = "action must be 1 to 64 bytes";
const ID_LENGTH_RULE = "id must be 1 to 64 bytes";
const HALF_PAIR_RULE = "user must be UTF-8: it has half of a surrogate pair";
const OBJECT_RULE = "the event must be a JSON object";

/** All of them. */
export const EVENT_BODIES: readonly EventBodyCase[] = [
  event(
    "the event of the contract",
    `{"user":"alice","action":"buy","amount":100}`,
    "alice",
    "100",
  ),
  event(
    "white space everywhere",
    ` \t\r\n{ "user" : "alice" ,\n"action":"buy" , "amount" : 100 } \n`,
    "alice",
    "100",
  ),
  event("another order", `{"amount":1,"action":"buy","user":"alice"}`, "alice", "1"),
  event("a byte order mark", `\ufeff{"user":"alice","action":"buy","amount":1}`, "alice", "1"),
  event("an id", `{"id":"i-1","user":"alice","action":"buy","amount":1}`, "alice", "1", "i-1"),
  event("an id of 64 bytes", withId(`"${"i".repeat(64)}"`), "alice", "1", "i".repeat(64)),
  event(
    "unknown fields",
    `{"user":"alice","x":null,"y":1.5e-3,"action":"buy","amount":1,"z":true}`,
    "alice",
    "1",
  ),
  event(
    "nested unknown fields",
    `{"a":{"user":"eve","amount":[{"amount":2}]},"user":"alice","b":[[],{},[1,"]"]],"action":"buy","amount":1}`,
    "alice",
    "1",
  ),
  event(
    "known names in nested objects only behind",
    `{"user":"alice","action":"buy","amount":1,"c":{"amount":"x"}}`,
    "alice",
    "1",
  ),
  event(
    "duplicate keys: the last one counts",
    `{"user":"eve","user":"alice","action":"buy","amount":"x","amount":1}`,
    "alice",
    "1",
  ),
  event(
    "a key with escapes",
    `{"\\u0075ser":"alice","act\\u0069on":"buy","amount":1}`,
    "alice",
    "1",
  ),
  event(
    "keys that differ in case are unknown",
    `{"User":1,"user":"alice","action":"buy","AMOUNT":[],"amount":1}`,
    "alice",
    "1",
  ),
  event(
    "a long unknown key with escapes",
    `{"${"\\u0061".repeat(40)}":1,"user":"alice","action":"buy","amount":1}`,
    "alice",
    "1",
  ),
  event(
    "a user with escapes",
    `{"user":"a\\"\\\\\\/\\u00e9","action":"buy","amount":1}`,
    'a"\\/é',
    "1",
  ),
  event("a user of one astral character", withUser(`"😀"`), "😀", "1"),
  event("a surrogate pair in escapes", withUser(`"\\ud83d\\ude00"`), "😀", "1"),
  event("a surrogate pair in capitals", withUser(`"\\uD83D\\uDE00"`), "😀", "1"),
  event("U+FFFF and U+10FFFF", withUser(`"\\uffff\\udbff\\udfff"`), "\uffff\u{10ffff}", "1"),
  event("a user of 128 bytes", withUser(`"${"é".repeat(64)}"`), "é".repeat(64), "1"),
  event(
    "a user of 128 bytes in escapes",
    withUser(`"${"\\u0061".repeat(128)}"`),
    "a".repeat(128),
    "1",
  ),
  event("U+00A0, the first character behind the controls", withUser(`"\u00a0"`), "\u00a0", "1"),
  event("U+2028 and U+2029", withUser(`"\u2028\u2029"`), "\u2028\u2029", "1"),
  event("an amount of 0", withAmount("0"), "alice", "0"),
  event("an amount of -0", withAmount("-0"), "alice", "0"),
  event("a negative amount", withAmount("-100"), "alice", "-100"),
  event("an amount of 2^53 - 1", withAmount("9007199254740991"), "alice", "9007199254740991"),
  event("an amount of 2^53 + 1", withAmount("9007199254740993"), "alice", "9007199254740993"),
  event("an amount of -(2^53 + 1)", withAmount("-9007199254740993"), "alice", "-9007199254740993"),
  event("the greatest amount", withAmount("9223372036854775807"), "alice", "9223372036854775807"),
  event("the least amount", withAmount("-9223372036854775808"), "alice", "-9223372036854775808"),
  invalid("an amount above int64", withAmount("9223372036854775808"), INT64_RULE),
  invalid("an amount below int64", withAmount("-9223372036854775809"), INT64_RULE),
  invalid("an amount of 2^64", withAmount("18446744073709551616"), INT64_RULE),
  invalid("an amount of 40 digits", withAmount("1".repeat(40)), INT64_RULE),
  invalid("an amount with a fraction", withAmount("1.5"), INT64_RULE),
  invalid("an amount of 1.0", withAmount("1.0"), INT64_RULE),
  invalid("an amount of 1e2", withAmount("1e2"), INT64_RULE),
  invalid("an amount of 1E2", withAmount("1E+2"), INT64_RULE),
  invalid("an amount of -0.0", withAmount("-0.0"), INT64_RULE),
  invalid("an amount as a string", withAmount(`"100"`), INT64_RULE),
  invalid("an amount of null", withAmount("null"), INT64_RULE),
  invalid("an amount of true", withAmount("true"), INT64_RULE),
  invalid("an amount in an array", withAmount("[1]"), INT64_RULE),
  invalid("no amount", `{"user":"alice","action":"buy"}`, "amount is missing"),
  invalid("no action", `{"user":"alice","amount":1}`, "action is missing"),
  invalid("no user", `{"action":"buy","amount":1}`, "user is missing"),
  invalid("nothing", `{}`, "user is missing"),
  invalid(
    "a user in a nested object only",
    `{"x":{"user":"alice"},"action":"buy","amount":1}`,
    "user is missing",
  ),
  invalid("a user that is a number", withUser("1"), "user must be a string"),
  invalid("a user that is null", withUser("null"), "user must be a string"),
  invalid("a user that is an object", withUser(`{"user":"alice"}`), "user must be a string"),
  invalid(
    "an action that is an array",
    `{"user":"alice","action":["buy"],"amount":1}`,
    "action must be a string",
  ),
  invalid("an empty user", withUser(`""`), USER_LENGTH_RULE),
  invalid("a user of 129 bytes", withUser(`"${"u".repeat(129)}"`), USER_LENGTH_RULE),
  invalid(
    "a user of 65 characters and 130 bytes",
    withUser(`"${"é".repeat(65)}"`),
    USER_LENGTH_RULE,
  ),
  invalid(
    "a user of 129 bytes in escapes",
    withUser(`"${"\\u0061".repeat(129)}"`),
    USER_LENGTH_RULE,
  ),
  invalid("a user of 100,000 bytes", withUser(`"${"u".repeat(100_000)}"`), USER_LENGTH_RULE),
  invalid("a user with a line feed", withUser(`"a\\nb"`), USER_TEXT_RULE),
  invalid("a user with NUL", withUser(`"\\u0000"`), USER_TEXT_RULE),
  invalid("a user with DEL", withUser(`"\x7f"`), USER_TEXT_RULE),
  invalid("a user with a control character above ASCII", withUser(`"\u0085"`), USER_TEXT_RULE),
  invalid("the same as an escape", withUser(`"\\u009f"`), USER_TEXT_RULE),
  invalid("the first half of a surrogate pair", withUser(`"\\ud800"`), HALF_PAIR_RULE),
  invalid("the first half and text", withUser(`"\\ud800x"`), HALF_PAIR_RULE),
  invalid("the first half twice", withUser(`"\\ud800\\ud800"`), HALF_PAIR_RULE),
  invalid("the first half and an escape", withUser(`"\\ud800\\n"`), HALF_PAIR_RULE),
  invalid("the second half of a surrogate pair", withUser(`"\\udc00"`), HALF_PAIR_RULE),
  invalid("a surrogate pair the wrong way round", withUser(`"\\ude00\\ud83d"`), HALF_PAIR_RULE),
  invalid("an empty action", `{"user":"alice","action":"","amount":1}`, ACTION_LENGTH_RULE),
  invalid(
    "an action of 65 bytes",
    `{"user":"alice","action":"${"a".repeat(65)}","amount":1}`,
    ACTION_LENGTH_RULE,
  ),
  invalid("an empty id", withId(`""`), ID_LENGTH_RULE),
  invalid("an id of 65 bytes", withId(`"${"i".repeat(65)}"`), ID_LENGTH_RULE),
  invalid("an id that is a number", withId("7"), "id must be a string"),
  invalid("an id that is null", withId("null"), "id must be a string"),
  invalid("an id with a tab", withId(`"a\\tb"`), "id must be UTF-8 without control characters"),
  invalid("an array", `[{"user":"alice","action":"buy","amount":1}]`, OBJECT_RULE),
  invalid("a string", `"alice"`, OBJECT_RULE),
  invalid("a number", `100`, OBJECT_RULE),
  invalid("null", `null`, OBJECT_RULE),
  notJson("no body", ""),
  notJson("white space", " \n"),
  notJson("a word", "hello"),
  notJson("a form", "user=alice&action=buy&amount=1"),
  notJson("half an object", `{"user":"alice","action":"buy","amount":1`),
  notJson("an object that ends in a key", `{"user":"alice","act`),
  notJson("two objects", `${withAmount("1")}${withAmount("1")}`),
  notJson("text behind the object", `${withAmount("1")}x`),
  notJson("NUL behind the object", `${withAmount("1")}\0`),
  notJson("a comma too many", `{"user":"alice","action":"buy","amount":1,}`),
  notJson("a comma in front", `{,"user":"alice","action":"buy","amount":1}`),
  notJson("a missing comma", `{"user":"alice" "action":"buy","amount":1}`),
  notJson("a missing colon", `{"user" "alice","action":"buy","amount":1}`),
  notJson("single quotes", `{'user':'alice','action':'buy','amount':1}`),
  notJson("keys without quotes", `{user:"alice",action:"buy",amount:1}`),
  notJson("a comment", `{/**/"user":"alice","action":"buy","amount":1}`),
  notJson("an amount with a leading zero", withAmount("0100")),
  notJson("an amount with a plus", withAmount("+1")),
  notJson("a hexadecimal amount", withAmount("0x10")),
  notJson("an amount that starts with a dot", withAmount(".5")),
  notJson("an amount that ends with a dot", withAmount("1.")),
  notJson("an amount with an empty exponent", withAmount("1e")),
  notJson("a lone minus", withAmount("-")),
  notJson("NaN", withAmount("NaN")),
  notJson("Infinity", withAmount("-Infinity")),
  notJson("an amount with an underscore", withAmount("1_000")),
  notJson("True", withAmount("True")),
  notJson("half of a literal", withAmount("tru")),
  notJson("a line feed in a string", withUser(`"a\nb"`)),
  notJson("a tab in a string", withUser(`"a\tb"`)),
  notJson("an unknown escape", withUser(`"\\x41"`)),
  notJson("an octal escape", withUser(`"\\101"`)),
  notJson("a short escape", withUser(`"\\u12"`)),
  notJson("an escape that is not hexadecimal", withUser(`"\\u00zz"`)),
  notJson("a string that ends with a backslash", `{"user":"alice\\`),
  notJson("brackets that do not match", `{"x":[{]},"user":"alice","action":"buy","amount":1}`),
  notJson("a no-break space as white space", `\u00a0${withAmount("1")}`),
  notJson("a byte order mark in the middle", `{\ufeff"user":"alice","action":"buy","amount":1}`),
  notJson("10,000 open brackets", "[".repeat(10_000)),
  notJson("10,000 nested arrays in a field", `{"x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`),
  notJson("a lone continuation byte", inUser(0x80)),
  notJson("a sequence that is cut off", inUser(0xc3)),
  notJson("an overlong slash", inUser(0xc0, 0xaf)),
  notJson("an overlong sequence of three", inUser(0xe0, 0x80, 0xaf)),
  notJson("an overlong sequence of four", inUser(0xf0, 0x80, 0x80, 0xaf)),
  notJson("a surrogate in UTF-8", inUser(0xed, 0xa0, 0x80)),
  notJson("a character above U+10FFFF", inUser(0xf4, 0x90, 0x80, 0x80)),
  notJson("a byte that is never in UTF-8", inUser(0xff)),
  notJson(
    "invalid UTF-8 in an unknown field",
    bytesOf(`{"x":"`, [0xff], `","user":"alice","action":"buy","amount":1}`),
  ),
  notJson("UTF-16", bytesOf("", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], "")),
];

function withUser(user: string): string {
  return `{"user":${user},"action":"buy","amount":1}`;
}

function withAmount(amount: string): string {
  return `{"user":"alice","action":"buy","amount":${amount}}`;
}

function withId(id: string): string {
  return `{"user":"alice","action":"buy","amount":1,"id":${id}}`;
}

function inUser(...bytes: number[]): Uint8Array<ArrayBuffer> {
  return bytesOf(`{"user":"`, bytes, `","action":"buy","amount":1}`);
}

function bytesOf(
  before: string,
  bytes: readonly number[],
  behind: string,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  return Uint8Array.from([...encoder.encode(before), ...bytes, ...encoder.encode(behind)]);
}

function event(
  name: string,
  body: string,
  user: string,
  amount: string,
  id?: string,
): EventBodyCase {
  return {
    name,
    body,
    expected: { kind: "event", user, amount, ...(id === undefined ? {} : { id }) },
  };
}

function invalid(name: string, body: string, detail: string): EventBodyCase {
  return { name, body, expected: { kind: "invalid_event", detail } };
}

function notJson(name: string, body: string | Uint8Array<ArrayBuffer>): EventBodyCase {
  return { name, body, expected: { kind: "invalid_json" } };
}
