// The symbols of aids, berths, piles and ships, drawn with the colours, shapes and topmarks of the
// IALA maritime buoyage system, region A (GB 4696-2016), in a box of 24 × 36 around the waterline.
//
// Drawn once per kind and state into a small canvas, which is then copied as often as needed.

const RED = "#d3222a";
const GREEN = "#12964a";
const YELLOW = "#f2c200";
const BLUE = "#2464c8";
const BLACK = "#15181c";
const WHITE = "#ffffff";

const WIDTH = 40;
const HEIGHT = 52;
const BASE = 40; // y of the waterline in the sprite

// What each kind shows: body shape, its stripes from the top (or side by side), topmarks.
const KINDS = {
  port: { body: "can", colours: [RED], top: ["can"], topColour: RED },
  starboard: { body: "cone", colours: [GREEN], top: ["up"], topColour: GREEN },
  "preferred-port": { body: "cone", colours: [GREEN, RED, GREEN], top: ["up"], topColour: GREEN },
  "preferred-starboard": { body: "can", colours: [RED, GREEN, RED], top: ["can"], topColour: RED },
  north: { body: "pillar", colours: [BLACK, YELLOW], top: ["up", "up"], topColour: BLACK },
  east: { body: "pillar", colours: [BLACK, YELLOW, BLACK], top: ["up", "down"], topColour: BLACK },
  south: { body: "pillar", colours: [YELLOW, BLACK], top: ["down", "down"], topColour: BLACK },
  west: { body: "pillar", colours: [YELLOW, BLACK, YELLOW], top: ["down", "up"], topColour: BLACK },
  "isolated-danger": {
    body: "pillar",
    colours: [BLACK, RED, BLACK],
    top: ["ball", "ball"],
    topColour: BLACK,
  },
  "safe-water": { body: "ball", colours: [RED, WHITE, RED, WHITE], sideways: true, top: ["ball"], topColour: RED },
  special: { body: "pillar", colours: [YELLOW], top: ["cross"], topColour: YELLOW },
  "emergency-wreck": {
    body: "pillar",
    colours: [BLUE, YELLOW, BLUE, YELLOW],
    sideways: true,
    top: ["plus"],
    topColour: YELLOW,
  },
};

const FLARES = { R: "#ff3b3b", G: "#19c25a", Y: "#ffc400", Bu: "#3f8cff", W: "#ffe27a" };

/** Return the colour of a light character's flare: the first colour in it, white if it names none. */
export function flareColour(character) {
  const words = (character ?? "").replace(/\([^)]*\)|\bLFl|\bFl\b|\bMo\b|\bIso\b|\bOc\b|V?Q/g, " ");
  const colour = /\b(Bu|[RGYW])\b/.exec(words)?.[1];
  return FLARES[colour ?? "W"];
}

const sprites = new Map();

/**
 * Return the sprite of an asset's looks: {canvas, x, y}, with the point of its place in it.
 *
 * `looks` = {type, kind, lamp, fresh, flare, power, alarm, theme}; equal looks share a sprite.
 */
export function sprite(looks) {
  const scale = window.devicePixelRatio || 1;
  const key = `${Object.values(looks).join()}@${scale}`;
  let made = sprites.get(key);
  if (!made) {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH * scale;
    canvas.height = HEIGHT * scale;
    const c = canvas.getContext("2d");
    c.scale(scale, scale);
    c.translate(WIDTH / 2, BASE);
    drawMark(c, looks);
    made = { canvas, x: WIDTH / 2, y: BASE, width: WIDTH, height: HEIGHT };
    sprites.set(key, made);
  }
  return made;
}

/** Draw a mark with its place at (0, 0). */
function drawMark(c, looks) {
  const stale = looks.fresh === "silent" || looks.fresh === "never";
  ring(c, looks.fresh);
  c.save();
  if (stale) c.filter = "grayscale(1) opacity(0.62)";
  const ink = looks.theme === "dark" ? "#e9eef5" : "#20262d";
  c.strokeStyle = ink;
  c.lineWidth = 1;
  c.lineJoin = "round";
  if (looks.type === "berth") berth(c, ink);
  else if (looks.type === "pile") pile(c, looks.power, ink);
  else if (looks.kind === "light") tower(c);
  else buoy(c, KINDS[looks.kind]);
  c.restore();
  if (looks.type === "navaid") flare(c, looks);
  if (looks.alarm) alarm(c, looks.alarm);
}

