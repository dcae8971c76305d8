"""Where the real corpora are: `MOTIFDB_CORPORA`, else a folder `shared/data` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def corpora_root() -> Path:
    """The folder that holds one folder per corpus; it may be missing."""
    named = os.environ.get("MOTIFDB_CORPORA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def reference_root() -> Path:
    """The folder with the mining databases and agreed pattern sets, beside the corpora; it may be missing."""
    return corpora_root().parent / "reference"


def needs_corpus(name: str) -> pytest.MarkDecorator:
    """Skip where a corpus is missing, and say which."""
    path = corpora_root() / name
    return pytest.mark.skipif(
        not path.is_dir(), reason=f"corpus {name} is not at {path}; set MOTIFDB_CORPORA"
    )


def needs_reference(name: str) -> pytest.MarkDecorator:
    """Skip where a reference folder is missing, and say which."""
    path = reference_root() / name
    return pytest.mark.skipif(
        not path.is_dir(),
        reason=f"reference {name} is not at {path}; set MOTIFDB_CORPORA to the folder of corpora",
    )
