// The same call as a program. Each writer takes
//   {operation, values, body, origin, key}
// where `operation` is as in try-operations.js, `values` are the parameters as they were typed, `body` is
// JSON as a text or "" for none, and `key` is "" where none is sent. It gives the program's text.
// Mistake is raised where the body is no JSON, RangeError where it is nested too deeply.

import { headersOf, pathOf, queryOf } from "./try-operations.js";
import { joined, layout, member, parse } from "./try-json.js";

const WIDTH = 88; // columns; a call that fits into so many stands on one line

// What the packages have had as parameters for a long time; anything else they pass on as it is.
const PACKAGES = {
  chat_completions: {
    client: "openai",
    method: "chat.completions.create",
    needed: ["model", "messages"],
    known: [
      "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
      "metadata", "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed", "stop",
      "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
    ],
  },
  completions: {
    client: "openai",
    method: "completions.create",
    needed: ["model", "prompt"],
    known: [
      "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n", "presence_penalty", "seed", "stop",
      "stream", "stream_options", "suffix", "temperature", "top_p", "user",
    ],
  },
  embeddings: { client: "openai", method: "embeddings.create", needed: ["model", "input"], known: ["dimensions", "encoding_format", "user"] },
  messages: {
    client: "anthropic",
    method: "messages.create",
    needed: ["model", "max_tokens", "messages"],
    known: ["metadata", "service_tier", "stop_sequences", "stream", "system", "thinking", "tool_choice", "tools"],
  },
  count_tokens: {
    client: "anthropic",
    method: "messages.count_tokens",
    needed: ["model", "messages"],
    known: ["system", "thinking", "tool_choice", "tools"],
  },
};
const NODE_METHODS = { "messages.count_tokens": "messages.countTokens" };
const SAMPLING = ["temperature", "top_p", "top_k"]; // which the newer version of Anthropic's API does not take
const ANTHROPIC_VERSION = "2023-06-01"; // what a request without a version is taken to be
const LONGEST_UNSTREAMED = 16_000; // tokens; of more the anthropic packages want to be told how long to wait
const PATIENCE = 600; // seconds

// -- texts in other languages ----------------------------------------------------------------------

