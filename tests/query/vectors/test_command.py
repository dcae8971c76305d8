"""`motifdb search --like ... --by sound` and `motifdb index`: what is printed, and a file heard by the model of the vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from motifdb.cli import app
from motifdb.pipelines.listening import wav_bytes
from motifdb.training.embedding import of_file, registry
from motifdb.training.inputs.packed import Packed
from tests.query.vectors.made import EMBEDDINGS_ID, N_DIMS, VOICES, add_clips, clip_rows

run = CliRunner()
RATE_HZ = 16_000


class Made:
    """A model whose vectors are the direction of one of the voices: that which the sound's first sample says."""

    name, sample_rate_hz = "made", RATE_HZ
    window_s = hop_s = None
    is_voiced_only = False

    def __init__(self, n_dims: int = N_DIMS, version: int | None = None, **given: Any) -> None:
        self.n_dims, self.version = n_dims, version

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        at = range(len(packed)) if rows is None else rows
        centres = np.random.default_rng(99).standard_normal((len(VOICES), N_DIMS))
        return np.array(
            [centres[round(packed.clip(int(i))[0] / 1000)][: self.n_dims] for i in at], np.float32
        )

    def config(self) -> dict[str, Any]:
        return {"model": "made"} | ({} if self.version is None else {"version": self.version})


class Offered:
    """An entry point."""

    def __init__(self, **options: Any) -> None:
        self.options, self.dist, self.name, self.value = options, None, "made", "somewhere:Made"

    def load(self) -> Callable[..., Made]:
        return lambda **given: Made(**(self.options | given))


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def offer(**options: Any) -> None:
        for module in (registry, of_file):
            monkeypatch.setattr(module, "entry_points", lambda: {"made": Offered(**options)})

    offer()
    return offer


def search(db: Path, *words: str) -> Result:
    return run.invoke(app, ["search", *words, "--db", str(db)])


def wav(path: Path, first: int, n: int = 4_000) -> Path:
    samples = np.full(n, first / 32_768.0, np.float32)
    path.write_bytes(wav_bytes(samples, RATE_HZ))
    return path


def test_a_file_finds_the_voice_that_its_model_hears(
    vectors_db: Path, offered: Callable[..., None], tmp_path: Path
) -> None:
    file = wav(tmp_path / "hum.wav", 1000)
    done = search(vectors_db, "--like", str(file), "--by", "sound", "--model", "made clips", "-n", "4")
    assert done.exit_code == 0, (done.output, done.exception)
    lines = done.stdout.splitlines()
    assert lines[0] == f"like the file {file}, by made clips ({EMBEDDINGS_ID['made clips'][:8]})"
    assert sum("bela.pitch" in line for line in lines) == 4
    named = search(
        vectors_db,
        "--like",
        str(file),
        "--model",
        "made clips",
        "--where",
        "singer = 'Amina'",
        "--format",
        "csv",
    )
    assert "bela" not in named.stdout and "chitra.pitch" in named.stdout  # both are Amina


def test_what_is_in_the_database_comes_before_a_file(
    vectors_db: Path, offered: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wav(tmp_path / "bela.pitch", 0)
    ours = search(vectors_db, "--like", "bela.pitch", "--model", "made clips")
    theirs = search(vectors_db, "--like", "./bela.pitch", "--model", "made clips")
    assert ours.stdout.startswith("like recording bela.pitch") and "amina.pitch" in theirs.stdout


def test_files_and_models_that_cannot_be(
    vectors_db: Path, offered: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = wav(tmp_path / "hum.wav", 1000)
    (tmp_path / "notes.txt").write_text("no sound")
    wav(tmp_path / "nothing.wav", 0, 0)

    def refused(path: Path, *words: str) -> str:
        done = search(vectors_db, "--like", str(path), "--model", "made clips", *words)
        assert done.exception is not None and not done.stdout
        return str(done.exception)

    assert "is no sound; give a recording" in refused(tmp_path / "notes.txt")
    assert "nothing.wav" in refused(tmp_path / "nothing.wav")
    assert "there is no file" in refused(tmp_path / "gone.wav")
    assert "--weights is for a file" in refused(Path("amina.pitch"), "--weights", str(file))
    offered(n_dims=3)
    assert "a vector of 3 numbers and those of made clips have 8" in refused(file)
    offered(version=2)
    assert "were made by another made than is here (version)" in refused(file)
    monkeypatch.setattr(of_file, "LONGEST_FILE_S", 0.1)
    offered()
    assert "cut it to what you look for" in refused(file)
    for module in (registry, of_file):
        monkeypatch.setattr(module, "entry_points", dict)
    assert "is not here any more, so a file cannot be heard by it" in refused(file)


def test_clips_are_found_by_the_beginning_of_an_id(vectors_db: Path) -> None:
    clips, _ = clip_rows(1)
    done = search(
        vectors_db,
        "--like",
        clips[0]["clip_id"][:10],
        "--model",
        "made clips",
        "--exact",
        "--max-distance",
        "0.2",
    )
    assert done.exit_code == 0 and f"like clip {clips[0]['clip_id'][:8]}" in done.stdout
    one = search(
        vectors_db,
        "--like",
        "chitra.pitch",
        "--model",
        "made",
        "--recording",
        "bela.pitch",
        "--format",
        "json",
    )
    assert '"path":"bela.pitch"' in one.stdout.replace(": ", ":") and "amina" not in one.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--like", "amina.pitch", "--tempo", "same"], "--tempo is of melodies"),
        (["--like", "amina.pitch", "--once"], "--once is of melodies"),
        (["--contour", "+1 -2", "--exact"], "--exact is of searches by sound"),
        (["--contour", "+1 -2", "--where", "true"], "--where is of searches by sound"),
        (["--contour", "+1 -2", "--like", "x"], "give one query"),
        (["--like", "amina.pitch"], "several analyses of vectors are meant"),
        (["--like", "amina.pitch", "--model", "nobody"], "there are no vectors 'nobody'"),
        (["--like", "+1 -2 +1", "--by", "melody", "--own"], "--own is of searches by sound"),
    ],
    ids=["tempo", "once", "exact", "where", "two", "several", "model", "melody"],
)
def test_options_that_do_not_go_together(vectors_db: Path, words: list[str], said: str) -> None:
    assert said in str(search(vectors_db, *words).exception)


def test_like_by_melody_is_the_search_by_motif(vectors_db: Path) -> None:
    like = search(vectors_db, "--like", "+1 -2 +1", "--by", "melody", "--format", "csv")
    motif = search(vectors_db, "--motif", "+1 -2 +1", "--format", "csv")
    assert like.exit_code == 0 and like.stdout == motif.stdout and "is_occurrence" in like.stdout


def test_an_old_index_is_told_and_made_anew(copied: Callable[[], Path]) -> None:
    path = copied()
    add_clips(path, 5)
    asked = ["--like", "amina.pitch", "--model", "made clips", "-n", "2"]
    old = search(path, *asked)
    assert "older than its table" in old.stderr and "older" not in old.stdout and old.exit_code == 0
    made = run.invoke(app, ["index", "made clips", "--db", str(path)])
    assert made.exit_code == 0 and "405 vectors in 20 partitions" in made.stdout
    assert not search(path, *asked).stderr
    few = run.invoke(app, ["index", "made", "--db", str(path)])
    assert "3 vectors; an index needs 256 or more" in str(few.exception)
