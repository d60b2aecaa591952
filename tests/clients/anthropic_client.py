import os

import anthropic

client = anthropic.Anthropic(
    base_url=os.environ["POLITY_URL"], api_key=os.environ["POLITY_TOKEN"], max_retries=0
)
ask = {"model": "small", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}

raw = client.messages.with_raw_response.create(**ask, system="be brief", stop_sequences=["END"])
for name in ["decision-id", "model", "cost", "why"]:
    assert raw.headers["x-polity-" + name], name
answer = raw.parse()
assert answer.content[0].text == "Good day" and answer.stop_reason == "end_turn", answer
assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 5), answer.usage

with client.messages.stream(**ask) as stream:
    assert "".join(stream.text_stream) == "Good day"
    final = stream.get_final_message()
assert final.stop_reason == "end_turn" and final.usage.output_tokens == 5, final

tools = [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]
called = client.messages.create(**ask, tools=tools, tool_choice={"type": "any"})
assert called.stop_reason == "tool_use", called
use = next(block for block in called.content if block.type == "tool_use")
assert use.input == {"city": "Paris"} and use.id == "call_1", use
with client.messages.stream(**ask, tools=tools) as stream:
    final = stream.get_final_message()
assert final.content[-1].input == {"city": "Paris"}, final
done = client.messages.create(
    model="small",
    max_tokens=100,
    tools=tools,
    messages=[
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"}]},
    ],
)
assert done.content[0].text == "Good day"

schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
typed = client.messages.create(**ask, extra_body={"output_config": {"format": {"type": "json_schema", "schema": schema}}})
assert typed.content[0].text == '{"city": "Paris"}', typed

try:
    client.messages.create(**{**ask, "model": "smal"})
    raise SystemExit("an unknown model was answered")
except anthropic.NotFoundError as error:
    assert error.body["error"]["type"] == "not_found_error" and "small" in str(error), error
try:
    anthropic.Anthropic(base_url=os.environ["POLITY_URL"], api_key="nonsense", max_retries=0).messages.create(**ask)
    raise SystemExit("an unknown token was taken")
except anthropic.AuthenticationError:
    pass
try:
    client.messages.create(model="small", max_tokens=5, messages=[{"role": "system", "content": "x"}])
    raise SystemExit("a wrong role was taken")
except anthropic.BadRequestError as error:
    assert "/messages/0/role" in str(error), error
