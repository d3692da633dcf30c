// The coastline: Natural Earth's land at 1:10 million, drawn from arrays that are made once.
//
// Along rivers it is coarse, and much of an estuary's banks is off by hundreds of metres; the page
// says so. Nothing is ever judged by it.

import feature from "/lib/topojson-client/feature.js";

import { mercator } from "../geo.js";

const SOURCE = "/lib/world-atlas/land-10m.json";
const STEP = 0.6; // pixels: points that are nearer to the last one than this are left out

/** Load the land; resolves to rings {xy, box} in parts of the square world. */
export async function loadLand() {
  const response = await fetch(SOURCE);
  if (!response.ok) throw new Error(`${SOURCE}: ${response.status}`);
  const topology = await response.json();
  const land = feature(topology, topology.objects.land);
  const features = land.type === "FeatureCollection" ? land.features : [land];
  const rings = [];
  for (const { geometry } of features) {
    const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    for (const polygon of polygons) for (const ring of polygon) rings.push(packed(ring));
  }
  return rings;
}

/** Pack a ring of [lon, lat] into one array, with its box. */
function packed(ring) {
  const xy = new Float64Array(ring.length * 2);
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  ring.forEach(([lon, lat], n) => {
    const [x, y] = mercator(lat, lon);
    xy[2 * n] = x;
    xy[2 * n + 1] = y;
    if (x < box[0]) box[0] = x;
    if (y < box[1]) box[1] = y;
    if (x > box[2]) box[2] = x;
    if (y > box[3]) box[3] = y;
  });
  return { xy, box };
}

/**
 * Add the land to the context's path.
 *
 * Of a stretch that runs beyond one and the same edge of the canvas only the ends are taken: it
 * cannot touch what is seen, and the outline of a continent has a hundred thousand points.
 */
export function traceLand(view, rings) {
  const { context, world, originX, originY, width, height } = view;
  context.beginPath();
  for (const { xy, box } of rings) {
    if (box[2] * world < originX || box[0] * world > originX + width) continue;
    if (box[3] * world < originY || box[1] * world > originY + height) continue;
    let lastX = Infinity;
    let lastY = Infinity;
    let lastSide = 0;
    let skipped = false;
    for (let n = 0; n < xy.length; n += 2) {
      const x = xy[n] * world - originX;
      const y = xy[n + 1] * world - originY;
      const side = (x < 0 ? 1 : x > width ? 2 : 0) | (y < 0 ? 4 : y > height ? 8 : 0);
      if (n === 0) context.moveTo(x, y);
      else if (side & lastSide) {
        skipped = true;
        lastSide &= side;
        continue;
      } else {
        if (skipped) context.lineTo(xy[n - 2] * world - originX, xy[n - 1] * world - originY);
        else if (Math.abs(x - lastX) < STEP && Math.abs(y - lastY) < STEP) continue;
        context.lineTo(x, y);
      }
      skipped = false;
      lastX = x;
      lastY = y;
      lastSide = side;
    }
    context.closePath();
  }
}
