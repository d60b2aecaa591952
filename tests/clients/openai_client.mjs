import assert from "node:assert/strict";
import OpenAI from "openai";

const { POLITY_URL: url, POLITY_TOKEN: apiKey } = process.env;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];

const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert(models.includes("small") && models.includes("council/board"), models.join());

const { data: answer, response: raw } = await client.chat.completions.create({ model: "small", messages }).withResponse();
assert.equal(answer.choices[0].message.content, "Good day");
for (const name of ["decision-id", "model", "cost", "why"]) assert(raw.headers.get(`x-polity-${name}`), name);

let text = "";
const chunks = await client.chat.completions.create({ model: "small", messages, stream: true });
for await (const chunk of chunks) text += chunk.choices[0]?.delta?.content ?? "";
assert.equal(text, "Good day");

const parameters = { type: "object", properties: {} };
const called = await client.chat.completions.create({
  model: "small", messages, tools: [{ type: "function", function: { name: "weather", parameters } }],
});
assert.deepEqual(JSON.parse(called.choices[0].message.tool_calls[0].function.arguments), { city: "Paris" });

const response = await client.responses.create({ model: "small", input: "Hello" });
assert.equal(response.output_text, "Good day");
const kinds = [];
for await (const event of await client.responses.create({ model: "small", input: "Hello", stream: true })) kinds.push(event.type);
assert.equal(kinds.at(-1), "response.completed");

const vectors = await client.embeddings.create({ model: "small", input: ["one", "two"] });
assert.deepEqual([...vectors.data[1].embedding], [0.25, -1]);

await assert.rejects(
  client.chat.completions.create({ model: "smal", messages }),
  (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found",
);
