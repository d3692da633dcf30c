// The page's texts, in one dictionary per language.

import en from "./lang/en.js";
import zh from "./lang/zh.js";

const DICTIONARIES = { zh, en };
const LOCALES = { zh: "zh-CN", en: "en-GB" };
const KEPT = "fairway.lang";

let language = "zh";
const listeners = new Set();

/** Return the language, "zh" or "en". */
export function lang() {
  return language;
}

/** Return the language's locale, for Intl. */
export function locale() {
  return LOCALES[language];
}

/** Return a text; `{name}` in it is replaced from `values`. */
export function t(key, values = {}) {
  const text = DICTIONARIES[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Return whether there is a text of this key. */
export function has(key) {
  return key in DICTIONARIES[language];
}

/** Return a name of the registry in the page's language. */
export function named(names) {
  return names[language] || names.zh || names.en;
}

/** Take the language from `?lang=`, from the last visit, or zh. */
export function begin() {
  const asked = new URLSearchParams(location.search).get("lang");
  setLanguage(asked?.toLowerCase().slice(0, 2) || localStorage.getItem(KEPT) || "zh");
}

/** Change the language, of the static texts too, and tell everyone who writes texts. */
export function setLanguage(wanted) {
  language = wanted in DICTIONARIES ? wanted : "zh";
  localStorage.setItem(KEPT, language);
  document.documentElement.lang = locale();
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t);
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
    element.title = t(element.dataset.tLabel);
  }
  for (const element of document.querySelectorAll("[data-t-placeholder]")) {
    element.placeholder = t(element.dataset.tPlaceholder);
  }
  for (const listener of listeners) listener();
}

/** Call a function whenever the language changed. */
export function onLanguage(listener) {
  listeners.add(listener);
}
