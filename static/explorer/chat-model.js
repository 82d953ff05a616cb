// The models to choose from.

import { get } from "./api.js";
import { $, fill, h } from "./dom.js";

let known = false;

const select = () => $("chat-model");

/** The model that is chosen, or "". */
export const chosen = () => select().value;

/** Choose one, also one that is not listed: a full Claude id goes upstream as it is. */
export function choose(model) {
  if (![...select().options].some((option) => option.value === model)) select().append(h("option", { value: model }, model));
  select().value = model;
}

/** Fill the list, once; without it the default model can be asked, and says what is wrong. */
export async function load() {
  if (known) return;
  let models;
  try {
    ({ data: models } = await get("/v1/models", { refresh: true }));
  } catch {
    return;
  }
  known = true;
  const groups = new Map();
  for (const { id, alias_of: of = id } of models) groups.set(of, [...(groups.get(of) ?? []), id]);
  const before = chosen();
  fill(
    select(),
    h("option", { value: "" }, "The default model"),
    [...groups].map(([of, ids]) => h("optgroup", { label: of }, ids.map((id) => h("option", { value: id }, id)))),
  );
  choose(before);
}
