// JSON as a text: where a mistake in it is, how it is laid out, and changes that leave the rest as it
// was typed. Numbers stay as they were written, which JSON.parse does not promise.

const WIDTH = 80; // columns; what fits into so many stands on one line

/** The deepest nesting that is laid out; the compilers of programs have limits like it. */
export const DEEPEST = 100;

const BLANK = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const CLOSING = { object: "}", array: "]" };

/** A text that is no JSON: `at`, and `line` and `column` from 1, say where it ceases to be. */
export class Mistake extends Error {
  constructor(text, at, words) {
    const before = text.slice(0, at);
    const line = before.split("\n").length;
    const column = at - before.lastIndexOf("\n");
    super(`Line ${line}, column ${column}: ${words}`);
    Object.assign(this, { at, line, column });
  }
}

/**
 * A text → the tree of its value. Every node has `kind` (object, array, string, number or word),
 * `start` and `end`; objects have `members` of `{name, value}`, arrays `items`, the others `text`, as it
 * was written. The root has `depth`. Raises Mistake.
 */
export function parse(text) {
  let at = 0;
  const open = [];
  let root = null;
  let depth = 0;

  const fail = (words) => {
    throw new Mistake(text, at, `${words}${at < text.length ? "" : ", but the text ends"}.`);
  };
  const take = (pattern) => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };

  function string() {
    const start = at;
    at += 1;
    for (;;) {
      take(PLAIN);
      if (text[at] === '"') break;
      if (at < text.length && text[at] < " ") fail("a line break or another control character stands in a text; write it as \\n, \\t or \\u000a");
      if (!take(ESCAPE)) fail(text[at] === "\\" ? "no such escape: after \\ comes one of \" \\ / b f n r t, or u and four hex digits" : 'a closing " was expected');
    }
    at += 1;
    return { kind: "string", start, end: at, text: text.slice(start, at) };
  }

  function value() {
    take(BLANK);
    const start = at;
    if (text[at] === '"') return string();
    if (text[at] === "{" || text[at] === "[") {
      at += 1;
      return text[start] === "{" ? { kind: "object", start, members: [] } : { kind: "array", start, items: [] };
    }
    for (const [kind, pattern] of [["number", NUMBER], ["word", WORD]]) {
      if (take(pattern)) return { kind, start, end: at, text: text.slice(start, at) };
    }
    return fail(text[at] === "'" ? "a text stands in double quotes in JSON" : "a value was expected");
  }

  function name() {
    take(BLANK);
    if (text[at] !== '"') fail("a name in double quotes was expected");
    const found = string();
    take(BLANK);
    if (text[at] !== ":") fail("a colon was expected");
    at += 1;
    open.at(-1).members.push({ name: found, value: null });
  }

  for (;;) {
    const node = value();
    const around = open.at(-1);
    if (!around) root = node;
    else if (around.kind === "object") around.members.at(-1).value = node;
    else around.items.push(node);
    if (node.kind in CLOSING) {
      open.push(node);
      depth = Math.max(depth, open.length);
      take(BLANK);
      if (text[at] !== CLOSING[node.kind]) {
        if (node.kind === "object") name();
        continue;
      }
    }
    for (let after = !(node.kind in CLOSING); ; after = true) {
      take(BLANK);
      const inner = open.at(-1);
      if (!inner) {
        if (at < text.length) fail("nothing more was expected here");
        return Object.assign(root, { depth });
      }
      if (text[at] === CLOSING[inner.kind]) {
        at += 1;
        inner.end = at;
        open.pop();
      } else if (after && text[at] === ",") {
        at += 1;
        if (inner.kind === "object") name();
        break;
      } else {
        fail(`a comma or ${CLOSING[inner.kind]} was expected`);
      }
    }
  }
}

/** The member of an object with that name, the last if there are several, or undefined. */
export const member = (node, name) =>
  node.kind === "object" ? node.members.findLast((one) => JSON.parse(one.name.text) === name) : undefined;

