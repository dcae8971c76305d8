"""Corpora of everyday sounds with published folds: UrbanSound8K, ESC-50, DCASE 2013 (scenes)."""

from __future__ import annotations

import re
from pathlib import Path

from motifdb.pipelines.layouts.base import (
    Layout,
    LayoutError,
    Row,
    marked_there,
    read_table,
    require_file,
    require_folder,
    said,
    sound_files,
    stem,
)

SCENES = (
    "bus", "busystreet", "office", "openairmarket", "park", "quietstreet", "restaurant", "supermarket", "tube",
    "tubestation",
)  # fmt: skip
"""Classes of DCASE 2013; names of files begin with them."""


def _urbansound8k(folder: Path) -> list[Row]:
    table = require_file(folder, "metadata/UrbanSound8K.csv", "UrbanSound8K.csv")
    require_folder(folder, "audio")
    needed = ("slice_file_name", "fsID", "salience", "fold", "classID", "class")
    rows = [
        Row(
            f"audio/fold{r['fold']}/{r['slice_file_name']}",
            said(
                **{"class": r["class"]},
                fold=r["fold"],
                source_file=r["fsID"],
                class_id=r["classID"],
                salience={"1": "foreground", "2": "background"}.get(r["salience"], r["salience"]),
            ),
        )
        for r in read_table(table, needed)
    ]
    return marked_there(rows, sound_files(folder, "audio"), table.name)


def _esc50(folder: Path) -> list[Row]:
    table = require_file(folder, "meta/esc50.csv", "esc50.csv")
    require_folder(folder, "audio")
    needed = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    rows = [
        Row(
            f"audio/{r['filename']}",
            said(
                **{"class": r["category"]},
                fold=r["fold"],
                source_file=r["src_file"],
                class_id=r["target"],
                esc10=r["esc10"].lower(),
                take=r["take"],
            ),
        )
        for r in read_table(table, needed)
    ]
    return marked_there(rows, sound_files(folder, "audio"), table.name)


_SCENE = re.compile(r"([a-z]+?)_?(\d+)", re.IGNORECASE)


def _fold_of(path: str) -> str | None:
    """Which half a file is in, by the names of its folders."""
    above = path.lower().rsplit("/", 1)[0] if "/" in path else ""
    if re.search(r"test|eval", above):
        return "test"
    return "train" if re.search(r"train|dev|public|scenes_stereo", above) else None


def _dcase2013(folder: Path) -> list[Row]:
    rows = []
    for path in sound_files(folder):
        match = _SCENE.fullmatch(stem(path))
        scene = match.group(1).lower() if match else ""
        if scene not in SCENES:
            continue
        fold = _fold_of(path)
        if fold is None:
            raise LayoutError(f"{path} is in neither a folder of the training set nor one of the test set")
        # the training set and the test set number their files apart
        rows.append(Row(path, said(**{"class": scene}, fold=fold, source_file=f"{fold} {stem(path)}")))
    if rows and {row.labels["fold"] for row in rows} != {"train", "test"}:
        lacking = "test" if rows[0].labels["fold"] == "train" else "train"
        raise LayoutError(
            f"there is no file of the {lacking} set in it, and each half tests what the other trains"
        )
    return rows


URBANSOUND8K = Layout(
    name="urbansound8k",
    title="UrbanSound8K",
    about="8,732 slices of up to 4 s, 10 classes, 10 folds",
    access="after registration at urbansounddataset.weebly.com",
    licence="CC BY-NC 3.0, as stated by its authors",
    put=(
        "audio/fold1/ ... audio/fold10/ <fsID>-<classID>-<occurrence>-<slice>.wav",
        "metadata/UrbanSound8K.csv",
    ),
    labels={
        "class": "one of 10 sounds",
        "fold": "1 to 10, as published",
        "source_file": "id of the recording on Freesound (fsID), which several slices share",
        "class_id": "number of the class",
        "salience": "foreground or background",
    },
    groups=("fold", "source_file"),
    read=_urbansound8k,
    is_clips=True,
)

ESC50 = Layout(
    name="esc50",
    title="ESC-50",
    about="2,000 clips of 5 s, 50 classes, 5 folds",
    access="open, github.com/karolpiczak/ESC-50",
    licence="CC BY-NC 3.0",
    put=("audio/<fold>-<clip>-<take>-<target>.wav", "meta/esc50.csv"),
    labels={
        "class": "one of 50 sounds",
        "fold": "1 to 5, as published",
        "source_file": "id of the recording on Freesound, which several clips may share",
        "class_id": "number of the class",
        "esc10": "whether it is of the subset ESC-10",
        "take": "letter of the clip within its source",
    },
    groups=("fold", "source_file"),
    read=_esc50,
    is_clips=True,
)

DCASE2013_SCD = Layout(
    name="dcase2013-scd",
    title="DCASE 2013, scene classification",
    about="200 recordings of 30 s, 10 scenes, 100 to train and 100 to test",
    access="open, from the challenge's pages",
    licence="as the challenge states for each archive",
    put=(
        "a folder with train, dev, public or scenes_stereo in its name: <class><number>.wav",
        "a folder with test or eval in its name: <class><number>.wav",
    ),
    labels={
        "class": "one of 10 scenes, from the beginning of the file's name",
        "fold": "train or test",
        "source_file": "the recording itself: none is cut in several",
    },
    groups=("fold",),
    read=_dcase2013,
    unsure="The names of the folders are not documented; which half a file is in is told by words in them.",
    is_clips=True,
)
