"""Where a melody sounds: `search` takes a contour, a motif or a melody; `search_pitch` and `contour_rows` are its parts."""

from motifdb.query.search.api import search
from motifdb.query.search.contour import contour_rows
from motifdb.query.search.melody import Melody
from motifdb.query.search.pitch import Place, search_pitch

__all__ = ["Melody", "Place", "contour_rows", "search", "search_pitch"]