/** The text with that member set to a literal, or without it if that is null; else as it was typed. */
export function withMember(text, name, literal) {
  const root = parse(text);
  if (root.kind !== "object") return text;
  const { members } = root;
  const found = member(root, name);
  const put = (start, end, words) => text.slice(0, start) + words + text.slice(end);
  if (found && literal !== null) return put(found.value.start, found.value.end, literal);
  if (found) {
    const index = members.indexOf(found);
    if (index > 0) return put(members[index - 1].value.end, found.value.end, "");
    return put(found.name.start, members[1]?.name.start ?? found.value.end, "");
  }
  if (literal === null) return text;
  const last = members.at(-1);
  if (!last) return put(root.start + 1, root.start + 1, `${JSON.stringify(name)}: ${literal}`);
  const gap = text.slice(0, last.name.start).match(/\s*$/)[0];
  return put(last.value.end, last.value.end, `,${gap || " "}${JSON.stringify(name)}: ${literal}`);
}

const same = (text) => text;

/** How JSON itself is written: what each kind of leaf becomes, an object's braces on one line, a last comma. */
export const JSON_STYLE = { string: same, name: same, number: same, word: same, braces: ["{", "}"], comma: "" };

/**
 * A node → its pieces, `[kind, text]`, which joined are its text: what fits on a line is put there,
 * the root only if it is not to be `open`. `indent` is how far it is in, `step` how much further what it
 * holds, `before` how much stands before it on its line. Raises RangeError where it is nested deeper
 * than DEEPEST.
 */
export function layout(root, { style = JSON_STYLE, indent = 0, step = 2, before = 0, open = true } = {}) {
  const pieces = [];
  const widths = new Map();
  const put = (kind, text) => pieces.push([kind, text]);
  const leaf = (node) => style[node.kind](node.text);

  function width(node, depth) {
    if (depth > DEEPEST) throw new RangeError("nested too deeply");
    let sum = node.kind === "object" ? style.braces.join("").length : 2;
    if (node.kind === "object") {
      for (const one of node.members) sum += style.name(one.name.text).length + 4 + width(one.value, depth + 1);
    } else if (node.kind === "array") {
      for (const one of node.items) sum += 2 + width(one, depth + 1);
    } else {
      sum = leaf(node).length;
    }
    widths.set(node, sum);
    return sum;
  }

  function flat(node) {
    if (!(node.kind in CLOSING)) return put(node.kind, leaf(node));
    const parts = node.members ?? node.items;
    if (!parts.length) return put("mark", node.kind === "object" ? "{}" : "[]");
    const [first, last] = node.kind === "object" ? style.braces : "[]";
    put("mark", first);
    parts.forEach((one, index) => {
      if (index) put("mark", ", ");
      if (node.kind === "array") return flat(one);
      put("name", style.name(one.name.text));
      put("mark", ": ");
      flat(one.value);
    });
    put("mark", last);
  }

  function figures(node, inner) {
    let column = Infinity;
    node.items.forEach((one, index) => {
      const text = leaf(one);
      const wraps = column + text.length + 2 > WIDTH;
      if (index) put("mark", wraps ? "," : ", ");
      if (wraps) put("mark", `\n${" ".repeat(inner)}`);
      column = (wraps ? inner : column + 2) + text.length;
      put(one.kind, text);
    });
  }

  function write(node, at, taken, spread) {
    const parts = node.members ?? node.items;
    if (!parts?.length || (!spread && at + taken + widths.get(node) <= WIDTH)) return flat(node);
    const inner = at + step;
    put("mark", node.kind === "object" ? "{" : "[");
    if (node.kind === "array" && parts.every((one) => one.kind === "number")) figures(node, inner);
    else {
      parts.forEach((one, index) => {
        put("mark", `${index ? "," : ""}\n${" ".repeat(inner)}`);
        if (node.kind === "array") return write(one, inner, 0, false);
        const name = style.name(one.name.text);
        put("name", name);
        put("mark", ": ");
        write(one.value, inner, name.length + 2, false);
      });
    }
    put("mark", `${style.comma}\n${" ".repeat(at)}${CLOSING[node.kind]}`);
  }

  width(root, 0);
  write(root, indent, before, open);
  return pieces;
}

/** A value as it is laid out here. */
export const laidOut = (value) => joined(layout(parse(JSON.stringify(value))));

/** The text that pieces make. */
export const joined = (pieces) => pieces.map(([, text]) => text).join("");
