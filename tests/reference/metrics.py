"""Plain figures of predictions: loops over clips, classes and pairs of clips."""

from __future__ import annotations

import math
from collections.abc import Sequence


def figures(
    truth: Sequence[int],
    probabilities: Sequence[Sequence[float]],
    weights: Sequence[int] | None = None,
    over: str = "present",
) -> dict[str, float | None]:
    """Every figure of `motifdb.training.scores.metrics.METRICS`; a clip of weight 2 counts as two, of weight 0 not at all."""
    n_each = list(weights) if weights is not None else [1] * len(truth)
    clips = [i for i, n in enumerate(n_each) for _ in range(n)]
    n_classes = len(probabilities[0]) if probabilities else 0
    said = {i: max(range(n_classes), key=lambda c, i=i: (probabilities[i][c], -c)) for i in set(clips)}  # type: ignore[misc]
    there = sorted({truth[i] for i in clips})
    classes = there if over == "present" else list(range(n_classes))
    found: dict[str, float | None] = dict.fromkeys(
        ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1", "f1_of_means", "loss")
    )
    if not clips:
        return found
    recalls, precisions, f1s = {}, {}, {}
    for c in range(n_classes):
        hit = sum(truth[i] == c == said[i] for i in clips)
        true, given = sum(truth[i] == c for i in clips), sum(said[i] == c for i in clips)
        recalls[c] = hit / true if true else 0.0
        precisions[c] = hit / given if given else 0.0
        f1s[c] = 2 * hit / (true + given) if true + given else 0.0
    found["accuracy"] = sum(truth[i] == said[i] for i in clips) / len(clips)
    found["balanced_accuracy"] = sum(recalls[c] for c in there) / len(there)
    recall = sum(recalls[c] for c in classes) / len(classes)
    found["recall"] = recall
    losses = [-math.log(p) if (p := probabilities[i][truth[i]]) > 0 else math.inf for i in clips]
    found["loss"] = None if math.inf in losses else sum(losses) / len(losses)
    if len(there) < 2:
        return found
    precision = sum(precisions[c] for c in classes) / len(classes)
    found["precision"] = precision
    found["f1"] = sum(f1s[c] for c in classes) / len(classes)
    found["f1_of_means"] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    areas = [area([probabilities[i][c] for i in clips], [truth[i] == c for i in clips]) for c in classes]
    sound = [a for a in areas if a is not None]
    found["auc"] = sum(sound) / len(sound) if len(sound) == len(areas) else None
    return found


def area(values: Sequence[float], is_class: Sequence[bool]) -> float | None:
    """Chance that a clip of the class has a higher value than another, over all pairs; equal values count half."""
    own = [v for v, c in zip(values, is_class, strict=True) if c]
    others = [v for v, c in zip(values, is_class, strict=True) if not c]
    if not own or not others:
        return None
    return sum((a > b) + 0.5 * (a == b) for a in own for b in others) / (len(own) * len(others))


def look_up(train: Sequence[tuple[object, int]], tested: Sequence[object], n_classes: int) -> list[int]:
    """For each content the commonest label it has in train, of equals the commoner one in train, else the lower; without one
    in train the commonest label there."""

    def commonest(labels: Sequence[int]) -> int:
        everywhere = [label for _, label in train]
        return max(range(n_classes), key=lambda c: (labels.count(c), everywhere.count(c), -c))

    said = []
    for content in tested:
        own = [label for other, label in train if other == content]
        said.append(commonest(own or [label for _, label in train]))
    return said
