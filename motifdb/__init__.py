"""motifdb: from a folder of singing to melodic motifs one can query, hear, test and learn from.

>>> import motifdb
>>> motifdb.__version__.count(".")
2

`motifdb.open("songs.motifdb").sql("select ...")` is all most programs need; `motifdb.mine` finds repeated patterns in any
sequences of whole numbers. Importing this package imports
neither Ray nor torch nor a decoder; each part is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from motifdb.mining.api import mine
    from motifdb.mining.result import MiningResult
    from motifdb.pipelines.humming import Hum
    from motifdb.query.database import Database

__all__ = ["Database", "MiningResult", "__version__", "hum", "mine", "open"]


def open(path: str | None = None, *, at: str | int | None = None) -> Database:
    """Open a database for reading; see `motifdb.query.database.Database`."""
    from motifdb.query.database import Database

    return Database(path, at=at)


def hum(path: str, tracker: str | None = None) -> Hum:
    """A melody from a file of sound or f0, to search for: ``db.search(motifdb.hum("hum.wav"))``."""
    from motifdb.pipelines.humming import read_hum

    return read_hum(path, tracker)


def __getattr__(name: str) -> object:
    if name == "Database":
        from motifdb.query.database import Database

        return Database
    if name == "mine":
        from motifdb.mining.api import mine

        return mine
    if name == "MiningResult":
        from motifdb.mining.result import MiningResult

        return MiningResult
    raise AttributeError(f"module 'motifdb' has no attribute {name!r}")
