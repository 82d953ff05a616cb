"""Function calling with the real CLI: each step is one request, and the model sees what it was given.

The model is the demo's, which calls the functions that the messages say; its log is the witness.
"""

import asyncio
import base64
import contextlib
import io
import itertools
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from attrs import evolve
from claude_turns import OBJECT, asking, tool, tools, user
from clock import Clock
from PIL import Image as Picture
from serving import Running, running, until

from bridge.core.conversation import (
    Image,
    JsonOutput,
    LinkedImage,
    Message,
    Part,
    Sampling,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from bridge.core.errors import ContextLengthExceeded, UpstreamFault, WrongAnswer
from bridge.core.events import FinishReason, TurnFinished, TurnStarted
from bridge.core.fold import Completion, fold

FORCED = "claude-sonnet-4-5"
"""A model that can be forced to call a function."""

FREE = "claude-opus-5-5"
"""One that always thinks, and can't."""


class Talk:
    """A conversation with the engine; ``turn`` is the last one, with its answer."""

    _owners = itertools.count()

    def __init__(self, server: Running, **fields: Any) -> None:
        self.server = server
        fields = {"owner": f"owner {next(self._owners)}", "model": FORCED, **fields}
        self.turn = asking(**fields)
        self.turn = evolve(self.turn, messages=())
        self.live = False

    async def say(self, *parts: str | Part, **fields: Any) -> Completion:
        """The next step; ``fields`` are those of the turn that are others from now on."""
        return await self.send([user(*parts)], **fields)

    async def send(self, messages: Sequence[Message], **fields: Any) -> Completion:
        turn = evolve(self.turn, messages=(*self.turn.messages, *messages), **fields)
        events = [event async for event in self.server.engine.run(turn)]
        whole = fold(events)
        first, last = events[0], events[-1]
        assert isinstance(first, TurnStarted)
        assert isinstance(last, TurnFinished)
        self.live = first.live
        self.turn = evolve(turn, messages=(*turn.messages, last.message))
        return whole

    @property
    def calls(self) -> list[ToolCall]:
        """Those of the last answer that called."""
        for message in reversed(self.turn.messages):
            if calls := [part for part in message.parts if isinstance(part, ToolCall)]:
                return calls
        return []

    def results(self, *contents: Any) -> list[ToolResult]:
        """A result for each call, in words or in parts."""
        contents = contents or ("ok",) * len(self.calls)
        return [given(call.id, content) for call, content in zip(self.calls, contents, strict=True)]

    async def replayed(self) -> Any:
        """What reaches the model when a fresh process is told all of it, but for the last answer."""
        turn = evolve(
            self.turn, messages=self.turn.messages[:-1], owner=f"{self.turn.owner}, again"
        )
        events = [event async for event in self.server.engine.run(turn)]
        fold(events)
        assert isinstance(events[0], TurnStarted)
        assert not events[0].live
        return self.server.seen()[-1]


def given(call_id: str, content: Any) -> ToolResult:
    """A result: a text, texts and pictures, or a whole one that lacks the id."""
    if isinstance(content, ToolResult):
        return evolve(content, call_id=call_id)
    parts = [content] if isinstance(content, str) else content
    made = tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    return ToolResult(call_id=call_id, content=made)


def error(*parts: str) -> ToolResult:
    return evolve(given("", parts), is_error=True)


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Running]:
    async with running(pool_size=2) as server:
        yield server


@pytest.fixture
async def server(shared: Running) -> AsyncIterator[Running]:
    """A server that these tests share, with an empty log and nothing kept."""
    shared.upstream.clear()
    yield shared
    shared.engine.fleet.kept.end_all()


@pytest.fixture
def talk(server: Running) -> Talk:
    return Talk(server, tools=tools("f g"))


def waiting(server: Running) -> list[int]:
    return server.engine.processes()["waiting"]


async def nothing_goes_on(server: Running) -> None:
    """Nothing is running, kept or being ended; what is left is ready for others."""
    await until(lambda: not server.engine.processes()["running"])
    await server.engine.fleet.pool.settled()
    left = server.engine.processes()
    assert (left["running"], left["idle"], left["waiting"]) == ([], [], [])
    await server.upstream.wait_idle(10)


def bodies(server: Running) -> list[dict[str, Any]]:
    found = [received.body for received in server.upstream.requests]
    assert all(isinstance(body, dict) for body in found)
    return found  # type: ignore[return-value]


