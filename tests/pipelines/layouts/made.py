"""Small folders in the layouts of the known corpora, with what their rows must say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from motifdb.pipelines.listening import wav_bytes

RATE_HZ = 8_000
Said = dict[str, dict[str, str]]
"""By path, labels that a row must have."""


def sound(folder: Path, path: str, hz: float = 220.0) -> None:
    """A fifth of a second of a tone; every path sounds otherwise."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    phase = 2 * np.pi * (hz + len(path) + sum(path.encode()) % 97) * np.arange(RATE_HZ // 5) / RATE_HZ
    file.write_bytes(wav_bytes((0.3 * np.sin(phase)).astype(np.float32), RATE_HZ))


def text(folder: Path, path: str, content: str | bytes) -> None:
    """A file with this content."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def urbansound8k(folder: Path) -> Said:
    head = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    names = ("100032-3-0-0.wav", "100032-3-0-1.wav", "7061-6-0-0.wav")
    rows = [f"{names[0]},100032,0,0.3,1,5,3,dog_bark", f"{names[1]},100032,1,1.3,2,5,3,dog_bark"]
    rows += [f"{names[2]},7061,0,4,1,1,6,gun_shot", "1-1-0-0.wav,1,0,4,1,2,1,car_horn"]
    text(folder, "metadata/UrbanSound8K.csv", head + "\n".join(rows) + "\n")
    for fold, name in ((5, names[0]), (5, names[1]), (1, names[2])):
        sound(folder, f"audio/fold{fold}/{name}")
    text(folder, "audio/fold1/.DS_Store", "x")
    dog = {"class": "dog_bark", "fold": "5", "source_file": "100032", "class_id": "3"}
    return {
        f"audio/fold5/{names[0]}": dog | {"salience": "foreground"},
        f"audio/fold5/{names[1]}": dog | {"salience": "background"},
        f"audio/fold1/{names[2]}": {"class": "gun_shot", "fold": "1", "source_file": "7061"},
    }


def esc50(folder: Path) -> Said:
    head = "filename,fold,target,category,esc10,src_file,take\n"
    rows = ["1-100032-A-0.wav,1,0,dog,True,100032,A", "2-5-B-36.wav,2,36,vacuum_cleaner,False,5,B"]
    text(folder, "meta/esc50.csv", head + "\r\n".join(rows))
    for row in rows:
        sound(folder, f"audio/{row.split(',')[0]}")
    sound(folder, "audio/not listed.wav")
    return {
        "audio/1-100032-A-0.wav": {
            "class": "dog",
            "fold": "1",
            "source_file": "100032",
            "esc10": "true",
            "take": "A",
        },
        "audio/2-5-B-36.wav": {"class": "vacuum_cleaner", "fold": "2", "source_file": "5", "esc10": "false"},
    }


def dcase2013(folder: Path) -> Said:
    for name in ("bus01", "busystreet07", "tubestation10"):
        sound(folder, f"scenes_stereo/{name}.wav")
    sound(folder, "scenes_stereo_testset/bus01.wav", 300.0)
    sound(folder, "scenes_stereo_testset/office12.wav")
    sound(folder, "scenes_stereo_testset/noise.wav")
    return {
        "scenes_stereo/bus01.wav": {"class": "bus", "fold": "train", "source_file": "train bus01"},
        "scenes_stereo/busystreet07.wav": {"class": "busystreet", "fold": "train"},
        "scenes_stereo/tubestation10.wav": {"class": "tubestation", "fold": "train"},
        "scenes_stereo_testset/bus01.wav": {"class": "bus", "fold": "test", "source_file": "test bus01"},
        "scenes_stereo_testset/office12.wav": {"class": "office", "fold": "test"},
    }


TONAS_TABLE = "01-D_AMairena.wav\tDebla\tEn el barrio de Triana\tAntonio Mairena\n03-M1_Chocolate.wav\tMartinete 1\tDe día\tChocolate\n"
CORRECTED = "".join(f"{i / 100:.5f} 0.01 {200 + i:.1f} {210 + i:.1f}\n" for i in range(20))


def tonas(folder: Path, encoding: str = "utf-16") -> Said:
    content = TONAS_TABLE.encode(encoding)
    text(folder, "TONAS-Metadata.txt", content)
    for path in ("Deblas/01-D_AMairena", "Martinete1/03-M1_Chocolate"):
        sound(folder, f"{path}.wav")
        text(folder, f"{path}.notes.Corrected", "0.0\n0.1,0.2,60,0.5\n")
    text(folder, "Deblas/01-D_AMairena.f0.Corrected", CORRECTED)
    return {
        "Deblas/01-D_AMairena.wav": {
            "style": "Debla", "title": "En el barrio de Triana", "singer": "Antonio Mairena",
            "f0": "Deblas/01-D_AMairena.f0.Corrected",
        },
        "Martinete1/03-M1_Chocolate.wav": {"style": "Martinete 1", "title": "De día", "singer": "Chocolate"},
    }  # fmt: skip


def cante100(folder: Path) -> Said:
    track = "<track id='{}'><musicBrainzID>m{}</musicBrainzID><artist>{}</artist><title>{}</title><anthology>A</anthology></track>"
    tracks = track.format(8, 8, "Paco Toronjo", "Fandangos") + track.format("031", 31, "La Niña", "Saeta")
    text(folder, "cante100Meta.xml", f"<?xml version='1.0' encoding='UTF-8'?><tracks>{tracks}</tracks>")
    sound(folder, "cante100audio/008_PacoToronjo_Fandangos.wav")
    sound(folder, "cante100audio/031_LaNina_Saetas.wav")
    pitch = "".join(f"{i / 100},{220 + i}\n" for i in range(20))
    text(folder, "cante100midi_f0/008_PacoToronjo_Fandangos.f0.csv", pitch)
    return {
        "cante100audio/008_PacoToronjo_Fandangos.wav": {
            "style": "Fandangos", "singer": "Paco Toronjo", "musicbrainz": "m8",
            "f0": "cante100midi_f0/008_PacoToronjo_Fandangos.f0.csv",
        },
        "cante100audio/031_LaNina_Saetas.wav": {"style": "Saetas", "singer": "La Niña", "title": "Saeta"},
    }  # fmt: skip


UUID = "ac26195f-b640-4c06-8aca-b8b4cad7a462"


def motif_clips(folder: Path) -> Said:
    names = {
        f"AM/D0001_-1-11-11_{UUID}": {"recording": "D0001", "family": "plain", "pattern": "-1 -1 1 -1 1", "style": "debla"},
        f"EC/M1036_intervals_2-21_{UUID}": {"recording": "M1036", "family": "intervals", "pattern": "2 -2 1"},
        f"TP/M1034.txt_-112222_{UUID}": {"recording": "M1034", "family": "txt", "pattern": "-1 1 2 2 2 2"},
        f"EC/S0002_intervals.txt_112-1_{UUID}": {"family": "intervals.txt", "pattern": "1 1 2 -1", "style": "saeta"},
    }  # fmt: skip
    for path in names:
        sound(folder, f"{path}.wav")
    text(folder, "AM/.DS_Store", b"\0\0")
    sound(folder, "EC/another thing.wav")
    first = next(iter(names))
    text(folder, "flamenco_motifs_groups.csv", f"file,singer,source,island\n{first}.wav,AM,AM_b,7\n")
    said = {f"{path}.wav": labels | {"singer": path[:2]} for path, labels in names.items()}
    said[f"{first}.wav"] |= {"source": "AM_b", "island": "7"}
    return said


def damp(folder: Path) -> Said:
    text(
        folder,
        "perfs.csv",
        "performance_key,account_id,arr_key\np1,77,hello\np2,77,halo\np3,5,hello\np9,5,x\n",
    )
    for name in ("p1", "p2", "p3"):
        sound(folder, f"sing/audio/{name}.wav")
    return {
        "sing/audio/p1.wav": {"singer": "77", "work": "hello", "performance": "p1"},
        "sing/audio/p2.wav": {"singer": "77", "work": "halo"},
        "sing/audio/p3.wav": {"singer": "5", "work": "hello"},
    }


def damp_balanced(folder: Path) -> Said:
    text(
        folder,
        "perfs.csv",
        "performance;singer;song_index;title\na;1;1;one call away\nb;1;7;more\nc;2;14;cups\n",
    )
    for name in "abc":
        sound(folder, f"audio/{name}.wav")
    return {
        "audio/a.wav": {"singer": "1", "work": "1", "title": "one call away", "fold": "train"},
        "audio/b.wav": {"singer": "1", "work": "7", "fold": "valid"},
        "audio/c.wav": {"singer": "2", "work": "14", "fold": "test"},
    }


def vocalset(folder: Path) -> Said:
    sound(folder, "FULL/female1/scales/belt/f1_scales_belt_a.wav")
    sound(folder, "FULL/male11/excerpts/straight/m11_row_straight.wav")
    sound(folder, "FULL/male11/long_tones/vibrato/m11_long_vibrato_e.wav")
    text(folder, "train_singers_technique.txt", "female1\nmale2\n")
    text(folder, "test_singers_technique.txt", "m11\n")
    return {
        "FULL/female1/scales/belt/f1_scales_belt_a.wav": {
            "singer": "female1", "context": "scales", "technique": "belt", "fold": "train", "work": "scales scales_a",
        },
        "FULL/male11/excerpts/straight/m11_row_straight.wav": {
            "singer": "male11", "technique": "straight", "work": "excerpts row", "fold": "test", "sex": "male",
        },
        "FULL/male11/long_tones/vibrato/m11_long_vibrato_e.wav": {"technique": "vibrato", "work": "long_tones long_e"},
    }  # fmt: skip


def jingju(folder: Path) -> Said:
    sound(folder, "wav/dan/danAll_1.wav")
    sound(folder, "wav/laosheng/lseg_2.wav")
    text(
        folder,
        "catalogue - dan.csv",
        "file,Aria title,Singer,Legend (shengqiang)\ndanAll_1,Suo lin nang,d3,xipi\n",
    )
    return {
        "wav/dan/danAll_1.wav": {
            "style": "dan",
            "singer": "d3",
            "shengqiang": "xipi",
            "title": "Suo lin nang",
        },
        "wav/laosheng/lseg_2.wav": {"role_type": "laosheng", "title": "lseg_2", "piece": "lseg_2"},
    }


def vocadito(folder: Path) -> Said:
    text(
        folder,
        "vocadito_metadata.csv",
        "track_id,singer_id,average_pitch,language\n1,S1,60,English\n12,S2,55,Tamil\n",
    )
    pitch = "".join(f"{i * 0.005805:.6f},{220 + i}\n" for i in range(30))
    for n in (1, 12):
        sound(folder, f"Audio/vocadito_{n}.wav")
        text(folder, f"Annotations/F0/vocadito_{n}_f0.csv", pitch)
        text(folder, f"Annotations/Notes/vocadito_{n}_notesA1.csv", "0.1,220.0,0.3\n0.5,230.0,0.2\n")
    return {
        "Audio/vocadito_1.wav": {
            "singer": "S1",
            "language": "English",
            "f0": "Annotations/F0/vocadito_1_f0.csv",
        },
        "Audio/vocadito_12.wav": {"singer": "S2", "average_pitch_midi": "55"},
    }


def otmm(folder: Path) -> Said:
    track = "".join(f"{220 + i}.0\n" for i in range(40)) + "0\n"
    text(folder, "data/Hicaz/aaaa-1.pitch", track)
    text(folder, "data/Rast/bbbb-2.pitch", track + "221\n")
    about = {"title": "Şarkı", "artists": [{"name": "Safiye Ayla"}], "works": [{"title": "Eser"}]}
    text(folder, "data/Hicaz/aaaa-1.json", json.dumps(about))
    text(
        folder,
        "annotations.json",
        json.dumps([{"mbid": "http://musicbrainz.org/recording/aaaa-1", "makam": "Hicaz", "tonic": 293.66}]),
    )
    return {
        "data/Hicaz/aaaa-1.pitch": {
            "style": "Hicaz", "recording": "aaaa-1", "singer": "Safiye Ayla", "work": "Eser", "title": "Şarkı", "tonic_hz": "293.66",
        },
        "data/Rast/bbbb-2.pitch": {"style": "Rast", "recording": "bbbb-2"},
    }  # fmt: skip


def folder_of_classes(folder: Path) -> Said:
    sound(folder, "hum/one.wav")
    sound(folder, "whistle/2/two.wav")
    sound(folder, "beside.wav")
    return {"hum/one.wav": {"class": "hum", "recording": "one"}, "whistle/2/two.wav": {"class": "whistle"}}


MADE: dict[str, Callable[[Path], Said]] = {
    "damp": damp,
    "damp-balanced": damp_balanced,
    "vocalset": vocalset,
    "jingju": jingju,
    "tonas": tonas,
    "cante100": cante100,
    "otmm-makam": otmm,
    "vocadito": vocadito,
    "urbansound8k": urbansound8k,
    "esc50": esc50,
    "dcase2013-scd": dcase2013,
    "flamenco-motifs": motif_clips,
    "folder": folder_of_classes,
}
"""By name of the layout: makes the folder, and gives what its rows must say."""
