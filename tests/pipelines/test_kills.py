"""A process group killed at any moment leaves a whole database, and the same command finishes it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.pipelines.killing import command, kill_after, run_to_end
from tests.pipelines.small import make_f0_corpus, prints, violations

N_KILLS = 6


@pytest.mark.slow
def test_killed_at_random_moments_and_finished(tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus")
    whole = tmp_path / "whole.motifdb"
    began_s, ended_s = run_to_end(command(corpus, whole, "--engine", "inline"))
    expected = prints(whole)
    rng = random.Random(20)
    within_s = 0.8 * (ended_s - began_s)
    n_killed = 0
    for i in range(4 * N_KILLS):
        killed = tmp_path / f"killed-{i}.motifdb"
        line = command(corpus, killed, "--engine", "inline")
        if not kill_after(line, rng.uniform(0, within_s)):
            within_s *= 0.7  # it ended first: the machine is quicker now than it was
            continue
        if killed.exists():
            assert violations(killed) == []
        run_to_end(line)
        assert prints(killed) == expected
        assert violations(killed) == []
        n_killed += 1
        if n_killed == N_KILLS:
            return
    raise AssertionError(f"only {n_killed} of {4 * N_KILLS} runs could be killed before they ended")
