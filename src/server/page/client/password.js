/**
 * Asks for the password, as often as it is wanted.
 *
 * @module
 */

import { setPassword } from "./api.js";
import { byId, setText } from "./dom.js";

/**
 * Makes the dialog work.
 *
 * @param {() => void} onGiven
 * @returns {(isWrong: boolean) => void} opens it
 */
export function startPassword(onGiven) {
  const dialog = byId("password-dialog", HTMLDialogElement);
  const form = byId("password-form", HTMLFormElement);
  const input = byId("password", HTMLInputElement);
  const problem = byId("password-problem", HTMLElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    setPassword(input.value);
    input.value = "";
    isWanted = false;
    dialog.close();
    onGiven();
  });
  let isWanted = false;
  // Without it there is nothing to see. Browsers let nobody keep a dialog open who is told so twice.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => {
    if (isWanted) dialog.showModal();
  });
  return (isWrong) => {
    isWanted = true;
    setText(problem, isWrong ? "That is not the password." : "");
    input.setAttribute("aria-invalid", String(isWrong));
    if (!dialog.open) dialog.showModal();
    input.focus();
  };
}
