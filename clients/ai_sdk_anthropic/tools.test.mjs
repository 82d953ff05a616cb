// Tools, and the loops that are made of them.

import assert from "node:assert/strict";
import test from "node:test";
import { generateText, isStepCount, streamText, tool, ToolLoopAgent } from "ai";
import { z } from "zod";
import { anthropic, call, MODEL, MODELS } from "./asking.mjs";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

function toolset() {
  const seen = [];
  const results = {
    Oslo: call("weather", { city: "Rome" }) + call("weather", { city: "Bern" }),
    Rome: "hot",
    Bern: "[[say seen all three]]",
  };
  const weather = tool({
    description: "The weather in a city",
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => {
      seen.push(city);
      return results[city] ?? `rain in ${city}`;
    },
  });
  const clock = tool({
    description: "The time of day",
    inputSchema: z.object({}),
    execute: () => {
      throw new Error("the clock stands still");
    },
  });
  return { seen, tools: { weather, clock } };
}

for (const [name, model] of MODELS) {
  test(`a call and its result: ${name}`, async () => {
    const { seen, tools } = toolset();
    const result = await generateText({
      model,
      tools,
      stopWhen: isStepCount(3),
      prompt: "What is the weather in Paris?",
    });
    assert.deepEqual(seen, ["Paris"]);
    assert.equal(result.steps.length, 2);
    assert.equal(result.steps[0].finishReason, "tool-calls");
    assert.deepEqual(result.steps[0].toolCalls[0].input, { city: "Paris" });
    assert.match(result.text, /rain in Paris/);
    assert.equal(result.finishReason, "stop");
  });

  test(`parallel calls and several rounds: ${name}`, async () => {
    const { seen, tools } = toolset();
    const result = await generateText({
      model,
      tools,
      stopWhen: isStepCount(5),
      prompt: call("weather", { city: "Oslo" }),
    });
    assert.deepEqual(seen, ["Oslo", "Rome", "Bern"]);
    assert.equal(result.text, "seen all three");
    assert.equal(result.steps.length, 3);
  });

  test(`the same in a stream: ${name}`, async () => {
    const { seen, tools } = toolset();
    const result = streamText({
      model,
      tools,
      stopWhen: isStepCount(5),
      prompt: call("weather", { city: "Oslo" }),
    });
    let input = "";
    for await (const part of result.fullStream) {
      if (part.type === "tool-input-delta") input += part.delta;
    }
    assert.deepEqual(seen, ["Oslo", "Rome", "Bern"]);
    assert.equal(
      input,
      ["Oslo", "Rome", "Bern"].map((city) => JSON.stringify({ city })).join(""),
    );
    assert.equal((await result.steps).at(-1).text, "seen all three");
    assert.ok((await result.usage).outputTokens > 0);
  });

  test(`a call that must not be made: ${name}`, async () => {
    const { tools } = toolset();
    const result = await generateText({
      model,
      tools,
      toolChoice: "none",
      prompt: "What is the weather in Paris?",
    });
    assert.deepEqual(result.toolCalls, []);
    assert.match(result.text, /weather in Paris/);
  });

  test(`a tool that fails: ${name}`, async () => {
    const { tools } = toolset();
    const result = await generateText({
      model,
      tools,
      stopWhen: isStepCount(3),
      prompt: call("clock"),
    });
    assert.match(result.text, /the clock stands still/);
  });

  test(`a strict tool: ${name}`, async () => {
    const booking = { place: { city: "Rome", country: null }, guests: 4, wishes: ["fish"] };
    const book = tool({
      description: "Books a table",
      strict: true,
      inputSchema: z.object({
        place: z.object({ city: z.string(), country: z.string().nullable() }),
        guests: z.number().int(),
        wishes: z.array(z.string()),
      }),
    });
    const result = await generateText({ model, tools: { book }, prompt: call("book", booking) });
    assert.deepEqual(result.toolCalls[0].input, booking);
  });

  test(`an agent: ${name}`, async () => {
    const { seen, tools } = toolset();
    const agent = new ToolLoopAgent({ model, tools });
    const result = await agent.generate({ prompt: call("weather", { city: "Oslo" }) });
    assert.equal(result.text, "seen all three");
    assert.equal(seen.length, 3);
  });
}

for (const [choice, expected] of [
  ["required", "weather"],
  [{ type: "tool", toolName: "clock" }, "clock"],
  [{ type: "tool", toolName: "weather" }, "weather"],
]) {
  test(`a call that must be made, ${JSON.stringify(choice)}: ${MODEL}`, async () => {
    const { tools } = toolset();
    const result = await generateText({
      model: anthropic(MODEL),
      tools,
      toolChoice: choice,
      prompt: "Hello!",
    });
    assert.deepEqual(
      result.toolCalls.map(({ toolName }) => toolName),
      [expected],
    );
  });
}

test("calls one at a time", async () => {
  const { tools } = toolset();
  const both = call("weather", { city: "Rome" }) + call("weather", { city: "Bern" });
  const ask = { model: anthropic(MODEL), tools, prompt: both };
  assert.equal((await generateText(ask)).toolCalls.length, 2);
  const one = await generateText({
    ...ask,
    providerOptions: { anthropic: { disableParallelToolUse: true } },
  });
  assert.equal(one.toolCalls.length, 1);
});

test("a picture as a result", async () => {
  const look = tool({
    description: "Looks",
    inputSchema: z.object({}),
    execute: () => PIXEL,
    toModelOutput: ({ output: data }) => ({
      type: "content",
      value: [{ type: "file", data: { type: "data", data }, mediaType: "image/png" }],
    }),
  });
  const { text } = await generateText({
    model: anthropic(MODEL),
    tools: { look },
    stopWhen: isStepCount(2),
    prompt: call("look"),
  });
  assert.match(text, /image\/png, 1x1 pixels/);
});
