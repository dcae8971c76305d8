"""MIDI files as mido and pretty_midi read them."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest

from motifdb.export.midi import BEND_SEMITONES, BEND_STEPS, render
from motifdb.export.rows import Note, Pattern, Place, Recording


def true_notes(recording: Recording) -> dict[str, list[tuple[float, float, float]]]:
    """Start, end and MIDI pitch of every note of every pattern, by its name."""
    return {
        p.label: sorted((n.start_s, n.end_s, 69 + n.cents / 100) for place in p.places for n in place.notes)
        for p in recording.patterns
    }


def overlapping(n: int) -> Recording:
    """So many patterns of one note each, all at once, 10 cents apart."""
    made = [
        Pattern("motif", f"{i:020x}", f"+{i}", {}, (Place(1.0, 2.0, (Note(1.0, 2.0, 10.0 * i),)),))
        for i in range(n)
    ]
    return Recording("r", "Ağıt", ("r",), "f0", 3.0, None, {}, "", "", None, (), made)


def test_pretty_midi_hears_every_note_with_its_bend(amina: Recording, tmp_path: Path) -> None:
    pretty_midi = pytest.importorskip("pretty_midi")
    path = tmp_path / "a.mid"
    told: list[str] = []
    path.write_bytes(render(amina, False, told)[".mid"])
    read = pretty_midi.PrettyMIDI(str(path))
    found: dict[str, list[tuple[float, float, float]]] = {}
    for instrument in read.instruments:  # one for each channel of a track
        bends = {round(b.time, 4): b.pitch for b in instrument.pitch_bends}
        for note in instrument.notes:
            pitch = note.pitch + bends[round(note.start, 4)] / BEND_STEPS * BEND_SEMITONES
            found.setdefault(instrument.name, []).append((note.start, note.end, pitch))
    true = true_notes(amina)
    assert {name: len(notes) for name, notes in found.items()} == {
        name: len(notes) for name, notes in true.items()
    }
    for name, notes in found.items():
        assert [pytest.approx(n, abs=2e-3) for n in sorted(notes)] == true[name]
    assert read.get_end_time() <= amina.end_s + 1e-3 and len(read.instruments) > len(amina.patterns)
    assert told == [] or "channel" in told[0]


def test_each_pattern_is_a_track_and_rounded_notes_have_no_bends(
    amina: Recording, silence: Recording
) -> None:
    read = mido.MidiFile(file=io.BytesIO(render(amina, True, [])[".mid"]), charset="utf-8")
    assert [track.name for track in read.tracks[1:]] == [p.label for p in amina.patterns]
    assert read.tracks[0].name == amina.stem
    assert not any(m.type == "pitchwheel" for track in read.tracks for m in track)
    keys = sorted(m.note for track in read.tracks for m in track if m.type == "note_on")
    assert keys == sorted(round(n[2]) for notes in true_notes(amina).values() for n in notes)
    assert read.length == pytest.approx(amina.end_s, abs=1e-3)
    assert len(mido.MidiFile(file=io.BytesIO(render(silence, False, [])[".mid"])).tracks) == 1


def test_places_at_once_are_on_channels_of_their_own_as_far_as_there_are(amina: Recording) -> None:
    for n, n_shared in ((15, 0), (17, 2)):
        told: list[str] = []
        read = mido.MidiFile(file=io.BytesIO(render(overlapping(n), False, told)[".mid"]))
        channels = [m.channel for track in read.tracks for m in track if m.type == "note_on"]
        assert len(set(channels)) == 15 and 9 not in channels and len(channels) == n
        assert bool(told) == bool(n_shared) and all(f"{n_shared:,} places" in line for line in told)
