// One request to POST /v1/chat/completions, and what has come of its answer so far.

import { ApiError, documentOf, events, get, Gone, request } from "./api.js";

const MOST_RAW = 200_000; // characters of a stream that are kept
const WAITS = [250, 750, 1200, 1800]; // milliseconds; what an answer cost is told after it

/**
 * An answer as far as it has come. `state` is running, then one of whole, stopped (by the person), broken
 * (the connection) or failed; with the last two `error` says why. `calls` are `{id, name, arguments}`.
 * `times` are in milliseconds of the page's clock, null until then.
 */
export class Reply {
  state = "running";
  error = null;
  content = "";
  reasoning = "";
  calls = [];
  finish = null;
  model = null;
  usage = null;
  headers = null;
  id = `chat-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  times = { asked: null, first: null, last: null, thought: null, answered: null };
  #raw = [];
  #rawLength = 0;

  /** The last part of the stream as it was sent. */
  get raw() {
    return this.#raw.join("").slice(-MOST_RAW);
  }

  /** The message as it is sent back: its words, and the calls whose arguments are whole. */
  get message() {
    const calls = this.state === "whole" ? this.calls.filter(isWhole) : [];
    return {
      role: "assistant",
      content: this.content || null,
      ...(calls.length && {
        tool_calls: calls.map(({ id, name, arguments: given }) => ({ id, type: "function", function: { name, arguments: given } })),
      }),
    };
  }

  keep(raw) {
    this.#raw.push(`${raw}\n\n`);
    this.#rawLength += raw.length + 2;
    while (this.#rawLength - this.#raw[0].length > MOST_RAW) this.#rawLength -= this.#raw.shift().length;
  }

  take(chunk) {
    const now = performance.now();
    this.model ??= chunk.model ?? null;
    this.usage = chunk.usage ?? this.usage;
    for (const { delta, finish_reason: finish } of chunk.choices ?? []) {
      this.finish = finish ?? this.finish;
      if (delta?.reasoning_content) {
        this.times.thought ??= now;
        this.reasoning += delta.reasoning_content;
      }
      if (delta?.content) this.content += delta.content;
      for (const piece of delta?.tool_calls ?? []) this.#call(piece);
      if (!delta?.content && !delta?.tool_calls && !delta?.reasoning_content) continue;
      if (!delta.reasoning_content) this.times.answered ??= now;
      this.times.first ??= now;
      this.times.last = now;
    }
  }

  #call({ index, id, function: piece }) {
    const call = (this.calls[index] ??= { id: "", name: "", arguments: "" });
    call.id = id ?? call.id;
    call.name += piece?.name ?? "";
    call.arguments += piece?.arguments ?? "";
  }
}

function isWhole(call) {
  try {
    const given = JSON.parse(call.arguments || "{}");
    return typeof given === "object" && given !== null && !Array.isArray(given);
  } catch {
    return false;
  }
}

/** Ask, and fill the reply while it comes; `told` is called after each change. Raises nothing. */
export async function ask(body, reply, { signal, told }) {
  const sent = { ...body, stream: true, stream_options: { include_usage: true } };
  reply.times.asked = performance.now();
  try {
    const response = await request("POST", "/v1/chat/completions", { body: sent, headers: { "x-request-id": reply.id }, signal });
    reply.headers = response.headers;
    if (!response.ok) await documentOf(response);
    for await (const { data, raw } of events(response)) {
      reply.keep(raw);
      if (data === "[DONE]") {
        reply.state = "whole";
        return;
      }
      if (data === null) continue;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(null, chunk, response.headers);
      reply.take(chunk);
      told();
    }
    throw new Gone();
  } catch (error) {
    if (error.name === "AbortError") {
      reply.state = "stopped";
    } else {
      reply.state = error instanceof Gone && reply.headers ? "broken" : "failed";
      reply.error = error;
    }
  } finally {
    told();
  }
}

/**
 * What the server knows of the request, as `GET /v1/requests/{id}` tells it: once it has ended, and anew until
 * its cost is there. It tells nothing where the server does not.
 */
export async function* spentOf(id) {
  for (const wait of WAITS) {
    await new Promise((resolve) => {
      setTimeout(resolve, wait);
    });
    try {
      const found = await get(`/v1/requests/${id}`, { refresh: true });
      yield found;
      if (found.cost_usd !== null) return;
    } catch (error) {
      if (error.status !== 404) return; // with it the request has not ended yet
    }
  }
}
