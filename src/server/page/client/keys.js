/**
 * Looks at keys: a list by pattern, and one of them more closely. Changes nothing.
 *
 * @module
 */

import { ask, PasswordWanted } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { formatBytes, formatCount, formatSpan } from "./format.js";
import { pathText, shownKey, shownText } from "./key_text.js";

/** @typedef {import("./key_text.js").ClientText} ClientText */
/** @typedef {import("../../routes/key_info_json.ts").KeyInfoJson} KeyInfo */

/** Keys that are shown at a time. */
const PAGE_KEYS = 20;

/** Keys that one request looks at when there is a pattern. */
const SCANNED = 1000;

/** Requests until the reader is asked whether to go on: a rare key among millions. */
const MOST_REQUESTS = 50;

/** Details that are asked for at a time: a browser has six connections. */
const AT_A_TIME = 3;

/** The list and the details. */
export class KeyBrowser {
  /** @type {(error: PasswordWanted) => void} */
  #onPasswordWanted;
  #form = byId("key-form", HTMLFormElement);
  #rows = byId("key-rows", HTMLElement);
  #state = byId("key-state", HTMLElement);
  #more = byId("key-more", HTMLButtonElement);
  #detail = byId("key-detail", HTMLElement);
  #spoken = byId("key-spoken", HTMLElement);
  /** @type {ClientText[]} Found and not shown yet. */
  #found = [];
  #pattern = "";
  #cursor = "0";
  #shownCount = 0;
  /** Counts searches, so that an old one ends when a new one begins. */
  #search = 0;
  /** Counts looks at one key: only the last one is shown, whichever answer comes last. */
  #look = 0;
  #isBusy = false;
  /** @type {Set<string>} Keys may come twice. */
  #known = new Set();

  /** @param {(error: PasswordWanted) => void} onPasswordWanted */
  constructor(onPasswordWanted) {
    this.#onPasswordWanted = onPasswordWanted;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    this.#more.addEventListener("click", () => void this.#goOn(this.#search));
  }

