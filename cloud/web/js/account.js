// What came of a device and what did not, as its gateways count it; and an aid's own AIS.

import { get } from "./api.js";
import { atMostEvery, byId, fill, h } from "./dom.js";
import { age, distance, moment, number, position } from "./format.js";
import * as geo from "./geo.js";
import { has, lang, t } from "./i18n.js";

const READ_MS = 5000; // how often the starts are read while they are seen, at most
const COUNTS = ["records", "missing", "conflicts", "told", "filled", "duplicates"];
const MARKS = { missing: "warning", conflicts: "alarm" }; // what nobody may overlook when it is not 0
const COLUMNS = ["boot", "records", "missing", "conflicts", "told", "clock", "since"];

let device = null; // whose starts are shown
let drawn = null; // what is on the page, so that it is not written again every second

/** Begin. */
export function begin() {
  const read = atMostEvery(READ_MS, readStarts);
  byId("account-starts").addEventListener("toggle", readStarts);
  setInterval(() => byId("account-starts").open && !byId("panel").hidden && read(), READ_MS);
}

/** Show an account of a device, or none. */
export function show(id, account) {
  byId("panel-account").hidden = !account;
  if (device !== id) {
    device = id;
    byId("account-starts").open = false;
    fill(byId("account-body"));
  }
  if (!account) return;
  const text = JSON.stringify([account, lang()]);
  if (text === drawn) return;
  drawn = text;
  fill(byId("account-counts"), COUNTS.map((name) => count(name, account[name])));
  fill(
    byId("account-facts"),
    facts(account).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

function count(name, n) {
  const mark = n > 0 ? (MARKS[name] ?? null) : null;
  return h("span", { "data-account": name, "data-mark": mark }, `${t(`account.${name}`)} `, h("b", {}, number(n, 0)));
}

function facts(account) {
  const heard = account.links.map(({ link, last }, n) => {
    return [n ? " · " : "", `${t(`link.${link}`)} `, since(last)];
  });
  return [
    account.missing && [t("account.gaps"), gaps(account)],
    [t("account.clock"), clock(account)],
    heard.length && [t("account.heard"), heard],
  ].filter(Boolean);
}

/** An age that the panel keeps up to date. */
function since(iso) {
  return h("span", { class: "age", "data-since": Date.parse(iso) });
}

/** Write the open gaps: "12: 4–5, 9 …". */
function gaps(account) {
  const starts = Map.groupBy(account.gaps, (gap) => gap.boot);
  const range = ({ first, last }) => (first === last ? String(first) : `${first}–${last}`);
  const parts = [...starts].map(([boot, some]) => {
    return t("account.gaps.of", { boot, seqs: some.map(range).join(", ") });
  });
  const named = account.gaps.reduce((sum, gap) => sum + gap.last - gap.first + 1, 0);
  return parts.join(" · ") + (named < account.missing ? " …" : "");
}

function clock({ source, uncertainty_ms: ms }) {
  if (source === null) return t("account.clock.unset");
  const name = has(`code.${source}`) ? t(`code.${source}`) : source;
  if (ms === null) return name;
  return `${name} ±${ms < 1000 ? `${ms} ms` : age(Math.ceil(ms / 1000))}`;
}

async function readStarts() {
  const asked = device;
  if (!asked || !byId("account-starts").open) return;
  let starts;
  try {
    starts = await get(`/api/devices/${asked}/account`);
  } catch {
    return; // the panel says when the centre does not answer; the rows stay as they were
  }
  if (asked !== device) return;
  fill(byId("account-head"), COLUMNS.map((name) => h("th", { scope: "col" }, t(`account.${name}`))));
  fill(byId("account-body"), starts.map(startRow));
}

function startRow(start) {
  const cell = (name) => {
    const mark = start[name] > 0 ? (MARKS[name] ?? null) : null;
    return h("td", {}, h("span", { "data-mark": mark }, number(start[name], 0)));
  };
  return h(
    "tr",
    { title: start.gateways.join(" ") },
    h("th", { scope: "row" }, String(start.boot)),
    ["records", "missing", "conflicts", "told"].map(cell),
    h("td", {}, clock(start)),
    h("td", {}, moment(Date.parse(start.first))),
  );
}

/** Return the fact of an aid's own AIS: [name, …lines]; null for one that has none. */
export function aidFact(ais, station) {
  if (!ais) return null;
  const name = `${t("aid.title")} ${ais.mmsi}`;
  if (!ais.t) return [name, h("span", { "data-mark": "warning" }, t("aid.never"))];
  const words = [
    ais.virtual && [t("target.virtual"), null],
    ais.off_position !== null && (ais.off_position ? [t("aid.off"), "alarm"] : [t("aid.on"), null]),
    ais.healthy !== null && (ais.healthy ? [t("aid.healthy"), null] : [t("aid.ill"), "alarm"]),
    ais.light && [t(`aid.light.${ais.light}`), ais.light === "failed" ? "alarm" : null],
    ais.racon && [t(`aid.racon.${ais.racon}`), ais.racon === "failed" ? "alarm" : null],
  ].filter(Boolean);
  const away = station ? ` · ${t("panel.offset")} ${distance(geo.distance(station, ais))}` : "";
  return [
    name,
    h("span", { class: "chips" }, words.map(([text, mark]) => h("span", { "data-mark": mark }, text))),
    h("small", {}, `${position(ais)}${away}`),
    h(
      "small",
      {},
      ais.name ? `${ais.name} · ` : "",
      `${t("aid.heard", { by: ais.heard_by })} · `,
      since(ais.t),
    ),
  ];
}
