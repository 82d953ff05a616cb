// An answer as a person sees it: reasoning, words, calls, what it took, and the stream behind it.

import { Gone } from "./api.js";
import { spentOf } from "./chat-reply.js";
import { copyButton, fill, h, setText } from "./dom.js";
import { dollars, duration, number } from "./format.js";
import { soon } from "./pace.js";
import { PlainText } from "./plain-text.js";
import { problem } from "./problem.js";
import { joined, layout, parse } from "./try-json.js";

const MOST_PRETTY = 200_000; // characters of arguments that are laid out

let markdown = null; // what lays out, once there is an answer: (element) => Markdown
let answers = 0;

async function loadMarkdown() {
  try {
    const { Markdown } = await import("./markdown.js");
    markdown = (element) => new Markdown(element);
  } catch {
    markdown = (element) => new PlainText(element); // the server is gone; the words are there
  }
}

/**
 * The view of a Reply; `again` is called to ask once more, `results` when results are to be sent,
 * `finished` when its end is seen.
 */
export class Answer {
  #words = null;
  #loading = null;
  #calls = [];
  #asked = []; // those of them that want a result
  #answered = null; // the messages with the results
  #ended = false;

  constructor(reply, { again, results, finished = () => {} }) {
    const id = `chat-answer-${(answers += 1)}`;
    this.reply = reply;
    this.again = again;
    this.results = results;
    this.finished = finished;
    this.title = h("h2", { class: "visually-hidden" }, "Answer");
    this.thought = h("summary", null, "Thinking …");
    this.reasoning = h("div", { class: "reasoning", tabindex: "0", role: "region", "aria-label": "Reasoning" });
    this.thinking = h("details", { class: "thinking", hidden: true }, this.thought, this.reasoning);
    this.waits = h("p", { class: "waits" }, h("span", null), h("span", null), h("span", null), h("span", { class: "visually-hidden" }, "Waiting for the answer"));
    this.words = h("div", { class: "words", id });
    this.calls = h("div", { class: "calls", hidden: true });
    this.end = h("div", { class: "end", hidden: true });
    this.facts = h("ul", { class: "facts", "aria-label": "What it took" });
    this.raw = h("pre", { class: "plain-text", id: `${id}-raw`, tabindex: "0", role: "region", "aria-label": "The stream as it was sent" });
    this.stream = h("details", { class: "raw", ontoggle: () => this.#showRaw() }, h("summary", null, "Raw stream"), this.raw, copyButton(`${id}-raw`, "the raw stream"));
    this.copy = copyButton(id, "the answer");
    this.foot = h("div", { class: "foot", hidden: true }, this.facts, this.copy, this.stream);
    this.element = h("li", { class: "turn answer" }, this.title, this.thinking, this.waits, this.words, this.calls, this.end, this.foot);
    this.reasoningText = new PlainText(this.reasoning);
    this.draw = () => this.#draw();
    this.later = () => soon(this.draw);
  }

  #draw() {
    const { reply } = this;
    const running = reply.state === "running";
    this.waits.hidden = !running || Boolean(reply.content || reply.calls.length);
    if (reply.reasoning) {
      this.thinking.hidden = false;
      this.reasoningText.show(reply.reasoning);
      const { thought, answered, last } = reply.times;
      const until = answered > thought ? answered : running ? null : last;
      setText(this.thought, until === null ? "Thinking …" : `Thought for ${duration(until - thought)}`);
    }
    let more = false;
    let laidOut = true;
    if (reply.content) {
      if (!markdown) {
        this.#loading ??= loadMarkdown().then(this.later);
        laidOut = false;
      } else more = (this.#words ??= markdown(this.words)).show(reply.content, !running);
    }
    reply.calls.forEach((call, index) => {
      this.#calls[index] ??= new Call(this.calls, () => this.#tellResults());
      this.#calls[index].show(call, !running);
    });
    this.calls.hidden = reply.calls.length === 0;
    if (!running && laidOut && !more && !this.#ended) this.#finish();
    return more;
  }

  #finish() {
    const { reply } = this;
    this.#ended = true;
    this.end.hidden = reply.state === "whole";
    if (reply.state !== "whole") fill(this.end, ending(reply), this.#againButton());
    if (this.#answered) this.close(this.#answered);
    else if (reply.state === "whole" && reply.calls.length) this.#askForResults();
    this.foot.hidden = false;
    this.copy.hidden = !reply.content;
    this.words.value = reply.content; // the copy button takes it before the text: the markdown as it came
    this.stream.hidden = !reply.raw;
    fill(this.facts, factsOf(reply, null).map(fact));
    if (reply.times.asked !== null && ["whole", "stopped"].includes(reply.state)) this.#tellSpent();
    this.finished();
  }

  #againButton() {
    this.retry = h("button", { class: "quiet", type: "button", onclick: () => this.again() }, "Try again");
    return h("p", { class: "actions" }, this.retry);
  }

  async #tellSpent() {
    for await (const spent of spentOf(this.reply.id)) fill(this.facts, factsOf(this.reply, spent).map(fact));
  }

  #showRaw() {
    if (this.stream.open && !this.raw.hasChildNodes()) new PlainText(this.raw).show(this.reply.raw);
  }

  #askForResults() {
    const ids = new Set(this.reply.message.tool_calls?.map((call) => call.id));
    this.#asked = this.#calls.filter((call) => ids.has(call.id));
    if (!this.#asked.length) return;
    for (const call of this.#asked) call.ask();
    const words = this.#asked.length > 1 ? "Send the results" : "Send the result";
    this.send = h("button", { class: "primary", type: "button", onclick: () => this.results() }, words);
    this.sendNote = h("p", { class: "note" });
    this.sending = h("div", { class: "send-results" }, this.send, this.sendNote);
    this.calls.append(this.sending);
    this.#tellResults();
  }

  #tellResults() {
    const missing = this.#asked.filter((call) => !call.isGiven).length;
    this.send.disabled = missing > 0;
    const words = this.#asked.length > 1 ? `Each call wants a result; ${missing} missing.` : "The call wants a result.";
    setText(this.sendNote, missing ? words : "");
  }

  /** The messages with the results as they were typed; null while one is missing. */
  get resultMessages() {
    if (!this.#asked.length || this.#asked.some((call) => !call.isGiven)) return null;
    return this.#asked.map((call) => ({ role: "tool", tool_call_id: call.id, content: call.result }));
  }

  /** Where a person types next: the first result that is missing, or undefined. */
  get firstMissing() {
    return this.#asked.find((call) => !call.isGiven)?.input;
  }

  /** The results are sent, or were: no more is asked for. */
  close(messages) {
    this.#answered = messages;
    this.sending?.remove();
    const texts = new Map(messages.map((one) => [one.tool_call_id, one.content]));
    for (const call of this.#calls) call.close(texts.get(call.id));
  }

  /** The session that the answer should have continued was gone. */
  forgotten() {
    this.element.append(h("p", { class: "note" }, "The server had no such session any more: it began anew, and the model has heard nothing from before."));
  }

  /** No more can be tried again: the conversation went on. */
  settle() {
    this.retry?.remove();
  }
}

let inputs = 0;

// A call: its name and arguments, and the place for its result.
class Call {
  #finished = false;
  isEmpty = false; // the person says that the result is an empty text

  constructor(list, changed) {
    const id = `chat-result-${(inputs += 1)}`;
    this.changed = changed;
    this.name = h("strong", null);
    this.idText = h("small", null);
    this.given = h("pre", { class: "plain-text", tabindex: "0", role: "region", "aria-label": "Arguments" });
    this.input = h("textarea", { id, rows: "2", spellcheck: "false", oninput: () => this.#setEmpty(false) });
    this.emptyButton = h("button", { class: "link", type: "button", "aria-pressed": "false", onclick: () => this.#setEmpty(!this.isEmpty) }, "It is empty");
    this.place = h("div", { class: "result", hidden: true }, h("div", { class: "label-row" }, h("label", { for: id }, "Result"), this.emptyButton), this.input);
    this.element = h("section", { class: "card function-call" }, h("h3", null, h("span", { class: "calls-name" }, "calls "), this.name, " ", this.idText), this.given, this.place);
    this.text = new PlainText(this.given);
    list.append(this.element);
  }

  show(call, finished) {
    this.id = call.id;
    setText(this.name, call.name);
    setText(this.idText, call.id);
    if (this.#finished) return;
    this.#finished = finished;
    if (finished) {
      const pretty = prettyOf(call.arguments);
      if (pretty !== call.arguments) {
        fill(this.given);
        this.text = new PlainText(this.given);
      }
      this.text.show(pretty);
      this.element.setAttribute("aria-label", `Call of ${call.name.slice(0, 100)}`);
    } else {
      this.text.show(call.arguments);
    }
  }

  get result() {
    return this.input.value;
  }

  /** Whether there is a result: an empty one has to be said. */
  get isGiven() {
    return this.result !== "" || this.isEmpty;
  }

  #setEmpty(empty) {
    this.isEmpty = empty;
    if (empty) this.input.value = "";
    this.input.placeholder = empty ? "empty" : "";
    this.emptyButton.setAttribute("aria-pressed", String(empty));
    this.changed();
  }

  ask() {
    this.place.hidden = false;
  }

  close(text) {
    if (text !== undefined && this.input.value === "") this.input.value = typeof text === "string" ? text : JSON.stringify(text);
    this.place.hidden = text === undefined && this.input.value === "";
    this.input.readOnly = true;
    if (text === "") this.input.placeholder = "empty";
    this.emptyButton.remove();
  }
}

function prettyOf(text) {
  if (text.length > MOST_PRETTY) return text;
  try {
    return joined(layout(parse(text)));
  } catch {
    return text; // it is no JSON, or nested too deeply
  }
}

// -- what it took, and how it ended ----------------------------------------------------------------

const fact = ([words, title, mark]) => h("li", { title, class: mark }, words);

// The tokens as the answer tells them, else as the server does: under an answer that was stopped.
function tokensOf({ usage }, spent) {
  if (usage) {
    return {
      input: usage.prompt_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens,
      output: usage.completion_tokens,
      reasoned: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    };
  }
  if (!spent?.input_tokens && !spent?.output_tokens) return null;
  return { input: spent.input_tokens, cached: spent.cached_tokens, output: spent.output_tokens, reasoned: 0 };
}

function costFact({ cost_usd: cost, cost_of: of }) {
  if (of > 1) return [`${dollars(cost)} for ${of} requests`, `For ${of} requests, this one and those before it`];
  return [dollars(cost), "As Claude Code tells it"];
}

function factsOf(reply, spent) {
  const { times, usage, finish, model, headers, reasoning } = reply;
  const tokens = tokensOf(reply, spent);
  const found = [];
  if (times.first !== null) found.push([`${duration(times.first - times.asked)} to the first token`, "From sending the request until the first piece of the answer"]);
  const took = times.last - times.first;
  const streamed = usage ? tokens.output - (reasoning ? 0 : tokens.reasoned) : 0;
  if (took > 0 && streamed > 1) found.push([`${number(Math.round((streamed / took) * 1000))} tokens/s`, "While it was streamed, without the wait for the first token"]);
  if (tokens) {
    const { input, cached, output, reasoned } = tokens;
    found.push([`${number(input)} in${cached ? ` (${number(cached)} cached)` : ""}`, "Tokens of the prompt"]);
    found.push([`${number(output)} out${reasoned ? ` (${number(reasoned)} reasoning)` : ""}`, "Tokens of the answer"]);
  }
  if (finish && finish !== "stop") found.push([`finish_reason ${finish}`, "Why the answer ended", finish === "tool_calls" ? null : "warn-fact"]);
  if (model) found.push([model, "The model that answered"]);
  const outcome = headers?.get("x-bridge-session");
  if (outcome && outcome !== "matched") found.push([`session ${outcome}`, "What became of the session, as x-bridge-session tells it"]); // matched: there is none
  for (const name of ["ignored", "changed"]) {
    const told = headers?.get(`x-bridge-${name}`);
    if (told) found.push([`${name}: ${told}`, `x-bridge-${name}: fields of the request`, "warn-fact"]);
  }
  if (spent && spent.cost_usd !== null) found.push(costFact(spent));
  return found;
}

function ending({ state, error, headers, content, reasoning, calls }) {
  const some = content || reasoning || calls.length;
  if (state === "stopped") return h("p", { class: "note stopped" }, some ? "Stopped here." : "Stopped before the first word.");
  if (error instanceof Gone && headers) {
    return h("div", { class: "problem" }, h("p", null, some ? "The connection broke here; what came before it stays." : "The connection broke before the first word."));
  }
  return problem(error);
}