  #begin() {
    this.#pattern = String(new FormData(this.#form).get("pattern") ?? "");
    this.#cursor = "0";
    this.#found = [];
    this.#known.clear();
    this.#shownCount = 0;
    this.#rows.replaceChildren();
    this.#isBusy = false;
    void this.#goOn(++this.#search);
  }

  /** @param {number} search */
  async #goOn(search) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    setText(this.#state, "Looking …");
    try {
      const isFirst = this.#shownCount === 0;
      const hadFocus = document.activeElement === this.#more;
      const isPaused = !(await this.#find(search, isFirst));
      if (search !== this.#search) return;
      const keys = this.#found.splice(0, PAGE_KEYS);
      const isMore = this.#found.length > 0 || this.#cursor !== "0";
      this.#showState(keys.length, isMore, isPaused);
      const shown = this.#show(keys, search);
      // Who pressed it goes on where it was.
      if (hadFocus && this.#more.hidden) {
        this.#rows.querySelectorAll("button")[this.#shownCount - keys.length]?.focus();
      }
      await shown;
    } catch (error) {
      if (search !== this.#search) return;
      if (error instanceof PasswordWanted) {
        setText(this.#state, "The server wants a password.");
        this.#onPasswordWanted(error);
      } else {setText(
          this.#state,
          error instanceof Refused ? error.message : "The server cannot be reached.",
        );}
    } finally {
      if (search === this.#search) this.#isBusy = false;
    }
  }

  /**
   * Asks until there is enough to show.
   *
   * @param {number} search
   * @param {boolean} isFirst
   * @returns {Promise<boolean>} false when that takes so long that the reader should be asked
   */
  async #find(search, isFirst) {
    const isAll = this.#pattern === "" || this.#pattern === "*";
    for (let requests = 0; this.#found.length < PAGE_KEYS; requests++) {
      if (this.#cursor === "0" && (requests > 0 || !isFirst)) return true;
      if (requests === MOST_REQUESTS) return false;
      const query = new URLSearchParams({ cursor: this.#cursor });
      query.set("count", String(isAll ? PAGE_KEYS : SCANNED));
      if (!isAll) query.set("match", this.#pattern);
      const response = await ask(`keys?${query}`);
      const page = await response.json();
      if (search !== this.#search) return true;
      if (!response.ok) throw new Refused(page.detail ?? page.reason ?? String(response.status));
      this.#cursor = page.cursor;
      for (const key of page.keys) {
        const path = pathText(key);
        if (this.#known.has(path)) continue;
        this.#known.add(path);
        this.#found.push(key);
      }
    }
    return true;
  }

  /**
   * @param {number} added
   * @param {boolean} isMore
   * @param {boolean} isPaused
   */
  #showState(added, isMore, isPaused) {
    this.#shownCount += added;
    const count = `${formatCount(this.#shownCount)} ${this.#shownCount === 1 ? "key" : "keys"}`;
    this.#more.hidden = !isMore;
    if (isPaused) setText(this.#state, `${count} so far; none of the last ones fits.`);
    else if (isMore) setText(this.#state, `${count}, and there are more.`);
    else setText(this.#state, this.#shownCount === 0 ? "No key fits." : `${count}, these are all.`);
  }

  /**
   * @param {readonly ClientText[]} keys
   * @param {number} search
   */
  async #show(keys, search) {
    const rows = keys.map((key) => {
      const button = make("button", { type: "button", class: "key" }, shownKey(key));
      const row = make("tr", {}, make("th", { scope: "row" }, button));
      for (let i = 0; i < 3; i++) row.append(make("td", {}, "…"));
      button.addEventListener("click", () => void this.#open(key, row));
      return row;
    });
    this.#rows.append(...rows);
    let next = 0;
    const lane = async () => {
      for (let at = next++; at < keys.length && search === this.#search; at = next++) {
        const key = keys[at];
        const row = rows[at];
        if (key === undefined || row === undefined) return;
        showInRow(row, await infoOf(key).catch((error) => error instanceof Gone ? "gone" : "?"));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  }

  /**
   * @param {ClientText} key
   * @param {HTMLTableRowElement} row
   */
  async #open(key, row) {
    const look = ++this.#look;
    for (const other of this.#rows.querySelectorAll("[aria-current]")) {
      other.removeAttribute("aria-current");
    }
    row.querySelector("button")?.setAttribute("aria-current", "true");
    try {
      const info = await infoOf(key);
      showInRow(row, info);
      if (look !== this.#look) return;
      this.#showDetail(...detailOf(key, info, () => void this.#open(key, row)));
      setText(this.#spoken, `${info.type}, ${sizeOf(info)}, shown behind the list`);
    } catch (error) {
      if (error instanceof PasswordWanted) return this.#onPasswordWanted(error);
      if (error instanceof Gone) showInRow(row, "gone");
      if (look !== this.#look) return;
      const text = error instanceof Refused ? error.message : "The server cannot be reached.";
      this.#showDetail(make("h3", { class: "key" }, shownKey(key)), make("p", {}, text));
      setText(this.#spoken, text);
    }
  }

  /** @param {...Node} nodes */
  #showDetail(...nodes) {
    const hadFocus = this.#detail.contains(document.activeElement);
    this.#detail.replaceChildren(...nodes);
    // Who pressed "Read again" with the keyboard goes on from there.
    if (hadFocus) (this.#detail.querySelector("button") ?? this.#detail).focus();
  }
}

/** The server's own words. */
class Refused extends Error {}

/** There is no such key any more. */
class Gone extends Refused {}

/**
 * @param {ClientText} key
 * @returns {Promise<KeyInfo>}
 */
async function infoOf(key) {
  const path = pathText(key);
  // Browsers take these for something else than a name, however they are written.
  if (path === "" || path === "." || path === "..") {
    throw new Refused("A browser cannot ask for a key of this name. redis-cli can.");
  }
  const response = await ask(`keys/${path}/info`);
  if (response.status === 404) throw new Gone("The key is gone.");
  const body = await response.json();
  if (!response.ok) throw new Refused(body.detail ?? body.reason ?? String(response.status));
  return body;
}

/**
 * @param {HTMLTableRowElement} row
 * @param {KeyInfo | string} info or why there is none
 */
function showInRow(row, info) {
  const texts = typeof info === "string"
    ? [info, "", ""]
    : [info.type, info.ttl_ms === null ? "none" : formatSpan(info.ttl_ms), sizeOf(info)];
  for (const [index, cell] of [...row.querySelectorAll("td")].entries()) {
    setText(cell, texts[index] ?? "");
  }
}

/** @param {KeyInfo} info */
function sizeOf({ type, length }) {
  if (type === "string") return formatBytes(length);
  const one = { list: "element", set: "member", zset: "member", hash: "field" }[type] ?? "element";
  return `${formatCount(length)} ${one}${length === 1 ? "" : "s"}`;
}

/**
 * @param {ClientText} key
 * @param {KeyInfo} info
 * @param {() => void} onRefresh
 * @returns {Node[]}
 */
function detailOf(key, info, onRefresh) {
  const refresh = make("button", { type: "button" }, "Read again");
  refresh.addEventListener("click", onRefresh);
  const facts = make("dl", { class: "facts" });
  const rows = [
    ["Type", `${info.type}, stored as ${info.encoding}`],
    ["Time to live", info.ttl_ms === null ? "none" : formatSpan(info.ttl_ms)],
    ["Size", sizeOf(info)],
    ["Memory", formatBytes(info.memory_bytes)],
  ];
  for (const [name, value] of rows) {
    facts.append(make("div", {}, make("dt", {}, name ?? ""), make("dd", {}, value ?? "")));
  }
  return [make("h3", { class: "key" }, shownKey(key)), facts, previewOf(info), refresh];
}

/**
 * @param {KeyInfo} info
 * @returns {Node}
 */
function previewOf({ type, preview, length }) {
  if (type === "string") {
    const part = preview[0];
    const text = part === undefined ? "" : shownText(part.value);
    return make("pre", { tabindex: "0", "aria-label": "Value" }, text + (part?.cut ? " …" : ""));
  }
  const heads =
    { hash: ["Field", "Value"], zset: ["Member", "Score"], list: ["#", "Element"] }[type];
  const head = make("tr");
  for (const name of heads ?? ["Member"]) head.append(make("th", { scope: "col" }, name));
  const body = make("tbody");
  for (const [index, part] of preview.entries()) {
    const value = shownText(part.value) + (part.cut ? " …" : "");
    const cells = type === "hash"
      ? [shownText(part.field ?? ""), value]
      : type === "zset"
      ? [value, part.score ?? ""]
      : type === "list"
      ? [String(index), value]
      : [value];
    const row = make("tr");
    for (const cell of cells) row.append(make("td", {}, cell));
    body.append(row);
  }
  const rest = length - preview.length;
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Value" },
    make("table", { class: "preview" }, make("thead", {}, head), body),
    rest > 0 ? make("p", { class: "when" }, `and ${formatCount(rest)} more`) : "",
  );
}
