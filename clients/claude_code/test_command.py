"""``claude -p``: one command, with Claude Code's own tools."""

import json
import os
from pathlib import Path

import pytest
from asking import MODEL, asked, blocks
from conftest import Claude
from media import PNG

pytestmark = pytest.mark.timeout(180)  # it is a large program, to be started each time


@pytest.mark.parametrize("model", [MODEL, "haiku"])
def test_an_answer(claude: Claude, model: str) -> None:
    result = claude("[[say four words for you]]", "--model", model)[-1]
    assert result["result"] == "four words for you"
    assert (result["subtype"], result["is_error"]) == ("success", False)
    assert result["num_turns"] == 1
    assert result["stop_reason"] == "end_turn"
    assert result["usage"]["output_tokens"] >= 4
    ((used, usage),) = result["modelUsage"].items()
    assert model in used
    assert usage["outputTokens"] == result["usage"]["output_tokens"]
    assert usage["inputTokens"] + usage["cacheCreationInputTokens"] > 0


def test_the_events_of_a_stream(claude: Claude) -> None:
    lines = claude("[[words 30]]", "--include-partial-messages")
    events = [line["event"] for line in lines if line["type"] == "stream_event"]
    assert [event["type"] for event in events if event["type"] != "ping"] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 30,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert lines[-1]["result"].split() == [f"word{number}" for number in range(1, 31)]


def test_it_reads(claude: Claude, folder: Path) -> None:
    note = folder / "note.txt"
    note.write_text("The word is 4711.\n")
    lines = claude(asked("Read", file_path=str(note)))
    (call,) = blocks(lines, "tool_use")
    assert (call["name"], call["input"]) == ("Read", {"file_path": str(note)})
    assert "The word is 4711." in lines[-1]["result"]
    assert lines[-1]["num_turns"] == 2


def test_it_sees_what_it_reads(claude: Claude, folder: Path) -> None:
    picture = folder / "picture.png"
    picture.write_bytes(PNG)
    assert "image/png, 3x2 pixels" in claude(asked("Read", file_path=str(picture)))[-1]["result"]


def test_it_runs_a_command(claude: Claude, folder: Path) -> None:
    command = "echo $((6 * 7)) > made.txt && cat made.txt"
    lines = claude(asked("Bash", command=command), "--allowedTools", "Bash")
    assert (folder / "made.txt").read_text() == "42\n"
    assert "Bash returned: 42" in lines[-1]["result"]


def test_several_rounds(claude: Claude, folder: Path) -> None:
    """Each file says what to do next, as a task would."""
    program = folder / "program.py"
    program.write_text("print('[[say it works]]', 6 * 6)\n")
    plan = folder / "plan.txt"
    change = asked("Edit", file_path=str(program), old_string="6 * 6", new_string="6 * 7")
    plan.write_text(f"{asked('Read', file_path=str(program))}{change}")
    lines = claude(
        asked("Read", file_path=str(plan)) + asked("Bash", command="ls"),
        *("--allowedTools", "Bash", "Edit"),
    )
    made = [call["name"] for call in blocks(lines, "tool_use")]
    assert made == ["Read", "Bash", "Read", "Edit"]
    assert "6 * 7" in program.read_text()
    assert not any(result.get("is_error") for result in blocks(lines, "tool_result"))
    assert lines[-1]["num_turns"] >= 3


def test_it_writes(claude: Claude, folder: Path) -> None:
    path = folder / "new.txt"
    claude(
        asked("Write", file_path=str(path), content="line “one”\nline two\n"),
        *("--permission-mode", "acceptEdits"),
    )
    assert path.read_text() == "line “one”\nline two\n"


def test_what_it_may_not_do(claude: Claude, folder: Path) -> None:
    lines = claude(asked("Bash", command="touch made.txt"))
    assert not (folder / "made.txt").exists()
    assert [denied["tool_name"] for denied in lines[-1]["permission_denials"]] == ["Bash"]
    assert "Bash failed" in lines[-1]["result"]


def test_an_agent_below(claude: Claude) -> None:
    lines = claude(
        asked(
            "Agent",
            description="Ask below",
            prompt="[[say greetings from below]]",
            subagent_type="general-purpose",
            run_in_background=False,
        )
    )
    assert "greetings from below" in json.dumps(blocks(lines, "tool_result"))
    assert lines[-1]["is_error"] is False


def test_a_conversation(claude: Claude) -> None:
    first = claude("My name is Ada.")[-1]
    second = claude("What is my name?", "--resume", first["session_id"])[-1]
    assert second["result"] == "Your name is Ada."


def test_a_conversation_with_tools_and_thoughts(claude: Claude, folder: Path) -> None:
    note = folder / "note.txt"
    note.write_text("My name is Ada.\n")
    claude(f"My name is Ada. [[think of it]] {asked('Read', file_path=str(note))}")
    second = claude("[[think again]] What is my name?", "--continue")[-1]
    assert second["result"] == "Your name is Ada."


def test_a_thought(claude: Claude) -> None:
    lines = claude("[[think of four]] [[redacted]] [[say four]]")
    assert len(blocks(lines, "thinking")) == 1
    assert blocks(lines, "thinking")[0]["signature"]
    assert len(blocks(lines, "redacted_thinking")) == 1
    assert lines[-1]["result"] == "four"


def test_its_instructions(claude: Claude) -> None:
    said = claude("Hello", "--append-system-prompt", "Answer only with: certainly")[-1]
    assert said["result"] == "certainly"


def test_structured_output(claude: Claude) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["city", "people"],
    }
    value = {"city": "Rome", "people": 3}
    lines = claude(f"[[json {json.dumps(value)}]]", "--json-schema", json.dumps(schema))
    assert lines[-1]["structured_output"] == value


@pytest.mark.parametrize(("status", "said"), [(400, "not today"), (529, "529 Overloaded")])
def test_an_error(claude: Claude, status: int, said: str) -> None:
    result = claude(f"[[fail {status} not today]]")[-1]
    assert result["is_error"] is True
    assert result["api_error_status"] == status
    assert said in result["result"]


def test_a_model_that_does_not_exist(claude: Claude) -> None:
    result = claude("hi", "--model", "llama-3")[-1]
    assert result["is_error"] is True
    assert result["api_error_status"] == 404


def test_a_key(claude: Claude) -> None:
    keyed = {"ANTHROPIC_BASE_URL": os.environ["BRIDGE_KEYED_URL"].removesuffix("/v1")}
    key = os.environ["BRIDGE_KEY"]
    said = claude("[[say let in]]", **keyed, ANTHROPIC_API_KEY="", ANTHROPIC_AUTH_TOKEN=key)[-1]
    assert said["result"] == "let in"
    refused = claude("hi", **keyed, ANTHROPIC_API_KEY="other")[-1]
    assert refused["is_error"] is True
    assert refused["api_error_status"] == 401
