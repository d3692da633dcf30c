// A scale bar in nautical miles and kilometres, true at the middle of the map.

import { Control, DomUtil } from "/lib/leaflet/leaflet-src.esm.js";

import { distance, NAUTICAL_MILE_M } from "../geo.js";

const WIDTH = 110; // pixels, at most
const STEPS = [1, 2, 5];

/** Return the largest 1, 2 or 5 times a power of ten that is not above `value`. */
export function round125(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return STEPS.findLast((step) => step * power <= value * (1 + 1e-9)) * power;
}

export const ScaleBar = Control.extend({
  options: { position: "bottomleft" },

  onAdd(map) {
    const box = DomUtil.create("div", "scale-bar");
    this._bars = ["NM", "km"].map(() => DomUtil.create("div", "scale-line", box));
    map.on("move zoomend", this._update, this);
    map.whenReady(this._update, this);
    return box;
  },

  onRemove(map) {
    map.off("move zoomend", this._update, this);
  },

  _update() {
    const map = this._map;
    const y = map.getSize().y / 2;
    const [a, b] = [0, WIDTH].map((x) => map.containerPointToLatLng([x, y]));
    const metres = distance({ lat: a.lat, lon: a.lng }, { lat: b.lat, lon: b.lng });
    for (const [n, [name, unit]] of [["NM", NAUTICAL_MILE_M], ["km", 1000]].entries()) {
      const shown = round125(metres / unit);
      this._bars[n].textContent = `${Number(shown.toPrecision(1))} ${name}`;
      this._bars[n].style.width = `${Math.round((WIDTH * shown * unit) / metres)}px`;
    }
  },
});
