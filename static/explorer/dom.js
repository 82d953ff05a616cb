// Elements without markup in strings: what comes from a model or a request is text, and stays text.

const SVG = "http://www.w3.org/2000/svg";

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** An element: `h("a", {href, class, onclick, data: {…}}, child, "text", [more])`. */
export function h(tag, properties, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** The same in SVG. */
export function svg(tag, properties, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

/** Put these in the place of all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false && one !== ""));
  return element;
}

/**
 * Puts the elements of a new answer into the place of those of the last one. What is in both stays where it is,
 * with the keyboard's focus and what is selected in it.
 */
export function settle(parent, elements) {
  const focused = document.activeElement;
  const wanted = new Set(elements);
  for (const one of [...parent.childNodes]) if (!wanted.has(one)) one.remove();
  elements.forEach((one, at) => parent.childNodes[at] !== one && parent.insertBefore(one, parent.childNodes[at] ?? null));
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

/** Change an element's text, if it is another: what stays the same does not flicker or speak. */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

/** Put one text in the place of another, wherever it stands in an element. */
export function replaceText(element, text, other) {
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(text, other);
}

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** A button that copies the text of the element with this id, or its value. */
export function copyButton(target, what) {
  return h(
    "button",
    { class: "copy", type: "button", "data-copy": target, "aria-label": `Copy ${what}` },
    h("span", { class: "copy-label" }, "Copy"),
  );
}

/** Say something to those who can't see it. */
export function announce(words) {
  setText($("live"), words);
}

/** Ask before something that can't be undone; gives whether it shall be done. */
export function confirmed({ title, text, action }) {
  const dialog = $("confirm");
  setText($("confirm-title"), title);
  setText($("confirm-text"), text);
  setText($("confirm-action"), action);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
