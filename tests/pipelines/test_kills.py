"""A process group killed at any moment leaves a whole database, and the same command finishes it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.pipelines.killing import command, kill_after, run_to_end
from tests.pipelines.small import make_f0_corpus, prints, violations

N_KILLS = 10


@pytest.mark.slow
def test_killed_at_random_moments_and_finished(tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus")
    whole = tmp_path / "whole.motifdb"
    run_to_end(command(corpus, tmp_path / "warm.motifdb", "--engine", "inline"))
    began_s, ended_s = run_to_end(command(corpus, whole, "--engine", "inline"))
    expected = prints(whole)
    rng = random.Random(20)
    n_killed = 0
    for i in range(N_KILLS):
        killed = tmp_path / f"killed-{i}.motifdb"
        line = command(corpus, killed, "--engine", "inline")
        n_killed += kill_after(line, rng.uniform(0, 0.8 * (ended_s - began_s)))
        if killed.exists():
            assert violations(killed) == []
        run_to_end(line)
        assert prints(killed) == expected
        assert violations(killed) == []
    assert n_killed >= N_KILLS // 2
