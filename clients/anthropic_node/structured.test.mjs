// Structured output by `parse()`, `stream()` and the package's helpers.

import assert from "node:assert/strict";
import test from "node:test";
import { z } from "zod";
import { CLIENTS, MODEL, NEWEST, user } from "./asking.mjs";

const Person = z.object({
  name: z.string(),
  age: z.number(),
  colours: z.array(z.enum(["red", "green"])),
  home: z.object({ city: z.string() }).nullable(),
  shape: z.union([z.object({ radius: z.number() }), z.object({ side: z.number() })]),
});
const PERSON = {
  name: "Ada “the first” Lovelace",
  age: 36,
  colours: ["green"],
  home: null,
  shape: { side: 2.5 },
};
const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const shaped = (value) => user(`[[json ${JSON.stringify(value)}]]`);

for (const { name, client, zodOutputFormat, jsonSchemaOutputFormat } of CLIENTS) {
  for (const model of [MODEL, NEWEST]) {
    const ask = (format, value) => ({
      model,
      max_tokens: 999,
      messages: [shaped(value)],
      output_config: { format },
    });

    test(`parse with zod: ${name} ${model}`, async () => {
      const message = await client.messages.parse(ask(zodOutputFormat(Person), PERSON));
      assert.deepEqual(message.parsed_output, PERSON);
      assert.equal(message.stop_reason, "end_turn");
    });

    test(`parse with a schema: ${name} ${model}`, async () => {
      const format = jsonSchemaOutputFormat(SCHEMA);
      const message = await client.messages.parse(ask(format, { city: "Rome" }));
      assert.deepEqual(message.parsed_output, { city: "Rome" });
    });

    test(`a stream that is parsed: ${name} ${model}`, async () => {
      let pieces = 0;
      const stream = client.messages
        .stream(ask(zodOutputFormat(Person), PERSON))
        .on("text", () => (pieces += 1));
      assert.deepEqual((await stream.finalMessage()).parsed_output, PERSON);
      assert.ok(pieces > 1);
    });
  }
}
