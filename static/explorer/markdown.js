// Markdown of strangers, as elements that can do nothing: `marked` takes the text apart, and what it
// finds becomes elements of a few kinds, whose words are text. Pictures are not loaded, markup is shown.

import { lexer } from "../vendor/marked.esm.js";
import { copyButton, fill, h } from "./dom.js";
import { PlainText } from "./plain-text.js";

const MOST = 200_000; // characters; a longer text is shown as it is
const PIECE = 16_000; // characters that are taken apart together: some texts cost marked their square
const DEEPEST = 24; // nesting
const TOO_DEEP = /^[ \t>*+-]{400}/m; // which marked would take apart until its stack is full

// -- what grows ------------------------------------------------------------------------------------

/** A text that grows, in an element: what is finished keeps its elements, so it can be selected. */
export class Markdown {
  #taken = 0; // characters of the text that are in #source
  #source = ""; // the same with line ends of one kind
  #done = 0; // characters of #source whose elements are finished
  #tail = []; // the elements of the block that may go on
  #fence = null; // the code that goes on, until its fence closes
  #plain = null;

  constructor(element) {
    this.element = element;
  }

  /**
   * Show this text, which begins with what was shown before; `whole` says that it is all. Gives
   * whether there is more to do: show it again then.
   */
  show(text, whole = false) {
    if (text.length > MOST && !this.#plain) {
      const all = h("pre", { class: "plain-text", tabindex: "0", role: "region", "aria-label": "A long answer, as it is" });
      fill(this.element, h("p", { class: "note" }, "This is too long to be laid out; it is shown as it came."), all);
      this.#plain = new PlainText(all);
    }
    if (this.#plain) {
      this.#plain.show(text);
      return false;
    }
    this.#take(text, whole);
    return this.#fence ? this.#goOnWithCode(whole) : this.#goOn(whole);
  }

  #take(text, whole) {
    const end = text.endsWith("\r") && !whole ? text.length - 1 : text.length; // half a line end perhaps
    this.#source += text.slice(this.#taken, end).replace(/\r\n?/g, "\n");
    this.#taken = end;
  }

  #goOn(whole) {
    let piece = this.#source.slice(this.#done);
    const more = piece.length > PIECE;
    if (more) piece = piece.slice(0, piece.lastIndexOf("\n", PIECE - 1) + 1 || PIECE);
    const tokens = takenApart(piece);
    const last = tokens.findLastIndex((one) => one.type !== "space");
    const ends = more ? last <= 0 : whole;
    const finished = ends ? tokens : tokens.slice(0, Math.max(more ? last : certain(tokens, last), 0));
    for (const element of this.#tail) element.remove();
    this.#tail = [];
    const code = (!ends || (more && last === 0)) && opensFence(tokens[last]);
    if (code) {
      const before = tokens.slice(0, last);
      this.element.append(...blocks(before, 0));
      this.#done += length(before) + code.head.length;
      this.#beginCode(code);
      return true;
    }
    this.element.append(...blocks(finished, 0));
    this.#done += length(finished);
    this.#tail = blocks(tokens.slice(finished.length), 0);
    this.element.append(...this.#tail);
    return more;
  }

  // A code block that may go on is not taken apart again and again: its text is only added to.
  #beginCode({ indent, fence, language }) {
    const made = codeBlock("", language);
    const lines = document.createTextNode("");
    const pending = document.createTextNode("");
    made.querySelector("code").append(lines, pending);
    this.element.append(made);
    this.#fence = { lines, pending, indent, closing: ` {0,3}\\${fence[0]}{${fence.length},}[ \\t]*` };
  }

  #goOnWithCode(whole) {
    const { lines, pending, indent, closing } = this.#fence;
    const rest = this.#source.slice(this.#done);
    const add = (text) => lines.appendData(indent ? text.replace(new RegExp(`^ {1,${indent.length}}`, "gm"), "") : text);
    const found = rest.match(new RegExp(`^${closing}${whole ? "(?:\\n|(?![^]))" : "\\n"}`, "m"));
    if (found || whole) {
      const end = found ? found.index : rest.length;
      add(rest.slice(0, end).replace(/\n$/, ""));
      pending.data = "";
      this.#done += end + (found?.[0].length ?? 0);
      this.#fence = null;
      return this.#done < this.#source.length;
    }
    // The last line may become the fence; the line end before it belongs to it.
    const cut = Math.max(rest.lastIndexOf("\n"), 0);
    add(rest.slice(0, cut));
    this.#done += cut;
    const line = rest.slice(cut);
    pending.data = new RegExp(`^\\n? {0,3}[\`~]*[ \\t]*$`).test(line) ? "" : line;
    return false;
  }
}

