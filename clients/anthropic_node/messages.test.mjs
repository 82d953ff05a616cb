// Plain and streamed answers, what the model thinks, and what it is shown.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import { CLIENTS, MODEL, NEWEST, said, user } from "./asking.mjs";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const BUDGET = { type: "enabled", budget_tokens: 2000 };
const ADAPTIVE = { type: "adaptive", display: "summarized" };

async function all(iterable) {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
}

for (const { name, client } of CLIENTS) {
  for (const model of [MODEL, NEWEST]) {
    const ask = (text, more = {}) => ({
      model,
      max_tokens: 4000,
      messages: [user(text)],
      ...more,
    });

    test(`an answer: ${name} ${model}`, async () => {
      const message = await client.messages.create(ask("[[say four words for you]]"));
      assert.equal(said(message), "four words for you");
      assert.equal(message.model, model);
      assert.equal(message.stop_reason, "end_turn");
      assert.equal(message.usage.output_tokens, 4);
      assert.ok(message._request_id);
    });

    test(`a stream: ${name} ${model}`, async () => {
      const stream = await client.messages.create(ask("[[words 5]]", { stream: true }));
      const events = await all(stream);
      assert.deepEqual(
        events.map(({ type }) => type).filter((type) => type !== "ping"),
        [
          "message_start",
          "content_block_start",
          ...Array(5).fill("content_block_delta"),
          "content_block_stop",
          "message_delta",
          "message_stop",
        ],
      );
      const last = events.find(({ type }) => type === "message_delta");
      assert.equal(last.delta.stop_reason, "end_turn");
      assert.equal(last.usage.output_tokens, 5);
    });

    test(`the stream helper: ${name} ${model}`, async () => {
      const texts = [];
      const stream = client.messages
        .stream(ask("[[say helped along the way]]"))
        .on("text", (text) => texts.push(text));
      assert.equal(await stream.finalText(), "helped along the way");
      assert.deepEqual(texts, ["helped", " along", " the", " way"]);
      const { response, request_id: id } = await stream.withResponse();
      assert.equal(response.headers.get("request-id"), id);
      assert.equal((await stream.finalMessage()).stop_reason, "end_turn");
    });

    test(`a conversation: ${name} ${model}`, async () => {
      const asked = ask("My name is Ada.", { system: "Be brief." });
      const { role, content } = await client.messages.create(asked);
      asked.messages.push({ role, content }, user("What is my name?"));
      assert.equal(said(await client.messages.create(asked)), "Your name is Ada.");
    });

    test(`a thought, sent back: ${name} ${model}`, async () => {
      const asked = ask("My name is Ada. [[think of her]]", {
        thinking: model === MODEL ? BUDGET : ADAPTIVE,
      });
      const thoughts = [];
      const stream = client.messages.stream(asked).on("thinking", (delta) => thoughts.push(delta));
      const { role, content } = await stream.finalMessage();
      assert.deepEqual(
        content.map(({ type }) => type),
        ["thinking", "text"],
      );
      assert.equal(thoughts.join(""), "of her");
      assert.ok(content[0].signature);
      asked.messages.push({ role, content }, user("[[redacted]] What is my name?"));
      const second = await client.messages.create(asked);
      assert.deepEqual(
        second.content.map(({ type }) => type),
        ["redacted_thinking", "text"],
      );
      assert.equal(said(second), "Your name is Ada.");
    });
  }

  const ask = (text, more = {}) => ({
    model: MODEL,
    max_tokens: 999,
    messages: [user(text)],
    ...more,
  });

  test(`system blocks and pictures: ${name}`, async () => {
    const source = { type: "base64", media_type: "image/png", data: PIXEL };
    const message = await client.messages.create({
      ...ask([
        { type: "image", source },
        { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
        { type: "document", source: { type: "text", media_type: "text/plain", data: "Plain." } },
        { type: "text", text: "What are these?" },
      ]),
      system: [{ type: "text", text: "Answer in upper case.", cache_control: { type: "ephemeral" } }],
    });
    assert.match(said(message), /IMAGE\/PNG, 1X1 PIXELS/);
    assert.match(said(message), /HTTPS:\/\/EXAMPLE.COM\/A.PNG/);
    assert.match(said(message), /A TEXT DOCUMENT OF 6 CHARACTERS/);
  });

  test(`a limit, a stop and a refusal: ${name}`, async () => {
    const cut = await client.messages.create({ ...ask("[[words 50]]"), max_tokens: 5 });
    assert.equal(cut.stop_reason, "max_tokens");
    assert.equal(said(cut), "word1 word2 word3 word4 word5");
    const stopped = await client.messages.create(ask("[[words 50]]", { stop_sequences: ["word3"] }));
    assert.equal(stopped.stop_reason, "stop_sequence");
    assert.equal(stopped.stop_sequence, "word3");
    assert.equal(said(stopped).trim(), "word1 word2");
    const refused = await client.messages.create(ask("[[refuse]]"));
    assert.equal(refused.stop_reason, "refusal");
  });

  test(`sampling, by the version of the API: ${name}`, async () => {
    const asked = ask("[[say sampled]]", { temperature: 0.2 });
    if (name === "0.x") {
      assert.equal(said(await client.messages.create(asked)), "sampled");
    } else {
      await assert.rejects(client.messages.create(asked), { status: 400, message: /temperature/ });
    }
  });

  test(`a long stream: ${name}`, async () => {
    const stream = client.messages.stream({ ...ask("[[words 3000]]"), max_tokens: 9000 });
    assert.equal((await stream.finalText()).split(" ").length, 3000);
  });

  test(`a stream that is left early: ${name}`, async () => {
    const stream = await client.messages.create({
      ...ask("[[words 9000]]", { stream: true }),
      max_tokens: 20_000,
    });
    for await (const event of stream) if (event.type === "content_block_delta") break;
    const controlled = client.messages.stream(ask("[[stall 2]] [[words 50]]"));
    controlled.once("text", () => controlled.abort());
    await assert.rejects(controlled.done(), /abort/i);
    assert.equal(said(await client.messages.create(ask("[[say still here]]"))), "still here");
  });

  test(`many at once get their own answers: ${name}`, async () => {
    const numbers = [0, 1, 2, 3, 4];
    const answers = await Promise.all(
      numbers.map((number) => client.messages.create(ask(`[[say answer ${number}]]`))),
    );
    assert.deepEqual(
      answers.map(said),
      numbers.map((number) => `answer ${number}`),
    );
  });

  test(`a session: ${name}`, async () => {
    const session_id = `clients-${randomUUID()}`;
    const first = await client.messages
      .create(ask("My name is Ada.", { session_id }))
      .withResponse();
    assert.equal(first.response.headers.get("x-bridge-session"), "created");
    const second = await client.messages
      .create(ask("What is my name?", { session_id }))
      .withResponse();
    assert.equal(second.response.headers.get("x-bridge-session"), "continued");
    assert.equal(said(second.data), "Your name is Ada.");
  });

  test(`tokens and models: ${name}`, async () => {
    const { messages } = ask("Hello there");
    const { input_tokens: count } = await client.messages.countTokens({ model: MODEL, messages });
    assert.ok(count > 0);
    const models = await all(client.models.list({ limit: 2 }));
    assert.ok(models.length > 2);
    assert.ok(models.every(({ type, display_name: told }) => type === "model" && told));
    assert.ok(models.every(({ created_at: at }) => !Number.isNaN(Date.parse(at))));
    assert.equal((await client.models.retrieve(NEWEST)).id, NEWEST);
  });

  test(`betas: ${name}`, async () => {
    const message = await client.beta.messages.create(
      ask("[[say as ever]]", { betas: ["interleaved-thinking-2025-05-14"] }),
    );
    assert.equal(said(message), "as ever");
  });
}
