// A canvas over the map that is drawn anew when the map has moved, and moves with it meanwhile.
//
//     new Surface((view) => { view.context.fillRect(…view.point({lat, lon})…) }).addTo(map)
//
// It reaches beyond the edges, so that a short drag shows no blank; while the map zooms, the last
// drawing is scaled. Nothing in it is an element of the page: 5,000 symbols cost one canvas.

import { DomUtil, Layer, latLng, point } from "/lib/leaflet/leaflet-src.esm.js";

import { toGcj02 } from "../datum.js";
import { mercator } from "../geo.js";

const MARGIN = 0.35; // of the map's size, on each side
const TILE = 256; // pixels of the world at zoom 0

export const Surface = Layer.extend({
  /** `draw(view)` draws everything; `pane` names the map pane that it lies in. */
  initialize(draw, pane) {
    this._draw = draw;
    this._paneName = pane;
    this._asked = false;
    this.shifted = false;
  },

  getEvents() {
    return {
      moveend: this.redraw,
      viewreset: this.redraw,
      resize: this.redraw,
      zoom: () => this._follow(this._map.getCenter(), this._map.getZoom()),
      zoomanim: (event) => this._follow(event.center, event.zoom),
    };
  },

  onAdd(map) {
    this._canvas = DomUtil.create("canvas", "leaflet-zoom-animated");
    map.getPane(this._paneName).appendChild(this._canvas);
    this.redraw();
  },

  onRemove() {
    this._canvas.remove();
  },

  /** Draw soon: once, however often it is asked for within a frame. */
  schedule() {
    if (this._asked) return;
    this._asked = true;
    requestAnimationFrame(() => {
      this._asked = false;
      if (this._map && !this._map._animatingZoom) this.redraw();
    });
  },

  redraw() {
    const map = this._map;
    if (!map) return;
    const size = map.getSize();
    const margin = size.multiplyBy(MARGIN).round();
    const full = size.add(margin.multiplyBy(2));
    const corner = map.containerPointToLayerPoint(point(-margin.x, -margin.y)).round();
    const scale = window.devicePixelRatio || 1;
    this._corner = map.layerPointToLatLng(corner);
    this._zoom = map.getZoom();
    DomUtil.setPosition(this._canvas, corner);
    const [width, height] = [Math.round(full.x * scale), Math.round(full.y * scale)];
    if (this._canvas.width !== width || this._canvas.height !== height) {
      this._canvas.width = width;
      this._canvas.height = height;
      this._canvas.style.width = `${full.x}px`;
      this._canvas.style.height = `${full.y}px`;
    }
    const context = this._canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, full.x, full.y);
    this.view = this._view(context, full, margin, map.getPixelOrigin().add(corner));
    this._draw(this.view);
  },

  /** What a drawing needs: where things are on the canvas, and how large it is. */
  _view(context, full, margin, origin) {
    const world = TILE * 2 ** this._zoom;
    const shifted = this.shifted;
    return {
      context,
      width: full.x,
      height: full.y,
      margin,
      zoom: this._zoom,
      world,
      originX: origin.x,
      originY: origin.y,
      point(position) {
        const { lat, lon } = shifted ? toGcj02(position) : position;
        const [x, y] = mercator(lat, lon);
        return [x * world - origin.x, y * world - origin.y];
      },
    };
  },

  /** Put the last drawing where it belongs while the map zooms to `zoom` around `center`. */
  _follow(center, zoom) {
    if (!this._corner) return;
    const map = this._map;
    const half = map.getSize().divideBy(2);
    const pane = DomUtil.getPosition(map.getPane("mapPane"));
    const origin = map.project(latLng(center), zoom).subtract(half).add(pane).round();
    const offset = map.project(this._corner, zoom).subtract(origin);
    DomUtil.setTransform(this._canvas, offset, map.getZoomScale(zoom, this._zoom));
  },
});
