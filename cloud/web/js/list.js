// The list: the worst first, searchable. Only the rows in sight are elements of the page.

import { atMostEvery, byId, h, onNextFrame, setText } from "./dom.js";
import { age, ago, kilowatts, number } from "./format.js";
import { named, onLanguage, t } from "./i18n.js";
import { flareColour, sprite } from "./map/marks.js";
import { ageOf, alarmLevel, freshness, lamp, model, now, onChange, select, urgency } from "./model.js";
import { onTheme, theme } from "./theme.js";

const ROW = 52; // pixels, as in the CSS
const SPARE = 6; // rows beyond the edges
const SORT_MS = 400; // how often, at most, rows change places
const TICK_MS = 1000; // how often ages are written
const JUDGE_MS = 5000; // how often everything is judged anew as time passes
const FILTERS = ["all", "navaid", "power", "ship"];

let filter = "all";
let shown = []; // [{type, id, thing}], in order
let rows = []; // the elements in sight
let onChosen = () => {};

/** Begin; `chosen(thing)` is called when a row is chosen. */
export function begin(chosen) {
  onChosen = chosen;
  const search = byId("search");
  search.addEventListener("input", sortNow);
  const box = byId("filters");
  for (const name of FILTERS) {
    const button = h("button", { type: "button", "data-t": `list.${name}`, "aria-pressed": name === filter });
    button.addEventListener("click", () => {
      filter = name;
      for (const other of box.children) other.setAttribute("aria-pressed", other === button);
      sortNow();
    });
    box.append(button);
  }
  const list = byId("list");
  list.addEventListener("scroll", draw);
  list.addEventListener("click", (event) => {
    const row = event.target.closest("[data-n]");
    if (row) choose(Number(row.dataset.n));
  });
  list.addEventListener("keydown", onKey);
  new ResizeObserver(draw).observe(list);
  const soon = atMostEvery(SORT_MS, sortNow);
  onChange((what) => (what.selected ? draw() : soon()));
  onLanguage(sortNow);
  onTheme(draw);
  setInterval(draw, TICK_MS);
  setInterval(sortNow, JUDGE_MS);
}

const draw = onNextFrame(drawNow);

function sortNow() {
  const wanted = byId("search").value.trim().toLowerCase();
  const all = filter === "ship" ? ships() : assets();
  shown = wanted ? all.filter((row) => wordsOf(row).includes(wanted)) : all;
  setText(byId("list-count"), t("list.count", { shown: shown.length, all: all.length }));
  byId("list-space").style.height = `${shown.length * ROW}px`;
  byId("list-none").hidden = shown.length > 0;
  counts();
  draw();
}

/** What a row can be found by. */
function wordsOf({ type, id, thing }) {
  const words =
    type === "asset"
      ? [id, thing.name.zh, thing.name.en, thing.service?.device]
      : [id, thing.name, thing.callsign];
  return words.join(" ").toLowerCase();
}

