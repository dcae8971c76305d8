"""A clip in 256 numbers: mean and deviation of each log-mel band over its columns, what simple baselines stand on.

Features as in the project's reference figures: 16 kHz, 25 ms Hann window every 10 ms, 1,024-point transform, 128 bands on
HTK's scale, log10 with a floor of 1e-10. Over time only mean and deviation are kept, so what a model of them
recognises is long-term spectrum: voice and recording channel alike.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.packed import Packed

N_BANDS = 128
N_STATISTICS = 2 * N_BANDS

_KEPT = 1 << 16  # vectors of distinct contents in memory, 1 kB each
_BATCH_SAMPLES = 1 << 20
_memory: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()


def log_mel_statistics(packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Mean and deviation of each log-mel band over a clip's columns.

    Vectors of contents that were seen before in this process come from memory, so that folds, seeds and grids of one set of clips
    cost one pass over the sound.

    Parameters
    ----------
    packed : the sound
    rows : which clips; all where None

    Returns
    -------
    float32, shape (n, 256): 128 means, then 128 deviations (of the population), log10 of power.

    Raises
    ------
    MissingExtraError
        where torch is not installed.
    """
    chosen = np.arange(len(packed)) if rows is None else np.asarray(rows)
    keys = [_key(packed, int(row)) for row in chosen]
    fresh: dict[bytes, int] = {}
    found: dict[bytes, NDArray[np.float32]] = {}
    for key, row in zip(keys, chosen, strict=True):
        if key in _memory:
            _memory.move_to_end(key)
            found[key] = _memory[key]
        else:
            fresh.setdefault(key, int(row))
    for key, vector in zip(fresh, _computed(packed, list(fresh.values())), strict=True):
        found[key] = _memory[key] = vector
    while len(_memory) > _KEPT:
        _memory.popitem(last=False)
    return np.stack([found[key] for key in keys]) if keys else np.zeros((0, N_STATISTICS), np.float32)


def _key(packed: Packed, row: int) -> bytes:
    digest = hashlib.blake2b(packed.clip(row).tobytes(), digest_size=16)
    digest.update(str(packed.sample_rate_hz).encode())
    return digest.digest()


def _computed(packed: Packed, rows: list[int]) -> list[NDArray[np.float32]]:
    """Vectors in the order of `rows`; batches hold clips of like length."""
    import torch

    from motifdb.training.inputs.frontends import FrontEnd, FrontEndConfig
    from motifdb.training.inputs.packed import FULL_SCALE

    front_end = FrontEnd(
        FrontEndConfig(kind="log-mel", sample_rate_hz=packed.sample_rate_hz, standardise=False)
    )
    found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(rows)
    for batch in _batches(packed, rows):
        lengths = torch.tensor([int(packed.length[rows[i]]) for i in batch])
        samples = torch.zeros(len(batch), int(lengths.max()))
        for at, i in enumerate(batch):
            samples[at, : int(lengths[at])] = torch.from_numpy(
                packed.clip(rows[i]).astype(np.float32) / FULL_SCALE
            )
        with torch.no_grad():
            features, n_columns = front_end(samples, lengths)
            valid = (torch.arange(features.shape[-1]) < n_columns[:, None])[:, None].double()
            n = n_columns[:, None].double()
            mean = (features * valid).sum(-1) / n
            deviation = ((features - mean[..., None]).square() * valid).sum(-1).div(n).sqrt()
            vectors = torch.cat([mean, deviation], dim=1).float().numpy()
        for at, i in enumerate(batch):
            found[i] = vectors[at].copy()
    return found


def _batches(packed: Packed, rows: list[int]) -> list[list[int]]:
    """Positions in `rows`, by ascending length, as many at a time as fill about 4 MB of samples."""
    order = sorted(range(len(rows)), key=lambda i: int(packed.length[rows[i]]))
    batches: list[list[int]] = []
    for i in order:
        longest = max(1, int(packed.length[rows[i]]))
        if not batches or (len(batches[-1]) + 1) * longest > _BATCH_SAMPLES:
            batches.append([])
        batches[-1].append(i)
    return batches
