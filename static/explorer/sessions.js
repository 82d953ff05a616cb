// The sessions of the key: the list, and one of them to read, go on with, fork and delete.

import { get, json } from "./api.js";
import { $, announce, confirmed, fill, h, setText, settle } from "./dom.js";
import { bytes, counted, date, dollars, left, named, noted, number, short } from "./format.js";
import { every } from "./poll.js";
import { problem } from "./problem.js";
import { go, here, link, note } from "./route.js";

const REFRESH = 5; // seconds
const MOST_TEXT = 100_000; // characters of one message that are shown at once

const STATES = {
  live: "A process holds it: the next answer comes soonest",
  busy: "It is being answered now",
  waiting: "It waits for the results of function calls",
  parked: "Its history is kept; the next request starts a process with it",
};

let poll = null;
let sessions = null; // as the server told them last
let costs = {};
let opened = null; // {id, stamp, missing}, what is read
let rows = new Map(); // a row of the list by its session's name

const path = (id, rest = "") => `/v1/sessions/${encodeURIComponent(id)}${rest}`;
const filter = () => ({ q: noted($("sessions-filter").value) });
const matches = (session, words) =>
  words.every((word) => `${session.session_id} ${session.model} ${session.state}`.toLowerCase().includes(word));
const tokens = (usage) => usage.prompt_tokens + usage.completion_tokens;
const remains = (session) => (new Date(session.expires_at) - Date.now()) / 1000;

// -- the list --------------------------------------------------------------------------------------

function row(session) {
  const state = h("span", { class: "state" });
  const figures = h("small", null);
  const anchor = h("a", { class: "session" }, h("span", { class: "session-name" }, named(session.session_id)), state, figures);
  return { item: h("li", null, anchor), anchor, state, figures };
}

function tellRow(found, session) {
  found.anchor.href = link("sessions", session.session_id, filter());
  if (session.session_id === opened?.id) found.anchor.setAttribute("aria-current", "true");
  else found.anchor.removeAttribute("aria-current");
  setText(found.state, session.state);
  found.state.className = `state ${session.state}`;
  const figures = [
    `${left(remains(session))} left`,
    counted(session.message_count, "message"),
    `${short(tokens(session.usage))} tokens`,
    session.model,
  ];
  setText(found.figures, figures.filter(Boolean).join(" · "));
}

function tellNone(...words) {
  const told = h("p", { class: "empty" }, words);
  if ($("sessions-list").textContent !== told.textContent) fill($("sessions-list"), told);
}

function tellList() {
  if (sessions === null) return;
  const typed = $("sessions-filter").value.trim();
  const words = typed.toLowerCase().split(/\s+/);
  const wanted = sessions.filter((session) => matches(session, words));
  $("sessions-delete-all").hidden = sessions.length === 0;
  if (sessions.length === 0) {
    setText($("sessions-count"), "");
    rows.clear();
    tellNone("No sessions yet. Name one in the ", h("a", { href: link("chat", "", { session: "my-first" }) }, "chat"), ", or send ", h("code", null, "session_id"), " with any request.");
    return;
  }
  setText($("sessions-count"), typed ? `${number(wanted.length)} of ${counted(sessions.length, "session")}` : counted(sessions.length, "session"));
  if (wanted.length === 0) {
    rows.clear();
    tellNone("No session fits this filter.");
    return;
  }
  const kept = new Map();
  for (const session of wanted) {
    const found = rows.get(session.session_id) ?? row(session);
    tellRow(found, session);
    kept.set(session.session_id, found);
  }
  const order = [...kept.values()].map((one) => one.item);
  let list = $("sessions-list").querySelector("ul");
  if (!list) fill($("sessions-list"), (list = h("ul", { class: "session-rows" })));
  settle(list, order);
  rows = kept;
}

function tellFault(error) {
  // What is not there yet is not loading any more.
  if (sessions === null) setText($("sessions-count"), "");
  if (opened && !opened.missing && !opened.stamp) setText($("session-size"), "");
  fill($("sessions-list"), problem(error));
}

async function refresh() {
  try {
    const [list, usage] = await Promise.all([get("/v1/sessions", { refresh: true }), get("/v1/usage", { refresh: true })]);
    sessions = list.sessions;
    costs = usage.by_session;
    tellList();
    await tellOpened();
  } catch (error) {
    if (error.status) tellFault(error);
    throw error;
  }
}

// -- one of them -----------------------------------------------------------------------------------

function parts(content) {
  if (typeof content === "string") return [text(content)];
  return (content ?? []).map((part) => {
    if (part.type === "text") return text(part.text);
    if (part.type === "refusal") return text(part.refusal);
    const url = part.type === "image_url" ? part.image_url?.url : null;
    if (url?.startsWith("data:image/")) return h("img", { class: "shown-picture", src: url, alt: "A picture that was sent" });
    const name = part.file?.filename ?? part.type;
    return h("p", { class: "note" }, url ? `A picture at ${url}` : `A part that is not shown: ${name}`);
  });
}

function text(words) {
  if (words.length <= MOST_TEXT) return h("p", { class: "said" }, words);
  const all = h("p", { class: "said" }, words.slice(0, MOST_TEXT));
  const more = h("button", { class: "quiet", type: "button", onclick: () => (setText(all, words), more.remove()) }, `Show all ${counted(words.length, "character")}`);
  return [all, more];
}

