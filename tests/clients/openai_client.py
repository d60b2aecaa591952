import json, os

import openai

client = openai.OpenAI(
    base_url=os.environ["POLITY_URL"] + "/v1", api_key=os.environ["POLITY_TOKEN"], max_retries=0
)
ask = [{"role": "user", "content": "Hello"}]

assert {"small", "large", "council/board"} <= {model.id for model in client.models.list()}

raw = client.chat.completions.with_raw_response.create(model="small", messages=ask)
for name in ["decision-id", "model", "cost", "why"]:
    assert raw.headers["x-polity-" + name], name
answer = raw.parse()
assert answer.choices[0].message.content == "Good day", answer
assert answer.choices[0].finish_reason == "stop"
assert answer.usage.total_tokens == 12, answer.usage

pieces, usage = [], None
for chunk in client.chat.completions.create(
    model="small", messages=ask, stream=True, stream_options={"include_usage": True}
):
    usage = chunk.usage or usage
    pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
assert "".join(pieces) == "Good day" and len(pieces) >= 1, pieces
assert usage.completion_tokens == 5

tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
called = client.chat.completions.create(model="small", messages=ask, tools=tools).choices[0]
assert called.finish_reason == "tool_calls"
call = called.message.tool_calls[0]
assert json.loads(call.function.arguments) == {"city": "Paris"}
again = client.chat.completions.create(
    model="small",
    messages=ask + [called.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}],
    tools=tools,
)
assert again.choices[0].message.content == "Good day"

schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
typed = client.chat.completions.create(
    model="small",
    messages=ask,
    response_format={"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": schema}},
)
assert json.loads(typed.choices[0].message.content) == {"city": "Paris"}

council = client.chat.completions.create(model="council/board", messages=ask)
assert council.choices[0].message.content == "Good day"
assert council.polity["agreement"] == "unanimous", council

response = client.responses.create(model="small", instructions="be brief", input="Hello")
assert response.output_text == "Good day" and response.status == "completed", response
assert response.usage.total_tokens == 12
kinds, text = [], ""
for event in client.responses.create(model="small", input="Hello", stream=True):
    kinds.append(event.type)
    if event.type == "response.output_text.delta":
        text += event.delta
assert text == "Good day" and kinds[-1] == "response.completed", kinds
with client.responses.stream(model="small", input="Hello") as stream:
    assert stream.get_final_response().output_text == "Good day"
tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
called = client.responses.create(model="small", input="Weather?", tools=[tool])
call = next(item for item in called.output if item.type == "function_call")
assert json.loads(call.arguments) == {"city": "Paris"}
done = client.responses.create(
    model="small",
    tools=[tool],
    input=[{"role": "user", "content": "Weather?"}, *called.output]
    + [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}],
)
assert done.output_text == "Good day"
typed = client.responses.create(
    model="small", input="Where?", text={"format": {"type": "json_schema", "name": "c", "schema": schema, "strict": True}}
)
assert json.loads(typed.output_text) == {"city": "Paris"}

for encoding in ["float", "base64", openai.NOT_GIVEN]:
    vectors = client.embeddings.create(model="small", input=["one", "two"], encoding_format=encoding)
    assert len(vectors.data) == 2
    if encoding != "base64":
        assert list(vectors.data[1].embedding) == [0.25, -1.0], vectors

try:
    client.chat.completions.create(model="smal", messages=ask)
    raise SystemExit("an unknown model was answered")
except openai.NotFoundError as error:
    assert error.code == "model_not_found" and "small" in str(error), error
try:
    client.chat.completions.create(model="small", messages=ask, temperature=-1)
    raise SystemExit("a wrong temperature was taken")
except openai.BadRequestError as error:
    assert error.type == "invalid_request_error", error
try:
    openai.OpenAI(base_url=os.environ["POLITY_URL"] + "/v1", api_key="nonsense", max_retries=0).models.list()
    raise SystemExit("an unknown token was taken")
except openai.AuthenticationError:
    pass
