"""Motifs, families and recordings as objects of Python: look at one, hear it, take its rows.

`motifdb.query.database.Database` gives them (`motifs`, `motif`, `families`, `recording`, ...); each shows itself in a
notebook.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import pyarrow as pa

from motifdb.errors import NotFoundError, UsageError
from motifdb.query.portrait import Portrait, portrait
from motifdb.query.sound import Audio, listener

if TYPE_CHECKING:
    import pandas
    import polars

    from motifdb.plots import PitchCurve
    from motifdb.query.database import Database, Result

CONTEXT_S = 0.25
"""Seconds of sound more on either side of a place, where nothing else is said."""


class Picture:
    """A picture that shows itself in a notebook.

    Attributes
    ----------
    title : one line about it
    figure : the figure of matplotlib
    """

    def __init__(self, title: str, figure: Any) -> None:
        self.title = title
        self.figure = figure

    def _repr_png_(self) -> bytes:
        from motifdb.plots.canvas import png_bytes

        return png_bytes(self.figure)

    def __repr__(self) -> str:
        return f"<picture: {self.title}>"


class Thing(ABC):
    """What motifs, families and recordings have in common: a row, a portrait, a picture."""

    kind: str = ""
    _key: str = ""

    def __init__(self, database: Database, row: dict[str, Any]) -> None:
        self._database = database
        self.row = row

    @property
    def id(self) -> str:
        """Its key in the tables."""
        return str(self.row[self._key])

    def __getitem__(self, column: str) -> Any:
        """A column of its row, such as ``motif["log10_p"]``."""
        if column not in self.row:
            from motifdb.errors import nearest

            raise NotFoundError(f"a {self.kind} has no column {column!r}; {nearest(column, self.row)}")
        return self.row[column]

    @cached_property
    def portrait(self) -> Portrait:
        """Everything that is drawn of it: facts, places, pitch; gathered when first asked for."""
        return portrait(self._database, self.kind, self.id)

    def text(self, width: int = 100) -> str:
        """What `motifdb show` prints: a small picture and the facts."""
        from motifdb.query.showing import portrait_text

        return portrait_text(self.portrait, width=width)

    def plot(
        self, path: str | Path | None = None, *, with_sound: bool = True, audio_dir: Path | None = None
    ) -> Picture:
        """Draw it.

        Parameters
        ----------
        path : also write it to this file: png, svg, pdf, or html, one page with players
        with_sound, audio_dir : of a page, as `motifdb.query.drawing.draw`

        Raises
        ------
        UsageError
            where nothing of it is voiced, for an unknown suffix, or a path that cannot be written.
        """
        from motifdb.query.drawing import draw_portrait, figure_of

        if path is not None:
            draw_portrait(self._database, self.portrait, path, with_sound=with_sound, audio_dir=audio_dir)
        return Picture(self.portrait.title, figure_of(self.portrait))

    def _audio(
        self,
        recording_id: str,
        start_s: float,
        end_s: float,
        name: str,
        context_s: float,
        audio_dir: Path | None,
    ) -> Audio:
        ear = listener(self._database.snapshot, audio_dir=audio_dir)
        (sound,) = ear.sounds(recording_id, [(start_s, end_s)], context_s=context_s)
        return Audio.of(sound, f"{name}, {start_s:.2f} to {end_s:.2f} s")

    def _repr_html_(self) -> str:
        from motifdb.query.drawing import thumbnail

        facts = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in self.portrait.facts
        )
        return f"<h4>{escape(self.portrait.title)}</h4>{thumbnail(self.portrait)}<table>{facts}</table>"

    @abstractmethod
    def __repr__(self) -> str: ...


class _Placed(Thing):
    """What sounds at places."""

    @cached_property
    def _places(self) -> pa.Table:
        from motifdb.query.portrait import family_places, motif_places

        find = motif_places if self.kind == "motif" else family_places
        return find(self._database, self.id)

    def occurrences(self) -> Result:
        """Every place where it sounds, by path and time: recording_id, path, start_s, end_s and more."""
        from motifdb.query.database import Result

        return Result(self._places)

    def audio(self, i: int = 0, *, context_s: float = CONTEXT_S, audio_dir: Path | None = None) -> Audio:
        """Place i of `occurrences` as sound, which plays in a notebook.

        Parameters
        ----------
        i : 0, 1, ...; from the end where negative
        context_s : seconds more on either side
        audio_dir : folder where the recordings' sound lies; None looks in the database, then where they were ingested from

        Raises
        ------
        UsageError
            where there is no such place.
        NotFoundError
            where there is neither sound nor pitch of it.
        """
        n = self._places.num_rows
        if not -n <= i < n:
            raise UsageError(f"there is no place {i}; it sounds at {n}, 0 to {n - 1}")
        row = self._places.slice(i % n, 1).to_pylist()[0]
        return self._audio(
            row["recording_id"], row["start_s"], row["end_s"], row["path"], context_s, audio_dir
        )


class Motif(_Placed):
    """A motif: its row of table motifs, where it sounds, how it looks and sounds.

    Attributes
    ----------
    row : every column of table motifs
    """

    kind, _key = "motif", "motif_id"

    @property
    def contour(self) -> str:
        """Its pattern as text, such as ``+1 -2 +1``."""
        return str(self.row["contour"])

    @property
    def symbols(self) -> tuple[int, ...]:
        """Its pattern."""
        return tuple(self.row["pattern"])

    @property
    def n_occurrences(self) -> int:
        """Places where it sounds, overlapping ones included."""
        return int(self.row["occurrences"])

    def __repr__(self) -> str:
        return f"<motif {self.id[:8]}: {self.contour}, {self.n_occurrences:,} times>"


class Family(_Placed):
    """A family of melodic variants: its row of table families, its members, how it looks and sounds."""

    kind, _key = "family", "family_id"

    @property
    def size(self) -> int:
        """Members."""
        return int(self.row["size"])

    def __repr__(self) -> str:
        return f"<family {self.id[:8]}: {self.size:,} members, {self.row['duration_median_s']:.1f} s>"


class Recording(Thing):
    """A recording: its row of table recordings, its pitch, how it looks and sounds."""

    kind, _key = "recording", "recording_id"

    @property
    def path(self) -> str:
        """The first of its files."""
        from motifdb.query.meant import recording_name

        return recording_name(self._database, self.id)

    def pitch(self) -> PitchCurve:
        """Its stored pitch: `times_s`, `f0_hz` (0 unvoiced), `cents`, `segments`.

        Raises
        ------
        NotFoundError
            where none is stored.
        """
        curve = self.portrait.recording
        assert curve is not None
        return curve

    def between(self, start_s: float, end_s: float) -> Picture:
        """A picture of a stretch of it.

        Raises
        ------
        UsageError
            where nothing is stored there.
        """
        from motifdb.query.drawing import figure_of

        shown = portrait(self._database, self.kind, self.id, between=(start_s, end_s))
        return Picture(f"{shown.title}, {start_s:g} to {end_s:g} s", figure_of(shown))

    def motifs(self, limit: int | None = None) -> Things[Motif]:
        """The motifs that sound in it, the strongest first."""
        return self._database.motifs(recording=self.id, limit=limit)

    def audio(
        self,
        start_s: float = 0.0,
        end_s: float | None = None,
        *,
        context_s: float = 0.0,
        audio_dir: Path | None = None,
    ) -> Audio:
        """A stretch of it as sound, which plays in a notebook; all of it where nothing is said.

        Raises
        ------
        UsageError
            for a stretch that is none.
        NotFoundError
            where there is neither sound nor pitch of it.
        """
        end = float(self.row["duration_s"]) if end_s is None else end_s
        return self._audio(self.id, start_s, end, self.path, context_s, audio_dir)

    def __repr__(self) -> str:
        return f"<recording {self.id[:8]}: {self.row['duration_s']:.1f} s, {self.row['codec']}>"


T = TypeVar("T", bound=Thing)


class Things(Generic[T]):
    """Motifs, families or recordings in order; their rows as Arrow, pandas or polars.

    ``pyarrow.table(things)``, ``polars.DataFrame(things)`` and every other reader of the Arrow C stream take them as they
    are. (That is why this is no `Sequence` by class, though it is one by what it does: polars would take it for a list.)
    """

    def __init__(self, database: Database, made: type[T], table: pa.Table, shown: Sequence[str]) -> None:
        self._database = database
        self._made = made
        self._table = table
        self._shown = shown

    def arrow(self) -> pa.Table:
        """Their rows as a `pyarrow.Table`."""
        return self._table

    def to_pandas(self) -> pandas.DataFrame:
        """Their rows as a pandas data frame."""
        return self._result().to_pandas()

    df = to_pandas

    def pl(self) -> polars.DataFrame:
        """Their rows as a polars data frame."""
        return self._result().pl()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, i: int) -> T: ...
    @overload
    def __getitem__(self, i: slice) -> Things[T]: ...
    def __getitem__(self, i: int | slice) -> T | Things[T]:
        if isinstance(i, slice):
            chosen = self._table.take(pa.array(range(*i.indices(len(self))), pa.int64()))
            return Things(self._database, self._made, chosen, self._shown)
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"there are {n}, 0 to {n - 1}; not {i}")
        return self._made(self._database, self._table.slice(i % n, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[T]:
        for batch in self._table.to_batches(max_chunksize=1_000):
            for row in batch.to_pylist():
                yield self._made(self._database, row)

    def _result(self, *, is_shown: bool = False) -> Result:
        from motifdb.query.database import Result

        return Result(self._table.select(list(self._shown)) if is_shown else self._table)

    def __repr__(self) -> str:
        return repr(self._result(is_shown=True))

    def _repr_html_(self) -> str:
        return self._result(is_shown=True)._repr_html_()
