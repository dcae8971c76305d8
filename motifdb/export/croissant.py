"""Croissant (MLCommons), the JSON-LD description of a data set, over the Parquet files of `motifdb.export.tables`.

Every file is a FileObject with its size and SHA-256, every table a RecordSet whose fields carry the meaning and unit of their
columns as `schemas` declares them. Lists are array fields of one dimension. Maps (labels, tags), which readers of Croissant do not
know, are the text of JSON objects, in these files too. Paths are relative to the description. Licence and citation are for
whoever publishes the data to add; readers warn of their absence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

import motifdb
from motifdb.export.tables import Written
from motifdb.schemas import Column

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"

_CR_TERMS = (
    *(
        "arrayShape",
        "citeAs",
        "column",
        "equivalentProperty",
        "extract",
        "field",
        "fileObject",
        "fileProperty",
    ),
    *(
        "fileSet",
        "format",
        "includes",
        "isArray",
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
        "parentField",
        "path",
    ),
    *(
        "recordSet",
        "references",
        "regex",
        "repeated",
        "replace",
        "samplingRate",
        "separator",
        "source",
        "subField",
    ),
    "transform",
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _CR_TERMS},
}
"""The JSON-LD context that the specification recommends."""


def render(name: str, commit: int, made_at: datetime, files: Sequence[Written]) -> bytes:
    """The description.

    Parameters
    ----------
    name : of the data set
    commit, made_at : of the database that was read
    """
    told = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": (
            f"Tables of the motifdb database {name} at commit {commit}: recordings of singing or their pitch, contours, melodic"
            " motifs and where they sound, and what was learnt from them. Times are seconds, pitch is cents over 440 Hz or Hz."
            f" Written by motifdb {motifdb.__version__}."
        ),
        "conformsTo": CONFORMS_TO,
        "url": f"#{name}",
        "version": f"1.0.{commit}",
        "datePublished": made_at.isoformat(),
        "distribution": [_file(file) for file in files],
        "recordSet": [_records(file) for file in files],
    }
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()


def _file(file: Written) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path.name,
        "name": file.path.name,
        "description": f"Table {file.spec.name}, {file.n_rows:,} rows; a row is {file.spec.row}.",
        "contentUrl": file.path.name,
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _records(file: Written) -> dict[str, Any]:
    name = file.spec.name
    keys = [{"@id": f"{name}/{key}"} for key in file.spec.key]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": file.spec.row,
        "key": keys[0] if len(keys) == 1 else keys,
        "field": [_field(file, column) for column in file.spec.columns],
    }


def _field(file: Written, column: Column) -> dict[str, Any]:
    unit = "" if column.unit == "-" else f" (in {column.unit})"
    told: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{file.spec.name}/{column.name}",
        "name": column.name,
        "description": column.meaning + unit,
        "dataType": _data_type(column.type),
        "source": {"fileObject": {"@id": file.path.name}, "extract": {"column": column.name}},
    }
    if pa.types.is_list(column.type):
        told |= {"isArray": True, "arrayShape": "-1"}
    return told


def _data_type(type_: pa.DataType) -> str:
    if pa.types.is_list(type_):
        return _data_type(type_.value_type)
    if pa.types.is_boolean(type_):
        return "sc:Boolean"
    if pa.types.is_integer(type_):
        return "sc:Integer"
    if pa.types.is_floating(type_):
        return "sc:Float"
    if pa.types.is_timestamp(type_):
        return "sc:Date"
    return "sc:Text"
