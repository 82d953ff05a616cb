"""``OpenAILike``: answers and streams, tools and agents, structured output, what goes wrong."""

import base64
import json
import os
import uuid
from typing import Any

import openai
import pytest
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ThinkingBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage, DocumentBlock, ImageBlock, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from media import PDF, PDF_SEEN, PNG, PNG_SEEN, PNG_URL
from pydantic import BaseModel

SONNET = "claude-sonnet-4-5"


def chat(model: str = SONNET, **more: Any) -> OpenAILike:
    """Without a temperature of its own the library sends 0.1, which newer models refuse."""
    settings = {"temperature": 1.0, "max_retries": 0, "timeout": 30, **more}
    return OpenAILike(
        model=model,
        api_base=os.environ["BRIDGE_URL"],
        api_key="unused",
        context_window=200_000,
        is_function_calling_model=True,
        **{"is_chat_model": True, **settings},
    )


@pytest.fixture(params=[SONNET, "gpt-4o"])
def model(request: pytest.FixtureRequest) -> str:
    """One that can be told not to think, and one that always does."""
    return request.param


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text)]


def asked(name: str, **arguments: object) -> str:
    """Words that make the demo model call a function."""
    return f"[[call {name} {json.dumps(arguments)}]]"


def get_weather(city: str) -> str:
    """The weather in a city."""
    if city == "Oslo":
        return asked("get_weather", city="Rome") + asked("get_weather", city="Bern")
    return f"rain in {city}"


def now() -> str:
    """The time of day."""
    return "noon"


WEATHER = FunctionTool.from_defaults(get_weather)
CLOCK = FunctionTool.from_defaults(now)
BOTH = asked("get_weather", city="Rome") + asked("get_weather", city="Bern")


def test_an_answer(model: str) -> None:
    answer = chat(model).complete("[[say four words for you]]")
    assert answer.text == "four words for you"
    assert answer.raw.choices[0].finish_reason == "stop"
    assert answer.raw.model.startswith("claude-sonnet-")
    counts = answer.additional_kwargs
    assert counts["completion_tokens"] >= 4
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]


def test_an_answer_at_the_librarys_own_temperature() -> None:
    assert chat(temperature=0.1).complete("[[say cool]]").text == "cool"


def test_a_conversation(model: str) -> None:
    messages = user("My name is Ada.")
    first = chat(model).chat(messages)
    messages += [first.message, *user("What is my name?")]
    assert chat(model).chat(messages).message.content == "Your name is Ada."


def test_what_reaches_the_model() -> None:
    messages = [
        ChatMessage(role="system", content="Be brief."),
        ChatMessage(role="user", blocks=[TextBlock(text="One, "), TextBlock(text="[[echo]]")]),
    ]
    heard = json.loads(chat().chat(messages).message.content or "")
    assert heard["system"] == ["Be brief."]
    assert heard["messages"][0]["content"] == [{"type": "text", "text": "One, [[echo]]"}]


def test_a_stream(model: str) -> None:
    answers = list(chat(model).stream_chat(user("[[words 12]]")))
    assert sum(1 for answer in answers if answer.delta) == 12
    words = [f"word{number}" for number in range(1, 13)]
    assert (answers[-1].message.content or "").split() == words


def test_a_streams_usage() -> None:
    llm = chat(additional_kwargs={"stream_options": {"include_usage": True}})
    *_, last = llm.stream_complete("[[words 5]]")
    assert last.text.split() == [f"word{number}" for number in range(1, 6)]
    assert last.additional_kwargs["completion_tokens"] == 5


async def test_without_waiting(model: str) -> None:
    llm = chat(model)
    assert (await llm.acomplete("[[say in no hurry]]")).text == "in no hurry"
    assert (await llm.achat(user("[[say nor this]]"))).message.content == "nor this"
    stream = await llm.astream_chat(user("[[words 8]]"))
    deltas = [answer.delta async for answer in stream if answer.delta]
    assert len(deltas) == 8
    assert "".join(deltas).split() == [f"word{number}" for number in range(1, 9)]


def test_a_limit_and_a_stop() -> None:
    cut = chat(max_tokens=5).complete("[[words 50]]")
    assert cut.raw.choices[0].finish_reason == "length"
    assert cut.text.split() == [f"word{number}" for number in range(1, 6)]
    assert chat().complete("[[words 50]]", stop=["word4"]).text.split() == [
        "word1",
        "word2",
        "word3",
    ]


def test_a_model_that_is_no_chat_model(model: str) -> None:
    """The library asks ``/v1/completions`` then, for chats as well."""
    llm = chat(model, is_chat_model=False)
    assert llm.complete("[[say plain text]]").text == "plain text"
    *_, last = llm.stream_complete("[[words 5]]")
    assert last.text.split() == [f"word{number}" for number in range(1, 6)]
    assert "plain again" in (llm.chat(user("[[say plain again]]")).message.content or "")


