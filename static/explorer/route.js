// What is seen is in the URL's fragment: #/view/argument?name=value. A link opens what I see.

const DEFAULT = "overview";

/** Events: `change`, when another view, argument or value is to be seen. */
export const routes = new EventTarget();

function parsed(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view, ...rest] = path.split("/");
  let argument = rest.join("/");
  try {
    argument = decodeURIComponent(argument);
  } catch {
    // It was typed by hand, and is taken as it is.
  }
  return { view: view || DEFAULT, argument, values: new URLSearchParams(query) };
}

/** The fragment that leads there; values that are empty are left out. */
export function link(view, argument = "", values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  const path = argument ? `${view}/${encodeURIComponent(argument)}` : view;
  return `#/${path}${query.size ? `?${query}` : ""}`;
}

/** What the URL says now: `{view, argument, values}`. */
export const here = () => parsed(location.hash);

/** Go there, as a link would. */
export function go(view, argument, values) {
  location.hash = link(view, argument, values);
}

/** Write what is seen into the URL, without another step to go back. */
export function note(view, argument, values) {
  const target = link(view, argument, values);
  if (location.hash !== target) history.replaceState(null, "", target);
}

addEventListener("hashchange", () => routes.dispatchEvent(new Event("change")));
