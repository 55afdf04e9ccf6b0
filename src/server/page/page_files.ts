/**
 * The files of the live page, as text inside of the program: nothing is read from disk, and the
 * executable needs nothing beside it.
 *
 * Loaded when somebody first asks for the page.
 *
 * @module
 */

import icon from "./client/icon.svg" with { type: "text" };
import page from "./client/index.html" with { type: "text" };
import partsStyle from "./client/parts.css" with { type: "text" };
import style from "./client/style.css" with { type: "text" };
import apiScript from "./client/api.js" with { type: "text" };
import domScript from "./client/dom.js" with { type: "text" };
import eventFormScript from "./client/event_form.js" with { type: "text" };
import formatScript from "./client/format.js" with { type: "text" };
import heatMapScript from "./client/heat_map.js" with { type: "text" };
import heatScaleScript from "./client/heat_scale.js" with { type: "text" };
import historyScript from "./client/history.js" with { type: "text" };
import keyTextScript from "./client/key_text.js" with { type: "text" };
import keysScript from "./client/keys.js" with { type: "text" };
import lanesScript from "./client/lanes.js" with { type: "text" };
import mainScript from "./client/main.js" with { type: "text" };
import numbersScript from "./client/numbers.js" with { type: "text" };
import passwordScript from "./client/password.js" with { type: "text" };
import plotScript from "./client/plot.js" with { type: "text" };
import sseParserScript from "./client/sse_parser.js" with { type: "text" };
import statusScript from "./client/status.js" with { type: "text" };
import streamScript from "./client/stream.js" with { type: "text" };
import themeScript from "./client/theme.js" with { type: "text" };
import libraryScript from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import libraryStyle from "uplot/dist/uPlot.min.css" with { type: "text" };

/** One file. */
export interface PageFile {
  /** Its name under `/page/`; empty for the page itself. */
  readonly name: string;
  /** Media type. */
  readonly type: string;
  /** What is in it. */
  readonly text: string;
}

const LIBRARY_NOTICE = "/*! uPlot, Copyright (c) 2022 Leon Sorokin, MIT License */\n";

/** By name. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "api.js": apiScript,
  "dom.js": domScript,
  "event_form.js": eventFormScript,
  "format.js": formatScript,
  "heat_map.js": heatMapScript,
  "heat_scale.js": heatScaleScript,
  "history.js": historyScript,
  "key_text.js": keyTextScript,
  "keys.js": keysScript,
  "lanes.js": lanesScript,
  "main.js": mainScript,
  "numbers.js": numbersScript,
  "password.js": passwordScript,
  "plot.js": plotScript,
  "sse_parser.js": sseParserScript,
  "status.js": statusScript,
  "stream.js": streamScript,
  "theme.js": themeScript,
  "uplot.js": LIBRARY_NOTICE + libraryScript,
};

/** All of them. */
export const PAGE_FILES: readonly PageFile[] = [
  { name: "", type: "text/html; charset=utf-8", text: page },
  { name: "icon.svg", type: "image/svg+xml", text: icon },
  { name: "parts.css", type: "text/css; charset=utf-8", text: partsStyle },
  { name: "style.css", type: "text/css; charset=utf-8", text: style },
  { name: "uplot.css", type: "text/css; charset=utf-8", text: LIBRARY_NOTICE + libraryStyle },
  ...Object.entries(SCRIPTS).map(([name, text]) => ({
    name,
    type: "text/javascript; charset=utf-8",
    text,
  })),
];
