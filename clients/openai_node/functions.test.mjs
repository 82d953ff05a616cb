// Function calling, and the loops that are made of it.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { zodFunction } from "openai/helpers/zod";
import { z } from "zod";
import { call, client, CLOCK, MODEL, MODELS, user, WEATHER } from "./asking.mjs";

const chat = client.chat.completions;
const tools = [WEATHER, CLOCK];
const named = (name) => ({ type: "function", function: { name } });
const answered = ({ id }, content) => ({ role: "tool", tool_call_id: id, content });

function called(completion) {
  const [{ finish_reason, message }] = completion.choices;
  assert.equal(finish_reason, "tool_calls");
  return message.tool_calls.map(({ function: f }) => [f.name, JSON.parse(f.arguments)]);
}

for (const model of MODELS) {
  test(`a call and its result: ${model}`, async () => {
    const messages = [user("What is the weather in Paris?")];
    const first = await chat.create({ model, messages, tools });
    assert.deepEqual(called(first), [["get_weather", { city: "Paris" }]]);
    const { message } = first.choices[0];
    messages.push(message, answered(message.tool_calls[0], "12 degrees and rain"));
    const second = await chat.create({ model, messages, tools });
    assert.equal(second.choices[0].finish_reason, "stop");
    assert.match(second.choices[0].message.content, /12 degrees and rain/);
  });

  test(`parallel calls in a stream: ${model}`, async () => {
    const messages = [user(call("get_weather", { city: "Oslo" }) + call("now"))];
    const stream = await chat.create({ model, messages, tools, stream: true });
    const calls = [];
    let reason;
    for await (const { choices } of stream) {
      reason = choices[0].finish_reason ?? reason;
      for (const piece of choices[0].delta.tool_calls ?? []) {
        if (calls[piece.index]) calls[piece.index].function.arguments += piece.function.arguments;
        else calls[piece.index] = piece;
      }
    }
    assert.equal(reason, "tool_calls");
    assert.deepEqual(
      calls.map(({ type, function: f }) => [type, f.name, JSON.parse(f.arguments)]),
      [
        ["function", "get_weather", { city: "Oslo" }],
        ["function", "now", {}],
      ],
    );
    assert.notEqual(calls[0].id, calls[1].id);
  });

  for (const [choice, name] of [
    ["required", "get_weather"],
    [named("now"), "now"],
    [
      {
        type: "allowed_tools",
        allowed_tools: { mode: "required", tools: [named("now")] },
      },
      "now",
    ],
  ]) {
    test(`a call that must be made, ${JSON.stringify(choice)}: ${model}`, async () => {
      const messages = [user("Hello!")];
      const completion = await chat.create({ model, messages, tools, tool_choice: choice });
      assert.deepEqual(
        called(completion).map(([made]) => made),
        [name],
      );
    });
  }

  test(`a call that must not be made: ${model}`, async () => {
    const messages = [user("What is the weather in Paris?")];
    const completion = await chat.create({ model, messages, tools, tool_choice: "none" });
    assert.equal(completion.choices[0].message.tool_calls, undefined);
    assert.match(completion.choices[0].message.content, /weather in Paris/);
  });

  test(`calls one at a time: ${model}`, async () => {
    const completion = await chat.create({
      model,
      messages: [user(call("get_weather", { city: "Oslo" }) + call("now"))],
      tools,
      parallel_tool_calls: false,
    });
    assert.deepEqual(called(completion), [["get_weather", { city: "Oslo" }]]);
  });

  for (const stream of [false, true]) {
    test(`the client's own loop, ${stream ? "streamed" : "whole"}: ${model}`, async () => {
      const results = {
        Oslo: call("get_weather", { city: "Rome" }) + call("get_weather", { city: "Bern" }),
        Rome: "hot",
        Bern: "[[say seen all three]]",
      };
      const seen = [];
      const weather = zodFunction({
        name: "get_weather",
        description: "The weather in a city",
        parameters: z.object({ city: z.string() }),
        function: ({ city }) => {
          seen.push(city);
          return results[city];
        },
      });
      const runner = chat.runTools({
        model,
        messages: [user(call("get_weather", { city: "Oslo" }))],
        tools: [weather],
        stream,
        ...(stream && { stream_options: { include_usage: true } }),
      });
      assert.equal(await runner.finalContent(), "seen all three");
      assert.deepEqual(seen, ["Oslo", "Rome", "Bern"]);
      assert.ok((await runner.totalUsage()).completion_tokens > 0);
    });
  }

  test(`a function that fails, in the client's own loop: ${model}`, async () => {
    const runner = chat.runTools({
      model,
      messages: [user(call("now"))],
      tools: [
        {
          type: "function",
          function: {
            name: "now",
            description: "The time of day",
            parameters: { type: "object", properties: {} },
            parse: JSON.parse,
            function: () => "Error: the clock stands still",
          },
        },
      ],
    });
    assert.match(await runner.finalContent(), /the clock stands still/);
  });
}

test("the stream helper puts calls together", async () => {
  const city = "Oslo ø 你好";
  const stream = chat.stream({
    model: MODEL,
    messages: [user(call("get_weather", { city }))],
    tools,
  });
  const done = [];
  stream.on("tool_calls.function.arguments.done", (event) => done.push(event));
  const final = await stream.finalChatCompletion();
  assert.deepEqual(called(final), [["get_weather", { city }]]);
  assert.deepEqual(
    done.map(({ name, index, arguments: text }) => [name, index, JSON.parse(text)]),
    [["get_weather", 0, { city }]],
  );
});

test("arguments that the client parses", async () => {
  const booking = { place: { city: "Rome", country: null }, guests: 4, wishes: ["fish"] };
  const completion = await chat.parse({
    model: MODEL,
    messages: [user(call("book", booking))],
    tools: [
      zodFunction({
        name: "book",
        parameters: z.object({
          place: z.object({ city: z.string(), country: z.string().nullable() }),
          guests: z.number().int(),
          wishes: z.array(z.string()),
        }),
      }),
    ],
  });
  const [made] = completion.choices[0].message.tool_calls;
  assert.deepEqual(made.function.parsed_arguments, booking);
});

test("a call without its result", async () => {
  const first = await chat.create({ model: MODEL, messages: [user(call("now"))], tools });
  await assert.rejects(
    chat.create({
      model: MODEL,
      messages: [user("hi"), first.choices[0].message, user("never mind")],
      tools,
    }),
    (error) =>
      error instanceof OpenAI.BadRequestError && error.code === "missing_tool_result",
  );
});

test("functions of the older form", async () => {
  const messages = [user("What is the weather in Paris?")];
  const functions = [WEATHER.function];
  const first = await chat.create({ model: MODEL, messages, functions });
  assert.equal(first.choices[0].finish_reason, "function_call");
  const { message } = first.choices[0];
  assert.equal(message.function_call.name, "get_weather");
  assert.deepEqual(JSON.parse(message.function_call.arguments), { city: "Paris" });
  messages.push(message, { role: "function", name: "get_weather", content: "rain" });
  const second = await chat.create({ model: MODEL, messages, functions });
  assert.match(second.choices[0].message.content, /rain/);
});
