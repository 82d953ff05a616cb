"""Which suites there are."""

from pathlib import Path

from attrs import frozen

CLIENTS = Path(__file__).resolve().parents[1]


@frozen(kw_only=True)
class Suite:
    """Tests of one client, in an environment of their own.

    ``folder`` holds the tests, and ``needs`` in it says what is installed: a file of requirements
    for Python, or ``package.json`` for Node.js. ``shows`` are the packages whose versions are told.
    """

    name: str
    folder: str
    needs: str
    shows: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The folder with the tests."""
        return CLIENTS / self.folder

    @property
    def is_node(self) -> bool:
        """Whether the tests are Node.js's, else they are Python's."""
        return self.needs == "package.json"

    @property
    def environment(self) -> Path:
        """Where the packages are installed; of a Node suite the place where Node looks for them."""
        return self.root / "node_modules" if self.is_node else CLIENTS / ".envs" / self.name


SUITES = (
    Suite(name="openai2", folder="openai_python", needs="openai2.txt", shows=("openai",)),
    Suite(name="openai3", folder="openai_python", needs="openai3.txt", shows=("openai",)),
    Suite(name="openai_node", folder="openai_node", needs="package.json", shows=("openai",)),
    Suite(
        name="langchain",
        folder="langchain",
        needs="requirements.txt",
        shows=("langchain-openai", "langchain-tests"),
    ),
    Suite(
        name="pydantic_ai",
        folder="pydantic_ai",
        needs="requirements.txt",
        shows=("pydantic-ai-slim",),
    ),
    Suite(
        name="openai_agents",
        folder="openai_agents",
        needs="requirements.txt",
        shows=("openai-agents",),
    ),
    Suite(name="instructor", folder="instructor", needs="requirements.txt", shows=("instructor",)),
    Suite(
        name="llama_index",
        folder="llama_index",
        needs="requirements.txt",
        shows=("llama-index-llms-openai-like", "llama-index-core"),
    ),
    Suite(name="litellm", folder="litellm", needs="requirements.txt", shows=("litellm",)),
    Suite(name="llm", folder="llm", needs="requirements.txt", shows=("llm",)),
    Suite(name="aider", folder="aider", needs="requirements.txt", shows=("aider-chat",)),
    Suite(
        name="ai_sdk",
        folder="ai_sdk",
        needs="package.json",
        shows=("ai", "@ai-sdk/openai", "@ai-sdk/openai-compatible"),
    ),
    Suite(
        name="anthropic1",
        folder="anthropic_python",
        needs="anthropic1.txt",
        shows=("anthropic",),
    ),
    Suite(
        name="anthropic2",
        folder="anthropic_python",
        needs="anthropic2.txt",
        shows=("anthropic",),
    ),
    Suite(
        name="anthropic_node",
        folder="anthropic_node",
        needs="package.json",
        shows=("@anthropic-ai/sdk", "anthropic-sdk-0"),
    ),
    Suite(
        name="langchain_anthropic",
        folder="langchain_anthropic",
        needs="requirements.txt",
        shows=("langchain-anthropic", "langchain-tests"),
    ),
    Suite(
        name="ai_sdk_anthropic",
        folder="ai_sdk_anthropic",
        needs="package.json",
        shows=("ai", "@ai-sdk/anthropic"),
    ),
    Suite(
        name="claude_code",
        folder="claude_code",
        needs="requirements.txt",
        shows=("claude-agent-sdk",),
    ),
)
