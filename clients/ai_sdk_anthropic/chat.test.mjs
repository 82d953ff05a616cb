// Plain and streamed answers, thoughts, files, and what goes wrong.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { APICallError, generateText, streamText } from "ai";
import { anthropic, call, MODEL, MODELS, NEWEST } from "./asking.mjs";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const PDF = Buffer.from(
  "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n" +
    "trailer<</Root 1 0 R>>\n%%EOF\n",
);
const THINKING = {
  [MODEL]: { type: "enabled", budgetTokens: 2000 },
  [NEWEST]: { type: "adaptive", display: "summarized" },
};

for (const [name, model] of MODELS) {
  test(`an answer: ${name}`, async () => {
    const result = await generateText({ model, prompt: "[[say four words for you]]" });
    assert.equal(result.text, "four words for you");
    assert.equal(result.finishReason, "stop");
    assert.ok(result.usage.inputTokens > 0);
    assert.equal(result.usage.outputTokens, 4);
    assert.equal(result.response.modelId, name);
    assert.match(result.response.id, /^msg_/);
    assert.deepEqual(result.warnings, []);
  });

  test(`a stream: ${name}`, async () => {
    const result = streamText({ model, prompt: "[[words 12]]" });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    assert.equal(pieces.length, 12);
    assert.match(pieces.join(""), /^word1 word2 .* word12$/);
    assert.equal(await result.finishReason, "stop");
    assert.equal((await result.usage).outputTokens, 12);
  });

  test(`a thought, sent back: ${name}`, async () => {
    const providerOptions = { anthropic: { thinking: THINKING[name] } };
    const messages = [{ role: "user", content: "My name is Ada. [[think of her]]" }];
    const first = await generateText({ model, messages, providerOptions });
    assert.equal(first.reasoningText, "of her");
    assert.ok(first.reasoning[0].providerMetadata.anthropic.signature);
    messages.push(...first.response.messages, { role: "user", content: "What is my name?" });
    const second = streamText({ model, messages, providerOptions });
    assert.equal(await second.text, "Your name is Ada.");
  });

  test(`a thought in a stream, and a redacted one: ${name}`, async () => {
    const providerOptions = { anthropic: { thinking: THINKING[name] } };
    const messages = [{ role: "user", content: "[[think of her]] [[redacted]] [[say done]]" }];
    const result = streamText({ model, messages, providerOptions });
    assert.equal(await result.text, "done");
    assert.match(await result.reasoningText, /of her/);
    const parts = await result.reasoning;
    assert.ok(parts.some(({ providerMetadata: { anthropic: own } }) => own.redactedData));
    messages.push(...(await result.response).messages, { role: "user", content: "[[say back]]" });
    assert.equal((await generateText({ model, messages, providerOptions })).text, "back");
  });

  test(`files: ${name}`, async () => {
    const { text } = await generateText({
      model,
      messages: [
        {
          role: "user",
          content: [
            { type: "file", data: PIXEL, mediaType: "image/png" },
            { type: "file", data: new URL("https://example.com/a.png"), mediaType: "image/png" },
            { type: "file", data: PDF, mediaType: "application/pdf", filename: "a.pdf" },
            { type: "file", data: Buffer.from("Plain."), mediaType: "text/plain" },
            { type: "text", text: "What are these?" },
          ],
        },
      ],
    });
    assert.match(text, /image\/png, 1x1 pixels/);
    assert.match(text, /https:\/\/example.com\/a.png/);
    assert.match(text, new RegExp(`a PDF document of ${PDF.length} bytes`));
    assert.match(text, /a text document of 6 characters/);
  });
}

test("a conversation with instructions and a marked cache", async () => {
  const marked = { anthropic: { cacheControl: { type: "ephemeral" } } };
  const messages = [
    { role: "user", content: "My name is Ada.", providerOptions: marked },
    { role: "assistant", content: "Hello Ada." },
    { role: "user", content: "What is my name?", providerOptions: marked },
  ];
  const ask = () => generateText({ model: anthropic(MODEL), instructions: "Be brief.", messages });
  assert.equal((await ask()).text, "Your name is Ada.");
  const again = await ask();
  assert.ok(again.usage.inputTokenDetails.cacheReadTokens > 0);
  const echo = await generateText({
    model: anthropic(MODEL),
    instructions: "Be brief.",
    prompt: "[[echo]]",
  });
  assert.deepEqual(JSON.parse(echo.text).system, ["Be brief."]);
});

