"""Which motifs set a group of recordings apart: `compare` and what it gives back."""

from motifdb.query.compare.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
