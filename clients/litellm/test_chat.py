"""Plain and streamed answers, what is sent with them, and the other ways to ask."""

import asyncio
import json
import uuid
from typing import Any

import litellm
import pytest
from asking import SONNET, URL, ask, ask_async, each_model, said, server, user, words
from media import PDF_SEEN, PDF_URL, PNG_SEEN, PNG_URL


@each_model
def test_an_answer(model: str) -> None:
    answer = ask(model, "[[say four words for you]]")
    (choice,) = answer.choices
    assert choice.message.content == "four words for you"
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert answer.model.startswith("claude-sonnet-")
    assert answer.usage.completion_tokens >= 4
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 0 <= answer.usage.prompt_tokens_details.cached_tokens <= answer.usage.prompt_tokens


@each_model
def test_a_stream(model: str) -> None:
    chunks = list(ask(model, "[[words 12]]", stream=True, stream_options={"include_usage": True}))
    spoken = [chunk for chunk in chunks if chunk.choices]  # newer ones pass the usage on alone
    pieces = [chunk.choices[0].delta.content for chunk in spoken]
    assert sum(1 for piece in pieces if piece) == 12
    assert "".join(filter(None, pieces)).split() == words(12)
    reasons = [chunk.choices[0].finish_reason for chunk in spoken]
    assert [reason for reason in reasons if reason] == ["stop"]
    (usage,) = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    assert usage.completion_tokens >= 12
    assert usage.prompt_tokens > 0


def test_a_stream_put_together() -> None:
    chunks = list(ask(SONNET, "[[words 5]]", stream=True, stream_options={"include_usage": True}))
    whole = litellm.stream_chunk_builder(chunks)
    assert (said(whole) or "").split() == words(5)
    assert whole.usage.completion_tokens == 5
    assert whole.choices[0].finish_reason == "stop"


async def test_without_waiting() -> None:
    assert said(await ask_async(SONNET, "[[say in no hurry]]")) == "in no hurry"
    stream = await ask_async(SONNET, "[[words 8]]", stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces).split() == words(8)


async def test_many_at_once_get_their_own_answers() -> None:
    answers = await asyncio.gather(
        *(ask_async(SONNET, f"[[say answer {number}]]") for number in range(3))
    )
    assert [said(answer) for answer in answers] == [f"answer {number}" for number in range(3)]


@each_model
def test_a_conversation(model: str) -> None:
    messages = [user("My name is Ada.")]
    first = litellm.completion(messages=messages, **server(model))
    messages += [first.choices[0].message, user("What is my name?")]
    assert said(litellm.completion(messages=messages, **server(model))) == "Your name is Ada."


def test_what_reaches_the_model() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        user([{"type": "text", "text": "One."}]),
        {"role": "assistant", "content": "Two."},
        user("Three, [[echo]]"),
    ]
    heard = json.loads(said(litellm.completion(messages=messages, **server(SONNET))) or "")
    assert heard["system"] == ["Be brief."]
    texts = [[part["text"] for part in message["content"]] for message in heard["messages"]]
    assert texts == [["One."], ["Two."], ["Three, [[echo]]"]]


def test_a_limit_and_a_stop() -> None:
    cut = ask(SONNET, "[[words 50]]", max_tokens=5)
    assert cut.choices[0].finish_reason == "length"
    assert (said(cut) or "").split() == words(5)
    stopped = ask(SONNET, "[[words 50]]", stop=["word4"], temperature=0.5)
    assert stopped.choices[0].finish_reason == "stop"
    assert (said(stopped) or "").split() == words(3)


def test_a_refusal() -> None:
    assert ask(SONNET, "[[refuse]]").choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("name", ["extra_body", "own"])
def test_a_session(name: str) -> None:
    """A field that the library does not know is sent as well."""
    named: dict[str, Any] = {"session_id": f"clients-{uuid.uuid4()}"}
    more = {"extra_body": named} if name == "extra_body" else named
    ask(SONNET, "My name is Ada.", **more)
    answer = ask(SONNET, "What is my name?", **more)
    assert said(answer) == "Your name is Ada."
    headers = answer._hidden_params["additional_headers"]  # noqa: SLF001 - it is told there
    assert headers["llm_provider-x-bridge-session"] == "continued"
    assert "Ada" not in (said(ask(SONNET, "What is my name?")) or "")


