// Plain and streamed answers, and what goes wrong.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import test from "node:test";
import OpenAI from "openai";
import { client, MODEL, MODELS, user } from "./asking.mjs";

const chat = client.chat.completions;

for (const model of MODELS) {
  test(`an answer of ${model}`, async () => {
    const completion = await chat.create({ model, messages: [user("[[say four words for you]]")] });
    const [choice] = completion.choices;
    assert.equal(choice.message.content, "four words for you");
    assert.equal(choice.message.role, "assistant");
    assert.equal(choice.finish_reason, "stop");
    assert.match(completion.model, /^claude-sonnet-/);
    assert.ok(completion._request_id);
    const { prompt_tokens: sent, completion_tokens: made, total_tokens: all } = completion.usage;
    assert.ok(sent > 0);
    assert.ok(made >= 4);
    assert.equal(all, sent + made);
  });

  test(`a stream of ${model}`, async () => {
    const stream = await chat.create({
      model,
      messages: [user("[[words 30]]")],
      stream: true,
      stream_options: { include_usage: true },
    });
    const pieces = [];
    let usage;
    let reason;
    for await (const chunk of stream) {
      usage = chunk.usage ?? usage;
      reason = chunk.choices[0]?.finish_reason ?? reason;
      if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
    }
    assert.equal(pieces.length, 30);
    assert.match(pieces.join(""), /^word1 word2 .* word30$/);
    assert.equal(reason, "stop");
    assert.ok(usage.completion_tokens >= 30);
  });
}

test("the stream helper", async () => {
  const stream = chat.stream({ model: MODEL, messages: [user("[[say helped along the way]]")] });
  const deltas = [];
  stream.on("content.delta", ({ delta }) => deltas.push(delta));
  assert.equal(await stream.finalContent(), "helped along the way");
  assert.deepEqual(deltas.filter(Boolean), ["helped", " along", " the", " way"]);
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].finish_reason, "stop");
});

test("a stream that is left early", async () => {
  const stream = await chat.create({ model: MODEL, messages: [user("[[words 5000]]")], stream: true });
  let seen = "";
  for await (const chunk of stream) {
    seen += chunk.choices[0].delta.content ?? "";
    if (seen.includes("word3")) break;
  }
  assert.ok(stream.controller.signal.aborted);
  const after = await chat.create({ model: MODEL, messages: [user("[[say still here]]")] });
  assert.equal(after.choices[0].message.content, "still here");
});

test("many at once get their own answers", async () => {
  const ask = async (number) => {
    const answer = await chat.create({ model: MODEL, messages: [user(`[[say answer ${number}]]`)] });
    return answer.choices[0].message.content;
  };
  const said = await Promise.all([0, 1, 2, 3].map(ask));
  assert.deepEqual(said, ["answer 0", "answer 1", "answer 2", "answer 3"]);
});

test("a conversation", async () => {
  const messages = [user("My name is Ada.")];
  const first = await chat.create({ model: MODEL, messages });
  messages.push(first.choices[0].message, user("What is my name?"));
  const second = await chat.create({ model: MODEL, messages });
  assert.equal(second.choices[0].message.content, "Your name is Ada.");
});

test("a session by its name", async () => {
  const session_id = `clients-${randomUUID()}`;
  const first = await chat
    .create({ model: MODEL, messages: [user("My name is Ada.")], session_id })
    .withResponse();
  assert.equal(first.response.headers.get("x-bridge-session"), "created");
  const second = await chat
    .create({ model: MODEL, messages: [user("What is my name?")], session_id })
    .withResponse();
  assert.equal(second.response.headers.get("x-bridge-session"), "continued");
  assert.equal(second.data.choices[0].message.content, "Your name is Ada.");
  const document = await client.get(`/sessions/${session_id}`);
  assert.equal(document.message_count, 4);
  await client.delete(`/sessions/${session_id}`);
});

test("a limit, a stop and a refusal", async () => {
  const cut = await chat.create({
    model: MODEL,
    messages: [user("[[words 50]]")],
    max_completion_tokens: 5,
  });
  assert.equal(cut.choices[0].finish_reason, "length");
  assert.equal(cut.choices[0].message.content, "word1 word2 word3 word4 word5");
  const stopped = await chat.create({
    model: MODEL,
    messages: [user("[[words 50]]")],
    stop: ["word3"],
  });
  assert.equal(stopped.choices[0].finish_reason, "stop");
  assert.equal(stopped.choices[0].message.content.trim(), "word1 word2");
  const refused = await chat.create({ model: MODEL, messages: [user("[[refuse]]")] });
  assert.equal(refused.choices[0].finish_reason, "content_filter");
});

test("a model that does not exist", async () => {
  await assert.rejects(chat.create({ model: "llama-3", messages: [user("hi")] }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.deepEqual([error.code, error.param], ["model_not_found", "model"]);
    assert.ok(error.requestID);
    return true;
  });
});

for (const [param, code, fields] of [
  ["n", "unsupported_parameter", { n: 2 }],
  ["temperature", "invalid_value", { temperature: 3 }],
  ["messages", "empty_array", { messages: [] }],
  ["messages[0].role", "invalid_value", { messages: [{ role: "pirate", content: "Arr" }] }],
  ["tool_choice", "invalid_value", { tool_choice: "required" }],
]) {
  test(`a fault of ${param} is named`, async () => {
    await assert.rejects(
      chat.create({ model: MODEL, messages: [user("hi")], ...fields }),
      (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        assert.deepEqual([error.param, error.code], [param, code]);
        return true;
      },
    );
  });
}

test("a limit of the model's side", async () => {
  await assert.rejects(
    chat.create({ model: MODEL, messages: [user("[[fail 429 retry-after 1]]")] }),
    (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.ok(Number(error.headers.get("retry-after")) >= 1);
      return true;
    },
  );
});

test("an error in mid-stream", async () => {
  const stream = await chat.create({
    model: MODEL,
    messages: [user("[[stream-error 20]] [[words 60]]")],
    stream: true,
  });
  let seen = "";
  await assert.rejects(
    async () => {
      for await (const chunk of stream) seen += chunk.choices[0].delta.content ?? "";
    },
    (error) => error instanceof OpenAI.APIError && /overloaded/.test(error.message),
  );
  assert.equal(seen.split(" ").length, 20);
});

test("a client that does not wait", async () => {
  await assert.rejects(
    chat.create({ model: MODEL, messages: [user("[[stall]]")] }, { timeout: 1000 }),
    OpenAI.APIConnectionTimeoutError,
  );
});

test("the models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("gpt-4o"));
  assert.equal((await client.models.retrieve("sonnet")).object, "model");
  await assert.rejects(client.models.retrieve("llama-3"), OpenAI.NotFoundError);
});
