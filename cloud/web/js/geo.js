// Distances and directions on the sphere, and where things lie on the square map of the web.
// Positions are degrees.

const EARTH_M = 6371008.8; // mean radius, IUGG
const RAD = Math.PI / 180;

const LAT_MAX = 85.0511287798; // where the square map ends

export const NAUTICAL_MILE_M = 1852;

/** Return the distance in metres between two positions. */
export function distance(a, b) {
  const dLat = (b.lat - a.lat) * RAD;
  const dLon = (b.lon - a.lon) * RAD;
  const s =
    Math.sin(dLat / 2) ** 2 +
    Math.cos(a.lat * RAD) * Math.cos(b.lat * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(s)));
}

/** Return the initial bearing from a to b, degrees true, 0 to 360. */
export function bearing(a, b) {
  const dLon = (b.lon - a.lon) * RAD;
  const y = Math.sin(dLon) * Math.cos(b.lat * RAD);
  const x =
    Math.cos(a.lat * RAD) * Math.sin(b.lat * RAD) -
    Math.sin(a.lat * RAD) * Math.cos(b.lat * RAD) * Math.cos(dLon);
  return (Math.atan2(y, x) / RAD + 360) % 360;
}

/** Return where a position lies on the Mercator square, [x, y] from 0 to 1, north at the top. */
export function mercator(lat, lon) {
  const sin = Math.sin(Math.max(-LAT_MAX, Math.min(LAT_MAX, lat)) * RAD);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI)];
}
