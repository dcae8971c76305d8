"""Where disposable copies may lie."""

from __future__ import annotations

import os
import sys
from pathlib import Path

OFF = ("off", "no", "0")


def cache_folder(kind: str) -> Path | None:
    """The user's cache folder for one kind of copies: `$MOTIFDB_CACHE`, else where the system keeps such things.

    None where `MOTIFDB_CACHE` is ``off``, or where the system does not say where the home folder is.
    """
    named = os.environ.get("MOTIFDB_CACHE")
    if named:
        return None if named.lower() in OFF else Path(named) / kind
    try:
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or str(Path.home())
        elif sys.platform == "darwin":
            base = str(Path.home() / "Library" / "Caches")
        else:
            base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    except RuntimeError:
        return None
    return Path(base) / "motifdb" / kind
