"""The demo's loopback Messages API: a real socket, a deterministic model, everything remembered."""

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable

import attrs
from aiohttp import web

from bridge.demo import catalogue, model, reply, rules
from bridge.demo.cache import PromptCache, measure
from bridge.demo.conversation import read
from bridge.demo.delivery import Delivery
from bridge.demo.errors import ApiError, invalid
from bridge.demo.faults import Fault
from bridge.demo.parsing import parse
from bridge.demo.received import Received
from bridge.demo.wire import Envelope

_log = logging.getLogger(__name__)

_BODY_MAX = 32 * 1024 * 1024  # bytes, the documented limit of the Messages API
_REQUEST_ID = web.RequestKey("request_id", str)
_INSTEAD = {"refusal": reply.REFUSED, "empty": reply.EMPTY}
_TROUBLES = frozenset({"break", "stall", "stream_error"})

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.define(kw_only=True, eq=False)
class DemoUpstream:
    """A Messages API on a loopback port; start it, point a client at `url`, stop it.

    `pace` is the seconds between streamed deltas (0: none). `keep` is how many requests to remember
    (None: all). `context_tokens` is the window beyond which a prompt is refused. Every
    answer has the `headers`, too: the state of a plan, say. `hold` is awaited before each answer:
    no model is as fast as this one, and a client may count on that. `requests` holds every POST
    /v1/messages, oldest first, running ones included.
    """

    pace: float = 0.02
    keep: int | None = 200
    context_tokens: int = 200_000
    headers: dict[str, str] = attrs.field(factory=dict)
    hold: Callable[[], Awaitable[object]] | None = None
    requests: deque[Received] = attrs.field(init=False, repr=False)
    _faults: deque[Fault] = attrs.field(factory=deque, init=False, repr=False)
    _cache: PromptCache = attrs.field(factory=PromptCache, init=False, repr=False)
    _running: dict[Received, "asyncio.Task[object] | None"] = attrs.field(
        factory=dict, init=False, repr=False
    )
    _idle: asyncio.Event = attrs.field(factory=asyncio.Event, init=False, repr=False)
    _arrivals: set["asyncio.Future[Received]"] = attrs.field(factory=set, init=False, repr=False)
    _numbers: "itertools.count[int]" = attrs.field(
        factory=lambda: itertools.count(1), init=False, repr=False
    )
    _runner: web.AppRunner | None = attrs.field(default=None, init=False, repr=False)
    _url: str | None = attrs.field(default=None, init=False)

    @requests.default
    def _no_requests(self) -> deque[Received]:
        return deque(maxlen=self.keep)

    def __attrs_post_init__(self) -> None:
        self._idle.set()

    @property
    def url(self) -> str:
        """`http://HOST:PORT` without a path; RuntimeError when it is not started."""
        if self._url is None:
            raise RuntimeError("the demo upstream is not started")
        return self._url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listens on `host` and `port` (0: a free one); OSError when that is taken."""
        if self._runner is not None:
            raise RuntimeError("the demo upstream is already started")
        runner = web.AppRunner(
            self._application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except BaseException:
            await runner.cleanup()
            raise
        bound = runner.addresses[0][1]
        self._runner = runner
        self._url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Aborts what is running and closes the socket; nothing when it is not started."""
        runner, self._runner, self._url = self._runner, None, None
        if runner is None:
            return
        for task in self._running.values():
            if task is not None:
                task.cancel()
        await runner.cleanup()

    def fail_next(self, *faults: Fault) -> None:
        """Queues faults; each next POST /v1/messages takes one, valid or not."""
        self._faults.extend(faults)

    def clear(self) -> None:
        """Forgets the requests and the queued faults; running requests go on."""
        self.requests.clear()
        self._faults.clear()

    async def wait_idle(self, timeout: float | None = None) -> None:
        """Waits until no request is running; TimeoutError after `timeout` seconds (None: never)."""
        async with asyncio.timeout(timeout):
            await self._idle.wait()

    async def next_request(self, timeout: float | None = None) -> Received:
        """Waits for the next POST /v1/messages to arrive; TimeoutError after `timeout` seconds."""
        arrival: asyncio.Future[Received] = asyncio.get_running_loop().create_future()
        self._arrivals.add(arrival)
        try:
            async with asyncio.timeout(timeout):
                return await arrival
        finally:
            self._arrivals.discard(arrival)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_BODY_MAX, middlewares=[self._errors])
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{id}", self._model)
        app.router.add_route("*", "/{rest:.*}", _not_found)
        app.on_response_prepare.append(self._add_headers)
        return app

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.headers)

    @web.middleware
    async def _errors(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Gives every request its id, and every error the API's shape."""
        request_id = request[_REQUEST_ID] = f"req_demo{next(self._numbers):016d}"
        try:
            return await handler(request)
        except ApiError as error:
            found = error
        except web.HTTPException as error:
            found = ApiError.of(error.status, error.reason)
        except ConnectionError:
            raise
        except Exception:
            _log.exception("the demo upstream failed at %s %s", request.method, request.path)
            if request.writer.output_size:  # too late for a status
                raise
            found = ApiError.of(500)
        body = json.dumps(found.body(request_id))
        headers = {"request-id": request_id}
        return web.Response(
            status=found.status, text=body, content_type="application/json", headers=headers
        )

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        received = Received(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        self.requests.append(received)
        self._running[received] = asyncio.current_task()
        self._idle.clear()
        for arrival in self._arrivals:
            if not arrival.done():
                arrival.set_result(received)
        fault = self._faults.popleft() if self._faults else None
        try:
            return await self._answer(request, received, fault)
        except (asyncio.CancelledError, ConnectionError):
            received.end("aborted")
            raise
        finally:
            received.end("failed")
            del self._running[received]
            if not self._running:
                self._idle.set()

    async def _answer(
        self, request: web.Request, received: Received, fault: Fault | None
    ) -> web.StreamResponse:
        request_id = request[_REQUEST_ID]
        delivery = Delivery(
            request=request, received=received, request_id=request_id, pace=self.pace, trouble=None
        )
        try:
            raw = await _body(request)
            received.body = raw.decode(errors="replace")
            parsed = parse(raw)
            if isinstance(parsed, dict):
                received.body = parsed
            _raise_error(fault)
            _admit(request)
            body = rules.check(parsed, betas=_betas(request))
            prompt = measure(body)
            rules.check_length(prompt.tokens, self.context_tokens)
            conversation = read(body)
            faults = [*([fault] if fault else []), *conversation.directives.faults]
            waits = sum(found.seconds for found in faults if found.kind == "slow")
            main = next((found for found in faults if found.kind != "slow"), None)
            if self.hold is not None:
                await self.hold()
            if waits:
                await asyncio.sleep(waits)
            _raise_error(main)
            answer = model.respond(conversation, _INSTEAD.get(main.kind if main else ""))
        except RecursionError:
            return await delivery.refuse(invalid("The request body is nested too deeply"))
        except ApiError as error:
            return await delivery.refuse(error)
        if main and main.kind == "cut":
            answer = reply.cut(answer, main.after or 0)
        if main and main.kind in _TROUBLES:
            delivery = attrs.evolve(delivery, trouble=main)
        envelope = Envelope(
            id=f"msg_{request_id.removeprefix('req_')}", body=body, input=self._cache.use(prompt)
        )
        send = delivery.stream if body.get("stream") else delivery.whole
        return await send(answer, envelope)

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        raw = await _body(request)
        _admit(request)
        try:
            body = rules.check(parse(raw), counting=True, betas=_betas(request))
            tokens = measure(body).tokens
        except RecursionError:
            raise invalid("The request body is nested too deeply") from None
        return _json(request, {"input_tokens": tokens})

    async def _models(self, request: web.Request) -> web.StreamResponse:
        _admit(request)
        known = catalogue.models(self.context_tokens)
        ends = {"first_id": known[0]["id"], "last_id": known[-1]["id"]}
        return _json(request, {"data": known, "has_more": False, **ends})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        _admit(request)
        wanted = request.match_info["id"]
        for known in catalogue.models(self.context_tokens):
            if known["id"] == wanted:
                return _json(request, known)
        raise ApiError.of(404, f"model: {wanted}")


async def _not_found(request: web.Request) -> web.StreamResponse:
    raise ApiError.of(404, f"Not found: {request.method} {request.path}")


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError.of(413) from None


def _admit(request: web.Request) -> None:
    """Any key will do, but there must be one, and the version of the API."""
    bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
    if not (request.headers.get("x-api-key", "").strip() or bearer):
        raise ApiError.of(401, "x-api-key header is required")
    if not request.headers.get("anthropic-version", "").strip():
        raise invalid("anthropic-version: header is required")


def _betas(request: web.Request) -> frozenset[str]:
    given = ",".join(request.headers.getall("anthropic-beta", []))
    return frozenset(value.strip() for value in given.split(","))


def _raise_error(fault: Fault | None) -> None:
    if fault is not None and fault.kind == "error":
        raise ApiError(
            status=fault.status,
            type=fault.type,
            message=fault.message,
            retry_after=fault.retry_after,
        )


def _json(request: web.Request, value: object) -> web.Response:
    headers = {"request-id": request[_REQUEST_ID]}
    return web.json_response(value, headers=headers)
