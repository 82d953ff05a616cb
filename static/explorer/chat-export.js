// The conversation to take along: as JSON, and as a program that runs.

import { quoted } from "./snippets.js";

const WIDTH = 88; // columns; what fits into so many stands on one line
const STEP = 4;

// What the official package takes by name; whatever else there is goes in extra_body.
const KNOWN = ["model", "messages", "temperature", "max_completion_tokens", "reasoning_effort", "tools", "tool_choice", "response_format"];

/** A request body as a text. */
export function asJson(body) {
  return `${JSON.stringify(body, null, 2)}\n`;
}

// A value of JSON as Python writes it.
function literal(value, indent) {
  if (typeof value === "string") return quoted(value);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const entries = Object.entries(value);
  const parts = entries.map(([name, one]) => (open === "[" ? "" : `${quoted(name)}: `) + literal(one, indent + STEP));
  const flat = open + parts.join(", ") + close;
  if (!flat.includes("\n") && indent + flat.length <= WIDTH) return flat;
  const pad = " ".repeat(indent + STEP);
  return `${open}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close}`;
}

/** The same request as a Python program; its key is in OPENAI_API_KEY, if the server wants one. */
export function asPython(body, { baseUrl, keyNeeded }) {
  const named = KNOWN.filter((name) => name in body).map((name) => `    ${name}=${literal(body[name], STEP)},\n`);
  const others = Object.fromEntries(Object.entries(body).filter(([name]) => !KNOWN.includes(name)));
  if (Object.keys(others).length) named.push(`    extra_body=${literal(others, STEP)},\n`);
  const key = keyNeeded ? 'os.environ["OPENAI_API_KEY"]' : 'os.environ.get("OPENAI_API_KEY", "unused")';
  return `# pip install openai
import os

from openai import OpenAI

client = OpenAI(base_url=${quoted(baseUrl)}, api_key=${key})

stream = client.chat.completions.create(
${named.join("")}    stream=True,
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
        for call in choice.delta.tool_calls or ():
            if call.function.name:
                print(f"\\n{call.function.name} ({call.id}): ", end="")
            print(call.function.arguments or "", end="", flush=True)
print()
`;
}

/** Give the person a file. */
export function download(name, type, words) {
  const url = URL.createObjectURL(new Blob([words], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it when it likes
}
