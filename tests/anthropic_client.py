"""Anthropic's Messages API as its clients use it: the official package, and plain HTTP."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import anthropic
from attrs import frozen
from serving import Running

OLDER = "claude-haiku-4-5"
"""A model that takes sampling, and thinks with a budget when it is asked to. The official package
warns of Sonnet 4.5, whose days are counted."""

NEWER = "claude-opus-5-5"
"""A model that always thinks, as it sees fit."""


@frozen(kw_only=True)
class Told:
    """What came back over plain HTTP: ``data`` is the document, or each event of a stream."""

    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def kinds(self) -> list[str]:
        """The types of a stream's events, without the pings."""
        return [event["type"] for event in self.data if event["type"] != "ping"]

    @property
    def text(self) -> str:
        """The words of the model."""
        if isinstance(self.data, dict):
            return "".join(block.get("text", "") for block in self.data["content"])
        deltas = [event["delta"] for event in self.data if event["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas)

    @property
    def error(self) -> dict[str, Any]:
        """The error, whether it is the body or the last event."""
        document = self.data if isinstance(self.data, dict) else self.data[-1]
        assert document["type"] == "error", document
        error: dict[str, Any] = document["error"]
        return error

    @property
    def outcome(self) -> str | None:
        """What became of the session."""
        return self.headers.get("x-bridge-session")


def official(server: Running, key: str | None = "any", **options: Any) -> anthropic.AsyncAnthropic:
    """The official client; its default one looks for proxies in the environment."""
    return anthropic.AsyncAnthropic(
        base_url=server.url,
        api_key=key,
        max_retries=0,
        http_client=anthropic.DefaultAsyncHttpxClient(trust_env=False),
        **options,
    )


async def tell(
    server: Running,
    content: Any,
    *,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
    path: str = "/v1/messages",
    **fields: Any,
) -> Told:
    """One request; ``content`` is the user's message, or a list of messages.

    A field that is None is left out.
    """
    messages = content if isinstance(content, list) else [user(content)]
    body = {"model": OLDER, "max_tokens": 1_000, "messages": messages, **fields}
    body = {name: value for name, value in body.items() if value is not None}
    sent = {**(headers or {}), **({"x-api-key": key} if key else {})}
    async with server.post(path, body, **sent) as response:
        raw = await response.text()
        data = json.loads(raw) if response.content_type == "application/json" else list(events(raw))
        return Told(status=response.status, headers=response.headers, data=data)


def events(raw: str) -> Iterable[dict[str, Any]]:
    """The events of a stream; each is named as its data is."""
    for frame in raw.removesuffix("\n\n").split("\n\n"):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}", frame
        yield event


def user(content: Any) -> dict[str, Any]:
    """A message of the user."""
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    """A message of the assistant."""
    return {"role": "assistant", "content": content}


def text(words: str) -> dict[str, Any]:
    """A block of words."""
    return {"type": "text", "text": words}


def result(call_id: str, content: Any = "fine", **fields: Any) -> dict[str, Any]:
    """What a call gave back."""
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}


def tool(name: str, description: str | None = None, **properties: Any) -> dict[str, Any]:
    """A tool of the client's, with these parameters."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    described = {} if description is None else {"description": description}
    return {"name": name, **described, "input_schema": schema}


WEATHER = tool("get_weather", "The weather of a city", city={"type": "string"})
TIME = tool("get_time")
TOOLS = [WEATHER, TIME]
BOTH = '[[call get_weather {"city": "Paris"}]] [[call get_time {}]]'


def calls(content: Iterable[Any]) -> dict[str, str]:
    """The tools that a content calls → the ids of the calls."""
    return {block["name"]: block["id"] for block in content if block["type"] == "tool_use"}
