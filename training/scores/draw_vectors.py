"""Vectors as a picture: t-SNE (van der Maaten and Hinton, JMLR 9, 2008), coloured by one label beside another.

siamese-2018 shows 40 performances of 10 singers so, once by singer and once by song. Distances between clusters and sizes
of clusters mean nothing in such a picture; the figures are in `motifdb.training.scores.neighbours`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.scores.figures import checked_vectors
from motifdb.training.scores.neighbours import prepared

FEWEST, MOST = 4, 5000
"""Vectors below which there is nothing to lay out, and above which it would take minutes and show a cloud."""


def tsne_points(
    vectors: NDArray[Any], *, seed: int = 0, perplexity: float | None = None, distance: str = "euclidean"
) -> NDArray[np.float64]:
    """Places in a plane in which near vectors are near: float64 [n, 2].

    Parameters
    ----------
    vectors : float [n, d], 4 to 5,000
    perplexity : neighbours a vector is laid out by; None: 30, or a third of the vectors where that is fewer
    distance : as `motifdb.training.scores.neighbours.prepared`

    Raises
    ------
    UsageError, MissingExtraError
    """
    from motifdb.training.extras import need

    need("sklearn")
    from sklearn.manifold import TSNE

    given = prepared(checked_vectors(vectors), distance)
    if not FEWEST <= len(given) <= MOST:
        raise UsageError(f"a t-SNE picture is of {FEWEST} to {MOST:,} vectors, got {len(given):,}")
    most = (len(given) - 1) / 3
    if perplexity is not None and not 0 < perplexity < len(given):
        raise UsageError(f"the perplexity must be between 0 and the {len(given)} vectors, got {perplexity:g}")
    # exact below a few hundred, where it takes no longer and depends on no tree
    method = "exact" if len(given) <= 300 else "barnes_hut"
    # principal components to begin with need two columns; one is laid out from a random start
    tsne = TSNE(
        perplexity=min(30.0, max(1.0, most)) if perplexity is None else perplexity,
        init="pca" if given.shape[1] >= 2 else "random",
        random_state=seed,
        method=method,
    )
    return np.asarray(tsne.fit_transform(given), np.float64)


def draw_tsne(
    vectors: NDArray[Any],
    labels: Mapping[str, Sequence[str]],
    path: str | Path,
    *,
    title: str = "",
    seed: int = 0,
    perplexity: float | None = None,
    distance: str = "euclidean",
) -> None:
    """Draw vectors, a panel for each label.

    Parameters
    ----------
    labels : by name, a value for each vector
    path : png, svg or pdf
    title, seed, perplexity, distance : as `tsne_points`

    Raises
    ------
    UsageError, MissingExtraError
    """
    from motifdb.plots import canvas
    from motifdb.plots.vectors import plot_points

    canvas.check_suffix(path)  # before the work, not after
    points = tsne_points(vectors, seed=seed, perplexity=perplexity, distance=distance)
    plot_points(points, labels, path, title=title)
