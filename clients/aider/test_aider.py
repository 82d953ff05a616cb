"""The real command changes files in a repository as the model says, commits, and converses."""

import base64
import json

import pytest
from conftest import GPT, SONNET, Aider, Repository
from media import PNG

WHOLE = """hello.py
```
print("hello to all")
```"""
DIFF = """hello.py
```python
<<<<<<< SEARCH
print("hello")
=======
print("hello to all")
>>>>>>> REPLACE
```

lib/words.py
```python
<<<<<<< SEARCH
=======
WORDS = ["hello"]
>>>>>>> REPLACE
```"""


def said(text: str) -> str:
    """Words that make the demo model say this."""
    return f"[[say {text}]]"


@pytest.mark.parametrize(
    ("model", "form", "stream"),
    [
        (SONNET, "whole", "--stream"),
        (GPT, "diff", "--no-stream"),
    ],
)
def test_an_edit(aider: Aider, repository: Repository, model: str, form: str, stream: str) -> None:
    """Its commit has the title that the weak model gives it, which is asked with the same words."""
    text = {"whole": WHOLE, "diff": DIFF}[form]
    told = aider(
        *(model, "--edit-format", form, stream, "--message", said(text), "hello.py"),
    )
    assert "Applied edit to hello.py" in told
    assert repository.read("hello.py") == 'print("hello to all")\n'
    if form == "diff":
        assert repository.read("lib/words.py") == 'WORDS = ["hello"]\n'
    title, *_ = repository.git("log", "-1", "--format=%B").split("\n\nCo-authored-by: aider")
    assert title == text
    assert repository.git("status", "--short", "--untracked-files=no") == ""
    assert repository.git("rev-list", "--count", "HEAD") == "2"


def test_a_commit_message(aider: Aider, repository: Repository) -> None:
    repository.write("hello.py", "# [[say docs: Say what is to be greeted]]\n")
    aider(SONNET, "--weak-model", GPT, "--commit")
    assert repository.git("log", "-1", "--format=%s") == "docs: Say what is to be greeted"


def test_what_a_check_says_is_told_to_the_model(aider: Aider, repository: Repository) -> None:
    """The first edit fails the check, which asks for another."""
    fix = WHOLE.replace("hello to all", "good day")
    repository.write("fix.txt", said(fix))
    check = "grep 'good day' hello.py || (cat fix.txt; exit 1)"
    aider(
        *(SONNET, "--edit-format", "whole", "--no-auto-commits", "--auto-test"),
        *("--test-cmd", check, "--message", said(WHOLE), "hello.py"),
    )
    assert repository.read("hello.py") == 'print("good day")\n'


@pytest.mark.parametrize("model", [SONNET, GPT])
def test_a_conversation(aider: Aider, model: str) -> None:
    lines = "My name is Ada.\nWhat is my name?\n[[echo]]\n"
    told = aider(model, "--chat-mode", "ask", "hello.py", stdin=lines)
    assert "Your name is Ada." in told
    heard = echoed(told)
    assert "expert code analyst" in "".join(heard["system"])
    spoken = json.dumps(heard["messages"])
    assert 'print(\\\\\\"hello\\\\\\")' in json.dumps(spoken)
    roles = [message["role"] for message in heard["messages"]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def echoed(told: str) -> dict:
    """The conversation that reached the model, as it told it."""
    (line,) = [line for line in told.splitlines() if line.startswith('{"system"')]
    return json.loads(line)


def test_a_long_conversation_is_summed_up(aider: Aider, repository: Repository) -> None:
    """By the weak model in the background, which here says what an earlier message asks for."""
    repository.write(".aider.chat.history.md", f"#### {said('that much was said')}\n\nOf course.\n")
    told = aider(
        *(SONNET, "--weak-model", GPT, "--restore-chat-history"),
        *("--max-chat-history-tokens", "1", "--message", "[[echo]]"),
    )
    texts = [part["text"] for message in echoed(told)["messages"] for part in message["content"]]
    (summary,) = [text for text in texts if text.startswith("I spoke to you previously")]
    assert summary.endswith("that much was said")
    assert "Of course." not in texts


def test_a_picture(aider: Aider, repository: Repository) -> None:
    (repository.root / "a.png").write_bytes(PNG)
    told = aider(SONNET, "--chat-mode", "ask", "--message", "[[echo]]", "a.png")
    (picture,) = [
        part
        for message in echoed(told)["messages"]
        for part in message["content"]
        if part["type"] == "image"
    ]
    assert picture["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(PNG).decode(),
    }


def test_reasoning_is_told_apart(aider: Aider, repository: Repository) -> None:
    told = aider(
        *(GPT, "--reasoning-effort", "high", "--no-auto-commits"),
        *("--message", f"Please think. {said(DIFF)}", "hello.py"),
    )
    thought, answer = told.split("► **ANSWER**")
    assert "► **THINKING**" in thought
    assert "The user said" in thought
    assert "hello.py" in answer
    assert repository.read("hello.py") == 'print("hello to all")\n'


def test_what_goes_wrong(aider: Aider) -> None:
    """A request that is refused does not end the program."""
    absent = "/model openai/no-such-model\nhi\n"
    lines = f"[[fail 400 not today]]\n/clear\n{absent}/clear\n/model {GPT}\n{said('still here')}\n"
    told = aider(SONNET, "--chat-mode", "ask", stdin=lines, fails=True)
    assert "litellm.BadRequestError: OpenAIException - not today" in told
    assert "litellm.NotFoundError: OpenAIException - The model 'no-such-model'" in told
    assert "\nstill here\n" in told


def test_a_conversation_that_is_too_long(aider: Aider) -> None:
    """The command tells what to do about it, if it understands what went wrong."""
    told = aider(
        *(SONNET, "--chat-mode", "ask"),
        *("--message", "[[fail 400 prompt is too long: 300000 tokens > 200000 maximum]]"),
    )
    assert "has hit a token limit" in told
