// What goes wrong, as the package's own errors.

import assert from "node:assert/strict";
import test from "node:test";
import { baseURL, CLIENTS, MODEL, user } from "./asking.mjs";

const ask = (text, more = {}) => ({
  model: MODEL,
  max_tokens: 999,
  messages: [user(text)],
  ...more,
});

for (const { name, client, Anthropic } of CLIENTS) {
  for (const [status, kind, type] of [
    [400, Anthropic.BadRequestError, "invalid_request_error"],
    [429, Anthropic.RateLimitError, "rate_limit_error"],
    [529, Anthropic.APIError, "overloaded_error"],
  ]) {
    for (const stream of [false, true]) {
      test(`an error ${status}, streamed ${stream}: ${name}`, async () => {
        const asked = ask(`[[fail ${status} not today]]`, { stream });
        await assert.rejects(client.messages.create(asked), (error) => {
          assert.ok(error instanceof kind);
          assert.equal(error.status, status);
          assert.equal(error.type, type);
          assert.equal(error.error.error.type, type);
          assert.ok(error.requestID);
          return true;
        });
      });
    }
  }

  test(`a model that does not exist: ${name}`, async () => {
    await assert.rejects(client.messages.create(ask("hi", { model: "llama-3" })), (error) => {
      assert.ok(error instanceof Anthropic.NotFoundError);
      assert.equal(error.type, "not_found_error");
      assert.match(error.message, /llama-3/);
      return true;
    });
    await assert.rejects(client.models.retrieve("llama-3"), Anthropic.NotFoundError);
  });

  test(`a field at fault: ${name}`, async () => {
    await assert.rejects(client.messages.create(ask([{ type: "text" }])), (error) => {
      assert.ok(error instanceof Anthropic.BadRequestError);
      assert.match(error.message, /messages\W0\W+content\W0\W+text/);
      return true;
    });
  });

  test(`an error in mid-stream: ${name}`, async () => {
    let seen = "";
    const stream = await client.messages.create(
      ask("[[stream-error 20]] [[words 60]]", { stream: true }),
    );
    await assert.rejects(
      async () => {
        for await (const { delta } of stream) seen += delta?.text ?? "";
      },
      (error) => error instanceof Anthropic.APIError && /verloaded/.test(error.message),
    );
    assert.equal(seen.trim().split(" ").length, 20);
  });

  test(`a client that tries again: ${name}`, async () => {
    const twice = new Anthropic({ baseURL, apiKey: "unused", maxRetries: 1 });
    const began = Date.now();
    await assert.rejects(
      twice.messages.create(ask("[[fail 429 retry-after 2]]")),
      Anthropic.RateLimitError,
    );
    assert.ok(Date.now() - began >= 1000);
  });

  test(`a client that does not wait: ${name}`, async () => {
    const hasty = new Anthropic({ baseURL, apiKey: "unused", maxRetries: 0, timeout: 500 });
    await assert.rejects(
      hasty.messages.create(ask("[[stall]]")),
      Anthropic.APIConnectionTimeoutError,
    );
  });

  test(`keys: ${name}`, async () => {
    const keyed = process.env.BRIDGE_KEYED_URL.replace(/\/v1$/, "");
    const right = new Anthropic({ baseURL: keyed, apiKey: process.env.BRIDGE_KEY });
    assert.ok(await right.messages.create(ask("hi")));
    const wrong = new Anthropic({ baseURL: keyed, apiKey: "other", maxRetries: 0 });
    for (const make of [() => wrong.messages.create(ask("hi")), () => wrong.models.list()]) {
      await assert.rejects(make, (error) => {
        assert.ok(error instanceof Anthropic.AuthenticationError);
        assert.equal(error.type, "authentication_error");
        assert.ok(error.requestID);
        return true;
      });
    }
  });

  test(`what is not served: ${name}`, async () => {
    for (const make of [
      () => client.messages.batches.list(),
      () => client.messages.batches.create({ requests: [] }),
      () => client.beta.files.list(),
    ]) {
      await assert.rejects(make, (error) => {
        assert.ok(error instanceof Anthropic.NotFoundError);
        assert.equal(error.type, "not_found_error");
        return true;
      });
    }
  });
}
