// The map: Leaflet for moving about, canvases for everything that is seen.

import { Map as LeafletMap, TileLayer } from "/lib/leaflet/leaflet-src.esm.js";

import { toGcj02, toWgs84 } from "../datum.js";
import { byId, fill, h, setText } from "../dom.js";
import { position } from "../format.js";
import { onLanguage, t } from "../i18n.js";
import { onChange, select } from "../model.js";
import { mapColours, onTheme, theme } from "../theme.js";
import { loadLand } from "./coast.js";
import { ScaleBar } from "./scale.js";
import { Surface } from "./surface.js";
import { drawThings, thingAt } from "./things.js";
import { drawGrid, drawLand } from "./water.js";

const ZOOM_MIN = 3;
const ZOOM_MAX = 18;
const ZOOM_CHOSEN = 12; // at least, when something is chosen in the list
const WHOLE_WORLD = [[-60, -170], [75, 170]];
const JUDGE_MS = 5_000; // how often symbols are judged anew as time passes

let map;
let chart; // land and lines
let symbols;
let land;
let bounds = null;
let drawn = [];
let rings = null;
let shifted = false; // whether the tiles under it are of GCJ-02

/** Make the map in its element; `settings` is the answer of /api/map. */
export function begin(settings) {
  map = new LeafletMap(byId("map"), {
    zoomControl: false,
    attributionControl: false,
    minZoom: ZOOM_MIN,
    maxZoom: ZOOM_MAX,
    zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  });
  ({ bounds } = settings);
  fit();
  map.createPane("land").style.zIndex = 150; // below tiles
  map.createPane("symbols").style.zIndex = 450;
  land = new Surface((view) => drawLand(view, rings, mapColours()), "land").addTo(map);
  chart = new Surface(drawLines, "overlayPane").addTo(map);
  symbols = new Surface(drawSymbols, "symbols").addTo(map);
  new ScaleBar().addTo(map);
  buttons();
  backgrounds(settings.tiles);
  pointing();
  const everything = () => [land, chart, symbols].forEach((surface) => surface.schedule());
  onTheme(everything);
  onLanguage(everything);
  onChange(() => symbols.schedule());
  setInterval(() => symbols.schedule(), JUDGE_MS);
  new ResizeObserver(() => map.invalidateSize({ pan: false })).observe(byId("map"));
  window.addEventListener("load", everything);
}

/** Load the coastline; resolves when it is there. */
export async function loadCoast() {
  rings = await loadLand();
  land.schedule();
}

/** Show everything there is. */
export function fit() {
  const around = bounds ? bounds.map(([lat, lon]) => shown({ lat, lon })) : WHOLE_WORLD;
  map.fitBounds(around, { padding: [50, 50], maxZoom: 13 });
}

/** Bring something into view, once the page has its new form; what is in view does not move. */
export function show(place) {
  if (!place) return;
  requestAnimationFrame(() => {
    map.invalidateSize({ pan: false });
    const where = shown(place);
    if (map.getZoom() >= ZOOM_CHOSEN - 2 && map.getBounds().pad(-0.15).contains(where)) return;
    map.setView(where, Math.max(map.getZoom(), ZOOM_CHOSEN));
  });
}

/** Return a place as Leaflet must be told it: shifted if the tiles are. */
function shown(place) {
  const { lat, lon } = shifted ? toGcj02(place) : place;
  return [lat, lon];
}

function drawLines(view) {
  const seen = map.getBounds().pad(0.5);
  const edges = {
    south: Math.max(seen.getSouth(), -85),
    north: Math.min(seen.getNorth(), 85),
    west: seen.getWest(),
    east: seen.getEast(),
  };
  drawGrid(view, edges, mapColours());
}

function drawSymbols(view) {
  drawn = drawThings(view, theme(), mapColours());
}

function pointing() {
  const tip = byId("map-tip");
  const cursor = byId("map-cursor");
  const under = (event) => {
    const { x, y } = event.containerPoint;
    const { margin } = symbols.view;
    return thingAt(drawn, x + margin.x, y + margin.y);
  };
  map.on("click", (event) => {
    const thing = under(event);
    select(thing ? { type: thing.type, id: thing.id } : null);
  });
  map.on("mousemove", (event) => {
    const { lat, lng } = event.latlng;
    const here = { lat, lon: ((lng + 540) % 360) - 180 };
    setText(cursor, position(shifted ? toWgs84(here) : here));
    const thing = under(event);
    map.getContainer().classList.toggle("pointing", Boolean(thing));
    tip.hidden = !thing;
    if (!thing) return;
    setText(tip, thing.title());
    tip.style.transform = `translate(${event.containerPoint.x + 14}px, ${event.containerPoint.y + 14}px)`;
  });
  map.on("mouseout movestart", () => {
    tip.hidden = true;
  });
}

function buttons() {
  byId("zoom-in").addEventListener("click", () => map.zoomIn());
  byId("zoom-out").addEventListener("click", () => map.zoomOut());
  byId("map-fit").addEventListener("click", fit);
}

/** Let the user choose what lies under everything: the coastline, or a source of tiles. */
function backgrounds(sources) {
  const choice = byId("map-background");
  const layers = sources.map(
    (source) => new TileLayer(source.url, { maxNativeZoom: source.max_zoom, maxZoom: ZOOM_MAX }),
  );
  let active = null;
  const change = () => {
    const n = Number(choice.value);
    const center = map.getCenter();
    const middle = shifted ? toWgs84({ lat: center.lat, lon: center.lng }) : { lat: center.lat, lon: center.lng };
    active?.remove();
    active = n < 0 ? null : layers[n].addTo(map);
    shifted = n >= 0 && sources[n].datum === "gcj02";
    for (const surface of [chart, symbols]) surface.shifted = shifted;
    if (active) land.remove();
    else land.addTo(map);
    map.setView(shown(middle), map.getZoom(), { animate: false });
    for (const surface of [chart, symbols]) surface.schedule();
    credit();
  };
  const credit = () => {
    const source = sources[Number(choice.value)];
    const approval = source?.approval ? t("map.approval", { approval: source.approval }) : "";
    setText(byId("map-credit"), source ? [source.attribution, approval].filter(Boolean).join(" · ") : t("map.coast"));
  };
  const name = () => {
    const kept = choice.value || "-1";
    fill(
      choice,
      h("option", { value: -1 }, t("map.coast.short")),
      sources.map((source, n) => h("option", { value: n }, source.name)),
    );
    choice.value = kept;
    credit();
  };
  byId("map-background-box").hidden = sources.length === 0;
  choice.addEventListener("change", change);
  onLanguage(name);
  name();
}
