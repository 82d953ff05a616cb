// What several tests send, and the client as a person makes it.

import OpenAI from "openai";

export const MODEL = "claude-sonnet-4-5";
export const MODELS = [MODEL, "gpt-4o"]; // one that can be told not to think, one that always does

export const client = new OpenAI({
  baseURL: process.env.BRIDGE_URL,
  apiKey: "unused",
  maxRetries: 0,
});

export const user = (content) => ({ role: "user", content });
export const call = (name, input = {}) => `[[call ${name} ${JSON.stringify(input)}]]`;
export const shaped = (value) => user(`[[json ${JSON.stringify(value)}]]`);

export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
};
export const CLOCK = { type: "function", function: { name: "now", description: "The time of day" } };
