"""What the model says: a pure function, so every row is a conversation and its answer."""

import base64
import json
from typing import Any

import jsonschema
import pytest
from demo_bodies import (
    CITY,
    SCHEMA,
    ask,
    assistant,
    call,
    encoded,
    image,
    result,
    said,
    text,
    user,
)
from hypothesis import given
from hypothesis import strategies as st

from bridge.demo import canonical, tokens
from bridge.demo.cache import PromptCache, measure
from bridge.demo.directives import parse
from bridge.demo.faults import Fault
from bridge.demo.reply import cut as cut_deltas
from bridge.demo.schema_fill import fill, hints

TELLS = [
    (["hello"], "demo model"),
    (["Hi! nonce-1234"], "nonce-1234"),
    (["blue zebra 99"], 'You said: "blue zebra 99".'),
    (["a"], "no earlier turns"),
    (["a", assistant("b"), "c"], "2 earlier turns"),
    (["My name is Ada.", assistant("ok"), "What is my name?"], "Your name is Ada."),
    (["my name is zx-9", assistant("ok"), "what's my name"], "Your name is zx-9."),
    (["My name is Ada and I like tea", assistant("ok"), "hello"], "Hello, Ada!"),
    (["What is my name?"], "You have not told me your name"),
    (["my favorite color is teal.", assistant("ok"), "What is my favourite colour?"], "teal"),
    (["my dog is Rex", assistant("ok"), "who is my dog?"], "Your dog is Rex."),
    (["Remember that the code is 4711.", assistant("ok"), "What did I tell you?"], "4711"),
    (["remember the word plum", assistant("ok"), "Do you remember it?"], "the word plum"),
    (["Remember the code word: plum", assistant("ok"), "What is the code word?"], "plum"),
    (["one", assistant("ok"), "two", assistant("ok"), "What did I say first?"], '"one"'),
    (["one", assistant("ok"), "two", assistant("ok"), "what did I say last?"], '"two"'),
    (["What did I say first?"], "the first thing"),
    (["My name is Ada"], "Nice to meet you, Ada!"),
    (["[[say  Exactly this.\nAnd this. ]]"], "Exactly this.\nAnd this."),
    (["[[words 3]]"], "word1 word2 word3"),
    (["keep [[unknown 3]] and [[1, 2]]"], "[[unknown 3]] and [[1, 2]]"),
    (["<system-reminder>[[say no]]</system-reminder>"], "This is the demo model"),
    (["[[say old]]", assistant("old"), "new"], 'You said: "new"'),
    (["f", assistant([call()]), user([result()])], "f returned: ok"),
    (["f", assistant([call()]), user([{**result(), "is_error": True}])], "f failed: ok"),
    (["f", assistant([call()]), user([{"type": "tool_result", "tool_use_id": "t1"}])], "nothing"),
]


@pytest.mark.parametrize(("messages", "fragment"), TELLS, ids=[row[1] for row in TELLS])
def test_it_says(messages: list[Any], fragment: str) -> None:
    assert fragment in said(ask(*messages))


@pytest.mark.parametrize(
    ("system", "answer"),
    [
        ('Answer only with "BANANA".', "BANANA"),
        ("Say only hello there.", "hello there"),
        ("Be kind. Always reply only with: yes\nThanks", "yes"),
    ],
)
def test_the_system_prompt_decides(system: str, answer: str) -> None:
    assert said(ask("hi", system=system)) == answer


def test_upper_case_and_being_told_of_a_system_prompt() -> None:
    assert said(ask("abc", system="Always answer in upper case.")).isupper()
    assert "a system prompt was given" in said(ask("abc", system="Be kind."))
    assert "no system prompt was given" in said(ask("abc"))


def test_system_messages_are_not_the_user() -> None:
    reply = ask("hello", {"role": "system", "content": [text("[[say no]]")]})
    assert "demo model" in said(reply)


def test_long_texts_are_quoted_in_part() -> None:
    assert f'"{"x" * 200}…"' in said(ask("x" * 300))


