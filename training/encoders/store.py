"""Encoders as rows: what was trained, its curve and its figures, and the way back to a model that gives vectors.

An encoder's id is a hash of configuration, data, split, fold and seed, so the same one stored twice takes the place of the first, and an
experiment that goes on knows what is done. Weights and configuration lie in ``models/<encoder_id>`` of the database's folder.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import motifdb
from motifdb.catalog.layout import MODELS_FOLDER
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.ids import canonical_json, hash_text
from motifdb.pipelines.predicates import in_list
from motifdb.schemas import ENCODER_METRICS, ENCODER_STEPS, ENCODERS

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.pipelines.committer import Committer
    from motifdb.training.embedding.base import Embedder

KINDS = {"siamese": "siamese", "avc": "avc"}
"""By kind, the module of `motifdb.training.encoders` whose ``load(row, folder, device)`` gives the `Embedder`."""

STORED_IN = ("encoders", "encoder_steps", "encoder_metrics")
LEASE_WAIT_S = 600.0
"""How long an encoder that is whole waits for another writer to end."""
_LEAST_PREFIX = 4


@dataclass(frozen=True)
class EncoderFigure:
    """A figure on pairs of valid or test that were not trained on.

    Attributes
    ----------
    trivial : what one point for everything (loss) or a guess (accuracy, eer) scores on the same pairs
    """

    part: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    trivial: float | None = None


@dataclass(frozen=True, eq=False)
class EncoderResult:
    """An encoder before it is stored.

    Attributes
    ----------
    name : what it is called; the recipe's name unless another was given
    kind : one of `KINDS`
    config : every parameter, as JSON can hold it
    data : what it learnt from and how much of it, likewise
    split_id, fold : where it learnt from clips; None: from videos
    rows : rows of `encoder_steps` without encoder_id
    """

    name: str
    kind: str
    recipe: str
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    seed: int
    split_id: str | None = None
    fold: int | None = None
    state: str = "done"
    reason: str | None = None
    parameters: int | None = None
    n_dims: int | None = None
    rows: Sequence[Mapping[str, Any]] = ()
    steps: int | None = None
    best_step: int | None = None
    figures: Sequence[EncoderFigure] = field(default=())
    device: str = "cpu"
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"an encoder is of kind {' or '.join(KINDS)}, not {self.kind!r}")
        if self.state not in ("done", "failed") or (self.state == "failed") == (self.reason is None):
            raise ValueError("an encoder is done, or failed for a reason")

    @cached_property
    def encoder_id(self) -> str:
        """See `encoder_id`."""
        return encoder_id(self.kind, self.config, self.data, self.seed, self.split_id, self.fold)

    def row(self) -> dict[str, Any]:
        """The row of `encoders`, stamped with this moment and this code."""
        return {
            "encoder_id": self.encoder_id,
            "name": self.name,
            "kind": self.kind,
            "recipe": self.recipe,
            "config": canonical_json(dict(self.config)),
            "split_id": self.split_id,
            "fold": self.fold,
            "data": canonical_json(dict(self.data)),
            "seed": self.seed,
            "state": self.state,
            "reason": self.reason,
            "parameters": self.parameters,
            "n_dims": self.n_dims,
            "steps": self.steps,
            "best_step": self.best_step,
            "checkpoint": checkpoint_of(self.encoder_id) if self.state == "done" else None,
            "device": self.device,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "code_version": motifdb.__version__,
            "created_at": datetime.now(UTC).replace(tzinfo=None),
        }


def encoder_id(
    kind: str,
    config: Mapping[str, Any],
    data: Mapping[str, Any],
    seed: int,
    split_id: str | None = None,
    fold: int | None = None,
) -> str:
    """Id of an encoder, known before it is trained: its folder is named by it."""
    return hash_text(
        kind, canonical_json(dict(config)), canonical_json(dict(data)), f"{split_id}/{fold}", str(seed)
    )


def checkpoint_of(encoder_id: str) -> str:
    """Folder of weights and configuration, inside the database's folder."""
    return f"{MODELS_FOLDER}/{encoder_id}"


def store_rows(committer: Committer, *results: EncoderResult) -> list[str]:
    """Hand encoders to the next commit, in the place of those with the same id; give their ids."""
    ids = [result.encoder_id for result in results]
    for table in STORED_IN if ids else ():
        committer.replace_rows(table, in_list("encoder_id", ids))
    for result in results:
        name = {"encoder_id": result.encoder_id}
        committer.rows("encoders", ENCODERS.table([result.row()]))
        committer.rows("encoder_steps", ENCODER_STEPS.table([{**row, **name} for row in result.rows]))
        figures: list[dict[str, object]] = [
            {
                **name,
                "part": f.part,
                "metric": f.metric,
                "value": f.value,
                "low": f.low,
                "high": f.high,
                "trivial": f.trivial,
            }
            for f in result.figures
        ]
        committer.rows("encoder_metrics", ENCODER_METRICS.table(figures))
    return ids


