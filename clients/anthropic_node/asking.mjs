// The clients: the package as it is now, and the last line of 0.x, which speaks the API's version
// 2023-06-01.

import Anthropic from "@anthropic-ai/sdk";
import * as schemas from "@anthropic-ai/sdk/helpers/json-schema";
import * as betaHelpers from "@anthropic-ai/sdk/helpers/beta/zod";
import * as helpers from "@anthropic-ai/sdk/helpers/zod";
import Anthropic0 from "anthropic-sdk-0";
import * as schemas0 from "anthropic-sdk-0/helpers/json-schema";
import * as betaHelpers0 from "anthropic-sdk-0/helpers/beta/zod";
import * as helpers0 from "anthropic-sdk-0/helpers/zod";

export const MODEL = "claude-sonnet-4-5";
export const NEWEST = "claude-opus-5-5";
export const baseURL = process.env.BRIDGE_URL.replace(/\/v1$/, "");

const at = { baseURL, apiKey: "unused", maxRetries: 0 };

// Each line of the package: its name, a client, the class, and its helpers.
export const CLIENTS = [
  {
    name: "1.x",
    Anthropic,
    client: new Anthropic(at),
    ...schemas,
    ...betaHelpers,
    ...helpers,
  },
  {
    name: "0.x",
    Anthropic: Anthropic0,
    client: new Anthropic0(at),
    ...schemas0,
    ...betaHelpers0,
    ...helpers0,
  },
];

export const WEATHER = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};
export const CLOCK = {
  name: "now",
  description: "The time of day",
  input_schema: { type: "object", properties: {} },
};

export const user = (content) => ({ role: "user", content });
export const call = (name, input = {}) => `[[call ${name} ${JSON.stringify(input)}]]`;
export const said = ({ content }) =>
  content
    .filter(({ type }) => type === "text")
    .map(({ text }) => text)
    .join("");
export const calls = ({ content }) => content.filter(({ type }) => type === "tool_use");
export const result = ({ id }, content, more = {}) => ({
  type: "tool_result",
  tool_use_id: id,
  content,
  ...more,
});
