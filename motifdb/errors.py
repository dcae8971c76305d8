"""What can go wrong, by whose hand it is put right.

Every error a user can meet derives from `MotifdbError`; its text is one plain sentence that says what is
wrong, where, and what to do next. The command line prints the sentence and leaves with `exit_code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MotifdbError(Exception):
    """Base of every error motifdb raises on purpose.

    `exit_code` is the status the command line ends with: 1 done with failures, 2 usage, 3 database.
    """

    exit_code = 2


class UsageError(MotifdbError, ValueError):
    """The caller asked for something that cannot be: a bad option, value or combination."""


class NotFoundError(MotifdbError, LookupError):
    """A name that is not there; the message carries the nearest one that is (see `nearest`)."""


class MissingExtraError(MotifdbError, ImportError):
    """A part that is installed separately is not here; the message names the extra to install."""


class DatabaseError(MotifdbError):
    """The database is broken, too new, or not one."""

    exit_code = 3


class BusyError(DatabaseError):
    """Another writer holds the database's lease."""


class InputError(MotifdbError):
    """One input that cannot be used; ingest turns it into a row of `failures` and goes on.

    Parameters
    ----------
    kind : short stable word for grouping, such as ``"empty"``, ``"truncated"``, ``"decoder-crashed"``
    reason : one plain sentence
    stage : ``"discover"``, ``"decode"``, ``"pitch"``, ``"contours"`` or ``"motifs"``
    """

    exit_code = 1

    def __init__(self, kind: str, reason: str, stage: str = "decode") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.stage = stage

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        return InputError, (self.kind, self.reason, self.stage)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which valid name was probably meant.

    >>> nearest("stlye-2021", ["default", "style-2021"])
    "did you mean 'style-2021'?"
    >>> nearest("x", ["default", "style-2021"])
    'choose from default, style-2021'
    """
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "choose from " + ", ".join(names)
