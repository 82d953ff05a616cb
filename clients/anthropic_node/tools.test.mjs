// Tools, and the loops that are made of them.

import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { call, calls, CLIENTS, CLOCK, MODEL, NEWEST } from "./asking.mjs";
import { result, said, user, WEATHER } from "./asking.mjs";

const tools = [WEATHER, CLOCK];
const BOTH = call("get_weather", { city: "Rome" }) + call("get_weather", { city: "Bern" });

for (const { name, client, betaZodTool } of CLIENTS) {
  const weather = betaZodTool({
    name: "get_weather",
    description: "The weather in a city",
    inputSchema: z.object({ city: z.string() }),
    run: ({ city }) => (city === "Oslo" ? BOTH : `rain in ${city}`),
  });
  const clock = betaZodTool({
    name: "now",
    description: "The time of day",
    inputSchema: z.object({}),
    run: () => {
      throw new Error("the clock stands still");
    },
  });

  for (const model of [MODEL, NEWEST]) {
    const ask = (text, more = {}) => ({
      model,
      max_tokens: 999,
      messages: [user(text)],
      tools,
      ...more,
    });

    test(`a call and its result: ${name} ${model}`, async () => {
      const asked = ask("What is the weather in Paris?");
      const first = await client.messages.create(asked);
      assert.equal(first.stop_reason, "tool_use");
      const [made] = calls(first);
      assert.deepEqual([made.name, made.input], ["get_weather", { city: "Paris" }]);
      asked.messages.push(
        { role: first.role, content: first.content },
        user([result(made, [{ type: "text", text: "12 degrees and rain" }])]),
      );
      const second = await client.messages.create(asked);
      assert.equal(second.stop_reason, "end_turn");
      assert.match(said(second), /12 degrees and rain/);
    });

    test(`parallel calls in a stream: ${name} ${model}`, async () => {
      const pieces = [];
      const stream = client.messages
        .stream(ask(`[[say both]]${BOTH}`))
        .on("inputJson", (piece) => pieces.push(piece));
      const message = await stream.finalMessage();
      assert.equal(message.stop_reason, "tool_use");
      assert.deepEqual(
        calls(message).map(({ input }) => input.city),
        ["Rome", "Bern"],
      );
      assert.equal(said(message), "both");
      assert.equal(pieces.join(""), '{"city":"Rome"}{"city":"Bern"}');
    });

    test(`the tool runner: ${name} ${model}`, async () => {
      const runner = client.beta.messages.toolRunner({
        ...ask(call("get_weather", { city: "Oslo" })),
        tools: [weather, clock],
      });
      const counts = [];
      let last;
      for await (const message of runner) counts.push(calls((last = message)).length);
      assert.deepEqual(counts, [1, 2, 0]);
      assert.match(said(last), /rain in Rome/);
      assert.match(said(last), /rain in Bern/);
    });

    test(`the tool runner in a stream: ${name} ${model}`, async () => {
      const runner = client.beta.messages.toolRunner({
        ...ask(call("get_weather", { city: "Oslo" })),
        tools: [weather],
        stream: true,
      });
      const counts = [];
      for await (const stream of runner) counts.push(calls(await stream.finalMessage()).length);
      assert.deepEqual(counts, [1, 2, 0]);
    });

    test(`calls that may not be made: ${name} ${model}`, async () => {
      const none = await client.messages.create(
        ask("What is the weather in Paris?", { tool_choice: { type: "none" } }),
      );
      assert.deepEqual(calls(none), []);
      const one = await client.messages.create(
        ask(BOTH, { tool_choice: { type: "auto", disable_parallel_tool_use: true } }),
      );
      assert.equal(calls(one).length, 1);
    });
  }

  const ask = (text, more = {}) => ({
    model: MODEL,
    max_tokens: 999,
    messages: [user(text)],
    tools,
    ...more,
  });

  for (const [choice, expected] of [
    [{ type: "any" }, "get_weather"],
    [{ type: "tool", name: "now" }, "now"],
  ]) {
    test(`a call that must be made, ${choice.type}: ${name}`, async () => {
      const message = await client.messages.create(ask("Hello!", { tool_choice: choice }));
      assert.deepEqual(
        calls(message).map((made) => made.name),
        [expected],
      );
    });
  }

  test(`a tool that fails: ${name}`, async () => {
    const last = await client.beta.messages.toolRunner({ ...ask(call("now")), tools: [clock] });
    assert.match(said(last), /the clock stands still/);
  });

  test(`a tool of Anthropic's servers: ${name}`, async () => {
    const search = { type: "web_search_20250305", name: "web_search" };
    await assert.rejects(client.messages.create(ask("hi", { tools: [search, WEATHER] })), {
      status: 400,
      message: /web_search/,
    });
  });
}
