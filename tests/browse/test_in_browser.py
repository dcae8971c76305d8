"""The page in a browser: searched, walked and heard with keys alone, readable in the dark and on a narrow screen."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motifdb.browse.reading import Reading
from motifdb.browse.server import HOST, listening, server
from motifdb.catalog.store import Changes, open_writer
from motifdb.schemas import TABLES
from tests.pipelines.small import rows

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_CHROMIUM = next((found for name in BROWSERS if (found := shutil.which(name))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
PLAYING = "() => { const a = document.getElementById('audio'); return !a.paused && a.currentTime > 0.02; }"

pytestmark = pytest.mark.skipif(
    _CHROMIUM is None, reason=f"no browser is here: none of {', '.join(BROWSERS)}"
)


@pytest.fixture(scope="module")
def served(browsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of the page over a copy of the database, and the copy."""
    db = Path(shutil.copytree(browsed, tmp_path_factory.mktemp("served") / "songs.motifdb"))
    reading, bound = Reading(db, threads=1), listening(0)
    serving = server(reading)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    for _ in range(600):
        if serving.started:
            break
        time.sleep(0.05)
    assert serving.started
    yield f"http://{HOST}:{bound.getsockname()[1]}", db
    serving.should_exit = True
    thread.join(10)
    assert not thread.is_alive()
    reading.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=_CHROMIUM, headless=True, args=FLAGS,
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": "/dev/null"}, viewport={"width": 1100, "height": 800},
        )  # fmt: skip
        context.set_default_timeout(30_000)
        yield context
        context.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab; whatever a page complains of in the console fails the test."""
    made = browser.new_page()
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    made.close()
    assert not complaints


def ready(page: Any, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("html[data-ready]")


def often(db: Path) -> dict[str, Any]:
    """The motif that occurs most often in one recording."""
    return max(
        (m for m in rows(db, "motifs") if m["scope"] == "recording"),
        key=lambda m: (m["occurrences"], m["motif_id"]),
    )


def test_a_motif_is_searched_opened_and_heard_with_keys_alone(page: Any, served: tuple[str, Path]) -> None:
    url, db = served
    motif = often(db)
    ready(page, f"{url}/?analysis={motif['analysis_id']}")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type(motif["contour"])
    page.keyboard.press("Enter")
    page.wait_for_url("**contour=**")
    page.wait_for_selector("html[data-ready]")
    shown = page.locator("a.open").all_inner_texts()
    assert shown and all(f" {motif['contour']} " in f" {text} " for text in shown)
    assert page.locator("svg.staircase").count() == len(shown)

    page.keyboard.press("j")
    for _ in range(len(shown)):
        if page.locator("tr.current a.open").get_attribute("href") == f"/motif/{motif['motif_id']}":
            break
        page.keyboard.press("ArrowDown")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/motif/{motif['motif_id']}")
    page.wait_for_selector(".overlay [data-place]", state="attached")

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("tr[aria-current]").get_attribute("data-place") == "0"
    assert page.locator(".overlay .current").get_attribute("data-place") == "0"
    page.keyboard.press("Space")
    page.wait_for_function(PLAYING)
    assert "Playing occurrence 1" in page.locator("#said").inner_text()
    assert "sung by a synthesiser" in page.locator("#said").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('[data-place=\"1\"] .sounding')")
    page.wait_for_function(PLAYING)
    page.keyboard.press("Escape")
    assert page.evaluate("document.getElementById('audio').paused")
    assert page.locator(".sounding").count() == 0


def test_pages_turn_with_keys_and_help_says_which(page: Any, served: tuple[str, Path]) -> None:
    url, _ = served
    ready(page, f"{url}/?rows=10&sort=length")
    first = page.locator("a.open").first.get_attribute("href")
    page.keyboard.press("n")
    page.wait_for_url("**page=2**")
    page.wait_for_selector("html[data-ready]")
    assert page.locator("a.open").first.get_attribute("href") != first
    page.keyboard.press("p")
    page.wait_for_url("**page=1**")
    page.wait_for_selector("html[data-ready]")
    assert page.locator("a.open").first.get_attribute("href") == first
    page.keyboard.press("?")
    assert (
        page.locator("#help").is_visible() and "next and previous row" in page.locator("#help").inner_text()
    )
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_a_filter_is_chosen_and_taken_away(page: Any, served: tuple[str, Path]) -> None:
    url, _ = served
    ready(page, url)
    every = page.locator(".count strong").inner_text()
    page.get_by_label("Style").select_option("slow")
    page.get_by_label("fewest symbols").fill("4")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**shortest=4**")
    assert int(page.locator(".count strong").inner_text()) < int(every)
    page.get_by_role("link", name="Clear").click()
    page.wait_for_function("!location.search.includes('shortest')")
    assert page.locator(".count strong").inner_text() == every


def test_a_recording_is_zoomed_with_keys(page: Any, served: tuple[str, Path]) -> None:
    url, db = served
    ready(page, f"{url}/recording/{often(db)['scope_key']}")
    whole = page.locator("svg.strip").get_attribute("aria-label")
    page.keyboard.press("+")
    page.wait_for_function(
        "was => document.querySelector('svg.strip')?.getAttribute('aria-label') !== was", arg=whole
    )
    assert "start=" in page.url
    closer = page.locator("svg.strip").get_attribute("aria-label")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "was => document.querySelector('svg.strip')?.getAttribute('aria-label') !== was", arg=closer
    )


def test_a_sound_that_is_not_there_says_why(page: Any, served: tuple[str, Path], tmp_path: Path) -> None:
    url, db = served
    why = '{"error": "no sound of it is kept; `motifdb ingest FOLDER --keep-audio` keeps it"}'
    page.route(
        "**/sound/**", lambda route: route.fulfill(status=200, content_type="audio/wav", body="no sound")
    )
    ready(page, f"{url}/motif/{often(db)['motif_id']}")
    page.locator(".play").first.click()
    page.wait_for_selector("#said.wrong")
    page.unroute("**/sound/**")
    page.evaluate("why => { window.fetch = async () => new Response(why, { status: 404 }); }", why)
    page.locator(".play").first.click()
    page.wait_for_function("document.getElementById('said').textContent.includes('--keep-audio')")


def test_text_stands_out_and_nothing_is_cut_off_on_a_narrow_screen(
    page: Any, served: tuple[str, Path]
) -> None:
    url, db = served
    page.set_viewport_size({"width": 380, "height": 800})
    ready(page, f"{url}/motif/{often(db)['motif_id']}")
    page.wait_for_selector("svg.overlay")
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours = page.evaluate(
            "() => [getComputedStyle(document.documentElement).backgroundColor,"
            " ...['h1', 'a', '.note', '.facts dt'].map(s => getComputedStyle(document.querySelector(`main ${s}`)).color),"
            " getComputedStyle(document.querySelector('svg.overlay .tick')).fill]"
        )
        ground, *inks = (_luminance(c) for c in colours)
        assert (ground < 0.1) == (scheme == "dark")
        for ink in inks:
            contrast = (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)
            assert contrast >= 4.5, "WCAG 2.1, contrast of text, level AA"


def test_a_long_name_breaks_where_it_must(page: Any, served: tuple[str, Path]) -> None:
    url, db = served
    for path, shown in ((f"/motif/{often(db)['motif_id']}", "#content .key"), ("/recordings", "h1")):
        ready(page, url + path)
        page.locator(shown).first.wait_for()
        page.evaluate("s => { document.querySelector(s).textContent = 'x'.repeat(400) + '.wav'; }", shown)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), shown


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it, of rgb(r, g, b)."""
    channels = [int(v) / 255 for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_a_newer_commit_is_offered(page: Any, served: tuple[str, Path]) -> None:
    url, db = served
    ready(page, url)
    assert not page.locator("#newer").is_visible()
    row = TABLES["corpora"].table([{"corpus_id": "c9", "name": "more", "root_uri": "/more"}])
    with open_writer(db) as writer:
        made = writer.commit(Changes(append={"corpora": row}), token="more", message="add more")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector("#newer:not([hidden])")
    assert str(made) in page.locator("#newer").inner_text()
    page.locator("#reload").click()
    page.wait_for_function(f"document.body.dataset.commit === '{made}'")
    assert not page.locator("#newer").is_visible()
