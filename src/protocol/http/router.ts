/**
 * Finds what a path names.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { Resource, type Route } from "./resource.ts";
import { MAX_ROUTE_PARAMS, type RouteParams } from "./route_params.ts";
import { RouteTrie } from "./route_trie.ts";

/**
 * A set of routes.
 *
 * Thread: one I/O thread.
 */
export interface Router {
  /** Everything that it may find. */
  readonly resources: readonly Resource[];
  /**
   * The resource that the path `bytes[start, end)` names, or null.
   *
   * Segment by segment, from the left, a name comes before a parameter and that before the rest.
   * Nothing allocates.
   *
   * @param params receives the parameters' ranges
   */
  find(bytes: Uint8Array, start: number, end: number, params: RouteParams): Resource | null;
}

/**
 * Makes a router: the cost of finding a path depends on the path and not on the number of routes.
 *
 * Paths are compared byte by byte, as they are: a needless escape (`/%68ealth`) makes another path.
 *
 * @throws {AssertionFault} for a pattern that no path can match, and for a route that occurs twice
 *
 * @example
 * ```ts
 * import { createRouter } from "./router.ts";
 * import { RouteParams } from "./route_params.ts";
 *
 * const router = createRouter([{ method: "GET", pattern: "/users/:user", handler: () => {} }]);
 * const path = new TextEncoder().encode("/users/alice");
 * const found = router.find(path, 0, path.length, new RouteParams());
 * if (found?.pattern !== "/users/:user") throw new Error("Cannot route: no match");
 * ```
 */
export function createRouter(routes: readonly Route[]): Router {
  const resources = new Map<string, Resource>();
  for (const { method, pattern, handler, isOpen = false } of routes) {
    const shape = shapeOf(pattern);
    let resource = resources.get(shape);
    if (resource === undefined) {
      resource = new Resource(pattern);
      resources.set(shape, resource);
    }
    resource.add(method, handler, isOpen);
  }
  const trie = new RouteTrie();
  for (const [shape, resource] of resources) trie.add(shape, resource);
  return {
    resources: [...resources.values()],
    find: (bytes, start, end, params) => trie.find(bytes, start, end, params),
  };
}

/** The pattern without the names of its parameters, which do not tell one path from another. */
function shapeOf(pattern: string): string {
  const [front, ...segments] = pattern.split("/");
  assert(front === "" && segments.length > 0, `pattern ${pattern} starts with /`);
  const isParam = (segment: string): boolean => segment.startsWith(":") || segment === "*";
  const paramCount = segments.filter(isParam).length;
  assert(paramCount <= MAX_ROUTE_PARAMS, `pattern ${pattern} has few parameters`);
  const restAt = segments.indexOf("*");
  assert(restAt < 0 || restAt === segments.length - 1, `pattern ${pattern} ends with its *`);
  return ["", ...segments.map((segment) => segment.startsWith(":") ? ":" : segment)].join("/");
}
