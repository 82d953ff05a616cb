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

let operations = null;
let seen = null; // the operation, and whether it was chosen
let last = FIRST;
let language = languages[0];
let visible = false;

export async function show(route) {
  visible = true;
  if (languages.includes(route.values.get("lang"))) language = route.values.get("lang");
  if (operations === null && !(await load())) return;
  if (!visible) return;
  tell(here());
  offer();
}

export function hide() {
  visible = false; // a request that was sent goes on, and its answer is here later
  seen = null;
}

async function load() {
  if (!place.firstChild) fill(place, nothing("Loading …"));
  try {
    operations = operationsOf(await get("/openapi.json", { refresh: true }));
    return true;
  } catch (error) {
    fill(place, problem(error));
    return false;
  }
}

server.addEventListener("back", () => {
  if (visible && operations === null) show(here());
});

function tell({ argument }) {
  const id = argument || last;
  const before = seen;
  seen = { id, chosen: argument !== "" };
  view.classList.toggle("has-one", seen.chosen);
  for (const [one, link] of links) {
    if (one === id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!operations.has(id)) {
    fill(place, nothing("There is no request called ", h("code", null, id), " here."));
    return;
  }
  last = id;
  note("try", argument, { lang: language === languages[0] ? "" : language });
  if (!panels.has(id)) panels.set(id, panelOf(operations.get(id), { chosen: choose, sent: offer }));
  const panel = panels.get(id);
  panel.choose(language);
  panel.tell();
  if (place.firstChild !== panel.element) fill(place, panel.element);
  if (before === null) bringIntoList(links.get(id));
  else if (seen.chosen && (before.id !== id || !before.chosen)) arrive(panel.heading);
  else if (before.chosen && !seen.chosen) arrive(links.get(before.id) ?? $("try-title"));
}

// Where somebody is who followed a link within the view.
function arrive(element) {
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
}

function bringIntoList(link) {
  const [within, its] = [list.getBoundingClientRect(), link.getBoundingClientRect()];
  if (its.bottom > within.bottom || its.top < within.top) list.scrollTop += its.top - within.top - within.height / 2;
}

function choose(name) {
  language = name;
  tell(here());
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
