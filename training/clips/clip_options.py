"""What `motifdb clips` is asked for, and how much that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motifdb.errors import UsageError, nearest
from motifdb.training.clips.drawing import KINDS

BYTES_PER_S = 32_000
"""16 kHz, 16 bits, one channel."""


@dataclass(frozen=True)
class ClipOptions:
    """What to cut; see `motifdb clips --help`.

    Parameters
    ----------
    kind : one of `motifdb.training.clips.drawing.KINDS`
    analysis : mining analysis whose occurrences are cut, by name or beginning of its id; None is the only one
    max_per_motif, limit : at most so many clips of each motif, and in all, drawn at random
    min_duration_s, max_duration_s : of an occurrence that becomes a clip, or is matched
    segment_s : length of a motif_segment
    window_s, hop_s : of windows; None for the hop is the window
    seed : of every draw
    keep_audio : store the recordings' sound where it is not kept yet
    """

    kind: str = "motif"
    analysis: str | None = None
    max_per_motif: int | None = None
    limit: int | None = None
    min_duration_s: float = 0.0
    max_duration_s: float | None = None
    segment_s: float = 3.0
    window_s: float = 3.0
    hop_s: float | None = None
    seed: int = 0
    name: str | None = None
    keep_audio: bool = True
    engine: str = "auto"
    workers: int | None = None
    ray_address: str | None = None

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        if self.kind == "file":
            raise UsageError(
                "clips of kind file are made by `motifdb ingest DIR --as-clips`, one of each file"
            )
        if self.kind not in KINDS:
            raise UsageError(
                f"there is no kind of clips {self.kind!r}; {nearest(self.kind, [*KINDS, 'file'])}"
            )
        if self.kind == "window" and self.analysis is not None:
            raise UsageError("windows are cut from whole recordings; leave out --analysis")
        for option, value in (
            ("--max-per-motif", self.max_per_motif),
            ("--limit", self.limit),
            ("--segment-s", self.segment_s),
            ("--window-s", self.window_s),
            ("--hop-s", self.hop_s),
            ("--max-duration", self.max_duration_s),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{option} must be more than 0, got {value:g}")
        if not 0 <= self.min_duration_s < float("inf"):
            raise UsageError(f"--min-duration must be 0 or more, got {self.min_duration_s:g}")
        if self.max_duration_s is not None and self.max_duration_s < self.min_duration_s:
            raise UsageError(
                f"--max-duration {self.max_duration_s:g} is less than --min-duration {self.min_duration_s:g}"
            )
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, got {self.seed}")

    def parameters(self) -> dict[str, Any]:
        """What makes these clips others than those: only what the kind uses."""
        if self.kind == "window":
            hop_s = self.window_s if self.hop_s is None else self.hop_s
            return {"kind": self.kind, "window_s": self.window_s, "hop_s": hop_s} | (
                {} if self.limit is None else {"limit": self.limit, "seed": self.seed}
            )
        found: dict[str, Any] = {
            "kind": self.kind,
            "max_per_motif": self.max_per_motif,
            "limit": self.limit,
            "min_duration_s": self.min_duration_s,
            "max_duration_s": self.max_duration_s,
            "seed": self.seed,
        }
        return found | ({"segment_s": self.segment_s} if self.kind == "motif_segment" else {})


@dataclass(frozen=True)
class Size:
    """How much the clips are, before anything is stored.

    Attributes
    ----------
    n_clips, n_recordings : clips, and recordings that have any
    total_s, distinct_s : their durations added up, and the sound that they cover
    n_unplaced : motif clips without a window that matches
    n_f0 : of the recordings, those without sound
    """

    n_clips: int
    n_recordings: int
    total_s: float
    distinct_s: float
    n_unplaced: int = 0
    n_f0: int = 0

    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"{self.n_clips:,} clips of {self.n_recordings:,} recordings: {self.total_s / 3600:.2f} h, of which"
            f" {self.distinct_s:,.0f} s are distinct; {self.total_s * BYTES_PER_S / 1e6:,.1f} MB of PCM if they were"
            f" copied, {self.distinct_s * BYTES_PER_S / 1e6:,.1f} MB as spans of sound that is kept once"
        ]
        if self.n_unplaced:
            found.append(
                f"{self.n_unplaced:,} motif clips have no window that matches: no voiced stretch is long enough and"
                " free (a free moment counts once)"
            )
        if self.n_f0:
            found.append(
                f"{self.n_f0:,} of the recordings are f0 tracks without sound: clips for models of contours"
            )
        return found


def differs(options: ClipOptions) -> str:
    """What else tells clips apart in a list, where nobody named them."""
    plain = ClipOptions(options.kind)
    words = {
        "max_per_motif": "at most {:g} each",
        "limit": "at most {:g}",
        "min_duration_s": "from {:g} s",
        "max_duration_s": "to {:g} s",
        "segment_s": "of {:g} s",
        "window_s": "of {:g} s",
        "hop_s": "every {:g} s",
        "seed": "seed {:g}",
    }
    own = options.parameters()
    said = [
        word.format(own[name])
        for name, word in words.items()
        if own.get(name) is not None and own[name] != plain.parameters().get(name)
    ]
    return "".join(f", {text}" for text in said)
