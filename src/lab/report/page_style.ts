/**
 * The report's style sheet: one file, no fonts to fetch, light and dark, screen and paper.
 *
 * @module
 */

import { colourProperties } from "./palette.ts";

const SANS = `system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif`;
const SERIF = `Charter, "Bitstream Charter", "Sitka Text", Cambria, "Noto Serif", Georgia, serif`;

/** Surfaces and signs that plots do not use. */
const LIGHT = "--ground:#faf9f6;--rule:#dedbd3;--pass:#1a6b3c;--fail:#b3261e;--fail-ground:#fdeceb";
const DARK = "--ground:#111418;--rule:#343a42;--pass:#6fce97;--fail:#ff9a90;--fail-ground:#3a1a18";

/** All of it. */
export const PAGE_STYLE: string = `
:root { color-scheme: light dark; ${colourProperties("light")};${LIGHT} }
@media screen and (prefers-color-scheme: dark) {
  :root { ${colourProperties("dark")};${DARK} }
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: clamp(1.25rem, 4vw, 4rem) clamp(1rem, 4vw, 4rem) 5rem;
  max-width: 100rem; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.55 ${SERIF}; overflow-wrap: break-word;
}
h1, h2, h3, figcaption strong { font-family: ${SANS}; line-height: 1.2; text-wrap: balance; }
h1 { font-size: clamp(1.9rem, 1.4rem + 2.2vw, 3.2rem); letter-spacing: -0.025em; margin: 0 0 0.6rem; }
h2 { font-size: clamp(1.35rem, 1.2rem + 0.6vw, 1.75rem); letter-spacing: -0.015em; margin: 0; }
h3 { font-size: 0.8125rem; font-weight: 600; margin: 1.4rem 0 0.4rem; color: var(--muted); }
p { margin: 0.5rem 0; max-width: 42rem; }
a { color: inherit; text-decoration-color: var(--rule); text-underline-offset: 0.2em; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 2px solid var(--done); outline-offset: 2px; }
.lead { font-size: 1.2rem; line-height: 1.5; color: var(--muted); max-width: 46rem; }
.lead b { color: var(--ink); font-weight: 600; }
.lead b.fail { color: var(--fail); }
.facts {
  display: flex; flex-wrap: wrap; gap: 0.9rem 2.4rem; margin: 1.8rem 0 0; padding: 1rem 0;
  border-block: 1px solid var(--rule); font: 0.875rem/1.4 ${SANS};
}
.facts div, .about > *, .plot > * { min-width: 0; }
.facts dt { color: var(--muted); font-size: 0.8125rem; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.strip {
  display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 0.5rem;
  list-style: none; margin: 1.6rem 0 0; padding: 0; font: 0.875rem/1.3 ${SANS};
}
.strip a {
  display: block; height: 100%; padding: 0.6rem 0.75rem; border: 1px solid var(--rule);
  border-radius: 0.5rem; background: var(--paper); text-decoration: none;
}
.strip a:hover { border-color: var(--muted); }
.strip b { display: flex; justify-content: space-between; font-size: 1.05rem; }
.strip a > span { color: var(--muted); }
.pass { color: var(--pass); }
.fail { color: var(--fail); font-weight: 600; }
.strip a.failed, .failures { border: 2px solid var(--fail); background: var(--fail-ground); }
.failures { margin: 1.6rem 0 0; padding: 0.9rem 1.2rem; border-radius: 0.5rem; font-family: ${SANS}; }
.failures h2 { font-size: 1.1rem; color: var(--fail); }
.failures ul { margin: 0.5rem 0 0; padding-left: 1.2rem; font-size: 0.9375rem; }
.summary { margin-top: 3.2rem; }
.stage { margin-top: 4rem; padding-top: 1.6rem; border-top: 1px solid var(--rule); }
.stage > header { display: grid; gap: 0.2rem 1rem; grid-template-columns: auto minmax(0, 1fr); align-items: baseline; }
.number {
  font: 650 clamp(1.35rem, 1.2rem + 0.6vw, 1.75rem)/1.2 ${SANS}; color: var(--muted);
  font-variant-numeric: tabular-nums;
}
.lesson { font-size: 1.125rem; }
.about { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 3rem; }
.setting { display: grid; align-content: start; grid-template-columns: auto minmax(0, 1fr); gap: 0.3rem 1rem; margin: 1rem 0 0; font: 0.9375rem/1.45 ${SANS}; }
.setting dt { color: var(--muted); }
.setting dd { margin: 0; }
.scroll { overflow-x: auto; margin: 0.8rem 0 0; }
table { border-collapse: collapse; font: 0.875rem/1.4 ${SANS}; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: 0.8125rem; padding-bottom: 0.4rem; }
th, td { padding: 0.36rem 0.5rem; text-align: left; vertical-align: baseline; }
th { font-weight: 600; }
thead th { color: var(--muted); font-size: 0.8125rem; vertical-align: bottom; white-space: nowrap; }
thead tr:last-child th { border-bottom: 1px solid var(--muted); }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
tbody th, tr:first-child > th:first-child { padding-left: 0; }
.number-cell { text-align: right; white-space: nowrap; }
.notes { color: var(--muted); font: 0.875rem/1.5 ${SANS}; margin-top: 0.8rem; }
.summary .scroll { margin-top: 2.2rem; }
.checks td { overflow-wrap: anywhere; }
.checks .same { white-space: nowrap; color: var(--muted); }
.about.long { display: block; }
.small-tables { display: flex; flex-wrap: wrap; gap: 0.4rem 3rem; }
.small-tables > * { max-width: 100%; }
.small-tables th[scope="row"] { font-weight: 400; }
.comparison { width: 100%; }
.comparison tbody th {
  position: sticky; left: 0; background: var(--ground); min-width: 11.5rem; max-width: 16rem;
}
.comparison .group { border-left: 1px solid var(--rule); }
.comparison tbody th span { font-weight: 400; color: var(--muted); margin-left: 0.35em; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 40rem), 1fr));
  gap: 1.4rem; margin-top: 1.6rem; align-items: start;
}
.full { grid-column: 1 / -1; }
figure {
  container-type: inline-size; margin: 0; padding: clamp(0.9rem, 2vw, 1.5rem);
  background: var(--paper); border: 1px solid var(--rule); border-radius: 0.6rem;
  break-inside: avoid;
}
figcaption { margin-bottom: 1.1rem; font: 0.9375rem/1.5 ${SANS}; color: var(--muted); max-width: 46rem; }
figcaption strong { display: block; font-size: 1.0625rem; line-height: 1.3; color: var(--ink); margin-bottom: 0.35rem; }
svg { display: block; width: 100%; height: auto; }
svg.wide { max-width: 48rem; }
.full svg.wide { max-width: 68rem; }
svg.narrow { display: none; max-width: 27rem; }
@container (max-width: 31rem) {
  .plot svg.wide { display: none; }
  .plot svg.narrow { display: block; }
}
@container (max-width: 44rem) {
  .full .plot svg.wide { display: none; }
  .full .plot svg.narrow { display: block; }
}
@container (min-width: 60rem) {
  .plot { display: grid; grid-template-columns: minmax(15rem, 1fr) minmax(0, 48rem); gap: 2.5rem; }
  .full .plot { display: block; }
}
@container (min-width: 84rem) {
  .full .plot { display: grid; grid-template-columns: minmax(17rem, 1fr) minmax(0, 64rem); }
}
.beside { color: var(--muted); font: 0.9375rem/1.5 ${SANS}; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--muted); font: 0.8125rem/1.5 ${SANS}; }
@media (min-width: 40rem) and (max-width: 80rem) {
  .comparison th, .comparison td { padding: 0.36rem 0.3rem; }
  .comparison tbody th { min-width: 10rem; padding-left: 0; }
}
@media (max-width: 40rem) {
  body { font-size: 1rem; }
  .strip { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .comparison tbody th { min-width: 4rem; max-width: 7rem; }
  .comparison tbody th span { display: none; }
}
@media (min-width: 90rem) {
  .strip { grid-template-columns: repeat(10, minmax(0, 1fr)); }
}
@media print {
  @page { size: A4; margin: 14mm; }
  :root { --ground: #fff; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  .stage { margin-top: 1.4rem; padding-top: 0.9rem; }
  .stage > header, h2, h3, .lesson, caption { break-after: avoid; }
  p, tr, .comparison, .strip li, .facts div, .about, .setting, .small-tables > * {
    break-inside: avoid;
  }
  .summary { margin-top: 2rem; }
  .lead, .lesson { font-size: 11pt; }
  .setting, table, .beside { font-size: 9pt; }
  .about.long { break-inside: auto; }
  .figures { display: block; }
  /* Paper gets the wide drawings, whatever its width. */
  figure { container-type: normal; margin-top: 0.8rem; padding: 0.7rem; border-color: #ccc; }
  figcaption { margin-bottom: 0.6rem; font-size: 8.5pt; max-width: none; }
  figcaption strong { font-size: 9.5pt; }
  svg.wide { max-width: 38rem; }
  .full svg.wide { max-width: none; }
  .strip { grid-template-columns: repeat(5, minmax(0, 1fr)); }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; }
  .comparison { font-size: 6.6pt; }
  .comparison th, .comparison td { padding: 0.2rem 0.25rem; }
  .comparison thead th { font-size: 6.6pt; white-space: normal; }
  .comparison tbody th { position: static; min-width: 8.5rem; padding-left: 0; }
  a { text-decoration: none; }
}
`;
