"""Plain frozen values: what a conversation is, what a turn emits, what can go wrong.

Nothing here imports aiohttp, the SDK, JSON or another room, so every other room can speak these
values without knowing each other.
"""