def test_echo_is_the_canonical_conversation() -> None:
    reply = ask("a", assistant("b"), user([text("[[echo]]")]), system="S")
    assert json.loads(said(reply)) == {
        "system": ["S"],
        "messages": [user([text("a")]), assistant([text("b")]), user([text("[[echo]]")])],
        "tools": [],
    }


def test_output_format_is_filled() -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    form = {"format": {"type": "json_schema", "schema": schema}}
    assert json.loads(said(ask("It is 42", output_config=form))) == {"n": 42}


NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "required": ["value", "next", "kids"],
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
        }
    },
    "$ref": "#/$defs/node",
}
FILLED: list[tuple[Any, str]] = [
    ({"type": "string"}, "go to Rome"),
    ({"enum": ["red", "green"]}, "make it green"),
    ({"const": 7}, ""),
    ({"type": "integer", "minimum": 5, "maximum": 9}, "take 77"),
    ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, ""),
    ({"type": "integer", "multipleOf": 5, "minimum": 3}, "7"),
    ({"type": ["null", "boolean"]}, ""),
    ({"type": "null"}, ""),
    ({"type": "string", "format": "date", "minLength": 5}, ""),
    ({"type": "string", "minLength": 30, "maxLength": 40}, "Rome"),
    ({"type": "array", "minItems": 3, "items": {"type": "string"}}, "'a' and 'b'"),
    ({"type": "array", "prefixItems": [{"const": 1}, {"const": "x"}]}, ""),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, ""),
    (
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
            ]
        },
        "",
    ),
    (NODE, "Anna and 3"),
]


@pytest.mark.parametrize(("schema", "words"), FILLED)
def test_filled_schemas_are_valid(schema: Any, words: str) -> None:
    jsonschema.validate(fill(schema, hints(words)), schema)


def test_filling_takes_the_persons_words() -> None:
    schema = {"properties": {"a": CITY, "b": CITY, "n": {"type": "integer"}}}
    found = fill(schema, hints('Take "one thing" to New York, 3 times'))
    assert found == {"a": "one thing", "b": "New York", "n": 3}
    assert fill({"type": "string", "default": "d"}, hints("Rome")) == "d"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {
            "type": "object",
            "required": list("abcdefgh"),
            "properties": {key: {"$ref": "#"} for key in "abcdefgh"},
        },
        {"type": "array", "minItems": 10**9, "items": {"$ref": "#"}},
        {"properties": 5, "required": {"x": 1}, "enum": "no"},
        True,
        {"type": {"a": 1}},
        {"anyOf": [{"$ref": "#"}]},
    ],
    ids=repr,
)
def test_hopeless_schemas_end(schema: Any) -> None:
    assert len(json.dumps(fill(schema, hints("")))) < 1_000_000


KEYWORDS = """
    type properties required items anyOf allOf oneOf $ref enum minItems maxItems minimum maximum
    multipleOf exclusiveMinimum minLength maxLength prefixItems const default format $defs
"""
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda kids: (
        st.lists(kids, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYWORDS.split()) | st.text(max_size=3),
            kids | st.sampled_from(["object", "array", "string", "integer", "number", "#"]),
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSONS, st.text(max_size=60))
def test_any_schema_is_filled_somehow(schema: Any, words: str) -> None:
    json.dumps(fill(schema, hints(words)))


@pytest.mark.parametrize(
    ("media_type", "form"),
    [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("image/gif", "GIF"), ("image/webp", "WEBP")],
)
def test_it_sees_the_size_of_images(media_type: str, form: str) -> None:
    assert f"({media_type}, 31x17 pixels)" in said(ask(*image(media_type, encoded(form, (31, 17)))))


def test_it_sees_documents() -> None:
    pdf = base64.b64encode(b"%PDF-1.7 /Type /Page /Type /Page /Type /Pages").decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": pdf}
    plain = {"type": "text", "media_type": "text/plain", "data": "12345"}
    content = [{"type": "document", "source": source}, {"type": "document", "source": plain}]
    answer = said(ask(user(content)))
    assert "a PDF document of 45 bytes" in answer
    assert "a text document of 5 characters" in answer
    assert tokens.of_block(content[0]) == 3000