def said(server: Running) -> list[dict[str, Any]]:
    """The blocks of the last message that reached the model."""
    blocks: list[dict[str, Any]] = server.seen()[-1]["messages"][-1]["content"]
    return blocks


# -- one request for each step ---------------------------------------------------------------------


async def test_a_call_and_its_result_take_a_request_each(server: Running, talk: Talk) -> None:
    asked = await talk.say('[[call f {"a": 1}]]')
    assert asked.reason is FinishReason.TOOL_CALLS
    (call,) = talk.calls
    assert [(b.name, b.call_id, json.loads(b.text)) for b in asked.blocks] == [
        ("f", call.id, {"a": 1})
    ]
    assert len(waiting(server)) == 1
    pids = waiting(server)

    answered = await talk.say(*talk.results("sunny"))
    assert talk.live
    assert answered.reason is FinishReason.STOP
    assert "f returned: sunny" in answered.blocks[0].text
    assert server.engine.processes()["idle"] == pids
    assert waiting(server) == []

    assert (await talk.say("[[say bye]]")).blocks[0].text == "bye"
    assert talk.live
    assert len(server.upstream.requests) == 3
    assert len(set(server.processes())) == 1
    assert [body["stream"] for body in bodies(server)] == [True] * 3


ORDERS = {
    "in order": lambda results: [user(*results)],
    "in reverse": lambda results: [user(*reversed(results))],
    "in a message each, in reverse": lambda results: [user(result) for result in reversed(results)],
}


@pytest.mark.parametrize(
    ("count", "order"),
    [(2, "in order"), (2, "in reverse"), (16, "in a message each, in reverse")],
)
async def test_calls_at_once_take_one_request_and_their_results_another(
    server: Running, talk: Talk, order: str, count: int
) -> None:
    directives = [f'[[call {"fg"[n % 2]} {{"n": {n}}}]]' for n in range(count)]
    await talk.say("all of them", *directives)
    assert [call.arguments["n"] for call in talk.calls] == list(range(count))
    results = talk.results(*(f"result {n}" for n in range(count)))
    await talk.send(ORDERS[order](results))
    assert talk.live
    assert len(server.upstream.requests) == 2
    reached = said(server)
    by_id = {block["tool_use_id"]: block["content"][0]["text"] for block in reached}
    assert by_id == {call.id: f"result {n}" for n, call in enumerate(talk.calls)}
    assert server.seen()[-1] == await talk.replayed()
    assert len(set(server.processes())) == 2


async def test_ten_rounds_in_one_process(server: Running, talk: Talk) -> None:
    await talk.say('[[call f {"n": 0}]]')
    (pid,) = waiting(server)
    for number in range(1, 10):
        assert talk.calls[0].arguments == {"n": number - 1}
        await talk.say(*talk.results(f'[[call f {{"n": {number}}}]]'))
        assert talk.live
        assert waiting(server) == [pid]
    answer = await talk.say(*talk.results("[[say done]]"))
    assert answer.blocks[0].text == "done"
    assert server.engine.processes()["idle"] == [pid]
    assert len(server.upstream.requests) == 11
    assert len(set(server.processes())) == 1
    assert server.seen()[-1] == await talk.replayed()


async def test_words_stand_before_the_calls(server: Running, talk: Talk) -> None:
    asked = await talk.say("[[say let me see]] [[call f]] [[call g]]")
    assert [block.name or block.text for block in asked.blocks] == ["let me see", "f", "g"]
    await talk.say(*talk.results())
    assert talk.live
    assert server.seen()[-1] == await talk.replayed()


async def test_conversations_that_are_alike_do_not_get_each_others_results(server: Running) -> None:
    talks = [Talk(server, tools=tools("f"), owner="ada") for _ in range(3)]
    talks += [Talk(server, tools=tools("f"), owner="bob")]
    await asyncio.gather(*(talk.say("[[call f]]") for talk in talks))
    assert len({talk.calls[0].id for talk in talks}) == 1, "the demo gives like calls like ids"
    assert len(waiting(server)) == 4
    answers = await asyncio.gather(
        *(talk.say(*talk.results(f"for {n}")) for n, talk in enumerate(talks))
    )
    assert [f"f returned: for {n}" in a.blocks[0].text for n, a in enumerate(answers)] == [True] * 4
    assert all(talk.live for talk in talks)
    assert len(server.upstream.requests) == 8


