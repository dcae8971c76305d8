"""Where a row comes from: analyses with every parameter, commits, recordings, files, bytes."""

from motifdb.query.lineage.trace import lineage
from motifdb.query.lineage.tree import Lineage, Node

__all__ = ["Lineage", "Node", "lineage"]
