"""``POST /v1/compatibility``: what would become of a chat request, without answering it."""

import asyncio
from typing import Any

from aiohttp import web
from attrs import define, field

from bridge.claude.preview import Preview
from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError
from bridge.dialects import openai_chat
from bridge.sessions.session import check_id
from bridge.web.body import read_json_body
from bridge.web.errors import json_response
from bridge.web.keys import ENGINE, SESSIONS
from bridge.web.sessions import named_in_header
from bridge.web.turns import of_caller


async def compatibility(request: web.Request) -> web.Response:
    """``POST /v1/compatibility``

    The answer is made by the code that decides it for a real request; the model is not called. What
    the model's side may refuse is told as a forecast, in ``model_may_refuse``.
    """
    named = named_in_header(request)
    verdict = _Verdict(request, await read_json_body(request), named)
    await verdict.reach()
    return json_response(verdict.render())


@define
class _Verdict:
    """What would become of a request, found out step by step as a real one is taken."""

    _request: web.Request
    _body: bytes
    _named: str | None  # the session of the header
    _examined: openai_chat.Examined = field(init=False)
    _preview: Preview | None = field(default=None, init=False)
    _refused: dict[tuple[str | None, str], BridgeError] = field(factory=dict, init=False)

    async def reach(self) -> None:
        """Take the request again and again, each time without a field that its session refused."""
        without: frozenset[str] = frozenset()
        while True:
            self._examined = await asyncio.to_thread(
                openai_chat.examine, self._body, session=self._named, without=without
            )
            for error in self._examined.refused:
                self._refuse(error)
            if self._examined.asked is None:
                return
            try:
                turn = self._in_session(of_caller(self._request, self._examined.asked.turn))
                self._preview = await self._request.app[ENGINE].preview(turn)
            except BridgeError as error:
                self._refuse(error)
                name = openai_chat.field_of(error.param)
                if name in {*without, "model"} or name not in self._examined.sent:
                    return
                without |= {name}
            else:
                return

    def _refuse(self, error: BridgeError) -> None:
        self._refused.setdefault((error.param, error.message), error)

    def _in_session(self, turn: Turn) -> Turn:
        if turn.session is None:
            return turn
        check_id(turn.session, "session_id")
        return self._request.app[SESSIONS].preview(turn)

    def render(self) -> dict[str, Any]:
        """The verdict; each field that was sent has one place in it."""
        asked, preview = self._examined.asked, self._preview
        refused = list(self._refused.values())
        apart = {openai_chat.field_of(error.param) for error in refused}

        def placed(*names: tuple[str, ...]) -> list[str]:
            new = [name for each in names for name in each if name not in apart]
            apart.update(new)
            return list(dict.fromkeys(new))

        undecided = placed(self._examined.undecided)
        ignored = placed(asked.ignored if asked else (), preview.ignored if preview else ())
        changed = placed(asked.changed if asked else (), preview.changed if preview else ())
        neutral = placed(self._examined.neutral)
        may_refuse = preview.may_refuse if preview else ()
        return {
            "object": "compatibility",
            "endpoint": "/v1/chat/completions",
            "accepted": not refused,
            "model": {
                "asked": asked.turn.model if asked else None,
                "answers": preview.model if preview else None,
            },
            "honoured": placed(self._examined.sent) if asked else [],
            "neutral": neutral,
            "changed": changed,
            "ignored": ignored,
            "undecided": undecided if asked else placed(self._examined.sent),
            "refused": [
                {
                    "param": error.param,
                    "status": error.status,
                    "code": error.code,
                    "message": error.message,
                }
                for error in refused
            ],
            "model_may_refuse": [name for name in may_refuse if name not in ignored],
        }
