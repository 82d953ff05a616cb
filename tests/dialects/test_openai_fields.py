"""docs/openai-fields.md holds every field that the official package knows, and the truth of each."""

from pathlib import Path
from typing import Any

import attrs
import openai
import pytest
from openai_fields import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    SURFACES,
    Row,
    Surface,
    document,
    gone,
    official_fields,
    our_fields,
    parsed,
    table,
    version_of,
    without_note,
    without_version,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "openai-fields.md"
WRITTEN = DOCUMENT.read_text()
HERE = "tests/dialects/openai_fields.py"

# The table is that of the package that it was made with, or a later one; an older one knows less.
of_this_package = pytest.mark.skipif(
    parsed(openai.__version__) < version_of(WRITTEN),
    reason=f"the table was made with a later openai than {openai.__version__}",
)
each = pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.title)


@of_this_package
@each
def test_somebody_has_decided_about_every_field(surface: Surface) -> None:
    fresh = without_note(surface)
    assert not fresh, f"write a note in {HERE} about {sorted(fresh)}, then: make fields"


@of_this_package
@each
def test_every_note_is_about_a_field_that_is_there(surface: Surface) -> None:
    stale = gone(surface)
    assert not stale, f"take the notes about {sorted(stale)} out of {HERE}, then: make fields"


@of_this_package
def test_the_document_is_what_is_made() -> None:
    same = without_version(WRITTEN) == without_version(document())
    assert same, f"{DOCUMENT.name} is out of date; write it anew: make fields"


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Row]]:
    return {surface.title: table(surface) for surface in SURFACES}


# what the table must say, whatever else there is → path, tag, field
KNOWN = {
    "an-honoured-one": (CHAT, Row("", "", "stream", "honoured")),
    "a-refused-one": (CHAT, Row("", "", "n", "refused, unless it is `1`")),
    "one-refused-whatever-it-says": (CHAT, Row("", "", "web_search_options", "refused")),
    "an-ignored-one": (CHAT, Row("", "", "seed", "ignored")),
    "one-ignored-unless-it-asks": (CHAT, Row("", "", "store", "ignored, unless it is `false`")),
    "one-that-is-not-openai's": (CHAT, Row("", "", "session_id", "honoured")),
    "one-refused-that-is-not-openai's": (
        CHAT,
        Row("", "", "enable_tools", "refused, unless it is `false`"),
    ),
    "a-name": (CHAT, Row("messages[]", "role: user", "name", 'ignored, unless it is `""`')),
    "a-name-that-counts": (CHAT, Row("messages[]", "role: function", "name", "honoured")),
    "spoken-words": (CHAT, Row("messages[]", "role: assistant", "audio", "refused")),
    "a-part-as-a-whole": (CHAT, Row("messages[].content[]", "type: input_audio", "", "refused")),
    "a-detail": (
        CHAT,
        Row("messages[].content[].image_url", "", "detail", 'ignored, unless it is `"auto"`'),
    ),
    "an-id-of-a-file": (CHAT, Row("messages[].content[].file", "", "file_id", "refused")),
    "a-file": (CHAT, Row("messages[].content[].file", "", "file_data", "honoured")),
    "a-custom-tool": (CHAT, Row("tools[]", "type: custom", "", "refused")),
    "a-parameter-of-a-tool": (CHAT, Row("tools[].function", "", "strict", "honoured")),
    "a-choice": (CHAT, Row("tool_choice", "type: custom", "", "refused")),
    "a-schema": (CHAT, Row("response_format.json_schema", "", "schema", "honoured")),
    "usage": (COMPLETIONS, Row("stream_options", "", "include_usage", "honoured")),
    "a-suffix": (COMPLETIONS, Row("", "", "suffix", 'refused, unless it is `""`')),
    "tokens-or-texts": (EMBEDDINGS, Row("", "", "input", "honoured")),
    "echo": (COMPLETIONS, Row("", "", "echo", "honoured")),
}


@of_this_package
@pytest.mark.parametrize(("surface", "row"), KNOWN.values(), ids=KNOWN)
def test_the_table_says_what_we_know(
    tables: dict[str, list[Row]], surface: Surface, row: Row
) -> None:
    assert row in tables[surface.title]


@each
def test_the_table_has_every_field_of_the_request_once(
    tables: dict[str, list[Row]], surface: Surface
) -> None:
    rows = [row for row in tables[surface.title] if not row.path]
    outcomes = {row.field: row.outcome.partition(",")[0] for row in rows}
    assert len(outcomes) == len(rows)
    assert outcomes.keys() == official_fields(surface.official).keys() | our_fields(surface)
    assert {name for name in outcomes if outcomes[name] == "refused"} == {*surface.policy.refused}
    assert {name for name in outcomes if outcomes[name] == "honoured"} == {
        field.name for field in attrs.fields(surface.ours)
    }


# -- a package with more, or less -----------------------------------------------------------------


def grown(surface: Surface, **fields: Any) -> Surface:
    """The surface of a package whose requests have these fields as well."""
    hints = {**official_fields(surface.official), **fields}
    more = type("More", (dict,), {"__annotations__": hints, "__total__": True})
    return attrs.evolve(surface, official=more)


def test_a_fresh_field_is_ignored_and_wants_a_note() -> None:
    fresh = grown(CHAT, vibe=str)
    assert without_note(fresh) == {"vibe"}
    assert Row("", "", "vibe", "ignored") in table(fresh)
    assert "| `vibe` | ignored | |" in document([fresh])
    assert without_version(document([fresh])) != without_version(document([CHAT]))


def test_a_field_that_is_gone_has_a_note_too_many() -> None:
    noted = attrs.evolve(CHAT, notes={**CHAT.notes, "best_of": "Gone"})
    assert gone(noted) == {"best_of"}
    assert not gone(CHAT)


@pytest.mark.parametrize(
    ("older", "newer"), [("2.9.1", "2.10.0"), ("2.99.0", "3.0.0"), ("3.52.0", "3.52.1")]
)
def test_versions(older: str, newer: str) -> None:
    assert parsed(older) < parsed(newer)
    assert version_of(f"Made from the types of openai {older}; more") == parsed(older)


def test_the_version_alone_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    before = document()
    monkeypatch.setattr(openai, "__version__", "9.9.9")
    assert version_of(document()) == (9, 9, 9)
    assert document() != before
    assert without_version(document()) == without_version(before)
