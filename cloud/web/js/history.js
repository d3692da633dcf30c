// The chart of one field: its mean, the band between min and max, and gaps where nothing came.

import uPlot from "/lib/uplot/uPlot.esm.js";

import { get } from "./api.js";
import { byId, fill, h, setText } from "./dom.js";
import { moment, number } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { now } from "./model.js";
import { onTheme } from "./theme.js";

const RANGES = { "1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400 };
const OFTEN_S = 60; // reports that come so often fill an hour
const HEIGHT = 190;
const REFRESH_MS = 15_000;
const WATTS = "W";
const FIRST = ["beacon.batt_mv", "meter.p_w"]; // shown unless something else was chosen

let path = null; // of the asset or device whose history is shown
let fields = []; // [{key, unit}] that can be chosen
let range = "24h";
let picked = false; // whether the user chose the range
let plot = null;
let last = null; // the last answer
let asked = 0;

/** Begin: make the buttons. */
export function begin() {
  const box = byId("chart-ranges");
  for (const name of Object.keys(RANGES)) {
    const button = h("button", { type: "button", "data-t": `chart.${name}`, "data-range": name });
    button.addEventListener("click", () => {
      picked = true;
      setRange(name);
      load();
    });
    box.append(button);
  }
  setRange(range);
  byId("chart-field").addEventListener("change", load);
  onTheme(draw);
  onLanguage(() => {
    name();
    draw();
  });
  new ResizeObserver(resize).observe(byId("chart"));
  setInterval(() => path && document.visibilityState === "visible" && load(), REFRESH_MS);
}

function setRange(name) {
  range = name;
  for (const button of byId("chart-ranges").children) {
    button.setAttribute("aria-pressed", button.dataset.range === name);
  }
}

/**
 * Show the history below an API path; null: nothing. The field stays, if it is there too.
 *
 * Unless the user chose one, the range goes by the interval between reports, in seconds.
 */
export function show(newPath, choices, interval) {
  const moved = newPath !== path;
  path = newPath;
  if (moved && !picked) setRange(interval !== null && interval <= OFTEN_S ? "1h" : "24h");
  const same = choices.length === fields.length && choices.every((f, n) => f.key === fields[n].key);
  fields = choices;
  if (!same) name();
  byId("history").hidden = !path || fields.length === 0;
  if (moved || !same) {
    last = null;
    draw();
    load();
  }
}

function name() {
  const choice = byId("chart-field");
  const kept = choice.value;
  fill(choice, fields.map(({ key }) => h("option", { value: key }, t(key))));
  const wanted = [kept, ...FIRST].find((key) => fields.some((field) => field.key === key));
  if (wanted) choice.value = wanted;
}

async function load() {
  const field = byId("chart-field").value;
  if (!path || !field) return;
  asked += 1;
  const mine = asked;
  const to = now();
  const from = to - RANGES[range] * 1000;
  const points = Math.max(60, Math.round(byId("chart").clientWidth));
  const query = new URLSearchParams({
    field,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    points,
  });
  try {
    const answer = await get(`${path}/history?${query}`);
    if (mine !== asked) return;
    last = { ...answer, start: from / 1000, end: to / 1000 };
    draw();
  } catch (error) {
    if (mine !== asked) return;
    last = null;
    draw();
    setText(byId("chart-note"), t("chart.failed", { why: error.message }));
  }
}

function draw() {
  plot?.destroy();
  plot = null;
  const none = !last || last.count.every((n) => n === 0);
  setText(byId("chart-note"), last && none ? t("chart.none") : "");
  byId("chart").dataset.values = last ? last.count.reduce((a, b) => a + b, 0) : 0;
  if (none) return;
  const kilo = last.unit === WATTS;
  const unit = kilo ? t("unit.kW") : t(`unit.${last.unit}`);
  const scaled = (column) => (kilo ? column.map((v) => (v === null ? null : v / 1000)) : column);
  const data = [last.t, scaled(last.max), scaled(last.min), scaled(last.mean)];
  plot = new uPlot(options(last.unit === "flag", unit), data, byId("chart"));
}

function options(isFlag, unit) {
  const style = getComputedStyle(document.documentElement);
  const colour = (part) => style.getPropertyValue(`--${part}`).trim();
  const axis = { stroke: colour("text-soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const value = (_, v) => (v === null ? t("value.none") : `${number(v, 3)} ${unit}`.trim());
  const paths = isFlag ? { paths: uPlot.paths.stepped({ align: 1 }) } : {};
  const days = last.end - last.start > 2 * 86_400;
  return {
    width: byId("chart").clientWidth,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { min: last.start, max: last.end, range: (_, min, max) => [min, max] },
      y: { range: isFlag ? [-0.15, 1.15] : padded },
    },
    axes: [
      {
        ...axis,
        size: 30,
        space: 64,
        values: (_, splits) =>
          splits.map((s) => (days ? dayOf(s * 1000) : moment(s * 1000, { date: false }))),
      },
      isFlag
        ? { ...axis, size: 46, splits: [0, 1], values: () => [t("value.no"), t("value.yes")] }
        : { ...axis, size: 46, values: (_, splits) => splits.map((v) => number(v, 3)) },
    ],
    series: [
      { label: t("chart.time"), value: (_, v) => (v === null ? t("value.none") : moment(v * 1000, { seconds: true })) },
      { label: t("chart.max"), stroke: colour("chart-edge"), width: 1, points: { show: false }, value, ...paths },
      { label: t("chart.min"), stroke: colour("chart-edge"), width: 1, points: { show: false }, value, ...paths },
      { label: t("chart.mean"), stroke: colour("chart-line"), width: 1.75, points: { show: last.t.length < 40, size: 4 }, value, ...paths },
    ],
    bands: [{ series: [1, 2], fill: colour("chart-band") }],
  };
}

/** Leave some room above and below; around a value that never changes, too. */
function padded(_, low, high) {
  const room = (high - low) * 0.1 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

function dayOf(ms) {
  const date = new Date(ms);
  return `${date.getMonth() + 1}-${String(date.getDate()).padStart(2, "0")}`;
}

function resize() {
  const width = byId("chart").clientWidth;
  if (plot && width > 0 && Math.abs(width - plot.width) > 1) plot.setSize({ width, height: HEIGHT });
}
