// Plain and streamed answers, and what goes wrong.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { APICallError, generateText, streamText } from "ai";
import { MODEL, MODELS, PROVIDERS } from "./asking.mjs";

for (const [name, model] of MODELS) {
  test(`an answer: ${name}`, async () => {
    const result = await generateText({ model, prompt: "[[say four words for you]]" });
    assert.equal(result.text, "four words for you");
    assert.equal(result.finishReason, "stop");
    assert.ok(result.usage.inputTokens > 0);
    assert.ok(result.usage.outputTokens >= 4);
    assert.match(result.response.modelId, /^claude-sonnet-/);
  });

  test(`a stream: ${name}`, async () => {
    const result = streamText({ model, prompt: "[[words 12]]" });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    assert.equal(pieces.length, 12);
    assert.match(pieces.join(""), /^word1 word2 .* word12$/);
    assert.equal(await result.finishReason, "stop");
    assert.ok((await result.usage).outputTokens >= 12);
  });
}

for (const [name, chat] of PROVIDERS) {
  test(`a conversation with instructions: ${name}`, async () => {
    const { text } = await generateText({
      model: chat(MODEL),
      instructions: "Be brief.",
      messages: [
        { role: "user", content: "My name is Ada." },
        { role: "assistant", content: "Hello Ada." },
        { role: "user", content: "What is my name?" },
      ],
    });
    assert.equal(text, "Your name is Ada.");
    const echo = await generateText({
      model: chat(MODEL),
      instructions: "Be brief.",
      prompt: "[[echo]]",
    });
    assert.deepEqual(JSON.parse(echo.text).system, ["Be brief."]);
  });

  test(`a session by its header: ${name}`, async () => {
    const headers = { "X-Session-Id": `clients-${randomUUID()}` };
    await generateText({ model: chat(MODEL), prompt: "My name is Ada.", headers });
    const second = await generateText({ model: chat(MODEL), prompt: "What is my name?", headers });
    assert.equal(second.text, "Your name is Ada.");
    assert.equal(second.response.headers["x-bridge-session"], "continued");
  });

  test(`a limit, a stop and a refusal: ${name}`, async () => {
    const cut = await generateText({
      model: chat(MODEL),
      prompt: "[[words 50]]",
      maxOutputTokens: 5,
    });
    assert.equal(cut.text, "word1 word2 word3 word4 word5");
    assert.equal(cut.finishReason, "length");
    const stopped = await generateText({
      model: chat(MODEL),
      prompt: "[[words 50]]",
      stopSequences: ["word3"],
    });
    assert.equal(stopped.text.trim(), "word1 word2");
    assert.equal(stopped.finishReason, "stop");
    const refused = await generateText({ model: chat(MODEL), prompt: "[[refuse]]" });
    assert.equal(refused.finishReason, "content-filter");
  });

  test(`a model that does not exist: ${name}`, async () => {
    await assert.rejects(generateText({ model: chat("llama-3"), prompt: "hi" }), (error) => {
      assert.ok(APICallError.isInstance(error));
      assert.equal(error.statusCode, 404);
      assert.equal(error.data.error.code, "model_not_found");
      assert.equal(error.isRetryable, false);
      return true;
    });
  });

  test(`a field at fault: ${name}`, async () => {
    await assert.rejects(
      generateText({ model: chat(MODEL), prompt: "hi", temperature: 3 }),
      (error) => {
        assert.equal(error.statusCode, 400);
        assert.equal(error.data.error.param, "temperature");
        return true;
      },
    );
  });

  test(`an error in mid-stream: ${name}`, async () => {
    const errors = [];
    const result = streamText({
      model: chat(MODEL),
      prompt: "[[stream-error 20]] [[words 60]]",
      maxRetries: 0,
      onError: ({ error }) => errors.push(error),
    });
    let seen = "";
    for await (const part of result.fullStream) if (part.type === "text-delta") seen += part.text;
    assert.equal(seen.split(" ").length, 20);
    assert.equal(errors.length, 1);
    assert.match(JSON.stringify(errors[0]) + errors[0].message, /overloaded/);
  });
}

test("reasoning is told apart", async () => {
  const [, chat] = PROVIDERS[1];
  const prompt = "Please think, then [[say done]]";
  const providerOptions = { bridge: { reasoningEffort: "medium" } };
  const whole = await generateText({ model: chat("gpt-4o"), prompt, providerOptions });
  assert.equal(whole.text, "done");
  assert.match(whole.reasoningText, /The user said/);
  const streamed = streamText({ model: chat("gpt-4o"), prompt, providerOptions });
  assert.equal(await streamed.text, "done");
  assert.match(await streamed.reasoningText, /The user said/);
});

test("a session by the provider's options", async () => {
  const [, chat] = PROVIDERS[1];
  const providerOptions = { bridge: { session_id: `clients-${randomUUID()}` } };
  await generateText({ model: chat(MODEL), prompt: "My name is Ada.", providerOptions });
  const second = await generateText({
    model: chat(MODEL),
    prompt: "What is my name?",
    providerOptions,
  });
  assert.equal(second.text, "Your name is Ada.");
});
