/**
 * Header lines that keep browsers from doing with a reply what nobody meant.
 *
 * @module
 */

/** For every body that a person may have written: it is what its type says. */
export const NO_SNIFFING = "X-Content-Type-Options: nosniff\r\n";

/**
 * For pages.
 *
 * Other sites may not show them in a frame, where a click may mean something else than the reader
 * sees, nor change what their relative links mean; and they learn of a link only which site it
 * was on. Scripts and styles are the pages' own business: a policy that allows those of all sites
 * there are would say nothing, and a stricter one breaks some.
 */
export const PAGE_LINES: string = "X-Frame-Options: SAMEORIGIN\r\n" +
  "Content-Security-Policy: frame-ancestors 'self'; base-uri 'self'\r\n" +
  "Referrer-Policy: strict-origin-when-cross-origin\r\n";
