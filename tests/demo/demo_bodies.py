"""Parts of requests, written once for the tables of these tests."""

import base64
import io
from typing import Any

from PIL import Image

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
