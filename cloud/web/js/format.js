// Values, ages, times and positions as people read them, in the page's language.

import { NAUTICAL_MILE_M } from "./geo.js";
import { has, locale, t } from "./i18n.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** Return an age in seconds, in one unit: "35 s", "12 min", "3 h", "2 d". */
export function age(seconds) {
  if (seconds < 2 * MINUTE) return t("age.s", { n: Math.max(0, Math.floor(seconds)) });
  if (seconds < 2 * HOUR) return t("age.min", { n: Math.floor(seconds / MINUTE) });
  if (seconds < 2 * DAY) return t("age.h", { n: Math.floor(seconds / HOUR) });
  return t("age.d", { n: Math.floor(seconds / DAY) });
}

/** Return how long ago something was. */
export function ago(seconds) {
  return seconds < 2 ? t("age.now") : t("age.ago", { age: age(seconds) });
}

/** Return a date and time in the reader's zone; `seconds` too if asked for. */
export function moment(ms, { seconds = false, date = true } = {}) {
  return new Intl.DateTimeFormat(locale(), {
    ...(date ? { year: "numeric", month: "2-digit", day: "2-digit" } : {}),
    hour: "2-digit",
    minute: "2-digit",
    ...(seconds ? { second: "2-digit" } : {}),
    hourCycle: "h23",
  }).format(ms);
}

/** Return a position in degrees and minutes: 31°06.060′N 122°12.060′E. */
export function position({ lat, lon }) {
  return `${angle(lat, 2, "N", "S")} ${angle(lon, 3, "E", "W")}`;
}

/** Return one coordinate in degrees and minutes. */
export function angle(value, digits, positive, negative) {
  let degrees = Math.floor(Math.abs(value));
  let minutes = (Math.abs(value) - degrees) * 60;
  if (minutes >= 59.9995) {
    degrees += 1;
    minutes = 0;
  }
  const d = String(degrees).padStart(digits, "0");
  const m = minutes.toFixed(3).padStart(6, "0");
  return `${d}°${m}′${value < 0 ? negative : positive}`;
}

/** Return a distance: metres when near, nautical miles when far. */
export function distance(metres) {
  if (metres < 1000) return `${metres.toFixed(metres < 100 ? 1 : 0)} m`;
  return `${(metres / NAUTICAL_MILE_M).toFixed(2)} NM`;
}

/** Return a bearing as three digits. */
export function degrees(value) {
  return `${String(Math.round(value) % 360).padStart(3, "0")}°`;
}

/** Return a power in kW. */
export function kilowatts(watts) {
  return watts === null || watts === undefined ? t("value.none") : `${number(watts / 1000, 2)} kW`;
}

/** Return a number with grouped digits and so many decimals at most. */
export function number(value, decimals) {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: decimals }).format(value);
}

/** Return [text, unit] of a reading: {field, value, unit}. */
export function reading({ field, value, unit }) {
  if (unit === "flag") return [t(value === null ? "value.unknown" : value ? "value.yes" : "value.no"), ""];
  if (value === null) return [t("value.none"), ""];
  if (field.endsWith("lat_e6")) return [angle(value, 2, "N", "S"), ""];
  if (field.endsWith("lon_e6")) return [angle(value, 3, "E", "W"), ""];
  if (typeof value === "string") return [has(`code.${value}`) ? t(`code.${value}`) : value, ""];
  if (unit === "W") return [number(value / 1000, 3), t("unit.kW")];
  if (unit === "s" && value >= 2 * MINUTE) return [age(value), ""];
  if (unit === "bits") return [`0x${value.toString(16).toUpperCase()}`, ""];
  return [number(value, 3), t(`unit.${unit}`)];
}
