// Every request that the server answers: the list, and the one that is tried.

import { get, request, server } from "./api.js";
import { $, fill, h } from "./dom.js";
import { problem } from "./problem.js";
import { here, note } from "./route.js";
import { operationsOf } from "./try-operations.js";
import { nothing, panelOf } from "./try-panel.js";
import { languages } from "./try-snippets.js";

const FIRST = "chat_completions"; // what is seen beside the list until one is chosen

const view = $("view-try");
const place = $("try-panel");
const list = view.querySelector(".catalogue");
const links = new Map([...list.querySelectorAll("[data-operation]")].map((one) => [one.dataset.operation, one]));
const panels = new Map(); // they stay, with all that was typed into them
const known = Object.fromEntries(
  ["sessions", "sessions-encoded", "models"].map((name) => [name, h("datalist", { id: `try-known-${name}` })]),
);
view.append(...Object.values(known));

let loading = null; // the operations, or that they are asked for
let seen = null; // which operation the URL says, and whether it says one
let last = FIRST;
let language = languages[0];

export async function show({ argument, values }) {
  const before = seen;
  seen = { id: argument || last, chosen: argument !== "" };
  if (languages.includes(values.get("lang"))) language = values.get("lang");
  view.classList.toggle("has-one", seen.chosen);
  const mine = seen;
  const operations = await loaded();
  if (seen !== mine || operations === null) return;
  tell(operations.get(seen.id));
  if (before === null) bringIntoList(links.get(seen.id));
  else if (seen.chosen && (before.id !== seen.id || !before.chosen)) arrive($("try-operation") ?? $("try-title"));
  else if (before.chosen && !seen.chosen) arrive(links.get(before.id) ?? $("try-title"));
  offer();
}

export function hide() {
  seen = null; // a request that was sent goes on, and its answer is here later
}

async function loaded() {
  if (!place.firstChild) fill(place, nothing("Loading …"));
  try {
    return await (loading ??= get("/openapi.json", { refresh: true }).then(operationsOf));
  } catch (error) {
    loading = null;
    fill(place, problem(error));
    return null;
  }
}

server.addEventListener("back", () => {
  if (seen && loading === null) show(here());
});

function tell(operation) {
  for (const [id, link] of links) {
    if (id === seen.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!operation) {
    fill(place, nothing("There is no request called ", h("code", null, seen.id), " here."));
    return;
  }
  last = seen.id;
  note("try", seen.chosen ? seen.id : "", { lang: language === languages[0] ? "" : language });
  if (!panels.has(operation)) panels.set(operation, panelOf(operation, { chosen: choose, sent: offer }));
  const panel = panels.get(operation);
  panel.choose(language);
  panel.tell();
  if (place.firstChild !== panel.element) fill(place, panel.element);

  function choose(name) {
    language = name;
    tell(operation);
  }
}

// Where somebody is who followed a link within the view.
function arrive(element) {
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
}

function bringIntoList(link) {
  if (!link) return;
  const [within, its] = [list.getBoundingClientRect(), link.getBoundingClientRect()];
  if (its.bottom > within.bottom || its.top < within.top) list.scrollTop += its.top - within.top - within.height / 2;
}

// What there is to put into parameters. Whoever may not know it gets nothing, and is told when they send.
async function offer() {
  await Promise.all([
    offered("/v1/sessions", ({ sessions }) => {
      fill(known.sessions, sessions.map(({ session_id: id }) => h("option", { value: id })));
      fill(known["sessions-encoded"], sessions.map(({ session_id: id }) => h("option", { value: encodeURIComponent(id) })));
    }),
    offered("/v1/models", ({ data }) => fill(known.models, data.map(({ id }) => h("option", { value: id })))),
  ]);
}

async function offered(path, take) {
  try {
    const response = await request("GET", path, { refresh: true });
    if (response.ok) take(await response.json());
  } catch {
    // The page's frame says that the server does not answer.
  }
}
