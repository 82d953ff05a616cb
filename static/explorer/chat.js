// The chat: an ordinary client of the public API, in the person's own browser.

import { get, json } from "./api.js";
import { Answer } from "./chat-answer.js";
import * as composer from "./chat-composer.js";
import { Conversation, countOf } from "./chat-conversation.js";
import { asJson, asPython, download } from "./chat-export.js";
import * as model from "./chat-model.js";
import { ask, Reply } from "./chat-reply.js";
import * as settings from "./chat-settings.js";
import { otherTurn, textOf, userTurn } from "./chat-turns.js";
import { $, announce, confirmed, fill, h, setText } from "./dom.js";
import { counted, named } from "./format.js";
import { problem } from "./problem.js";
import { go, note } from "./route.js";

const NEAR = 80; // pixels from the end of the page that still count as its end
const SETTLES = 1500; // milliseconds in which what was shown last grows to its height
const keyNeeded = document.documentElement.dataset.keyNeeded === "yes";
const page = document.scrollingElement;

let begun = false;
let visible = false;
let conversation = new Conversation();
let session = ""; // the name of the one that is seen
let aside = null; // what was said without a session, while one is seen
let running = null; // the AbortController of the answer that comes
let editing = -1; // the entry that is being written anew
let follows = true; // the reader is at the end, and stays there
let checking = false; // what the session has is asked for before something is sent
let settled = 0; // until when the page follows what grows
let starts = ""; // what is said before the first message

// -- what is seen ----------------------------------------------------------------------------------

function tell() {
  const busy = running !== null;
  const { entries, last, lastUser } = conversation;
  const loads = conversation.loading && conversation.isEmpty;
  $("chat-loading").hidden = !loads;
  $("chat-empty").hidden = entries.length > 0 || busy || loads || $("chat-problem").hasChildNodes();
  $("chat-turns").setAttribute("aria-busy", String(busy || conversation.loading));
  $("chat-send").hidden = busy;
  $("chat-stop").hidden = !busy;
  $("chat-editing").hidden = editing < 0;
  $("chat-where").hidden = !session;
  setText($("chat-where-name"), named(session));
  $("chat-aside").hidden = aside === null;
  entries.forEach((entry, index) => {
    entry.view?.tell?.(index === lastUser && !busy && editing < 0, !session);
    if (entry !== last || busy) entry.view?.settle?.();
  });
}

function toEnd() {
  follows = true;
  settled = performance.now() + SETTLES;
  page.scrollTop = page.scrollHeight;
}

function noteRoute() {
  if (!visible) return;
  note("chat", "", { model: model.chosen(), session });
  history.replaceState({ seen: true }, ""); // a link makes a new entry, which has no state
}

function seen(view) {
  $("chat-turns").append(view.element);
  return view;
}

const addUser = (message) => conversation.add(message, { view: seen(userTurn(message, { edit, remove })) });

// Messages as the server tells them → what is seen of them.
function addAll(messages) {
  for (const message of messages) {
    if (message.role === "user") addUser(message);
    else if (message.role === "assistant") {
      const reply = new Reply();
      reply.state = "whole";
      reply.content = textOf(message.content);
      reply.calls = (message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments }));
      const view = seen(new Answer(reply, { again, results: send }));
      conversation.add(message, { view });
      view.later();
    } else if (message.role !== "tool" || !addResult(message)) {
      conversation.add(message, { view: seen(otherTurn(message)) });
    }
  }
}

// A result is seen in the call that it answers.
function addResult(message) {
  const called = conversation.entries.findLast((entry) => entry.message.tool_calls?.some((call) => call.id === message.tool_call_id));
  if (!called) return false;
  called.results = [...(called.results ?? []), message];
  called.view.close(called.results);
  conversation.add(message);
  return true;
}

// -- asking ----------------------------------------------------------------------------------------

// A request; a system prompt that is written in the settings goes before that of a session.
function bodyOf(messages, fields) {
  const system = settings.systemPrompt();
  if (!system) return { ...fields, messages };
  const said = messages.filter(({ role }) => role !== "system" && role !== "developer");
  return { ...fields, messages: [{ role: "system", content: system }, ...said] };
}

function fieldsOrFault() {
  const fields = settings.fields();
  composer.fault(fields ? null : "A setting is wrong: nothing was sent.");
  return fields;
}

