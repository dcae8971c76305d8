"""Who may ask for a page, in which way, and what the page may load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from motifdb.browse.app import HERE
from motifdb.browse.guard import HEADERS

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost:1", "LOCALHOST", "[::1]:80"])
def test_loopback_by_its_own_names_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "motifs.example", "127.0.0.1.example", "localhost.example:80", "[::2]", "", "127.0.0.1@x.example",
        "[::1].example", "localhost:80.example", "127.0.0.1:x",
    ],
)  # fmt: skip
def test_a_foreign_name_that_resolves_to_loopback_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/state", headers={"host": host})
    assert answer.status_code == 421 and "newest" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_answered(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


def test_every_answer_carries_the_policy(client: TestClient) -> None:
    for path in ("/", "/nope", "/state", "/static/browse.css", "/parts/overlay/zz", "/sound/zz"):
        got = client.get(path).headers
        assert all(got[name.decode()] == value.decode() for name, value in HEADERS), path
    assert "unsafe" not in got["content-security-policy"]


def test_pages_name_nothing_outside_and_hold_no_script_or_style_of_their_own(client: TestClient) -> None:
    files = [*HERE.glob("templates/*"), *HERE.glob("static/*")]
    assert len(files) > 10
    for file in files:
        words = file.read_text().replace("http://www.w3.org/2000/svg", "").lower()
        assert "http://" not in words and "https://" not in words and "//cdn" not in words, file
        assert " style=" not in words and " onclick=" not in words and "innerhtml" not in words, file
    for path in ("/", "/recordings", "/compare"):
        page = client.get(path).text
        assert page.count("<script") == 1 and 'src="/static/browse.js"' in page and "<style" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/static/%2fetc%2fpasswd",
        "/recording/..%2f..%2fetc%2fpasswd", "/sound/%2e%2e%2fcatalog?start=0&end=1", "/motif/..%2f..%2fcatalog",
        "/catalog", "/tables/files",
    ],
)  # fmt: skip
def test_no_address_reaches_a_file(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "import" not in answer.text and "root:" not in answer.text


@pytest.mark.parametrize("word", ["x' or 1=1 --", "%", "\x00"])
def test_what_is_asked_for_is_a_value_and_never_sql(client: TestClient, word: str, browsed: Path) -> None:
    for path, fields in (
        ("/", {"recording": word}),
        ("/", {"label.singer": word}),
        ("/recordings", {"text": word}),
    ):
        answer = client.get(path, params=fields)
        assert answer.status_code == 200 and "/motif/" not in answer.text and "/recording/" not in answer.text
    for path in ("/motif/", "/recording/", "/parts/overlay/", "/sound/"):
        assert client.get(path + word.replace("%", "%25").replace("\x00", "%00")).status_code == 404
    for fields in ({"contour": word}, {"q": word}, {"page": word}, {"sort": word}, {"how": word}):
        assert client.get("/", params=fields).status_code == 400
    assert client.get("/").status_code == 200
