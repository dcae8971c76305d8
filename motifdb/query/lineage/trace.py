"""Walk from a row to what it was made from, down to the bytes of files."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from motifdb.catalog import commits
from motifdb.config import ContourConfig, MiningConfig, parameters
from motifdb.errors import DatabaseError
from motifdb.ids import canonical_json
from motifdb.query.lineage.tree import Lineage, Node
from motifdb.query.meant import Meant, what_is_meant
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.query.database import Database

_BASELINES = ("majority", "look-up", "logistic", "1-nn")


def _defaults(kind: str) -> dict[str, Any] | None:
    """What the parameters of an analysis would be if nobody had chosen; None where that is not known here."""
    if kind == "families":
        from motifdb.families import FamiliesConfig

        values = FamiliesConfig().parameters()
    elif kind in ("contour", "mining"):
        values = parameters(ContourConfig() if kind == "contour" else MiningConfig())
    else:
        return None
    plain: dict[str, Any] = json.loads(canonical_json(values))  # JSON, as it is stored, knows no tuples
    return plain


def lineage(database: Database, text: str) -> Lineage:
    """Where a motif, family, recording, clip, run, encoder, vector or analysis comes from.

    Parameters
    ----------
    text : the beginning of its id, a contour, the path of a file, the name of an analysis, an encoder or a run's recipe

    Raises
    ------
    NotFoundError
        where there is none, with the nearest name.
    UsageError
        where it fits several.
    """
    meant = what_is_meant(database, text)
    trace = Trace(database)
    made = {
        "motif": trace.motif,
        "family": trace.family,
        "recording": trace.recording_row,
        "clip": trace.clip,
        "run": trace.run,
        "encoder": trace.encoder,
        "vector": trace.vector,
        "analysis": trace.analysis_row,
    }
    return Lineage(made[meant.kind](meant))


class Trace:
    """One walk over one snapshot; what it reads of small tables is read once."""

    def __init__(self, database: Database) -> None:
        self._snapshot = database.snapshot

    @cached_property
    def _analyses(self) -> dict[str, dict[str, Any]]:
        return {r["analysis_id"]: r for r in self._snapshot.table("analyses").to_pylist()}

    @cached_property
    def _corpora(self) -> dict[str, dict[str, Any]]:
        return {r["corpus_id"]: r for r in self._snapshot.table("corpora").to_pylist()}

    def _rows(self, table: str, where: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._snapshot.table(table, columns, where).to_pylist()
        return rows

    # -- what somebody asks about ------------------------------------------------------------------------

    def motif(self, meant: Meant, *, with_recordings: bool = True) -> Node:
        """A motif: its mining analysis, then the recordings it sounds in."""
        row = meant.row
        facts = {
            "scope": row["scope"] if row["scope"] == "corpus" else f"{row['scope']} {row['scope_key']}",
            "occurrences": row["occurrences"],
            "recordings": row["support_recordings"],
            "duration_median_s": row["duration_median_s"],
            "log10_p": row["log10_p"],
            "q_value": row["q_value"],
            "pattern_id": row["pattern_id"],
        }
        sources = [self.analysis(row["analysis_id"], row["scope_key"])]
        if with_recordings:
            places = self._rows("occurrences", f"motif_id = '{meant.id}'", ["recording_id"])
            sources += self.recordings({r["recording_id"] for r in places})
        return Node("motif", meant.id, row["contour"], facts, sources=sources)

    def family(self, meant: Meant) -> Node:
        """A family: its analysis, then the recordings of its members."""
        row = meant.row
        members = self._rows("family_members", f"family_id = '{meant.id}'")
        face = next((m for m in members if m["member"] == row["exemplar"]), None)
        facts = {
            "scope": row["scope"] if row["scope"] == "corpus" else f"{row['scope']} {row['scope_key']}",
            "members": row["size"],
            "threshold_cents": row["threshold_cents"],
            "distance_median_cents": row["distance_median_cents"],
            "exemplar": face
            and f"{face['start_s']:.2f} to {face['end_s']:.2f} s of {face['recording_id'][:8]}",
        }
        sources = [self.analysis(row["analysis_id"], row["scope_key"])]
        sources += self.recordings({m["recording_id"] for m in members})
        return Node("family", meant.id, "", facts, sources=sources)

    def clip(self, meant: Meant) -> Node:
        """A clip: its analysis, the motif it was cut for, its recording."""
        row = meant.row
        facts = {"cut_as": row["kind"], "start_s": row["start_s"], "end_s": row["end_s"]}
        sources = [self.analysis(row["analysis_id"], row["recording_id"])]
        if row["motif_id"]:
            sources += [
                self.motif(Meant("motif", m["motif_id"], m), with_recordings=False)
                for m in self._rows("motifs", f"motif_id = '{row['motif_id']}'")
            ]
        sources += self.recordings({row["recording_id"]})
        return Node("clip", meant.id, "", facts, sources=[*sources, *self._vectors_of_clip(meant.id)])

    def vector(self, meant: Meant) -> Node:
        """A vector: its analysis with the model, then the clip or motif it is of, and the recording."""
        row = meant.row
        facts = {
            "of": row["target"],
            "start_s": row["start_s"],
            "end_s": row["end_s"],
            "numbers": len(row["vector"]),
            "clip": row["clip_id"] and row["clip_id"][:8],
            "motif": row["motif_id"] and row["motif_id"][:8],
        }
        sources = [self.analysis(row["analysis_id"], row["recording_id"])]
        sources += self.recordings({row["recording_id"]})
        return Node("vector", meant.id, "", facts, sources=sources)

    def encoder(self, meant: Meant) -> Node:
        """An encoder: its figures, checkpoint, and the split whose clips it learnt from."""
        row = meant.row
        names = ("fold", "seed", "state", "reason", "n_dims", "steps", "best_step", "device")
        facts = {"learnt_as": row["kind"]} | {name: row[name] for name in names}
        facts |= {"made_at": row["created_at"], "code": f"motifdb {row['code_version']}"}
        facts["checkpoint"] = row["checkpoint"] and str(self._snapshot.path / row["checkpoint"])
        parts: dict[str, dict[str, dict[str, float | None]]] = {}
        for figure in self._rows("encoder_metrics", f"encoder_id = '{meant.id}'"):
            told = parts.setdefault(figure["part"], {})
            told[figure["metric"]] = {k: figure[k] for k in ("value", "low", "high")}
            if figure["trivial"] is not None:
                told[f"{figure['metric']}_of_a_trivial_answer"] = {"value": figure["trivial"]}
        sources = [Node("metrics", part, "", parts[part]) for part in sorted(parts)]
        if row["split_id"]:
            sources.append(self.analysis(row["split_id"], "all"))
        values = {"config": json.loads(row["config"]), "data": json.loads(row["data"])}
        return Node("encoder", meant.id, row["name"], facts, values, None, sources)

    def run(self, meant: Meant) -> Node:
        """A run: its figures, leak report, checkpoint, baselines, and the split with its clips."""
        row = meant.row
        names = ("fold", "seed", "label", "model", "front_end", "state", "reason", "experiment", "cell")
        facts = {name: row[name] for name in names}
        facts |= {"classes": len(row["classes"]), "best_epoch": row["best_epoch"]}
        facts |= {
            "made_at": row["created_at"],
            "code": f"motifdb {row['code_version']}",
            "device": row["device"],
        }
        facts["checkpoint"] = row["checkpoint"] and str(self._snapshot.path / row["checkpoint"])
        leaks = json.loads(row["leak"]).get("leaks", {})
        facts["leaks"] = ", ".join(
            f"{k} {100 * v['share']:.1f} %" for k, v in leaks.items() if v.get("share")
        )
        if leaks and not facts["leaks"]:
            facts["leaks"] = "none of " + ", ".join(leaks)
        sources = self._metrics(meant.id)
        sources += self._baselines(row) + self._commit_of_run(row)
        sources.append(self.analysis(row["split_id"], "all"))
        return Node("run", meant.id, row["recipe"], facts, json.loads(row["config"]), None, sources)

    def recording_row(self, meant: Meant) -> Node:
        """A recording: what analyses have done with it, and its files."""
        (node,) = self.recordings({meant.id})
        done = []
        for cover in self._rows("coverage", f"scope_key = '{meant.id}'"):
            own = self._analyses.get(cover["analysis_id"])
            if own is not None:
                facts = {"state": cover["state"], "rows": cover["n_rows"], "commit": cover["commit"]}
                done.append(
                    (
                        own["created_at"],
                        Node("done", own["analysis_id"], f"{own['kind']} {own['name']}", facts),
                    )
                )
        ordered = [node_ for _, node_ in sorted(done, key=lambda pair: (pair[0], pair[1].id))]
        return Node(node.kind, node.id, node.name, node.facts, sources=[*node.sources, *ordered])

    def analysis_row(self, meant: Meant) -> Node:
        """An analysis on its own: how much it has done, and its ancestors."""
        return self.analysis(meant.id, None)

    # -- what things were made from ----------------------------------------------------------------------

    def analysis(self, analysis_id: str, scope_key: str | None) -> Node:
        """An analysis, the commit that recorded what it did for a key (None: the first of all), and its ancestors."""
        row = self._analyses.get(analysis_id)
        if row is None:
            return Node("analysis", analysis_id, "", {"note": "not in this database any more"})
        values = json.loads(row["parameters"])
        facts = {
            "made_at": row["created_at"],
            "code": f"motifdb {row['code_version']}",
            "stage_version": row["stage_version"],
            "frozen_inputs": row["n_inputs"],
            "inputs_hash": None if "inputs_hash" in values else row["inputs_hash"],
        }
        sources = self._commit_of(analysis_id, scope_key)
        if row["kind"] == "embeddings":
            sources += self._model_of(values) + self._figures_of_vectors(analysis_id)
        if row["parent_id"]:
            sources.append(self.analysis(row["parent_id"], scope_key))
        name = f"{row['kind']} {row['name']}" if row["kind"] != row["name"] else row["name"]
        return Node("analysis", analysis_id, name, facts, values, _defaults(row["kind"]), sources)

    def recordings(self, ids: set[str]) -> list[Node]:
        """Recordings with their files, by path."""
        if not ids:
            return []
        where = "recording_id in (" + ", ".join(f"'{id_}'" for id_ in sorted(ids)) + ")"
        files: dict[str, list[dict[str, Any]]] = {}
        for row in self._rows("files", f"{where} and state = 'input'"):
            files.setdefault(row["recording_id"], []).append(row)
        nodes = []
        for row in self._rows("recordings", where):
            own = sorted(files.get(row["recording_id"], ()), key=lambda f: (f["corpus_id"], f["path"]))
            of = "decompressed text" if row["kind"] == "f0" else "bytes"
            facts = {
                "kind": row["kind"],
                "duration_s": row["duration_s"],
                "sample_rate_hz": row["sample_rate_hz"],
                "codec": row["codec"],
                "content_hash": f"{row['recording_id']} (BLAKE2b of its {of})",
                "hash_of_samples": row["audio_hash"],
                "warning": row["warning"],
            }
            name = own[0]["path"] if own else ""
            sources = [self._file(f) for f in own]
            nodes.append(Node("recording", row["recording_id"], name, facts, sources=sources))
        return sorted(nodes, key=lambda n: (n.name, n.id))

    def _file(self, row: dict[str, Any]) -> Node:
        corpus = self._corpora.get(row["corpus_id"], {"name": "?", "root_uri": ""})
        labels = {k: row[k] for k in STANDARD_LABELS if row[k]} | dict(row["labels"] or ())
        facts = {
            "size_bytes": row["size_bytes"],
            "container": row["container"],
            "corpus": corpus["name"],
            "root": corpus["root_uri"],
            "on_disk": _on_disk(corpus["root_uri"], row),
            "labels": ", ".join(f"{k} {v}" for k, v in labels.items()),
        }
        return Node("file", row["path"], "", facts)

    def _commit_of(self, analysis_id: str, scope_key: str | None) -> list[Node]:
        rows = self._rows("coverage", f"analysis_id = '{analysis_id}'", ["scope_key", "commit"])
        own = [r["commit"] for r in rows if scope_key in (None, r["scope_key"])]
        chosen = min(own or [r["commit"] for r in rows], default=None)
        return [] if chosen is None else [self._commit(chosen)]

    def _commit(self, number: int) -> Node:
        try:
            record = commits.read(self._snapshot.path, number)
        except DatabaseError:
            return Node("commit", str(number), "", {"note": "its record is not there any more"})
        return Node("commit", str(number), record.message, {"made_at": record.created_at})

    def _commit_of_run(self, row: dict[str, Any]) -> list[Node]:
        """The first commit after the run ended that stored runs: rows are stamped before they are committed."""
        for number in commits.numbers(self._snapshot.path):
            if number > self._snapshot.commit:
                break
            record = commits.read(self._snapshot.path, number)
            made = record.created_at.replace(tzinfo=None)
            if made >= row["created_at"] and record.delta.get("runs", (0, 0))[0]:
                return [Node("commit", str(number), record.message, {"made_at": record.created_at})]
        return []

    def _model_of(self, values: dict[str, Any]) -> list[Node]:
        """The stored run or encoder that gave vectors, as the parameters of their analysis name it."""
        if "run_id" in values:
            rows = self._rows("runs", f"run_id = '{values['run_id']}'")
            return [self.run(Meant("run", row["run_id"], row)) for row in rows]
        if "encoder_id" in values:
            rows = self._rows("encoders", f"encoder_id = '{values['encoder_id']}'")
            return [self.encoder(Meant("encoder", row["encoder_id"], row)) for row in rows]
        return []

    def _figures_of_vectors(self, analysis_id: str) -> list[Node]:
        """What the vectors of an analysis are worth, by what was asked of them."""
        found: dict[str, dict[str, Any]] = {}
        for row in self._rows("embedding_metrics", f"analysis_id = '{analysis_id}'"):
            told = found.setdefault(row["protocol"], {})
            told[row["metric"]] = {k: row[k] for k in ("value", "low", "high")}
            if row["chance"] is not None:
                told[f"{row['metric']}_by_chance"] = {"value": row["chance"]}
        return [Node("metrics", name, "", found[name]) for name in sorted(found)]

    def _vectors_of_clip(self, clip_id: str) -> list[Node]:
        """The vectors that a clip has."""
        rows = self._rows("embeddings", f"clip_id = '{clip_id}'", ["embedding_id", "analysis_id"])
        made = [
            Node("vector", row["embedding_id"], self._analyses[row["analysis_id"]]["name"])
            for row in rows
            if row["analysis_id"] in self._analyses
        ]
        return sorted(made, key=lambda node: (node.name, node.id))

    def _metrics(self, run_id: str) -> list[Node]:
        """The figures of a run, part by part, test first."""
        parts = self._figures(run_id)
        order = [part for part in ("test", "valid", "train") if part in parts]
        return [Node("metrics", part, "", parts[part]) for part in order]

    def _figures(self, run_id: str) -> dict[str, dict[str, dict[str, float | None]]]:
        rows = sorted(self._rows("metrics", f"run_id = '{run_id}'"), key=lambda r: str(r["metric"]))
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for row in rows:
            figure = {k: row[k] for k in ("value", "low", "high")}
            found.setdefault(row["part"], {})[row["metric"]] = figure
        return found

    def _baselines(self, run: dict[str, Any]) -> list[Node]:
        """Baselines on the same fold of the same split and label, with their figures on the part test."""
        rows = self._rows("runs", f"split_id = '{run['split_id']}' and fold = {int(run['fold'])}")
        return [
            Node("baseline", row["run_id"], row["model"], self._figures(row["run_id"]).get("test", {}))
            for row in sorted(rows, key=lambda r: (r["model"], r["run_id"]))
            if row["model"] in _BASELINES and row["run_id"] != run["run_id"] and row["label"] == run["label"]
        ]


def _on_disk(root_uri: str, row: dict[str, Any]) -> str:
    """What a look at the file says now; its bytes are not read."""
    if not root_uri or "://" in root_uri:
        return ""
    path = Path(_unescaped(root_uri)) / _unescaped(row["path"])
    try:
        found = path.stat()
    except (OSError, ValueError):
        return "not there now"
    if found.st_size != row["size_bytes"]:
        return f"changed since, {found.st_size:,} bytes now"
    return "there, unchanged size" + (
        " and time" if found.st_mtime_ns == row["mtime_ns"] else ", another time"
    )


def _unescaped(path: str) -> str:
    """The name on disk of a path as the tables have it."""
    return os.fsdecode(unquote_to_bytes(path))
