/**
 * What finding a route costs, with 10, 1,000 and 10,000 routes, here and in well-known routers.
 *
 * Every router has the same table, a third each without, with one and with two parameters, and is
 * asked for the same {@link LOOKUPS} paths in each iteration: divide by that. Ours gets the bytes of
 * the path, as they are in the read buffer; the others get texts, and what making those from bytes
 * would cost is not counted. Ours has no layer beneath; looking at each byte of a path once is what
 * cannot be had for less.
 *
 *     deno bench --allow-read --allow-env bench/router_bench.ts
 *
 * @module
 */

import findMyWay from "find-my-way";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { TrieRouter } from "hono/router/trie-router";
import { RouteParams } from "../src/protocol/http/route_params.ts";
import { createRouter } from "../src/protocol/http/router.ts";

/** Paths in one iteration. */
const LOOKUPS = 256;

const COUNTS = [10, 1000, 10_000];

/** Most routes for the router that makes one regular expression of all: it is meant for few. */
const REG_EXP_ROUTES = 1000;

const encoder = new TextEncoder();
const nothing = (): void => {};

function patternOf(index: number): string {
  const front = `/api/v${index % 3}/resource${index}`;
  return index % 3 === 0 ? front : index % 3 === 1 ? `${front}/:id` : `${front}/:id/parts/:part`;
}

function pathOf(index: number): string {
  return patternOf(index).replace(":id", "4711").replace(":part", "wheel");
}

for (const count of COUNTS) {
  const patterns = Array.from({ length: count }, (_, index) => patternOf(index));
  const paths = Array.from({ length: LOOKUPS }, (_, i) => pathOf((i * 7919) % count));
  const group = `${count.toLocaleString("en")} routes, ${LOOKUPS} paths`;

  const router = createRouter(
    patterns.map((pattern) => ({ method: "GET", pattern, handler: nothing })),
  );
  const bytes = paths.map((path) => encoder.encode(path));
  const params = new RouteParams();
  Deno.bench({ name: "sluice", group, baseline: true }, () => {
    for (const path of bytes) {
      if (router.find(path, 0, path.length, params) === null) throw new Error("Cannot find");
    }
  });

  const finder = findMyWay();
  for (const pattern of patterns) finder.on("GET", pattern, nothing);
  Deno.bench({ name: "find-my-way", group }, () => {
    for (const path of paths) {
      if (finder.find("GET", path) === null) throw new Error("Cannot find");
    }
  });

  const routers = [
    { name: "hono TrieRouter", router: new TrieRouter<() => void>() },
    ...count > REG_EXP_ROUTES
      ? []
      : [{ name: "hono RegExpRouter", router: new RegExpRouter<() => void>() }],
  ];
  for (const { name, router } of routers) {
    for (const pattern of patterns) router.add("GET", pattern, nothing);
    Deno.bench({ name, group }, () => {
      for (const path of paths) {
        if (router.match("GET", path)[0].length === 0) throw new Error("Cannot find");
      }
    });
  }
}