async function send() {
  if (running || checking) return;
  if (conversation.loading) {
    composer.fault("The session is still being loaded.");
    return;
  }
  if (!(await isCurrent())) return;
  const { last, waiting } = conversation;
  const results = waiting.length && editing < 0 ? last.view.resultMessages : [];
  const content = composer.content();
  if (results === null) {
    composer.fault("The calls want their results first.");
    last.view.firstMissing?.focus();
    return;
  }
  if (content === null && !results.length) {
    composer.focus();
    return;
  }
  const fields = fieldsOrFault();
  if (!fields) return;
  if (editing >= 0 && !(await takeBack(editing))) return;
  results.forEach(addResult);
  if (content !== null) addUser({ role: "user", content });
  composer.clear();
  await answer(fields);
}

// Whether something can be sent after what is seen; what others said in the session is seen from now on.
async function isCurrent() {
  const said = conversation;
  const edited = editing >= 0;
  checking = true;
  setText($("chat-elsewhere"), "");
  try {
    const came = await catchUp();
    if (came && edited) composer.fault("Someone else went on with the session: your message was not sent.");
    return said === conversation && !running && !(came && edited);
  } finally {
    checking = false;
  }
}

async function answer(fields) {
  const said = conversation;
  const { held } = said;
  const mine = new AbortController();
  const reply = new Reply();
  const finished = () => {
    if (follows) toEnd();
    if (said === conversation && visible) focusNext(view);
  };
  const view = seen(new Answer(reply, { again, results: send, finished }));
  if (session && said.offered && !fields.tools) fields.tools = []; // or the session keeps those of before
  said.offered = Boolean(fields.tools?.length);
  const asked = bodyOf(said.unsent(), fields);
  const loses = [document.body, $("chat-send")].includes(document.activeElement);
  running = mine;
  tell();
  if (loses) $("chat-stop").focus();
  view.later();
  toEnd();
  let begins = true;
  const told = () => {
    view.later();
    if (begins && reply.times.first !== null) {
      begins = false;
      announce("The answer begins.");
    }
  };
  await ask(asked, reply, { signal: mine.signal, told });
  const whole = reply.state === "whole";
  said.add(reply.message, { view, whole });
  if (whole && asked.session_id) {
    const before = held > 0 && reply.headers.get("x-bridge-session") !== "created" ? said.known : 0;
    said.known = before + countOf(asked.messages) + 1;
    said.held = said.entries.length;
  }
  if (held > 0 && reply.headers?.get("x-bridge-session") === "created") view.forgotten();
  if (running !== mine) return; // something else is seen now
  running = null;
  tell();
  announce(ended(reply));
}

function ended({ state, calls }) {
  if (state === "whole") return calls.length ? `The answer ends with ${counted(calls.length, "call")}.` : "The answer is complete.";
  return { stopped: "The answer was stopped.", broken: "The answer broke off." }[state] ?? "There is no answer.";
}

// To where the person writes next, unless they are somewhere else by now.
function focusNext(view) {
  const now = document.activeElement;
  const here = now === document.body || now === $("chat-title") || $("chat-form").contains(now);
  if (!here || getSelection().toString() || !matchMedia("(pointer: fine)").matches) return;
  if (view.firstMissing) view.firstMissing.focus();
  else composer.focus();
}

async function again() {
  if (running || checking || conversation.last?.whole !== false) return;
  if (!(await isCurrent())) return;
  const fields = fieldsOrFault();
  if (!fields) return;
  editing = -1;
  drop(conversation.entries.length - 1);
  answer(fields);
}

const stop = () => running?.abort();

// -- the last message, once more -------------------------------------------------------------------

function drop(from) {
  for (const { view } of conversation.cut(from)) view?.element.remove();
}

// What an entry and all after it were is taken back; gives whether that was done.
async function takeBack(from) {
  const first = !conversation.entries.slice(0, from).some(({ message }) => message.role === "assistant");
  if (session && first && conversation.held > from) {
    const title = "Begin the session anew?";
    const text = `The first message of a session can’t be changed. ${named(session)} is deleted on the server, and begins with your new message.`;
    if (!(await confirmed({ title, text, action: "Delete and send" }))) return false;
    try {
      await json("DELETE", `/v1/sessions/${encodeURIComponent(session)}`);
    } catch (error) {
      if (error.status !== 404) {
        composer.fault(error.message);
        return false;
      }
    }
  }
  drop(from);
  editing = -1;
  return true;
}

