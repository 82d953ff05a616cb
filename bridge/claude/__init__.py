"""The only room that knows the Claude Agent SDK: its options, its process, its messages."""
