"""``POST /v1/embeddings``: texts in, vectors out."""

import asyncio

from aiohttp import web

from bridge.core.events import Usage
from bridge.dialects import openai_embeddings
from bridge.web.body import read_json_body
from bridge.web.keys import EMBEDDINGS, ENTRY, NOTES
from bridge.web.tally import Ended
from bridge.web.turns import DECODED_AT_ONCE, tell

ENCODED_AT_ONCE = 32 * 1024
"""Answers with more bytes of vectors are written beside the loop."""


async def embeddings(request: web.Request) -> web.Response:
    """``POST /v1/embeddings``"""
    body = await read_json_body(request)
    if len(body) > DECODED_AT_ONCE:
        asked = await asyncio.to_thread(openai_embeddings.decode, body)
    else:
        asked = openai_embeddings.decode(body)
    made = await request.app[EMBEDDINGS].embed(asked.texts)
    request[NOTES].update(model=made.model, tokens_in=made.tokens)
    request[ENTRY].add(Ended(model=made.model, usage=Usage(input_tokens=made.tokens)))
    headers: dict[str, str] = {}
    tell(request, headers, ignored=(*asked.ignored, *made.ignored))
    if sum(map(len, made.vectors)) > ENCODED_AT_ONCE:
        document = await asyncio.to_thread(
            openai_embeddings.render, made, in_base64=asked.in_base64
        )
    else:
        document = openai_embeddings.render(made, in_base64=asked.in_base64)
    return web.Response(body=document, content_type="application/json", headers=headers)
