"""Corpora of flamenco: TONAS, cante100, the public motif clips."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from motifdb.pipelines.layouts.base import (
    Layout,
    LayoutError,
    Row,
    files_of,
    parts,
    require_file,
    require_folder,
    said,
    sound_files,
    stem,
)

_XML_BYTES = 16 << 20


def _tonas(folder: Path) -> list[Row]:
    table = require_file(folder, "TONAS-Metadata.txt")
    known = _tonas_table(table)
    pitch = {path.lower(): path for path in files_of(folder, (".f0.corrected",))}
    rows = []
    for path in sound_files(folder):
        entry = known.get(stem(path).lower())
        if entry is None:
            continue
        f0 = pitch.get(f"{path.rsplit('.', 1)[0]}.f0.corrected".lower())
        rows.append(
            Row(path, said(style=entry[0], title=entry[1], singer=entry[2], folder=parts(path)[0]), f0)
        )
    if known and not rows:
        raise LayoutError(
            f"none of the {len(known)} sounds that {table.name} names is there, such as {min(known)}.wav"
        )
    return rows


def _tonas_table(file: Path) -> dict[str, tuple[str, str, str]]:
    """Style, title and singer by stem, from a table that is UTF-16 with or without its mark, or holds NULs among 8-bit text."""
    content = file.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", "replace")
    elif content[1:200:2].count(0) > 50 or (len(content) < 100 and b"\0" in content[1::2]):
        text = content.decode("utf-16-le", "replace")
    elif content[0:200:2].count(0) > 50:
        text = content.decode("utf-16-be", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    lines = text.replace("\0", "").replace("\ufeff", "").splitlines()
    known: dict[str, tuple[str, str, str]] = {}
    for cells in (line.split("\t") for line in lines):
        if len(cells) >= 4 and cells[0].strip():
            name = re.sub(r"\.wav$", "", cells[0].strip(), flags=re.IGNORECASE).replace("\\", "/")
            known[name.rsplit("/", 1)[-1].lower()] = (cells[1].strip(), cells[2].strip(), cells[3].strip())
    if not known:
        raise LayoutError(f"{file.name} holds no rows of file, style, title and singer, separated by tabs")
    return known


def _cante100(folder: Path) -> list[Row]:
    table = require_file(folder, "cante100Meta.xml")
    audio = require_folder(folder, "cante100audio", "cante100_audio", "audio")
    if table.stat().st_size > _XML_BYTES:
        raise LayoutError(f"{table.name} is larger than {_XML_BYTES >> 20} MB, so it is not what it is named")
    content = table.read_bytes()
    plain = content.replace(b"\0", b"")  # in UTF-16 every other byte is one
    if b"<!ENTITY" in plain or b"<!DOCTYPE" in plain:
        raise LayoutError(f"{table.name} declares entities, which the corpus's own does not")
    try:
        tracks = list(ElementTree.fromstring(content))
    except ElementTree.ParseError as error:
        raise LayoutError(f"{table.name} is no XML: {error}") from None
    known = {}
    for track in tracks:
        texts = {part.tag: (part.text or "").strip() for part in track.iter() if part is not track}
        number = _number(re.sub(r"\D", "", track.attrib.get("id", "")))
        if number is not None:
            known[number] = texts
    pitch = {_number(path): path for path in files_of(folder, (".csv",)) if "f0" in path.lower()}
    rows = []
    for path in sound_files(folder, audio):
        number_of = _number(path)
        if number_of is None or number_of not in known:
            continue
        texts = known[number_of]
        style = next(
            (t for tag, t in texts.items() if re.search("style|palo|family", tag, re.IGNORECASE) and t), None
        )
        labels = said(
            style=style or (stem(path).split("_")[-1] if "_" in stem(path) else None),
            singer=texts.get("artist"),
            title=texts.get("title"),
            release=texts.get("anthology"),
            musicbrainz=texts.get("musicBrainzID"),
        )
        rows.append(Row(path, labels, pitch.get(number_of)))
    return rows


def _number(path: str) -> int | None:
    match = re.match(r"[0-9]{1,18}(?![0-9])", path.rsplit("/", 1)[-1])
    return int(match.group()) if match else None


_CLIP = re.compile(
    r"(?P<recording>[A-Z]\d+)(?P<family>_intervals(?:\.txt)?|\.txt)?_(?P<pattern>(?:-?\d)+)_(?P<uuid>[0-9a-f-]{36})"
)
_STYLE = {"D": "debla", "M": "martinete", "S": "saeta"}
"""What the letters of recordings look like; inferred, not documented."""


def _motif_clips(folder: Path) -> list[Row]:
    sources = _sources(folder)
    rows = []
    for path in sound_files(folder):
        match = _CLIP.fullmatch(stem(path))
        if match is None or len(parts(path)) < 2:
            continue
        singer = parts(path)[-2]
        family = (match["family"] or "plain").lstrip("_.")
        labels = said(
            singer=singer,
            recording=match["recording"],
            family=family,
            pattern=" ".join(re.findall(r"-?\d", match["pattern"])),
            style=_STYLE.get(match["recording"][0]),
        )
        rows.append(Row(path, labels | sources.get(f"{singer}/{stem(path)}", {})))
    return rows


def _sources(folder: Path) -> dict[str, dict[str, str]]:
    """Source and island of each clip, where a table of them lies in the folder."""
    from motifdb.pipelines.layouts.base import read_table

    file = folder / "flamenco_motifs_groups.csv"
    if not file.is_file():
        return {}
    return {
        r["file"].rsplit(".", 1)[0]: said(source=r["source"], island=r["island"])
        for r in read_table(file, ("file", "source", "island"))
    }


TONAS = Layout(
    name="tonas",
    title="TONAS",
    about="72 excerpts of a cappella flamenco in three styles, with pitch corrected by hand",
    access="on request, Zenodo record 1290722",
    licence="for internal non-commercial use; no redistribution",
    put=(
        "TONAS-Metadata.txt (file, style, title, singer)",
        "Deblas/, Martinete1/, Martinete2/ <number>-<letter>_<Singer>.wav, with .f0.Corrected beside each",
    ),
    labels={
        "style": "debla or one of two kinds of martinete",
        "singer": "the cantaor",
        "title": "of the song",
    },
    groups=("singer",),
    read=_tonas,
    unsure="The names of the folders of martinetes are not documented: any folder will do, as files are found by name.",
)

CANTE100 = Layout(
    name="cante100",
    title="cante100",
    about="100 tracks of 10 families of styles, 10 of each, with their predominant melody",
    access="sound on request, Zenodo record 1324183; the rest open, record 1322542",
    licence="for internal non-commercial use; no redistribution",
    put=(
        "cante100Meta.xml",
        "cante100audio/ <number>_<Singer>_<Style>.mp3",
        "cante100midi_f0/ <number>_....f0.csv (optional, reference pitch)",
    ),
    labels={
        "style": "the family of styles",
        "singer": "the artist",
        "title": "of the track",
        "release": "its anthology",
    },
    groups=("singer",),
    read=_cante100,
    unsure="Whether the XML names the style is not documented: where it does not, the end of the file's name is taken.",
)

FLAMENCO_MOTIFS = Layout(
    name="flamenco-motifs",
    title="the public motif clips",
    about="11,158 clips of 0.04 to 2 s by five singers, each of a pattern of steps",
    access="open, github.com/aitor-mir/flamenco-motifs",
    licence="none stated",
    put=("<singer>/ <recording>[_intervals|_intervals.txt|.txt]_<pattern>_<uuid>.wav",),
    labels={
        "singer": "name of the folder",
        "recording": "the id in the name, which does not identify a recording",
        "family": "which of the four ways the name is written",
        "pattern": "the steps of its contour",
        "style": "debla, martinete or saeta, inferred from the id's letter",
        "source": "what shares no samples with any other source, where flamenco_motifs_groups.csv lies in the folder",
        "island": "clips that share samples, likewise",
    },
    groups=("source", "island"),
    read=_motif_clips,
    unsure="Without the table of groups `motifdb audit` finds the islands; splits by the recording id leak.",
    is_clips=True,
)
