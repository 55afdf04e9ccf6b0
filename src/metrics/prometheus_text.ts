/**
 * The text format of Prometheus.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 *
 * @module
 */

/** Value of `Content-Type` for this format. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Names and values that tell the series of a family apart; written in this order. */
export type Labels = Readonly<Record<string, string>>;

/** What a family is. */
export type FamilyKind = "counter" | "gauge" | "histogram";

/**
 * Writes one page.
 *
 * All samples of a family come together, as the format asks for, in whatever order they are added.
 *
 * Thread: any; one object per page.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { PrometheusText } from "./prometheus_text.ts";
 * const text = new PrometheusText();
 * text.family("requests_total", "Requests.", "counter").add(3, { method: "GET" });
 * assert.equal(
 *   text.toString(),
 *   '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{method="GET"} 3\n',
 * );
 * ```
 */
export class PrometheusText {
  readonly #families = new Map<string, Family>();

  /** The family of this name, which is begun when there is none. */
  family(name: string, help: string, kind: FamilyKind): Family {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = new Family(name, help, kind);
      this.#families.set(name, family);
    }
    return family;
  }

  /** The page; families in the order in which they were begun. */
  toString(): string {
    return `${Array.from(this.#families.values(), (family) => family.text).join("\n\n")}\n`;
  }
}

/** One family: a name, and samples that differ in their labels. */
export class Family {
  readonly #name: string;
  #text: string;

  /** Begins one without samples. */
  constructor(name: string, help: string, kind: FamilyKind) {
    this.#name = name;
    this.#text = `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${kind}`;
  }

  /** Its lines; the last one without its end. */
  get text(): string {
    return this.#text;
  }

  /**
   * Adds a sample.
   *
   * @param suffix of the family's name, e.g. `_bucket`
   */
  add(value: number, labels: Labels = {}, suffix = ""): void {
    this.#text += `\n${this.#name}${suffix}${labelText(labels)} ${valueText(value)}`;
  }
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) =>
    `${name}="${escapeText(value).replaceAll('"', '\\"')}"`
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function valueText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : `${value}`;
}

function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
