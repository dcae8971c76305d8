"""What no towers are needed for: audio-visual correspondence by mean colour and mean spectrum.

Colours say something of a video, and so does its spectrum; a linear model over products of the two is the least that towers have to
beat before they can be said to have learnt more than "red things sound low".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.training.videos.sample import Pairs

N_BANDS = 32
"""Of the spectrum, evenly spaced in pitch."""

N_COMPONENTS = 8
"""Of the bands, which are multiplied with what is known of the picture."""

N_PAIRS, PER_SOURCE = 1024, 16
"""Pairs of train that it learns from, and how many of each source."""


def sound_vectors(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Level of each band below the loudest, in log10: float64 [n, N_BANDS]."""
    n = sound.shape[1]
    edges = np.geomspace(50.0, n / 2, N_BANDS + 1)  # a second of sound: bin k is k Hz
    out = np.empty((len(sound), N_BANDS))
    window = np.hanning(n)
    for i, samples in enumerate(sound):
        power = np.abs(np.fft.rfft(samples * window)) ** 2
        total = np.concatenate([[0.0], np.cumsum(power)])
        at = np.clip(edges.astype(int), 0, len(power))
        out[i] = np.log10(np.maximum(np.diff(total[at]), 1e-10))
    found: NDArray[np.float64] = np.maximum(out - out.max(1, keepdims=True), -8.0)
    return found


def picture_vectors(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean and deviation of each colour, and the mean of colour differences: float64 [n, 8]."""
    out = np.empty((len(picture), 8))
    for i, colours in enumerate(picture):
        pixels = colours.reshape(-1, 3).astype(np.float64) / 255
        red, green, blue = pixels.T
        # the plane of hues: yellow to blue across it, red to green along it
        out[i] = [*pixels.mean(0), *pixels.std(0), (red - green).mean(), ((red + green) / 2 - blue).mean()]
    return out


def baseline_answers(train: Pairs, pairs: Pairs, seed: int = 0) -> NDArray[np.int64]:
    """What logistic regression over products says of `pairs`, learnt from `train`: int64 [n], 1 is together."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(set(train.is_same.tolist())) < 2:
        return np.full(len(pairs.is_same), train.is_same[0], np.int64)
    n_components = min(N_COMPONENTS, len(train.is_same))
    hears = make_pipeline(StandardScaler(), PCA(n_components, whiten=True, random_state=seed))
    sees = StandardScaler()
    hears.fit(sound_vectors(train.sound))
    sees.fit(picture_vectors(train.picture))

    def products(of: Pairs) -> NDArray[np.float64]:
        a, b = hears.transform(sound_vectors(of.sound)), sees.transform(picture_vectors(of.picture))
        return np.hstack([a, b, (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)])

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    model.fit(products(train), train.is_same)
    said: NDArray[np.int64] = model.predict(products(pairs)).astype(np.int64)
    return said