function opensFence(token) {
  const found = token?.type === "code" && token.raw.match(/^( {0,3})(`{3,}|~{3,})[^\n]*\n/);
  return found && { head: found[0], indent: found[1], fence: found[2], language: token.lang };
}

// How many tokens will stay as they are. The last may go on; and while it is the begin of a line, as the
// "3" that becomes "3. third", the one before it as well.
function certain(tokens, last) {
  if (last > 0 && !tokens[last].raw.includes("\n")) return tokens.findLastIndex((one, at) => at < last && one.type !== "space");
  return last;
}

const length = (tokens) => tokens.reduce((sum, token) => sum + token.raw.length, 0);

// The tokens of a text; where that fails it is one, as it is.
function takenApart(text) {
  try {
    if (!TOO_DEEP.test(text)) {
      const tokens = [...lexer(text)];
      if (length(tokens) === text.length) return tokens;
    }
  } catch {
    // Its stack was full, or it did not get on.
  }
  return [{ type: "as-is", raw: text }];
}

// -- tokens → elements -----------------------------------------------------------------------------

const BLOCKS = {
  space: () => null,
  hr: () => h("hr", null),
  heading: (token, depth) => h(`h${Math.min(token.depth + 2, 6)}`, null, inlines(token.tokens, depth)),
  paragraph: (token, depth) => h("p", null, inlines(token.tokens, depth)),
  text: (token, depth) => (token.tokens ? inlines(token.tokens, depth) : decoded(token.text)),
  blockquote: (token, depth) => h("blockquote", null, blocks(token.tokens, depth + 1)),
  code: (token) => codeBlock(token.text, token.lang),
  checkbox: ({ checked }) => h("input", { type: "checkbox", checked, disabled: true, "aria-label": checked ? "done" : "to do" }),
  list: (token, depth) =>
    h(token.ordered ? "ol" : "ul", { start: token.ordered && token.start !== 1 ? token.start : null }, token.items.map((item) => h("li", null, blocks(item.tokens, depth + 1)))),
  table(token, depth) {
    const cell = (tag) => (one) => h(tag, { class: one.align && `align-${one.align}`, scope: tag === "th" ? "col" : null }, inlines(one.tokens, depth));
    const rows = token.rows.map((row) => h("tr", null, row.map(cell("td"))));
    return h(
      "div",
      { class: "scroll", role: "region", "aria-label": "Table", tabindex: "0" },
      h("table", { class: "data" }, h("thead", null, h("tr", null, token.header.map(cell("th")))), h("tbody", null, rows)),
    );
  },
};

const asIs = (token) => h("p", { class: "as-is" }, token.raw.replace(/\n+$/, ""));

function blocks(tokens, depth) {
  return tokens
    .flatMap((token) => (Object.hasOwn(BLOCKS, token.type) && depth <= DEEPEST ? BLOCKS[token.type](token, depth) : asIs(token)))
    .filter((one) => one !== null);
}

const INLINES = {
  text: (token, depth) => (token.tokens ? inlines(token.tokens, depth) : decoded(token.text)),
  escape: (token) => token.text,
  strong: (token, depth) => h("strong", null, inlines(token.tokens, depth + 1)),
  em: (token, depth) => h("em", null, inlines(token.tokens, depth + 1)),
  del: (token, depth) => h("del", null, inlines(token.tokens, depth + 1)),
  codespan: (token) => h("code", null, token.text),
  br: () => h("br", null),
  checkbox: BLOCKS.checkbox,
  link: (token, depth) => anchor(token, () => inlines(token.tokens, depth + 1)),
  image: (token) => anchor(token, () => decoded(token.text) || "a picture"),
};

const inlines = (tokens, depth) =>
  tokens.flatMap((token) => (Object.hasOwn(INLINES, token.type) && depth <= DEEPEST ? INLINES[token.type](token, depth) : token.raw));

// Only where it leads to another site or a letter; else the person sees what was written.
function anchor(token, words) {
  let url;
  try {
    url = new URL(decoded(token.href));
  } catch {
    return token.raw;
  }
  if (!["http:", "https:", "mailto:"].includes(url.protocol)) return token.raw;
  const title = token.title ? decoded(token.title) : null;
  return h("a", { href: url.href, rel: "noreferrer noopener", target: "_blank", title }, words());
}

let codes = 0;

/** Code with the name of its language and a button that copies it. */
export function codeBlock(text, info) {
  const language = (info ?? "").match(/^\S{1,40}/)?.[0] ?? "";
  const id = `chat-code-${(codes += 1)}`;
  return h(
    "figure",
    { class: "snippet" },
    h("figcaption", null, h("span", null, language || "code"), copyButton(id, "the code")),
    h("pre", { tabindex: "0", role: "region", "aria-label": language ? `Code, ${language}` : "Code" }, h("code", { id }, text)),
  );
}

const ENTITIES = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", reg: "®", trade: "™", hellip: "…", mdash: "—", ndash: "–",
  lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", bull: "•", middot: "·", times: "×", deg: "°", euro: "€", larr: "←", rarr: "→", plusmn: "±",
};

// The entities that are met; one that is not known stays as it is written.
const decoded = (text) =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,6}));/g, (all, decimal, hex, name) => {
    if (name) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : all;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : "\ufffd";
  });
