// Light or dark: as the system has it, or as the user said. The map's colours come from the CSS.

const KEPT = "fairway.theme";
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");

/** Return "light" or "dark". */
export function theme() {
  return localStorage.getItem(KEPT) ?? (system.matches ? "dark" : "light");
}

/** Return the colours of drawings, by name: `--map-land` is `land`. */
export function mapColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--map-${name}`).trim();
  return {
    land: colour("land"),
    coast: colour("coast"),
    grid: colour("grid"),
    gridText: colour("grid-text"),
    label: colour("label"),
    halo: colour("halo"),
    ship: colour("ship"),
    shipEdge: colour("ship-edge"),
    aton: colour("aton"),
    selected: colour("selected"),
    live: colour("live"),
    overdue: colour("overdue"),
    silent: colour("silent"),
    never: colour("never"),
  };
}

/** Begin with the theme of the last visit, and follow the system's. */
export function begin() {
  system.addEventListener("change", apply);
  apply();
}

/** Change to the other one. */
export function toggle() {
  localStorage.setItem(KEPT, theme() === "dark" ? "light" : "dark");
  apply();
}

/** Call a function whenever the theme changed. */
export function onTheme(listener) {
  listeners.add(listener);
}

function apply() {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}
