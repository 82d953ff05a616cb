"""Pictures and documents."""

from typing import Any

import anthropic
import pytest
from asking import MODEL, assistant, said, user
from conftest import URL
from media import PDF_DATA, PDF_SEEN, PNG_DATA, PNG_SEEN

PNG: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PNG_DATA},
}
PDF: Any = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF_DATA},
}


def document(source: Any, **more: Any) -> Any:
    return {"type": "document", "source": source, **more}


@pytest.mark.parametrize(
    ("block", "seen"),
    [
        (PNG, PNG_SEEN),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            "https://example.com/a.png",
        ),
        (PDF, PDF_SEEN),
        ({**PDF, "title": "Report", "context": "Of last year"}, PDF_SEEN),
        (
            document({"type": "url", "url": "https://example.com/a.pdf"}),
            "https://example.com/a.pdf",
        ),
        (
            document({"type": "content", "content": [{"type": "text", "text": "In parts."}]}),
            "a document block",
        ),
        ({**PDF, "citations": {"enabled": True}}, PDF_SEEN),
        (
            document({"type": "text", "media_type": "text/plain", "data": "In plain words."}),
            "a text document of 15 characters",
        ),
    ],
)
def test_it_is_seen(client: anthropic.Anthropic, model: str, block: Any, seen: str) -> None:
    message = client.messages.create(
        model=model,
        max_tokens=999,
        messages=[user([block, {"type": "text", "text": "What is this?"}])],
    )
    assert seen in said(message)


def test_several_in_a_conversation(client: anthropic.Anthropic) -> None:
    messages = [user([PNG, PDF, {"type": "text", "text": "What are these?"}])]
    first = client.messages.create(model=MODEL, max_tokens=999, messages=messages)
    assert PNG_SEEN in said(first)
    assert PDF_SEEN in said(first)
    messages += [assistant(first.content), user([PNG, {"type": "text", "text": "And this?"}])]
    second = client.messages.create(model=MODEL, max_tokens=999, messages=messages)
    assert PNG_SEEN in said(second)


@pytest.mark.parametrize(
    "block",
    [
        {**PNG, "source": {**PNG["source"], "media_type": "image/jpeg"}},
        {**PNG, "source": {**PNG["source"], "data": "bm90aGluZw=="}},
        {**PNG, "source": {**PNG["source"], "data": "?"}},
        {**PNG, "source": {"type": "url", "url": "ftp://example.com/a.png"}},
        {**PDF, "source": {**PDF["source"], "data": "bm90aGluZw=="}},
        {"type": "audio", "source": PNG["source"]},
    ],
)
def test_what_is_not_taken(client: anthropic.Anthropic, block: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"messages\W0\W+content\W0") as caught:
        client.messages.create(model=MODEL, max_tokens=99, messages=[user([block])])
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("kind", ["image", "document"])
def test_a_file_of_anthropics_servers(client: anthropic.Anthropic, kind: str) -> None:
    block: Any = {"type": kind, "source": {"type": "file", "file_id": "file_1"}}
    with pytest.raises(anthropic.BadRequestError, match="file"):
        client.messages.create(model=MODEL, max_tokens=99, messages=[user([block])])


@pytest.mark.parametrize(
    ("role", "block"),
    [
        ("assistant", PDF),
        (
            "user",
            {
                "type": "text",
                "text": "Cited.",
                "citations": [
                    {
                        "type": "char_location",
                        "cited_text": "C",
                        "document_index": 0,
                        "document_title": None,
                        "start_char_index": 0,
                        "end_char_index": 1,
                    }
                ],
            },
        ),
    ],
)
def test_what_the_newer_version_of_the_api_does_not_take(role: str, block: Any) -> None:
    with (
        anthropic.Anthropic(
            base_url=URL,
            api_key="unused",
            max_retries=0,
            default_headers={"anthropic-version": "2026-10-21"},
        ) as client,
        pytest.raises(anthropic.BadRequestError, match=r"document|citations"),
    ):
        client.messages.create(
            model=MODEL,
            max_tokens=99,
            messages=[user("hi"), {"role": role, "content": [block]}, user("well?")],
        )
