"""Corpora of singing: DAMP, DAMP-balanced, VocalSet, jingju a cappella, vocadito, the makam pitch tracks, and any folder."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from motifdb.pipelines.layouts.base import (
    Layout,
    LayoutError,
    Row,
    files_of,
    marked_there,
    parts,
    read_table,
    require_file,
    require_folder,
    said,
    sound_files,
    stem,
)

BALANCED_PARTS = {"train": range(1, 7), "valid": range(7, 11), "test": range(11, 15)}
"""siamese-2018 splits the list of 14 songs by its order: 6, 4, 4."""


def _column(table: Sequence[Mapping[str, str]], names: Sequence[str], file: Path) -> str:
    """The first of some columns that a table has."""
    for name in names:
        if table and name in table[0]:
            return name
    has = ", ".join(list(table[0])[:12]) if table else "no rows"
    raise LayoutError(f"{file.name} has none of the columns {', '.join(names)} (it has {has})")


_PERFORMANCE = ("performance_key", "performance", "perf_key", "key", "filename", "file", "path")
_SINGER = ("account_id", "player_id", "singer_id", "singer", "owner", "user")
_SONG = ("song_id", "arr_key", "song", "song_key", "title", "work")
_SONG_INDEX = ("song_index", "index", "song index")


def _performances(folder: Path) -> tuple[Path, list[dict[str, str]], dict[str, str]]:
    """The table of performances, its rows, and the sound of each by its stem."""
    table = require_file(folder, "perfs.csv", "performances.csv", "sing/perfs.csv")
    rows = read_table(table, ())
    under = require_folder(folder, "sing/audio", "audio")
    sound: dict[str, str] = {}
    for path in sound_files(folder, under):
        other = sound.setdefault(stem(path), path)
        if other != path:
            raise LayoutError(f"{other} and {path} are both named like one performance; keep one")
    return table, rows, sound


def _key(cell: str, sound: Mapping[str, str]) -> str:
    """The key of a performance, from a cell that may name its file; a key may hold dots."""
    return cell if cell in sound else stem(cell)


def _damp(folder: Path) -> list[Row]:
    table, performances, sound = _performances(folder)
    key, singer, song = (_column(performances, names, table) for names in (_PERFORMANCE, _SINGER, _SONG))
    rows = [
        Row(sound[name], said(singer=r[singer], work=r[song], performance=name))
        for r in performances
        if (name := _key(r[key], sound)) in sound
    ]
    if performances and not rows:
        raise LayoutError(f"none of the {len(performances):,} performances of {table.name} has sound in it")
    return rows


def _damp_balanced(folder: Path) -> list[Row]:
    table, performances, sound = _performances(folder)
    key, singer, index = (
        _column(performances, names, table) for names in (_PERFORMANCE, _SINGER, _SONG_INDEX)
    )
    titles = [name for name in ("title", "song", "work") if performances and name in performances[0]]
    rows = []
    for r in performances:
        if not re.fullmatch(r"[0-9]{1,9}", r[index]) or not 1 <= int(r[index]) <= 14:
            raise LayoutError(f"{table.name} has the song index {r[index][:20]!r}; it must be 1 to 14")
        number = int(r[index])
        part = next(part for part, songs in BALANCED_PARTS.items() if number in songs)
        labels = said(
            singer=r[singer],
            work=str(number),
            title=r[titles[0]] if titles else None,
            fold=part,
            performance=(name := _key(r[key], sound)),
        )
        if name in sound:
            rows.append(Row(sound[name], labels))
    if performances and not rows:
        raise LayoutError(f"none of the {len(performances):,} performances of {table.name} has sound in it")
    return rows


_VOICE = re.compile(r"(?:female|male)\d+|[fm]\d+", re.IGNORECASE)


def _vocalset(folder: Path) -> list[Row]:
    under = next((name for name in ("FULL", "data_by_singer") if (folder / name).is_dir()), None)
    if under is None:
        found = (name for name in ("data_by_technique", "data_by_vowel") if (folder / name).is_dir())
        if (other := next(found, None)) is not None:
            raise LayoutError(
                f"{other} holds the same files by another key, without the contexts; give the folder with FULL"
            )
        raise LayoutError("there is no folder FULL or data_by_singer in it")
    listed = _vocalset_parts(folder)
    rows = []
    for path in sound_files(folder, under):
        place = parts(path)[1:]
        if len(place) < 3 or _VOICE.fullmatch(place[0]) is None:
            continue
        singer, context = place[0].lower(), place[1]
        technique = place[2] if len(place) > 3 else place[1]
        # what is sung is the name without the singer and the technique
        melody = re.sub(rf"^{singer[0]}\d+_", "", stem(path), flags=re.IGNORECASE)
        melody = re.sub(rf"_?{re.escape(technique)}_?", "_", melody).strip("_") or context
        labels = said(
            singer=singer,
            technique=technique,
            context=context,
            work=f"{context} {melody}".lower(),
            fold=listed.get(singer),
            sex="female" if singer.startswith("f") else "male",
        )
        rows.append(Row(path, labels))
    return rows


def _vocalset_parts(folder: Path) -> dict[str, str]:
    """Train or test by singer, as the corpus lists them for telling techniques."""
    listed = {}
    for part in ("train", "test"):
        file = folder / f"{part}_singers_technique.txt"
        if file.is_file():
            for name in re.findall(r"[A-Za-z]+\d+", file.read_text("utf-8", "replace")):
                full = re.sub(r"^f(?=\d)", "female", re.sub(r"^m(?=\d)", "male", name.lower()))
                listed[full] = part
    return listed


def _jingju(folder: Path) -> list[Row]:
    require_folder(folder, "wav")
    known: dict[str, dict[str, str]] = {}
    for file in sorted(folder.glob("catalogue*.csv")):
        for r in read_table(file, ()):
            for value in list(r.values())[:4]:
                known.setdefault(value.lower().removesuffix(".wav"), r)
    rows = []
    for path in sound_files(folder, "wav"):
        place = parts(path)
        if len(place) < 3:
            continue
        r = known.get(stem(path).lower(), {})
        by_name = {name.lower().strip(): value for name, value in r.items()}

        def cell(*words: str, of: Mapping[str, str] = by_name) -> str | None:
            return next((v for n, v in of.items() if any(w in n for w in words) and v), None)

        labels = said(
            style=place[1],
            role_type=place[1],
            singer=cell("singer", "artist", "performer"),
            shengqiang=cell("shengqiang", "legend"),
            title=cell("title", "aria") or stem(path),
            piece=stem(path),
        )
        rows.append(Row(path, labels))
    return rows


def _vocadito(folder: Path) -> list[Row]:
    table = require_file(folder, "vocadito_metadata.csv")
    pitch = {
        stem(path).lower(): path
        for path in files_of(folder, (".csv",))
        if re.search(r"_f0$", stem(path).lower())
    }
    sound = {stem(path).lower(): path for path in sound_files(folder)}
    rows = []
    for r in read_table(table, ("track_id", "singer_id")):
        name = f"vocadito_{r['track_id'].removeprefix('vocadito_')}"
        labels = said(
            singer=r["singer_id"], language=r.get("language"), average_pitch_midi=r.get("average_pitch")
        )
        rows.append(Row(sound.get(name, f"Audio/{name}.wav"), labels, pitch.get(f"{name}_f0")))
    return marked_there(rows, sound.values(), table.name)


def _otmm(folder: Path) -> list[Row]:
    under = require_folder(folder, "data")
    known = _annotations(folder)
    rows = []
    for path in files_of(folder, (".pitch", ".pitch.gz"), under):
        place = parts(path)
        if len(place) < 3:
            continue
        mbid = place[-1].split(".", 1)[0]
        row = known.get(mbid, {})
        about = _json_of(folder / under / place[1] / f"{mbid}.json")
        labels = said(
            style=str(row.get("makam") or place[1]),
            recording=mbid,
            singer=_people(about),
            work=_first(about, "works", "work"),
            title=_first(about, "title"),
            tonic_hz=_hertz(row.get("tonic")),
        )
        rows.append(Row(path, labels))
    return rows


def _hertz(value: Any) -> str | None:
    """A frequency as text; None where it is none."""
    try:
        hertz = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return f"{hertz:g}" if 0 < hertz < math.inf else None


def _annotations(folder: Path) -> dict[str, dict[str, Any]]:
    """Makam and tonic by the id of the recording."""
    file = folder / "annotations.json"
    if not file.is_file():
        return {}
    found = _json_of(file)
    if not isinstance(found, list):
        raise LayoutError("annotations.json is no list of recordings")
    return {
        str(row["mbid"]).rstrip("/").rsplit("/", 1)[-1]: row
        for row in found
        if isinstance(row, dict) and row.get("mbid")
    }


def _json_of(file: Path) -> Any:
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text("utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise LayoutError(f"{file.name} is no JSON: {str(error)[:80]}") from None


def _people(about: Any) -> str | None:
    """Who performs, the first by what MusicBrainz says."""
    return _first(about, "performers", "artists", "artist")


def _first(about: Any, *names: str) -> str | None:
    if not isinstance(about, dict):
        return None
    for name in names:
        value = about.get(name)
        while isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, dict):
            value = next((value[k] for k in ("name", "title") if isinstance(value.get(k), str)), None)
        if isinstance(value, str) and value.strip():
            return value
    return None


_TABLES = ("manifest.csv", "metadata.csv", "labels.csv")


def _folder(folder: Path) -> list[Row]:
    table = next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    if table is not None:
        listed = read_table(table, ("path",))
        named = [
            Row(
                r["path"],
                said(**{k: v for k, v in r.items() if k not in ("", "path", "f0")}),
                r.get("f0") or None,
            )
            for r in listed
        ]
        return marked_there(
            named,
            sound_files(folder) + files_of(folder, (".pitch", ".pitch.gz", ".f0", ".csv", ".txt")),
            table.name,
        )
    rows = []
    for path in sound_files(folder) + files_of(folder, (".pitch", ".pitch.gz", ".f0")):
        place = parts(path)
        if len(place) > 1:
            rows.append(Row(path, {"class": place[0], "recording": stem(path)}))
    if not rows:
        raise LayoutError("there is no recording in any folder of it")
    return rows


DAMP = Layout(
    name="damp",
    title="DAMP",
    about="34,620 recordings by 3,462 amateur singers, ten of each",
    access="by research agreement, ccrma.stanford.edu/damp",
    licence="research only; no redistribution",
    put=("perfs.csv (performance, singer, song)", "sing/audio/ <performance>.m4a"),
    labels={"singer": "the account", "work": "the song", "performance": "key of the recording"},
    groups=("singer", "work"),
    read=_damp,
    unsure=f"Names of columns differ from copy to copy: the first of {', '.join(_SINGER[:3])}, ... and of {', '.join(_SONG[:3])}, ... is taken.",
)

DAMP_BALANCED = Layout(
    name="damp-balanced",
    title="DAMP-balanced",
    about="24,874 performances of 14 songs by 5,429 singers, of whom some sang every song of a part",
    access="by research agreement, as DAMP",
    licence="research only; no redistribution",
    put=("perfs.csv (performance, singer, song_index 1 to 14)", "sing/audio/ <performance>.m4a"),
    labels={
        "singer": "the account",
        "work": "number of the song in the list, 1 to 14",
        "title": "of the song, where the table has it",
        "fold": "train (songs 1 to 6), valid (7 to 10) or test (11 to 14), as siamese-2018 divides them",
        "performance": "key of the recording",
    },
    groups=("singer", "work"),
    read=_damp_balanced,
    unsure="Its layout could not be verified; it is read like DAMP's, and needs the song's number. "
    "`motifdb split --crossed singer work` finds the singers of complete tables.",
)

VOCALSET = Layout(
    name="vocalset",
    title="VocalSet",
    about="10 hours by 20 professional singers: scales, arpeggios, long tones and excerpts in many techniques",
    access="open, Zenodo record 1193957",
    licence="CC BY 4.0",
    put=(
        "FULL/ (or data_by_singer/) <singer>/<context>/<technique>/*.wav",
        "train_singers_technique.txt and test_singers_technique.txt (optional)",
    ),
    labels={
        "singer": "female1 to 9, male1 to 11",
        "technique": "belt, vibrato, vocal fry, ...",
        "context": "scales, arpeggios, long_tones, excerpts",
        "work": "the context and what is sung in it: of these none may be on two sides when singers are told",
        "fold": "train or test, as the corpus lists singers for telling techniques",
        "sex": "female or male",
    },
    groups=("work (to tell singers)", "singer (to tell techniques)"),
    read=_vocalset,
    unsure="What is sung is read from file names: without the singer's mark and the technique.",
    is_clips=True,
)

JINGJU = Layout(
    name="jingju",
    title="the jingju a cappella collection",
    about="arias of Beijing opera by role types",
    access="open, Zenodo record 1323561",
    licence="as stated on the record",
    put=("wav/<role type>/<piece>.wav", "catalogue - dan.csv, catalogue - laosheng.csv (optional)"),
    labels={
        "style": "the role type",
        "role_type": "dan, laosheng, ...",
        "shengqiang": "the melodic system, as the column legend of the catalogue says",
        "singer": "id of the singer, as the catalogue says",
        "title": "of the aria",
        "piece": "name of the file",
    },
    groups=("singer", "piece"),
    read=_jingju,
    unsure="Columns of the catalogues are found by words in their names, and rows by the name of the piece.",
)

VOCADITO = Layout(
    name="vocadito",
    title="vocadito",
    about="40 excerpts of solo singing in seven languages, with pitch and notes by hand",
    access="open, Zenodo record 5578807",
    licence="CC BY 4.0",
    put=("vocadito_metadata.csv", "Audio/vocadito_<n>.wav", "Annotations/F0/vocadito_<n>_f0.csv"),
    labels={
        "singer": "id of the singer",
        "language": "of the words",
        "average_pitch_midi": "mean pitch, MIDI number",
    },
    groups=("singer",),
    read=_vocadito,
)

OTMM = Layout(
    name="otmm-makam",
    title="the OTMM makam recognition dataset",
    about="pitch tracks of 1,000 recordings in 20 makams, 50 of each; no sound",
    access="open, github.com/MTG/otmm_makam_recognition_dataset",
    licence="CC BY-NC-SA 4.0",
    put=("data/<Makam>/<mbid>.pitch (and .json)", "annotations.json"),
    labels={
        "style": "the makam",
        "recording": "its MusicBrainz id",
        "singer": "the first performer or artist that the json names",
        "work": "the first work that it names",
        "title": "likewise",
        "tonic_hz": "frequency of the tonic, Hz",
    },
    groups=("recording", "singer"),
    read=_otmm,
    hop=Fraction(128, 44_100),
)

FOLDER = Layout(
    name="folder",
    title="a folder for each class",
    about="any corpus whose classes are folders, or that a table lists, such as corpusCOFLA (path, recording, singer, style)",
    access="your own",
    licence="-",
    put=("<class>/<recording>.wav", "or manifest.csv with a column path, and one for each label"),
    labels={
        "class": "name of the first folder, where no table lists the files",
        "recording": "name of the file, likewise",
    },
    groups=("recording",),
    read=_folder,
)
