"""What an encoder learns from: the voiced clips of one fold of a split, with their sound, singers and recordings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.encoders.pairs import ClipPairs, PairSampler, fixed_pairs

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.encoders.recipes import SiameseRecipe
    from motifdb.training.inputs.frontends import FrontEndConfig
    from motifdb.training.inputs.packed import Packed
    from motifdb.training.splits.examples import Examples

LEAST_VOICED = 0.5
"""A clip counts where more than this share of its frames is voiced (siamese-2018)."""

JUDGED_SEED = 2018
"""Of the pairs that encoders are judged by: the same for every network and every seed of it."""


@dataclass(frozen=True, eq=False)
class PairData:
    """Clips of a fold; row i of everything is example i.

    Attributes
    ----------
    label : the label that says who sings
    packed : their sound at the rate of the front end, without gain
    voiced_share : float64[n], frames that are voiced; None where nobody asked
    notes : sentences
    """

    split_id: str
    fold: int
    label: str
    examples: Examples
    packed: Packed
    voiced_share: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()

    def rows(self, part: str, *, voiced_only: bool) -> NDArray[np.int64]:
        """Clips of a part, ascending; voiced ones alone where that is asked for."""
        rows = self.examples.rows(part)
        if not voiced_only:
            return rows
        assert self.voiced_share is not None, "voicing was not read"
        return rows[self.voiced_share[rows] > LEAST_VOICED]

    def heard(self, front_end: FrontEndConfig, *, relative: bool) -> Packed:
        """The sound as a front end is to hear it: louder or softer by recording where decibels are relative to it."""
        from motifdb.training.inputs.heard import is_relative, recording_gain

        if not (relative and is_relative(front_end)):
            return self.packed
        whole, of = stretches(self.packed)
        # clips that share sound are of one recording
        first = np.unique(of, return_index=True)[1]
        names = [self.examples.recording_id[i] for i in first.tolist()]
        return replace(self.packed, gain=recording_gain(whole, names, front_end)[of])

    def sampler(self, recipe: SiameseRecipe, seed: int) -> PairSampler:
        """Draws pairs of the part train.

        Raises
        ------
        UsageError
            where no pair of either kind is to be had.
        """
        rows = self.rows("train", voiced_only=recipe.voiced_only)
        if not len(rows):
            raise UsageError(
                f"fold {self.fold} of split {self.split_id[:8]} has no clip to train on in which more than half of the"
                " frames are voiced; --set voiced_only=false takes all"
                if recipe.voiced_only and len(self.examples.rows("train"))
                else f"fold {self.fold} of split {self.split_id[:8]} has no clips to train on"
            )
        who, what = self._named(rows)
        return PairSampler(rows, who, what, seed=seed, literal=recipe.literal)

    def judged_by(self, part: str, recipe: SiameseRecipe) -> tuple[ClipPairs | None, str | None]:
        """The fixed pairs of valid or test, and where there are none, why: a sentence's clause."""
        rows = self.rows(part, voiced_only=recipe.voiced_only)
        if not len(rows):
            return None, f"{part} has no clips"
        who, what = self._named(rows)
        try:
            return (
                fixed_pairs(rows, who, what, recipe.n_judged, JUDGED_SEED, literal=recipe.literal),
                None,
            )
        except UsageError as error:
            return None, f"{part} has no pairs: {error}"

    def _named(self, rows: NDArray[np.int64]) -> tuple[list[int], list[str]]:
        return self.examples.label[rows].tolist(), [self.examples.recording_id[i] for i in rows.tolist()]

    def describe(self, recipe: SiameseRecipe) -> dict[str, Any]:
        """What an encoder's id and `encoders.data` hold: how much there is, and which clips, by a hash."""
        found: dict[str, Any] = {"label": self.label}
        h = hashlib.blake2b(digest_size=10)
        for part in ("train", "valid"):
            rows = self.rows(part, voiced_only=recipe.voiced_only)
            singers, recordings = self._named(rows)
            found[part] = {
                "clips": len(rows),
                "singers": len(set(singers)),
                "recordings": len(set(recordings)),
            }
            for i in rows.tolist():
                h.update(
                    f"{part} {self.examples.clip_id[i]} {self.examples.classes[self.examples.label[i]]}\n".encode()
                )
        return found | {"hash": h.hexdigest()}


def with_valid_singers(examples: Examples, seed: int = 0) -> Examples:
    """Examples in which whole singers validate, where whole singers test and none validate yet.

    A fifth of the singers who train, two at least, drawn by seed: what early stopping watches must be as new as what tests. Other divisions,
    and those with fewer than six singers left, stay as they are.
    """
    parts = {part: set(examples.label[examples.rows(part)].tolist()) for part in ("train", "valid", "test")}
    singers = sorted(parts["train"])
    is_folded = len(examples.group) > 0 and set(examples.group) == set(examples.classes)
    if parts["valid"] or parts["train"] & parts["test"] or not is_folded or len(singers) < 6:
        return examples
    n = max(2, len(singers) // 5)
    chosen = np.random.default_rng([seed, len(singers)]).permutation(np.array(singers))[:n]
    part = np.where((examples.part == "train") & np.isin(examples.label, chosen), "valid", examples.part)
    return replace(examples, part=part.astype(np.str_))


def stretches(packed: Packed) -> tuple[Packed, NDArray[np.int64]]:
    """Clips that overlap as one: m stretches of the same sound, and int64 [n], in which each clip lies.

    What is asked of all of a recording's sound is then asked once, and not once for each clip that a moment is in.
    """
    order = np.argsort(packed.start, kind="stable")
    start, end = packed.start[order], (packed.start + packed.length)[order]
    reach = np.maximum.accumulate(end)
    is_new = np.concatenate([[True], start[1:] >= reach[:-1]])[: len(order)]
    number = np.cumsum(is_new) - 1
    of = np.empty(len(order), np.int64)
    of[order] = number
    begins = np.flatnonzero(is_new)
    last = reach[np.concatenate([begins[1:], [len(order)]]) - 1] if len(begins) else begins
    return replace(packed, start=start[begins], length=last - start[begins], gain=None), of


def read_pair_data(
    snapshot: Snapshot, split_id: str, fold: int, sample_rate_hz: int, *, voicing: bool = True
) -> PairData:
    """The clips of a fold with their sound.

    Raises
    ------
    NotFoundError
        where split or fold is not there, or sound is not kept.
    """
    from motifdb.training.inputs.packed import pack
    from motifdb.training.splits.examples import load_examples, split_row

    given = load_examples(snapshot, split_id, fold)
    examples = with_valid_singers(given)
    packed = pack(snapshot, examples, sample_rate_hz=sample_rate_hz)
    share = None
    notes: list[str] = []
    if examples is not given:
        n = len(set(examples.label[examples.rows("valid")].tolist()))
        notes.append(
            f"{n} of the singers who do not test validate: early stopping watches voices that are not learnt"
        )
    if voicing:
        from motifdb.training.inputs.voicing import voiced_share

        share = np.asarray(voiced_share(packed, list(examples.recording_id)), np.float64)
        n_left = int((share <= LEAST_VOICED).sum())
        notes.append(
            f"{n_left:,} of {len(share):,} clips are left out: no more than half of their frames are voiced"
        )
    label = str(json.loads(split_row(snapshot, split_id)["parameters"])["label"])
    return PairData(split_id, fold, label, examples, packed, share, tuple(notes))
