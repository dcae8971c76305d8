"""Everything that can be wrong with a file, in one folder, through the whole of ingest: it never stops the run."""

from __future__ import annotations

import os
import struct
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from motifdb.config import Config, ContourConfig, PitchConfig
from motifdb.pipelines.inputs import decode
from tests.pipelines.inputs.audio_files import encoded, tone
from tests.pipelines.inputs.test_decode import _FAULTY
from tests.pipelines.small import make_f0_corpus, prints, rows, run, violations

CONFIG = Config(name="bad", pitch=PitchConfig(tracker="yin"), contour=ContourConfig())
RATE_HZ = 16_000


def wav(samples: np.ndarray, rate_hz: int = RATE_HZ) -> bytes:
    return encoded(samples, rate_hz, "wav")


def claims_4_gb(content: bytes) -> bytes:
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", 0xFFFFFFF0) + content[at + 4 :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with everything in it."""
    root = tmp_path_factory.mktemp("bad") / "corpus"
    root.mkdir()
    good = tone(1.0, RATE_HZ)
    holes = good.copy()
    holes[100:200] = np.nan
    holes[300] = np.inf
    float_wav = _float_wav(holes)
    mp3 = encoded(tone(8.0, 44_100), 44_100, "mp3")
    files: dict[str, bytes] = {
        "good.wav": wav(good),
        "empty.wav": b"",
        "text.wav": b"this is a letter, not a song\n" * 30,
        "cut.mp3": mp3[: len(mp3) // 3],
        "claims-4-gb.wav": claims_4_gb(wav(good)),
        "nan-and-inf.wav": float_wav,
        "silence.wav": wav(np.zeros((RATE_HZ, 1))),
        "short.wav": wav(tone(0.1, RATE_HZ)),
        "dc.wav": wav(np.full((RATE_HZ, 1), 0.5)),
        "clipped.wav": wav(np.clip(good * 20, -1, 1)),
        "8khz.wav": wav(tone(1.0, 8_000), 8_000),
        "192khz.wav": wav(tone(1.0, 192_000), 192_000),
        "ünïcødé 歌.wav": wav(tone(0.5, RATE_HZ)),
        "new\nline.wav": wav(tone(0.6, RATE_HZ)),
        "crash.wav": _marked(b"CRASH"),
        "hang.wav": _marked(b"HANG"),
        "bad-number.pitch": b"220.0\n221.0\nmany\n" * 20,
        "notes.csv": b"onset_s,offset_s,midi_pitch\n0,1,60\n1,2,62\n",
        "README.md": b"# songs\n",
    }
    for name, content in files.items():
        (root / name).write_bytes(content)
    (Path(os.fsdecode(os.fsencode(root) + b"/latin\xe9.wav"))).write_bytes(wav(tone(0.7, RATE_HZ)))
    (root / "directory.wav").mkdir()
    (root / "directory.wav/inside.wav").write_bytes(wav(tone(0.8, RATE_HZ)))
    (root / "loop").symlink_to(root)
    (root / "dangling.wav").symlink_to(root / "nowhere.wav")
    return root


def _float_wav(samples: np.ndarray) -> bytes:
    import io

    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples.astype(np.float32), RATE_HZ, format="WAV", subtype="FLOAT")
    return out.getvalue()


def _marked(mark: bytes) -> bytes:
    return wav(tone(2.0, RATE_HZ)) + b"note" + struct.pack("<I", len(mark)) + mark


