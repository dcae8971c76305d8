"""Pitch trackers behind one interface: `get_tracker(name, parameters).track(batch)`."""

from motifdb.pipelines.trackers.base import Blocks, Tracker
from motifdb.pipelines.trackers.registry import (
    ENTRY_POINT_GROUP,
    get_tracker,
    tracker_class,
    tracker_names,
)

__all__ = [
    "ENTRY_POINT_GROUP",
    "Blocks",
    "Tracker",
    "get_tracker",
    "tracker_class",
    "tracker_names",
]
