"""l3-2019's audio tower as a model that gives vectors: windows of a second every tenth of one, 6,144 or 512 numbers.

Sound is cut as one of two programs does, which are not the same: the published *experiments* pad a clip evenly on both sides to whole
hops, the released *package* puts half a second of silence before it (a window's time is then its middle) and fills up behind. A vector
is what the last convolution gives before its normalisation and ReLU, max-pooled to 4 x 3 cells or one; the vector of a clip is the mean over
its windows (`L3Embedder.frames` has them one by one).

Cramer, Wu, Salamon and Bello 2019, sections 3 and 4; docs/l3_downstream.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError, nearest
from motifdb.training.inputs.packed import FULL_SCALE, Packed

if TYPE_CHECKING:
    from torch import Tensor

    from motifdb.training.inputs.front_end_config import FrontEndConfig
    from motifdb.training.models.l3 import AudioTower

WINDOW_S, HOP_S = 1.0, 0.1
GRIDS = {6144: (4, 3), 512: (1, 1)}
"""Cells that the last maps are pooled to, by the size of the vector."""
PADDINGS = ("experiments", "package")
BATCH = 32
"""Windows heard together."""


def window_starts(n_samples: int, window: int, hop: int, padding: str = "experiments") -> NDArray[np.int64]:
    """Where the windows of a clip begin, in samples from its first; what lies before or behind the clip is silence.

    Parameters
    ----------
    n_samples : of the clip, >= 1
    padding : ``experiments``: evenly on both sides, to whole hops; ``package``: half a window before, the rest behind

    >>> window_starts(12, 8, 3).tolist(), window_starts(12, 8, 3, "package").tolist(), window_starts(3, 8, 3).tolist()
    ([-1, 2, 5], [-4, -1, 2, 5], [-2])
    """
    before = window // 2 if padding == "package" else 0
    length = n_samples + before
    n_hops = -(-max(0, length - window) // hop)
    if padding == "experiments":
        before = (n_hops * hop + window - length) // 2
    return np.arange(n_hops + 1, dtype=np.int64) * hop - before


class L3Embedder:
    """An audio tower up to its last convolution.

    Parameters
    ----------
    tower : with the weights it is to have
    front_end : what it was trained on
    name : what it is called
    grid : cells that the maps are pooled to
    about : further values of `config`, such as a hash of the weights

    Windows are cut here, not by who asks: `window_s` is None, so that padding is as described above.
    """

    window_s = hop_s = None
    is_voiced_only = False

    def __init__(
        self,
        tower: AudioTower,
        front_end: FrontEndConfig,
        *,
        name: str,
        about: dict[str, Any],
        grid: tuple[int, int] = GRIDS[6144],
        padding: str = "experiments",
        hop_s: float = HOP_S,
        device: str = "auto",
        batch_size: int = BATCH,
    ) -> None:
        import torch

        from motifdb.training.fitting.network import choose_device
        from motifdb.training.inputs.frontends import FrontEnd

        if padding not in PADDINGS:
            raise UsageError(f"there is no padding {padding!r}; {nearest(padding, PADDINGS)}")
        if not (isinstance(hop_s, int | float) and 1e-3 <= hop_s <= WINDOW_S):
            raise UsageError(
                f"hop_s is seconds from one window to the next, 0.001 to {WINDOW_S:g}, got {hop_s}"
            )
        self.device: torch.device = choose_device(device)
        self.tower = tower.to(self.device).eval()
        self.front_end = FrontEnd(front_end).to(self.device)
        self.name, self.grid, self.padding, self.batch_size = name, grid, padding, batch_size
        self.n_dims = tower.channels[-1] * grid[0] * grid[1]
        self.sample_rate_hz = int(front_end.sample_rate_hz)
        self.window, self.hop = round(WINDOW_S * self.sample_rate_hz), round(hop_s * self.sample_rate_hz)
        self._about = about

    def config(self) -> dict[str, Any]:
        """Weights, front end, pooling and how sound is cut."""
        from dataclasses import asdict

        return {
            **self._about,
            "front_end": asdict(self.front_end.config),
            "grid": list(self.grid),
            "padding": self.padding,
            "window_samples": self.window,
            "hop_samples": self.hop,
            "version": 1,
        }

    def frames(
        self, packed: Packed, rows: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The vector of every window, and the place in `rows` of the clip it is of.

        Returns
        -------
        vectors : float32 [m, n_dims]
        owner : int64 [m], ascending

        Raises
        ------
        UsageError
            for sound at another sample rate.
        """
        rows, owner, start = self._cut(packed, rows)
        out = np.empty((len(owner), self.n_dims), np.float32)
        for begin in range(0, len(owner), self.batch_size):
            some = slice(begin, begin + self.batch_size)
            out[some] = self._heard(packed, rows[owner[some]], start[some])
        return out, owner

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `motifdb.training.embedding.base.Embedder.embed`: the mean over a clip's windows."""
        rows, owner, start = self._cut(packed, rows)
        total = np.zeros((len(rows), self.n_dims))
        for begin in range(0, len(owner), self.batch_size):
            some = slice(begin, begin + self.batch_size)
            np.add.at(total, owner[some], self._heard(packed, rows[owner[some]], start[some]))
        n = np.bincount(owner, minlength=len(rows))[:, None]
        return (total / np.maximum(n, 1)).astype(np.float32)

    def _cut(
        self, packed: Packed, rows: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        if packed.sample_rate_hz != self.sample_rate_hz:
            raise UsageError(
                f"{self.name} hears sound at {self.sample_rate_hz:,} Hz and was given {packed.sample_rate_hz:,} Hz"
            )
        rows = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
        starts = [window_starts(int(n), self.window, self.hop, self.padding) for n in packed.length[rows]]
        owner = np.repeat(np.arange(len(rows)), [len(s) for s in starts])
        return rows, owner, np.concatenate([np.zeros(0, np.int64), *starts])

    def _heard(
        self, packed: Packed, rows: NDArray[np.int64], start: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Vectors of windows of clips."""
        import torch

        samples = np.zeros((len(rows), self.window), np.float32)
        gain = getattr(packed, "gain", None)
        for at, (row, begin) in enumerate(zip(rows.tolist(), start.tolist(), strict=True)):
            clip = packed.clip(row)
            first, last = max(0, begin), min(len(clip), begin + self.window)
            scale = (1.0 if gain is None else float(gain[row])) / FULL_SCALE
            samples[at, first - begin : last - begin] = clip[first:last].astype(np.float32) * scale
        lengths = torch.full((len(rows),), self.window, dtype=torch.int64, device=self.device)
        with torch.inference_mode():
            picture: Tensor = self.front_end(torch.from_numpy(samples).to(self.device), lengths)[0]
            found: NDArray[np.float32] = self.tower.embed(picture, self.grid).float().cpu().numpy()
        return found


def make_openl3(
    *,
    weights: Path,
    device: str = "auto",
    n_dims: int = 6144,
    representation: str | None = None,
    content: str | None = None,
    padding: str = "experiments",
    hop_s: float = HOP_S,
) -> L3Embedder:
    """OpenL3 from its weights.

    Parameters
    ----------
    weights : file that the user supplies (`motifdb.training.embedding.openl3_weights`)
    n_dims : 6144 or 512
    representation, content : linear, mel128 or mel256; music or env; None takes them from the file's released name
    padding : ``experiments`` or ``package``

    Raises
    ------
    NotFoundError, UsageError, MissingExtraError
        for weights that are not there or not OpenL3's, a size or padding that there is not.
    """
    from motifdb.training.embedding.openl3_weights import read_openl3
    from motifdb.training.extras import need

    if n_dims not in GRIDS:
        raise UsageError(
            f"OpenL3's vectors have 6144 or 512 numbers, not {n_dims}; choose one with --set n_dims=512"
        )
    need("torch")
    import torch

    from motifdb.training.inputs.front_end_config import FRONT_ENDS
    from motifdb.training.models.l3 import AudioTower

    found = read_openl3(Path(weights), representation=representation, content=content)
    tower = AudioTower()
    # what follows the last convolution stays as it was made: it is no part of the embedding
    own = tower.state_dict()
    own.update({name: torch.from_numpy(value) for name, value in found.state.items()})
    tower.load_state_dict(own)
    words = ["openl3", *([found.content] if found.content else []), found.representation, str(n_dims)]
    return L3Embedder(
        tower,
        FRONT_ENDS[f"l3-{found.representation}"],
        name="-".join(words),
        about={"model": "openl3", "weights": found.sha, "content": found.content},
        grid=GRIDS[n_dims],
        padding=padding,
        hop_s=hop_s,
        device=device,
    )
