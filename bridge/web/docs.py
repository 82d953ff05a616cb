"""``GET /docs``: the OpenAPI document as a page for people."""

import asyncio
import html
import json
from collections.abc import Iterator
from typing import Any

import aiohttp_jinja2
from aiohttp import hdrs, web
from attrs import frozen

from bridge.web.keys import OPENAPI, PAGES, SETTINGS

_ORIGIN = "\ue000"  # a private character, which nothing else on the page has


@frozen(kw_only=True)
class Told:
    """An operation of the document, with where it stands."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def id(self) -> str:
        """Its name, which is also its place on the page."""
        name: str = self.operation["operationId"]
        return name

    @property
    def body(self) -> dict[str, Any] | None:
        """The request's body, if it has one: its schema and an example."""
        content: dict[str, Any] = self.operation.get("requestBody", {}).get("content", {})
        return content.get("application/json")

    @property
    def open(self) -> bool:
        """Whether it needs no key, on any server."""
        return self.operation.get("security") == []

    def example(self) -> str:
        """The example of the body."""
        return json.dumps(self.body["example"], indent=2) if self.body else ""

    def curl(self, origin: str, *, key: str | None) -> str:
        """A command that calls it, with the example."""
        path = self.path
        for parameter in self.operation.get("parameters", ()):
            path = path.replace(f"{{{parameter['name']}}}", str(parameter.get("example")))
        method = "" if self.method in {"GET", "POST"} else f"-X {self.method} "
        lines = [f"curl {method}{origin}{path}"]
        if key is not None and not self.open:
            lines.append(f'-H "Authorization: Bearer {key}"')
        if self.body is not None:
            quoted = self.example().replace("'", r"'\''")
            lines += ['-H "Content-Type: application/json"', f"-d '{quoted}'"]
        return " \\\n  ".join(lines)


async def docs(request: web.Request) -> web.Response:
    """``GET /docs``"""
    pages = request.app[PAGES]
    if "docs" not in pages:  # it takes some 40 ms, which no stream should wait for
        pages["docs"] = await asyncio.to_thread(_rendered, request.app)
    page = pages["docs"].replace(_ORIGIN, html.escape(f"{request.scheme}://{request.host}"))
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(text=page, content_type="text/html", headers=headers)


def _rendered(app: web.Application) -> str:
    api = app[OPENAPI]
    context = {
        "api": api,
        "groups": [
            (tag, [told for told in _operations(api) if tag["name"] in told.operation["tags"]])
            for tag in api["tags"]
        ],
        "origin": _ORIGIN,
        "key": "YOUR_KEY" if app[SETTINGS].api_keys else None,
    }
    return aiohttp_jinja2.get_env(app).get_template("docs.html").render(context)


def _operations(api: dict[str, Any]) -> Iterator[Told]:
    """The operations of the document, in its order."""
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield Told(method=method.upper(), path=path, operation=operation)
