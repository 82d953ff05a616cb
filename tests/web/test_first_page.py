"""The first page: what it says in each state, and that nothing foreign can get into it."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
from serving import Running, running

from bridge import __version__
from bridge.settings import Settings
from bridge.web import pages
from bridge.web.app import build_app
from bridge.web.assets import static_folder
from bridge.web.endpoints import table
from bridge.web.lifecycle import bind, listen
from bridge.web.operations import GROUPS


class Page(HTMLParser):
    """The tags of a page, its text, and the texts of its elements with an id."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def attributes(self, *names: str) -> list[str]:
        return [attrs[n] or "" for _, attrs in self.tags for n in names if n in attrs]


async def get_page(server: Running, host: str | None = None) -> str:
    headers = {"Host": host} if host else {}
    async with server.http.get(server.url, headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert response.headers["Cache-Control"] == "no-store"
        return await response.text()


def code(source: str, element: str) -> str:
    """The text of the ``code`` element with this id, as a browser would copy it."""
    match = re.search(rf'<code id="{element}">(.*?)</code>', source, re.DOTALL)
    assert match is not None
    return html.unescape(re.sub(r"<[^>]+>", "", match[1]))


async def test_it_says_that_the_demo_model_answers(server: Running) -> None:
    page = Page(await get_page(server))
    assert "This is the demo model, not Claude" in page.text
    assert __version__ in page.text
    assert "not logged in" not in page.text.lower()


async def test_it_shows_the_base_url_of_the_host_that_was_asked(server: Running) -> None:
    source = await get_page(server)
    assert code(source, "base-url") == f"{server.url}/v1"
    port = server.url.rpartition(":")[2]
    assert code(await get_page(server, f"localhost:{port}"), "base-url") == (
        f"http://localhost:{port}/v1"
    )


async def test_the_curl_command_is_whole(server: Running) -> None:
    command = code(await get_page(server), "curl-code")
    first, *rest = command.splitlines()
    assert first == f"curl -N {server.url}/v1/chat/completions \\"
    assert rest[0] == '  -H "Content-Type: application/json" \\'
    assert "Authorization" not in command
    assert rest[-1].endswith("}'")


async def test_the_python_program_runs(server: Running) -> None:
    program = code(await get_page(server), "python-code")
    compile(program, "page", "exec")
    assert f'base_url="{server.url}/v1", api_key="unused"' in program


async def test_it_lists_every_endpoint(server: Running) -> None:
    page = Page(await get_page(server))
    listed = page.attributes("data-operation")
    assert listed == [e.id for group in GROUPS for e in table() if e.operation.group == group]
    assert len(listed) == len(table()) == len(set(listed))
    for endpoint in table():
        assert f"{endpoint.method} {endpoint.path}" in page.text
        assert f"#/try/{endpoint.id}" in page.attributes("href")


async def test_with_keys_it_shows_where_a_key_goes_and_never_the_key() -> None:
    key = "a-key-of-this-test"
    async with running(api_keys=(key,), pool_size=0) as server:
        source = await get_page(server)
        page = Page(source)
    assert key not in source
    assert '-H "Authorization: Bearer YOUR_KEY"' in code(source, "curl-code")
    assert 'api_key="YOUR_KEY"' in code(source, "python-code")
    assert "Required" in page.text


async def test_without_a_login_it_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(port=0, pool_size=0)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with bind(settings) as sock:
        listening = await listen(build_app(settings, environ=environ), sock)
        try:
            url = f"http://127.0.0.1:{listening.port}"
            async with aiohttp.ClientSession() as http, http.get(url) as response:
                page = Page(await response.text())
        finally:
            await listening.stop()
    assert "Claude Code is not logged in" in page.text
    assert "claude auth login" in page.text
    assert "ANTHROPIC_API_KEY" in page.text
    assert "bridge --demo" in page.text
    assert "This is the demo model" not in page.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "<script>alert(1)</script>",
        '127.0.0.1:"><script>alert(1)</script>',
        "127.0.0.1:8000'><img src=x onerror=alert(1)>",
        "127.0.0.1:{{ 7 * 7 }}",
    ],
)
async def test_a_hostile_host_gets_nothing_into_the_page(server: Running, host: str) -> None:
    async with server.http.get(server.url, headers={"Host": host}) as response:
        source = await response.text()
        if response.status != 200:
            assert response.status in {400, 403}
            assert response.content_type == "application/json"
            return
    assert code(source, "base-url") == f"http://{host}/v1"  # as text, neither tags nor template
    assert "<script>" not in source
    assert "<img src=x" not in source
    scripts = [attrs for tag, attrs in Page(source).tags if tag == "script"]
    assert [attrs.get("src", "") for attrs in scripts] == [
        f"/static/{name}?v={__version__}" for name in ("theme.js", "copy.js", "explorer/main.js")
    ]
    assert not [tag for tag, attrs in Page(source).tags if "onerror" in attrs]


