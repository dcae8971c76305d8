"""What pages answer, against the rows of the tables themselves."""

from __future__ import annotations

import html
import io
import re
import shutil
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from motifdb.browse import recordings
from motifdb.browse.reading import Reading
from motifdb.catalog.store import Changes, create, open_writer
from motifdb.schemas import TABLES
from tests.browse.conftest import FAMILY, SINGER, client_of
from tests.pipelines.small import rows

if TYPE_CHECKING:
    from starlette.testclient import TestClient

Row = dict[str, Any]


def listed(page: str) -> list[str]:
    """Ids of the motifs of a list, in order."""
    return re.findall(r'<a class="open contour" href="/motif/(\w+)', page)


def said(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture(scope="session")
def analyses(browsed: Path) -> dict[str, str]:
    """Ids of the two mining analyses, by scope."""
    found = {a["name"]: a["analysis_id"] for a in rows(browsed, "analyses") if a["kind"] == "mining"}
    return {"corpus": found.pop("together"), "recording": found.popitem()[1]}


@pytest.fixture(scope="session")
def motifs(browsed: Path, analyses: dict[str, str]) -> list[Row]:
    """Motifs of single recordings, least expected first."""
    own = [m for m in rows(browsed, "motifs") if m["analysis_id"] == analyses["recording"]]
    return sorted(own, key=lambda m: (m["log10_p"] is None, m["log10_p"], -m["length"], m["motif_id"]))


@pytest.fixture(scope="session")
def files(browsed: Path) -> list[Row]:
    return [f for f in rows(browsed, "files") if f["state"] == "input"]


def test_the_list_has_every_motif_page_by_page(
    client: TestClient, motifs: list[Row], analyses: dict[str, str]
) -> None:
    found: list[str] = []
    for page in range(1, 5):
        answer = client.get("/", params={"analysis": analyses["recording"], "rows": "10", "page": str(page)})
        found += listed(answer.text)
        assert (f'rel="next" href="/?analysis={analyses["recording"]}' in answer.text) == (page < 4)
    assert found == [m["motif_id"] for m in motifs] and len(found) > 30
    beyond = client.get("/", params={"analysis": analyses["recording"], "page": "99"})
    assert "The list ends at page 1" in said(beyond.text)


def key_of(symbols: str) -> Any:
    """A test that a contour holds whole symbols in a row."""
    return lambda m: f" {symbols} " in f" {m['contour']} "


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"contour": "+1 -2"}, key_of("+1 -2")),
        ({"contour": "1, −2"}, key_of("+1 -2")),
        ({"contour": "+3"}, key_of("+3")),
        ({"contour": "+2 -3", "how": "begins"}, lambda m: f"{m['contour']} ".startswith("+2 -3 ")),
        ({"shortest": "4"}, lambda m: m["length"] >= 4),
        ({"longest": "3", "q": "0.01"}, lambda m: m["length"] <= 3 and (m["q_value"] or 1.0) <= 0.01),
        ({"contour": "+9 +9 +9"}, lambda m: False),
    ],
    ids=["contains", "written otherwise", "one symbol", "begins", "shortest", "longest and q", "none"],
)
def test_filters_keep_what_they_say(
    client: TestClient, motifs: list[Row], analyses: dict[str, str], fields: dict[str, str], holds: Any
) -> None:
    answer = client.get("/", params={"analysis": analyses["recording"], "rows": "200", **fields})
    assert listed(answer.text) == [m["motif_id"] for m in motifs if holds(m)]
    assert ("No motif is like that" in said(answer.text)) == (not any(holds(m) for m in motifs))


def test_an_exact_contour_is_found_in_each_of_its_recordings(
    client: TestClient, motifs: list[Row], analyses: dict[str, str]
) -> None:
    contour = max((m["contour"] for m in motifs), key=[m["contour"] for m in motifs].count)
    fields = {"contour": contour, "how": "exact", "analysis": analyses["recording"]}
    assert listed(client.get("/", params=fields).text) == [
        m["motif_id"] for m in motifs if m["contour"] == contour
    ]


