// What lies under the symbols: water, land, the lines of latitude and longitude.

import { angle } from "../format.js";
import { traceLand } from "./coast.js";

const LINES = [30, 20, 10, 5, 2, 1, 30 / 60, 20 / 60, 10 / 60, 5 / 60, 2 / 60, 1 / 60, 30 / 3600, 10 / 3600];
const APART = 110; // pixels between two lines, at least

/** Draw land from its rings. */
export function drawLand(view, rings, colours) {
  if (!rings) return;
  traceLand(view, rings);
  view.context.fillStyle = colours.land;
  view.context.fill("evenodd");
  view.context.strokeStyle = colours.coast;
  view.context.lineWidth = 1;
  view.context.stroke();
}

/** Draw the lines of latitude and longitude, with their names at the edges of the map. */
export function drawGrid(view, bounds, colours) {
  const { context, width, height, world, margin } = view;
  const degree = world / 360;
  const step = LINES.findLast((candidate) => candidate * degree >= APART) ?? LINES[0];
  context.strokeStyle = colours.grid;
  context.fillStyle = colours.gridText;
  context.lineWidth = 1;
  context.font = "11px system-ui, sans-serif";
  context.beginPath();
  const names = [];
  for (let n = Math.ceil(bounds.west / step); n * step <= bounds.east; n += 1) {
    const lon = n * step;
    const [x] = view.point({ lat: 0, lon });
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, height);
    names.push([short(lon, 3, "E", "W"), x + 4, margin.y + 14]);
  }
  for (let n = Math.ceil(bounds.south / step); n * step <= bounds.north; n += 1) {
    const lat = n * step;
    const [, y] = view.point({ lat, lon: bounds.west });
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(width, Math.round(y) + 0.5);
    names.push([short(lat, 2, "N", "S"), margin.x + 6, y - 4]);
  }
  context.stroke();
  for (const [name, x, y] of names) context.fillText(name, x, y);
}

/** Name a line: seconds of arc are left out where they are nought. */
function short(value, digits, positive, negative) {
  return angle(value, digits, positive, negative).replace(/\.000′/, "′").replace(/°00′/, "°");
}
