// One operation: what it is, its parameters and body as they can be changed, sending, and stopping.

import { announce, confirmed, fill, h, setText } from "./dom.js";
import { counted } from "./format.js";
import { Mistake, member, parse, withMember } from "./try-json.js";
import { faultOf, headersOf, pathOf } from "./try-operations.js";
import { responsePlace } from "./try-response.js";
import { programs } from "./try-snippets.js";

const ROWS = { least: 4, most: 24 };

/** Words with `code` in backticks. */
function prose(text) {
  return text.split("`").map((piece, index) => (index % 2 ? h("code", null, piece) : piece));
}

/** The list of what there is for a parameter, if it is known here: the id of a datalist. */
function offers(operation, parameter) {
  if (parameter.place === "path") return operation.path.startsWith("/v1/models") ? "try-known-models" : "try-known-sessions";
  if (parameter.name === "X-Session-Id") return "try-known-sessions-encoded";
  return ["after_id", "before_id"].includes(parameter.name) ? "try-known-models" : null;
}

/**
 * The panel of an operation: `{element, heading, choose, tell}`. `choose(language)` is that of
 * the programs, `tell()` is called when the key is another. `chosen(language)` is called when a person
 * chooses, `sent()` after something was sent.
 */
export function panelOf(operation, { chosen, sent }) {
  const named = (name) => `try-${operation.id}-${name}`;
  const response = responsePlace(operation);
  const program = programs(operation, chosen);
  let running = null;

  // -- parameters ----------------------------------------------------------------------------------

  const inputs = new Map(operation.parameters.map((one) => [one.name, parameterInput(one)]));
  const values = () => Object.fromEntries([...inputs].map(([name, { input }]) => [name, input.value]));

  function parameterInput(parameter) {
    const id = named(parameter.name);
    const described = `${id}-note ${id}-fault`;
    const common = { id, "aria-describedby": described, oninput: changed };
    const input = parameter.choices
      ? h("select", common, h("option", { value: "" }, "not sent"), parameter.choices.map((one) => h("option", { value: one }, one)))
      : h("input", {
          ...common,
          value: parameter.example,
          list: offers(operation, parameter),
          required: parameter.required,
          inputmode: parameter.whole && "numeric",
          autocomplete: "off",
          autocapitalize: "none",
          spellcheck: "false",
          placeholder: parameter.required ? null : "not sent",
        });
    const fault = h("p", { class: "fault", id: `${id}-fault`, hidden: true });
    const element = h(
      "div",
      { class: "parameter" },
      h("label", { for: id }, h("code", null, parameter.name), " ", h("span", { class: "mark" }, parameter.required ? `${parameter.place}, required` : parameter.place)),
      input,
      h("p", { class: "note", id: `${id}-note` }, prose(parameter.place === "path" ? parameter.description.replace(", percent-encoded", "") : parameter.description)),
      fault,
    );
    return { parameter, element, input, fault };
  }

  // -- the body ------------------------------------------------------------------------------------

  const bodyFault = h("p", { class: "fault", id: named("body-fault"), hidden: true });
  const text = operation.body &&
    h("textarea", {
      class: "code-input",
      id: named("body"),
      value: operation.body.example,
      spellcheck: "false",
      autocapitalize: "none",
      autocomplete: "off",
      "aria-describedby": named("body-fault"),
      oninput: changed,
    });
  const streams = h("input", { type: "checkbox", id: named("stream"), onchange: streamed });
  const reset = h("button", { class: "quiet", type: "button", onclick: restored }, "Reset to the example");
  const body = () => text?.value ?? "";

  function write(words) {
    text.value = words;
    changed();
  }

  function streamed() {
    write(withMember(text.value, "stream", streams.checked ? "true" : null));
    announce(streams.checked ? "The body has stream: true" : "The body has no stream");
  }

  function restored() {
    write(operation.body.example);
    text.focus();
  }

  // What is wrong with the body, and whether it asks for a stream.
  function examined() {
    if (!operation.body) return { mistake: null, root: null };
    if (!operation.body.required && !body().trim()) return { mistake: null, root: null };
    try {
      return { mistake: null, root: parse(body()) };
    } catch (mistake) {
      if (mistake instanceof Mistake) return { mistake, root: null };
      throw mistake;
    }
  }

  // -- what follows from what was typed ------------------------------------------------------------

  const line = h("code");

  function tellFault({ input, fault }, words) {
    fault.hidden = words === null;
    setText(fault, words ?? "");
    if (words === null) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
  }

  // Gives the first place that is wrong, or null.
  function changed() {
    let first = null;
    for (const one of inputs.values()) {
      const words = faultOf(operation, one.parameter, one.input.value);
      tellFault(one, words);
      if (words !== null) first ??= { input: one.input, words };
    }
    const { mistake, root } = examined();
    if (text) {
      tellFault({ input: text, fault: bodyFault }, mistake?.message ?? null);
      text.rows = Math.min(ROWS.most, Math.max(ROWS.least, body().split("\n").length + 1));
      reset.disabled = body() === operation.body.example;
      streams.disabled = root?.kind !== "object";
      if (root) streams.checked = member(root, "stream")?.value.text === "true";
    }
    const count = headersOf(operation, values()).length;
    setText(headersTitle, count ? `Headers: ${counted(count, "is", "are")} sent` : "Headers that may be sent");
    setText(line, `${location.origin}${pathOf(operation, values())}`);
    if (first) program.tell("There is a program as soon as the parameters are right.");
    else if (mistake) program.tell("There is a program as soon as the body is JSON.");
    else program.tell({ operation, values: values(), body: body(), origin: location.origin });
    return first ?? (mistake && { input: text, words: mistake.message, at: mistake.at });
  }

  // -- sending -------------------------------------------------------------------------------------

  const send = h("button", { class: operation.method === "DELETE" ? "danger" : "primary" }, "Send");
  const stop = h("button", { class: "quiet", type: "button", disabled: true, onclick: () => running?.abort() }, "Stop");

  async function submitted(event) {
    event.preventDefault();
    if (running) return;
    const wrong = changed();
    if (wrong) {
      if (headers && headers.contains(wrong.input)) headers.open = true;
      wrong.input.focus();
      if (wrong.at !== undefined) text.setSelectionRange(wrong.at, Math.min(wrong.at + 1, body().length));
      announce(`Not sent. ${wrong.words}`);
      return;
    }
    const path = pathOf(operation, values());
    if (operation.method === "DELETE" && !(await agreed(path))) return;
    running = new AbortController();
    tellRunning();
    await response.live({ path, headers: headersOf(operation, values()), body: body().trim() ? body() : undefined, signal: running.signal });
    running = null;
    tellRunning();
    sent();
  }

  const agreed = (path) =>
    confirmed({
      title: `${operation.summary}?`,
      text: `DELETE ${decodeURIComponent(path)} is sent to this server. What it deletes can’t be had again.`,
      action: "Delete",
    });

  function tellRunning() {
    const focused = document.activeElement;
    send.setAttribute("aria-disabled", String(running !== null));
    stop.disabled = running === null;
    if (focused === stop && stop.disabled) send.focus();
  }

  function hurried(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit(send);
  }

  // -- put together --------------------------------------------------------------------------------

  const places = (...names) => [...inputs.values()].filter(({ parameter }) => names.includes(parameter.place)).map((one) => one.element);
  const fieldset = (elements, legend) =>
    elements.length > 0 && h("fieldset", { class: "parameters" }, h("legend", { class: legend === "Headers" && "visually-hidden" }, legend), elements);
  const ofHeaders = fieldset(places("header"), "Headers");
  const headersTitle = h("summary");
  const headers = ofHeaders && h("details", { class: "more" }, headersTitle, ofHeaders);
  const heading = h("h2", { id: "try-operation", tabindex: -1 }, h("span", { class: "method" }, operation.method), " ", h("span", { class: "path" }, operation.path));
  const keyNeeded = document.documentElement.dataset.keyNeeded === "yes";
  const form = h(
    "form",
    { class: "request", novalidate: true, onsubmit: submitted, onkeydown: hurried, "aria-label": "Request" },
    fieldset(places("path", "query"), "Parameters"),
    operation.body && [
      h(
        "div",
        { class: "body-head" },
        h("label", { for: named("body") }, "Body ", h("span", { class: "hint" }, operation.body.required ? "JSON" : "JSON, may be empty")),
        operation.streams && h("label", { class: "check", for: named("stream") }, streams, "stream"),
        reset,
      ),
      text,
      bodyFault,
      operation.body.fields.length > 0 && fields(),
    ],
    headers,
    h(
      "div",
      { class: "sending" },
      h("p", { class: "line" }, h("span", { class: "method" }, operation.method), " ", line),
      send,
      stop,
      h("p", { class: "note" }, h("kbd", null, "Ctrl"), " or ", h("kbd", null, "⌘"), " ", h("kbd", null, "Enter"), " sends too"),
    ),
  );

  function fields() {
    return h(
      "details",
      { class: "more body-fields" },
      h("summary", null, "The body’s fields"),
      h(
        "dl",
        null,
        operation.body.fields.map((one) => [
          h("dt", null, h("code", null, one.name), one.required && [" ", h("span", { class: "mark" }, "required")]),
          h("dd", null, prose(one.description)),
        ]),
      ),
      h("p", { class: "note" }, "Their types and limits, and the fields without an effect, are in the ", h("a", { href: `/docs#${operation.id}` }, "reference"), "."),
    );
  }

  const element = h(
    "article",
    { class: "operation", "aria-labelledby": "try-operation" },
    h("p", { class: "back" }, h("a", { href: "#/try" }, "← All requests")),
    heading,
    h("p", null, prose(`${operation.summary}.`), " ", prose(operation.description)),
    h(
      "p",
      { class: "note" },
      !keyNeeded ? "This server wants no key. " : operation.open ? "It needs no key. " : "It needs one of this server’s keys. ",
      h("a", { href: `/docs#${operation.id}` }, "Fields, answers and errors in the reference"),
    ),
    form,
    response.element,
    program.element,
  );
  changed();
  return { element, heading, choose: program.choose, tell: changed };
}

/** Nothing can be shown: why. */
export const nothing = (...words) => h("p", { class: "empty" }, words);
