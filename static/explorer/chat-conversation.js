// What was said: the messages, how much of them the session on the server has, and what is to be sent.

import { textOf } from "./chat-turns.js";

/**
 * A conversation. An entry is `{message, whole}`, in OpenAI's form; `whole` is false for an answer that was
 * stopped or failed. `held` counts the entries that the server's session has; the rest is new to it.
 * `offered`: functions went with the last request. `loading`: what the session has is still asked for.
 * `known` counts the messages that the session had after what was last seen of it, without its system prompt.
 * `exported` counts the entries that the person took along.
 */
export class Conversation {
  entries = [];
  held = 0;
  known = 0;
  exported = 0;
  offered = false;
  loading = false;

  get isEmpty() {
    return this.entries.length === 0;
  }

  /** Whether something was said that the person has not taken along. */
  get isUnsaved() {
    return this.entries.length > this.exported;
  }

  get last() {
    return this.entries.at(-1);
  }

  /** Where the last message of the user is, or -1. */
  get lastUser() {
    return this.entries.findLastIndex(({ message }) => message.role === "user");
  }

  add(message, more) {
    const entry = { message, whole: true, ...more };
    this.entries.push(entry);
    return entry;
  }

  /** The first of these messages, all that the session has, that is not held as it is; or their count. */
  firstNew(all) {
    const at = all.findIndex((message, index) => index >= this.held || !isSame(message, this.entries[index].message));
    return at < 0 ? all.length : at;
  }

  /** Take out that entry and all after it; gives them. */
  cut(from) {
    this.held = from < this.held ? 0 : this.held; // the session has another history now: all is sent
    this.exported = Math.min(this.exported, from);
    return this.entries.splice(from);
  }

  /** The messages of the next request. */
  unsent() {
    const said = this.entries.slice(this.held);
    // An answer that the session did not keep would be another version of its history.
    return messages(this.held ? said.filter(({ message, whole }) => whole || message.role !== "assistant") : said);
  }

  /** All of it, as far as it can be sent to anyone. */
  all() {
    return messages(this.entries);
  }

  /** That, up to what was answered last. */
  asked() {
    const end = this.entries.findLastIndex(({ message }) => message.role !== "assistant") + 1;
    return messages(this.entries.slice(0, end));
  }

  /** The calls of the last answer that wait for results. */
  get waiting() {
    return (this.last?.whole && this.last.message.tool_calls) || [];
  }
}

/** How many of these messages a session counts: its system prompt is none of them. */
export const countOf = (all) => all.filter(({ role }) => role !== "system" && role !== "developer").length;

const isSame = (one, other) => one.role === other.role && textOf(one.content) === textOf(other.content);

const messages = (entries) =>
  entries.map(({ message }) => message).filter(({ role, content, tool_calls: calls }) => role !== "assistant" || content || calls?.length);