def test_recordings_and_labels_filter_motifs_of_either_scope(
    client: TestClient, browsed: Path, motifs: list[Row], files: list[Row], analyses: dict[str, str]
) -> None:
    of_singer = {f["recording_id"] for f in files if f["singer"] == SINGER}
    of_path = {f["recording_id"] for f in files if "b/0" in f["path"]}
    assert of_singer and of_path
    for fields, wanted in (({"label.singer": SINGER}, of_singer), ({"recording": "B/0"}, of_path)):
        answer = client.get("/", params={"analysis": analyses["recording"], "rows": "200", **fields})
        assert listed(answer.text) == [m["motif_id"] for m in motifs if m["scope_key"] in wanted]
        counted = {
            c["pattern_id"]
            for c in rows(browsed, "pattern_counts")
            if c["recording_id"] in wanted and c["occurrences"]
        }
        together = client.get("/", params={"analysis": analyses["corpus"], "rows": "200", **fields})
        own = {m["motif_id"] for m in rows(browsed, "motifs")
               if m["analysis_id"] == analyses["corpus"] and m["pattern_id"] in counted}  # fmt: skip
        assert set(listed(together.text)) == own and own


@pytest.mark.parametrize("order", ["occurrences", "length", "duration", "contour", "recordings"])
def test_lists_are_sorted_as_asked(
    client: TestClient, motifs: list[Row], analyses: dict[str, str], order: str
) -> None:
    values: dict[str, Callable[[Row], Any]] = {
        "occurrences": lambda m: -m["occurrences"],
        "length": lambda m: -m["length"],
        "duration": lambda m: -m["duration_median_s"],
        "contour": lambda m: m["contour"],
        "recordings": lambda m: -m["support_recordings"],
    }
    of = {m["motif_id"]: values[order](m) for m in motifs}
    found = listed(
        client.get("/", params={"analysis": analyses["recording"], "sort": order, "rows": "200"}).text
    )
    assert [of[id_] for id_ in found] == sorted(of.values())


def test_an_id_in_the_search_leads_to_its_motif(client: TestClient, motifs: list[Row]) -> None:
    id_ = motifs[0]["motif_id"]
    answer = client.get("/", params={"contour": id_[:12].upper()})
    assert answer.status_code == 303 and answer.headers["location"] == f"/motif/{id_}"


def test_a_motif_shows_every_place_with_labels_and_sound(
    client: TestClient, browsed: Path, motifs: list[Row], files: list[Row]
) -> None:
    motif = max(motifs, key=lambda m: m["occurrences"])
    places = sorted(
        (o["start_s"], o["end_s"]) for o in rows(browsed, "occurrences") if o["motif_id"] == motif["motif_id"]
    )
    assert len(places) == motif["occurrences"] > 6
    found: list[tuple[float, float]] = []
    for page in (1, 2):
        text = client.get(f"/motif/{motif['motif_id']}", params={"rows": "6", "page": str(page)}).text
        found += [(float(a), float(b)) for a, b in re.findall(r"start=([\d.]+)&amp;end=([\d.]+)", text)]
    assert np.array(found) == pytest.approx(np.array(places), abs=1e-4)
    own = next(f for f in files if f["recording_id"] == motif["scope_key"])
    assert own["path"] in said(text) and own["style"] in said(text)
    assert f"{motif['surprise_bits']:,.1f} bit" in said(text)


def test_a_pattern_is_shown_wherever_it_was_found(
    client: TestClient, motifs: list[Row], analyses: dict[str, str]
) -> None:
    patterns = [m["pattern_id"] for m in motifs]
    pattern = max(set(patterns), key=lambda p: (patterns.count(p), p))
    alike = [m for m in motifs if m["pattern_id"] == pattern]
    assert len(alike) > 1
    text = client.get(f"/motif/{alike[0]['motif_id']}", params={"everywhere": "1", "rows": "200"}).text
    n = sum(m["occurrences"] for m in alike)
    assert f"{n} occurrences" in said(text) and text.count('<tr data-place="') == n
    assert [int(i) for i in re.findall(r'<tr data-place="(\d+)"', text)] == list(range(n))