# -- the functions ---------------------------------------------------------------------------------


async def test_the_model_sees_forty_functions_as_they_were_given(server: Running) -> None:
    schema = {
        "x-foo": {"b": [1, None, 1.5], "a": "\u2028 \u00e9 \U0001f642"},
        "type": "object",
        "$defs": {"n": {"type": "integer"}},
        "properties": {"z": {"$ref": "#/$defs/n"}, "a": {"default": {"y": 0, "x": 0}}},
        "additionalProperties": False,
    }
    given_tools = [
        tool(f"{'zyx'[n % 3]}_tool-{n}", schema, description=f"{n}: {'words ' * 1700}"[:10_000])
        for n in range(39)
    ]
    given_tools.insert(7, tool("bare", OBJECT))
    assert max(len(t.description or "") for t in given_tools) == 10_000
    expected = [
        {
            "name": t.name,
            **({"description": t.description} if t.description else {}),
            "input_schema": t.schema,
        }
        for t in given_tools
    ]
    talk = Talk(server, tools=tuple(given_tools))
    await talk.say('[[call bare]] [[call z_tool-9 {"z": 1}]]')
    await talk.say(*talk.results())
    assert talk.live
    for body in bodies(server):
        assert json.dumps(body["tools"]) == json.dumps(expected), "keys in their order, too"
        assert "tool_choice" not in body
    assert len(server.upstream.requests) == 2


OWN = ("Bash", "Task", "Agent", "Read", "Write", "StructuredOutput", "AskUserQuestion", "Skill")
OTHERS = ("mcp__client__f", "a" * 64, "-", "1", "constructor", "__proto__", "toString")


async def test_functions_are_the_clients_whatever_their_names(
    server: Running, tmp_path: Path
) -> None:
    names = OWN + OTHERS
    talk = Talk(server, tools=tuple(map(tool, names)))
    trace = tmp_path / "trace"
    arguments = json.dumps({"command": f"touch {trace}", "file_path": str(trace), "content": "x"})
    await talk.say(*(f"[[call {name} {arguments}]]" for name in names))
    assert [call.name for call in talk.calls] == list(names)
    await talk.say(*talk.results(*(f"of {name}" for name in names)))
    assert talk.live
    assert [block["content"][0]["text"] for block in said(server)] == [f"of {n}" for n in names]
    assert not any("is_error" in block for block in said(server))
    assert [d["name"] for d in bodies(server)[-1]["tools"]] == list(names)
    assert len(server.upstream.requests) == 2
    assert not trace.exists()


@pytest.mark.parametrize("beside", ["", "[[call f]]"], ids=["alone", "beside another one"])
async def test_a_call_of_a_function_that_was_not_offered_comes_through(
    server: Running, talk: Talk, beside: str
) -> None:
    asked = await talk.say(f'{beside} [[call nowhere {{"a": 1}}]]')
    assert asked.reason is FinishReason.TOOL_CALLS
    assert (talk.calls[-1].name, talk.calls[-1].arguments) == ("nowhere", {"a": 1})
    await nothing_goes_on(server)
    assert len(server.upstream.requests) == 1
    answer = await talk.say(*talk.results())
    assert not talk.live
    assert "nowhere returned: ok" in answer.blocks[0].text
    assert len(server.upstream.requests) == 2


async def test_a_turn_without_functions_reads_of_earlier_calls(server: Running, talk: Talk) -> None:
    await talk.say("[[call f]]")
    await talk.say(*talk.results("sunny"), tools=())
    assert not talk.live, "the process that has functions offers some"
    assert bodies(server)[-1]["tool_choice"] == {"type": "none"}
    assert [d["name"] for d in bodies(server)[-1]["tools"]] == ["f"]
    assert server.seen()[-1] == await talk.replayed()
    await talk.say("[[call g]]", tools=tools("f g h"))
    assert not talk.live, "it has no h"
    assert talk.calls[0].name == "g"
    assert len(server.upstream.requests) == 4


CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    # what is another thing when the results come, and whether the process goes on
    "nothing": ({}, True),
    "fewer functions": ({"tools": tools("f")}, True),
    "another definition": ({"tools": (tool("f", description="new"), tool("g"))}, True),
    "more functions": ({"tools": tools("f g h")}, False),
    "another model": ({"model": "claude-haiku-4-5"}, False),
    "another system prompt": ({"system": ("be kind",)}, False),
    "another temperature": ({"sampling": Sampling(temperature=0.25)}, True),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_may_change_while_calls_wait(server: Running, talk: Talk, change: str) -> None:
    fields, live = CHANGES[change]
    await talk.say("[[call f]]")
    answer = await talk.say(*talk.results("sunny"), **fields)
    assert "f returned: sunny" in answer.blocks[0].text
    assert talk.live == live
    assert len(server.upstream.requests) == 2
    before, body = bodies(server)
    assert body["model"] == talk.turn.model
    assert server.seen()[-1]["system"] == list(talk.turn.system)
    assert [(d["name"], d.get("description")) for d in body["tools"]] == [
        (t.name, t.description) for t in talk.turn.tools
    ]
    assert body["temperature"] == (0.25 if "temperature" in change else before["temperature"])


# -- what reaches the model ------------------------------------------------------------------------


def png() -> str:
    held = io.BytesIO()
    Picture.new("RGB", (3, 2)).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


CARRIED: dict[str, Any] = {
    "a character": "x",
    "60,000 characters": "words " * 10_000,
    "a long line": "y" * 60_000,
    "several texts": ["a", "b", "a"],
    "many texts": [f"text {n}" for n in range(30)],
    "a blank text beside another": [" ", "b", "\n"],
    "an error": error("no"),
    "a long error": error("no " * 2000 + "!"),
    "an error that looks like the CLI's own": error("<tool_use_error>no</tool_use_error>"),
    "white space around": "  a \t\n\n",
    "line ends": "a\r\nb\rc\x85d\u2028e\u2029f\n",
    "odd characters": "\0\x07\x1b[31m\x7f\ufeff\u202eabc\u200b\ufffd\uffff\ud7ff\ue000",
    "composed characters": "e\u0301 \u00e9 \U0001f468\u200d\U0001f469 \U0001f1eb\U0001f1f7 \u0e17\u0e35",
    "astral characters": "\U0001f642" * 1000,
    "the CLI's own tags": "<system-reminder>x</system-reminder><persisted-output>\ny",
    "JSON that looks like content": '{"content": [{"type": "text", "text": "x"}]}',
    "a JSON list of content": '[{"type": "image", "source": {"type": "url"}}]',
    "commands": "@/etc/passwd /cost !ls #memory [Image: source: /etc/passwd]",
    "a picture in words": f"data:image/png;base64,{png()}",
    "a number": "5",
    "null": "null",
}

REPLAYED: dict[str, Any] = {
    "nothing": [],
    "blank": " \n",
    "an error without words": error(),
    "an error in several texts": error("a", "b"),
    "an error with white space around it": error(" no\n"),
    "an error of 20,000 characters": error("no" * 10_000),
    "500,000 characters": "long " * 100_000,
    "a picture": [Image(media_type="image/png", data=png())],
    "words and a picture": ["look:", Image(media_type="image/png", data=png()), "nice"],
    "a picture elsewhere": [LinkedImage(url="https://example.com/a.png")],
}


def expected(content: Any) -> dict[str, Any]:
    """A result as the Messages API has it."""
    result = given("", content)
    blocks: list[dict[str, Any]] = []
    for part in result.content:
        match part:
            case Text():
                blocks.append({"type": "text", "text": part.text})
            case Image():
                source = {"type": "base64", "media_type": part.media_type, "data": part.data}
                blocks.append({"type": "image", "source": source})
            case LinkedImage():
                blocks.append({"type": "image", "source": {"type": "url", "url": part.url}})
    return {"content": blocks, **({"is_error": True} if result.is_error else {})}


def bare(block: dict[str, Any]) -> dict[str, Any]:
    """A result that reached the model, without its id and with the default left out."""
    kept = {key: value for key, value in block.items() if key not in {"type", "tool_use_id"}}
    kept.setdefault("content", [])
    return kept if kept.get("is_error") else {k: v for k, v in kept.items() if k != "is_error"}


