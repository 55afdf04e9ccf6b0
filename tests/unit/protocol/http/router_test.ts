import assert from "node:assert/strict";
import fc from "fast-check";
import { HttpMethod } from "../../../../src/protocol/http/method.ts";
import type { HttpHandler } from "../../../../src/protocol/http/resource.ts";
import { RouteParams } from "../../../../src/protocol/http/route_params.ts";
import { createRouter } from "../../../../src/protocol/http/router.ts";
import { latin1, toLatin1 } from "./support.ts";

const nothing: HttpHandler = () => {};

const router = createRouter([
  "/",
  "/events",
  "/users/:user",
  "/users/me",
  "/users/:user/orders/:order",
  "/metrics",
  "/static/*",
  "/:language/about",
].map((pattern) => ({ method: "GET", pattern, handler: nothing })));

Deno.test("Router: a star at the end matches the rest of the path, which may be empty", () => {
  const patterns = ["/static", "/static/*", "/static-2", "/:any"];
  const starred = createRouter(
    patterns.map((pattern) => ({ method: "GET", pattern, handler: nothing })),
  );
  const cases: [path: string, pattern: string | null, rest: string | undefined][] = [
    ["/static", "/static", undefined],
    ["/static/", "/static/*", ""],
    ["/static/a", "/static/*", "a"],
    ["/static/a/b%2f/", "/static/*", "a/b%2f/"],
    ["/static//", "/static/*", "/"],
    ["/static/../x", "/static/*", "../x"],
    ["/static-2", "/static-2", undefined],
    ["/other/a", null, undefined],
  ];
  for (const [path, pattern, rest] of cases) {
    const bytes = latin1(path);
    const params = new RouteParams();
    const found = starred.find(bytes, 0, bytes.length, params);
    assert.equal(found?.pattern ?? null, pattern, path);
    if (rest === undefined) continue;
    assert.equal(params.count, 1);
    assert.equal(toLatin1(bytes.subarray(params.start(0), params.end(0))), rest);
  }
});

Deno.test("Router: find names the pattern and its parameters", () => {
  const cases: [path: string, pattern: string | null, params: string[]][] = [
    ["/", "/", []],
    ["/events", "/events", []],
    ["/metrics", "/metrics", []],
    ["/users/alice", "/users/:user", ["alice"]],
    ["/users/a%2Fb", "/users/:user", ["a%2Fb"]],
    ["/users/me", "/users/me", []],
    ["/users/mee", "/users/:user", ["mee"]],
    ["/users/..", "/users/:user", [".."]],
    ["/users/a/orders/7", "/users/:user/orders/:order", ["a", "7"]],
    ["/users/", null, []],
    ["/users", null, []],
    ["/users//orders/7", null, []],
    ["/users/a/", null, []],
    ["/users/a/orders", null, []],
    ["/users/a/orders/7/8", null, []],
    ["/users/a/order/7", null, []],
    ["/event", null, []],
    ["/events/", null, []],
    ["/static/", "/static/*", [""]],
    ["/static/a", "/static/*", ["a"]],
    ["/static/a/../b", "/static/*", ["a/../b"]],
    ["/static//", "/static/*", ["/"]],
    ["/static", null, []],
    ["/static/about", "/static/*", ["about"]],
    ["/statistic/about", "/:language/about", ["statistic"]],
    ["/users/about", "/users/:user", ["about"]],
    ["/events/about", "/:language/about", ["events"]],
    ["/:language/about", "/:language/about", [":language"]],
    ["//events", null, []],
    ["/EVENTS", null, []],
    ["*", null, []],
    ["", null, []],
  ];
  const params = new RouteParams();
  for (const [path, pattern, expected] of cases) {
    const bytes = latin1(`GET ${path} HTTP`);
    const resource = router.find(bytes, 4, 4 + path.length, params);
    assert.equal(resource?.pattern ?? null, pattern, path);
    if (resource === null) continue;
    const found = Array.from(
      { length: params.count },
      (_, i) => toLatin1(bytes.subarray(params.start(i), params.end(i))),
    );
    assert.deepEqual(found, expected, path);
  }
});