function edit() {
  editing = conversation.lastUser;
  composer.put(conversation.entries[editing].message.content);
  tell();
  composer.focus();
}

function leaveEdit() {
  editing = -1;
  composer.clear();
  tell();
  composer.focus();
}

function remove() {
  drop(conversation.lastUser);
  tell();
  announce("Deleted.");
  composer.focus();
}

// -- which conversation ----------------------------------------------------------------------------

function see(next, name) {
  stop();
  running = null;
  editing = -1;
  conversation = next;
  session = name;
  $("chat-session").value = name;
  fill($("chat-turns"), next.entries.map(({ view }) => view?.element));
  fill($("chat-problem"));
  setText($("chat-elsewhere"), "");
  setText($("chat-empty-note"), name ? "" : starts);
  noteRoute();
  tell();
}

function seeAside() {
  const said = aside ?? new Conversation();
  aside = null;
  see(said, "");
}

// A step of its own, so that a step back leads to the session again.
function leaveSession() {
  go("chat", "", { model: model.chosen() });
  composer.focus();
}

async function open(name) {
  if (!session && !conversation.isEmpty) aside = conversation;
  const said = new Conversation();
  said.loading = true;
  see(said, name);
  try {
    const { messages = [] } = await get(`/v1/sessions/${encodeURIComponent(name)}/messages`);
    if (said !== conversation) return;
    addAll(messages);
    said.held = said.entries.length;
    said.known = countOf(messages);
    toEnd();
  } catch (error) {
    if (said !== conversation) return;
    if (error.status === 404) {
      setText($("chat-empty-note"), `There is no session ${named(name)} yet: your first message begins it.`);
    } else {
      const retry = h("button", { class: "quiet", type: "button", onclick: () => open(name) }, "Try again");
      fill($("chat-problem"), problem(error), h("p", { class: "actions" }, retry));
    }
  } finally {
    said.loading = false;
    if (said === conversation) tell();
  }
}

// What others said in the session since is taken in; gives whether there was something.
async function catchUp() {
  const said = conversation;
  if (!session || said.loading || (said.held === 0 && !said.isEmpty)) return false;
  const path = `/v1/sessions/${encodeURIComponent(session)}`;
  try {
    const { message_count: count } = await get(path, { refresh: true });
    if (count === said.known || said !== conversation || running) return false;
    const { messages } = await get(`${path}/messages`, { refresh: true });
    return said === conversation && !running && takeIn(messages);
  } catch {
    return false; // what is wrong is told by what is sent next
  }
}

// The entries that are as the session has them stay; what it does not have follows it.
function takeIn(messages) {
  const hasPrompt = conversation.entries[0]?.message.role === "system";
  const all = hasPrompt ? messages : messages.filter(({ role }) => role !== "system");
  const { held } = conversation;
  const from = conversation.firstNew(all);
  conversation.known = countOf(messages);
  if (from === all.length && from === held) return false;
  const own = conversation.entries.splice(held);
  drop(from);
  addAll(all.slice(from));
  conversation.held = conversation.entries.length;
  conversation.entries.push(...own);
  $("chat-turns").append(...own.map(({ view }) => view?.element).filter(Boolean));
  editing = -1;
  tell();
  setText($("chat-elsewhere"), "The session went on elsewhere: its messages were loaded anew.");
  if (follows) toEnd();
  return true;
}

