// Puts the page together.
//
// The stream is opened first: while the centre puts the snapshot together, the map's and the
// chart's libraries are loaded.

import { get } from "./api.js";
import * as devices from "./devices.js";
import { byId, setText } from "./dom.js";
import { age, moment } from "./format.js";
import * as i18n from "./i18n.js";
import * as list from "./list.js";
import { forgetTargets, now, onChange } from "./model.js";
import * as stream from "./stream.js";
import * as theme from "./theme.js";

const FORGET_MS = 60_000;
const BANNER_S = 3; // a stream that is back sooner is not worth a word

/** Show one of the two views; the address says which, so that it can be kept and sent. */
function view(name) {
  const watching = name !== "devices";
  byId("watch").hidden = !watching;
  byId("devices").hidden = watching;
  for (const tab of document.querySelectorAll("[data-view]")) {
    if (tab.dataset.view === (watching ? "watch" : "devices")) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  devices.read();
}

function tellStream(since) {
  const down = since !== null;
  document.body.classList.toggle("down", down);
  byId("stream").dataset.state = down ? "down" : "live";
  setText(byId("stream-word"), i18n.t(down ? "stream.connecting" : "stream.live"));
  const banner = byId("banner");
  const seconds = down ? (Date.now() - since) / 1000 : 0;
  banner.hidden = seconds < BANNER_S;
  if (!banner.hidden) setText(banner, i18n.t("stream.down", { age: age(seconds) }));
}

function controls() {
  byId("theme").addEventListener("click", theme.toggle);
  byId("language").addEventListener("click", () => {
    i18n.setLanguage(i18n.lang() === "zh" ? "en" : "zh");
  });
  window.addEventListener("hashchange", () => view(location.hash.slice(1)));
  const clock = () => setText(byId("clock"), moment(now(), { seconds: true }));
  setInterval(clock, 1000);
  clock();
}

async function begin() {
  theme.begin();
  i18n.begin();
  const arrived = new Promise((done) => {
    onChange((what) => what.all && done());
  });
  stream.open(tellStream);
  setInterval(forgetTargets, FORGET_MS);
  const [settings, fields, map, panel] = await Promise.all([
    get("/api/map"),
    get("/api/fields"),
    import("./map/map.js"),
    import("./panel.js"),
  ]);
  controls();
  map.begin(settings);
  list.begin((thing) => map.show(thing.position ?? (thing.lat === undefined ? null : thing)));
  panel.begin(fields);
  devices.begin(() => {
    location.hash = "";
  });
  i18n.setLanguage(i18n.lang()); // also what was made just now
  view(location.hash.slice(1));
  await arrived;
  document.body.dataset.ready = "yes";
  await map.loadCoast(); // megabytes: after everything that staff wait for
  document.body.dataset.land = "yes";
}

begin().catch((error) => {
  const banner = byId("banner");
  banner.hidden = false;
  setText(banner, String(error));
});
