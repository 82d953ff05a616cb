"""``POST /v1/messages/count_tokens``: how many tokens a request would have."""

from aiohttp import web

from bridge.web.dialects import COUNT
from bridge.web.errors import json_response
from bridge.web.keys import ENGINE, SESSIONS
from bridge.web.turns import decoded, of_caller, tell


async def count_tokens(request: web.Request) -> web.Response:
    """The tokens of the prompt, the history of its session included; no model is called."""
    asked = await decoded(request, COUNT)
    turn = of_caller(request, asked.turns[0])
    if turn.session is not None:
        turn = request.app[SESSIONS].preview(turn)
    engine = request.app[ENGINE]
    preview = await engine.preview(turn)
    tokens = await engine.count_tokens(turn)
    headers: dict[str, str] = {}
    changed = (*asked.changed, *preview.changed)
    tell(request, headers, ignored=(*asked.ignored, *preview.ignored), changed=changed)
    return json_response({"input_tokens": tokens}, headers=headers)
