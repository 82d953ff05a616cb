// What goes with every message: read from the panel, and checked before anything is sent.

import { $, setText } from "./dom.js";
import { laidOut, parse } from "./try-json.js";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const FUNCTIONS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather in a city now",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
        required: ["city"],
      },
    },
  },
];
const SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string" },
    country: { type: "string" },
    opened: { type: "integer", description: "The year" },
    facts: { type: "array", items: { type: "string" } },
  },
  required: ["name", "country", "opened", "facts"],
  additionalProperties: false,
};

// How each field is read: from what was typed (never empty) to its value. Raises Error.
const FIELDS = {
  temperature: (text, element) => figure(element, "A number from 0 to 2 is expected."),
  tokens: (text, element) => figure(element, "A whole number from 1 on is expected."),
  tools(text) {
    const value = json(text);
    if (!Array.isArray(value)) throw new Error("An array of functions is expected: [ … ].");
    if (!value.every(isObject)) throw new Error("Each function is an object, as the example has it.");
    return value;
  },
  schema(text) {
    const value = json(text);
    if (!isObject(value)) throw new Error("A schema is an object: { … }.");
    return value;
  },
};

function figure(element, words) {
  if (!element.validity.valid) throw new Error(words);
  return element.valueAsNumber;
}

function json(text) {
  parse(text); // which says where it is wrong
  return JSON.parse(text);
}

const element = (name) => $(`chat-${name}`);

// The value of a field, undefined for none; its fault is shown beside it. Raises the fault.
function read(name) {
  const field = element(name);
  const told = $(`chat-${name}-fault`);
  let fault = null;
  let value;
  try {
    if (field.value.trim() || field.validity.badInput) value = FIELDS[name](field.value, field);
  } catch (error) {
    fault = error;
  }
  told.hidden = fault === null;
  setText(told, fault?.message ?? "");
  if (fault === null) field.removeAttribute("aria-invalid");
  else field.setAttribute("aria-invalid", "true");
  if (fault) throw fault;
  return value;
}

function checked(name) {
  try {
    read(name);
  } catch {
    // It is told beside the field, and stops the next message.
  }
}

/** The fields of a request, its messages left out; null where one is wrong, which then has the focus. */
export function fields() {
  const found = {};
  for (const name of Object.keys(FIELDS)) {
    try {
      found[name] = read(name);
    } catch (error) {
      $("chat-settings").open = true;
      element(name).focus();
      $(`chat-${name}-fault`).scrollIntoView({ block: "nearest" });
      if (error.at !== undefined) element(name).setSelectionRange(error.at, error.at);
      return null;
    }
  }
  const { temperature, tokens, tools, schema } = found;
  const said = {
    model: element("model").value,
    session_id: element("session").value,
    temperature,
    max_completion_tokens: tokens,
    reasoning_effort: element("effort").value,
    tools,
    tool_choice: tools?.length || element("session").value ? element("choice").value : "",
    response_format: schema && { type: "json_schema", json_schema: { name: "answer", schema } },
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== ""));
}

/** The system prompt, or "". */
export const systemPrompt = () => (element("system").value.trim() ? element("system").value : "");

function put(name, value) {
  element(name).value = value === null ? "" : laidOut(value);
  checked(name);
}

/** Set the functions and the schema for one of the examples. */
export function useExample(name) {
  put("tools", name === "function" ? FUNCTIONS : null);
  put("schema", name === "schema" ? SCHEMA : null);
}

/** Listen to the panel. */
export function begin() {
  const wide = matchMedia("(min-width: 64rem)");
  if (wide.matches) $("chat-settings").open = true;
  wide.addEventListener("change", () => {
    $("chat-settings").open = wide.matches;
  });
  for (const name of Object.keys(FIELDS)) {
    element(name).addEventListener("change", () => checked(name));
    element(name).addEventListener("input", () => element(name).hasAttribute("aria-invalid") && checked(name));
  }
  $("chat-tools-example").addEventListener("click", () => put("tools", FUNCTIONS));
  $("chat-schema-example").addEventListener("click", () => put("schema", SCHEMA));
}
