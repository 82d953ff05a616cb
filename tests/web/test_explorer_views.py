"""The explorer's sessions, usage and requests in a real browser."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from browser import Tab, needs_chromium, tab_of
from playwright.async_api import Browser, Locator, Route, expect
from serving import Running, new_id, running, said

from bridge.dialects.frames import dumps

pytestmark = needs_chromium

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> {{ 7*7 }} \u202e'
SPANS = {  # and the times below a plot of it
    "hour": r"\d\d:\d[05] [AP]M",
    "day": r"\d\d:00 [AP]M",
    "week": r"\w{3} \d+",
    "quarter": r"\w{3} \d+",
}
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def tab(browser: Browser) -> AsyncIterator[Tab]:
    async with tab_of(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
async def used() -> AsyncIterator[Running]:
    """A server that has something to tell, all of it of the same minute."""
    minute = time.time() // 60 * 60
    async with running(pool_size=1, clock=lambda: minute + 30) as server:
        await server.ask("[[words 5]]", session_id="ada")
        await server.ask("[[words 5]]", session_id="bob", model="haiku")
        await server.ask("[[fail 529]]")
        yield server


def about(tab: Tab, name: str) -> Locator:
    """A figure of the session that is open."""
    return tab.page.locator("#session-facts div").filter(has_text=name).locator("dd")


async def test_a_session_is_found_read_forked_and_deleted(used: Running, tab: Tab) -> None:
    page = tab.page
    await page.goto(f"{used.url}/#/sessions")
    await page.get_by_role("searchbox", name="Filter").fill("ad live")
    await expect(page.locator(".session")).to_have_count(1)
    await expect(page).to_have_url(f"{used.url}/#/sessions?q=ad+live")
    await page.locator(".session").click()
    await expect(page.get_by_role("heading", name="ada")).to_be_focused()
    await expect(page.locator("#session-messages > li")).to_have_count(2)
    await expect(page.locator("#session-messages")).to_contain_text("word1 word2 word3 word4 word5")
    await expect(about(tab, "Messages")).to_have_text("2")
    await expect(page.get_by_role("link", name="Go on with it")).to_have_attribute(
        "href", "#/chat?session=ada"
    )

    await page.get_by_role("button", name="Fork").click()
    await expect(page.locator("#session-title")).to_contain_text("session-")
    fork = await page.locator("#session-title").inner_text()
    assert len(await used.messages(fork)) == 2

    await page.get_by_role("button", name="Delete", exact=True).click()
    asked = page.get_by_role("dialog", name="Delete this session?")
    await asked.get_by_role("button", name="Cancel").click()
    assert len(await used.messages(fork)) == 2
    await page.get_by_role("button", name="Delete", exact=True).click()
    await asked.get_by_role("button", name="Delete it").click()
    await expect(page.get_by_text("Choose a session to read it.")).to_be_visible()
    assert (await used.rest("GET", f"/{fork}")).status == 404
    assert tab.complaints == []


async def test_the_list_follows_and_tells_what_is_there_no_more(used: Running, tab: Tab) -> None:
    id_ = new_id()
    await used.ask("[[words 5]]", session_id=id_)
    await tab.page.clock.install()
    await tab.page.goto(f"{used.url}/#/sessions/{id_}", wait_until="networkidle")
    await expect(tab.page.locator("#session-messages > li")).to_have_count(2)
    await used.ask("[[say and more]]", session_id=id_)
    await tab.page.clock.run_for(6_000)
    await expect(tab.page.locator("#session-messages > li")).to_have_count(4)
    await used.rest("DELETE", f"/{id_}")
    await tab.page.clock.run_for(6_000)
    await expect(tab.page.get_by_text("There is no session of this name any more")).to_be_visible()


async def test_a_session_that_comes_later_or_again_is_shown(used: Running, tab: Tab) -> None:
    id_ = new_id()
    page = tab.page
    missing = page.get_by_text("There is no session of this name any more")
    await page.clock.install()
    await page.goto(f"{used.url}/#/sessions/{id_}", wait_until="networkidle")
    for _ in range(2):
        await expect(missing).to_be_visible()
        await used.ask("[[words 5]]", session_id=id_)
        await page.clock.run_for(6_000)
        await expect(page.locator("#session-title")).to_have_text(id_)
        await expect(page.locator("#session-messages > li")).to_have_count(2)
        await expect(about(tab, "Messages")).to_have_text("2")
        await expect(missing).to_have_count(0)
        await used.rest("DELETE", f"/{id_}")
        await page.clock.run_for(6_000)
    await expect(missing).to_be_visible()
    assert tab.complaints == []


async def test_deleting_all_asks_first(browser: Browser) -> None:
    async with running() as server, tab_of(browser) as tab:
        for name in ("one", "two"):
            await server.ask("[[words 5]]", session_id=name)
        await tab.page.goto(f"{server.url}/#/sessions")
        await expect(tab.page.locator(".session")).to_have_count(2)
        await tab.page.get_by_role("button", name="Delete all").click()
        asked = tab.page.get_by_role("dialog", name="Delete all sessions?")
        await expect(asked).to_contain_text("2 sessions")
        await asked.get_by_role("button", name="Delete all").click()
        await expect(tab.page.get_by_text("No sessions yet")).to_be_visible()
        assert (await server.rest("GET", "")).data["total"] == 0
        assert tab.complaints == []


async def test_words_of_a_session_stay_words(used: Running, tab: Tab) -> None:
    name = f"{HOSTILE[:200]}"
    call = f"[[call look {dumps({'x': HOSTILE}).decode()}]]"
    first = await used.ask(f"{HOSTILE} {call}", session_id=name, tools=[TOOL])
    assert first.finish_reason == "tool_calls"
    result = {
        "role": "tool",
        "tool_call_id": first.message["tool_calls"][0]["id"],
        "content": f"{HOSTILE} {'x' * 1_000_000} end",
    }
    assert (await used.ask([result], session_id=name, tools=[TOOL])).status == 200
    page = tab.page
    await page.goto(f"{used.url}/#/sessions")
    await page.locator(".session").filter(has_text="onerror").click()
    await expect(page.locator("#session-title")).to_have_text(name.replace("\u202e", r"\u202E"))
    messages = page.locator("#session-messages > li")
    await expect(messages).to_have_count(4)
    await expect(messages.nth(1)).to_contain_text("onerror")
    await expect(messages.nth(2)).not_to_contain_text("end")
    await messages.nth(2).get_by_role("button", name="Show all").click()
    await expect(messages.nth(2)).to_contain_text("end")
    for view in ("usage", "requests"):
        await page.goto(f"{used.url}/#/{view}")
        links = page.locator(f"#view-{view} .session-link")
        await expect(links.filter(has_text="onerror").first).to_be_visible()
    assert await page.locator("main img[src=x], main script").count() == 0
    assert (await page.title()).startswith("Requests")
    assert tab.asked_only(used.url)
    assert tab.complaints == []


async def test_a_name_turns_no_text_around(browser: Browser) -> None:
    async with running() as server, tab_of(browser) as tab:
        await server.ask("[[words 5]]", session_id="ada\u202e\U000e0001")
        page = tab.page
        told = r"ada\u202E\u{E0001}"
        for view in ("usage", "requests"):
            await page.goto(f"{server.url}/#/{view}")
            link = page.locator(f"#view-{view} .session-link")
            await expect(link).to_have_text(told)
            await expect(link).to_have_css("unicode-bidi", "isolate")
        await link.click()
        await expect(page.locator("#session-title")).to_have_text(told)
        await expect(page.locator(".session-name")).to_have_text(told)
        await page.get_by_role("button", name="Delete", exact=True).click()
        asked = page.get_by_role("dialog", name="Delete this session?")
        await expect(asked).to_contain_text(f"“{told}” and its messages")
        await asked.get_by_role("button", name="Delete it").click()
        await expect(page.get_by_text("No sessions yet")).to_be_visible()
        assert (await server.rest("GET", "")).data["total"] == 0
        assert tab.complaints == []


async def test_usage_is_plotted_told_and_in_a_table(used: Running, tab: Tab) -> None:
    page = tab.page
    await page.goto(f"{used.url}/#/usage")
    await expect(page.get_by_role("listitem").filter(has_text="claude-haiku")).to_be_visible()
    plots = page.locator(".plot")
    await expect(plots).to_have_count(4)
    for number, title in enumerate(("Requests", "Tokens", "Cost", "Time to first token")):
        await expect(plots.nth(number)).to_contain_text(title)
        await expect(plots.nth(number).locator("[class*=-of-plot]").first).to_be_attached()
    for number in range(2):
        levels = await plots.nth(number).locator(".mark-y").all_text_contents()
        assert [one for one in levels if not re.fullmatch(r"[\d,]+|[\d.]+K", one)] == []
    canvas = plots.first.get_by_role("img")
    await canvas.focus()
    await page.keyboard.press("End")
    await expect(plots.first.get_by_role("status")).to_contain_text("claude-sonnet-4-5")
    await expect(plots.first.locator(".tip")).to_contain_text("In all")
    await page.keyboard.press("Escape")
    await expect(plots.first.locator(".tip")).to_be_hidden()
    box = await canvas.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    await expect(plots.first.locator(".tip")).to_contain_text("claude-haiku")

    await page.get_by_text("The figures as a table").click()
    rows = page.locator("#usage-table tbody tr")
    await expect(rows.filter(has_text="claude-haiku").first).to_be_visible()
    sums = page.locator("#usage-models tbody tr")
    await expect(sums.last).to_contain_text("All")
    total = (await used.http.get(f"{used.url}/v1/usage")).json()
    await expect(sums.last.locator("td").first).to_have_text(
        str((await total)["total"]["requests"])
    )
    await expect(page.locator("#usage-sessions").get_by_role("link", name="ada")).to_be_visible()

    await page.get_by_text("Week").click()
    await expect(page).to_have_url(f"{used.url}/#/usage?span=week")
    await expect(plots.first.locator("rect[class*=series-1]").first).to_be_attached()
    assert tab.complaints == []


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
async def test_plots_have_times_below_wherever_the_reader_is(
    used: Running, browser: Browser, zone: str
) -> None:
    async with tab_of(browser, timezone_id=zone) as tab:
        page = tab.page
        for span, mark in SPANS.items():
            await page.goto("about:blank")
            await page.goto(f"{used.url}/#/usage?span={span}")
            for number in range(4):
                marks = page.locator(".plot").nth(number).locator(".mark-x")
                await expect(marks.nth(1)).to_be_attached()
                told = await marks.all_text_contents()
                assert [one for one in told if not re.fullmatch(mark, one)] == []
        today = datetime.now(UTC)
        await page.get_by_text("The figures as a table").click()
        newest = page.locator("#usage-table tbody tr").first
        await expect(newest.locator("th")).to_have_text(f"{today:%b} {today.day}")
        assert tab.complaints == []


async def test_a_span_is_never_told_with_the_figures_of_another(used: Running, tab: Tab) -> None:
    page = tab.page

    async def late(route: Route) -> None:
        await asyncio.sleep(0.4)
        await route.continue_()

    await page.goto(f"{used.url}/#/usage", wait_until="networkidle")
    await page.get_by_text("The figures as a table").click()
    await page.route("**/v1/usage/**", late)
    told = page.locator("#usage-table")
    await told.evaluate(
        """(table) => {
          const look = () => { window.wrong ||= table.textContent.includes("Nothing was asked"); };
          new MutationObserver(look).observe(table, { childList: true, subtree: true });
        }"""
    )
    await page.get_by_label("Hour").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    today = datetime.now(UTC)
    name = f"{today:%b} {today.day}"
    await expect(told.locator("tbody th").first).to_have_text(name, timeout=3_000)
    assert not await page.evaluate("window.wrong")
    assert tab.complaints == []


async def test_what_is_not_told_yet_is_loading(used: Running, tab: Tab) -> None:
    page = tab.page
    wait = asyncio.Event()

    async def held(route: Route) -> None:
        await wait.wait()
        await route.fulfill(status=500, json={"error": {"message": "not now"}})

    await page.route(re.compile("/v1/"), held)
    for view in ("sessions", "usage", "requests"):
        wait.clear()
        await page.goto(f"{used.url}/#/{view}")
        section = page.locator(f"#view-{view}")
        await expect(section.get_by_text("Loading …")).to_be_visible()
        wait.set()
        await expect(section.get_by_text("not now")).to_be_visible()
        await expect(section.get_by_text("Loading …")).to_be_hidden()
        await expect(section.get_by_role("table")).to_have_count(0)
    await page.unroute_all(behavior="wait")
    for view in ("usage", "requests"):
        await page.goto(f"{used.url}/#/{view}")
        await expect(page.locator(f"#view-{view}").get_by_role("table").first).to_be_visible()
    assert tab.own_complaints == []


async def test_the_last_requests_are_listed(used: Running, tab: Tab) -> None:
    page = tab.page
    await used.ask("[[words 5]]", session_id="ada", headers={"X-Request-Id": "the-one-i-look-for"})
    await page.goto(f"{used.url}/#/requests")
    rows = page.locator("#requests-rows tr")
    mine = rows.filter(has_text="the-one-i-look-for")
    await expect(mine).to_contain_text("/v1/chat/completions")
    await expect(mine).to_contain_text("claude-sonnet-4-5")
    await expect(mine.get_by_role("link", name="ada")).to_have_attribute("href", "#/sessions/ada")
    await page.get_by_label("Only faults").check()
    await expect(rows.filter(has_text="503 overloaded").first).to_be_visible()
    await expect(mine).to_have_count(0)
    await page.get_by_label("Only faults").uncheck()
    await page.get_by_role("searchbox", name="Filter").fill("look-for 200")
    await expect(rows).to_have_count(1)
    await page.reload()
    await expect(page.get_by_role("searchbox", name="Filter")).to_have_value("look-for 200")
    await expect(rows).to_have_count(1)
    await page.get_by_role("searchbox", name="Filter").fill("nothing like it")
    await expect(page.get_by_text("No request fits this filter.")).to_be_visible()
    assert tab.complaints == []


async def test_a_filter_without_end_does_not_go_into_the_address(used: Running, tab: Tab) -> None:
    page = tab.page
    for view in ("sessions", "requests"):
        await page.goto(f"{used.url}/#/{view}")
        await page.locator(f"#{view}-filter").fill("no such " * 125_000)
        await expect(page.locator(f"#view-{view}").get_by_text("fits this filter")).to_be_visible()
        assert len(page.url) < 300
    assert tab.complaints == []


async def test_what_is_told_anew_leaves_the_focus_where_it_is(used: Running, tab: Tab) -> None:
    page = tab.page
    id_ = new_id()
    await used.ask("[[words 5]]", session_id=id_)
    await page.clock.install()
    for view in ("usage", "requests"):
        await page.goto(f"{used.url}/#/{view}")
        mine = page.locator(f"#view-{view}").get_by_role("link", name=id_).last
        await mine.focus()
        for session in ("bob", id_):
            await used.ask("[[words 5]]", session_id=session)
            async with page.expect_response(re.compile("/v1/(usage|requests)")):
                await page.clock.run_for(6_000)
            await expect(page.locator(f"#view-{view} .session-link").first).to_have_text(session)
            await expect(mine).to_be_focused()
    assert tab.complaints == []


async def test_what_the_page_asks_by_itself_is_not_among_the_requests(
    used: Running, browser: Browser
) -> None:
    async with running() as server, tab_of(browser) as tab:
        for view in ("overview", "sessions", "usage", "requests"):
            await tab.page.goto(f"{server.url}/#/{view}", wait_until="networkidle")
        async with server.http.get(f"{server.url}/v1/requests") as response:
            assert (await response.json())["data"] == []
        await server.ask(said("hello"))
        async with server.http.get(f"{server.url}/v1/requests") as response:
            routes = [one["route"] for one in (await response.json())["data"]]
        assert routes == ["/v1/chat/completions", "/v1/requests"]
