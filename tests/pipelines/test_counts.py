"""Counts of kept patterns when they are more than one commit should hold, also when a job stops between two."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.pipelines import committer
from tests.pipelines.small import make_f0_corpus, prints, rows, run, violations


def test_counts_in_several_commits_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus")
    run(tmp_path / "one.motifdb", corpus)
    monkeypatch.setattr(committer, "COMMIT_BYTES", 1000)
    report = run(tmp_path / "many.motifdb", corpus)
    assert report.n_commits > 8
    assert prints(tmp_path / "many.motifdb") == prints(tmp_path / "one.motifdb")
    assert violations(tmp_path / "many.motifdb") == []


def test_counts_left_half_done_are_counted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus")
    run(tmp_path / "whole.motifdb", corpus)
    flush = committer.Committer.flush
    n_partial = 0

    def stops(self: committer.Committer, message: str, **more: object) -> int | None:
        nonlocal n_partial
        made = flush(self, message, **more)  # type: ignore[arg-type]
        n_partial += message.endswith("in some recordings")
        if n_partial == 3:
            raise OSError("power cut")
        return made

    with monkeypatch.context() as patch:
        patch.setattr(committer, "COMMIT_BYTES", 1000)
        patch.setattr(committer.Committer, "flush", stops)
        with pytest.raises(OSError, match="power cut"):
            run(tmp_path / "half.motifdb", corpus)
    assert violations(tmp_path / "half.motifdb") == []
    assert len(rows(tmp_path / "half.motifdb", "pattern_counts")) > 0
    run(tmp_path / "half.motifdb", corpus)
    assert prints(tmp_path / "half.motifdb") == prints(tmp_path / "whole.motifdb")
    assert violations(tmp_path / "half.motifdb") == []
