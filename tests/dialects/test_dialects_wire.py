"""The hardened converter and the JSON reader, on classes of this file: no dialect knows them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from attrs import field, frozen
from cattrs import Converter

from bridge.core.errors import InvalidRequest
from bridge.dialects.wire import (
    MAX_DEPTH,
    Fault,
    check_sendable,
    check_text,
    hardened_converter,
    kind_of,
    load_object,
    string_or,
    tagged,
    unread,
)


@frozen(kw_only=True)
class Leaf:
    name: str
    size: int | None = None


@frozen(kw_only=True)
class Tree:
    leaf: Leaf
    leaves: tuple[Leaf, ...] = ()
    words: tuple[str, ...] | None = None
    grid: tuple[tuple[int, ...], ...] = ()
    child: "Tree | None" = None
    made: list[int] = field(factory=list, init=False)


@frozen(kw_only=True)
class Circle:
    radius: float


@frozen(kw_only=True)
class Square:
    side: float
    label: str = "square"


Shape = Circle | Square


@frozen(kw_only=True)
class Drawing:
    shapes: tuple[Shape, ...]
    frame: Shape | None = None


Label = str | Leaf
Words = str | tuple[str, ...]


@frozen(kw_only=True)
class Tagged:
    label: Label
    labels: tuple[Label, ...] = ()
    words: Words | None = None


@pytest.fixture(scope="module")
def converter() -> Converter:
    made = hardened_converter()
    string_or(made, Label, dict, Leaf, "a leaf")
    string_or(made, Words, list, tuple[str, ...], "a list of words")
    tagged(made, Shape, "kind", {"circle": Circle, "square": Square}, "No such shape")
    return made


HUGE = 10**400
INF = float("inf")
LEAF = {"name": "oak"}

TAKEN = {
    "a-string": (str, "5", "5"),
    "an-empty-string": (str, "", ""),
    "every-plane-of-unicode": (
        str,
        "é\u2028\U0001f600\ue000\ufffe",
        "é\u2028\U0001f600\ue000\ufffe",
    ),
    "true": (bool, True, True),
    "false": (bool, False, False),
    "an-integer": (int, -3, -3),
    "a-whole-float": (int, 5.0, 5),
    "minus-zero": (int, -0.0, 0),
    "the-largest-integer": (int, 2**53, 2**53),
    "a-large-whole-float": (int, 1e15, 10**15),
    "a-number": (float, 0.5, 0.5),
    "an-integer-as-a-number": (float, 1, 1.0),
    "the-largest-float": (float, 1.7976931348623157e308, 1.7976931348623157e308),
    "a-list": (tuple[int, ...], [1, 2], (1, 2)),
    "an-empty-list": (tuple[int, ...], [], ()),
    "an-object": (dict[str, Any], {"a": [None]}, {"a": [None]}),
    "a-bare-object": (dict, {"a": 1}, {"a": 1}),
    "a-mapping": (Mapping[str, Any], {}, {}),
    "null-where-it-may-be": (str | None, None, None),
    "a-value-where-null-may-be": (str | None, "a", "a"),
    "a-class": (Leaf, {"name": "oak", "size": 3}, Leaf(name="oak", size=3)),
    "a-default": (Leaf, {"name": "oak"}, Leaf(name="oak")),
    "a-null-in-a-class": (Leaf, {"name": "oak", "size": None}, Leaf(name="oak")),
    "unknown-fields": (Leaf, {"name": "oak", "colour": "green", "": 1}, Leaf(name="oak")),
    "a-field-that-is-not-for-clients": (
        Tree,
        {"leaf": LEAF, "made": [1]},
        Tree(leaf=Leaf(name="oak")),
    ),
    "classes-in-classes": (
        Tree,
        {"leaf": LEAF, "leaves": [LEAF, LEAF], "child": {"leaf": LEAF}, "grid": [[1], []]},
        Tree(
            leaf=Leaf(name="oak"),
            leaves=(Leaf(name="oak"),) * 2,
            child=Tree(leaf=Leaf(name="oak")),
            grid=((1,), ()),
        ),
    ),
    "a-tagged-union": (Shape, {"kind": "circle", "radius": 2}, Circle(radius=2.0)),
    "tagged-unions-inside": (
        Drawing,
        {"shapes": [{"kind": "square", "side": 1.5}], "frame": {"kind": "circle", "radius": 1}},
        Drawing(shapes=(Square(side=1.5),), frame=Circle(radius=1.0)),
    ),
    "a-string-or-a-class": (Label, {"name": "oak"}, Leaf(name="oak")),
    "a-string-or-a-string": (Label, "oak", "oak"),
    "a-string-or-a-list": (Words, ["a"], ("a",)),
    "strings-or-classes-inside": (
        Tagged,
        {"label": "a", "labels": ["b", LEAF], "words": None},
        Tagged(label="a", labels=("b", Leaf(name="oak"))),
    ),
    "an-optional-tagged-union": (Drawing, {"shapes": [], "frame": None}, Drawing(shapes=())),
}


@pytest.mark.parametrize(("kind", "value", "wanted"), TAKEN.values(), ids=TAKEN)
def test_taken_as_it_is(converter: Converter, kind: Any, value: Any, wanted: Any) -> None:
    got = converter.structure(value, kind)
    assert got == wanted
    assert type(got) is type(wanted)


# what is wanted, what comes → the path, the code, a piece of the problem
REFUSED: dict[str, tuple[Any, Any, str, str, str]] = {
    "5-is-not-a-string": (str, 5, "", "invalid_type", "expected a string, but got an integer"),
    "true-is-not-a-string": (str, True, "", "invalid_type", "got a boolean"),
    "null-is-not-a-string": (str, None, "", "invalid_type", "got null"),
    "a-list-is-not-a-string": (str, ["a"], "", "invalid_type", "got an array"),
    "nul": (str, "a\0b", "", "invalid_value", "NUL"),
    "a-high-surrogate": (str, "ab\ud800", "", "invalid_value", "surrogate pair at character 2"),
    "a-low-surrogate": (str, "\udfff", "", "invalid_value", "surrogate pair at character 0"),
    "1-is-not-true": (bool, 1, "", "invalid_type", "expected a boolean, but got an integer"),
    "0-is-not-false": (bool, 0, "", "invalid_type", "got an integer"),
    "a-word-is-not-true": (bool, "true", "", "invalid_type", "got a string"),
    "null-is-not-false": (bool, None, "", "invalid_type", "got null"),
    "true-is-not-1": (int, True, "", "invalid_type", "expected an integer, but got a boolean"),
    "a-string-is-not-an-integer": (int, "5", "", "invalid_type", "got a string"),
    "a-fraction-is-not-an-integer": (int, 1.5, "", "invalid_type", "got a number"),
    "infinity-is-not-an-integer": (int, INF, "", "invalid_type", "got a number"),
    "true-is-not-a-number": (
        float,
        True,
        "",
        "invalid_type",
        "expected a number, but got a boolean",
    ),
    "a-string-is-not-a-number": (float, "0.5", "", "invalid_type", "got a string"),
    "an-integer-beyond-float": (float, HUGE, "", "invalid_value", "too large"),
    "a-negative-one": (float, -HUGE, "", "invalid_value", "too large"),
    "infinity": (float, INF, "", "invalid_value", "too large"),
    "nan": (float, float("nan"), "", "invalid_value", "too large"),
    "a-string-is-no-list": (tuple[str, ...], "abc", "", "invalid_type", "expected an array"),
    "an-object-is-no-list": (tuple[str, ...], {"a": 1}, "", "invalid_type", "got an object"),
    "null-is-no-list": (tuple[str, ...], None, "", "invalid_type", "got null"),
    "an-item": (tuple[str, ...], ["a", 5], "[1]", "invalid_type", "expected a string"),
    "a-list-is-no-object": (dict[str, Any], [], "", "invalid_type", "expected an object"),
    "pairs-are-no-object": (dict[str, Any], [["a", 1]], "", "invalid_type", "got an array"),
    "a-string-is-no-mapping": (Mapping[str, Any], "", "", "invalid_type", "got a string"),
    "a-string-is-no-class": (Leaf, "oak", "", "invalid_type", "expected an object"),
    "a-list-is-no-class": (Leaf, ["oak", 1], "", "invalid_type", "got an array"),
    "missing": (Leaf, {}, "name", "missing_required_parameter", "is missing"),
    "a-field": (Leaf, {"name": "a", "size": "1"}, "size", "invalid_type", "expected an integer"),
    "a-null-where-it-may-not-be": (Leaf, {"name": None}, "name", "invalid_type", "got null"),
    "a-field-in-a-field": (
        Tree,
        {"leaf": {"name": 5}},
        "leaf.name",
        "invalid_type",
        "expected a string",
    ),
    "a-field-of-an-item": (
        Tree,
        {"leaf": LEAF, "leaves": [LEAF, {}]},
        "leaves[1].name",
        "missing_required_parameter",
        "is missing",
    ),
    "an-item-of-an-item": (
        Tree,
        {"leaf": LEAF, "grid": [[], [0, 0, True]]},
        "grid[1][2]",
        "invalid_type",
        "expected an integer",
    ),
    "an-optional-list": (
        Tree,
        {"leaf": LEAF, "words": "abc"},
        "words",
        "invalid_type",
        "expected an array",
    ),
    "far-inside": (
        Tree,
        {"leaf": LEAF, "child": {"leaf": LEAF, "child": {"leaf": {}}}},
        "child.child.leaf.name",
        "missing_required_parameter",
        "is missing",
    ),
    "a-tag-is-missing": (
        Shape,
        {"radius": 1},
        "kind",
        "missing_required_parameter",
        "is missing",
    ),
    "a-tag-is-unknown": (
        Shape,
        {"kind": "blob"},
        "kind",
        "invalid_value",
        "No such shape: 'blob'. Known are 'circle', 'square'.",
    ),
    "a-tag-is-no-string": (Shape, {"kind": 5}, "kind", "invalid_type", "expected a string"),
    "a-tag-that-has-no-hash": (Shape, {"kind": []}, "kind", "invalid_type", "expected a string"),
    "a-tag-with-nul": (Shape, {"kind": "circle\0"}, "kind", "invalid_value", "NUL"),
    "a-long-tag-is-cut": (Shape, {"kind": "x" * 5000}, "kind", "invalid_value", f"'{'x' * 100}'."),
    "a-union-is-no-object": (Shape, "circle", "", "invalid_type", "expected an object"),
    "a-member-of-a-union": (
        Drawing,
        {"shapes": [{"kind": "circle", "radius": "1"}]},
        "shapes[0].radius",
        "invalid_type",
        "expected a number",
    ),
    "a-tag-inside": (
        Drawing,
        {"shapes": [], "frame": {"kind": "x"}},
        "frame.kind",
        "invalid_value",
        "No such shape",
    ),
    "a-string-or-a-class": (
        Label,
        5,
        "",
        "invalid_type",
        "expected a string or a leaf, but got an",
    ),
    "a-string-or-a-list": (
        Words,
        {},
        "",
        "invalid_type",
        "a string or a list of words, but got an",
    ),
    "null-is-neither": (Label, None, "", "invalid_type", "got null"),
    "a-list-is-no-class-here": (Label, [LEAF], "", "invalid_type", "got an array"),
    "the-string-of-two": (Label, "a\0", "", "invalid_value", "NUL"),
    "the-class-of-two": (Label, {"name": 5}, "name", "invalid_type", "expected a string"),
    "one-of-two-inside": (
        Tagged,
        {"label": "a", "labels": ["b", LEAF, {}]},
        "labels[2].name",
        "missing_required_parameter",
        "is missing",
    ),
    "an-item-of-a-list-of-two": (
        Tagged,
        {"label": "a", "words": ["a", 5]},
        "words[1]",
        "invalid_type",
        "expected a string",
    ),
    "the-other-member's-field": (
        Shape,
        {"kind": "circle", "side": 1},
        "radius",
        "missing_required_parameter",
        "is missing",
    ),
}


@pytest.mark.parametrize(
    ("kind", "value", "path", "code", "fragment"), REFUSED.values(), ids=REFUSED
)
def test_refused_with_its_place(
    converter: Converter, kind: Any, value: Any, path: str, code: str, fragment: str
) -> None:
    with pytest.raises(Fault) as caught:
        converter.structure(value, kind)
    fault = caught.value
    assert (fault.path, fault.code) == (path, code)
    assert fragment in fault.problem
    error = fault.as_error()
    assert (error.status, error.param, error.code) == (400, path or None, code)
    reads_on = fault.problem.startswith(("is ", "contains "))  # 'name' is missing.
    place = f"'{path}'" + (" " if reads_on else ": ") if path else ""
    assert error.message == place + fault.problem


def test_converters_do_not_share_their_unions() -> None:
    mine, other = hardened_converter(), hardened_converter()
    tagged(mine, Shape, "kind", {"circle": Circle}, "No such shape")
    tagged(other, Shape, "form", {"square": Square}, "No such form")
    assert mine.structure({"kind": "circle", "radius": 1}, Shape) == Circle(radius=1.0)
    assert other.structure({"form": "square", "side": 1}, Shape) == Square(side=1.0)


def test_an_unknown_tag_may_have_a_code_of_its_own() -> None:
    made = hardened_converter()
    tagged(made, Shape, "kind", {"circle": Circle}, "Not yet", code="unsupported_parameter")
    with pytest.raises(Fault) as caught:
        made.structure({"kind": "square", "side": 1}, Shape)
    assert (caught.value.path, caught.value.code) == ("kind", "unsupported_parameter")


def test_what_is_structured_is_not_the_clients_to_change() -> None:
    leaves = [dict(LEAF)]
    tree = hardened_converter().structure({"leaf": LEAF, "leaves": leaves}, Tree)
    leaves.clear()
    assert tree.leaves == (Leaf(name="oak"),)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        tree.leaf = None  # type: ignore[misc]


WITHIN = {
    "a-field": (["a"], "a"),
    "a-field-of-a-field": (["b", "a"], "a.b"),
    "an-item": (["[0]", "a"], "a[0]"),
    "a-field-of-an-item": (["b", "[2]", "a"], "a[2].b"),
    "an-item-of-an-item": (["[1]", "[0]", "a"], "a[0][1]"),
}


@pytest.mark.parametrize(("steps", "path"), WITHIN.values(), ids=WITHIN)
def test_a_path_grows_from_the_inside_out(steps: list[str], path: str) -> None:
    fault = Fault("is wrong.", "invalid_value")
    for step in steps:
        fault = fault.within(step)
    assert (fault.path, fault.problem, fault.code) == (path, "is wrong.", "invalid_value")


KINDS = [
    (None, "null"),
    (True, "a boolean"),
    (0, "an integer"),
    (0.0, "a number"),
    ("", "a string"),
    ([], "an array"),
    ({}, "an object"),
]


@pytest.mark.parametrize(("value", "words"), KINDS, ids=[words for _, words in KINDS])
def test_kind_of(value: object, words: str) -> None:
    assert kind_of(value) == words


# what is structured, and what of it has no place there
UNREAD: dict[str, tuple[Any, Any, list[tuple[str, Any]]]] = {
    "nothing": (Leaf, {"name": "oak", "size": None}, []),
    "a-field": (Leaf, {"name": "oak", "x": 1}, [("x", 1)]),
    "in-their-order": (Leaf, {"b": 1, "name": "oak", "a": 2}, [("b", 1), ("a", 2)]),
    "whatever-it-holds": (Leaf, {"name": "oak", "x": {"name": [1]}, "y": None}, [("x", {"name": [1]}), ("y", None)]),
    "a-field-in-a-field": (Tree, {"leaf": {**LEAF, "x": 1}}, [("leaf.x", 1)]),
    "fields-of-items": (Tree, {"leaf": LEAF, "leaves": [{**LEAF, "x": 1}, LEAF, {**LEAF, "x": 2}]}, [("leaves[].x", 1), ("leaves[].x", 2)]),
    "far-inside": (
        Tree,
        {"leaf": LEAF, "child": {"leaf": LEAF, "child": {"leaf": {**LEAF, "x": 1}}, "y": 2}},
        [("child.child.leaf.x", 1), ("child.y", 2)],
    ),
    "of-a-union": (Drawing, {"shapes": [{"kind": "circle", "radius": 1, "side": 2}]}, [("shapes[].side", 2)]),
    "a-tag-of-no-union": (Tree, {"leaf": {**LEAF, "type": "x", "role": "y"}}, [("leaf.type", "x"), ("leaf.role", "y")]),
    "no-tag-at-the-root": (Leaf, {"name": "oak", "type": "x", "role": "y"}, [("type", "x"), ("role", "y")]),
    "of-one-of-two": (Tagged, {"label": {**LEAF, "x": 1}, "labels": ["a", {**LEAF, "y": 2}]}, [("label.x", 1), ("labels[].y", 2)]),
    "of-an-object-nobody-looks-into": (dict, {"x": 1}, []),
    "strange-names": (Leaf, {"name": "oak", "": 1, "a.b": 2, "[]": 3}, [("", 1), ("a.b", 2), ("[]", 3)]),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "raw", "wanted"), UNREAD.values(), ids=UNREAD)
def test_unread(converter: Converter, kind: Any, raw: Any, wanted: list[Any]) -> None:
    assert list(unread(raw, converter.structure(raw, kind))) == wanted


UNSENDABLE = {
    "infinity": {"a": INF},
    "nan": {"a": [float("nan")]},
    "half-a-pair": {"a": {"b": "\ud800"}},
    "half-a-pair-as-a-key": {"\udfff": 1},
}


@pytest.mark.parametrize("value", UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_can_not_be_sent_on(value: dict[str, Any]) -> None:
    with pytest.raises(Fault) as caught:
        check_sendable(value)
    assert caught.value.code == "invalid_value"


def test_what_can_be_sent_on_is_given_back() -> None:
    value = {"a": [1, 1e300, None, HUGE, "\0", "\U0001f600"], "": {}}
    assert check_sendable(value) is value


def test_check_text_gives_the_text_back() -> None:
    assert check_text("a\tb\r\n\x01\x7f") == "a\tb\r\n\x01\x7f"


# -- bytes → a JSON object -----------------------------------------------------------------------


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """An object that is ``levels`` deep, itself included."""
    inside = levels - 1
    return b'{"a":' + (opening * inside + "0" + closing * inside).encode() + b"}"


LOADED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "an-object": (b'{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
    "an-empty-one": (b"{}", {}),
    "white-space-around": (b" \r\n\t{ }\n", {}),
    "utf-8": ('{"é": "\U0001f600"}'.encode(), {"é": "\U0001f600"}),
    "escapes": (b'{"a": "\\ud83d\\ude00\\u2028\\n"}', {"a": "\U0001f600\u2028\n"}),
    "the-last-of-doubled-keys": (b'{"a": 1, "a": 2}', {"a": 2}),
    "a-huge-integer": (b'{"a": 1' + b"0" * 400 + b"}", {"a": HUGE}),
    "a-float-that-vanishes": (b'{"a": 1e-999}', {"a": 0.0}),
    "the-deepest": (nested(MAX_DEPTH), json.loads(nested(MAX_DEPTH))),
    "the-deepest-of-objects": (
        nested(MAX_DEPTH, '{"b":', "}"),
        json.loads(nested(MAX_DEPTH, '{"b":', "}")),
    ),
}


@pytest.mark.parametrize(("body", "wanted"), LOADED.values(), ids=LOADED)
def test_loaded(body: bytes, wanted: dict[str, Any]) -> None:
    assert load_object(body) == wanted


UNLOADABLE: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "invalid_json", "not valid JSON"),
    "white-space": (b" \n", "invalid_json", "not valid JSON"),
    "words": (b"hello", "invalid_json", "not valid JSON"),
    "half-an-object": (b'{"a": ', "invalid_json", "not valid JSON"),
    "two-objects": (b"{}{}", "invalid_json", "Extra data"),
    "single-quotes": (b"{'a': 1}", "invalid_json", "not valid JSON"),
    "a-comma-too-many": (b'{"a": 1,}', "invalid_json", "not valid JSON"),
    "a-raw-newline-in-a-string": (b'{"a": "\n"}', "invalid_json", "control character"),
    "a-raw-nul": (b"{}\0", "invalid_json", "not valid JSON"),
    "nan": (b'{"a": NaN}', "invalid_json", "NaN is not JSON"),
    "infinity": (b'{"a": Infinity}', "invalid_json", "Infinity is not JSON"),
    "minus-infinity": (b'{"a": [-Infinity]}', "invalid_json", "-Infinity is not JSON"),
    "5000-digits": (b'{"a": ' + b"9" * 5000 + b"}", "invalid_json", "thousands of digits"),
    "not-utf-8": (b'{"a": "\xff"}', "invalid_json", "not UTF-8 text: byte 7 is wrong"),
    "latin-1": ('{"a": "é"}'.encode("latin-1"), "invalid_json", "not UTF-8"),
    "half-a-character": (b'{"a": "\xf0\x9f"}', "invalid_json", "not UTF-8"),
    "a-surrogate-as-bytes": (b'{"a": "\xed\xa0\x80"}', "invalid_json", "not UTF-8"),
    "a-bom": (b"\xef\xbb\xbf{}", "invalid_json", "BOM"),
    "utf-16": ("{}".encode("utf-16"), "invalid_json", "not UTF-8"),
    "utf-16-without-a-bom": ("{}".encode("utf-16-le"), "invalid_json", "not valid JSON"),
    "one-level-too-deep": (nested(MAX_DEPTH + 1), "invalid_json", "more than 100 levels"),
    "objects-too-deep": (nested(101, '{"b":', "}"), "invalid_json", "more than 100 levels"),
    "much-too-deep": (nested(100_000), "invalid_json", "more than 100 levels"),
    "too-deep-and-never-closed": (b"[" * 100_000, "invalid_json", "more than 100 levels"),
    "objects-never-closed": (b'{"a":' * 100_000, "invalid_json", "more than 100 levels"),
    "an-array": (b"[]", "invalid_type", "it is an array"),
    "a-string": (b'"{}"', "invalid_type", "it is a string"),
    "a-number": (b"1.5", "invalid_type", "it is a number"),
    "an-integer": (b"1", "invalid_type", "it is an integer"),
    "a-boolean": (b"true", "invalid_type", "it is a boolean"),
    "null": (b"null", "invalid_type", "it is null"),
}


@pytest.mark.parametrize(("body", "code", "fragment"), UNLOADABLE.values(), ids=UNLOADABLE)
def test_not_loaded(body: bytes, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_object(body)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, None, code)
    assert fragment in error.message
    assert len(error.message) < 300


def test_a_body_cut_anywhere_is_not_loaded() -> None:
    whole = '{"a": [1, {"b": "\u00e9\\u00e9"}], "c": -1.5e3, "d": null}'.encode()
    assert load_object(whole)
    for length in range(len(whole)):
        with pytest.raises(InvalidRequest):
            load_object(whole[:length])


WIDE: dict[str, Callable[[], dict[str, Any]]] = {
    "many-fields": lambda: {str(i): {} for i in range(100_000)},
    "many-items": lambda: {"a": [[] for _ in range(100_000)]},
    "a-long-string": lambda: {"a": "x" * 5_000_000},
}


@pytest.mark.parametrize("make", WIDE.values(), ids=WIDE)
def test_width_is_not_depth(make: Callable[[], dict[str, Any]]) -> None:
    value = make()
    assert load_object(json.dumps(value).encode()) == value