// Whether the server has a session of that name. Raises ApiError, Gone.
async function exists(name) {
  try {
    await get(`/v1/sessions/${encodeURIComponent(name)}`);
    return true;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

// A name is typed. If the server has that session it is opened; else it begins with all that was said.
// Without a name the chat that was set aside is seen again; where there is none, what was said goes on.
async function rename() {
  const name = $("chat-session").value;
  const said = conversation;
  if (name === session || said.loading) return;
  if (!name && aside) {
    seeAside();
    return;
  }
  if (name && said.isEmpty) {
    await open(name);
    return;
  }
  said.loading = true;
  try {
    if (name && (await exists(name))) {
      if (said === conversation) await open(name);
      return;
    }
  } catch (error) {
    composer.fault(error.message);
    $("chat-session").value = session;
    return;
  } finally {
    said.loading = false;
  }
  if (said !== conversation) return;
  session = name;
  said.held = 0;
  noteRoute();
  tell();
}

// Whether something was said without a session that is in no file either.
const wouldBeLost = () => Boolean((!session && conversation.isUnsaved) || aside?.isUnsaved);

async function begin() {
  const text = "What was said without a session is kept nowhere else. Export it first, if you want it again.";
  if (wouldBeLost() && !(await confirmed({ title: "Begin a new chat?", text, action: "New chat" }))) return;
  aside = null;
  see(new Conversation(), "");
  composer.focus();
}

function useExample(name) {
  settings.useExample(name);
  composer.put(document.querySelector(`[data-example="${name}"] span`).textContent);
  composer.focus();
}

function closeMenu() {
  $("chat-export").open = false;
  $("chat-export").querySelector("summary").focus();
}

function take(kind) {
  closeMenu();
  const messages = kind === "conversation" ? conversation.all() : conversation.asked();
  const fields = fieldsOrFault();
  if (!fields) return;
  if (!messages.length) {
    composer.fault("Nothing was said yet: there is nothing to export.");
    return;
  }
  delete fields.session_id; // all that was said is in the messages
  const body = { model: "", ...bodyOf(messages, fields) };
  const name = `chat-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}`;
  if (kind === "python") download(`${name}.py`, "text/x-python", asPython(body, { baseUrl: `${location.origin}/v1`, keyNeeded }));
  else download(`${name}.json`, "application/json", asJson(body));
  if (kind === "conversation") conversation.exported = conversation.entries.length;
}

// -- the view --------------------------------------------------------------------------------------

function listen() {
  const view = $("view-chat");
  view.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if ($("chat-export").open) closeMenu();
    else if (running) stop();
    else if (editing >= 0) leaveEdit();
  });
  $("chat-stop").addEventListener("click", stop);
  $("chat-new").addEventListener("click", begin);
  $("chat-aside").addEventListener("click", leaveSession);
  $("chat-edit-cancel").addEventListener("click", leaveEdit);
  $("chat-model").addEventListener("change", noteRoute);
  $("chat-session").addEventListener("change", rename);
  for (const button of view.querySelectorAll("[data-example]")) button.addEventListener("click", () => useExample(button.dataset.example));
  for (const button of view.querySelectorAll("[data-export]")) button.addEventListener("click", () => take(button.dataset.export));
  document.addEventListener("click", (event) => {
    if (!$("chat-export").contains(event.target)) $("chat-export").open = false;
  });
  document.addEventListener("visibilitychange", () => {
    const idle = !running && !checking && editing < 0; // before an edit is sent it is asked anyway
    if (visible && document.visibilityState === "visible" && idle) catchUp();
  });
  addEventListener("beforeunload", (event) => {
    if (running || wouldBeLost()) event.preventDefault();
  });
  addEventListener("scroll", () => {
    if (visible) follows = page.scrollHeight - page.scrollTop - innerHeight < NEAR;
  });
  new ResizeObserver(() => {
    if (visible && follows && (running || performance.now() < settled)) page.scrollTop = page.scrollHeight;
  }).observe($("chat-turns"));
  keepInSight();
}

// What gets the focus is scrolled to between the bar and the composer, whose heights change.
function keepInSight() {
  const bar = document.querySelector(".bar");
  const sizes = new ResizeObserver(() => {
    $("view-chat").style.setProperty("--above", `${bar.offsetHeight}px`);
    $("view-chat").style.setProperty("--below", `${$("chat-form").offsetHeight}px`);
  });
  for (const element of [bar, $("chat-form")]) sizes.observe(element);
}

export async function show({ values }) {
  if (!begun) {
    begun = true;
    starts = $("chat-empty-note").textContent;
    settings.begin();
    composer.begin(send);
    listen();
  }
  const entered = !visible;
  visible = true;
  if (values.has("model")) model.choose(values.get("model"));
  const name = values.get("session") ?? "";
  const loaded = model.load();
  if (!values.size && entered && history.state === null) noteRoute(); // by a link from another view: all is as it was
  else if (name && name !== session) await open(name);
  else if (!name && session) seeAside();
  await loaded;
  if (entered && !conversation.isEmpty) toEnd();
}

export function hide() {
  visible = false;
}
