// The last requests of the key.

import { get } from "./api.js";
import { $, fill, h, setText, settle } from "./dom.js";
import { clock, counted, date, dollars, duration, named, noted, number } from "./format.js";
import { every } from "./poll.js";
import { problem } from "./problem.js";
import { link, note } from "./route.js";

const REFRESH = 3; // seconds
const MOST = 200;

let poll = null;
let requests = null;
let rows = new Map(); // a row of the table by the request, as it was told

const CANCELLED = 499; // the client left

function matches(one, words) {
  if ($("requests-answers").checked && !one.model) return false;
  if ($("requests-faults").checked && one.status < 400) return false;
  const text = [one.method, one.route, one.status, one.model, one.session, one.id, one.error].filter(Boolean).join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function status(one) {
  const words = one.status === CANCELLED ? "client left" : one.error;
  const kind = one.status === CANCELLED ? "left" : one.status >= 400 || one.error ? "failed" : "well";
  return h("td", null, h("span", { class: `status ${kind}` }, String(one.status)), under(words));
}

const under = (words) => words && h("small", { class: "under" }, " ", words);

const some = (value, format) => h("td", { class: "figure" }, value === null || value === undefined ? "–" : format(value));

function row(one) {
  const turn = one.model !== null;
  return h(
    "tr",
    null,
    h("th", { scope: "row" }, h("time", { datetime: one.time, title: date(one.time) }, clock(one.time))),
    status(one),
    h("td", null, h("span", { class: "method" }, one.method), " ", h("span", { class: "path" }, one.route), one.stream && h("small", { class: "mark" }, "stream"), under(h("code", { class: "request-id", title: one.id }, one.id))),
    h("td", null, one.model ?? "–", under(one.session && h("a", { class: "session-link", href: link("sessions", one.session) }, named(one.session)))),
    some(one.first_token_ms, duration),
    some(one.duration_ms, duration),
    h("td", { class: "figure" }, turn ? number(one.input_tokens) : "–", under(turn && one.cached_tokens > 0 && `${number(one.cached_tokens)} cached`)),
    some(turn ? one.output_tokens : null, number),
    h("td", { class: "figure", title: one.cost_of > 1 ? `of ${one.cost_of} requests together` : null }, dollars(one.cost_usd), under(one.cost_of > 1 && `for ${one.cost_of}`)),
  );
}

function tell() {
  if (requests === null) return;
  $("requests-told").hidden = false;
  const words = $("requests-filter").value.trim().toLowerCase().split(/\s+/);
  const wanted = requests.filter((one) => matches(one, words));
  const filtered = wanted.length !== requests.length;
  setText($("requests-count"), filtered ? `${number(wanted.length)} of the last ${counted(requests.length, "request")}` : `The last ${counted(requests.length, "request")}`);
  const kept = new Map();
  for (const one of wanted) {
    const told = JSON.stringify(one); // an id alone may be that of several, since a client can name its own
    kept.set(told, rows.get(told) ?? row(one));
  }
  rows = kept;
  const empty = requests.length ? "No request fits this filter." : "No requests yet: send one from the chat, or from any client.";
  if (wanted.length) settle($("requests-rows"), [...rows.values()]);
  else if ($("requests-rows").textContent !== empty) fill($("requests-rows"), h("tr", null, h("td", { colspan: "9", class: "plain" }, empty)));
}

function tellFault(error) {
  if (requests === null) setText($("requests-count"), ""); // it is not loading any more
  fill($("requests-fault"), problem(error));
}

async function refresh() {
  try {
    requests = (await get(`/v1/requests?limit=${MOST}`, { refresh: true })).data;
    fill($("requests-fault"));
    tell();
  } catch (error) {
    if (error.status) tellFault(error);
    throw error;
  }
}

function changed() {
  note("requests", "", {
    q: noted($("requests-filter").value),
    answers: $("requests-answers").checked ? "yes" : "",
    faults: $("requests-faults").checked ? "yes" : "",
  });
  tell();
}

for (const id of ["requests-filter", "requests-answers", "requests-faults"]) $(id).addEventListener("input", changed);

export function show({ values }) {
  const words = values.get("q") ?? "";
  if (noted($("requests-filter").value) !== words) $("requests-filter").value = words;
  $("requests-answers").checked = values.get("answers") === "yes";
  $("requests-faults").checked = values.get("faults") === "yes";
  tell();
  hide();
  poll = every(REFRESH, refresh);
}

export function hide() {
  poll?.stop();
  poll = null;
}
