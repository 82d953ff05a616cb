// The models, by the AI SDK's provider for Anthropic.

import { createAnthropic } from "@ai-sdk/anthropic";

export const anthropic = createAnthropic({ baseURL: process.env.BRIDGE_URL, apiKey: "unused" });

export const MODEL = "claude-sonnet-4-5";
export const NEWEST = "claude-opus-5-5";
export const MODELS = [MODEL, NEWEST].map((name) => [name, anthropic(name)]);

export const call = (name, input = {}) => `[[call ${name} ${JSON.stringify(input)}]]`;
export const shaped = (value) => `[[json ${JSON.stringify(value)}]]`;
