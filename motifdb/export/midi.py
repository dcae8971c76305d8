"""Standard MIDI files: one track for each pattern, its places' contour segments as notes.

**Conventions.** 1,000 ticks are a second (tempo 120, 500 ticks to the beat), so times are whole milliseconds; a note lasts at
least one. A note is the nearest semitone with a pitch bend for the rest, over the usual range of 2 semitones, which each track also
sets; rounded, there are no bends. A bend belongs to a channel, so places that sound at once are on different channels, 15 of them
(not 10, the drums). Where more sound at once, they share one, and bends of one are heard in the other: that is said. The first
track carries tempo and title; a track's name is its pattern's. Velocity is 80 throughout; the curve between segments is not there.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from motifdb.export.rows import Note, Pattern, Recording

if TYPE_CHECKING:
    import mido

TICKS_PER_BEAT = 500
TICKS_PER_S = 1000
TEMPO_US = 500_000
VELOCITY = 80
BEND_SEMITONES = 2
BEND_STEPS = 8192
CHANNELS = tuple(c for c in range(16) if c != 9)


def render(recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
    """The MIDI file."""
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("track_name", name=recording.stem, time=0))
    head.append(mido.MetaMessage("set_tempo", tempo=TEMPO_US, time=0))
    head.append(mido.MetaMessage("end_of_track", time=round(recording.end_s * TICKS_PER_S)))
    file.tracks.append(head)
    channels, n_shared = _channels(recording.patterns)
    if n_shared and not is_rounded:
        notes.append(
            f"{recording.stem}: {n_shared:,} places share a channel with another that sounds at the same time, so their bends mix;"
            " --strongest takes fewer motifs"
        )
    for number, pattern in enumerate(recording.patterns):
        file.tracks.append(_track(pattern, channels[number], is_rounded))
    out = io.BytesIO()
    file.save(file=out)
    return {".mid": out.getvalue()}


def _channels(patterns: Sequence[Pattern]) -> tuple[list[list[int]], int]:
    """The channel of every place, and how many had to share one."""
    channels = [[0] * len(pattern.places) for pattern in patterns]
    free_from_s = dict.fromkeys(CHANNELS, 0.0)
    n_shared = 0
    ordered = sorted(
        (place.start_s, place.end_s, p, i)
        for p, pattern in enumerate(patterns)
        for i, place in enumerate(pattern.places)
    )
    for start_s, end_s, p, i in ordered:
        own = channels[p][:i][
            -1:
        ]  # a pattern keeps its channel where it can: fewer voices to give a sound to
        channel = next((c for c in (*own, *CHANNELS) if free_from_s[c] <= start_s), None)
        if channel is None:
            channel = min(CHANNELS, key=lambda c: (free_from_s[c], c))
            n_shared += 1
        free_from_s[channel] = max(free_from_s[channel], end_s)
        channels[p][i] = channel
    return channels, n_shared


def _track(pattern: Pattern, channels: Sequence[int], is_rounded: bool) -> mido.MidiTrack:
    import mido

    events: list[tuple[int, int, Any]] = []
    for place, channel in zip(pattern.places, channels, strict=True):
        for note in place.notes:
            events += _note(note, channel, is_rounded)
    # at one moment what ends goes before bends, bends before what begins
    events.sort(key=lambda e: e[:2])
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=pattern.label, time=0))
    if not is_rounded:
        for channel in sorted(set(channels)):
            for control, value in ((101, 0), (100, 0), (6, BEND_SEMITONES), (38, 0)):
                track.append(
                    mido.Message("control_change", channel=channel, control=control, value=value, time=0)
                )
    at = 0
    for tick, _, message in events:
        track.append(message.copy(time=tick - at))
        at = tick
    track.append(mido.MetaMessage("end_of_track", time=0))
    return track


def _note(note: Note, channel: int, is_rounded: bool) -> list[tuple[int, int, Any]]:
    import mido

    start = round(note.start_s * TICKS_PER_S)
    end = max(round(note.end_s * TICKS_PER_S), start + 1)
    midi = 69 + note.cents / 100
    key = min(max(round(midi), 0), 127)
    events: list[tuple[int, int, Any]] = [
        (end, 0, mido.Message("note_off", channel=channel, note=key, velocity=0)),
        (start, 2, mido.Message("note_on", channel=channel, note=key, velocity=VELOCITY)),
    ]
    if not is_rounded:
        bend = round((midi - key) / BEND_SEMITONES * BEND_STEPS)
        bend = min(max(bend, -BEND_STEPS), BEND_STEPS - 1)
        events.append((start, 1, mido.Message("pitchwheel", channel=channel, pitch=bend)))
    return events
