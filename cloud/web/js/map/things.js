// Draws assets, ships and unassigned devices, and tells what is under the pointer.

import { age } from "../format.js";
import { distance } from "../geo.js";
import { named, t } from "../i18n.js";
import { ageOf, alarmLevel, freshness, lamp, model, unassigned, urgency } from "../model.js";
import { drawShip, flareColour, sprite } from "./marks.js";

const DOTS_ABOVE = 600; // symbols in view: beyond it they would only hide each other
const LABELS_BELOW = 160; // symbols in view: beyond it names are no help
const SHIP_LABELS_ZOOM = 11;
const PILE_LABELS_ZOOM = 13;
const REACH = 18; // pixels from a symbol's place at which it is still meant
const OFFSET_SHOWN_M = 15; // about the noise of a fix: nearer, the charted place is not drawn apart
const PILE_STEP = 17; // pixels between the piles of one berth
const FONT = "12px system-ui, sans-serif";
const QUIET_FONT = "10px system-ui, sans-serif";
const STALE_FONT = "bold 11px system-ui, sans-serif";

/** Draw everything into a view; return what was drawn: [{type, id, x, y, title}]. */
export function drawThings(view, theme, colours) {
  const things = [...model.assets.values()].flatMap((asset) => placed(view, asset));
  things.sort((a, b) => a.rank - b.rank);
  const asDots = things.length > DOTS_ABOVE;
  const drawn = [...ships(view, colours), ...strangers(view, colours)];
  if (!asDots) for (const thing of things) drawOffset(view, thing, colours);
  for (const thing of things) {
    if (asDots) drawDot(view, thing, colours);
    else drawSymbol(view, thing, theme);
    drawn.push(thing);
  }
  drawSelected(view, drawn, colours);
  if (drawn.length <= LABELS_BELOW) drawLabels(view, drawn, colours);
  return drawn;
}

/** Return the one of the drawn things that is meant by a point of the map, or undefined. */
export function thingAt(drawn, x, y) {
  let nearest;
  let best = REACH;
  for (const thing of drawn) {
    const away = Math.hypot(thing.x - x, thing.y - (thing.lift ?? 0) - y);
    if (away <= best) {
      best = away;
      nearest = thing;
    }
  }
  return nearest;
}

function inView(view, x, y) {
  return x > -30 && y > -30 && x < view.width + 30 && y < view.height + 50;
}

function placed(view, asset) {
  if (!asset.position) return [];
  let [x, y] = view.point(asset.position);
  if (asset.type === "pile") x += PILE_STEP * (1 + pileNumber(asset));
  if (!inView(view, x, y)) return [];
  const fresh = freshness(asset);
  // The worst is drawn last, on top.
  const thing = { type: "asset", id: asset.id, asset, x, y, fresh, rank: -urgency(asset) };
  const label = asset.type !== "pile" || view.zoom >= PILE_LABELS_ZOOM ? named(asset.name) : "";
  return [{ ...thing, lift: 8, label, title: () => titleOf(asset, fresh) }];
}

function pileNumber(asset) {
  return model.assets.get(asset.berth)?.piles.indexOf(asset.id) ?? 0;
}

function titleOf(asset, fresh) {
  const seconds = ageOf(asset);
  const when = seconds === null ? "" : ` · ${t("age.ago", { age: age(seconds) })}`;
  const alarms = asset.alarms.map((alarm) => ` · ${t(`code.${alarm.what}`)}`).join("");
  return `${named(asset.name)} · ${t(`fresh.${fresh}`)}${when}${alarms}`;
}

function drawSymbol(view, thing, theme) {
  const { asset, fresh } = thing;
  const power = asset.report["meter.p_w"];
  const made = sprite({
    type: asset.type,
    kind: asset.kind,
    lamp: asset.type === "navaid" ? lamp(asset) : "",
    fresh,
    flare: asset.type === "navaid" ? flareColour(asset.station?.light) : "",
    power: power === null || power === undefined ? "" : power > 0 ? "on" : "off",
    alarm: alarmLevel(asset),
    theme,
  });
  view.context.drawImage(
    made.canvas, thing.x - made.x, thing.y - made.y, made.width, made.height,
  );
}

function drawDot(view, { asset, x, y, fresh }, colours) {
  const { context } = view;
  const level = alarmLevel(asset);
  context.fillStyle = colours[level === "" ? fresh : level === "warning" ? "overdue" : "silent"];
  context.fillRect(x - 3, y - 3, 6, 6);
}

