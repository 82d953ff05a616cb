// The same call as a program, in one of three languages: tabs, and a button that copies.

import { key } from "./api.js";
import { copyButton, fill, h, setText } from "./dom.js";
import { curl, node, python } from "./snippets.js";
import { coloured } from "./try-response.js";

const PLACEHOLDER = "YOUR_KEY";
const MOST_COLOURED = 50_000; // characters
const keyNeeded = document.documentElement.dataset.keyNeeded === "yes";

const STRINGS = /"(?:[^"\\\n]|\\.)*"/;
const LANGUAGES = {
  curl: { title: "curl", what: "the curl command", hint: "", write: curl, pattern: /('(?:[^']|'\\'')*')|\b(curl)\b/g },
  python: {
    title: "Python",
    what: "the Python program",
    hint: (text) => `pip install ${text.includes("from anthropic") ? "anthropic" : "openai"}`,
    write: python,
    pattern: new RegExp(`(${STRINGS.source})|\\b(import|from|for|in|if|or|and|True|False|None)\\b`, "g"),
  },
  node: {
    title: "Node.js",
    what: "the Node.js program",
    hint: (text) => `npm install ${text.includes("@anthropic-ai/sdk") ? "@anthropic-ai/sdk" : "openai"}`,
    write: node,
    pattern: new RegExp(`(${STRINGS.source})|\\b(import|from|const|new|await|for|of|if|true|false|null)\\b`, "g"),
  },
};

/** The languages' names, as they stand in the URL; the first is the default. */
export const languages = Object.keys(LANGUAGES);

function pieces(text, pattern) {
  if (text.length > MOST_COLOURED) return [["plain", text]];
  const found = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    found.push(["plain", text.slice(from, match.index)], [match[1] ? "string" : "name", match[0]]);
    from = match.index + match[0].length;
  }
  return [...found, ["plain", text.slice(from)]];
}

/**
 * The programs of an operation: `{element, choose, tell}`. `choose(language)` shows that one;
 * `tell(call)` shows another call, as in snippets.js without its key, or, if that is a text, why there is
 * none. `chosen(language)` is called when a person chooses.
 */
export function programs(operation, chosen) {
  let language = languages[0];
  let call = null;
  const code = h("code", { id: "try-program" });
  const copied = h("pre", { id: "try-program-copied", class: "copied", "aria-hidden": "true" });
  const hint = h("span", { class: "hint" });
  const note = h("p", { class: "note" });
  const button = copyButton("try-program-copied", "the program");
  const panel = h("pre", { id: "try-program-panel", role: "tabpanel", tabindex: 0 }, code);
  const tabs = new Map(
    languages.map((name) => [
      name,
      h("button", { type: "button", role: "tab", id: `try-tab-${name}`, "aria-controls": "try-program-panel", onclick: () => chosen(name) }, LANGUAGES[name].title),
    ]),
  );
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Language", onkeydown: turned }, [...tabs.values()]);
  const element = h(
    "section",
    { class: "programs", "aria-labelledby": "try-programs-title" },
    h("h3", { id: "try-programs-title" }, "The same call as a program"),
    h("figure", { class: "snippet" }, h("figcaption", null, list, hint, button), panel),
    note,
    copied,
  );

  function turned(event) {
    const at = languages.indexOf(language);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + languages.length, Home: 0, End: languages.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    chosen(languages[to % languages.length]);
    tabs.get(language).focus();
  }

  const write = (secret) => LANGUAGES[language].write({ ...call, key: secret });

  // The key is put in when it is copied, and not before. The button's own listener comes before that of
  // copy.js, which reads what is here.
  button.addEventListener("click", () => setText(copied, write(key() || shownKey())));

  const shownKey = () => (key() || (keyNeeded && !operation.open) ? PLACEHOLDER : "");

  function show() {
    copied.textContent = "";
    let text = "";
    let why = typeof call === "string" ? call : null;
    try {
      text = why === null ? write(shownKey()) : "";
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      why = "There is no program of this body: it is nested too deeply.";
    }
    const { pattern, hint: needed, what } = LANGUAGES[language];
    fill(code, coloured(pieces(text, pattern)));
    setText(hint, why === null && needed ? needed(text) : "");
    panel.hidden = button.hidden = why !== null;
    button.setAttribute("aria-label", `Copy ${what}`);
    setText(
      note,
      why ??
        (key() ? `${PLACEHOLDER} stands for the key that you typed; what is copied has the key itself.`
        : shownKey() ? `Put one of this server’s keys where ${PLACEHOLDER} stands.`
        : ""),
    );
  }

  return {
    element,
    choose(name) {
      language = name;
      for (const [one, tab] of tabs) {
        tab.setAttribute("aria-selected", String(one === name));
        tab.tabIndex = one === name ? 0 : -1;
      }
      panel.setAttribute("aria-labelledby", `try-tab-${name}`);
      if (call !== null) show();
    },
    tell(another) {
      call = another;
      show();
    },
  };
}
