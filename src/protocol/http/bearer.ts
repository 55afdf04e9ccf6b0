/**
 * The password of a request: `Authorization: Bearer <password>`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 *
 * @module
 */

import type { Authenticator } from "../../command/authenticator.ts";
import { encodeText, equalIgnoringCase, SPACE } from "./characters.ts";
import type { HttpRequest } from "./request.ts";

const AUTHORIZATION = encodeText("authorization");
const BEARER = encodeText("bearer");

/** What a request says about who sends it. */
export const Credentials = {
  /** Nothing, or nothing that is understood. */
  MISSING: 0,
  /** A password, but not the one. */
  WRONG: 1,
  /** The password. */
  RIGHT: 2,
} as const;

/** One of the values of {@link Credentials}. */
export type Credentials = (typeof Credentials)[keyof typeof Credentials];

/**
 * Looks for the password; two `Authorization` fields are as good as none.
 *
 * Thread: any. Allocates nothing.
 */
export function credentialsOf(request: HttpRequest, authenticator: Authenticator): Credentials {
  const field = request.findField(AUTHORIZATION);
  if (field < 0 || request.findField(AUTHORIZATION, field + 1) >= 0) return Credentials.MISSING;
  const { bytes } = request;
  const end = request.valueEnd(field);
  let at = request.valueStart(field);
  const schemeEnd = at + BEARER.length;
  if (schemeEnd >= end || !equalIgnoringCase(bytes, at, schemeEnd, BEARER)) {
    return Credentials.MISSING;
  }
  at = schemeEnd;
  while (at < end && bytes[at] === SPACE) at++;
  if (at === schemeEnd) return Credentials.MISSING;
  return authenticator.matches(bytes, at, end) ? Credentials.RIGHT : Credentials.WRONG;
}
