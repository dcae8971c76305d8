"""What a front end is, in numbers, and how many rows and columns it makes; nothing here computes any.

Three families, each with its own defaults: the log-mel, MFCC and spectrogram of sid-2020 and style-2021 at 16 kHz; the mel and
constant-Q decibels of damp-2018 and siamese-2018 at 22,050 Hz; the three front ends of l3-2019 at 48 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from motifdb.errors import UsageError, nearest
from motifdb.query.audio import SAMPLE_RATE_HZ

Kind = Literal["log-mel", "mfcc", "spectrogram", "mel-db", "cqt-db", "l3-linear", "l3-mel128", "l3-mel256"]
KINDS: tuple[str, ...] = get_args(Kind)
DAMP_KINDS = ("mel-db", "cqt-db")
"""Decibels relative to the loudest moment of the recording: `motifdb.training.inputs.heard` makes that moment 0 dB."""
L3_KINDS = ("l3-linear", "l3-mel128", "l3-mel256")

RATES_HZ = (SAMPLE_RATE_HZ, 22_050, 48_000)
"""Sample rates that sound can be had at."""
L3_RATE_HZ = 48_000

LOWEST_HZ = 65.406_391_325_149_66
"""C2, where the constant-Q bins begin; siamese-2018 and damp-2018 do not say."""
BINS_PER_OCTAVE = 24

BY_KIND = -1
"""The default of numbers that follow from the kind; an object never holds it."""

_SPEECH = {"sample_rate_hz": SAMPLE_RATE_HZ, "window_samples": 400, "hop_samples": 160, "n_bands": 128}
_DAMP = {"sample_rate_hz": 22_050, "window_samples": 2048, "hop_samples": 512, "n_bands": 96}
_L3 = {"sample_rate_hz": L3_RATE_HZ, "window_samples": 2048, "hop_samples": 242}
_OF_KIND: dict[str, dict[str, int | bool]] = {
    **{kind: {**_SPEECH, "standardise": True} for kind in ("log-mel", "mfcc", "spectrogram")},
    **{kind: {**_DAMP, "standardise": False} for kind in DAMP_KINDS},
    "l3-linear": {**_L3, "window_samples": 512, "n_bands": 257, "standardise": False},
    "l3-mel128": {**_L3, "n_bands": 128, "standardise": False},
    "l3-mel256": {**_L3, "n_bands": 256, "standardise": False},
}


def check_rate(sample_rate_hz: int) -> None:
    """Refuse a rate that sound cannot be had at, with a UsageError."""
    if sample_rate_hz not in RATES_HZ:
        listed = ", ".join(f"{rate:,}" for rate in RATES_HZ)
        raise UsageError(f"sound can be had at {listed} Hz, not at {sample_rate_hz:,}")


@dataclass(frozen=True)
class FrontEndConfig:
    """Parameters of a front end; what is not given follows from its kind.

    Attributes
    ----------
    kind : ``log-mel``, ``mfcc``, ``spectrogram`` (sid-2020, style-2021); ``mel-db``, ``cqt-db`` (damp-2018, siamese-2018);
        ``l3-linear``, ``l3-mel128``, ``l3-mel256`` (l3-2019)
    sample_rate_hz : of the sound it hears: 16,000, 22,050 or 48,000
    window_samples : length of the Hann window; 400 are 25 ms at 16 kHz. ``cqt-db`` has a window for each bin instead
    n_fft : None takes the window's length, but at least 1024 for log-mel and mfcc. At 400, 4 of 128 bands are
        empty; a spectrogram of 798 gives the "400 bins" that sid-2020 speaks of
    hop_samples : from column to column; for the speech kinds 160 (10 ms), or 200, which torchaudio takes and the papers' 426
        columns come from
    n_bands : of log-mel, and under MFCC; bands of ``mel-db``, bins of ``cqt-db``
    floor : least power before the logarithm of the speech kinds; decibels end 60 below 0 (damp-2018) or 80 (l3-2019)
    standardise : rows by mean and deviation of the training clips (`FrontEnd.fit`)
    standardise_by : "band": each row by its own; "set": all by one mean and one deviation
    pad_to : a fixed number of columns: shorter clips are padded, longer ones cut. 426 is what the papers have; None pads to
        the longest clip of the batch
    remove_mean : subtract each clip's mean over its valid columns
    remove_cosines : subtract the first so many cosine components of that mean (of MFCC: the means of its first
        coefficients); as many as there are rows are all of it

    >>> FrontEndConfig("mel-db").sample_rate_hz, FrontEndConfig("l3-linear").n_rows
    (22050, 257)
    """

    kind: Kind = "log-mel"
    sample_rate_hz: int = BY_KIND
    window_samples: int = BY_KIND
    n_fft: int | None = None
    hop_samples: int = BY_KIND
    n_bands: int = BY_KIND
    n_mfcc: int = 40
    floor: float = 1e-10
    standardise: bool | None = None
    standardise_by: Literal["band", "set"] = "band"
    pad_to: int | None = None
    remove_mean: bool = False
    remove_cosines: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"there is no front end {self.kind!r}; {nearest(self.kind, KINDS)}")
        for name, value in _OF_KIND[self.kind].items():
            given = getattr(self, name)
            if given is None or given == BY_KIND:
                object.__setattr__(self, name, value)
        self._check_transform()
        if self.n_bands < 1 or self.n_mfcc < 1:
            raise UsageError(f"n_bands and n_mfcc must be at least 1, got {self.n_bands} and {self.n_mfcc}")
        if self.kind == "mfcc" and self.n_mfcc > self.n_bands:
            raise UsageError(f"n_mfcc {self.n_mfcc} is more than the {self.n_bands} bands it is made from")
        if self.pad_to is not None and self.pad_to < 1:
            raise UsageError(f"pad_to must be at least 1 column, got {self.pad_to}")
        if not 0 <= self.remove_cosines <= self.n_rows:
            raise UsageError(
                f"remove_cosines lies between 0 and the {self.n_rows} rows there are, got {self.remove_cosines}"
            )
        if self.floor <= 0:
            raise UsageError(f"the floor must be above 0, got {self.floor}")

    def _check_transform(self) -> None:
        if self.hop_samples < 1 or self.window_samples < 1:
            raise UsageError("window_samples and hop_samples must be at least 1")
        if self.fft_samples < self.window_samples:
            raise UsageError(
                f"n_fft {self.n_fft} is shorter than the window of {self.window_samples} samples"
            )
        check_rate(self.sample_rate_hz)
        if self.kind in L3_KINDS:
            wrong = [
                f"{name} {getattr(self, name):,} instead of {value:,}"
                for name, value in _OF_KIND[self.kind].items()
                if name != "standardise" and getattr(self, name) != value
            ]
            if wrong or self.n_fft not in (None, self.window_samples):
                what = "; ".join(wrong) or f"n_fft {self.n_fft}"
                raise UsageError(f"{self.kind} is as its towers were made for it and cannot have {what}")
        highest_hz = LOWEST_HZ * 2 ** ((self.n_bands - 1) / BINS_PER_OCTAVE)
        if self.kind == "cqt-db" and highest_hz >= self.sample_rate_hz / 2:
            raise UsageError(
                f"cqt-db with {self.n_bands} bins reaches {highest_hz:,.0f} Hz, beyond half the sample rate"
                f" of {self.sample_rate_hz:,} Hz; take fewer bins"
            )

    def of_kind(self, kind: str) -> FrontEndConfig:
        """The same with another kind: what stood at its own kind's default takes the new one's.

        >>> FrontEndConfig(pad_to=256).of_kind("cqt-db").hop_samples
        512
        """
        own, names = _OF_KIND[self.kind], {f.name for f in fields(self)}
        kept: dict[str, Any] = {
            n: getattr(self, n) for n in names - {"kind"} if own.get(n) != getattr(self, n)
        }
        return replace(FrontEndConfig(kind), **kept)  # type: ignore[arg-type]

    @property
    def fft_samples(self) -> int:
        """Length of the transform."""
        if self.n_fft is not None:
            return self.n_fft
        is_banded = self.kind in ("log-mel", "mfcc")
        return max(1024, self.window_samples) if is_banded else self.window_samples

    @property
    def n_rows(self) -> int:
        """Rows of the features: bands, coefficients or bins."""
        if self.kind == "spectrogram":
            return self.fft_samples // 2 + 1
        return self.n_mfcc if self.kind == "mfcc" else self.n_bands

    def n_columns(self, n_samples: int) -> int:
        """Columns of a clip of `n_samples`.

        >>> FrontEndConfig(hop_samples=200).n_columns(85_000)
        426
        >>> FrontEndConfig(pad_to=426).n_columns(608)  # of 426, so many are valid
        4
        >>> [FrontEndConfig(kind).n_columns(48_000) for kind in L3_KINDS]
        [197, 199, 199]
        """
        n = int(self.columns(n_samples))
        return n if self.pad_to is None else min(n, self.pad_to)

    def columns(self, n_samples: Any) -> Any:
        """As `n_columns`, before `pad_to`, for a whole number or a tensor of them."""
        if self.kind == "l3-linear":  # windows that lie in the clip whole; of a shorter clip, one
            beyond = n_samples - self.fft_samples
            return 1 + beyond * (beyond > 0) // self.hop_samples
        if self.kind in L3_KINDS:
            return -(-n_samples // self.hop_samples)
        return 1 + n_samples // self.hop_samples


FRONT_ENDS: dict[str, FrontEndConfig] = {
    "damp-mel": FrontEndConfig("mel-db"),
    "damp-cqt": FrontEndConfig("cqt-db"),
    "l3-linear": FrontEndConfig("l3-linear"),
    "l3-mel128": FrontEndConfig("l3-mel128"),
    "l3-mel256": FrontEndConfig("l3-mel256"),
}
"""Those of the three later papers, by name."""