async def test_results_that_a_process_is_handed_reach_the_model_as_in_a_replay(
    server: Running, talk: Talk
) -> None:
    await talk.say(*["[[call f]]"] * len(CARRIED))
    await talk.say(*talk.results(*CARRIED.values()))
    assert talk.live
    assert len(server.upstream.requests) == 2
    reached = server.seen()[-1]
    told = dict(zip(CARRIED, said(server), strict=True))
    for kind, content in CARRIED.items():
        assert bare(told[kind]) == expected(content), kind
    assert reached == await talk.replayed()


async def test_results_that_the_cli_would_change_reach_the_model_by_replay(
    server: Running, talk: Talk
) -> None:
    await talk.say(*["[[call f]]"] * len(REPLAYED), "[[call g]]")
    await talk.say(*talk.results(*REPLAYED.values(), "plain"))
    assert not talk.live
    told = dict(zip([*REPLAYED, "plain"], said(server), strict=True))
    for kind, content in {**REPLAYED, "plain": "plain"}.items():
        assert bare(told[kind]) == expected(content), kind
    assert len(server.upstream.requests) == 2


MEASURED: dict[str, Any] = {
    # The CLI counts in UTF-16, and takes U+FEFF for white space.
    "a text": "\U0001f642" * 260_000,
    "an error": error("\U0001f642" * 6000),
    "a text that is blank to it": "\ufeff",
    "an error with what is white space to it": error("\ufeffno"),
}


@pytest.mark.parametrize("kind", MEASURED)
async def test_a_result_is_measured_as_the_cli_does_it(
    server: Running, talk: Talk, kind: str
) -> None:
    await talk.say("[[call f]]")
    with contextlib.suppress(ContextLengthExceeded):
        await talk.say(*talk.results(MEASURED[kind]))
    assert bare(said(server)[0]) == expected(MEASURED[kind])


@pytest.mark.parametrize("place", ["before", "after"])
async def test_words_beside_the_results_reach_the_model_by_replay(
    server: Running, talk: Talk, place: str
) -> None:
    await talk.say("[[say let me see]] [[call f]]")
    results: list[Any] = talk.results("sunny")
    await talk.say(*([*results, "and now?"] if place == "after" else ["well", *results]))
    assert not talk.live
    assert [block["type"] for block in said(server)] == ["tool_result", "text"]
    assert len(server.upstream.requests) == 2


async def test_never_mind_the_calls(server: Running, talk: Talk) -> None:
    """Another end of the conversation: the process that waits is of no use to it."""
    await talk.say("[[say one]]")
    before = talk.turn
    await talk.say("[[call f]]")
    talk.turn = before
    assert (await talk.say("[[say two]]")).blocks[0].text == "two"
    assert not talk.live
    assert len(server.upstream.requests) == 3


# -- choices and sampling from step to step --------------------------------------------------------

ANY, NAMED = ToolChoice(required=True), ToolChoice(names=("g",), required=True)
ONE, NONE, SOME = ToolChoice(parallel=False), ToolChoice(names=()), ToolChoice(names=("g",))


async def test_a_choice_holds_for_its_step_alone(server: Running, talk: Talk) -> None:
    steps: list[tuple[ToolChoice, Any, str]] = [
        # the choice, what is sent upstream of it, the functions that are offered
        (NAMED, {"type": "tool", "name": "g"}, "g"),
        (ToolChoice(), None, "f g"),
        (ANY, {"type": "any"}, "f g"),
        (ONE, {"type": "auto", "disable_parallel_tool_use": True}, "f g"),
        (SOME, None, "g"),
        (NONE, {"type": "none"}, "f g"),
    ]
    content: Any = "hello"
    for number, (choice, sent, offered) in enumerate(steps):
        answer = await talk.say(
            *([content] if number == 0 else talk.results(*content)), tool_choice=choice
        )
        assert talk.live == (number > 0)
        body = bodies(server)[-1]
        assert body.get("tool_choice") == sent
        assert " ".join(d["name"] for d in body["tools"]) == offered
        if choice is NONE:
            assert answer.reason is FinishReason.STOP
            break
        content = ["[[call g]]"] * len(talk.calls)
    assert len(server.upstream.requests) == len(steps)
    assert len(set(server.processes())) == 1


async def test_one_call_at_a_time(server: Running, talk: Talk) -> None:
    await talk.say("[[call f]] [[call g]]", tool_choice=ONE)
    assert [call.name for call in talk.calls] == ["f"]


