"""What a `Database` gives beside SQL: motifs, families, recordings and places, chosen by what people call them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.query.database import Result
    from motifdb.query.objects import Family, Motif, Recording, Things
    from motifdb.query.sql import Parameters

_MOTIF_COLUMNS = (
    "motif_id",
    "contour",
    "occurrences",
    "support_recordings",
    "duration_median_s",
    "log10_p",
    "q_value",
)
_FAMILY_COLUMNS = (
    "family_id",
    "size",
    "recordings",
    "duration_median_s",
    "distance_median_cents",
    "scope",
    "scope_key",
)
_RECORDING_COLUMNS = ("recording_id", "path", "duration_s", "kind", "codec", "singer", "style")


class Asking(ABC):
    """The part of `motifdb.query.database.Database` that gives objects."""

    @property
    @abstractmethod
    def snapshot(self) -> Snapshot:
        """The snapshot underneath."""

    @abstractmethod
    def sql(self, query: str, parameters: Parameters = None) -> Result:
        """Answer one statement."""

    def motifs(
        self,
        where: str | None = None,
        *,
        contour: str | None = None,
        recording: str | None = None,
        label: Mapping[str, str] | None = None,
        analysis: str | None = None,
        parameters: Mapping[str, object] | None = None,
        limit: int | None = None,
    ) -> Things[Motif]:
        """Motifs, the least expected first; every condition that is given must hold.

        Parameters
        ----------
        where : a condition in SQL on the columns of table motifs, such as ``"length >= $n and q_value < 0.05"``
        contour : the pattern, such as ``"+1 -2 +1"``
        recording : path of a file, its name, or the beginning of a recording_id: motifs that sound in it
        label : motifs that sound in a recording with these values, such as ``{"singer": "Amina"}``
        analysis : name of a mining analysis, or the beginning of its id
        parameters : values for the ``$names`` in `where`
        limit : at most so many

        Raises
        ------
        UsageError
            for a mistake in `where`, with its position; where `recording` fits several.
        NotFoundError
            for a recording, an analysis, a label or a column that is not there, with the nearest one that is.
        """
        from motifdb.query.motifs import mining_analyses
        from motifdb.query.objects import Motif, Things

        conditions = _Conditions(where, parameters)
        if contour is not None:
            conditions.add("contour = {}", " ".join(contour.split()))
        if analysis is not None:
            conditions.add(
                "list_contains({}, analysis_id)", list(mining_analyses(self._database(), analysis))
            )
        if recording is not None:
            conditions.add(
                "motif_id in (select motif_id from occurrences where recording_id = {})",
                self.recording(recording).id,
            )
        for name, value in (label or {}).items():
            known = (
                self.sql("select distinct label from recording_labels order by label")
                .arrow()["label"]
                .to_pylist()
            )
            if name not in known:
                raise NotFoundError(f"there is no label {name!r} here; {nearest(name, known)}")
            conditions.add(
                "motif_id in (select o.motif_id from occurrences o join recording_labels l using (recording_id)"
                " where not l.is_conflict and l.label = {} and l.value = {})",
                name,
                value,
            )
        order = "log10_p nulls last, length desc, motif_id"
        table = self.sql(f"select * from motifs{conditions.text(limit, order)}", conditions.values).arrow()
        return Things(self._database(), Motif, table, _MOTIF_COLUMNS)

    def motif(self, text: str) -> Motif:
        """The motif that a text means: the beginning of its id, or a contour, of several the strongest.

        Raises
        ------
        NotFoundError, UsageError
            where there is none, or the beginning fits several.
        """
        from motifdb.query.objects import Motif

        return Motif(self._database(), self._meant("motif", text))

    def families(
        self,
        where: str | None = None,
        *,
        recording: str | None = None,
        parameters: Mapping[str, object] | None = None,
        limit: int | None = None,
    ) -> Things[Family]:
        """Families of melodic variants, the largest first; every condition that is given must hold.

        Parameters
        ----------
        where : a condition in SQL on the columns of table families
        recording : path of a file, its name, or the beginning of a recording_id: families with a member in it
        parameters, limit : as for `motifs`

        Raises
        ------
        UsageError, NotFoundError
            as for `motifs`.
        """
        from motifdb.query.objects import Family, Things

        conditions = _Conditions(where, parameters)
        if recording is not None:
            conditions.add(
                "family_id in (select family_id from family_members where recording_id = {})",
                self.recording(recording).id,
            )
        order = "size desc, family_id"
        table = self.sql(f"select * from families{conditions.text(limit, order)}", conditions.values).arrow()
        return Things(self._database(), Family, table, _FAMILY_COLUMNS)

    def family(self, text: str) -> Family:
        """The family whose id begins so.

        Raises
        ------
        NotFoundError, UsageError
            where there is none, or several.
        """
        from motifdb.query.objects import Family

        return Family(self._database(), self._meant("family", text))

    def recordings(
        self,
        where: str | None = None,
        *,
        parameters: Mapping[str, object] | None = None,
        limit: int | None = None,
    ) -> Things[Recording]:
        """Recordings with the labels of their first file, by its path.

        Parameters
        ----------
        where : a condition in SQL on the columns of view tracks, such as ``"singer = $who"``
        parameters, limit : as for `motifs`

        Raises
        ------
        UsageError, NotFoundError
            as for `motifs`.
        """
        from motifdb.query.objects import Recording, Things

        conditions = _Conditions(where, parameters)
        first = "qualify row_number() over (partition by recording_id order by path, corpus) = 1"
        table = self.sql(
            f"select * from (select * from tracks {conditions.text(None, '')} {first})"
            + conditions.rest(limit, "path, recording_id"),
            conditions.values,
        ).arrow()
        return Things(self._database(), Recording, table, _RECORDING_COLUMNS)

    def recording(self, text: str) -> Recording:
        """The recording that a text means: path of a file, its name with or without suffix, or the beginning of its id.

        Raises
        ------
        NotFoundError, UsageError
            where there is none, or several.
        """
        from motifdb.query.objects import Recording

        return Recording(self._database(), self._meant("recording", text))

    def occurrences(
        self,
        motif: str | Motif | None = None,
        *,
        recording: str | None = None,
        where: str | None = None,
        parameters: Mapping[str, object] | None = None,
        limit: int | None = None,
    ) -> Result:
        """Places where motifs sound, by recording and time: the columns of table occurrences, with path and contour.

        Parameters
        ----------
        motif : one motif: the beginning of its id, a contour, or the object
        recording : path of a file, its name, or the beginning of a recording_id
        where : a condition in SQL on table occurrences
        parameters, limit : as for `motifs`

        Raises
        ------
        UsageError, NotFoundError
            as for `motifs`.
        """
        conditions = _Conditions(where, parameters)
        if motif is not None:
            conditions.add("motif_id = {}", self.motif(motif).id if isinstance(motif, str) else motif.id)
        if recording is not None:
            conditions.add("recording_id = {}", self.recording(recording).id)
        return self.sql(
            f"with places as (select * from occurrences{conditions.text(None, '')}),"
            " paths as (select recording_id, min(path) as path from files where state = 'input' group by recording_id)"
            " select places.*, paths.path, motifs.contour from places left join paths using (recording_id)"
            " left join motifs using (motif_id)" + conditions.rest(limit, "path, start_s, end_s, motif_id"),
            conditions.values,
        )

    def _meant(self, kind: str, text: str) -> dict[str, Any]:
        from motifdb.query.meant import what_is_meant

        return what_is_meant(self._database(), text, (kind,)).row

    def _database(self) -> Any:
        """This, as the `Database` it is: an `Asking` is nothing else."""
        return self


class _Conditions:
    """Conditions of a statement whose values travel as parameters."""

    def __init__(self, where: str | None, parameters: Mapping[str, object] | None) -> None:
        if parameters is not None and where is None:
            raise UsageError("parameters are the values of $names in where; give where too")
        self._parts = [f"({where}\n)"] if where is not None else []
        self._values: dict[str, object] = dict(parameters or {})

    @property
    def values(self) -> dict[str, object] | None:
        """Values by name; None where there are none."""
        return self._values or None

    def add(self, condition: str, *values: object) -> None:
        """Add a condition with a ``{}`` for each value."""
        names = []
        for value in values:
            names.append(f"motifdb_{len(self._values)}")
            self._values[names[-1]] = value
        self._parts.append(condition.format(*(f"${name}" for name in names)))

    def text(self, limit: int | None, order: str) -> str:
        """The end of a statement from ``where`` on."""
        where = f" where {' and '.join(self._parts)}" if self._parts else ""
        return where + (self.rest(limit, order) if order else "")

    def rest(self, limit: int | None, order: str) -> str:
        """Order and limit."""
        if limit is None:
            return f" order by {order}"
        if limit < 0:
            raise UsageError(f"limit must not be negative, got {limit}")
        return f" order by {order} limit {int(limit)}"
