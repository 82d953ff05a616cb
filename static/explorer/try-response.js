// What becomes of a request: its status, times, size and headers, and its body as it comes.

import { ApiError, Gone, events, request } from "./api.js";
import { $, announce, copyButton, fill, h, setText } from "./dom.js";
import { bytes, counted, duration } from "./format.js";
import { problem } from "./problem.js";
import { joined, layout, parse } from "./try-json.js";

const MOST_COLOURED = 200_000; // characters
const MOST_SHOWN = 2_000_000; // bytes
const STICKS = 40; // pixels from its end, within which a list goes on to show its end

const TAGS = { name: "b", string: "i", number: "var", word: "var" };

/** Pieces of a text, `[kind, text]`, as elements that can be told apart. */
export const coloured = (pieces) => pieces.map(([kind, text]) => (kind in TAGS ? h(TAGS[kind], null, text) : text));

// What the data of an event adds to the answer's words: [which answer, text].
const WORDS = {
  chat_completions: (data) => data.choices?.map((choice) => [choice.index, choice.delta?.content]),
  completions: (data) => data.choices?.map((choice) => [choice.index, choice.text]),
  messages: (data) => (data.delta?.type === "text_delta" ? [[0, data.delta.text]] : []),
};

/**
 * The place of an operation's responses: `{element, live}`. `live({path, headers, body, signal})` sends a
 * request and shows what becomes of it; it never raises.
 */
export function responsePlace(operation) {
  const element = h("section", { class: "response", "aria-labelledby": "try-response-title", hidden: true });
  let blob = null;

  function offered(chunks, type) {
    blob = URL.createObjectURL(new Blob(chunks, { type: "application/octet-stream" }));
    const ending = type.includes("json") ? "json" : type.includes("html") ? "html" : "txt";
    return h("a", { href: blob, download: `${operation.id}.${ending}` }, "Download all of it");
  }

  async function live({ path, headers, body, signal }) {
    if (blob) URL.revokeObjectURL(blob);
    blob = null;
    const started = performance.now();
    const since = () => performance.now() - started;
    const shown = { status: h("strong", null, "Waiting …"), head: h("span"), whole: h("span"), size: h("span"), type: h("span") };
    const rest = h("div", { class: "response-rest" });
    fill(
      element,
      h("h3", { id: "try-response-title" }, "Response"),
      h("p", { class: "figures" }, Object.values(shown)),
      rest,
    );
    element.hidden = false;
    element.setAttribute("aria-busy", "true");
    let size = 0;
    try {
      const response = await request(operation.method, path, { headers: Object.fromEntries(headers), body, signal });
      setText(shown.status, `${response.status} ${response.statusText}`.trim());
      shown.status.className = response.ok ? "good" : "bad";
      setText(shown.head, `head after ${duration(since())}`);
      const type = response.headers.get("content-type") ?? "";
      setText(shown.type, type);
      rest.append(headersOf(response));
      const sized = (count) => setText(shown.size, bytes((size = count)));
      if (type.startsWith("text/event-stream")) await streamed({ operation, response, rest, sized, since });
      else await whole({ response, rest, sized, type, offered });
      setText(shown.whole, `${duration(since())} in all`);
      announce(`${shown.status.textContent}, ${duration(since())}, ${bytes(size)}`);
    } catch (error) {
      if (error.name === "AbortError") {
        if (!shown.head.textContent) setText(shown.status, "Stopped");
        setText(shown.whole, `stopped after ${duration(since())}`);
        announce("Stopped");
      } else {
        if (!shown.head.textContent) setText(shown.status, "No answer");
        setText(shown.whole, `broken off after ${duration(since())}`);
        rest.append(problem(error));
      }
    }
    element.removeAttribute("aria-busy");
  }

  return { element, live };
}

