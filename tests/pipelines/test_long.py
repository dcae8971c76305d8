"""Files too long to hold: read where they are, in blocks, with the same rows as when they are held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from motifdb.pipelines import reading
from tests.pipelines.inputs.audio_files import encoded, tone
from tests.pipelines.small import prints, rows, run, violations


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "corpus"
    folder.mkdir()
    (folder / "a.wav").write_bytes(encoded(tone(3.0, 44_100, 2), 44_100, "wav"))
    (folder / "b.flac").write_bytes(encoded(tone(2.0, 22_050, hz=330.0), 22_050, "flac"))
    return folder


@pytest.mark.parametrize("engine", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_file_that_is_not_held_makes_the_same_rows(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    run(tmp_path / "held.motifdb", corpus)
    monkeypatch.setattr(reading, "HELD_BYTES", 1000)
    report = run(tmp_path / "not.motifdb", corpus, engine=engine, workers=1)
    assert report.n_worked == 2 and report.n_failed == 0
    assert prints(tmp_path / "not.motifdb") == prints(tmp_path / "held.motifdb")
    assert violations(tmp_path / "not.motifdb") == []


def test_a_file_that_goes_while_it_waits_is_a_failure(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.wav").write_bytes((corpus / "a.wav").read_bytes())
    monkeypatch.setattr(reading, "HELD_BYTES", 1000)
    hashed = reading._content

    def gone(seen, sniffed):  # type: ignore[no-untyped-def]
        found = hashed(seen, sniffed)
        seen.found.path.unlink()
        return found

    monkeypatch.setattr(reading, "_content", gone)
    run(tmp_path / "a.motifdb", folder)
    (failure,) = rows(tmp_path / "a.motifdb", "failures")
    assert failure["kind"] == "unreadable" and violations(tmp_path / "a.motifdb") == []


_MEASURE = """
import sys
from pathlib import Path
from tests.pipelines.small import run
run(Path(sys.argv[2]), Path(sys.argv[1]))
status = Path("/proc/self/status").read_text()  # getrusage would count the parent, up to exec
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_memory_hardly_grows_with_the_length_of_a_recording(tmp_path: Path) -> None:
    peak_kb: list[int] = []
    for minutes in (1, 1, 20):  # the first one may compile
        folder = tmp_path / f"{len(peak_kb)}-minutes"
        folder.mkdir()
        (folder / "a.flac").write_bytes(encoded(tone(60.0 * minutes, 16_000), 16_000, "flac"))
        line = [sys.executable, "-c", _MEASURE, str(folder), str(tmp_path / f"{len(peak_kb)}.motifdb")]
        peak_kb.append(int(subprocess.run(line, capture_output=True, text=True, check=True).stdout))
    # twenty minutes of samples are 77 MB as floats; pitch at 10 ms is 1 MB
    assert peak_kb[2] - peak_kb[1] < 40_000