def test_limits() -> None:
    reply = ask("[[words 50]]", max_tokens=7)
    assert (reply.stop_reason, reply.output_tokens) == ("max_tokens", 7)
    assert said(reply) == "word1 word2 word3 word4 word5 word6 word7"
    whole = ask("[[words 7]]", max_tokens=7)
    assert whole.stop_reason == "end_turn"
    stopped = ask("[[words 50]]", stop_sequences=["word9", "word4"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "word4")
    assert said(stopped) == "word1 word2 word3 "
    assert said(cut_deltas(ask("[[words 50]]"), 2)) == "word1 word2"


def test_directives() -> None:
    found = parse("[[slow 0.2]] [[fail 429 retry-after 7]] hello [[fail 400 bad thing]]")
    assert found.faults == (
        Fault.slow(0.2),
        Fault.error(429, retry_after=7),
        Fault.error(400, "bad thing"),
    )
    assert found.text == "hello"
    rows = {
        "[[break 3]]": Fault.break_stream(3),
        "[[break]]": Fault.break_stream(),
        "[[stall]]": Fault.stall(),
        "[[stall 2]]": Fault.stall(2),
        "[[stream-error 3]]": Fault.stream_error(3),
        "[[refuse]]": Fault.refusal(),
        "[[empty]]": Fault.empty(),
        "[[cut 5]]": Fault.cut(5),
        "[[slow 2]]": Fault.slow(2.0),
        "[[slow .2]]": Fault.slow(0.2),
        "[[fail 529]]": Fault.error(529),
    }
    for words, fault in rows.items():
        assert parse(words).faults == (fault,)
    for words in (
        "[[fail 200]]",
        "[[fail]]",
        "[[break x]]",
        "[[slow]]",
        "[[slow .]]",
        "[[slow 1e9]]",
        "[[say]]",
    ):
        assert parse(words).faults == ()
        assert parse(words).text == words
    with pytest.raises(ValueError, match="400-599"):
        Fault.error(200)


@given(st.text())
def test_pieces_are_the_text_and_so_are_their_tokens(value: str) -> None:
    found = tokens.pieces(value)
    assert "".join(found) == value
    assert sum(map(tokens.count, found)) == tokens.count(value)
    assert bool(tokens.count(value)) == bool(value)
    for limit in range(4):
        assert tokens.count(tokens.cut(value, limit)) <= limit


def test_words_are_one_delta_each() -> None:
    assert len(tokens.pieces(said(ask("[[words 500]]")))) == 500


def test_canonical_takes_away_what_is_the_clis_own() -> None:
    marked = text("hi", cache_control={"type": "ephemeral"})
    inner = {**result(), "content": [text("ok", cache_control={"type": "ephemeral"})]}
    body = {
        "system": [
            text("x-anthropic-billing-header: cc_version=1;"),
            text("You are a Claude agent, built on Anthropic's Claude Agent SDK."),
            text("Be kind."),
        ],
        "messages": [user([marked]), {"role": "system", "content": []}, user([inner])],
        "tools": [{"name": "f", "input_schema": SCHEMA, "cache_control": None}],
    }
    assert canonical(body) == {
        "system": ["Be kind."],
        "messages": [user([text("hi")]), user([{**result(), "content": [text("ok")]}])],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
    }
    assert canonical("no") == {"system": [], "messages": [], "tools": []}
    assert canonical({"system": "You are a Claude agent"})["system"] == ["You are a Claude agent"]


def test_the_cache() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    first = {"model": "m", "system": [text("a b", **mark)], "messages": [user("c d e")]}
    cache = PromptCache(limit=2)
    one = cache.use(measure(first))
    assert (one.plain, one.created, one.read) == (3, 2, 0)
    # The marker has moved on and the message is a list now: still the same prefix.
    later = {
        **first,
        "messages": [user([text("c d e")]), assistant("f"), user([text("g", **mark)])],
    }
    two = cache.use(measure(later))
    assert (two.plain, two.created, two.read, two.total) == (0, 5, 2, 7)
    three = cache.use(measure(later))
    assert (three.plain, three.created, three.read) == (0, 0, 7)
    assert cache.use(measure({"model": "m", "messages": [user("x")]})).total == 1
