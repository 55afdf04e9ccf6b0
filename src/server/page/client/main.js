/**
 * The live page: puts its parts together.
 *
 * @module
 */

import { byId, setText } from "./dom.js";
import { startEventForm } from "./event_form.js";
import { formatBytes, formatCount, formatDuration, formatRate } from "./format.js";
import { HeatMap } from "./heat_map.js";
import { History } from "./history.js";
import { KeyBrowser } from "./keys.js";
import { Lanes } from "./lanes.js";
import { showNumbers } from "./numbers.js";
import { startPassword } from "./password.js";
import { PlotCard } from "./plot.js";
import { Status } from "./status.js";
import { Stream } from "./stream.js";
import { startTheme } from "./theme.js";

/** @typedef {import("../frame.ts").PageFrame} PageFrame */

/** Pictures change so often at most for readers who want less motion. Unit: ms. */
const CALM_MS = 1000;

/** Digits that change faster cannot be read. Unit: ms. */
const TEXT_MS = 400;

startTheme();
const history = new History();
const heatMap = new HeatMap();
const lanes = new Lanes(byId("lanes", HTMLElement), byId("lanes-note", HTMLElement));
const status = new Status();
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const card = (/** @type {string} */ id) => byId(id, HTMLElement);
const rate = { format: formatRate, least: 10 };

const latencyPlot = new PlotCard({
  card: card("plot-latency"),
  format: formatDuration,
  isLogarithmic: true,
  lines: [
    { name: "settlementP50", label: "half (p50)", colour: "done" },
    { name: "settlementP99", label: "99 % (p99)", colour: "line2" },
    { name: "settlementP999", label: "99.9 % (p99.9)", colour: "lost", dash: [4, 3] },
  ],
});
const diskPlot = new PlotCard({
  card: card("plot-disk"),
  format: formatDuration,
  least: 1,
  lines: [
    { name: "syncMean", label: "mean", colour: "done", isFilled: true },
    { name: "syncP99", label: "99 % within", colour: "lost", dash: [4, 3] },
  ],
});
const plots = [
  new PlotCard({
    card: card("plot-events"),
    ...rate,
    lines: [
      { name: "acceptedRate", label: "accepted", colour: "done", isFilled: true },
      { name: "refusedRate", label: "refused", colour: "lost", dash: [6, 3] },
      { name: "failedRate", label: "failed", colour: "error", dash: [2, 2] },
    ],
  }),
  new PlotCard({
    card: card("plot-queue"),
    format: formatCount,
    least: 10,
    lines: [
      { name: "depth", label: "waiting", colour: "done", isFilled: true },
      { name: "deepest", label: "peak", colour: "line4", isQuiet: true },
      { name: "highWater", label: "most ever", colour: "lost", dash: [6, 3] },
      { name: "capacity", label: "capacity", colour: "muted", dash: [2, 3] },
    ],
  }),
  latencyPlot,
  new PlotCard({
    card: card("plot-requests"),
    ...rate,
    lines: [
      { name: "httpRate", label: "HTTP", colour: "line3" },
      { name: "respRate", label: "RESP", colour: "line1", dash: [6, 3] },
      { name: "protoRate", label: "Protobuf", colour: "line4", dash: [2, 2] },
    ],
  }),
  new PlotCard({
    card: card("plot-connections"),
    format: formatCount,
    least: 5,
    lines: [
      { name: "httpActive", label: "HTTP", colour: "line3" },
      { name: "respActive", label: "RESP", colour: "line1", dash: [6, 3] },
      { name: "protoActive", label: "Protobuf", colour: "line4", dash: [2, 2] },
    ],
  }),
  new PlotCard({
    card: card("plot-memory"),
    format: formatBytes,
    isBytes: true,
    least: 1,
    lines: [
      { name: "memoryUsed", label: "data", colour: "done", isFilled: true },
      { name: "memoryResident", label: "process", colour: "line2", dash: [6, 3] },
      { name: "memoryClients", label: "client buffers", colour: "lost", dash: [2, 2] },
      { name: "memoryMax", label: "limit of data", colour: "muted", dash: [2, 3] },
    ],
  }),
  diskPlot,
];

/** @type {PageFrame | undefined} */
let last;
let isPaused = false;
let isDrawWanted = false;
let drawnAtMs = -Infinity;
let textAtMs = -Infinity;

/** @param {PageFrame} frame */
function take(frame) {
  // A clock that went back is that of another process.
  if (last !== undefined && Math.abs(frame.at_ms - last.at_ms) > 1500) lanes.addGap();
  last = frame;
  history.add(frame);
  lanes.add(frame.lanes, frame.server.workers.running);
  // Without a history of its own, it stays as it was.
  if (!isPaused) heatMap.add(frame.shards);
  status.setServer(frame.server.readiness, frame.log?.serving === false);
  wantDraw();
}

function wantDraw() {
  if (isDrawWanted) return;
  isDrawWanted = true;
  requestAnimationFrame(() => {
    isDrawWanted = false;
    draw();
  });
}

function draw() {
  const nowMs = performance.now();
  if (isPaused || last === undefined) return;
  if (calm.matches && nowMs - drawnAtMs < CALM_MS) return;
  drawnAtMs = nowMs;
  card("plot-disk").hidden = last.log === null;
  const isTextDue = nowMs - textAtMs >= TEXT_MS;
  for (const plot of plots) plot.show(history.points, isTextDue);
  lanes.draw();
  heatMap.draw();
  if (!isTextDue) return;
  textAtMs = nowMs;
  showNumbers(last, history.points.at(-1));
}

const stream = new Stream(take, (connection) => {
  status.setConnection(connection);
  if (connection.kind === "locked") askPassword(connection.isWrong);
});
const askPassword = startPassword(() => stream.open());
const wanted = (/** @type {import("./api.js").PasswordWanted} */ { isWrong }) =>
  askPassword(isWrong);
startEventForm(wanted);
new KeyBrowser(wanted);

const pause = byId("pause", HTMLButtonElement);
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  setText(pause, isPaused ? "Go on" : "Pause");
  status.setPaused(isPaused);
  drawnAtMs = textAtMs = -Infinity;
  wantDraw();
});
byId("latency-source", HTMLSelectElement).addEventListener("change", (event) => {
  if (!(event.target instanceof HTMLSelectElement)) return;
  const { value } = event.target;
  latencyPlot.setSource((name) => name.replace("settlement", value));
});

stream.open();
