"""What the application and its requests carry, by typed key."""

from typing import Any

from aiohttp import web

from bridge.claude.engine import Engine
from bridge.demo import DemoUpstream
from bridge.embeddings.engine import Embeddings
from bridge.sessions.manager import SessionManager
from bridge.settings import Settings
from bridge.web.endpoint import Endpoint
from bridge.web.keyring import Keyring, Principal
from bridge.web.ledger import Ledger
from bridge.web.requests import Entry, RequestLog
from bridge.web.stream import Patience

SETTINGS = web.AppKey("settings", Settings)
ENGINE = web.AppKey("engine", Engine)
SESSIONS = web.AppKey("sessions", SessionManager)
EMBEDDINGS = web.AppKey("embeddings", Embeddings)
DEMO = web.AppKey("demo", DemoUpstream)  # there only with --demo
KEYRING = web.AppKey("keyring", Keyring)
LEDGER = web.AppKey("ledger", Ledger)
REQUEST_LOG = web.AppKey("request_log", RequestLog)
STARTED_AT = web.AppKey("started_at", int)
ENDPOINTS = web.AppKey("endpoints", tuple[Endpoint, ...])
OPENAPI = web.AppKey("openapi", dict[str, Any])  # the document that describes the endpoints
PAGES = web.AppKey("pages", dict[str, str])  # those that were rendered once
OPEN_ROUTES = web.AppKey("open_routes", frozenset[web.AbstractRoute])  # they need no key
TEMPLATES = web.AppKey("templates", dict[web.AbstractRoute, str])  # the path in the table of each
TOLD = web.AppKey("told", set[str])  # the ignored fields that the log has told of
PATIENCE = web.AppKey("patience", Patience)

PRINCIPAL = web.RequestKey("principal", Principal)
REQUEST_ID = web.RequestKey("request_id", str)
ARRIVED = web.RequestKey("arrived", float)
ENTRY = web.RequestKey("entry", Entry)  # in the log of requests
DELIVERED = web.RequestKey("delivered", bool)  # all of a stream was sent
NOTES = web.RequestKey("notes", dict[str, Any])  # for the access log
