// The conversation to take along: as JSON, and as a program that runs.

import { joined, layout, parse } from "./try-json.js";
import { quoted } from "./snippets.js";

const WORDS = { true: "True", false: "False", null: "None" };
const text = (literal) => quoted(JSON.parse(literal));
const PYTHON = { string: text, name: text, number: (literal) => literal, word: (literal) => WORDS[literal] };

// What the official package takes by name; whatever else there is goes in extra_body.
const KNOWN = ["model", "messages", "temperature", "max_completion_tokens", "reasoning_effort", "tools", "tool_choice", "response_format"];

/** A request body as a text. */
export function asJson(body) {
  return `${JSON.stringify(body, null, 2)}\n`;
}

/** The same request as a Python program; its key is in OPENAI_API_KEY, if the server wants one. */
export function asPython(body, { baseUrl, keyNeeded }) {
  const value = (of, indent) => joined(layout(parse(JSON.stringify(of)), { style: PYTHON, indent, step: 4, open: false }));
  const named = KNOWN.filter((name) => name in body).map((name) => `    ${name}=${value(body[name], 4)},\n`);
  const others = Object.fromEntries(Object.entries(body).filter(([name]) => !KNOWN.includes(name)));
  if (Object.keys(others).length) named.push(`    extra_body=${value(others, 4)},\n`);
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
