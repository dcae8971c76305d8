"""Correspondence by mean colour and spectrum: it learns a law that is one of these, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from motifdb.training.encoders.avc_baseline import baseline_answers, picture_vectors, sound_vectors
from motifdb.training.videos.sample import Pairs


def pairs(n: int, seed: int, *, is_lawful: bool = True) -> Pairs:
    """Tones and plain colours, bright where high; half of the pairs are of two pitches."""
    rng = np.random.default_rng(seed)
    heard = rng.uniform(size=n)
    is_same = rng.integers(2, size=n)
    seen = (
        np.where(is_same == 1, heard, (heard + rng.uniform(0.3, 0.7, n)) % 1)
        if is_lawful
        else rng.uniform(size=n)
    )
    time_s = np.arange(8000) / 8000
    sound = np.sin(2 * np.pi * time_s * (200 * 2 ** (3 * heard))[:, None]) * 8000
    picture = np.empty((n, 4, 4, 3))
    picture[:] = (np.stack([seen, 1 - seen, np.abs(seen - 0.5)], 1) * 255)[:, None, None]
    return Pairs(sound.astype(np.int16), picture.astype(np.uint8), is_same.astype(np.int64))


def test_it_learns_a_law_of_colour_and_pitch_and_no_other() -> None:
    test = pairs(200, 1)
    assert (baseline_answers(pairs(400, 0), test) == test.is_same).mean() > 0.75
    noise = pairs(200, 3, is_lawful=False)
    assert (baseline_answers(pairs(400, 2, is_lawful=False), noise) == noise.is_same).mean() < 0.65


def test_answers_of_one_kind_alone_are_that_kind() -> None:
    train = pairs(6, 0)
    alone = train._replace(is_same=np.ones(6, np.int64))
    assert baseline_answers(alone, train).tolist() == [1] * 6


def test_vectors_are_levels_and_colours() -> None:
    found = pairs(4, 5)
    heard = sound_vectors(found.sound)
    assert heard.max(1).tolist() == [0, 0, 0, 0]
    quiet = sound_vectors((found.sound // 4).astype(np.int16))
    assert quiet.argmax(1).tolist() == heard.argmax(1).tolist()  # loudness says nothing
    assert np.isfinite(sound_vectors(np.zeros((1, 8000), np.int16))).all()
    seen = picture_vectors(found.picture)
    assert seen[:, :3] == pytest.approx(found.picture[:, 0, 0] / 255)
    assert seen[:, 3:6] == pytest.approx(0, abs=1e-9)
