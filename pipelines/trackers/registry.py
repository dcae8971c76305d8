"""Trackers by name: ours, and those that other packages offer under the entry-point group `motifdb.trackers`.

Another package offers a tracker by naming a subclass of `Tracker` in its own pyproject.toml::

    [project.entry-points."motifdb.trackers"]
    crepe = "my_package.crepe:CrepeTracker"
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from motifdb.errors import MissingExtraError, NotFoundError, UsageError, nearest
from motifdb.pipelines.trackers.base import Tracker

ENTRY_POINT_GROUP = "motifdb.trackers"

_OURS = {
    "melodia": "motifdb.pipelines.trackers.melodia:MelodiaTracker",
    "swift-f0": "motifdb.pipelines.trackers.swift_f0:SwiftF0Tracker",
    "yin": "motifdb.pipelines.trackers.yin:YinTracker",
}


def tracker_names() -> list[str]:
    """Names that `get_tracker` knows, sorted; the packages behind them may still be missing."""
    return sorted({*_OURS, *(e.name for e in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP))})


def tracker_class(name: str) -> type[Tracker]:
    """The class behind a name, without asking whether the package that does the work is installed.

    Raises
    ------
    NotFoundError
        for an unknown name, with the nearest known one.
    UsageError
        for a name that two packages claim, or an entry point that is no `Tracker`.
    MissingExtraError
        for another package's tracker whose own imports fail.
    """
    offers = list(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=name))
    if len(offers) + (name in _OURS) > 1:
        packages = sorted(
            {e.dist.name if e.dist else e.value for e in offers} | ({"motifdb"} if name in _OURS else set())
        )
        raise UsageError(
            f"tracker {name!r} is offered by {', '.join(packages)}; uninstall all but one of them"
        )
    if name in _OURS:
        module, _, attribute = _OURS[name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
    elif offers:
        try:
            found = offers[0].load()
        except (ImportError, AttributeError) as error:
            raise MissingExtraError(
                f"tracker {name!r} is offered as {offers[0].value}, which cannot be imported: {error}"
            ) from error
    else:
        raise NotFoundError(f"there is no tracker {name!r}; {nearest(name, tracker_names())}")
    if not (isinstance(found, type) and issubclass(found, Tracker)):
        raise UsageError(
            f"tracker {name!r}: expected a subclass of motifdb.pipelines.trackers.Tracker, got {found!r}"
        )
    return found


def get_tracker(name: str, parameters: Mapping[str, Any] | None = None) -> Tracker:
    """A tracker ready to run.

    Parameters
    ----------
    name : one of `tracker_names`
    parameters : what differs from the tracker's defaults, by name

    Raises
    ------
    NotFoundError, UsageError, MissingExtraError
        as `tracker_class` and `Tracker.from_mapping`, and where the package that does the work is missing.
    """
    tracker = tracker_class(name).from_mapping(parameters or {})
    tracker.require()
    return tracker