def store_encoder(path: Path, *results: EncoderResult) -> list[str]:
    """Commit encoders, waiting for another writer if need be; give their ids."""
    from motifdb.catalog.store import open_writer
    from motifdb.pipelines.committer import Committer
    from motifdb.pipelines.known import Known

    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        committer = Committer(writer, Known.of(writer.snapshot))
        ids = store_rows(committer, *results)
        names = ", ".join(f"{r.name} ({r.encoder_id[:8]})" for r in results)
        committer.flush(f"encoder{'s' * (len(results) != 1)} {names}")
    return ids


# -- what is stored ------------------------------------------------------------------------------------------


def stored_encoder(snapshot: Snapshot, wanted: str) -> dict[str, Any] | None:
    """The row of an encoder by its whole id; None where it is not there."""
    rows = snapshot.table("encoders", None, in_list("encoder_id", [wanted])).to_pylist()
    return rows[0] if rows else None


def stored_figures(snapshot: Snapshot, ids: Sequence[str]) -> dict[str, dict[tuple[str, str], EncoderFigure]]:
    """By encoder, then part and metric, the figures that are stored; encoders without any have an empty entry."""
    found: dict[str, dict[tuple[str, str], EncoderFigure]] = {name: {} for name in ids}
    if found:
        for row in snapshot.table("encoder_metrics", None, in_list("encoder_id", found)).to_pylist():
            figure = EncoderFigure(**{k: v for k, v in row.items() if k != "encoder_id"})
            found[row["encoder_id"]][figure.part, figure.metric] = figure
    return found


def find_encoder(snapshot: Snapshot, text: str) -> dict[str, Any]:
    """The one encoder that a text means: its id, at least 4 digits of the beginning of it, or its name.

    Of several that have the name, the one made last, where all are of one configuration.

    Raises
    ------
    NotFoundError
        where there is none, with the nearest name; or only ones that failed.
    UsageError
        where several are meant.
    """
    rows = snapshot.table("encoders").to_pylist()
    if not rows:
        raise NotFoundError(
            "there is no encoder here; `motifdb experiment siamese-2018` and `motifdb experiment l3-2019` train some"
        )
    wanted = text.strip()
    found = [row for row in rows if wanted and row["name"] == wanted]
    found = [row for row in found if row["state"] == "done"] or found
    if len({(row["config"], row["split_id"], row["fold"], row["data"]) for row in found}) > 1:
        raise UsageError(f"several encoders are called {wanted!r}; name one by its id: {_listed(found)}")
    if not found and len(wanted) >= _LEAST_PREFIX:
        found = [row for row in rows if row["encoder_id"].startswith(wanted.lower())]
        if len(found) > 1:
            raise UsageError(f"several encoders begin with {wanted!r}: {_listed(found)}; give more of the id")
    if not found:
        raise NotFoundError(f"there is no encoder {wanted!r}; {nearest(wanted, {r['name'] for r in rows})}")
    row = max(found, key=lambda r: (r["created_at"], r["encoder_id"]))
    if row["state"] != "done":
        raise NotFoundError(
            f"encoder {row['encoder_id'][:8]} ({row['name']}) failed, so it gives no vectors: {row['reason']}"
        )
    return dict(row)


def load_encoder(row: Mapping[str, Any], root: Path, device: str = "auto") -> Embedder:
    """The model of a stored encoder.

    Parameters
    ----------
    row : of `encoders` (`find_encoder`)
    root : the database's folder

    Raises
    ------
    UsageError
        for a kind that this motifdb does not know, and (`CheckpointError`) a folder that cannot be used.
    """
    if row["kind"] not in KINDS:
        raise UsageError(
            f"encoder {row['encoder_id'][:8]} is of kind {row['kind']!r}, which this motifdb does not know; update motifdb"
        )
    module = importlib.import_module(f"motifdb.training.encoders.{KINDS[row['kind']]}")
    embedder: Embedder = module.load(row, root / checkpoint_of(row["encoder_id"]), device)
    return embedder


def _listed(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{r['encoder_id'][:8]} ({r['name']}"
        + (f", fold {r['fold']}" if r["fold"] is not None else "")
        + f", seed {r['seed']})"
        for r in sorted(rows, key=lambda r: (r["name"], r["fold"] or 0, r["seed"], r["encoder_id"]))[:6]
    )
