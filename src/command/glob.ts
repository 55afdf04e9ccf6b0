/**
 * Glob patterns, where commands look for them.
 *
 * @module
 */

export { matchesGlob } from "../base/glob.ts";
