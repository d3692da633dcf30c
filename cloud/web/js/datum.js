// WGS-84 (also CGCS2000) and GCJ-02, the shifted datum of public maps in China.
//
// Everything is kept and told in WGS-84; only what is drawn over tiles of GCJ-02 is shifted, and
// what is pointed at there is shifted back. The formulas are the published series on the Krasovsky
// ellipsoid; outside China nothing is shifted, as in those maps.

const A = 6378245; // Krasovsky 1940, semi-major axis in metres
const EE = 0.00669342162296594323; // and its squared eccentricity
const LAT_0 = 35;
const LON_0 = 105;
const BACK_TURNS = 5; // of the iteration; each gains four digits

function outsideChina(lat, lon) {
  return lon < 72.004 || lon > 137.8347 || lat < 0.8293 || lat > 55.8271;
}

/** Sum the periodic terms: those both directions share, and those of a direction's `own` offset. */
function waves(x, own, slow, slowest) {
  const { sin, PI } = Math;
  return (
    ((20 * sin(6 * x * PI) + 20 * sin(2 * x * PI)) * 2) / 3 +
    ((20 * sin(own * PI) + 40 * sin((own / 3) * PI)) * 2) / 3 +
    ((slow * sin((own / 12) * PI) + slowest * sin((own / 30) * PI)) * 2) / 3
  );
}

function shift(lat, lon) {
  const x = lon - LON_0;
  const y = lat - LAT_0;
  const root = Math.sqrt(Math.abs(x));
  const north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root;
  const east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root;
  const dLat = north + waves(x, y, 160, 320);
  const dLon = east + waves(x, x, 150, 300);
  const phi = (lat / 180) * Math.PI;
  const sin = Math.sin(phi);
  const magic = 1 - EE * sin * sin;
  return {
    lat: (dLat * 180) / (((A * (1 - EE)) / (magic * Math.sqrt(magic))) * Math.PI),
    lon: (dLon * 180) / ((A / Math.sqrt(magic)) * Math.cos(phi) * Math.PI),
  };
}

/** Return a WGS-84 position as GCJ-02. */
export function toGcj02({ lat, lon }) {
  if (outsideChina(lat, lon)) return { lat, lon };
  const by = shift(lat, lon);
  return { lat: lat + by.lat, lon: lon + by.lon };
}

/** Return a GCJ-02 position as WGS-84, to better than a millimetre. */
export function toWgs84({ lat, lon }) {
  if (outsideChina(lat, lon)) return { lat, lon };
  let guess = { lat, lon };
  for (let turn = 0; turn < BACK_TURNS; turn += 1) {
    const there = toGcj02(guess);
    guess = { lat: guess.lat + lat - there.lat, lon: guess.lon + lon - there.lon };
  }
  return guess;
}