@each_model
def test_reasoning_is_told_apart(model: str) -> None:
    """The library does not send the effort to some models, unless it is told to."""
    more = {"reasoning_effort": "high", "allowed_openai_params": ["reasoning_effort"]}
    answer = ask(model, "Please think, then [[say done]]", **more)
    message = answer.choices[0].message
    assert message.content == "done"
    assert 'The user said "Please think, then"' in message.reasoning_content
    assert answer.usage.completion_tokens_details.reasoning_tokens > 10
    chunks = list(ask(model, "Please think, then [[say done]]", stream=True, **more))
    thought = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks]
    assert "".join(filter(None, thought)) == message.reasoning_content
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "done"


def test_parameters_that_the_library_drops() -> None:
    """It knows of each model by its name what OpenAI's model of that name takes."""
    effort = {"reasoning_effort": "high"}
    with pytest.raises(litellm.UnsupportedParamsError):
        ask("openai/gpt-4o", "[[say done]]", **effort)
    assert said(ask("openai/gpt-4o", "[[say done]]", drop_params=True, **effort)) == "done"
    sent = ask("openai/gpt-4o", "[[say on]]", allowed_openai_params=["reasoning_effort"], **effort)
    assert said(sent) == "on"


def test_fields_without_effect_are_named() -> None:
    answer = ask("openai/gpt-4o", "[[say all the same]]", seed=7, user="ada")
    assert said(answer) == "all the same"
    headers = answer._hidden_params["additional_headers"]  # noqa: SLF001 - it is told there
    ignored = headers["llm_provider-x-bridge-ignored"].split(", ")
    assert sorted(ignored) == ["seed", "user"]  # in the order in which this version sends them


@each_model
def test_a_picture(model: str) -> None:
    parts = [
        {"type": "text", "text": "What is on it?"},
        {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}},
    ]
    answer = litellm.completion(messages=[user(parts)], **server(model))
    assert PNG_SEEN in (said(answer) or "")


@each_model
def test_a_document(model: str) -> None:
    parts = [
        {"type": "text", "text": "What is in it?"},
        {"type": "file", "file": {"filename": "empty.pdf", "file_data": PDF_URL}},
    ]
    answer = litellm.completion(messages=[user(parts)], **server(model))
    assert PDF_SEEN in (said(answer) or "")


@pytest.mark.parametrize("provider", ["custom_openai", "hosted_vllm", "litellm_proxy"])
def test_other_names_for_such_a_server(provider: str) -> None:
    model = f"{provider}/claude-sonnet-4-5"
    assert said(ask(model, "[[say likewise]]")) == "likewise"
    chunks = ask(model, "[[words 5]]", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).split() == words(5)


def test_the_older_way_to_ask() -> None:
    """``text_completion`` asks ``/v1/completions`` for some models, and the chat for others."""
    for model in (SONNET, "openai/gpt-4o"):
        answer = litellm.text_completion(prompt="[[say plain text]]", **server(model))
        assert answer.choices[0].text == "plain text"
        assert answer.choices[0].finish_reason == "stop"
        chunks = litellm.text_completion(prompt="[[words 5]]", stream=True, **server(model))
        assert "".join(chunk.choices[0].text or "" for chunk in chunks).split() == words(5)


def test_a_router_goes_on_to_the_next() -> None:
    models = {"absent": "openai/llama-3", "present": SONNET}
    router = litellm.Router(
        model_list=[
            {"model_name": name, "litellm_params": server(model)} for name, model in models.items()
        ],
        fallbacks=[{"absent": ["present"]}],
        num_retries=0,
    )
    answer = router.completion(model="absent", messages=[user("[[say from the other]]")])
    assert said(answer) == "from the other"
    assert answer.model == "claude-sonnet-4-5"


def test_the_models() -> None:
    found = litellm.get_valid_models(
        check_provider_endpoint=True,
        custom_llm_provider="openai",
        api_base=URL,
        api_key="unused",
    )
    assert {"gpt-4o", "sonnet", "claude-sonnet-5-5"} <= {name.split("/")[-1] for name in found}