function headersOf(response) {
  const all = [...response.headers];
  return h(
    "details",
    { class: "headers" },
    h("summary", null, counted(all.length, "header")),
    h("dl", null, all.map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
  );
}

function bodyFigure(hint, ...more) {
  const code = h("code", { id: "try-response-body" });
  const pre = h("pre", { role: "region", "aria-labelledby": "try-response-body-name", tabindex: 0 }, code);
  const caption = h("figcaption", null, h("span", { id: "try-response-body-name" }, "Body"), h("span", { class: "hint" }, hint), copyButton("try-response-body", "the body"));
  return { code, figure: h("figure", { class: "snippet" }, caption, pre, ...more) };
}

// -- a body that comes whole -----------------------------------------------------------------------

async function whole({ response, rest, sized, type, offered }) {
  const { chunks, size } = await read(response, sized);
  const text = await new Blob(chunks).slice(0, MOST_SHOWN).text();
  const told = pretty(text, type);
  if (!response.ok) rest.append(fault(response, text));
  if (size === 0) return void rest.append(h("p", { class: "note" }, "The body is empty."));
  const hint = told.kind;
  const cut = size > MOST_SHOWN && h("p", { class: "cut" }, `The body has ${bytes(size)}; its first ${bytes(MOST_SHOWN)} are shown. `, offered(chunks, type));
  const { code, figure } = bodyFigure(hint, cut);
  fill(code, told.parts);
  rest.append(figure);
}

async function read(response, sized) {
  const chunks = [];
  let size = 0;
  const reader = response.body.getReader();
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw error.name === "AbortError" ? error : new Gone();
    }
    if (piece.done) break;
    chunks.push(piece.value);
    sized((size += piece.value.length));
  }
  sized(size);
  return { chunks, size };
}

function pretty(text, type) {
  if (!type.includes("json")) return { kind: type.split(";")[0], parts: [text] };
  try {
    const pieces = layout(parse(text));
    return { kind: "JSON", parts: text.length > MOST_COLOURED ? [joined(pieces)] : coloured(pieces) };
  } catch {
    return { kind: "JSON, as it came", parts: [text] }; // it was cut, or is nested too deeply
  }
}

function fault(response, text) {
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    // It is not one of ours, but of something between us.
  }
  const told = problem(new ApiError(response.status, document, response.headers));
  if (response.status === 401) told.append(h("button", { class: "quiet", type: "button", onclick: () => $("key-button").click() }, "Type the key"));
  return told;
}

// -- a stream --------------------------------------------------------------------------------------

async function streamed({ operation, response, rest, sized, since }) {
  const encoder = new TextEncoder();
  const words = h("div", { class: "joined", role: "region", "aria-labelledby": "try-text-name", tabindex: 0 });
  const list = h("ol");
  const scrolled = h("div", { class: "events", role: "region", "aria-labelledby": "try-events-name", tabindex: 0 }, list);
  const count = h("span", { class: "hint" });
  const more = h("p", { class: "cut", hidden: true }, `More than ${bytes(MOST_SHOWN)} have come: further events are counted, and not shown.`);
  rest.append(
    h("figure", { class: "snippet" }, h("figcaption", null, h("span", { id: "try-text-name" }, "Text")), words),
    h("figure", { class: "snippet" }, h("figcaption", null, h("span", { id: "try-events-name" }, "Events"), count), scrolled, more),
  );
  const texts = new Map();

  function say(index, text) {
    if (!text) return;
    if (!texts.has(index)) {
      const node = document.createTextNode("");
      words.append(h("p", null, texts.size > 0 && h("strong", null, `Choice ${index}: `), node));
      texts.set(index, node);
    }
    texts.get(index).appendData(text);
  }

  let size = 0;
  let number = 0;
  for await (const { data, raw } of events(response)) {
    number += 1;
    size += encoder.encode(raw).length + 2;
    sized(size);
    setText(count, String(number));
    if (size <= MOST_SHOWN) {
      const atEnd = scrolled.scrollHeight - scrolled.scrollTop - scrolled.clientHeight < STICKS;
      list.append(h("li", null, h("span", null, `+${duration(since())}`), h("code", null, raw)));
      if (atEnd) scrolled.scrollTop = scrolled.scrollHeight;
    } else {
      more.hidden = false;
    }
    const told = parsed(data);
    for (const [index, text] of WORDS[operation.id]?.(told) ?? []) say(index, text);
    if (told.error) rest.prepend(problem(new Error(told.error.message ?? "The stream ended with an error.")));
  }
}

function parsed(data) {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {}; // [DONE], a comment
  }
}