def test_every_occurrence_of_the_page_is_in_the_picture(client: TestClient, motifs: list[Row]) -> None:
    motif = max(motifs, key=lambda m: m["occurrences"])
    drawn = client.get(f"/parts/overlay/{motif['motif_id']}", params={"width": "640"}).text
    assert sorted(int(i) for i in re.findall(r'data-place="(\d+)"', drawn)) == list(
        range(motif["occurrences"])
    )
    assert "(seconds)" in drawn and "(cents)" in drawn and 'class="median"' in drawn
    few = min(motifs, key=lambda m: m["occurrences"])
    drawn = client.get(f"/parts/overlay/{few['motif_id']}", params={"width": "640"}).text
    assert drawn.count("occurrence few") == few["occurrences"] <= 7 and 'class="median"' not in drawn


def test_labels_of_a_motif_are_counted(
    client: TestClient, browsed: Path, motifs: list[Row], files: list[Row]
) -> None:
    motif = motifs[0]
    of = {f["recording_id"]: f["singer"] for f in files if f["path"] != "c/05.csv"}
    counted = [c for c in rows(browsed, "pattern_counts")
               if (c["analysis_id"], c["pattern_id"]) == (motif["analysis_id"], motif["pattern_id"])]  # fmt: skip
    text = said(client.get(f"/parts/labels/{motif['motif_id']}", params={"label": "singer"}).text)
    for singer in {of[c["recording_id"]] for c in counted if c["occurrences"] and c["recording_id"] in of}:
        assert singer in text
    assert SINGER not in client.get(f"/parts/labels/{motif['motif_id']}", params={"label": "singer"}).text


def test_a_sound_is_a_wav_that_says_where_it_comes_from(client: TestClient, files: list[Row]) -> None:
    id_ = files[0]["recording_id"]
    answer = client.get(f"/sound/{id_}", params={"start": "0.5", "end": "1.5", "context": "0.25"})
    assert answer.headers["content-type"] == "audio/wav" and answer.headers["x-motifdb-source"] == "f0"
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(1.5, abs=0.02)
        assert max(sound.readframes(-1)) > 0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "needs its start and end"),
        ({"start": "2", "end": "1"}, "the end after the start"),
        ({"start": "-1", "end": "1"}, "at least 0"),
        ({"start": "nan", "end": "1"}, "must be a number"),
        ({"start": "0", "end": "9999"}, "motifdb play"),
    ],
    ids=["nothing", "backwards", "negative", "no number", "too long"],
)
def test_a_sound_that_cannot_be_is_refused_in_a_sentence(
    client: TestClient, files: list[Row], fields: dict[str, str], why: str
) -> None:
    answer = client.get(f"/sound/{files[0]['recording_id']}", params=fields)
    assert answer.status_code == 400 and why in answer.json()["error"]


def test_members_of_families_are_of_the_stretch_and_a_cut_list_says_so(
    client: TestClient, browsed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording_id,) = {m["recording_id"] for m in rows(browsed, "family_members")}
    reading = Reading(browsed)
    spans = [(0.0, 9.0), (2.0, 9.0), (1.5, 2.5), (0.0, 0.6)]
    found = [[m["start_s"] for m in recordings.families(reading, recording_id, a, b, 1)] for a, b in spans]
    reading.close()
    assert found == [[0.5], [2.5], [], [0.5]], "one at most, of those that sound there"
    assert "The first" not in said(client.get(f"/recording/{recording_id}").text)
    monkeypatch.setattr(recordings, "MOST_MEMBERS", 2)
    assert "The first 2 members" in said(client.get(f"/recording/{recording_id}").text)


def test_a_recording_shows_its_pitch_motifs_and_families(client: TestClient, files: list[Row]) -> None:
    recording = next(f["recording_id"] for f in files if f["path"] == "a/00.csv")
    page = client.get(f"/recording/{recording}").text
    assert FAMILY[:8] in said(page) and listed(page)
    part = client.get(f"/parts/pitch/{recording}", params={"start": "0", "end": "4", "width": "640"}).text
    assert "(note)" in part and "(seconds)" in part and f"family {FAMILY[:8]} of 2" in part
    assert 'data-move="on"' in part and 'data-move="back"' not in part
    assert f'/sound/{recording}?start=0.000&amp;end=4.000"' in part


