"""The one table of routes. Whatever lists endpoints reads it: the router, the key check, pages."""

from aiohttp import hdrs, web

from bridge.web import (
    account,
    catalog,
    compatibility,
    counting,
    docs,
    embeddings,
    operations,
    pages,
    sessions,
    turns,
)
from bridge.web.assets import static_file, static_files
from bridge.web.body import invited_later
from bridge.web.endpoint import Endpoint, Handler
from bridge.web.keys import ENDPOINTS, OPEN_ROUTES, OPENAPI, PAGES, TEMPLATES
from bridge.web.openapi import document


def table() -> tuple[Endpoint, ...]:
    """All endpoints, in the order in which a person meets them."""
    return (
        Endpoint(
            method=hdrs.METH_GET,
            path="/",
            summary="The explorer: a page on which all of this can be tried",
            handler=pages.index,
            open=True,
            operation=operations.PAGE,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/chat/completions",
            summary="Answer a conversation, whole or as a stream",
            handler=turns.chat_completions,
            bare=True,
            operation=operations.CHAT,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/completions",
            summary="Go on with a text (OpenAI's older endpoint), whole or as a stream",
            handler=turns.completions,
            bare=True,
            operation=operations.COMPLETIONS,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/messages",
            summary="Answer a conversation as Anthropic's Messages API does",
            handler=turns.messages,
            operation=operations.MESSAGES,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/messages/count_tokens",
            summary="Count the tokens of a conversation, without answering it",
            handler=counting.count_tokens,
            operation=operations.COUNT_TOKENS,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/embeddings",
            summary="Vectors of texts, by a model of this machine or of another server",
            handler=embeddings.embeddings,
            bare=True,
            operation=operations.EMBEDDINGS,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/compatibility",
            summary="Say what would become of a chat request, without answering it",
            handler=compatibility.compatibility,
            operation=operations.COMPATIBILITY,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions",
            summary="Your sessions: the conversations that were named with session_id",
            handler=sessions.list_sessions,
            operation=operations.LIST_SESSIONS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions/stats",
            summary="How many sessions and messages there are, and the server's processes",
            handler=sessions.session_stats,
            operation=operations.SESSION_STATS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions/{id}",
            summary="One session",
            handler=sessions.get_session,
            operation=operations.GET_SESSION,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions/{id}/messages",
            summary="A session's messages",
            handler=sessions.session_messages,
            operation=operations.SESSION_MESSAGES,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/sessions/{id}/fork",
            summary="A new session that begins with the history of another",
            handler=sessions.fork_session,
            operation=operations.FORK_SESSION,
        ),
        Endpoint(
            method=hdrs.METH_DELETE,
            path="/v1/sessions/{id}",
            summary="Delete a session",
            handler=sessions.delete_session,
            operation=operations.DELETE_SESSION,
        ),
        Endpoint(
            method=hdrs.METH_DELETE,
            path="/v1/sessions",
            summary="Delete all your sessions",
            handler=sessions.delete_sessions,
            operation=operations.DELETE_SESSIONS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/models",
            summary="The models that this login may use, and the names that lead to them",
            handler=catalog.list_models,
            bare=True,
            operation=operations.LIST_MODELS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/models/{id}",
            summary="One model",
            handler=catalog.get_model,
            bare=True,
            operation=operations.GET_MODEL,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/auth/status",
            summary="Whether Claude Code is logged in, and how; whether this server wants a key",
            handler=account.auth_status,
            operation=operations.AUTH_STATUS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/usage",
            summary="What your key has used since the server started, and the plan's quota",
            handler=account.usage,
            operation=operations.USAGE,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/usage/series",
            summary="What your key has used over time, by minute, hour or day",
            handler=account.usage_series,
            operation=operations.USAGE_SERIES,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/requests",
            summary="The last requests of your key",
            handler=account.list_requests,
            operation=operations.LIST_REQUESTS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/requests/{id}",
            summary="One of them",
            handler=account.get_request,
            operation=operations.GET_REQUEST,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/health",
            summary="Whether the server is up, what answers, and whether it is logged in",
            handler=catalog.health,
            open=True,
            operation=operations.HEALTH,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/version",
            summary="The server's version",
            handler=catalog.version,
            operation=operations.VERSION,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/docs",
            summary="All endpoints, with their fields, answers and errors",
            handler=docs.docs,
            open=True,
            operation=operations.DOCS,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/openapi.json",
            summary="The same as an OpenAPI 3.1 document",
            handler=pages.openapi_document,
            open=True,
            operation=operations.OPENAPI,
        ),
    )


def register(app: web.Application) -> None:
    """Put the table, and the static files, into the application's router."""
    open_routes: set[web.AbstractRoute] = set()

    templates: dict[web.AbstractRoute, str] = {}

    def add(method: str, path: str, handler: Handler, *, is_open: bool, template: str = "") -> None:
        for each in (method, hdrs.METH_HEAD) if method == hdrs.METH_GET else (method,):
            route = app.router.add_route(each, path, handler, expect_handler=invited_later)
            templates[route] = template or path
            if is_open:
                open_routes.add(route)

    endpoints = app[ENDPOINTS] = table()
    app[OPENAPI] = document(endpoints)
    app[PAGES] = {}
    for endpoint in endpoints:
        for path in endpoint.paths:
            add(
                endpoint.method,
                path,
                endpoint.handler,
                is_open=endpoint.open,
                template=endpoint.path,
            )
    for name in static_files():
        add(hdrs.METH_GET, f"/static/{name}", static_file, is_open=True)
    app[OPEN_ROUTES], app[TEMPLATES] = frozenset(open_routes), templates
