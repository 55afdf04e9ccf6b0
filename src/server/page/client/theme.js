/**
 * Light and dark: as the system has it, unless the reader wants one of them.
 *
 * @module
 */

import { byId, setText } from "./dom.js";

const STORE_KEY = "sluice-theme";
const ORDER = ["auto", "light", "dark"];
const NAMES = new Map([["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]]);

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {Map<string, string>} */
const colours = new Map();
const probe = document.createElement("span");
probe.hidden = true;

/**
 * A colour of the style sheet as a canvas takes it.
 *
 * @param {string} name e.g. `done` for `--done`
 * @returns {string}
 */
export function colour(name) {
  let value = colours.get(name);
  if (value === undefined) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(--${name})`;
    value = getComputedStyle(probe).color;
    colours.set(name, value);
  }
  return value;
}

/**
 * The same with less of it.
 *
 * @param {string} name
 * @param {number} alpha
 * @returns {string}
 */
export function paleColour(name, alpha) {
  return colour(name).replace(/^rgba?\((\d+), (\d+), (\d+).*$/, `rgba($1, $2, $3, ${alpha})`);
}

/**
 * Calls `listener` whenever colours have changed.
 *
 * @param {() => void} listener
 */
export function onThemeChange(listener) {
  listeners.add(listener);
}

/** Makes the button work. */
export function startTheme() {
  const button = byId("theme", HTMLButtonElement);
  let theme = stored();
  const apply = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    setText(button, `Theme: ${NAMES.get(theme)}`);
    changed();
  };
  button.addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? "auto";
    store(theme);
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  apply();
}

function changed() {
  colours.clear();
  for (const listener of listeners) listener();
}

/** @returns {string} */
function stored() {
  try {
    const theme = localStorage.getItem(STORE_KEY) ?? "";
    return ORDER.includes(theme) ? theme : "auto";
  } catch {
    // Browsers can be told to keep nothing.
    return "auto";
  }
}

/** @param {string} theme */
function store(theme) {
  try {
    localStorage.setItem(STORE_KEY, theme);
  } catch {
    // It holds for this page, then.
  }
}
