"""``GET /docs``: everything of the document, and nothing foreign."""

import asyncio
import json
import shlex

from serving import Running, running
from test_first_page import Page, code

from bridge.web.endpoints import table
from bridge.web.openapi import document

DOCUMENT = document(table())
MAX_BYTES = 400_000


async def get_docs(server: Running, **headers: str) -> str:
    async with server.http.get(f"{server.url}/docs", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert response.headers["Cache-Control"] == "no-store"
        return await response.text()


async def test_it_holds_every_operation_and_every_schema(server: Running) -> None:
    source = await get_docs(server)
    page = Page(source)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    for endpoint in table():
        assert f"{endpoint.method} {endpoint.path}" in page.text
        assert endpoint.handler.__name__ in ids
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert f"schema-{name}" in ids
        for field, told in schema.get("properties", {}).items():
            assert field in page.text
            words = told.get("description", "").replace("`", "")
            assert "x-effect" in told or " ".join(words.split()) in page.text
    assert len(source.encode()) < MAX_BYTES


async def test_every_link_leads_to_something(server: Running) -> None:
    page = Page(await get_docs(server))
    ids = set(page.attributes("id"))
    for link in page.attributes("href"):
        assert link.removeprefix("#") in ids if link.startswith("#") else link.startswith("/")
    for target in (*page.attributes("aria-labelledby"), *page.attributes("data-copy")):
        assert target in ids


async def test_nothing_is_inline_and_nothing_comes_from_elsewhere(server: Running) -> None:
    page = Page(await get_docs(server))
    names = [tag for tag, _ in page.tags]
    assert {"header", "nav", "main", "footer", "h1"} <= set(names)
    assert names.count("h1") == 1
    assert "style" not in names
    assert all(attrs.get("src") for tag, attrs in page.tags if tag == "script")
    for _, attrs in page.tags:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
    for link in page.attributes("src", "href"):
        assert link.startswith(("/", "#"))
        assert not link.startswith("//")


async def test_a_curl_command_can_be_run(server: Running) -> None:
    command = code(await get_docs(server), "chat_completions-curl")
    argv = shlex.split(command.replace("\\\n", ""))
    assert argv[:2] == ["curl", f"{server.url}/v1/chat/completions"]
    process = await asyncio.create_subprocess_exec(
        *argv, "-sS", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert json.loads(out)["object"] == "chat.completion"


async def test_it_shows_the_host_that_was_asked_each_time(server: Running) -> None:
    port = server.url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}"):
        command = code(await get_docs(server, Host=host), "health-curl")
        assert command == f"curl http://{host}/health"


async def test_with_keys_it_is_open_and_shows_where_a_key_goes() -> None:
    key = "a-key-of-this-test"
    async with running(api_keys=(key,), pool_size=0) as server:
        source = await get_docs(server)
    assert key not in source
    assert '-H "Authorization: Bearer YOUR_KEY"' in code(source, "chat_completions-curl")
    assert "Authorization" not in code(source, "health-curl")