// Besides what ends a literal: whatever can't be seen, or turns the direction of what follows.
const ESCAPED = /["\\\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/gu;
const SHORT = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text as a literal of Python, and of JavaScript. */
export const quoted = (text) =>
  `"${text.replace(ESCAPED, (one) => SHORT[one] ?? `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;

/** A text as one word of a POSIX shell. */
export const shellQuoted = (text) => (/^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const WORDS = { true: "True", false: "False", null: "None" };
const literal = (text) => quoted(JSON.parse(text));
const PYTHON = { string: literal, name: literal, number: (text) => text, word: (text) => WORDS[text], braces: ["{", "}"], comma: "," };
const NODE = {
  string: literal,
  name(text) {
    const name = JSON.parse(text);
    if (name === "__proto__") return '["__proto__"]'; // without brackets it is no name of a member
    return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
  },
  number: (text) => text,
  word: (text) => text,
  braces: ["{ ", " }"],
  comma: ",",
};

const pairs = (entries) => parse(JSON.stringify(Object.fromEntries(entries)));

// Parts within brackets: on one line, where it fits into the width; else each on its own.
function bracketed([open, close], parts, { before = 0, indent = 0, step }) {
  const flat = `${open}${parts.join(", ")}${close}`;
  if (!flat.includes("\n") && before + flat.length <= WIDTH) return flat;
  const pad = " ".repeat(indent + step);
  return `${open.trimEnd()}\n${parts.map((part) => `${pad}${part},\n`).join("")}${" ".repeat(indent)}${close.trimStart()}`;
}

// -- what is to be written -------------------------------------------------------------------------

// A request, as all writers see it: `node` is the body's tree, `method` the package's own, if it has one
// that can be called with this.
function plan({ operation, values, body, origin, key }) {
  const node = body.trim() ? parse(body) : null;
  const own = PACKAGES[operation.id];
  const has = (name) => node !== null && member(node, name) !== undefined;
  const made = {
    origin,
    key: key || "unused",
    node,
    path: pathOf(operation, values),
    query: [],
    headers: headersOf(operation, values),
    client: own?.client ?? "openai",
    method: null,
    argument: null,
    patience: null,
    streams: operation.streams && has("stream") && member(node, "stream").value.text === "true",
  };
  if (own && node?.kind === "object" && own.needed.every(has)) {
    Object.assign(made, { method: own.method, known: new Set([...own.needed, ...own.known]) });
  } else if (operation.id === "list_models") {
    Object.assign(made, { method: "models.list", query: queryOf(operation, values) });
  } else if (operation.id === "get_model" && /^\w[\w.:-]*$/.test(values.id)) {
    Object.assign(made, { method: "models.retrieve", argument: quoted(values.id) });
  }
  if (made.client === "anthropic") {
    const chosen = made.headers.some(([name]) => name === "anthropic-version");
    if (!chosen && (SAMPLING.some(has) || body.includes('"citations"'))) {
      made.headers.unshift(["anthropic-version", ANTHROPIC_VERSION]);
    }
    const most = has("max_tokens") ? Number(member(node, "max_tokens").value.text) : 0;
    if (made.method && !made.streams && most > LONGEST_UNSTREAMED) made.patience = PATIENCE;
  }
  // What a person wants to see of the answer first; else all of it is shown.
  made.shows = ["tools", "functions", "n"].some(has) && !made.streams ? null : made.method;
  // What is no JSON comes as a text.
  made.text = operation.page || (made.streams && !made.method);
  made.verb = operation.method.toLowerCase();
  return made;
}

// The address as a client of the package wants it: after its base URL, or whole.
function relative({ client, origin, path }) {
  if (client === "anthropic") return path;
  return path.startsWith("/v1/") ? path.slice("/v1".length) : origin + path;
}

const base = ({ client, origin }) => (client === "anthropic" ? origin : `${origin}/v1`);

// -- curl ------------------------------------------------------------------------------------------

/** The call for a POSIX shell. */
export function curl(call) {
  const { operation, body, origin, key } = call;
  const { path, streams } = plan(call);
  const sends = body.trim() !== "";
  const method = operation.method === (sends ? "POST" : "GET") ? "" : `-X ${operation.method} `;
  const lines = [`curl ${streams ? "-N " : ""}${method}${shellQuoted(origin + path)}`];
  if (key) lines.push(`-H ${shellQuoted(`Authorization: Bearer ${key}`)}`);
  for (const [name, value] of headersOf(operation, call.values)) lines.push(`-H ${shellQuoted(`${name}: ${value}`)}`);
  if (sends) lines.push(`-H ${shellQuoted("Content-Type: application/json")}`, `-d ${shellQuoted(body)}`);
  return lines.join(" \\\n  ");
}

// -- Python ----------------------------------------------------------------------------------------

const PYTHON_CLIENT = { openai: "OpenAI", anthropic: "Anthropic" };
const PYTHON_TOLD = {
  "chat.completions.create": "print(answer.choices[0].message.content)",
  "completions.create": "print(answer.choices[0].text)",
  "embeddings.create": "for one in answer.data:\n    print(one.index, len(one.embedding), one.embedding[:3])",
  "messages.create": 'print("".join(block.text for block in answer.content if block.type == "text"))',
  "models.list": "for model in answer:\n    print(model.id)",
};
const PYTHON_STREAMED = {
  "chat.completions.create": [
    "for chunk in stream:",
    "    if chunk.choices:",
    '        print(chunk.choices[0].delta.content or "", end="", flush=True)',
  ],
  "completions.create": ["for chunk in stream:", "    if chunk.choices:", '        print(chunk.choices[0].text, end="", flush=True)'],
  "messages.create": [
    "for event in stream:",
    '    if event.type == "content_block_delta" and event.delta.type == "text_delta":',
    '        print(event.delta.text, end="", flush=True)',
  ],
};

/** The call for Python, with the official package. */
export function python(call) {
  const step = 4;
  const made = plan(call);
  const written = (name, value) => `${name}${joined(layout(value, { style: PYTHON, indent: step, step, before: name.length, open: false }))}`;
  const parts = [];
  if (made.method === null) {
    parts.push(quoted(relative(made)), `cast_to=${made.text ? "str" : "object"}`);
    if (made.node) parts.push(written("body=", made.node));
    if (made.headers.length) parts.push(`${written('options={"headers": ', pairs(made.headers))}}`);
  } else {
    if (made.argument) parts.push(made.argument);
    const fields = new Map(made.node?.members.map((one) => [JSON.parse(one.name.text), one]));
    const others = [];
    for (const [name, one] of fields) {
      if (made.known.has(name)) parts.push(written(`${name}=`, one.value));
      else others.push(one);
    }
    if (others.length) parts.push(written("extra_body=", { kind: "object", members: others }));
    if (made.query.length) parts.push(written("extra_query=", pairs(made.query)));
    if (made.headers.length) parts.push(written("extra_headers=", pairs(made.headers)));
    if (made.patience) parts.push(`timeout=${made.patience}`);
  }
  const told =
    made.streams && made.shows
      ? PYTHON_STREAMED[made.shows].join("\n")
      : (PYTHON_TOLD[made.shows] ?? (made.text ? "print(answer)" : made.method ? "print(answer.to_json())" : "print(json.dumps(answer, indent=2))"));
  const name = PYTHON_CLIENT[made.client];
  const client = [`base_url=${quoted(base(made))}`, `api_key=${quoted(made.key)}`];
  return [
    ...(told.includes("json.dumps") ? ["import json", ""] : []),
    `from ${made.client} import ${name}`,
    "",
    bracketed([`client = ${name}(`, ")"], client, { step }),
    bracketed([`${variable(made)} = client.${made.method ?? made.verb}(`, ")"], parts, { step }),
    told,
    "",
  ].join("\n");
}

const variable = ({ streams, method }) => (streams && method ? "stream" : "answer");

// -- Node.js ---------------------------------------------------------------------------------------

const NODE_CLIENT = { openai: ["OpenAI", "openai"], anthropic: ["Anthropic", "@anthropic-ai/sdk"] };
const NODE_METHOD = { "messages.count_tokens": "messages.countTokens" };
const NODE_TOLD = {
  "chat.completions.create": "console.log(answer.choices[0].message.content);",
  "completions.create": "console.log(answer.choices[0].text);",
  "embeddings.create": "for (const one of answer.data) {\n  console.log(one.index, one.embedding.length, one.embedding.slice(0, 3));\n}",
  "messages.create": 'console.log(answer.content.map((block) => (block.type === "text" ? block.text : "")).join(""));',
  "models.list": "for await (const model of answer) {\n  console.log(model.id);\n}",
};
const NODE_STREAMED = {
  "chat.completions.create": ["for await (const chunk of stream) {", '  process.stdout.write(chunk.choices[0]?.delta.content ?? "");', "}"],
  "completions.create": ["for await (const chunk of stream) {", '  process.stdout.write(chunk.choices[0]?.text ?? "");', "}"],
  "messages.create": [
    "for await (const event of stream) {",
    '  if (event.type === "content_block_delta" && event.delta.type === "text_delta") {',
    "    process.stdout.write(event.delta.text);",
    "  }",
    "}",
  ],
};

/** The call for Node.js, with the official package. */
export function node(call) {
  const step = 2;
  const made = plan(call);
  const written = (name, value) => `${name}: ${joined(layout(value, { style: NODE, indent: step, step, before: name.length + 2, open: false }))}`;
  const options = [];
  if (made.method === null && made.node) options.push(written("body", made.node));
  if (made.query.length) options.push(written("query", pairs(made.query)));
  if (made.headers.length) options.push(written("headers", pairs(made.headers)));
  if (made.patience) options.push(`timeout: ${made.patience}_000`);
  const parts = [];
  if (made.method === null) parts.push(quoted(relative(made)));
  else if (made.argument) parts.push(made.argument);
  else if (made.node) parts.push(joined(layout(made.node, { style: NODE, step })));
  const method = NODE_METHOD[made.method] ?? made.method ?? made.verb;
  const before = `const ${variable(made)} = await client.${method}(`;
  if (options.length) parts.push(bracketed(["{ ", " }"], options, { before: before.length + parts.join(", ").length + 4, step }));
  const told =
    made.streams && made.shows
      ? NODE_STREAMED[made.shows].join("\n")
      : (NODE_TOLD[made.shows] ?? (made.text ? "console.log(answer);" : "console.log(JSON.stringify(answer, null, 2));"));
  const [name, module] = NODE_CLIENT[made.client];
  const client = [`baseURL: ${quoted(base(made))}`, `apiKey: ${quoted(made.key)}`];
  return [
    `import ${name} from ${quoted(module)};`,
    "",
    bracketed([`const client = new ${name}({ `, " });"], client, { step }),
    `${before}${parts.join(", ")});`,
    told,
    "",
  ].join("\n");
}