@pytest.fixture(scope="module")
def db(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ingested, with a decoder that crashes and hangs on marked files."""
    place = tmp_path_factory.mktemp("db")
    program = place / "faulty_decoder.py"
    program.write_text(textwrap.dedent(_FAULTY))
    faulty = decode.Decoder(command=[sys.executable, str(program)], timeout_s=3.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "shared_decoder", lambda: faulty)
        report = run(place / "a.motifdb", folder, config=CONFIG, hop="0.01")
    faulty.close()
    assert report.n_failed == len(rows(place / "a.motifdb", "failures"))
    return place / "a.motifdb"


FAILURES = {
    "empty.wav": "empty",
    "text.wav": "not-audio",
    "cut.mp3": "truncated",
    "crash.wav": "decoder-crashed",
    "hang.wav": "decoder-hung",
    "bad-number.pitch": "bad-number",
    "dangling.wav": "unreadable",
}


def test_each_unusable_input_is_one_failure_with_a_sentence(db: Path) -> None:
    failures = {f["path"]: f for f in rows(db, "failures")}
    assert {path: f["kind"] for path, f in failures.items()} == FAILURES
    for failure in failures.values():
        assert 20 < len(failure["reason"]) < 200 and "Traceback" not in failure["reason"]
        assert "\n" not in failure["reason"]


def test_everything_else_is_a_recording_or_skipped(db: Path) -> None:
    files = {f["path"]: f["state"] for f in rows(db, "files") if f["state"] != "failed"}
    assert files.pop("notes.csv") == files.pop("README.md") == "skipped"
    assert set(files) == {
        "good.wav", "claims-4-gb.wav", "nan-and-inf.wav", "silence.wav", "short.wav", "dc.wav", "clipped.wav", "8khz.wav", "192khz.wav",
        "ünïcødé 歌.wav", "new%0Aline.wav", "latin%E9.wav", "directory.wav/inside.wav",
    }  # fmt: skip
    assert set(files.values()) == {"input"}


def test_what_is_odd_is_said(db: Path) -> None:
    by_path = {f["path"]: f["recording_id"] for f in rows(db, "files")}
    recordings = {r["recording_id"]: r for r in rows(db, "recordings")}
    odd = recordings[by_path["nan-and-inf.wav"]]
    assert "101" in odd["warning"]
    claims = recordings[by_path["claims-4-gb.wav"]]
    assert claims["duration_s"] == 1.0 and claims["warning"]
    assert recordings[by_path["clipped.wav"]]["clipped_share"] > 0.5
    assert recordings[by_path["silence.wav"]]["peak"] == 0.0
    assert recordings[by_path["192khz.wav"]]["sample_rate_hz"] == 192_000


def test_silence_and_what_is_too_short_have_no_motifs(db: Path) -> None:
    by_path = {f["path"]: f["recording_id"] for f in rows(db, "files")}
    done = {(c["scope_key"], c["analysis_id"]): c["state"] for c in rows(db, "coverage")}
    mining = next(a["analysis_id"] for a in rows(db, "analyses") if a["kind"] == "mining")
    for name in ("silence.wav", "short.wav", "dc.wav"):
        assert done[by_path[name], mining] == "empty"
    assert violations(db) == []


def test_failed_files_are_skipped_until_they_change_or_are_asked_for(
    folder: Path, db: Path, tmp_path: Path
) -> None:
    before = prints(db)
    report = run(db, folder, config=CONFIG, hop="0.01")
    assert (report.n_worked, report.n_commits) == (0, 0)
    report = run(db, folder, config=CONFIG, hop="0.01", retry_failed=True)  # with a decoder that is sound
    failures = {f["path"] for f in rows(db, "failures")}
    assert failures == FAILURES.keys() - {"crash.wav", "hang.wav"}
    assert prints(db) != before and violations(db) == []


def test_an_unreadable_file_is_a_failure(tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus", n=3)
    locked = corpus / "a/00.csv"
    locked.chmod(0)
    if os.access(locked, os.R_OK):  # root may read everything: leave root for this
        pid = os.fork()
        if pid == 0:
            os._exit(_as_nobody(tmp_path, corpus))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        return
    run(tmp_path / "a.motifdb", corpus)
    assert [f["kind"] for f in rows(tmp_path / "a.motifdb", "failures")] == ["unreadable"]


def _as_nobody(folder: Path, corpus: Path) -> int:
    """What reading does as a user who may not; 0 where it says so in a sentence."""
    from motifdb.errors import InputError
    from motifdb.pipelines.inputs.discover import discover, read_content

    for place in [folder, *folder.parents]:
        if place.stat().st_uid == os.getuid():
            place.chmod(place.stat().st_mode | 0o055)
    os.setuid(65_534)
    (found,) = [f for f in discover([corpus]) if f.name == b"00.csv"]
    try:
        read_content(found)
    except InputError as error:
        return 0 if error.kind == "unreadable" and "permission" in error.reason else 2
    return 1
