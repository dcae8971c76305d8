"""Pictures: arrays in, a file out.

One module a kind of picture; what they share is in `canvas`. matplotlib is imported when a picture is drawn, without any
display.
"""

from __future__ import annotations

from motifdb.plots.recording import PitchCurve, note_name, plot_motif, plot_recording

__all__ = ["PitchCurve", "note_name", "plot_motif", "plot_recording"]
