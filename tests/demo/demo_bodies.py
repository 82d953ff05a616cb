"""Parts of requests and of answers, written once for the tables of these tests."""

import base64
import io
from typing import Any

from PIL import Image

from bridge.demo import rules
from bridge.demo.conversation import read
from bridge.demo.errors import ApiError
from bridge.demo.model import respond
from bridge.demo.reply import Reply

SCHEMA = {"type": "object", "properties": {}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def call(id_: str = "t1") -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "f", "input": {}}


def result(id_: str = "t1") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": "ok"}


def text(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def encoded(form: str = "PNG", size: tuple[int, int] = (3, 2)) -> str:
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, form)
    return base64.b64encode(stream.getvalue()).decode()


def image(media_type: str, data: str) -> list[Any]:
    source = {"type": "base64", "media_type": media_type, "data": data}
    return [user([{"type": "image", "source": source}])]


def document(**source: Any) -> list[Any]:
    return [user([{"type": "document", "source": source}])]


def ask(*messages: Any, **more: Any) -> Reply:
    body = {"model": "claude-opus-5-5", "max_tokens": 4000, **more}
    body["messages"] = [m if isinstance(m, dict) else user(m) for m in messages]
    return respond(read(rules.check(body)))


def refusal(model: str, *, betas: tuple[str, ...] = (), **fields: Any) -> str:
    """What the API says to a request; "" when it takes it."""
    body = {"model": model, "max_tokens": 4000, "messages": [user("hi")], **fields}
    try:
        rules.check(body, betas=betas)
    except ApiError as error:
        assert (error.status, error.type) == (400, "invalid_request_error")
        return error.message
    return ""


def said(reply: Reply) -> str:
    return "".join(block.get("text", "") for block in reply.blocks)


def calls(reply: Reply) -> list[tuple[str, Any]]:
    return [(b["name"], b["input"]) for b in reply.blocks if b["type"] == "tool_use"]


def tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "input_schema": schema}


CITY = {"type": "string"}
WEATHER = tool("get_weather", "Get the current weather", city=CITY)
CLOCK = tool("get_time", "Tell the time in a place", place=CITY)
OWN = tool("StructuredOutput", "Final answer", answer=CITY, n={"type": "integer"})
LONGER = {**OWN, "name": "StructuredOutput_"}


def told(tool: dict[str, Any]) -> dict[str, Any]:
    """The same function, with the order that stands for a forced choice."""
    order = "One of the functions MUST be called: do not answer in words."
    return {**tool, "description": f"{tool['description']}. {order}"}


OLD = {"model": "claude-sonnet-4-5"}  # can be forced to call a function
ANY = {**OLD, "tool_choice": {"type": "any"}}
CLOCK_ONLY = {**OLD, "tool_choice": {"type": "tool", "name": "get_time"}}
NONE = {"tool_choice": {"type": "none"}}
ONE = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
ADAPTIVE = {"type": "adaptive"}
DISABLED = {"type": "disabled"}
BETWEEN = {"type": "between_tools"}
ENABLED = {"type": "enabled", "budget_tokens": 1024}


def too_much(level: str) -> str:
    return (
        f"output_config.effort '{level}' is not supported when thinking is disabled on this model. "
        "Use effort 'high' or below, or enable thinking."
    )