Deno.test("Router: routes of one pattern are one resource", () => {
  const get: HttpHandler = () => {};
  const post: HttpHandler = () => {};
  const both = createRouter([
    { method: "GET", pattern: "/keys/:key", handler: get },
    { method: "DELETE", pattern: "/keys/:name", handler: post },
  ]);
  const path = latin1("/keys/a");
  const resource = both.find(path, 0, path.length, new RouteParams());
  assert.equal(resource?.handlerFor(HttpMethod.GET), get);
  assert.equal(resource?.handlerFor(HttpMethod.HEAD), get);
  assert.equal(resource?.handlerFor(HttpMethod.DELETE), post);
  assert.equal(resource?.handlerFor(HttpMethod.PUT), null);
  assert.equal(resource?.handlerFor(HttpMethod.OTHER), null);
  assert.equal(resource?.allow, "GET, HEAD, DELETE, OPTIONS");
});

Deno.test("Router: a route that is wrong is refused when the router is made", () => {
  const make = (method: string, ...patterns: string[]) => () =>
    createRouter(patterns.map((pattern) => ({ method, pattern, handler: nothing })));
  assert.throws(make("GET", "/a", "/a"), /route GET \/a occurs once/);
  assert.throws(make("GET", "/a/:b", "/a/:c"), /occurs once/);
  assert.throws(make("BREW", "/a"), /known method/);
  assert.throws(make("GET", "a"), /starts with/);
  assert.throws(make("GET", "a/:b"), /starts with/);
  assert.throws(make("GET", ""), /starts with/);
  assert.throws(make("GET", "/a/*/b"), /ends with its \*/);
  assert.throws(make("GET", "/a/*", "/a/*"), /occurs once/);
  assert.throws(make("GET", "/:a".repeat(9)), /few parameters/);
});

Deno.test("Router: a table with every byte of a path finds each and nothing else", () => {
  const names = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
    .filter((name) => !"/:*".includes(name));
  const wide = createRouter(
    names.map((name) => ({ method: "GET", pattern: `/${name}x`, handler: nothing })),
  );
  const params = new RouteParams();
  for (const name of [...names, "\xe4", "\0", ":", "*"]) {
    const path = latin1(`/${name}x`);
    const found = wide.find(path, 0, path.length, params);
    assert.equal(found?.pattern ?? null, names.includes(name) ? `/${name}x` : null);
  }
});

/** What a path names by the rule: the first segment that differs decides, names before parameters. */
function findByRule(
  patterns: readonly string[],
  path: string,
): { pattern: string; params: string[] } | null {
  const rank = (segment: string): number => segment === "*" ? 2 : segment.startsWith(":") ? 1 : 0;
  const matches = patterns.flatMap((pattern) => {
    const names = pattern.split("/").map((segment) =>
      segment === "*" ? "(.*)" : segment.startsWith(":") ? "([^/]+)" : segment
    );
    const match = new RegExp(`^${names.join("/")}$`, "s").exec(path);
    return match === null ? [] : [{ pattern, params: match.slice(1) }];
  });
  matches.sort((a, b) => {
    const [left, right] = [a.pattern.split("/").map(rank), b.pattern.split("/").map(rank)];
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      const difference = (left[i] ?? -1) - (right[i] ?? -1);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  return matches[0] ?? null;
}

Deno.test("Router: random tables find what comparing with every pattern finds", () => {
  const name = fc.constantFrom("a", "ab", "abc", "b", "ba", ":p", ":q");
  const pattern = fc.tuple(
    fc.array(name, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("", "", "/*", "/"),
  ).map(([names, end]) => `/${names.join("/")}${end}`);
  const segment = fc.constantFrom("a", "ab", "abc", "abcd", "b", "ba", "c", "");
  const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) =>
    `/${parts.join("/")}`
  );
  const params = new RouteParams();
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, {
        maxLength: 12,
        selector: (text) => text.replaceAll(/:\w/g, ":"),
      }),
      fc.array(path, { maxLength: 12 }),
      (patterns, paths) => {
        const random = createRouter(
          patterns.map((text) => ({ method: "GET", pattern: text, handler: nothing })),
        );
        for (const text of paths) {
          const bytes = latin1(text);
          const resource = random.find(bytes, 0, bytes.length, params);
          const expected = findByRule(patterns, text);
          assert.equal(resource?.pattern ?? null, expected?.pattern ?? null, text);
          if (expected === null) continue;
          const found = Array.from(
            { length: params.count },
            (_, i) => text.slice(params.start(i), params.end(i)),
          );
          assert.deepEqual(found, expected.params, text);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