/** A triangle with an exclamation mark, amber for a warning, red for an alarm. */
function alarm(c, level) {
  c.save();
  c.translate(-11, -20);
  c.beginPath();
  polygon(c, [[0, -9], [8, 5], [-8, 5]]);
  c.fillStyle = level === "warning" ? "#f2a100" : "#d3222a";
  c.fill();
  c.lineJoin = "round";
  c.lineWidth = 1.2;
  c.strokeStyle = WHITE;
  c.stroke();
  c.fillStyle = level === "warning" ? BLACK : WHITE;
  c.fillRect(-1, -4, 2, 5);
  c.fillRect(-1, 2, 2, 2);
  c.restore();
}

/** A ring around the place: dashed and amber when overdue, red when silent, dotted when never heard. */
function ring(c, fresh) {
  if (fresh === "live") return;
  c.save();
  c.beginPath();
  c.ellipse(0, -1, 15, 9, 0, 0, 2 * Math.PI);
  c.lineWidth = 2;
  c.strokeStyle = { overdue: "#d98200", silent: "#d32f2f", never: "#8a94a3" }[fresh];
  c.setLineDash({ overdue: [5, 3], silent: [], never: [1.5, 3.5] }[fresh]);
  c.stroke();
  c.restore();
}

function buoy(c, { body, colours, sideways = false, top, topColour }) {
  c.beginPath();
  if (body === "can") c.rect(-6, -15, 12, 14);
  else if (body === "cone") polygon(c, [[0, -17], [7.5, -1], [-7.5, -1]]);
  else if (body === "ball") c.arc(0, -8, 7.5, 0, 2 * Math.PI);
  else polygon(c, [[-2.6, -19], [2.6, -19], [6, -1], [-6, -1]]);
  c.save();
  c.clip();
  colours.forEach((colour, n) => {
    c.fillStyle = colour;
    const part = 1 / colours.length;
    if (sideways) c.fillRect(-8 + 16 * part * n, -20, 16 * part + 0.5, 20);
    else {
      const [from, height] = body === "can" ? [-15, 14] : body === "cone" ? [-17, 16] : [-19, 18];
      c.fillRect(-9, from + height * part * n, 18, height * part + 0.5);
    }
  });
  c.restore();
  c.stroke();
  const foot = { can: -15, cone: -17, ball: -15.5, pillar: -19 }[body];
  topmarks(c, foot, top, topColour);
  c.beginPath();
  c.arc(0, 0, 2, 0, 2 * Math.PI);
  c.fillStyle = WHITE;
  c.fill();
  c.stroke();
}

function topmarks(c, foot, shapes, colour) {
  const size = shapes.length > 1 ? 5 : 6;
  let y = foot - 2;
  c.beginPath();
  c.moveTo(0, foot);
  c.lineTo(0, foot - 2 - shapes.length * (size + 1));
  c.stroke();
  c.fillStyle = colour;
  for (const shape of [...shapes].reverse()) {
    const half = size / 2 + 0.5;
    c.beginPath();
    if (shape === "can") c.rect(-half, y - size, 2 * half, size);
    else if (shape === "up") polygon(c, [[0, y - size], [half, y], [-half, y]]);
    else if (shape === "down") polygon(c, [[0, y], [half, y - size], [-half, y - size]]);
    else if (shape === "ball") c.arc(0, y - size / 2, size / 2, 0, 2 * Math.PI);
    else crossPath(c, y - size / 2, size / 2, shape === "cross");
    c.fill();
    c.stroke();
    y -= size + 1;
  }
}

/** Two crossed bars, as an X or upright. */
function crossPath(c, y, half, diagonal) {
  const turn = diagonal ? Math.PI / 4 : 0;
  const w = 1.3;
  const points = [
    [-w, -half - 1], [w, -half - 1], [w, -w], [half + 1, -w], [half + 1, w], [w, w],
    [w, half + 1], [-w, half + 1], [-w, w], [-half - 1, w], [-half - 1, -w], [-w, -w],
  ].map(([px, py]) => [
    px * Math.cos(turn) - py * Math.sin(turn),
    y + px * Math.sin(turn) + py * Math.cos(turn),
  ]);
  polygon(c, points);
}

