// The public API, as any client calls it. The typed key stays in this tab and goes to this origin alone.

const KEY = "bridge-key";

/** What the server answered when it did not do what it was asked. */
export class ApiError extends Error {
  constructor(status, document, headers) {
    const error = document?.error ?? {};
    super(error.message ?? `The server answered ${status}.`);
    this.status = status;
    this.type = error.type ?? null;
    this.code = error.code ?? null;
    this.param = error.param ?? null;
    this.requestId = headers?.get("x-request-id") ?? null;
  }
}

/** The server did not answer at all. */
export class Gone extends Error {
  constructor() {
    super("The server does not answer. Is it still running?");
  }
}

/** Events: `gone` and `back` (the server), `refused` (the key; its detail is the ApiError), `key`. */
export const server = new EventTarget();

let gone = false;

/** Whether the server answered the last request. */
export const isGone = () => gone;

function reached(yes) {
  if (gone === !yes) return;
  gone = !yes;
  server.dispatchEvent(new Event(gone ? "gone" : "back"));
}

/** The typed key, or "". */
export function key() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return typed;
  }
}

let typed = "";

export function setKey(value) {
  typed = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage is switched off: it lives as long as the page.
  }
  server.dispatchEvent(new Event("key"));
}

/**
 * A request; gives the Response, whatever its status. `body` is a string or a value that becomes JSON.
 * `refresh` marks what the page asks by itself, so that the list of requests is the person's own.
 * Raises Gone, and AbortError when `signal` says so.
 */
export async function request(method, path, { body, headers = {}, signal, refresh = false } = {}) {
  const sent = new Headers(headers);
  if (key() && !sent.has("authorization")) sent.set("authorization", `Bearer ${key()}`);
  if (refresh) sent.set("x-bridge-refresh", "1");
  if (body !== undefined && !sent.has("content-type")) sent.set("content-type", "application/json");
  const data = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: data, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reached(false);
    throw new Gone();
  }
  reached(true);
  return response;
}

/** The document that a request is answered with. Raises ApiError, Gone, AbortError. */
export async function json(method, path, options) {
  const response = await request(method, path, options);
  return await documentOf(response);
}

/** The document of a response. Raises ApiError, Gone, AbortError. */
export async function documentOf(response) {
  let document = null;
  try {
    document = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (response.ok) throw new Gone();
  }
  if (response.ok) return document;
  const error = new ApiError(response.status, document, response.headers);
  if (error.status === 401) server.dispatchEvent(new CustomEvent("refused", { detail: error }));
  throw error;
}

export const get = (path, options) => json("GET", path, options);

/**
 * The server-sent events of a response as they come: `{data, raw}`, where `raw` is the event as it was
 * sent. Raises Gone when the connection breaks, AbortError.
 */
export async function* events(response) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let held = "";
  try {
    for (;;) {
      let piece;
      try {
        piece = await reader.read();
      } catch (error) {
        if (error.name === "AbortError") throw error;
        reached(false);
        throw new Gone();
      }
      held += decoder.decode(piece.value, { stream: !piece.done });
      const frames = held.split("\n\n");
      held = frames.pop();
      for (const raw of frames) {
        const lines = raw.split("\n").filter((line) => line.startsWith("data:"));
        const data = lines.map((line) => line.slice(5).trimStart()).join("\n");
        yield { data: lines.length ? data : null, raw };
      }
      if (piece.done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