SAMPLINGS: list[tuple[Sampling, dict[str, Any]]] = [
    (
        Sampling(temperature=0.25, max_tokens=100, stop=("###",)),
        {"temperature": 0.25, "max_tokens": 100, "stop_sequences": ["###"]},
    ),
    (Sampling(), {}),
    (Sampling(temperature=0.0, max_tokens=70), {"temperature": 0.0, "max_tokens": 70}),
    (Sampling(top_p=0.5), {"top_p": 0.5, "temperature": None}),  # else it is 1 by itself
]


def sampling_of(body: dict[str, Any]) -> dict[str, Any]:
    keys = ("temperature", "top_p", "max_tokens", "stop_sequences")
    return {key: body[key] for key in keys if key in body}


async def test_sampling_holds_for_its_step_alone(server: Running, talk: Talk) -> None:
    await talk.say("[[call f]]")
    usual = sampling_of(bodies(server)[-1])
    for sampling, sent in SAMPLINGS:
        await talk.say(*talk.results("[[call f]]"), sampling=sampling)
        # in mid turn Claude Code does not take its temperature back: that is replayed
        assert talk.live is (None not in sent.values())
        expected = {key: value for key, value in (usual | sent).items() if value is not None}
        assert sampling_of(bodies(server)[-1]) == expected
    assert len(server.upstream.requests) == 1 + len(SAMPLINGS)


async def test_a_model_that_can_not_be_forced_is_told(server: Running, talk: Talk) -> None:
    await talk.say("hello", model=FREE, tool_choice=NAMED)
    assert [call.name for call in talk.calls] == ["g"]
    assert "tool_choice" not in bodies(server)[-1]
    await talk.say(*talk.results("sunny"), tool_choice=ToolChoice())
    assert talk.live
    assert [d.get("description") for d in bodies(server)[-1]["tools"]] == [None, None]
    assert len(server.upstream.requests) == 2


@pytest.mark.parametrize("model", [FORCED, FREE])
async def test_words_where_a_call_must_be_are_no_answer(
    server: Running, talk: Talk, model: str
) -> None:
    with pytest.raises(WrongAnswer) as caught:
        await talk.say("[[say no]]", model=model, tool_choice=ANY)
    assert caught.value.code == "tool_not_called"
    await nothing_goes_on(server)
    assert len(server.upstream.requests) == 1


# -- answers in JSON -------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
JSON = JsonOutput(schema=SCHEMA)


@pytest.mark.parametrize("model", [FORCED, FREE])
async def test_an_answer_in_json_takes_one_request(server: Running, model: str) -> None:
    talk = Talk(server, model=model, output=JSON)
    answer = await talk.say('[[json {"n": 1}]]')
    assert answer.reason is FinishReason.STOP
    assert [json.loads(block.text) for block in answer.blocks] == [{"n": 1}]
    await nothing_goes_on(server)
    assert len(server.upstream.requests) == 1
    assert (await talk.say("[[say and in words]]", output=None)).blocks[0].text == "and in words"
    assert not talk.live
    assert [block["type"] for block in server.seen()[-1]["messages"][1]["content"]] == ["text"]
    assert len(server.upstream.requests) == 2


@pytest.mark.parametrize("beside", ["", "[[say let me see]]"], ids=["", "with words"])
async def test_a_call_on_the_way_to_json(server: Running, talk: Talk, beside: str) -> None:
    asked = await talk.say(f"{beside} [[call f]]", output=JSON)
    assert [block.name for block in asked.blocks] == ["f"]
    answer = await talk.say(*talk.results('{"n": 5}'))
    assert isinstance(json.loads(answer.blocks[0].text)["n"], int)
    assert len(server.upstream.requests) == 2
    assert server.seen()[-1] == await talk.replayed()


# -- what goes wrong -------------------------------------------------------------------------------


async def test_arguments_that_are_no_json_are_an_error(server: Running, talk: Talk) -> None:
    with pytest.raises(UpstreamFault) as caught:
        await talk.say("[[call f]] [[call-raw f {a: 1]]")
    assert caught.value.code == "bad_arguments"
    await nothing_goes_on(server)
    assert len(server.upstream.requests) == 1


async def test_a_call_that_is_cut_is_not_waited_for(server: Running, talk: Talk) -> None:
    asked = await talk.say('[[cut 2]] [[call f {"city": "New York"}]]')
    assert asked.reason is FinishReason.LENGTH
    assert talk.calls == []
    await nothing_goes_on(server)
    assert len(server.upstream.requests) == 1


