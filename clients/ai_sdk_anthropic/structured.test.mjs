// Structured output: by the older functions for it, and by `output`, which came after them.

import assert from "node:assert/strict";
import test from "node:test";
import { generateObject, generateText, isStepCount, Output } from "ai";
import { streamObject, streamText, tool } from "ai";
import { z } from "zod";
import { anthropic, call, MODEL, MODELS, shaped } from "./asking.mjs";

const Address = z.object({ street: z.string(), city: z.string() });
const Circle = z.object({ kind: z.literal("circle"), radius: z.number() });
const Square = z.object({ kind: z.literal("square"), side: z.number() });
const Person = z.object({
  name: z.string(),
  age: z.number().int(),
  home: Address.nullable(),
  colours: z.array(z.enum(["red", "green"])),
  shapes: z.array(z.union([Circle, Square])),
  known: z.boolean(),
});
const Tree = z.object({
  value: z.number(),
  get children() {
    return z.array(Tree);
  },
});

const PERSON = {
  name: "Ada “the first” Lovelace",
  age: 36,
  home: { street: "12 St James's Square", city: "London" },
  colours: ["green"],
  shapes: [
    { kind: "square", side: 2.5 },
    { kind: "circle", radius: 1 },
  ],
  known: true,
};
const TREE = { value: 1, children: [{ value: 2, children: [] }] };

// By the API's own format, and, as for models that have none, by a tool that is forced.
const WAYS = [
  ...MODELS.map(([name, model]) => [name, model, "auto"]),
  ["a tool", anthropic(MODEL), "jsonTool"],
];

for (const [name, model, structuredOutputMode] of WAYS) {
  const asked = { model, providerOptions: { anthropic: { structuredOutputMode } } };
  const shape = name === "a tool" ? (value) => call("json", value) : shaped;

  for (const [what, schema, value] of [
    ["a person", Person, PERSON],
    ["a tree", Tree, TREE],
  ]) {
    // The provider takes a schema that refers to itself to a tool, too, which it forces where it can.
    const forced = what === "a tree" && name === MODEL;
    const prompt = forced ? call("json", value) : shape(value);
    const least = what === "a tree" ? 1 : 2; // it is short
    test(`${what} by generateObject: ${name}`, async () => {
      const { object, finishReason } = await generateObject({
        ...asked,
        schema,
        prompt,
      });
      assert.deepEqual(object, value);
      assert.equal(finishReason, "stop");
    });

    test(`${what} by streamObject: ${name}`, async () => {
      const result = streamObject({ ...asked, schema, prompt });
      let parts = 0;
      for await (const part of result.partialObjectStream) parts += part ? 1 : 0;
      assert.deepEqual(await result.object, value);
      assert.ok(parts >= least);
      assert.ok((await result.usage).outputTokens > 0);
    });

    test(`${what} by generateText: ${name}`, async () => {
      const { output } = await generateText({
        ...asked,
        output: Output.object({ schema }),
        prompt,
      });
      assert.deepEqual(output, value);
    });

    test(`${what} by streamText: ${name}`, async () => {
      const result = streamText({
        ...asked,
        output: Output.object({ schema }),
        prompt,
      });
      let parts = 0;
      for await (const part of result.partialOutputStream) parts += part ? 1 : 0;
      assert.deepEqual(await result.output, value);
      assert.ok(parts >= least);
    });
  }

  test(`a person that the model makes up: ${name}`, async () => {
    const { output } = await generateText({
      ...asked,
      output: Output.object({ schema: Person }),
      prompt: 'Tell me about "Grace Hopper", aged 36, who likes green',
    });
    assert.deepEqual(
      [output.name, output.age, output.colours],
      ["Grace Hopper", 36, ["green"]],
    );
  });

  test(`an array and a choice: ${name}`, async () => {
    const elements = [
      { street: "A", city: "Rome" },
      { street: "B", city: "Oslo" },
    ];
    const array = await generateText({
      ...asked,
      output: Output.array({ element: Address }),
      prompt: shape({ elements }),
    });
    assert.deepEqual(array.output, elements);
    const choice = await generateText({
      ...asked,
      output: Output.choice({ options: ["sunny", "rainy"] }),
      prompt: shape({ result: "rainy" }),
    });
    assert.equal(choice.output, "rainy");
  });

  test(`tools before the answer: ${name}`, async () => {
    const find = tool({
      description: "Where it is",
      inputSchema: z.object({}),
      execute: () => (name === "a tool" ? shape({ street: "A", city: "Oslo" }) : "It is in Oslo"),
    });
    const { output, steps } = await generateText({
      ...asked,
      tools: { find },
      stopWhen: isStepCount(3),
      output: Output.object({ schema: Address }),
      prompt: call("find"),
    });
    assert.ok(Address.safeParse(output).success);
    assert.equal(steps.length, 2);
  });
}
