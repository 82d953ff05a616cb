// What was said by others than the model, as a person sees it.

import { shown } from "./chat-media.js";
import { h } from "./dom.js";
import { PlainText } from "./plain-text.js";

const isText = (part) => typeof part.text === "string";

/** A message's content as parts, whatever its form. */
export function partsOf(content) {
  if (typeof content !== "string") return content ?? [];
  return content ? [{ type: "text", text: content }] : [];
}

/** Its words, and the parts that are none. */
export const textOf = (content) => partsOf(content).map((part) => part.text ?? part.refusal).filter((text) => typeof text === "string").join("\n\n");
export const mediaOf = (content) => partsOf(content).filter((part) => !isText(part));

function words(content) {
  const text = textOf(content);
  const place = h("div", { class: "plain-text" });
  new PlainText(place).show(text);
  return text && place;
}

/** A message of the user: `{element, tell}`; `tell` says what can be done with it now. */
export function userTurn(message, { edit, remove }) {
  const media = mediaOf(message.content);
  const editButton = h("button", { class: "link", type: "button", onclick: edit }, "Edit");
  const removeButton = h("button", { class: "link", type: "button", onclick: remove }, "Delete");
  const actions = h("p", { class: "turn-actions" }, editButton, removeButton);
  const bubble = h("div", { class: "bubble" }, media.length > 0 && h("div", { class: "media" }, media.map(shown)), words(message.content));
  return {
    element: h("li", { class: "turn user" }, h("h2", { class: "visually-hidden" }, "You"), bubble, actions),
    tell(canEdit, canRemove) {
      actions.hidden = !canEdit;
      removeButton.hidden = !canRemove;
    },
  };
}

/** A system prompt, or a result that answers no call which is seen: `{element}`. */
export function otherTurn(message) {
  const name = message.role === "tool" ? `Result of ${message.tool_call_id}` : "System prompt";
  return { element: h("li", { class: "turn other" }, h("details", null, h("summary", null, name), words(message.content))) };
}
