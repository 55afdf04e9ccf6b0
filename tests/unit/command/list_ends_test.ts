/** Commands at both ends of a list, against an array: what they remember of its last leaf is right. */

import assert from "node:assert/strict";
import { effort } from "../../helpers/effort.ts";
import { Dice } from "../store/collection_helpers.ts";
import { Harness } from "./harness.ts";

const SEED = 51_407;

function request(...words: string[]): string {
  return `*${words.length}\r\n` + words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

/** Requests with the replies that the model has for them. */
class Script {
  text = "";
  replies = "";
  readonly model: string[] = [];

  push(name: "LPUSH" | "RPUSH", element: string): void {
    if (name === "LPUSH") this.model.unshift(element);
    else this.model.push(element);
    this.text += request(name, "list", element);
    this.replies += `:${this.model.length}\r\n`;
  }

  pop(name: "LPOP" | "RPOP"): void {
    const element = name === "LPOP" ? this.model.shift() : this.model.pop();
    this.text += request(name, "list");
    this.replies += element === undefined ? "$-1\r\n" : `$${element.length}\r\n${element}\r\n`;
  }
}

Deno.test("list ends: a list that shrinks to one leaf, whose front moves between pops at the back", async () => {
  const dice = new Dice(SEED);
  for (let round = 0; round < effort(20, 200); round++) {
    const script = new Script();
    let made = 0;
    const element = () => `${made++}`.padEnd(1 + dice.roll(22), "x");
    // Several leaves, then 36 to 60 uneven elements in what is left of one.
    const grown = 200 + dice.roll(300);
    const [grow, shrink] = dice.roll(2) === 0
      ? ["LPUSH", "RPOP"] as const
      : ["RPUSH", "LPOP"] as const;
    for (let i = 0; i < grown; i++) script.push(grow, element());
    const left = 36 + dice.roll(24);
    while (script.model.length > left) script.pop(shrink);
    for (let i = 0; i < 60; i++) {
      script.pop("RPOP");
      for (let j = dice.roll(3); j > 0; j--) {
        if (script.model.length < 36 || dice.roll(2) === 0) script.push("LPUSH", element());
        else script.pop("LPOP");
      }
      if (script.model.length < 36 || dice.roll(4) === 0) script.push("RPUSH", element());
    }
    const { model } = script;
    script.text += request("LRANGE", "list", "0", "-1");
    script.replies += `*${model.length}\r\n` +
      model.map((each) => `$${each.length}\r\n${each}\r\n`).join("");
    const harness = new Harness();
    assert.equal(await harness.connect(4096).send(script.text), script.replies, `round ${round}`);
    harness.store.assertInvariants();
  }
});