/** Where it ought to be, if it is not there: a cross, and a line to where it is. */
function drawOffset(view, { asset, x, y }, colours) {
  const { station, position } = asset;
  if (!station || position.source !== "device") return;
  if (distance(station, position) < OFFSET_SHOWN_M) return;
  const [cx, cy] = view.point(station);
  if (Math.hypot(cx - x, cy - y) < 4) return;
  const { context } = view;
  context.save();
  context.strokeStyle = colours.label;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(cx - 5, cy);
  context.lineTo(cx + 5, cy);
  context.moveTo(cx, cy - 5);
  context.lineTo(cx, cy + 5);
  context.stroke();
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(cx, cy);
  context.lineTo(x, y);
  context.stroke();
  context.restore();
}

function ships(view, colours) {
  const drawn = [];
  for (const [id, target] of model.targets) {
    const [x, y] = view.point(target);
    if (!inView(view, x, y)) continue;
    drawShip(view.context, x, y, target, colours);
    const name = target.name ?? id;
    const title = () => `${t(target.virtual ? "target.virtual" : `target.${target.kind}`)} ${name}`;
    const label = target.kind !== "aton" && view.zoom >= SHIP_LABELS_ZOOM ? name : "";
    drawn.push({ type: "target", id, x, y, label, quiet: true, title });
  }
  return drawn;
}

/** Devices that serve nothing but know where they are: a spare, or one nobody registered. */
function strangers(view, colours) {
  const { context } = view;
  const drawn = [];
  for (const device of unassigned()) {
    const [x, y] = view.point(device.position);
    if (!inView(view, x, y)) continue;
    const fresh = freshness(device);
    context.save();
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    context.fillStyle = colours.halo;
    context.fill();
    context.strokeStyle = colours[fresh];
    context.lineWidth = 2;
    context.setLineDash([4, 2]);
    context.stroke();
    context.fillStyle = colours.label;
    context.font = "bold 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("?", x, y + 0.5);
    context.restore();
    const title = () => `${t("map.unassigned", { id: device.id })} · ${t(`fresh.${fresh}`)}`;
    drawn.push({ type: "device", id: device.id, x, y, label: device.id, fresh, title });
  }
  return drawn;
}

function drawSelected(view, drawn, colours) {
  const { selected } = model;
  const thing = drawn.find((one) => one.type === selected?.type && one.id === selected?.id);
  if (!thing) return;
  const { context } = view;
  const radius = thing.type === "asset" ? 24 : 15;
  context.save();
  context.beginPath();
  context.arc(thing.x, thing.y - (thing.lift ?? 0), radius, 0, 2 * Math.PI);
  context.lineWidth = 5;
  context.strokeStyle = colours.halo;
  context.stroke();
  context.lineWidth = 2.5;
  context.strokeStyle = colours.selected;
  context.stroke();
  context.restore();
}

/** Names, and under them the age of what is overdue or silent, where nothing else is. */
function drawLabels(view, drawn, colours) {
  const { context } = view;
  // A name may lie over a ship, but not over another mark.
  const own = new Map(drawn.filter((thing) => !thing.quiet).map((thing) => [thing, symbolBox(thing)]));
  const taken = [...own.values()];
  context.save();
  context.textBaseline = "top";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = colours.halo;
  for (const thing of [...drawn].reverse()) {
    if (!thing.label) continue;
    context.font = thing.quiet ? QUIET_FONT : FONT;
    const stale = thing.asset && (thing.fresh === "overdue" || thing.fresh === "silent");
    const width = context.measureText(thing.label).width;
    const height = stale ? 27 : 13;
    const free = ([x, y]) =>
      taken.every((box) => box === own.get(thing) || !overlap(box, [x - 2, y, x + width + 2, y + height]));
    const place = placesFor(thing, width, height).find(free);
    if (!place) continue;
    const [x, y] = place;
    taken.push([x - 2, y, x + width + 2, y + height]);
    write(context, thing.label, x, y, colours.label);
    if (stale) {
      context.font = STALE_FONT;
      write(context, age(ageOf(thing.asset)), x, y + 14, colours[thing.fresh]);
    }
  }
  context.restore();
}

function symbolBox({ x, y, type }) {
  return type === "asset" ? [x - 9, y - 24, x + 9, y + 4] : [x - 10, y - 10, x + 10, y + 10];
}

/** Where a name may stand, the best first: below, to the right, to the left, above. */
function placesFor({ x, y, type }, width, height) {
  const asset = type === "asset";
  const [beside, middle] = [asset ? 15 : 11, y - (asset ? 10 : 0) - height / 2];
  return [
    [x - width / 2, y + 9],
    [x + beside + (asset ? 6 : 0), middle],
    [x - beside - width, middle],
    [x - width / 2, y - (asset ? 44 : 12) - height],
  ];
}

function overlap(a, b) {
  return a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1];
}

function write(context, words, x, y, colour) {
  context.strokeText(words, x, y);
  context.fillStyle = colour;
  context.fillText(words, x, y);
}