function tower(c) {
  c.fillStyle = "#f4f6f8";
  c.beginPath();
  polygon(c, [[-3.2, -20], [3.2, -20], [5.6, 0], [-5.6, 0]]);
  c.fill();
  c.stroke();
  c.fillStyle = RED;
  c.fillRect(-4.2, -14, 8.4, 5);
  c.beginPath();
  c.rect(-3.2, -25, 6.4, 5);
  polygon(c, [[-4.2, -25], [0, -29], [4.2, -25]]);
  c.fill();
  c.stroke();
}

function berth(c, ink) {
  c.fillStyle = "#7d8da1";
  c.beginPath();
  c.roundRect(-11, -7, 22, 12, 2);
  c.fill();
  c.stroke();
  c.fillStyle = WHITE;
  c.font = "bold 9px sans-serif";
  c.textAlign = "center";
  c.textBaseline = "middle";
  c.fillText("B", 0, -0.5);
  c.strokeStyle = ink;
}

function pile(c, power, ink) {
  c.fillStyle = power === "on" ? "#0f8a6a" : power === "off" ? "#5b6b80" : "#9aa5b3";
  c.beginPath();
  c.roundRect(-6.5, -20, 13, 21, 3);
  c.fill();
  c.strokeStyle = ink;
  c.stroke();
  c.beginPath();
  polygon(c, [[1.5, -17.5], [-3.5, -9], [-0.5, -9], [-1.5, -2.5], [3.5, -11], [0.5, -11]]);
  c.fillStyle = power === "on" ? "#ffe680" : "#e3e8ee";
  c.fill();
}

/** The light, as charts show it: a teardrop from the mark, in its colour when lit. */
function flare(c, { lamp, flare: colour, kind }) {
  const height = kind === "light" ? -26 : -14;
  c.save();
  c.translate(7, height);
  c.rotate(Math.PI / 4);
  c.beginPath();
  c.moveTo(0, 0);
  c.bezierCurveTo(-5, -8, -4, -14, 0, -14);
  c.bezierCurveTo(4, -14, 5, -8, 0, 0);
  if (lamp === "on") {
    c.shadowColor = colour;
    c.shadowBlur = 6;
    c.fillStyle = colour;
    c.fill();
    c.shadowBlur = 0;
    c.strokeStyle = "rgba(0, 0, 0, 0.55)";
    c.lineWidth = 0.8;
    c.stroke();
  } else if (lamp === "unknown") {
    c.fillStyle = "rgba(138, 148, 163, 0.75)";
    c.fill();
  } else {
    c.strokeStyle = "#8a94a3";
    c.lineWidth = 1.2;
    c.stroke();
  }
  c.restore();
}

/** Draw a ship at (x, y): a triangle along its course, a dot without one. */
export function drawShip(c, x, y, target, colours) {
  c.save();
  c.translate(x, y);
  c.fillStyle = colours.ship;
  c.strokeStyle = colours.shipEdge;
  c.lineWidth = 1;
  c.beginPath();
  const course = target.heading_deg ?? target.cog_deg;
  if (target.kind === "base") {
    c.rect(-4, -4, 8, 8);
    c.moveTo(0, -4);
    c.lineTo(0, -10);
  } else if (target.kind === "aton") {
    polygon(c, [[0, -6], [6, 0], [0, 6], [-6, 0]]);
    if (target.virtual) c.setLineDash([2, 2]);
    c.fillStyle = "transparent";
    c.strokeStyle = colours.aton;
    c.lineWidth = 1.5;
  } else if (course === null) c.arc(0, 0, 3.5, 0, 2 * Math.PI);
  else {
    c.rotate((course * Math.PI) / 180);
    polygon(c, [[0, -9], [4.5, 6], [0, 3.5], [-4.5, 6]]);
  }
  c.fill();
  c.stroke();
  c.restore();
}

function polygon(c, points) {
  points.forEach(([x, y], n) => (n ? c.lineTo(x, y) : c.moveTo(x, y)));
  c.closePath();
}
