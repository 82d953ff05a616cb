// The official openai client for Node.js: two turns of one conversation, streamed, with usage.
// npm install; BRIDGE_URL and BRIDGE_API_KEY say where the server is and which key it wants.

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.BRIDGE_URL ?? "http://127.0.0.1:8000/v1",
  apiKey: process.env.BRIDGE_API_KEY ?? "unused",
});

async function answer(messages) {
  const stream = await client.chat.completions.create({
    model: "sonnet",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta?.content ?? "";
    process.stdout.write(piece);
    text += piece;
    if (chunk.usage) {
      const { prompt_tokens: sent, completion_tokens: made } = chunk.usage;
      console.log(`\n(${sent} tokens in, ${made} out)`);
    }
  }
  return text;
}

try {
  const messages = [{ role: "user", content: "My name is Ada." }];
  messages.push({ role: "assistant", content: await answer(messages) });
  messages.push({ role: "user", content: "What is my name?" });
  await answer(messages);
} catch (error) {
  console.error(`The request failed: ${error.message}`);
  process.exitCode = 1;
}
