// Everything the page shows, by id, and how old it is by the centre's clock.

const TARGET_S = 30 * 60; // as in the API: what was not heard for so long is not shown

// What asks for a look first: alarms and freshness together.
const WORST_FIRST = ["at-once", "silent", "alarm", "never", "overdue", "warning", "live"];

export const model = {
  assets: new Map(),
  devices: new Map(),
  targets: new Map(),
  /** What the user chose: {type: "asset" | "device" | "target", id}, or null. */
  selected: null,
};

const listeners = new Set();
let offsetMs = 0; // the centre's clock minus this computer's

/** Return the centre's time in milliseconds. */
export function now() {
  return Date.now() + offsetMs;
}

/** Set this page's clock by the centre's. */
export function setClock(iso) {
  offsetMs = Date.parse(iso) - Date.now();
}

/** Call `listener(what)` when something changed: {assets, devices, targets, selected, all}. */
export function onChange(listener) {
  listeners.add(listener);
}

function tell(what) {
  for (const listener of listeners) listener(what);
}

/** Read an asset's or device's time once, and not at every judgement. */
export function timed(thing) {
  thing.freshness.ms = thing.freshness.t ? Date.parse(thing.freshness.t) : null;
  return thing;
}

/** Take a snapshot: it replaces everything. */
export function replace(snapshot) {
  setClock(snapshot.now);
  model.assets = new Map(snapshot.assets.map((asset) => [asset.id, timed(asset)]));
  model.devices = new Map(snapshot.devices.map((device) => [device.id, timed(device)]));
  model.targets = new Map(snapshot.targets.map((target) => [String(target.mmsi), target]));
  tell({ all: true });
}

/** Take one thing that changed; `kind` is "asset", "device" or "target". */
export function update(kind, thing) {
  if (kind === "asset") model.assets.set(thing.id, timed(thing));
  if (kind === "device") model.devices.set(thing.id, timed(thing));
  if (kind === "target") model.targets.set(String(thing.mmsi), thing);
  tell({ [kind]: thing.id ?? String(thing.mmsi) });
}

/** Choose something, or nothing. */
export function select(choice) {
  const same = choice?.type === model.selected?.type && choice?.id === model.selected?.id;
  if (same) return;
  model.selected = choice;
  tell({ selected: true });
}

/** Take what was asked for beside the stream: all devices, those too that serve an asset. */
export function learnDevices(devices) {
  for (const device of devices) model.devices.set(device.id, timed(device));
  tell({ device: true });
}

/** Return what is chosen, as it is now. */
export function chosen() {
  const { selected } = model;
  return selected ? model[`${selected.type}s`].get(selected.id) : undefined;
}

/** Return the age in seconds of a report, or null if there never was one. */
export function ageOf(thing) {
  const { ms } = thing.freshness;
  return ms === null ? null : Math.max(0, (now() - ms) / 1000);
}

/** Judge an asset or device as the centre does, but by this moment. */
export function freshness(thing) {
  const seconds = ageOf(thing);
  if (seconds === null) return "never";
  if (seconds <= thing.freshness.overdue_s) return "live";
  return seconds <= thing.freshness.silent_s ? "overdue" : "silent";
}

/** Return a number that is the lower, the sooner an asset wants to be looked at. */
export function urgency(thing) {
  const alarm = WORST_FIRST.indexOf(alarmLevel(thing));
  const fresh = WORST_FIRST.indexOf(freshness(thing));
  return alarm < 0 ? fresh : Math.min(alarm, fresh);
}

/** Return a lamp's state: "on", "off", or "unknown" when it is not known now. */
export function lamp(asset) {
  const lit = asset.report["beacon.lit"];
  if (lit === null || lit === undefined || freshness(asset) === "silent") return "unknown";
  return lit ? "on" : "off";
}

/** Return the gravest alarm of a thing: "at-once", "alarm", "warning", or "" when none stands. */
export function alarmLevel(thing) {
  return thing.alarms?.[0]?.level ?? "";
}

/** Return the devices that serve nothing now but have been somewhere. */
export function unassigned() {
  return [...model.devices.values()].filter((device) => !device.service && device.position);
}

/** Forget ships that were not heard for half an hour. */
export function forgetTargets() {
  const limit = now() - TARGET_S * 1000;
  let some = false;
  for (const [id, target] of model.targets) {
    if (Date.parse(target.t) < limit) some = model.targets.delete(id) || some;
  }
  if (some) tell({ target: true });
}
