// A fault, told in the place where the answer would have been.

import { ApiError } from "./api.js";
import { h } from "./dom.js";

/** The fault as a person reads it: what happened, and the figures that help to find out why. */
export function problem(error) {
  const facts =
    error instanceof ApiError
      ? [error.status && `HTTP ${error.status}`, error.code ?? error.type, error.param && `param ${error.param}`, error.requestId].filter(Boolean)
      : [];
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("p", null, error.message),
    facts.length > 0 && h("p", { class: "note" }, facts.join(" · ")),
  );
}