async def test_nothing_is_inline_and_nothing_comes_from_elsewhere(server: Running) -> None:
    page = Page(await get_page(server))
    names = [tag for tag, _ in page.tags]
    assert "style" not in names
    assert all(attrs.get("src") for tag, attrs in page.tags if tag == "script")
    for _, attrs in page.tags:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
    for link in page.attributes("src", "href", "action", "data"):
        assert link.startswith(("/", "#"))
        assert not link.startswith("//")


async def test_it_can_be_used_without_seeing_it(server: Running) -> None:
    page = Page(await get_page(server))
    names = [tag for tag, _ in page.tags]
    assert {"header", "main", "footer", "h1"} <= set(names)
    assert names.count("h1") == 8  # one for each view, and for one that did not come; one is seen
    assert [attrs["lang"] for tag, attrs in page.tags if tag == "html"] == ["en"]
    assert "status" in page.attributes("role")
    buttons = [attrs for tag, attrs in page.tags if tag == "button" and "data-copy" in attrs]
    ids = page.attributes("id")
    assert len(buttons) >= 3
    assert len(ids) == len(set(ids))
    for attrs in buttons:
        assert (attrs["aria-label"] or "").startswith("Copy ")
        assert attrs["data-copy"] in ids
    for target in page.attributes("aria-labelledby", "aria-describedby", "for"):
        assert target in ids
    for tag, attrs in page.tags:
        if tag == "img":
            assert "alt" in attrs


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("style.css", {"text/css"}),
        ("copy.js", {"text/javascript", "application/javascript"}),
        ("explorer/main.js", {"text/javascript", "application/javascript"}),
        ("explorer/shell.css", {"text/css"}),
        ("favicon.svg", {"image/svg+xml"}),
    ],
)
async def test_the_assets_are_what_a_browser_accepts(
    server: Running, name: str, types: set[str]
) -> None:
    async with server.http.get(f"{server.url}/static/{name}") as response:
        assert response.status == 200
        assert response.content_type in types
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert await response.read() == (static_folder() / name).read_bytes()


async def test_every_asset_that_the_page_names_is_there(server: Running) -> None:
    page = Page(await get_page(server))
    assets = {a for a in page.attributes("src", "href") if a.startswith("/static/")}
    assert len(assets) >= 5
    for asset in assets:
        async with server.http.get(f"{server.url}{asset}") as response:
            assert response.status == 200


async def test_the_page_allows_only_its_own_scripts_and_styles(server: Running) -> None:
    async with aiohttp.ClientSession() as http, http.get(server.url) as response:
        policy = response.headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["img-src"] == "'self' data:"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == "'none'"


async def test_the_project_is_linked_to_where_the_package_names_its_home(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "project_url", lambda: "https://example.org/bridge")
    page = Page(await get_page(server))
    assert "https://example.org/bridge" in page.attributes("href")
