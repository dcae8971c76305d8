"""Sound of a stretch: from the database, the file, a folder, or sung; and the files that `play` writes."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from motifdb.cli import app
from motifdb.errors import NotFoundError, UsageError
from motifdb.kernels.synth import CONTROL_HOP_S
from motifdb.pipelines.listening import SUNG_HZ, Listener, cut, sound_of, sung, wav_bytes
from motifdb.pipelines.playing import SILENCE_S, TOUR, play
from motifdb.plots import PitchCurve
from motifdb.query.database import Database
from tests.query.example import RECORDING
from tests.query.heard import FAMILY_ID, KEPT_HZ, MEMBERS, WAV_HZ, make_heard, ramp, wav_of


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(make_heard(tmp_path_factory.mktemp("listening") / "heard"))


@pytest.fixture
def own_database(tmp_path: Path) -> Database:
    """One whose files a test may move."""
    return Database(make_heard(tmp_path / "heard"))


def amina(database: Database) -> str:
    return database.recording("amina.wav").id


def test_kept_sound_comes_first_then_the_file_then_pitch(database: Database) -> None:
    snapshot = database.snapshot
    kept = sound_of(snapshot, RECORDING["bela"], 0.5, 1.0)
    whole = ramp(database.recording(RECORDING["bela"])["duration_s"], KEPT_HZ, 0.5)
    assert (kept.source, kept.sample_rate_hz, kept.start_s) == ("kept", KEPT_HZ, 0.5)
    np.testing.assert_array_equal(kept.samples * 32_768, whole[8_000:16_000])
    file = sound_of(snapshot, amina(database), 0.5, 1.0, context_s=0.25)
    whole = ramp(database.recording("amina.wav")["duration_s"], WAV_HZ, 0.8)
    assert (file.source, file.sample_rate_hz, file.start_s) == ("file", WAV_HZ, 0.25)
    np.testing.assert_allclose(file.samples * 32_768, whole[2_000:10_000], atol=0.01)
    pitch = sound_of(snapshot, RECORDING["chitra"], 0.5, 1.0)
    assert pitch.source == "f0" and pitch.sample_rate_hz == SUNG_HZ
    assert pitch.samples.size == SUNG_HZ / 2 and np.abs(pitch.samples).max() > 0.1
    assert pitch.note == "chitra.pitch is an f0 track, which has no sound"


def test_context_ends_with_the_recording(database: Database) -> None:
    for recording_id in (amina(database), RECORDING["bela"], RECORDING["chitra"]):
        duration_s = database.recording(recording_id)["duration_s"]
        sound = sound_of(database.snapshot, recording_id, 0.1, duration_s - 0.1, context_s=1.0)
        assert sound.start_s == 0.0 and sound.duration_s == pytest.approx(duration_s, abs=0.011)


def test_a_file_that_moved_or_changed_is_said_and_its_pitch_is_sung(own_database: Database) -> None:
    path, recording_id = own_database.path.parent / "songs" / "amina.wav", amina(own_database)
    os.utime(path, ns=(1, 1))
    assert sound_of(own_database.snapshot, recording_id, 0, 1).source == "file", (
        "touched, but the same content"
    )
    moved = path.rename(path.parent.parent / "amina.wav")
    gone = sound_of(own_database.snapshot, recording_id, 0, 1)
    assert gone.source == "f0" and "`motifdb relocate songs FOLDER`" in gone.note
    path.write_bytes(wav_of(ramp(3.0, WAV_HZ, 0.1)))
    changed = sound_of(own_database.snapshot, recording_id, 0, 1)
    assert changed.source == "f0" and "has changed since" in changed.note
    path.write_bytes(b"RIFF" + moved.read_bytes()[4:30])
    assert sound_of(own_database.snapshot, recording_id, 0, 1).source == "f0"


def test_a_folder_is_searched_by_path_and_by_name(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "chitra.flac").write_bytes(wav_of(ramp(4.0, WAV_HZ, 0.3)))
    (folder / "chitra.txt").write_text("no sound\n")
    ear = Listener(database.snapshot, audio_dir=folder)
    (heard,) = ear.sounds(RECORDING["chitra"], [(1.0, 2.0)])
    assert heard.source == "file"
    np.testing.assert_allclose(heard.samples * 32_768, ramp(4.0, WAV_HZ, 0.3)[8_000:16_000], atol=0.01)
    assert ear.sounds(RECORDING["bela"], [(0, 1)])[0].source == "kept", "not in the folder"
    (silent,) = ear.sounds(RECORDING["silence"], [(0.0, 0.2)])
    assert silent.source == "f0" and not silent.samples.any()
    shutil.copy(folder / "deep" / "chitra.flac", folder / "chitra.wav")
    (two,) = Listener(database.snapshot, audio_dir=folder).sounds(RECORDING["chitra"], [(1.0, 2.0)])
    assert two.source == "f0"
    with pytest.raises(UsageError, match="is no folder"):
        Listener(database.snapshot, audio_dir=tmp_path / "nowhere")


def test_what_cannot_be_heard_at_all_is_a_sentence(database: Database) -> None:
    with pytest.raises(NotFoundError, match="cannot be heard"):
        sound_of(database.snapshot, "0" * 20, 0, 1)
    with pytest.raises(NotFoundError, match="cannot be heard"):
        sound_of(database.snapshot, "x' or '1' = '1", 0, 1)
    for span in ((2.0, 1.0), (-1.0, 1.0), (0.0, float("inf"))):
        with pytest.raises(UsageError, match="is none"):
            sound_of(database.snapshot, RECORDING["bela"], *span)


def test_cutting_does_not_depend_on_the_blocks() -> None:
    samples = np.arange(1_000, dtype=np.float32)
    spans = [(0.5, 0.7), (0.1, 0.6), (0.95, 2.0)]
    whole = cut([samples], 1_000, spans)
    for size in (1, 7, 999):
        parts = cut((samples[i : i + size] for i in range(0, 1_000, size)), 1_000, spans)
        for a, b in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(a, b)
    assert [part[0] for part in whole] == [500, 100, 950] and whole[2].size == 50


def test_sung_pitch_is_that_pitch() -> None:
    times_s = np.arange(200, dtype=np.float64) * 0.01
    pitch = PitchCurve(times_s, np.where(times_s < 1.0, 300.0, 0.0))
    sound = sung(pitch, 0.0, 2.0)
    assert sound.size == 2 * SUNG_HZ
    assert np.abs(sound[round((1.0 + 10 * CONTROL_HOP_S) * SUNG_HZ) :]).max() < 0.05
    voiced = sound[SUNG_HZ // 4 : SUNG_HZ * 3 // 4]
    spectrum = np.abs(np.fft.rfft(voiced * np.hanning(voiced.size)))
    hz = np.fft.rfftfreq(voiced.size, 1 / SUNG_HZ)
    peaks = hz[spectrum > 0.2 * spectrum.max()]
    assert np.all(np.abs(peaks / 300.0 - np.round(peaks / 300.0)) < 0.03)


def test_wav_bytes_can_be_read_back() -> None:
    samples = np.array([0.0, 0.5, -1.0, 1.5], np.float32)
    back, rate_hz = soundfile.read(io.BytesIO(wav_bytes(samples, 22_050)))
    assert rate_hz == 22_050
    np.testing.assert_allclose(back, [0.0, 0.5, -1.0, 1.0], atol=1e-4)


def test_play_writes_every_place_and_a_tour(database: Database, tmp_path: Path) -> None:
    played = play(database, "family", FAMILY_ID, tmp_path / "out", context_s=0.1)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["001_amina_0.50s.wav", "002_amina_2.30s.wav", "003_bela_0.50s.wav", TOUR]
    lengths_s = [soundfile.info(tmp_path / "out" / name).duration for name in names]
    assert lengths_s[:3] == pytest.approx([e - s + 0.2 for _, s, e, _ in MEMBERS], abs=0.001)
    assert lengths_s[3] == pytest.approx(sum(lengths_s[:3]) + 2 * SILENCE_S, abs=0.001)
    assert soundfile.info(tmp_path / "out" / TOUR).samplerate == WAV_HZ
    first, _ = soundfile.read(tmp_path / "out" / names[1])
    assert first[0] == 0 and abs(first[-1]) < 0.01, "faded, so that it does not click"
    assert played.sources == {"file": 2, "kept": 1}
    assert played.sentences[0].startswith("3 places and tour.wav (")


def test_play_says_what_it_sings_and_what_it_leaves_out(own_database: Database, tmp_path: Path) -> None:
    (own_database.path.parent / "songs" / "amina.wav").unlink()
    played = play(own_database, "family", FAMILY_ID, tmp_path / "out", limit=2)
    assert played.n_written == 2 and played.sources == {"f0": 1, "kept": 1}
    said = "\n".join(played.sentences)
    page = tmp_path / "family.html"
    own_database.family(FAMILY_ID).plot(page)
    assert page.read_text().count("<audio") == 3, "drawn and heard from what is stored"
    assert "sung by a synthesiser" in page.read_text()
    assert "2 of 3 places" in said and "sung because amina.wav is not in" in said and "relocate" in said
    with pytest.raises(UsageError, match="must not be negative"):
        play(own_database, "family", FAMILY_ID, tmp_path / "out", context_s=-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written to"):
        play(own_database, "family", FAMILY_ID, tmp_path / "file" / "out")


def test_the_commands_look_and_listen(database: Database, tmp_path: Path) -> None:
    motif = database.motifs("occurrences > 3", recording="amina.wav")[0]
    db = ["--db", str(database.path)]

    def said(*words: str) -> str:
        ran = CliRunner().invoke(app, [*words, *db])
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return ran.output

    shown = said("show", motif.id[:12], "--ascii")
    assert motif.contour in shown and "occurrences" in shown and "log10 p" in shown
    assert shown.isascii() and max(map(len, shown.splitlines())) <= 100
    falling = database.motifs("starts_with(contour, '-')")[0]
    assert falling.contour in said("show", falling.contour), "a step down first is no option"
    assert "strongest motifs" in said("show", "amina.wav")
    assert "no voiced frame" in said("show", "silence")
    assert "exemplar" in said("show", FAMILY_ID[:8])
    out = tmp_path / "listen"
    assert f"{motif.n_occurrences} places and tour.wav" in said("play", motif.id, "-o", str(out))
    assert len(list(out.glob("*_amina_*.wav"))) == motif.n_occurrences
    page = tmp_path / "family.html"
    assert str(page) in said("plot", FAMILY_ID, "-o", str(page))
    text = page.read_text()
    assert text.count("<audio") == 3 and text.count("<svg") == 1 and "amina.wav" in text
    assert (
        "<script" not in text
        and "http-equiv" in text
        and text.count("http://") == text.count("http://www.w3.org")
    )
    said("plot", "amina.wav", "--from", "0.5", "--to", "2", "-o", str(tmp_path / "r.svg"))
    assert (tmp_path / "r.svg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "zzzz"], "there is no motif, family or recording 'zzzz'"),
        (["show", "amina.wave"], "did you mean 'amina.wav'"),
        (["plot", "amina.wav", "-o", "x.gif"], "name it .png, .svg, .pdf, .html"),
        (["plot", "amina.wav", "--from", "3", "--to", "2"], "give --from before --to"),
        (["plot", FAMILY_ID, "--from", "3"], "only of a recording"),
        (["plot", "silence", "--from", "90", "-o", "x.png"], "no pitch frame"),
        (["play", "amina.wav"], "there is no motif or family"),
        (["play", FAMILY_ID, "--audio", "nowhere"], "is no folder"),
        (["play", FAMILY_ID, "-o", "/dev/null/x"], "cannot be written to"),
    ],
)
def test_a_mistake_is_one_sentence(database: Database, words: list[str], says: str) -> None:
    ran = CliRunner().invoke(app, [*words, "--db", str(database.path)])
    assert ran.exit_code != 0 and says in str(ran.exception), ran.exception
