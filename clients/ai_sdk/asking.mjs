// The models, by both providers of the AI SDK that speak chat completions.

import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

const at = { baseURL: process.env.BRIDGE_URL, apiKey: "unused" };
const compatible = createOpenAICompatible({
  ...at,
  name: "bridge",
  includeUsage: true,
  supportsStructuredOutputs: true,
});

export const MODEL = "claude-sonnet-4-5";
export const PROVIDERS = [
  ["openai", (name) => createOpenAI(at).chat(name)],
  ["openai-compatible", (name) => compatible.chatModel(name)],
];

// Each provider with a model that can be told not to think, and with one that always does.
export const MODELS = PROVIDERS.flatMap(([provider, chat]) =>
  [MODEL, "gpt-4o"].map((name) => [`${provider} ${name}`, chat(name)]),
);

export const call = (name, input = {}) => `[[call ${name} ${JSON.stringify(input)}]]`;
export const shaped = (value) => `[[json ${JSON.stringify(value)}]]`;
