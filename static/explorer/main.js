// The page's frame: which view is seen, the key, the colours, and whether the server is there.

import { get, isGone, key, server, setKey } from "./api.js";
import { $, announce, h, setText } from "./dom.js";
import { every } from "./poll.js";
import { here, routes } from "./route.js";

const VIEWS = {
  overview: { load: () => import("./overview.js") },
  try: { load: () => import("./try.js"), style: "try.css" },
  chat: { load: () => import("./chat.js"), style: "chat.css" },
  sessions: { load: () => import("./sessions.js"), style: "views.css" },
  usage: { load: () => import("./usage.js"), style: "views.css" },
  requests: { load: () => import("./requests.js"), style: "views.css" },
  about: { load: () => import("./about.js"), style: "chat.css" }, // its words are laid out as an answer's are
};
const REFRESH = 5; // seconds
const title = document.title;
const root = document.documentElement;
const keyNeeded = root.dataset.keyNeeded === "yes";

// -- views -----------------------------------------------------------------------------------------
//
// A view's module has `show(route)`, which is called when it is to be seen and when what it shows is
// another; and `hide()`, after which it asks nothing more. It finds its section in the page.

let shown = null;

/** A view's style, which is fetched when the view is first seen. */
function styled({ style }) {
  const href = style && `/static/explorer/${style}?v=${root.dataset.version}`;
  if (!style || document.querySelector(`link[href="${href}"]`)) return null;
  return new Promise((resolve, reject) => {
    document.head.append(h("link", { rel: "stylesheet", href, onload: resolve, onerror: reject }));
  });
}

function put(id) {
  root.classList.remove("elsewhere");
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== id;
}

// Some browsers do not fetch a module twice. What else the page holds, such as a chat, is lost by it.
$("unloaded-reload").addEventListener("click", () => location.reload());

/** Another view takes the place of the one that is seen; gives whether it is still wanted when it is there. */
async function change(name, byHand) {
  shown?.view.hide();
  const mine = (shown = { name, view: { show() {}, hide() {} } });
  for (const one of document.querySelectorAll("[data-view]")) {
    if (one.dataset.view === name) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  document.title = name === "overview" ? title : `${$(`${name}-title`).textContent} · ${title}`;
  try {
    [mine.view] = await Promise.all([VIEWS[name].load(), styled(VIEWS[name])]);
  } catch {
    pulse.now(); // it is most likely the server that is gone
    if (shown === mine) put("view-unloaded");
    return false;
  }
  if (shown !== mine) return false;
  put(`view-${name}`);
  if (byHand) {
    scrollTo(0, 0);
    $(`${name}-title`).focus({ preventScroll: true }); // where a new page would begin to be read
  }
  return true;
}

async function show(byHand) {
  const { view } = here();
  const name = view in VIEWS ? view : "overview";
  // What it is to show may be another when it has come.
  if (shown?.name === name || (await change(name, byHand))) await shown.view.show(here());
}

routes.addEventListener("change", () => show(true));

document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the view's
  $("main").focus();
});

// -- the server ------------------------------------------------------------------------------------

server.addEventListener("gone", () => {
  $("gone").hidden = false;
});
server.addEventListener("back", () => {
  $("gone").hidden = true;
  announce("The server is back.");
  if (!$("view-unloaded").hidden) {
    shown = null;
    show(false);
  }
});
const pulse = every(REFRESH, () => get("/health", { refresh: true }));
server.addEventListener("gone", () => pulse.now());

// -- the key ---------------------------------------------------------------------------------------

const NOT_IN_A_HEADER = /[^\x20-\x7e\xa0-\xff]/u;
const dialog = $("key-dialog");
let dismissed = false; // the person does not want to be asked again by what the page asks by itself

function tellKey() {
  setText($("key-label"), key() ? "Key is set" : keyNeeded ? "Key needed" : "Key");
  $("key-button").classList.toggle("primary", keyNeeded && !key());
  $("key-button").classList.toggle("quiet", !keyNeeded || Boolean(key()));
}

function tellFault(words) {
  $("key-fault").hidden = !words;
  setText($("key-fault"), words);
}

const refusal = (error) => (error.status === 401 ? `This key was refused: ${error.message}` : error.message);

function askForKey(error) {
  tellFault(error ? refusal(error) : "");
  $("key-input").value = key();
  dialog.showModal();
  $("key-input").select();
}

$("key-button").addEventListener("click", () => askForKey(null));
dialog.addEventListener("cancel", () => {
  dismissed = true; // by Escape
});
$("key-cancel").addEventListener("click", () => {
  dismissed = true;
  dialog.close();
});
$("key-show").addEventListener("click", () => {
  const shows = $("key-input").type === "password";
  $("key-input").type = shows ? "text" : "password";
  $("key-show").setAttribute("aria-pressed", String(shows));
});
$("key-forget").addEventListener("click", () => {
  dismissed = true;
  setKey("");
  dialog.close();
});
$("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const typed = $("key-input").value.trim();
  const odd = NOT_IN_A_HEADER.exec(typed);
  try {
    if (odd) throw new Error(`No header can hold the character U+${odd[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}. Copy the key again.`);
    setKey(typed);
    await get("/version");
  } catch (error) {
    tellFault(refusal(error));
    $("key-input").select();
    return;
  }
  dismissed = false;
  dialog.close();
});
server.addEventListener("refused", ({ detail }) => {
  if (!dialog.open && !dismissed) askForKey(key() ? detail : null); // else it would undo what is typed
});
server.addEventListener("key", () => {
  tellKey();
  if (shown && !isGone()) shown.view.show(here());
});

// -- colours ---------------------------------------------------------------------------------------

const COLOURS = { auto: "as the system has them", light: "light", dark: "dark" };

function tellTheme() {
  const theme = root.dataset.theme ?? "auto";
  setText($("theme-label"), theme[0].toUpperCase() + theme.slice(1));
  $("theme-button").setAttribute("aria-label", `${$("theme-label").textContent}: colours ${COLOURS[theme]}`);
}

$("theme-button").addEventListener("click", () => {
  const names = Object.keys(COLOURS);
  const next = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    if (next === "auto") localStorage.removeItem("bridge-theme");
    else localStorage.setItem("bridge-theme", next);
  } catch {
    // Storage is switched off: they hold until the page is closed.
  }
  tellTheme();
});

tellTheme();
tellKey();
show(false);
