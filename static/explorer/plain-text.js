// Text of any length as it is, to the character, so that a megabyte of it does not hold up the page.

import { h } from "./dom.js";

const BLOCK = 16_384; // characters that are laid out together

/** Text that grows, in an element; the browser passes over the parts that nobody sees. */
export class PlainText {
  #shown = 0;
  #block = null;

  constructor(element) {
    this.element = element;
  }

  /** Show this text, which begins with what was shown before. */
  show(text) {
    let rest = text.slice(this.#shown);
    this.#shown = text.length;
    while (rest) {
      const room = this.#block ? BLOCK - this.#block.length : 0;
      if (room <= 0) {
        this.#block = document.createTextNode("");
        this.element.append(h("span", { class: "text-block" }, this.#block));
        continue;
      }
      const end = rest.length <= room ? rest.length : cut(rest, room);
      this.#block.appendData(rest.slice(0, end));
      if (end < rest.length) this.#block = null;
      rest = rest.slice(end);
    }
  }
}

// After a line if there is one, so that the parts look like one; never within a pair of surrogates.
function cut(text, room) {
  const line = text.lastIndexOf("\n", room - 1) + 1;
  if (line) return line;
  return /[\ud800-\udbff]/.test(text[room - 1]) ? room + 1 : room;
}