def test_reasoning_is_a_block_of_its_own(model: str) -> None:
    llm = chat(model, additional_kwargs={"reasoning_effort": "high"})
    ask = user("Please think, then [[say done]]")
    thought, said = llm.chat(ask).message.blocks
    assert isinstance(thought, ThinkingBlock)
    assert 'The user said "Please think, then"' in (thought.content or "")
    assert isinstance(said, TextBlock)
    assert said.text == "done"
    streamed = list(llm.stream_chat(ask))
    deltas = (one.additional_kwargs.get("thinking_delta", "") for one in streamed)
    assert "".join(deltas) == thought.content
    assert streamed[-1].message.content == "done"


def test_a_session() -> None:
    named = chat(additional_kwargs={"extra_body": {"session_id": f"clients-{uuid.uuid4()}"}})
    named.complete("My name is Ada.")
    assert named.complete("What is my name?").text == "Your name is Ada."
    assert "Ada" not in chat().complete("What is my name?").text


def test_a_chat_engine(model: str) -> None:
    engine = SimpleChatEngine.from_defaults(llm=chat(model), system_prompt="Be brief.")
    engine.chat("My name is Ada.")
    assert "".join(engine.stream_chat("What is my name?").response_gen) == "Your name is Ada."
    assert json.loads(engine.chat("[[echo]]").response)["system"] == ["Be brief."]


@pytest.mark.parametrize(
    "block",
    [ImageBlock(image=PNG), ImageBlock(url=PNG_URL, detail="low")],
    ids=["image", "url"],
)
def test_a_picture(model: str, block: ImageBlock) -> None:
    blocks = [TextBlock(text="What is on it?"), block]
    said = chat(model).chat([ChatMessage(role="user", blocks=blocks)]).message.content
    assert PNG_SEEN in (said or "")


def test_a_document(model: str) -> None:
    document = DocumentBlock(
        data=base64.b64encode(PDF), title="empty.pdf", document_mimetype="application/pdf"
    )
    blocks = [TextBlock(text="What is in it?"), document]
    said = chat(model).chat([ChatMessage(role="user", blocks=blocks)]).message.content
    assert PDF_SEEN in (said or "")


def test_calls_and_their_results(model: str) -> None:
    llm = chat(model)
    messages = user(BOTH)
    answer = llm.chat_with_tools([WEATHER], chat_history=messages, allow_parallel_tool_calls=True)
    calls = llm.get_tool_calls_from_response(answer)
    assert [(call.tool_name, call.tool_kwargs) for call in calls] == [
        ("get_weather", {"city": "Rome"}),
        ("get_weather", {"city": "Bern"}),
    ]
    assert answer.raw.choices[0].finish_reason == "tool_calls"
    messages.append(answer.message)
    messages += [
        ChatMessage(
            role="tool",
            content=WEATHER(**call.tool_kwargs).content,
            additional_kwargs={"tool_call_id": call.tool_id},
        )
        for call in calls
    ]
    told = llm.chat_with_tools([WEATHER], chat_history=messages).message.content
    assert "rain in Rome" in (told or "")
    assert "rain in Bern" in (told or "")


def test_calls_one_at_a_time(model: str) -> None:
    """The library asks for that by itself, and cuts off what comes beyond."""
    answer = chat(model).chat_with_tools([WEATHER], user_msg=BOTH)
    (call,) = answer.raw.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Rome"}


@pytest.mark.parametrize(
    ("choice", "names"),
    [("required", ["get_weather"]), ("now", ["now"]), ("none", []), ("auto", [])],
)
def test_the_choice(model: str, choice: str, names: list[str]) -> None:
    llm = chat(model)
    answer = llm.chat_with_tools([WEATHER, CLOCK], user_msg="Hello!", tool_choice=choice)
    calls = llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
    assert [call.tool_name for call in calls] == names


def test_streamed_calls(model: str) -> None:
    llm = chat(model)
    stream = llm.stream_chat_with_tools(
        [WEATHER], user_msg=f"[[say Let me see]]{BOTH}", allow_parallel_tool_calls=True
    )
    *_, last = stream
    assert last.message.content == "Let me see"
    calls = llm.get_tool_calls_from_response(last)
    assert [call.tool_kwargs for call in calls] == [{"city": "Rome"}, {"city": "Bern"}]