function message(one) {
  const calls = (one.tool_calls ?? []).map((call) =>
    h("div", { class: "call" }, h("p", null, h("strong", null, call.function.name), " ", h("small", null, call.id)), h("pre", { tabindex: "0" }, call.function.arguments)),
  );
  const who = one.role === "tool" ? `Result of ${one.tool_call_id}` : { user: "User", assistant: "Assistant", system: "System prompt" }[one.role];
  return h("li", { class: `message ${one.role}` }, h("p", { class: "who" }, who ?? one.role), parts(one.content), calls);
}

function facts(session) {
  const cost = costs[session.session_id];
  const figures = {
    State: [h("span", { class: `state ${session.state}` }, session.state), h("small", null, STATES[session.state] ?? "")],
    Model: session.model ?? "the default",
    Messages: number(session.message_count),
    Tokens: [`${number(session.usage.prompt_tokens)} in, ${number(session.usage.completion_tokens)} out`],
    Cost: cost ? dollars(cost.cost_usd) : "not told",
    Created: date(session.created_at),
    "Last used": date(session.last_accessed),
    Expires: `${date(session.expires_at)} (${left(remains(session))} left)`,
  };
  return Object.entries(figures).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)));
}

/** Those facts that are others now; what is selected in the rest stays so. */
function tellFacts(session) {
  const told = facts(session);
  const list = $("session-facts").firstElementChild;
  if (!list) fill($("session-facts"), h("dl", { class: "pairs" }, told));
  else told.forEach((fact, at) => fact.textContent !== list.children[at].textContent && list.children[at].replaceWith(fact));
}

async function tellOpened() {
  if (!opened) return;
  const session = sessions?.find((one) => one.session_id === opened.id);
  if (!session) {
    if (sessions !== null) tellMissing();
    return;
  }
  if (opened.missing) open(session.session_id);
  const stamp = `${session.last_accessed} ${session.message_count}`;
  const view = opened;
  if (view.stamp !== stamp) {
    const { messages } = await get(path(view.id, "/messages"), { refresh: true });
    if (opened !== view) return;
    view.stamp = stamp;
    fill($("session-messages"), messages.map(message));
    setText($("session-size"), `About ${bytes(JSON.stringify(messages).length)}`);
  }
  tellFacts(session);
}

/** The session that is open is not there; it may come yet, or again. */
function tellMissing() {
  if (opened.missing) return;
  opened.missing = true;
  fill($("sessions-one"), h("p", { class: "empty" }, "There is no session of this name any more: it has expired, or was deleted."));
}

function open(id) {
  opened = { id, stamp: null, missing: false };
  fill(
    $("sessions-one"),
    h("p", { class: "back" }, h("a", { href: link("sessions", "", filter()) }, "← All sessions")),
    h("h2", { id: "session-title", class: "session-title", tabindex: "-1" }, named(id)),
    h(
      "p",
      { class: "actions" },
      h("a", { class: "primary", href: link("chat", "", { session: id }) }, "Go on with it"),
      h("button", { class: "quiet", type: "button", onclick: fork }, "Fork"),
      h("button", { class: "danger", type: "button", onclick: remove }, "Delete"),
    ),
    h("div", { id: "session-fault" }),
    h("div", { id: "session-facts" }),
    h("h3", null, "Messages ", h("small", { id: "session-size", class: "note" }, "Loading …")),
    h("ol", { id: "session-messages", class: "messages", "aria-busy": "false" }),
  );
}

async function fork() {
  try {
    const made = await json("POST", path(opened.id, "/fork"), { body: {} });
    announce(`Forked as ${named(made.session_id)}`);
    await poll?.now();
    go("sessions", made.session_id, filter());
  } catch (error) {
    fill($("session-fault"), problem(error));
  }
}

async function remove() {
  const { id } = opened;
  const yes = await confirmed({
    title: "Delete this session?",
    text: `“${named(id.length > 80 ? `${id.slice(0, 80)}…` : id)}” and its messages are gone for good. A turn of it that runs is ended.`,
    action: "Delete it",
  });
  if (!yes) return;
  try {
    await json("DELETE", path(id));
    announce("The session is deleted.");
    sessions = sessions.filter((one) => one.session_id !== id);
    go("sessions", "", filter());
    $("sessions-filter").focus();
  } catch (error) {
    fill($("session-fault"), problem(error));
  }
}

async function removeAll() {
  const yes = await confirmed({
    title: "Delete all sessions?",
    text: `${counted(sessions.length, "session")} of your key, and their messages, are gone for good.`,
    action: "Delete all",
  });
  if (!yes) return;
  try {
    const { deleted } = await json("DELETE", "/v1/sessions");
    announce(`${counted(deleted, "session")} deleted.`);
    sessions = [];
    go("sessions");
    tellList();
  } catch (error) {
    fill($("sessions-list"), problem(error));
  }
}

// -- the view --------------------------------------------------------------------------------------

$("sessions-delete-all").addEventListener("click", removeAll);
$("sessions-filter").addEventListener("input", () => {
  const { argument } = here();
  note("sessions", argument, filter());
  tellList();
});

export function show({ argument, values }) {
  const words = values.get("q") ?? "";
  if (noted($("sessions-filter").value) !== words) $("sessions-filter").value = words;
  $("view-sessions").classList.toggle("has-one", Boolean(argument));
  if (!argument) {
    opened = null;
    fill($("sessions-one"), h("p", { class: "empty" }, "Choose a session to read it."));
  } else if (opened?.id !== argument) {
    const byHand = opened !== null || sessions !== null;
    open(argument);
    if (byHand) $("session-title").focus({ preventScroll: false });
  }
  tellList();
  hide();
  poll = every(REFRESH, refresh);
}

export function hide() {
  poll?.stop();
  poll = null;
}