/** Rows of assets, the worst first, and among equals by name. */
function assets() {
  const found = [];
  for (const thing of model.assets.values()) {
    if (filter === "navaid" && thing.type !== "navaid") continue;
    if (filter === "power" && thing.type === "navaid") continue;
    const lost = thing.presence && !thing.presence.connected ? 0 : 1;
    found.push({ type: "asset", id: thing.id, thing, order: urgency(thing) * 2 + lost });
  }
  return found.sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

function ships() {
  const found = [...model.targets].map(([id, thing]) => {
    return { type: "target", id, thing, order: thing.name ?? `~${id}` };
  });
  return found.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
}

/** How many are how: in the header. */
function counts() {
  const found = { live: 0, overdue: 0, silent: 0, never: 0, alarm: 0 };
  for (const asset of model.assets.values()) {
    if (asset.type === "berth") continue;
    found[freshness(asset)] += 1;
    if (alarmLevel(asset)) found.alarm += 1;
  }
  for (const [state, n] of Object.entries(found)) {
    const chip = byId(`count-${state}`);
    setText(chip.querySelector("b"), String(n));
    chip.classList.toggle("none", n === 0);
    chip.title = t(state === "alarm" ? "alarms.means" : `fresh.${state}.means`);
  }
}

function drawNow() {
  const list = byId("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  while (rows.length < last - first) rows.push(newRow());
  while (rows.length > last - first) rows.pop().remove();
  rows.forEach((row, n) => write(row, first + n));
  const active = rows.find((row) => row.getAttribute("aria-selected") === "true");
  if (active) list.setAttribute("aria-activedescendant", active.id);
  else list.removeAttribute("aria-activedescendant");
}

function newRow() {
  const row = h(
    "div",
    { class: "row", role: "option" },
    h("canvas", { class: "row-mark", width: 1, height: 1 }),
    h("div", { class: "row-name" }, h("b"), h("span")),
    h("div", { class: "row-state" }, h("b"), h("span")),
  );
  byId("list-space").append(row);
  return row;
}

function write(row, n) {
  const { type, id, thing } = shown[n];
  const picked = model.selected?.type === type && model.selected?.id === id;
  row.dataset.n = n;
  row.dataset.id = id;
  row.id = `row-${n}`;
  row.style.transform = `translateY(${n * ROW}px)`;
  row.setAttribute("aria-selected", picked);
  row.setAttribute("aria-posinset", n + 1);
  row.setAttribute("aria-setsize", shown.length);
  const [mark, name, state] = row.children;
  const told = type === "asset" ? tellAsset(thing) : tellShip(thing);
  row.dataset.fresh = told.fresh;
  setText(name.firstChild, told.name);
  setText(name.lastChild, told.under);
  setText(state.firstChild, told.value);
  state.firstChild.dataset.lamp = told.lamp ?? "";
  state.firstChild.dataset.alarm = told.alarm ?? "";
  setText(state.lastChild, told.side);
  drawMark(mark, type, thing, told);
}

function tellAsset(asset) {
  const fresh = freshness(asset);
  const seconds = ageOf(asset);
  const when = seconds === null ? t("fresh.never") : ago(seconds);
  const word = fresh === "live" || fresh === "never" ? "" : `${t(`fresh.${fresh}`)} · `;
  const [worst] = asset.alarms;
  const told = {
    fresh,
    name: named(asset.name),
    under: `${asset.id} · ${word}${when}`,
    alarm: alarmLevel(asset),
  };
  if (worst) told.value = t(`code.${worst.what}`);
  if (asset.type === "navaid") {
    const state = lamp(asset);
    const battery = asset.report["beacon.batt_mv"];
    const volts = battery === null || battery === undefined ? t("value.none") : `${number(battery, 2)} V`;
    return { value: t(`lamp.${state}`), ...told, lamp: state, side: volts };
  }
  const piles = asset.type === "pile" ? [asset] : asset.piles.map((id) => model.assets.get(id));
  const watts = piles.map((pile) => pile?.report["meter.p_w"]).filter((w) => typeof w === "number");
  const sum = watts.length ? watts.reduce((a, b) => a + b, 0) : null;
  const kind = asset.type === "pile" ? t("type.pile") : t("type.berth");
  const side = piles.some((pile) => pile?.report["meter.in-session"]) ? t("pile.session") : kind;
  if (worst) return { ...told, side: `${kilowatts(sum)} · ${side}` };
  return { ...told, value: kilowatts(sum), side };
}

function tellShip(target) {
  const seconds = (now() - Date.parse(target.t)) / 1000;
  const speed = target.sog_kn === null ? t("value.none") : `${number(target.sog_kn, 1)} ${t("unit.kn")}`;
  const kind = t(target.virtual ? "target.virtual" : `target.${target.kind}`);
  return {
    fresh: "live",
    name: target.name ?? String(target.mmsi),
    under: `${target.mmsi} · ${t("age.ago", { age: age(seconds) })}`,
    value: target.kind === "ship" ? speed : "",
    side: kind,
  };
}

function drawMark(canvas, type, thing, told) {
  if (type !== "asset") {
    canvas.width = 1;
    canvas.dataset.key = "";
    return;
  }
  const looks = {
    type: thing.type,
    kind: thing.kind,
    lamp: told.lamp ?? "",
    fresh: told.fresh,
    flare: thing.type === "navaid" ? flareColour(thing.station?.light) : "",
    power: thing.type === "pile" && thing.report["meter.p_w"] > 0 ? "on" : "off",
    alarm: told.alarm ?? "",
    theme: theme(),
  };
  const key = JSON.stringify(looks) + window.devicePixelRatio;
  if (canvas.dataset.key === key) return;
  canvas.dataset.key = key;
  const made = sprite(looks);
  canvas.width = made.canvas.width;
  canvas.height = made.canvas.height;
  canvas.getContext("2d").drawImage(made.canvas, 0, 0);
}

function choose(n) {
  const { type, id, thing } = shown[n];
  select({ type, id });
  onChosen(thing);
}

function onKey(event) {
  const at = shown.findIndex(({ type, id }) => model.selected?.type === type && model.selected?.id === id);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
  if (to === undefined || !shown.length) return;
  event.preventDefault();
  const n = Math.max(0, Math.min(shown.length - 1, to));
  choose(n);
  const list = byId("list");
  if (n * ROW < list.scrollTop) list.scrollTop = n * ROW;
  if ((n + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (n + 1) * ROW - list.clientHeight;
}
