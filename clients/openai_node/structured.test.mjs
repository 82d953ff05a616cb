// Structured output: what the client parses by the caller's own schemas.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { ContentFilterFinishReasonError, LengthFinishReasonError } from "openai/core/error";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { client, CLOCK, MODEL, MODELS, shaped, user } from "./asking.mjs";

const chat = client.chat.completions;

const Address = z.object({ street: z.string(), city: z.string() });
const Person = z.object({
  name: z.string(),
  age: z.number().int(),
  height: z.number(),
  home: Address,
  work: Address.nullable(),
  colours: z.array(z.enum(["red", "green"])),
  title: z.literal("Prof"),
  known: z.boolean(),
});
const Circle = z.object({ kind: z.literal("circle"), radius: z.number() });
const Square = z.object({ kind: z.literal("square"), side: z.number() });
const Drawing = z.object({
  shapes: z.array(z.union([Circle, Square])),
  first: z.discriminatedUnion("kind", [Circle, Square]),
  note: z.union([z.string(), z.number()]),
});
const Tree = z.object({
  value: z.number(),
  get children() {
    return z.array(Tree);
  },
});

const CASES = [
  [
    "a person",
    Person,
    {
      name: "Ada “the first” Lovelace",
      age: 36,
      height: 1.65,
      home: { street: "12 St James's Square", city: "London" },
      work: null,
      colours: ["green", "red"],
      title: "Prof",
      known: true,
    },
  ],
  [
    "a drawing",
    Drawing,
    {
      shapes: [
        { kind: "square", side: 2.5 },
        { kind: "circle", radius: 1 },
      ],
      first: { kind: "circle", radius: 3 },
      note: 7,
    },
  ],
  [
    "a tree",
    Tree,
    { value: 1, children: [{ value: 2, children: [{ value: 3, children: [] }] }] },
  ],
];

for (const model of MODELS) {
  for (const [name, schema, value] of CASES) {
    const response_format = zodResponseFormat(schema, "answer");

    test(`${name}, parsed: ${model}`, async () => {
      const completion = await chat.parse({ model, messages: [shaped(value)], response_format });
      const [choice] = completion.choices;
      assert.equal(choice.finish_reason, "stop");
      assert.deepEqual(choice.message.parsed, value);
      assert.deepEqual(JSON.parse(choice.message.content), value);
    });

    test(`${name}, streamed: ${model}`, async () => {
      const stream = chat.stream({ model, messages: [shaped(value)], response_format });
      let deltas = 0;
      let done;
      stream.on("content.delta", () => (deltas += 1));
      stream.on("content.done", (event) => (done = event.parsed));
      const final = await stream.finalChatCompletion();
      assert.deepEqual(final.choices[0].message.parsed, value);
      assert.deepEqual(done, value);
      assert.ok(deltas > 2);
    });

    test(`${name}, made up: ${model}`, async () => {
      const messages = [user("Tell me about 'Grace Hopper', aged 36, who likes green")];
      const completion = await chat.parse({ model, messages, response_format });
      assert.ok(schema.safeParse(completion.choices[0].message.parsed).success);
    });
  }

  test(`JSON without a schema: ${model}`, async () => {
    const completion = await chat.create({
      model,
      messages: [shaped({ a: [1, { b: "ü" }] })],
      response_format: { type: "json_object" },
    });
    assert.deepEqual(JSON.parse(completion.choices[0].message.content), { a: [1, { b: "ü" }] });
  });

  test(`an answer that does not fit: ${model}`, async () => {
    await assert.rejects(
      chat.parse({
        model,
        messages: [shaped({ value: "x" })],
        response_format: zodResponseFormat(Tree, "tree"),
      }),
      (error) => error instanceof OpenAI.InternalServerError && error.code === "schema_mismatch",
    );
  });
}

test("functions come before the answer", async () => {
  const completion = await chat.create({
    model: MODEL,
    messages: [user("[[call now {}]]")],
    tools: [CLOCK],
    response_format: zodResponseFormat(Address, "address"),
  });
  assert.equal(completion.choices[0].finish_reason, "tool_calls");
  const { message } = completion.choices[0];
  const second = await chat.create({
    model: MODEL,
    messages: [
      user("[[call now {}]]"),
      message,
      { role: "tool", tool_call_id: message.tool_calls[0].id, content: "noon" },
    ],
    tools: [CLOCK],
    response_format: zodResponseFormat(Address, "address"),
  });
  assert.ok(Address.safeParse(JSON.parse(second.choices[0].message.content)).success);
});

test("an answer that is cut, and one that is refused", async () => {
  const response_format = zodResponseFormat(Address, "address");
  const long = { street: "12 St James's Square", city: "London" };
  await assert.rejects(
    chat.parse({ model: MODEL, messages: [shaped(long)], response_format, max_tokens: 5 }),
    LengthFinishReasonError,
  );
  await assert.rejects(
    chat.parse({ model: MODEL, messages: [user("[[refuse]]")], response_format }),
    ContentFilterFinishReasonError,
  );
});