def test_recordings_are_searched_by_path_and_label(client: TestClient, files: list[Row]) -> None:
    every = {f["recording_id"] for f in files}
    slow = {f["recording_id"] for f in files if f["style"] == "slow"}
    for text, wanted in (
        ("", every),
        ("slow", slow),
        ("B/0", {f["recording_id"] for f in files if "b/0" in f["path"]}),
    ):
        page = client.get("/recordings", params={"text": text}).text
        assert set(re.findall(r"/recording/(\w+)", page)) >= wanted - {
            f["recording_id"] for f in files if f["path"] == "c/05.csv"
        }
        assert len(set(re.findall(r"/recording/(\w+)", page))) <= len(wanted)


def test_two_styles_stand_side_by_side(
    client: TestClient, browsed: Path, files: list[Row], analyses: dict[str, str]
) -> None:
    fields = {"label": "style", "a": "slow", "b": "fast", "analysis": analyses["recording"]}
    page = client.get("/compare", params=fields).text
    styles: dict[str, set[str]] = {}
    for f in files:
        styles.setdefault(f["recording_id"], set()).add(f["style"])
    only = {r: s.copy().pop() for r, s in styles.items() if len(s) == 1}
    n = {style: list(only.values()).count(style) for style in ("slow", "fast")}
    of = {m["pattern_id"]: m["contour"] for m in rows(browsed, "motifs")}
    for pattern in {
        m["pattern_id"] for m in rows(browsed, "motifs") if m["analysis_id"] == analyses["recording"]
    }:
        held = {
            style: sum(
                c["occurrences"] > 0 and only.get(c["recording_id"]) == style
                for c in rows(browsed, "pattern_counts")
                if (c["analysis_id"], c["pattern_id"]) == (analyses["recording"], pattern)
            )
            for style in ("slow", "fast")
        }
        words = f"{of[pattern]} {held['slow']} of {n['slow']} {held['fast']} of {n['fast']}"
        assert (words in said(page)) == any(held.values()), words
    same = client.get("/compare", params={**fields, "b": "slow"}).text
    assert "Choose two different values" in said(same)
    tested = client.get("/parts/tested", params=fields)
    assert tested.status_code == 200 and "slow" in said(tested.text)


def test_a_label_is_text_whatever_it_holds(client: TestClient) -> None:
    page = client.get("/recordings").text
    assert SINGER in said(page) and "<script>alert" not in page


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/motif/ffffffffffffffffffff", 404, "motifdb top"),
        ("/motif/xyz", 404, "no motif's id"),
        ("/recording/xyz", 404, "there is no recording 'xyz'".capitalize()),
        ("/nope", 404, "no such page"),
        ("/?contour=xyz", 400, "neither a contour such as '+1 -2 +1' nor"),
        ("/?analysis=abc", 404, "no mining analysis 'abc'"),
        ("/?rows=0", 400, "from 1 to 200"),
        ("/compare?label=nope", 400, "must be one of"),
    ],
)
def test_mistakes_are_answered_with_a_page(client: TestClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status and words in said(answer.text)
    assert 'role="alert"' in answer.text and 'href="/"' in answer.text


def test_a_new_commit_is_told_and_followed(copied: Path) -> None:
    reading, old = Reading(copied), Reading(copied, at=1)
    client = client_of(reading)
    first = reading.commit
    row = TABLES["corpora"].table([{"corpus_id": "c9", "name": "more", "root_uri": "/more"}])
    with open_writer(copied) as writer:
        made = writer.commit(Changes(append={"corpora": row}), token="more", message="add more")
    assert client.get("/state").json() == {"newest": made, "is_fixed": False} and reading.commit == first
    assert f'data-commit="{made}"' in client.get("/").text and reading.commit == made
    assert 'data-commit="1"' in client_of(old).get("/").text and old.commit == 1
    reading.close()
    old.close()


def test_a_database_that_is_gone_is_said(copied: Path) -> None:
    reading = Reading(copied)
    client = client_of(reading)
    shutil.move(copied, copied.with_name("elsewhere"))
    for path in ("/", "/recordings", "/compare"):
        answer = client.get(path)
        assert answer.status_code == 503 and "is gone" in said(answer.text)
    assert client.get("/state").status_code == 503
    reading.close()


def test_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    create(tmp_path / "empty.motifdb")
    reading = Reading(tmp_path / "empty.motifdb")
    client = client_of(reading)
    assert "Nothing has been mined yet" in said(client.get("/").text)
    assert "There is no recording yet" in said(client.get("/recordings").text)
    assert "nothing to compare" in said(client.get("/compare").text)
    reading.close()
