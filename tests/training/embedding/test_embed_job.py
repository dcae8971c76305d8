"""`motifdb embed` as people meet it: stored once, gone on with, kept in step with what goes and what changes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import motifdb
from motifdb.catalog.store import open_snapshot, open_writer
from motifdb.cli import main
from motifdb.errors import DatabaseError, NotFoundError, UsageError
from motifdb.pipelines.committer import Committer
from motifdb.pipelines.known import Known
from motifdb.pipelines.progress import Quiet
from motifdb.query.check import check, tables, vectors
from motifdb.query.check.report import Context
from motifdb.query.fingerprint import fingerprint
from motifdb.query.status import status
from motifdb.query.vectors.read import vectors_of
from motifdb.schemas import EMBEDDING_METRICS, EMBEDDINGS
from motifdb.training.embedding import job
from motifdb.training.embedding.base import windows_of
from motifdb.training.embedding.job import Embedded, EmbedOptions, embed_database
from motifdb.training.inputs.packed import Packed
from tests.query.example import RECORDING
from tests.query.heard import make_heard
from tests.training.embedding.plug_in import LOUDNESS, install
from tests.training.small import CORPUS_ID, Small, make_small

Run = Callable[..., tuple[str, str, int]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Six recordings, one clip each; two files of one content."""
    return make_small(tmp_path_factory.mktemp("small"), n_each=2, n_copies=1, split=None)


@pytest.fixture
def path(small: Small, tmp_path: Path) -> Path:
    """A copy to write to."""
    own = tmp_path / "songs.motifdb"
    shutil.copytree(small.path, own)
    return own


