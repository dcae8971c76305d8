"""Pictures: arrays in, a file out.

One module a kind of picture; what they share is in `canvas`. The suffix of the file says its format. matplotlib is
imported when a picture is drawn, without any display.
"""

from __future__ import annotations

from motifdb.plots.curves import PitchCurve, Segments, note_name
from motifdb.plots.overlay import family_figure, motif_figure, plot_family, plot_motif
from motifdb.plots.recording import plot_recording, recording_figure

__all__ = [
    "PitchCurve",
    "Segments",
    "family_figure",
    "motif_figure",
    "note_name",
    "plot_family",
    "plot_motif",
    "plot_recording",
    "recording_figure",
]
