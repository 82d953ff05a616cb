"""The one table of routes. Whatever lists endpoints reads it: the router, the key check, pages."""

from aiohttp import hdrs, web

from bridge.web import account, catalog, compatibility, counting, embeddings, pages, sessions, turns
from bridge.web.assets import static_folder
from bridge.web.endpoint import Endpoint
from bridge.web.keys import ENDPOINTS, OPEN_ROUTES


def table() -> tuple[Endpoint, ...]:
    """All endpoints, in the order in which a person meets them."""
    return (
        Endpoint(
            method=hdrs.METH_GET,
            path="/",
            summary="This server's first page",
            handler=pages.index,
            open=True,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/chat/completions",
            summary="Answer a conversation, whole or as a stream",
            handler=turns.chat_completions,
            bare=True,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/completions",
            summary="Go on with a text (OpenAI's older endpoint), whole or as a stream",
            handler=turns.completions,
            bare=True,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/messages",
            summary="Answer a conversation as Anthropic's Messages API does",
            handler=turns.messages,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/messages/count_tokens",
            summary="Count the tokens of a conversation, without answering it",
            handler=counting.count_tokens,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/embeddings",
            summary="Vectors of texts, by a model of this machine or of another server",
            handler=embeddings.embeddings,
            bare=True,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/compatibility",
            summary="Say what would become of a chat request, without answering it",
            handler=compatibility.compatibility,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions",
            summary="Your sessions: the conversations that were named with session_id",
            handler=sessions.list_sessions,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions/stats",
            summary="How many sessions and messages there are, and the server's processes",
            handler=sessions.session_stats,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions/{id}",
            summary="One session",
            handler=sessions.get_session,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/sessions/{id}/messages",
            summary="A session's messages",
            handler=sessions.session_messages,
        ),
        Endpoint(
            method=hdrs.METH_POST,
            path="/v1/sessions/{id}/fork",
            summary="A new session that begins with the history of another",
            handler=sessions.fork_session,
        ),
        Endpoint(
            method=hdrs.METH_DELETE,
            path="/v1/sessions/{id}",
            summary="Delete a session",
            handler=sessions.delete_session,
        ),
        Endpoint(
            method=hdrs.METH_DELETE,
            path="/v1/sessions",
            summary="Delete all your sessions",
            handler=sessions.delete_sessions,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/models",
            summary="The models that this login may use, and the names that lead to them",
            handler=catalog.list_models,
            bare=True,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/models/{id}",
            summary="One model",
            handler=catalog.get_model,
            bare=True,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/auth/status",
            summary="Whether Claude Code is logged in, and how; whether this server wants a key",
            handler=account.auth_status,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/v1/usage",
            summary="What your key has used since the server started, and the plan's quota",
            handler=account.usage,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/health",
            summary="Whether the server is up, what answers, and whether it is logged in",
            handler=catalog.health,
            open=True,
        ),
        Endpoint(
            method=hdrs.METH_GET,
            path="/version",
            summary="The server's version",
            handler=catalog.version,
        ),
    )


def register(app: web.Application) -> None:
    """Put the table, and the static files, into the application's router."""
    open_routes: set[web.AbstractRoute] = set()
    app[ENDPOINTS] = table()
    for endpoint in app[ENDPOINTS]:
        for path in endpoint.paths:
            routes = [app.router.add_route(endpoint.method, path, endpoint.handler)]
            if endpoint.method == hdrs.METH_GET:
                routes.append(app.router.add_route(hdrs.METH_HEAD, path, endpoint.handler))
            if endpoint.open:
                open_routes.update(routes)
    open_routes.update(app.router.add_static("/static", static_folder()))
    app[OPEN_ROUTES] = frozenset(open_routes)
