// The view of devices and of the system: who serves nothing, who is unknown, what went wrong where.

import { get } from "./api.js";
import { atMostEvery, byId, fill, h, setText } from "./dom.js";
import { age, ago, moment, number } from "./format.js";
import { has, named, onLanguage, t } from "./i18n.js";
import { ageOf, freshness, learnDevices, model, now, onChange, select } from "./model.js";

const READ_MS = 10_000;
const DRAW_MS = 1_000;

let system = null;
let toWatch = () => {};

/** Begin; `back()` returns to the map. */
export function begin(back) {
  toWatch = back;
  const soon = atMostEvery(DRAW_MS, draw);
  onChange((what) => (what.device || what.all) && soon());
  onLanguage(draw);
  setInterval(read, READ_MS);
  setInterval(draw, DRAW_MS);
}

/** Read what is not in the stream, if the view is seen. */
export async function read() {
  if (byId("devices").hidden) return;
  try {
    const [told, devices] = await Promise.all([get("/api/system"), get("/api/devices")]);
    system = told;
    learnDevices(devices);
    setText(byId("system-note"), "");
  } catch (error) {
    setText(byId("system-note"), t("panel.failed", { why: error.message }));
  }
  draw();
}

function draw() {
  if (byId("devices").hidden) return;
  drawDevices();
  if (system) drawSystem();
}

const COUNT_COLUMNS = ["missing", "conflicts", "kept", "dropped", "resent", "refused", "errors"];
const DEVICE_COLUMNS = [
  ...["id", "profile", "state", "serves", "presence", "heard", "report", "uptime"],
  ...COUNT_COLUMNS,
];

function drawDevices() {
  const order = (device) => (device.known ? (device.service ? 2 : 1) : 0);
  const all = [...model.devices.values()].sort(
    (a, b) => order(a) - order(b) || (a.id < b.id ? -1 : 1),
  );
  fill(
    byId("devices-head"),
    DEVICE_COLUMNS.map((name) => {
      const isCount = COUNT_COLUMNS.includes(name);
      return h("th", { scope: "col", class: isCount ? "n" : null }, t(`devices.${name}`));
    }),
  );
  fill(byId("devices-body"), all.map(deviceRow));
}

function deviceRow(device) {
  const asset = device.service && model.assets.get(device.service.asset);
  const fresh = freshness(device);
  const seconds = ageOf(device);
  const { health } = device;
  const count = (key) => {
    const n = health[`health.${key}`];
    return typeof n === "number" ? number(n, 0) : t("value.none");
  };
  const uptime = health["health.uptime_s"];
  const heard = device.last_heard;
  const errors = ["part_errors", "config_errors", "link_errors"]
    .map((key) => health[`health.${key}`])
    .filter((n) => typeof n === "number");
  return h(
    "tr",
    { "data-fresh": fresh, "data-device": device.id, class: device.known ? null : "stranger" },
    h(
      "th",
      { scope: "row" },
      h("button", { type: "button", class: "link", onclick: () => choose(device.id) }, device.id),
      device.known ? null : h("small", {}, t("devices.unknown")),
      device.undated ? h("small", {}, t("devices.undated")) : null,
    ),
    h("td", {}, device.profile ? t(`profile.${device.profile}`) : t("value.none")),
    h("td", {}, device.state ? t(`state.${device.state}`) : t("value.none")),
    h("td", {}, asset ? named(asset.name) : t("value.none")),
    h("td", {}, presence(device.presence)),
    h("td", {}, heard ? ago((now() - Date.parse(heard)) / 1000) : t("value.none")),
    h("td", { class: "fresh" }, seconds === null ? t("fresh.never") : ago(seconds)),
    h("td", {}, typeof uptime === "number" ? age(uptime) : t("value.none")),
    h("td", { class: "n" }, marked(device.missing, "warning")),
    h("td", { class: "n" }, marked(device.conflicts, "alarm")),
    h("td", { class: "n" }, count("kept")),
    h("td", { class: "n" }, count("dropped")),
    h("td", { class: "n" }, count("resent")),
    h("td", { class: "n" }, count("refused")),
    h("td", { class: "n" }, errors.length ? number(errors.reduce((a, b) => a + b, 0), 0) : t("value.none")),
  );
}

/** Write a number that nobody may overlook when it is not 0. */
function marked(n, mark) {
  return h("span", { "data-mark": n > 0 ? mark : null }, number(n, 0));
}

function presence(told) {
  if (!told) return t("value.none");
  const since = moment(Date.parse(told.since));
  return t(told.connected ? "panel.connected" : "panel.lost", { since });
}

function choose(id) {
  select({ type: "device", id });
  toWatch();
}

function drawSystem() {
  const gateways = system.gateways.map((gateway) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, gateway.gateway),
      h("td", {}, ago((now() - Date.parse(gateway.delivered)) / 1000)),
      h(
        "td",
        {},
        h(
          "span",
          { class: "chips" },
          Object.entries(gateway.counters).map(([name, value]) =>
            h("span", { "data-counter": name }, `${word("gateway", name)} `, h("b", {}, number(value, 0))),
          ),
        ),
      ),
    ),
  );
  const none = h("tr", {}, h("td", { colspan: 3 }, t("system.no.gateways")));
  fill(byId("gateways-body"), gateways.length ? gateways : none);
  fill(
    byId("counts"),
    Object.entries(system.counts).map(([name, value]) =>
      h("span", { "data-count": name }, `${word("count", name)} `, h("b", {}, number(value, 0))),
    ),
  );
  apart("refused", system.refused, (r) => [r.device, `${r.code} ${r.detail}`]);
  apart("conflicts", system.conflicts, (c) => [c.device, `${c.boot}/${c.seq}`]);
  fill(
    byId("system-facts"),
    [
      ["system.version", system.version],
      ["system.database", system.database],
      ["system.series", system.series],
      ["system.rebuilt", t(system.rebuilt ? "value.yes" : "value.no")],
    ].map(([key, value]) => [h("dt", {}, t(key)), h("dd", {}, value)]),
  );
}

/** Name a counter; one that this page does not know keeps its own name. */
function word(group, name) {
  return has(`${group}.${name}`) ? t(`${group}.${name}`) : name.replaceAll("_", " ");
}

function apart(name, records, tell) {
  fill(
    byId(`${name}-body`),
    records.length
      ? records.map((record) =>
          h(
            "tr",
            {},
            h("td", {}, moment(Date.parse(record.received), { seconds: true })),
            tell(record).map((text) => h("td", {}, text)),
            h("td", { class: "bytes" }, record.record),
          ),
        )
      : h("tr", {}, h("td", { colspan: 4 }, t("system.none"))),
  );
}
