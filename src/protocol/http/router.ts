/**
 * Finds what a path names.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { encodeText, equalBytes, SLASH } from "./characters.ts";
import { Resource, type Route } from "./resource.ts";
import { MAX_ROUTE_PARAMS, type RouteParams } from "./route_params.ts";

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
   * A pattern without parameters comes before one with parameters. Nothing allocates.
   *
   * @param params receives the parameters' ranges
   */
  find(bytes: Uint8Array, start: number, end: number, params: RouteParams): Resource | null;
}

/**
 * Makes a router that compares the path with each pattern in turn: right for a dozen routes.
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
    const shape = pattern.replaceAll(/:[^/]*/g, ":");
    let resource = resources.get(shape);
    if (resource === undefined) {
      resource = new Resource(pattern);
      resources.set(shape, resource);
    }
    resource.add(method, handler);
    if (isOpen) resource.isOpen = true;
  }
  return new ListRouter([...resources.values()]);
}

class ListRouter implements Router {
  readonly resources: readonly Resource[];
  readonly #exactPaths: Uint8Array[] = [];
  readonly #exactResources: Resource[] = [];
  readonly #patterns: Pattern[] = [];
  readonly #prefixes: { readonly resource: Resource; readonly bytes: Uint8Array }[] = [];

  constructor(resources: readonly Resource[]) {
    this.resources = resources;
    for (const resource of resources) {
      if (resource.pattern.includes(":")) {
        this.#patterns.push(new Pattern(resource));
      } else if (resource.pattern.endsWith("/*")) {
        this.#prefixes.push({ resource, bytes: encodeText(resource.pattern.slice(0, -1)) });
      } else {
        assert(resource.pattern.startsWith("/"), `pattern ${resource.pattern} starts with /`);
        this.#exactPaths.push(encodeText(resource.pattern));
        this.#exactResources.push(resource);
      }
    }
  }

  find(bytes: Uint8Array, start: number, end: number, params: RouteParams): Resource | null {
    params.clear();
    const exactPaths = this.#exactPaths;
    for (let i = 0; i < exactPaths.length; i++) {
      if (equalBytes(bytes, start, end, exactPaths[i]!)) return this.#exactResources[i]!;
    }
    for (const pattern of this.#patterns) {
      if (pattern.matches(bytes, start, end, params)) return pattern.resource;
    }
    for (const prefix of this.#prefixes) {
      const restStart = start + prefix.bytes.length;
      if (restStart > end || !equalBytes(bytes, start, restStart, prefix.bytes)) continue;
      params.clear();
      params.push(restStart, end);
      return prefix.resource;
    }
    return null;
  }
}

/** A pattern with parameters, cut at its slashes; a parameter is null. */
class Pattern {
  readonly resource: Resource;
  readonly #segments: (Uint8Array | null)[];

  constructor(resource: Resource) {
    this.resource = resource;
    const [front, ...segments] = resource.pattern.split("/");
    assert(front === "", `pattern ${resource.pattern} starts with /`);
    const paramCount = segments.filter((segment) => segment.startsWith(":")).length;
    assert(paramCount <= MAX_ROUTE_PARAMS, `pattern ${resource.pattern} has few parameters`);
    this.#segments = segments.map((segment) =>
      segment.startsWith(":") ? null : encodeText(segment)
    );
  }

  matches(bytes: Uint8Array, start: number, end: number, params: RouteParams): boolean {
    params.clear();
    let at = start;
    for (const segment of this.#segments) {
      if (at >= end || bytes[at] !== SLASH) return false;
      const segmentStart = ++at;
      while (at < end && bytes[at] !== SLASH) at++;
      if (segment === null) {
        if (at === segmentStart) return false;
        params.push(segmentStart, at);
      } else if (!equalBytes(bytes, segmentStart, at, segment)) {
        return false;
      }
    }
    return at === end;
  }
}
