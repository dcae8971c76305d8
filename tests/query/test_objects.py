"""Motifs, families and recordings as objects, and the page that documents them."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest

from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.listening import Sound
from motifdb.query.database import Database
from motifdb.query.objects import Motif
from motifdb.query.page import small_wav
from motifdb.query.portrait import MOST_DRAWN, portrait, spread
from motifdb.query.showing import portrait_text
from tests.query.example import MINING_ID, RECORDING
from tests.query.heard import FAMILY_ID, make_heard

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("objects") / "heard"
    make_heard(made)
    return made


@pytest.fixture(scope="module")
def database(folder: Path) -> Database:
    return Database(folder / "songs.motifdb")


def test_the_documented_examples_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert len(blocks) >= 6
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "python.md", str(PAGE), 0)
    assert len(example.examples) >= 15
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=flags)
    runner.run(example, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
    assert (folder / "motif.svg").stat().st_size > 10_000 and (folder / "place.wav").stat().st_size > 1_000


def test_motifs_are_chosen_by_every_condition_at_once(database: Database) -> None:
    rows = database.sql("select * from motifs order by log10_p nulls last, length desc, motif_id").rows()
    assert [m.id for m in database.motifs()] == [r["motif_id"] for r in rows]
    chosen = database.motifs("length = $n", parameters={"n": 3}, contour=" +1  -2 +1", analysis="gap 0")
    assert [m.id for m in chosen] == [
        r["motif_id"] for r in rows if r["contour"] == "+1 -2 +1" and r["analysis_id"] == MINING_ID["gap 0"]
    ]
    of_chitra = {r["motif_id"] for r in rows if r["scope_key"] == RECORDING["chitra"]}
    assert {m.id for m in database.motifs(recording="chitra.pitch")} == of_chitra
    both = {"singer": "Amina", "style": "rast"}
    assert {m.id for m in database.motifs(label=both)} == of_chitra
    assert not len(database.motifs(label={"singer": "Bela"})), "two files contradict each other about Bela"
    with pytest.raises(NotFoundError, match="no label 'singger' here; did you mean 'singer'"):
        database.motifs(label={"singger": "Amina"})
    assert len(database.motifs("true -- all of them", limit=2)) == 2
    injected = database.motifs(contour="x' or '1' = '1")
    assert len(injected) == 0, "a value is never part of the statement"


def test_lists_are_sequences_and_tables(database: Database) -> None:
    motifs = database.motifs(limit=5)
    assert isinstance(motifs[0], Motif) and motifs[-1].id == list(motifs)[4].id and len(motifs[1:3]) == 2
    assert len(motifs[5:]) == 0
    with pytest.raises(IndexError):
        motifs[5]
    ids = [m.id for m in motifs]
    assert pa.table(motifs)["motif_id"].to_pylist() == ids
    assert polars.DataFrame(motifs)["motif_id"].to_list() == ids == motifs.pl()["motif_id"].to_list()
    frame = motifs.to_pandas()
    assert isinstance(frame, pd.DataFrame) and frame["motif_id"].tolist() == ids
    assert "contour" in repr(motifs) and "<table>" in motifs._repr_html_()


def test_occurrences_come_with_path_and_contour(database: Database) -> None:
    motif = database.motifs(recording="chitra.pitch")[0]
    rows = database.occurrences(motif).rows()
    assert len(rows) == motif.n_occurrences == len(motif.occurrences())
    assert {(r["path"], r["contour"]) for r in rows} == {("chitra.pitch", motif.contour)}
    assert [r["start_s"] for r in rows] == sorted(r["start_s"] for r in rows)
    some = database.occurrences(
        motif.id[:14], where="start_s > $s", parameters={"s": rows[0]["start_s"]}, limit=1
    )
    assert [r["start_s"] for r in some] == [rows[1]["start_s"]]
    assert (
        len(database.occurrences(recording="chitra.pitch"))
        == database.sql(
            "select count(*) as n from occurrences where recording_id = $id", {"id": RECORDING["chitra"]}
        ).rows()[0]["n"]
    )


def test_each_shows_itself_in_a_notebook(database: Database) -> None:
    for thing in (
        database.motifs(recording="amina.wav")[0],
        database.family(FAMILY_ID[:9]),
        database.recording("amina"),
    ):
        html = thing._repr_html_()
        assert "<svg" in html and "<polyline" in html and thing.portrait.title in html
        assert str(thing).startswith(f"<{thing.kind} {thing.id[:8]}")
        assert thing.plot()._repr_png_().startswith(b"\x89PNG")
        assert thing.id in thing.text()
    assert "no voiced frame" in database.recording("silence")._repr_html_()
    with pytest.raises(
        UsageError, match="there is no pitch frame from 1000 s to 1001 s: the stored pitch goes from"
    ):
        database.recording("amina").between(1000.0, 1001.0)
    stretch = database.recording("amina").between(0.5, 2.0)
    assert stretch.figure.axes[-1].get_xlim() == pytest.approx((0.5, 1.99), abs=0.01)
    audio = database.family(FAMILY_ID).audio(-1)
    assert audio._repr_mimebundle_()["text/html"].count('src="data:audio/wav;base64,UklGR') == 1
    sung = database.recording("chitra").audio(0.5, 1.0)
    assert sung.source == "f0" and "sung from the stored pitch" in sung._repr_html_()


def test_what_is_not_there_is_a_sentence(database: Database, tmp_path: Path) -> None:
    motif = database.motifs(limit=1)[0]
    with pytest.raises(UsageError, match="several things"):
        database.motif(
            next(c for c in "0123456789abcdef" if len(database.motifs(f"starts_with(motif_id, '{c}')")) > 1)
        )
    with pytest.raises(NotFoundError, match="there is no motif"):
        database.motif("zz' or true")
    for broken, says in (("length >", "syntax"), ("length = $m", "m")):
        with pytest.raises((UsageError, NotFoundError), match=says):
            database.motifs(broken)
    with pytest.raises(UsageError, match="give where too"):
        database.motifs(parameters={"n": 1})
    with pytest.raises(UsageError, match="negative"):
        database.motifs(limit=-1)
    with pytest.raises(NotFoundError, match="did you mean 'length'"):
        motif["lenght"]
    with pytest.raises(UsageError, match=r"name it \.wav"):
        motif.audio(0).save(tmp_path / "x.mp3")
    with pytest.raises(UsageError, match="60 columns"):
        portrait_text(motif.portrait, width=40)


def test_a_sample_of_places_is_spread_and_keeps_the_exemplar(database: Database) -> None:
    table = pa.table({"member": list(range(1000))})
    chosen = spread(table, 10, always=("member", 77))["member"].to_pylist()
    assert len(chosen) == 11 and 77 in chosen and chosen[0] == 0 and chosen[-1] == 999
    assert spread(table.slice(0, 0), 10).num_rows == 0
    few = portrait(database, "family", FAMILY_ID, most=1)
    assert few.face is not None and few.places.num_rows == 3 and len(few.curves) <= 2 <= MOST_DRAWN


def test_players_are_small(database: Database) -> None:
    samples = np.zeros(4_800, np.float32)
    wav = small_wav(Sound(samples, 48_000, "kept"))
    assert len(wav) == pytest.approx(44 + 2 * samples.size / 3, abs=8)
    assert len(small_wav(Sound(samples, 16_000, "kept"), most_bytes=1_000)) == 1_000
    page = database.path.parent / "many.html"
    motif = database.motifs(recording="bela.pitch")[0]
    motif.plot(page, with_sound=False)
    assert "<audio" not in page.read_text()