async def test_a_strict_call(model: str) -> None:
    llm = chat(model, strict=True)
    answer = await llm.achat_with_tools([WEATHER], user_msg=asked("get_weather", city="Rome"))
    (call,) = llm.get_tool_calls_from_response(answer)
    assert call.tool_kwargs == {"city": "Rome"}
    with pytest.raises(openai.InternalServerError) as caught:
        await llm.achat_with_tools([WEATHER], user_msg=asked("get_weather", town="Rome"))
    assert caught.value.code == "schema_mismatch"


def test_predict_and_call(model: str) -> None:
    answer = chat(model).predict_and_call([WEATHER, CLOCK], asked("get_weather", city="Rome"))
    assert answer.response == "rain in Rome"
    assert [source.tool_name for source in answer.sources] == ["get_weather"]


async def test_an_agent(model: str) -> None:
    agent = FunctionAgent(tools=[get_weather], llm=chat(model), system_prompt="Be brief.")
    running = agent.run(asked("get_weather", city="Oslo"))
    events = [event async for event in running.stream_events()]
    answer = await running
    assert str(answer) == "get_weather returned: rain in Rome\nget_weather returned: rain in Bern"
    assert [call.tool_kwargs["city"] for call in answer.tool_calls] == ["Oslo", "Rome", "Bern"]
    said = [event.delta for event in events if isinstance(event, AgentStream) and event.delta]
    assert "".join(said) == str(answer)
    assert len(said) > 5


class Address(BaseModel):
    street: str
    city: str


class Person(BaseModel):
    """Nested, with a list and what may be null."""

    name: str
    age: int
    home: Address | None
    known_as: list[str]


ADA = Person(
    name="Ada “the first”",
    age=36,
    home=Address(street="St James's Square", city="London"),
    known_as=["Countess"],
)
SAID = PromptTemplate("{said}")

of_each_way = pytest.mark.parametrize("by_schema", [False, True], ids=["function", "schema"])


def laid_down(by_schema: bool) -> str:
    """Words that make the demo model answer with Ada, as the library asks for it."""
    return f"[[{'json' if by_schema else 'call Person'} {ADA.model_dump_json()}]]"


@of_each_way
def test_structured_predict(model: str, by_schema: bool) -> None:
    llm = chat(model, should_use_structured_outputs=by_schema)
    assert llm.structured_predict(Person, SAID, said=laid_down(by_schema)) == ADA
    parts = list(llm.stream_structured_predict(Person, SAID, said=laid_down(by_schema)))
    assert parts[-1] == ADA
    assert any(part.name and not part.home for part in parts)  # it grew


@of_each_way
async def test_a_structured_model(model: str, by_schema: bool) -> None:
    llm = chat(model, should_use_structured_outputs=by_schema).as_structured_llm(Person)
    answer = llm.chat(user(laid_down(by_schema)))
    assert answer.raw == ADA
    assert Person.model_validate_json(answer.message.content or "") == ADA
    assert (await llm.acomplete(laid_down(by_schema))).raw == ADA


def test_an_answer_that_the_model_makes_up(model: str) -> None:
    llm = chat(model, should_use_structured_outputs=True).as_structured_llm(Person)
    person = llm.complete('Tell me about "Grace Hopper", aged 36').raw
    assert (person.name, person.age) == ("Grace Hopper", 36)


@pytest.mark.parametrize(
    ("said", "more", "kind", "told"),
    [
        ("hi", {"model": "llama-3"}, openai.NotFoundError, "model_not_found"),
        ("hi", {"additional_kwargs": {"n": 2}}, openai.BadRequestError, "unsupported_parameter"),
        ("hi", {"additional_kwargs": {"top_p": 3}}, openai.BadRequestError, "invalid_value"),
        ("[[fail 429]]", {}, openai.RateLimitError, "rate_limit_exceeded"),
        ("[[fail 529]]", {}, openai.InternalServerError, "overloaded"),
        ("[[fail 400 not today]]", {}, openai.BadRequestError, None),
    ],
)
def test_what_goes_wrong(
    said: str, more: dict[str, Any], kind: type[openai.APIStatusError], told: str | None
) -> None:
    with pytest.raises(kind) as caught:
        chat(**more).complete(said)
    assert caught.value.code == told


def test_a_schema_that_is_not_met() -> None:
    llm = chat(should_use_structured_outputs=True)
    with pytest.raises(openai.InternalServerError) as caught:
        llm.structured_predict(Person, SAID, said='[[json {"name": 1}]]')
    assert caught.value.code == "schema_mismatch"


def test_an_error_in_mid_stream() -> None:
    said = ""
    with pytest.raises(openai.APIError, match="overloaded"):
        for answer in chat().stream_complete("[[stream-error 20]] [[words 60]]"):
            said = answer.text
    assert len(said.split()) == 20
