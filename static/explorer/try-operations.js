// The OpenAPI document → the operations as this view wants them, and where a request of one goes.

import { laidOut } from "./try-json.js";

/** The operations of the document, by their id. */
export function operationsOf(document) {
  const found = new Map();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, told] of Object.entries(methods)) {
      found.set(told.operationId, operation(document, method.toUpperCase(), path, told));
    }
  }
  return found;
}

function operation(document, method, path, told) {
  const answers = Object.entries(told.responses).filter(([status]) => status < "400").map(([, answer]) => answer.content ?? {});
  const gives = (type) => answers.some((content) => type in content);
  return {
    id: told.operationId,
    method,
    path,
    summary: told.summary,
    description: told.description ?? "",
    open: told.security?.length === 0,
    page: gives("text/html"),
    streams: gives("text/event-stream"),
    parameters: (told.parameters ?? []).map((one) => ({
      name: one.name,
      place: one.in,
      description: one.description,
      required: one.required,
      example: one.example ?? "",
      choices: one.schema.enum ?? null,
      whole: one.schema.type === "integer",
    })),
    body: bodyOf(document, told.requestBody),
  };
}

function bodyOf(document, told) {
  const media = told?.content["application/json"];
  if (!media) return null;
  const schemaOf = ({ $ref }) => document.components.schemas[$ref.split("/").at(-1)];
  const named = schemaOf(media.schema);
  const schema = named.properties ? named : schemaOf(named.anyOf[0]);
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties)
    .filter(([, field]) => !["refused", "none"].includes(field["x-effect"]) && !field.deprecated)
    .map(([name, { description }]) => ({ name, description: description ?? "", required: required.has(name) }))
    .sort((one, other) => other.required - one.required);
  return { required: told.required, example: laidOut(media.example), fields };
}

// Half of a surrogate pair has no UTF-8, and a URL can't hold it.
const encoded = (value) => encodeURIComponent(value.replace(/\p{Cs}/gu, "\ufffd"));

const given = (operation, place, values) =>
  operation.parameters.filter((one) => one.place === place && (values[one.name] ?? "") !== "").map((one) => [one.name, values[one.name]]);

/** The path of a request with these values, a name of a parameter → what was typed; and its query. */
export function pathOf(operation, values) {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => encoded(values[name] ?? ""));
  const query = queryOf(operation, values).map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  return query.length ? `${path}?${query.join("&")}` : path;
}

/** The query's names and values. */
export const queryOf = (operation, values) => given(operation, "query", values);

/** The headers' names and values. */
export const headersOf = (operation, values) => given(operation, "header", values);

/** What is wrong with the value of a parameter, or null. */
export function faultOf(operation, parameter, value) {
  if (parameter.required && value === "") return "It is needed.";
  if (parameter.place === "header") {
    try {
      new Headers([[parameter.name, value]]);
    } catch {
      return "A header can't carry this: write other characters than those of Latin-1 percent-encoded.";
    }
  }
  if (parameter.place === "path" && /^\.\.?$/.test(value)) return "A browser takes this for a way through folders, and can't send it.";
  return null;
}
