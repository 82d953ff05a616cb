// The first view: what the server is and does now.

import { get, isGone, server } from "./api.js";
import { $, fill, h, replaceText, setText } from "./dom.js";
import { bytes, clock, counted, date, dollars, number, short } from "./format.js";
import { every } from "./poll.js";
import { problem } from "./problem.js";

const REFRESH = 5; // seconds
const WINDOWS = { five_hour: "Five hours", seven_day: "Seven days", seven_day_opus: "Seven days, Opus", seven_day_sonnet: "Seven days, Sonnet" };

let polls = [];
let asOf = null; // when the figures were told
let fault = null; // why they were not
let told = ""; // of that

function tellModels({ data }) {
  const models = data.filter((model) => !model.alias_of);
  setText($("glance-models"), number(models.length));
  setText($("glance-names"), counted(data.length, "name leads to them", "names lead to them"));
}

function tellStats({ session_stats: sessions, processes, limits, server_memory_bytes: memory }) {
  setText($("glance-sessions"), number(sessions.active_sessions));
  const states = ["live", "busy", "waiting", "parked"].filter((state) => sessions[`${state}_sessions`]);
  setText(
    $("glance-states"),
    states.map((state) => `${number(sessions[`${state}_sessions`])} ${state}`).join(" · ") || "none since the start, or all expired",
  );
  setText($("glance-ready"), `${processes.ready.count} of ${limits.pool_size}`);
  const others = ["running", "idle", "waiting"].filter((state) => processes[state].count);
  const all = Object.values(processes).reduce((sum, one) => sum + one.memory_bytes, memory);
  setText(
    $("glance-processes"),
    [...others.map((state) => `${processes[state].count} ${state}`), `${bytes(all)} in all`].join(" · "),
  );
}

function tellUsage({ by_day: days, since, plan }) {
  const today = days[new Date().toISOString().slice(0, 10)];
  setText($("glance-requests"), number(today?.requests ?? 0));
  const ends = [today?.failed && `${today.failed} failed`, today?.cancelled && `${today.cancelled} cancelled`].filter(Boolean);
  setText($("glance-failed"), ends.join(" · ") || `since ${date(since)}`);
  const prompt = today ? today.input_tokens + today.cache_read_tokens + today.cache_write_tokens : 0;
  setText($("glance-tokens"), short(prompt + (today?.output_tokens ?? 0)));
  setText($("glance-cached"), today ? `${short(prompt)} in (${short(today.cache_read_tokens)} cached) · ${short(today.output_tokens)} out` : "none yet");
  setText($("glance-cost"), dollars(today?.cost_usd ?? 0));
  setText($("glance-priced"), today ? `of ${counted(today.priced_requests, "priced request")}` : "none yet");
  $("plan").hidden = plan.length === 0;
  fill($("plan-windows"), plan.map(quota));
}

function quota({ window, status, utilization, resets_at: resets, told_at: told }) {
  const used = utilization === null ? "how much is used is not told" : `${Math.round(utilization * 100)} % used`;
  const name = WINDOWS[window] ?? window;
  const stands = { allowed: "within the limit", allowed_warning: "close to the limit", rejected: "used up" }[status] ?? status;
  return h(
    "li",
    null,
    h("p", null, h("strong", null, name), h("span", null, `${used}, ${stands}`)),
    utilization !== null &&
      h("meter", { min: 0, max: 1, low: 0.6, high: 0.85, optimum: 0, value: utilization, "aria-label": `${name}: ${used}` }),
    h("p", { class: "note" }, h("span", null, resets ? `resets ${date(resets)}` : ""), h("span", null, `told ${clock(told)}`)),
  );
}

function tellPulse() {
  const well = !isGone() && !fault;
  $("pulse").classList.toggle("up", well);
  $("pulse").classList.toggle("down", !well);
  setText($("pulse-text"), isGone() ? "The server does not answer" : asOf ? `As of ${clock(asOf)}` : "Nothing is known yet");
  const words = isGone() ? "" : (fault?.message ?? "");
  if (words === told) return; // it is an alert, which is read out each time
  told = words;
  fill($("glance-fault"), words && problem(fault));
}

// The page came by this address, which behind a proxy is not the one that the server knows.
for (const id of ["base-url", "curl-code", "python-code"]) replaceText($(id), document.documentElement.dataset.origin, location.origin);

async function tellLogin() {
  const { backend, logged_in: loggedIn } = await get("/health", { refresh: true });
  const notice = $("login-notice");
  if (notice) notice.hidden = loggedIn;
  if (backend === "demo") return;
  const words = loggedIn ? "Logged in" : "Not logged in";
  if ($("glance-login").firstElementChild?.textContent !== words) {
    fill($("glance-login"), h("span", { class: loggedIn ? "good" : "bad" }, words));
  }
}

async function refresh() {
  try {
    const [stats, usage] = await Promise.all([
      get("/v1/sessions/stats", { refresh: true }),
      get("/v1/usage", { refresh: true }),
      tellLogin(),
    ]);
    tellStats(stats);
    tellUsage(usage);
    asOf = Date.now();
    fault = null;
  } catch (error) {
    if (!isGone()) fault = error;
    throw error;
  } finally {
    tellPulse();
  }
}

server.addEventListener("gone", tellPulse);

export function show() {
  hide();
  polls = [every(REFRESH, refresh), every(60, async () => tellModels(await get("/v1/models", { refresh: true })))];
}

export function hide() {
  for (const poll of polls) poll.stop();
  polls = [];
}
