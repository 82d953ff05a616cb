"""The bridge: OpenAI's API, answered by Claude through the official Claude Agent SDK."""

from importlib.metadata import version

__version__ = version("claude-openai-bridge")