@pytest.mark.parametrize("noticed", [True, False])
async def test_results_for_a_process_that_died_are_replayed(
    server: Running, talk: Talk, noticed: bool
) -> None:
    await talk.say("[[call f]] [[call g]]")
    (pid,) = waiting(server)
    os.kill(pid, 9)
    if noticed:
        await until(lambda: not waiting(server))
    answer = await talk.say(*talk.results("sunny", "noon"))
    assert not talk.live
    assert "f returned: sunny" in answer.blocks[0].text
    assert len(server.upstream.requests) == 2


@pytest.fixture
def clock(server: Running, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(server.engine.fleet, "clock", made)
    monkeypatch.setattr(server.engine.fleet.kept, "clock", made)
    monkeypatch.setattr(server.engine.fleet, "last_turn", made.now)
    return made


async def test_who_waits_for_too_long_is_ended_and_the_results_are_replayed(
    server: Running, talk: Talk, clock: Clock
) -> None:
    limits = server.engine.limits
    assert limits.process_idle < limits.tool_wait
    idle = Talk(server)
    await idle.say("[[say hi]]")
    await talk.say("[[call f]]")
    (pid,) = waiting(server)
    process = psutil.Process(pid)
    for passed, left in ((limits.process_idle, (0, 1)), (limits.tool_wait - 1, (0, 1))):
        clock.now = 1000.0 + passed
        server.engine.sweep()
        states = server.engine.processes()
        assert (len(states["idle"]), len(states["waiting"])) == left
    clock.now = 1000.0 + limits.tool_wait
    server.engine.sweep()
    await nothing_goes_on(server)
    assert not process.is_running()
    assert len(server.upstream.requests) == 2
    assert "f returned: sunny" in (await talk.say(*talk.results("sunny"))).blocks[0].text
    assert not talk.live
    assert len(server.upstream.requests) == 3


async def test_a_conversation_that_is_released_waits_no_more(server: Running) -> None:
    talk = Talk(server, tools=tools("f"), session="one")
    await talk.say("[[call f]]")
    (pid,) = waiting(server)
    process = psutil.Process(pid)
    assert server.engine.holds(talk.turn.owner, "one")
    server.engine.release(talk.turn.owner, "one")
    assert not server.engine.holds(talk.turn.owner, "one")
    await nothing_goes_on(server)
    assert not process.is_running()
    assert len(server.upstream.requests) == 1
    assert "f returned: ok" in (await talk.say(*talk.results())).blocks[0].text
    assert not talk.live
    assert len(server.upstream.requests) == 2


async def test_who_may_not_wait_does_not(
    server: Running, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.engine.fleet, "limits", evolve(server.engine.limits, tool_wait=0.0))
    await talk.say("[[call f]]")
    await nothing_goes_on(server)
    await talk.say(*talk.results())
    assert not talk.live
    assert len(server.upstream.requests) == 2
    assert len(server.engine.processes()["idle"]) == 1, "who has nothing to wait for is kept"


async def test_calls_that_wait_end_with_the_server() -> None:
    async with running(pool_size=0) as server:
        talk = Talk(server, tools=tools("f g"))
        other = Talk(server, tools=tools("f"), session="one")
        await asyncio.gather(talk.say("[[call f]] [[call g]]"), other.say("[[call f]]"))
        processes = [psutil.Process(pid) for pid in waiting(server)]
        assert len(processes) == 2
        seen = list(server.upstream.requests)
    assert not any(process.is_running() for process in processes)
    assert len(server.upstream.requests) == len(seen) == 2
    assert [received.state for received in seen] == ["answered"] * 2


async def test_when_the_server_stops_nobody_waits(server: Running) -> None:
    """The turn that ends with a call while the server stops is not kept."""
    async with running(pool_size=0) as stopping:
        talk = Talk(stopping, tools=tools("f"))
        async with stopping.next_request() as arrival:
            asking_ = asyncio.create_task(talk.say("[[slow .2]] [[call f]]"))
            await arrival
            await stopping.engine.stop_turns()
            with pytest.raises(Exception, match="shutting down"):
                await asking_
        assert waiting(stopping) == []
        assert len(stopping.upstream.requests) == 1