@pytest.fixture(autouse=True)
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(tmp_path / "site", "loud-voices", "loud_voices", LOUDNESS, {"loudness": "Loudness"})
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "loud_voices", raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*words: object) -> tuple[str, str, int]:
        monkeypatch.setattr(sys, "argv", ["motifdb", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return out, err, code

    return call


def embed(path: Path, model: str = "loudness", **options: Any) -> Embedded:
    return embed_database(EmbedOptions(model, **options), path, Quiet(), lambda line: None)


def is_right(path: Path) -> bool:
    """Whether the rules hold that vectors are under; `check` as a whole is run once, below."""
    steps = (
        tables.check_references,
        tables.check_coverage,
        vectors.check_vectors,
        vectors.check_vector_figures,
    )
    with Context.open(open_snapshot(path), None) as context:
        found = [violation for step in steps for violation in step(context)]
    assert not found, "\n".join(map(str, found))
    return True


def test_recordings_and_clips_have_the_vectors_that_the_model_gives(path: Path, small: Small) -> None:
    made = embed(path)
    assert (made.n, made.n_new, made.n_dims, made.name) == (6, 6, 2, "loudness, recordings")
    found = vectors_of(open_snapshot(path), "loudness, recordings")
    for row, vector in zip(found.rows.to_pylist(), found.matrix, strict=True):
        pcm = small.pcm[row["recording_id"]].astype(np.float64)
        assert vector[0] == np.float32(np.abs(pcm).mean()) and row["end_s"] == len(pcm) / 16_000
    clips = embed(path, target="clip", name="mine")
    assert (clips.n, clips.name) == (7, "mine"), "both files of one content have a clip"
    again = embed(path, clips="files")
    assert (again.analysis_id, again.n_new, again.name) == (clips.analysis_id, 0, "mine")
    assert "nothing was new" in again.lines()[0]
    assert list(check(open_snapshot(path))) == []
    with motifdb.open(str(path)) as database:
        rows = database.embeddings("mine").rows
        assert set(rows["path"].to_pylist()) >= {"copies/asa/0.wav", "asa/0.wav"}
        assert set(rows["singer"].to_pylist()) == {"asa", "bel", "cem"}


def test_places_of_motifs_have_vectors_where_sound_is_kept(tmp_path: Path) -> None:
    path = make_heard(tmp_path / "heard")
    made = embed(path, analysis="gap 0", name="places")
    found = vectors_of(open_snapshot(path), "places")
    assert found.target == "occurrence" and set(found.rows["recording_id"].to_pylist()) == {RECORDING["bela"]}
    n_places = open_snapshot(path).count("occurrences", f"recording_id = '{RECORDING['bela']}'")
    assert 0 < made.n <= n_places and len(made.unheard) == 2
    assert any("could not be heard" in line and "--keep-audio" in line for line in made.lines())
    assert any("1 recording is an f0 track" in line for line in made.lines())
    # the kept sound is a ramp: the mean of a span says where it lies
    rows = found.rows.to_pylist()
    middles = np.array([(row["start_s"] + row["end_s"]) / 2 for row in rows])
    last_s = {r["recording_id"]: r["duration_s"] for r in open_snapshot(path).table("recordings").to_pylist()}
    np.testing.assert_allclose(
        found.matrix[:, 0], 0.5 * 32_767 * middles / last_s[RECORDING["bela"]], rtol=2e-3
    )
    with Context.open(open_snapshot(path), None) as context:
        assert list(vectors.check_vectors(context)) == []
    # a job that finds the places of a motif anew: its vectors go, and are made again, also where the places are the same
    motif = rows[0]["motif_id"]
    n_own = sum(row["motif_id"] == motif for row in rows)
    with open_writer(path) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        committer.rows("occurrences", writer.snapshot.table("occurrences", None, f"motif_id = '{motif}'"))
        committer.replace_rows("occurrences", f"motif_id = '{motif}'")
        committer.flush("find it anew")
    assert open_snapshot(path).count("embeddings") == made.n + 2 - n_own, "two others were there"
    assert embed(path, analysis="gap 0").n == made.n
    with Context.open(open_snapshot(path), None) as context:
        assert list(vectors.check_vectors(context)) == []


def test_only_some_recordings_and_the_rest_later(path: Path) -> None:
    first = embed(path, where="singer = 'asa'")
    assert first.n == 2
    second = embed(path, limit=3)
    assert (second.n, second.n_new, second.n_left) == (5, 3, 1)
    (waiting,) = [a for a in status(open_snapshot(path)).analyses if a.kind == "embeddings"]
    assert waiting.n_waiting == 1
    assert "run embed again" in str(status(open_snapshot(path)))
    assert embed(path).n == 6 and is_right(path)
    with pytest.raises(NotFoundError, match="no recording with sound fulfils --where"):
        embed(path, where="singer = 'nobody'")
    with pytest.raises(NotFoundError, match="did you mean 'singer'"):
        embed(path, where="singr = 'asa'")


def test_what_was_interrupted_is_finished_and_says_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.motifdb"
    shutil.copytree(path, other)
    embed(other)
    monkeypatch.setattr(job, "STORE_EVERY_S", 1e9)
    loud = __import__("loud_voices").Loudness
    heard, plain = [], loud.embed

    def weary(self: Any, packed: Packed, rows: Any = None) -> Any:
        heard.append(len(packed))
        if len(heard) == 4:
            raise KeyboardInterrupt
        return plain(self, packed, rows)

    monkeypatch.setattr(loud, "embed", weary)
    with pytest.raises(KeyboardInterrupt):
        embed(path)
    assert open_snapshot(path).count("embeddings") == 3 and is_right(path)
    assert embed(path).n_new == 3 and len(heard) == 7, "what was stored is not heard again"
    ours, theirs = (fingerprint(open_snapshot(p)).tables for p in (path, other))
    assert [ours[t] == theirs[t] for t in ("embeddings", "analyses", "coverage")] == [True] * 3


def forget(path: Path, *files: str) -> None:
    """As an ingest does with files that are gone."""
    with open_writer(path) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        for file in files:
            committer.forget((CORPUS_ID, file))
        committer.flush("forget files")


def figure(path: Path, analysis_id: str) -> None:
    """Store a figure of vectors."""
    row: dict[str, object] = {
        "analysis_id": analysis_id, "protocol": "singer", "metric": "knn_1", "value": 1.0, "low": None, "high": None,
        "chance": 0.3, "n": 7, "about": "{}",
    }  # fmt: skip
    with open_writer(path) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        committer.rows("embedding_metrics", EMBEDDING_METRICS.table([row]))
        committer.flush("a figure")


def test_vectors_go_with_what_they_are_of_and_figures_with_them(path: Path) -> None:
    recordings, clips = embed(path), embed(path, target="clip")
    for made in (recordings, clips):
        figure(path, made.analysis_id)
    forget(path, "copies/asa/0.wav")  # the content stays under its other path, with the clip of that one
    assert is_right(path)
    snapshot = open_snapshot(path)
    assert snapshot.count("embeddings") == 6 + 6
    figures = snapshot.table("embedding_metrics").to_pylist()
    assert [row["analysis_id"] for row in figures] == [recordings.analysis_id], "its vectors are all there"
    forget(path, "asa/0.wav")
    assert is_right(path)
    snapshot = open_snapshot(path)
    assert snapshot.count("embeddings") == 5 + 5 and snapshot.count("embedding_metrics") == 0
    again = embed(path, target="clip")
    assert (again.n, again.n_new) == (5, 0) and is_right(path)


def test_clips_that_come_or_go_are_heard_again_and_figures_end(path: Path) -> None:
    forget(path, "copies/asa/0.wav")
    made = embed(path, target="clip", limit=5)
    figure(path, made.analysis_id)
    more = embed(path, target="clip")
    assert (more.n_new, more.n) == (1, 6) and open_snapshot(path).count("embedding_metrics") == 0
    assert any("figures" in line for line in more.lines())
    assert embed(path, target="clip", again=True).n_new == 6 and is_right(path)


def test_recordings_without_sound_are_told_and_the_others_go_on(path: Path) -> None:
    first = open_snapshot(path).table("recordings")["recording_id"][0].as_py()
    with open_writer(path) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        committer.replace_rows("audio", f"recording_id = '{first}'")
        committer.flush("lose sound")
    made = embed(path)
    assert made.n == 5 and list(made.unheard) == [first]
    with open_writer(path) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        committer.replace_rows("audio", "block >= 0")
        committer.flush("lose all sound")
    with pytest.raises(NotFoundError, match=r"none of 6 recordings can be heard, .* is not kept here"):
        embed(path, again=True)
    assert is_right(path)


def test_names_targets_and_sizes_that_do_not_fit(path: Path) -> None:
    embed(path, name="mine")
    with pytest.raises(UsageError, match="the name 'mine' is taken by the vectors"):
        embed(path, name="mine", target="clip")
    with pytest.raises(NotFoundError, match="no embedding model 'loudnes'; did you mean 'loudness'"):
        embed(path, "loudnes")
    with pytest.raises(UsageError, match="--clips names clips, but --target is recording"):
        embed(path, target="recording", clips="files")
    with pytest.raises(NotFoundError, match="there are no clips 'file'; did you mean 'files'"):
        embed(path, clips="file")
    with pytest.raises(NotFoundError, match="no motifs here"):
        embed(path, target="occurrence")
    with pytest.raises(UsageError, match="--limit must be 1 or more"):
        embed(path, limit=0)
    with open_writer(path) as writer:  # a vector as another model would have given it
        committer = Committer(writer, Known.of(writer.snapshot))
        row = writer.snapshot.table("embeddings").to_pylist()[0]
        committer.replace_rows("embeddings", f"embedding_id = '{row['embedding_id']}'")
        committer.rows("embeddings", EMBEDDINGS.table([row | {"vector": [1.0, 2.0, 3.0]}]))
        committer.flush("another size")
    with pytest.raises(DatabaseError, match="of several sizes"):
        vectors_of(open_snapshot(path), "mine")
    with Context.open(open_snapshot(path), None) as context:
        assert [v.rule for v in vectors.check_vectors(context)] == ["vector"]


@dataclass
class Whole:
    """Hears relative to the recording, and its voiced windows only: three numbers that say what it was given."""

    name: str = "whole"
    n_dims: int = 3
    sample_rate_hz: int = 16_000
    window_s: float | None = 0.1
    hop_s: float | None = 0.05
    is_voiced_only: bool = True
    whole: list[int] = field(default_factory=list)

    def gain(self, packed: Packed, recording_ids: list[str]) -> NDArray[np.float32]:
        self.whole += packed.length.tolist()
        return np.full(len(packed), 0.5, np.float32)

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        own = packed if rows is None else packed.take(rows)
        assert own.gain is not None
        told = (own.start - packed.pcm.size, own.length, 100 * own.gain)
        return np.stack([part.astype(np.float32) for part in told], 1)

    def config(self) -> dict[str, Any]:
        return {"model": self.name}


def test_voiced_windows_count_and_gain_is_the_recordings(
    path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Whole()
    monkeypatch.setattr(job, "find_embedder", lambda *_, **__: model)

    def voiced(samples: NDArray[np.float32], rate: int) -> NDArray[np.bool_]:
        assert np.abs(samples).max() <= 1
        return np.arange(1 + len(samples) // 372) * 372 >= 3200  # frame t is centred on sample 372 t

    monkeypatch.setattr("motifdb.training.inputs.voicing.voiced_frames", voiced)
    embed(path, name="whole")
    found = vectors_of(open_snapshot(path), "whole")
    assert sorted(model.whole) == sorted(len(pcm) for pcm in small.pcm.values())
    assert set(found.matrix[:, 1]) == {1600.0} and set(found.matrix[:, 2]) == {50.0}
    rows = found.rows.to_pylist()
    starts = {}
    for row, vector in zip(rows, found.matrix, strict=True):
        n = len(small.pcm[row["recording_id"]])
        _, offset, _ = windows_of(np.array([n]), 1600, 800)
        wanted = offset[
            [np.mean([f >= 3200 for f in range(-(-o // 372) * 372, o + 1600, 372)]) > 0.5 for o in offset]
        ]
        starts[row["recording_id"]] = float(vector[0]) - wanted.mean()
    ends = np.cumsum([len(small.pcm[name]) for name in sorted(small.pcm)])
    begins = dict(
        zip(
            sorted(small.pcm), (ends - [len(small.pcm[n]) for n in sorted(small.pcm)] - ends[-1]), strict=True
        )
    )
    assert all(abs(starts[name] - begins[name]) < 0.01 for name in starts)
    monkeypatch.setattr(
        "motifdb.training.inputs.voicing.voiced_frames", lambda s, r: np.zeros(1 + len(s) // 372, bool)
    )
    model.name = "silent"
    monkeypatch.setattr(Whole, "config", lambda self: {"model": "silent"})
    silent = embed(path)
    assert (silent.n, silent.n_unvoiced) == (0, 6) and is_right(path)
    assert any("no window of them is voiced" in line for line in silent.lines())
    assert embed(path).n_recordings == 0, "nothing found is found once"


def test_the_command(path: Path, run: Run) -> None:
    out, _, code = run("embed", "--db", path)
    assert code == 0 and "loudness: offered by loud-voices" in out and "needs --weights" in out
    out, err, code = run(
        "embed", "loudness", "--db", path, "--set", "window_s=0.2", "--set", "hop_s=0.1", "--index"
    )
    assert (
        code == 0
        and "6 vectors of 2 numbers" in out
        and "no index: " in out
        and "embedding 6 recordings" in err
    )
    out, _, code = run("embed", "loudness", "--target", "clip", "--format", "json", "--db", path)
    told = json.loads(out)
    assert code == 0 and (told["vectors"], told["new"], told["target"]) == (7, 7, "clip")
    out, err, code = run("embed", "loudnes", "--db", path)
    assert code == 2 and "did you mean 'loudness'?" in err and "Traceback" not in err
    out, err, code = run("embed", "speaker", "--db", path, "--weights", path / "nothing.onnx")
    assert code == 2 and "nothing.onnx is no file" in err
