/**
 * Media types of files.
 *
 * @module
 */

import mime from "mime";

const COMPRESSIBLE = new RegExp(
  "^(text/.+|image/(svg\\+xml|bmp|vnd\\.microsoft\\.icon|x-ms-bmp)|font/(ttf|otf|collection)|" +
    "application/(.+\\+(json|xml|text)|json|json5|javascript|ecmascript|xml|xml-dtd|wasm|rtf|" +
    "vnd\\.ms-fontobject|sql|toml|x-sh|x-httpd-php|x-ndjson|postscript))$",
);

/** What a file's name says about its content. */
export interface MediaType {
  /** Value of `Content-Type`, e.g. `text/html; charset=utf-8`. */
  readonly text: string;
  /** Whether compressing it is worth the work: never what is compressed already. */
  readonly isCompressible: boolean;
  /** Whether browsers show it as a page of its own. */
  readonly isPage: boolean;
}

/**
 * The media type of a file with this name; `application/octet-stream` when the name says nothing.
 * Text is taken for UTF-8.
 *
 * Thread: any.
 */
export function mediaTypeOf(path: string): MediaType {
  const type = mime.getType(path) ?? "application/octet-stream";
  return {
    text: type.startsWith("text/") ? `${type}; charset=utf-8` : type,
    isCompressible: COMPRESSIBLE.test(type),
    isPage: type === "text/html" || type === "application/xhtml+xml" || type === "image/svg+xml",
  };
}
