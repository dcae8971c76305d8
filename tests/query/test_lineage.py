"""Where a row comes from: every step that the tables know, for people and for programs; what a text means."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motifdb.errors import NotFoundError, UsageError
from motifdb.query.database import Database
from motifdb.query.lineage import Node, lineage
from motifdb.query.meant import what_is_meant
from motifdb.schemas import TABLES
from tests.export.corpus import FAMILIES_ID, FAMILY, corpus_rows
from tests.query.conftest import make_database
from tests.query.example import CONTOUR_ID, MINING_ID, PITCH_ID, RECORDING
from tests.query.learned import CLIPS_ID, RUN_ID, SPLIT_ID, clip_id

Rows = dict[str, list[dict[str, Any]]]
MINED = MINING_ID["gap 1"]
LEAKS = {"leaks": {"same-recording": {"n": 1, "share": 0.25}, "near": {"n": 0, "share": 0.0}}}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The corpus of exports, its folder there, a clip cut for a motif, and a baseline beside the run."""
    made = corpus_rows()
    root = tmp_path_factory.mktemp("corpus") / "100% sung"
    root.mkdir()
    (root / "silence.pitch").write_bytes(b"0\n" * 500)
    stat = (root / "silence.pitch").stat()
    made["corpora"][0]["root_uri"] = str(root).replace("%", "%25")
    silence = next(f for f in made["files"] if f["path"] == "silence.pitch")
    silence |= {"size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    made["clips"][0] |= {"kind": "motif", "motif_id": made["motifs"][0]["motif_id"]}
    run = made["runs"][0]
    run |= {"config": '{"recipe":{"seed":3,"front_end":{"n_bands":40}}}', "leak": json.dumps(LEAKS)}
    made["runs"].append(
        run | {"run_id": "ba" * 10, "model": "majority", "recipe": "majority", "checkpoint": None}
    )
    made["metrics"].append(made["metrics"][0] | {"run_id": "ba" * 10, "value": 0.5})
    return made


@pytest.fixture(scope="module")
def database(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    tables = {name: TABLES[name].table(of) for name, of in rows.items()}
    with Database(make_database(tmp_path_factory.mktemp("why") / "songs.motifdb", tables)) as opened:
        yield opened


def below(node: Node, kind: str) -> list[Node]:
    """Every node of a kind, top down."""
    return [node] * (node.kind == kind) + [found for source in node.sources for found in below(source, kind)]


def test_a_motif_comes_from_mining_contours_pitch_and_bytes(database: Database, rows: Rows) -> None:
    motif = next(
        m for m in rows["motifs"] if m["analysis_id"] == MINED and m["scope_key"] == RECORDING["bela"]
    )
    found = database.why(motif["motif_id"]).root
    analyses = below(found, "analysis")
    assert [a.id for a in analyses] == [MINED, CONTOUR_ID, PITCH_ID]
    mining = analyses[0]
    assert mining.parameters == json.loads(
        next(a for a in rows["analyses"] if a["analysis_id"] == MINED)["parameters"]
    )
    assert mining.chosen == {"max_gap": 1, "support": "sequences", "min_support": 2}
    assert analyses[1].chosen == {} and analyses[1].facts["code"] == "motifdb 0.1.0"
    assert {c.name for c in below(found, "commit")} == {"add the example"}
    (recording,) = below(found, "recording")
    assert recording.id == RECORDING["bela"] and str(recording.facts["content_hash"]).startswith(recording.id)
    assert [f.id for f in below(found, "file")] == ["x/same.pitch", "z/copy.pitch"]
    file = below(found, "file")[0]
    assert file.facts["size_bytes"] == 1000 and file.facts["on_disk"] == "not there now"


def test_lines_fit_and_say_what_was_chosen(database: Database, rows: Rows) -> None:
    motif = next(
        m for m in rows["motifs"] if m["analysis_id"] == MINED and m["scope_key"] == RECORDING["bela"]
    )
    text = database.why(motif["motif_id"][:14]).text()
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.startswith(f"motif {motif['contour']} ({motif['motif_id']})")
    assert "max_gap = 1, min_support = 2, support = sequences" in text and "at their defaults" in text
    assert "commit 1: add the example" in text and "size 1,000 bytes" in text
    shown = database.why(motif["motif_id"])
    assert repr(shown) == text and "&lt;" not in shown._repr_html_() and text[:20] in shown._repr_html_()
    whole = database.why(motif["motif_id"]).text(is_whole=True)
    assert "max_order = 3" in whole and "max_order" not in text


def test_programs_get_every_parameter_and_a_row_a_thing(database: Database, rows: Rows) -> None:
    found = lineage(database, rows["motifs"][0]["motif_id"])
    told = json.loads(json.dumps(found.to_json()))
    assert told["kind"] == "motif" and told["from"][0]["parameters"]["max_order"] == 3
    assert [r["kind"] for r in found.rows()][:4] == ["motif", "analysis", "commit", "analysis"]
    assert found.rows()[1]["depth"] == 1 and json.loads(found.rows()[1]["detail"])["chosen"] == {}


def test_a_recording_says_its_bytes_and_what_was_done_with_it(database: Database) -> None:
    found = database.why("silence").root
    assert below(found, "file")[0].facts["on_disk"] == "there, unchanged size and time"
    done = {n.id: n.facts["state"] for n in below(found, "done")}
    assert done[PITCH_ID] == "done" and done[CONTOUR_ID] == done[MINED] == "empty"


def test_a_file_that_changed_is_told(database: Database, rows: Rows) -> None:
    path = Path(rows["corpora"][0]["root_uri"].replace("%25", "%")) / "silence.pitch"
    before = path.stat().st_mtime_ns

    def told() -> object:
        return below(database.why("silence").root, "file")[0].facts["on_disk"]

    try:
        os.utime(path, ns=(before, before + 1))
        assert told() == "there, unchanged size, another time"
        path.write_bytes(b"0\n" * 501)
        assert told() == "changed since, 1,002 bytes now"
    finally:
        path.write_bytes(b"0\n" * 500)
        os.utime(path, ns=(before, before))


def test_a_family_and_a_clip_have_their_own_analyses(database: Database, rows: Rows) -> None:
    family = database.why(FAMILY).root
    assert [a.id for a in below(family, "analysis")] == [FAMILIES_ID, PITCH_ID] and family.facts[
        "members"
    ] == 3
    clip = database.why(clip_id("dilek")).root
    assert next(a.id for a in below(clip, "analysis")) == CLIPS_ID
    assert [m.id for m in below(clip, "motif")] == [rows["motifs"][0]["motif_id"]]
    assert [r.id for r in below(clip, "recording")] == [RECORDING_OF_DILEK]


RECORDING_OF_DILEK = next(
    c["recording_id"] for c in corpus_rows()["clips"] if c["clip_id"] == clip_id("dilek")
)


def test_a_run_has_its_recipe_split_leaks_and_baselines(database: Database) -> None:
    found = database.why(RUN_ID[:8])
    run = found.root
    assert run.chosen == {"recipe.seed": 3, "recipe.front_end.n_bands": 40}
    assert run.facts["leaks"] == "same-recording 25.0 %"
    assert str(run.facts["checkpoint"]).endswith(f"models/{RUN_ID}")
    assert [a.id for a in below(run, "analysis")] == [SPLIT_ID, CLIPS_ID]
    (test,) = below(run, "metrics")
    assert test.facts["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    (baseline,) = below(run, "baseline")
    assert baseline.name == "majority" and baseline.facts["accuracy"]["value"] == 0.5
    assert "accuracy 1.000 (1.000 to 1.000), auc not defined" in found.text()
    assert next(c.id for c in below(run, "commit")) == "1", "the first commit of runs after it ended"


def test_an_analysis_is_told_once_and_named_after(database: Database) -> None:
    text = database.why(clip_id("dilek")).text()
    assert len(re.findall(r"analysis .*" + PITCH_ID, text)) >= 1
    motif = database.why("gap 1").text()
    assert motif.startswith("analysis mining gap 1")


@pytest.mark.parametrize(
    ("text", "kind"),
    [("x/same.pitch", "recording"), ("same.pitch", "recording"), ("same", "recording"), ("+1 -2", "motif"),
     ("tiny", "run"), ("majority", "run"), ("gap 0", "analysis"), (FAMILY[:7].upper(), "family")],
)  # fmt: skip
def test_names_ids_and_contours_mean_one_thing(database: Database, text: str, kind: str) -> None:
    assert what_is_meant(database, text).kind == kind


def test_what_is_not_clear_or_not_there_is_a_sentence(database: Database, rows: Rows) -> None:
    starts = [m["motif_id"][0] for m in rows["motifs"]]
    with pytest.raises(UsageError, match=r"fits several things here: .*give more"):
        what_is_meant(database, next(s for s in starts if starts.count(s) > 1))
    with pytest.raises(NotFoundError, match=r"did you mean 'silence\.pitch'"):
        what_is_meant(database, "silense.pitch")
    with pytest.raises(NotFoundError, match="give the beginning of an id or a contour"):
        what_is_meant(database, "zzzz", ("motif",))
    with pytest.raises(NotFoundError, match="could not be used: the file is empty"):
        what_is_meant(database, "broken.wav")
    with pytest.raises(NotFoundError, match=r"notes\.txt is no recording here, it was skipped"):
        what_is_meant(database, "notes.txt", ("recording",))
    with pytest.raises(NotFoundError, match="no recording ''"):
        what_is_meant(database, " ", ("recording",))
