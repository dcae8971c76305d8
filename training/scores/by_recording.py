"""What clips say of the recordings they were cut from: the mean of their posteriors, and how often that is right.

damp-2018 does not say whether its figures are of clips of six seconds or of whole recordings; both are given here. The class of a
recording is the one with the highest mean probability over its clips of the part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from motifdb.training.scores.metrics import Score, scores
from motifdb.training.scores.runs import TESTED, Predictions

if TYPE_CHECKING:
    from motifdb.training.splits.examples import Examples

PREFIX = "recording_"
"""Before the names of figures of recordings, beside those of clips."""


def of_recordings(predictions: Predictions, recording_id: Sequence[str]) -> Predictions | None:
    """One entry for each recording of each part, in the place of `clip_id` its id; None where that says nothing.

    It says nothing where a recording has clips of several classes (what is learnt is no fact about recordings), or where every
    recording has one clip.

    Parameters
    ----------
    recording_id : of each entry of `predictions`
    """
    members: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(predictions.part, recording_id, strict=True)):
        members.setdefault(key, []).append(i)
    if len(members) == len(predictions):
        return None
    keys = sorted(members)
    own = [np.array(members[key]) for key in keys]
    if any(np.ptp(predictions.label[rows]) for rows in own):
        return None
    means = [predictions.probabilities[rows].astype(np.float64).mean(0) for rows in own]
    return Predictions(
        tuple(recording for _, recording in keys),
        tuple(part for part, _ in keys),
        tuple(predictions.group[int(rows[0])] for rows in own),
        np.array([predictions.label[rows[0]] for rows in own], np.int64),
        np.array(means, np.float32).reshape(len(keys), len(predictions.classes)),
        predictions.classes,
    )


def recording_scores(
    predictions: Predictions, recording_of: Mapping[str, str]
) -> dict[str, dict[str, Score]]:
    """By part, the figures of recordings, under their names with `PREFIX`; empty where there are none.

    Parameters
    ----------
    recording_of : by clip_id
    """
    found = of_recordings(predictions, [recording_of[clip] for clip in predictions.clip_id])
    if found is None:
        return {}
    given: dict[str, dict[str, Score]] = {}
    for part in TESTED:
        rows = found.rows(part)
        if rows.size:
            # recordings are drawn, or what binds several of them
            groups = [found.group[i] for i in rows.tolist()]
            named = scores(found.label[rows], found.probabilities[rows], groups)
            given[part] = {f"{PREFIX}{name}": score for name, score in named.items()}
    return given


def recordings_of(examples: Examples) -> dict[str, str]:
    """By clip_id, the recording."""
    return dict(zip(examples.clip_id, examples.recording_id, strict=True))