test("a session by its header", async () => {
  const headers = { "X-Session-Id": `clients-${randomUUID()}` };
  const model = anthropic(MODEL);
  await generateText({ model, prompt: "My name is Ada.", headers });
  const second = await generateText({ model, prompt: "What is my name?", headers });
  assert.equal(second.text, "Your name is Ada.");
  assert.equal(second.response.headers["x-bridge-session"], "continued");
});

test("a limit, a stop and a refusal", async () => {
  const ask = (prompt, more) => generateText({ model: anthropic(MODEL), prompt, ...more });
  const cut = await ask("[[words 50]]", { maxOutputTokens: 5 });
  assert.equal(cut.text, "word1 word2 word3 word4 word5");
  assert.equal(cut.finishReason, "length");
  const stopped = await ask("[[words 50]]", { stopSequences: ["word3"] });
  assert.equal(stopped.text.trim(), "word1 word2");
  assert.equal(stopped.finishReason, "stop");
  assert.equal(stopped.providerMetadata.anthropic.stopSequence, "word3");
  assert.equal((await ask("[[refuse]]")).finishReason, "content-filter");
});

test("sampling and an effort", async () => {
  const sampled = await generateText({
    model: anthropic(MODEL),
    prompt: "[[say sampled]]",
    temperature: 0.3,
    topK: 5,
  });
  assert.equal(sampled.text, "sampled");
  const tried = await generateText({
    model: anthropic(NEWEST),
    prompt: "[[say with care]]",
    providerOptions: { anthropic: { effort: "high" } },
  });
  assert.equal(tried.text, "with care");
});

test("a token instead of a key", async () => {
  const baseURL = process.env.BRIDGE_KEYED_URL;
  const right = createAnthropic({ baseURL, authToken: process.env.BRIDGE_KEY });
  assert.equal((await generateText({ model: right(MODEL), prompt: "[[say in]]" })).text, "in");
  const wrong = createAnthropic({ baseURL, apiKey: "other" });
  await assert.rejects(generateText({ model: wrong(MODEL), prompt: "hi" }), (error) => {
    assert.equal(error.statusCode, 401);
    assert.equal(error.data.error.type, "authentication_error");
    return true;
  });
});

test("a model that does not exist", async () => {
  await assert.rejects(generateText({ model: anthropic("llama-3"), prompt: "hi" }), (error) => {
    assert.ok(APICallError.isInstance(error));
    assert.equal(error.statusCode, 404);
    assert.equal(error.data.error.type, "not_found_error");
    assert.equal(error.isRetryable, false);
    return true;
  });
});

test("an error before the first word, which may be tried again", async () => {
  const ask = { model: anthropic(MODEL), prompt: "[[fail 529 not today]]", maxRetries: 0 };
  await assert.rejects(generateText(ask), (error) => {
    assert.equal(error.data.error.type, "overloaded_error");
    assert.equal(error.isRetryable, true);
    return true;
  });
});

test("an error in mid-stream", async () => {
  const errors = [];
  const result = streamText({
    model: anthropic(MODEL),
    prompt: "[[stream-error 20]] [[words 60]]",
    maxRetries: 0,
    onError: ({ error }) => errors.push(error),
  });
  let seen = "";
  for await (const part of result.fullStream) if (part.type === "text-delta") seen += part.text;
  assert.equal(seen.split(" ").length, 20);
  assert.equal(errors.length, 1);
  assert.match(JSON.stringify(errors[0]) + errors[0].message, /verloaded/);
});

test("a stream that is left early", async () => {
  const leave = new AbortController();
  const result = streamText({
    model: anthropic(MODEL),
    prompt: "[[stall 3]] [[words 60]]",
    abortSignal: leave.signal,
  });
  let seen = 0;
  for await (const part of result.fullStream) {
    if (part.type === "text-delta" && ++seen === 3) leave.abort();
  }
  assert.equal(seen, 3);
});

test("a tool of Anthropic's servers is refused by name", async () => {
  const search = anthropic.tools.webSearch_20250305({});
  await assert.rejects(
    generateText({ model: anthropic(MODEL), tools: { web_search: search }, prompt: call("x") }),
    (error) => error.statusCode === 400 && /web_search/.test(error.message),
  );
});
