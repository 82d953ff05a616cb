"""Embeddings on the wire: texts or a fault by name on the way in, vectors on the way out."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.core.embeddings import Texts, Vectors
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_embeddings import EmbeddingsRequest, decode, render

MODEL = "text-embedding-3-small"

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)


def ask(value: Any = "once", **fields: Any) -> EmbeddingsRequest:
    return decode(json.dumps({"input": value, "model": MODEL, **fields}).encode())


@pytest.mark.parametrize(
    ("value", "fields", "expected"),
    [
        ("a", {}, Texts(model=MODEL, texts=("a",), listed=False)),
        (" ", {}, Texts(model=MODEL, texts=(" ",), listed=False)),
        (["a"], {}, Texts(model=MODEL, texts=("a",))),
        (["a", "b", "a"], {}, Texts(model=MODEL, texts=("a", "b", "a"))),
        (["a"] * 2048, {}, Texts(model=MODEL, texts=("a",) * 2048)),
        (["a"], {"dimensions": 64.0}, Texts(model=MODEL, texts=("a",), dimensions=64)),
        (["a"], {"user": "ada"}, Texts(model=MODEL, texts=("a",), user="ada")),
        (["a"], {"user": None, "dimensions": None}, Texts(model=MODEL, texts=("a",))),
        (["a"], {"model": "other"}, Texts(model="other", texts=("a",))),
    ],
)
def test_what_is_asked(value: Any, fields: dict[str, Any], expected: Texts) -> None:
    asked = ask(value, **fields)
    assert asked.texts == expected
    assert asked.ignored == ()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"encoding_format": None}, False),
        ({"encoding_format": "float"}, False),
        ({"encoding_format": "base64"}, True),
    ],
)
def test_the_format(fields: dict[str, Any], expected: bool) -> None:
    assert ask(**fields).in_base64 is expected


def test_what_nobody_reads_is_named() -> None:
    assert ask(input_type="query", truncate=True, nothing=None).ignored == (
        "input_type",
        "truncate",
    )


@pytest.mark.parametrize(
    ("fields", "param", "code", "words"),
    [
        ({"input": []}, "input", "empty_array", "empty array"),
        ({"input": ""}, "input", "empty_string", "empty string"),
        ({"input": ["a", ""]}, "input[1]", "empty_string", "empty string"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length", "there are 2049"),
        ({"input": [1, 2]}, "input", "unsupported_parameter", "check_embedding_ctx_length=False"),
        ({"input": [[1, 2], [3]]}, "input", "unsupported_parameter", "Send the text"),
        ({"input": ["a", 5]}, "input[1]", "invalid_type", "a string"),
        ({"input": ["a", [5]]}, "input[1]", "invalid_type", "a string"),
        ({"input": [None]}, "input[0]", "invalid_type", "null"),
        ({"input": [True]}, "input[0]", "invalid_type", "a boolean"),
        ({"input": 5}, "input", "invalid_type", "a string or an array of strings"),
        ({"input": None}, "input", "invalid_type", "null"),
        ({"input": {"text": "a"}}, "input", "invalid_type", "an object"),
        ({"input": "a\0b"}, "input", "invalid_value", "NUL"),
        ({"input": ["a", "\ud800"]}, "input[1]", "invalid_value", "surrogate"),
        ({"model": None}, "model", "invalid_type", "null"),
        ({"model": ""}, "model", "invalid_value", "empty"),
        ({"model": 5}, "model", "invalid_type", "an integer"),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value", "'hex'"),
        ({"encoding_format": 5}, "encoding_format", "invalid_type", "an integer"),
        ({"dimensions": 0}, "dimensions", "invalid_value", "at least 1"),
        ({"dimensions": -64}, "dimensions", "invalid_value", "at least 1"),
        ({"dimensions": "64"}, "dimensions", "invalid_type", "a string"),
        ({"dimensions": True}, "dimensions", "invalid_type", "a boolean"),
        ({"dimensions": 6.5}, "dimensions", "invalid_type", "a number"),
        ({"user": 5}, "user", "invalid_type", "an integer"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str, code: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(**{"value": "a", **{("value" if k == "input" else k): v for k, v in fields.items()}})
    assert (caught.value.param, caught.value.code) == (param, code)
    assert words in caught.value.message


@pytest.mark.parametrize("missing", ["input", "model"])
def test_what_is_missing(missing: str) -> None:
    body = {"input": "a", "model": MODEL}
    del body[missing]
    with pytest.raises(InvalidRequest, match="missing") as caught:
        decode(json.dumps(body).encode())
    assert (caught.value.param, caught.value.code) == (missing, "missing_required_parameter")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "input": anything | st.lists(st.text(), max_size=4),
        "model": anything | st.just(MODEL),
        "encoding_format": anything | st.sampled_from(["float", "base64"]),
        "dimensions": anything,
        "user": anything,
        "other": anything,
    },
)


@steady
@given(bodies.map(lambda body: json.dumps(body).encode()) | st.binary())
@example(b"[]")
@example(b"{" * 200)
@example(b'{"input": ' + b"1" * 5000 + b"}")
@example(b'{"input": "a", "model": "b", "dimensions": 1e400}')
def test_any_body_gives_texts_or_an_error_of_the_client(body: bytes) -> None:
    try:
        asked = decode(body)
    except InvalidRequest as error:
        assert 400 <= error.status < 500
        assert error.message
        assert error.code
    else:
        assert 0 < len(asked.texts.texts) <= 2048
        assert all(asked.texts.texts)
        assert asked.texts.model


def packed(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


MADE = Vectors(model="m", vectors=(packed(0.1, -2), packed(1 / 3, 0)), tokens=7)


def test_numbers() -> None:
    answer = json.loads(render(MADE, in_base64=False))
    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.10000000149011612, -2.0]},
            {"object": "embedding", "index": 1, "embedding": [0.3333333432674408, 0.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_base64_holds_the_same_numbers() -> None:
    written = json.loads(render(MADE, in_base64=False))["data"]
    encoded = json.loads(render(MADE, in_base64=True))["data"]
    for numbers, text in zip(written, encoded, strict=True):
        raw = base64.b64decode(text["embedding"], validate=True)
        assert list(struct.unpack("<2f", raw)) == numbers["embedding"]
