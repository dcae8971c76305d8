"""`motifdb experiment l3-2019`: towers that learn from videos, and what their embeddings are worth on corpora with folds of their own.

1. Audio-visual correspondence: towers are trained on each folder of videos and tried on all of them (the paper's Table 1); without
   ``--videos`` on two generated corpora. Where ``--model`` or ``--weights`` names embeddings, this part is left out unless videos are given.
2. Downstream: every embedding (the towers just trained, OpenL3's from supplied weights, others by name, log-mel statistics) through the
   search of `motifdb.training.experiments.downstream` on the folds that the clips came with; design choices, paired tests.

Rows of both, with the published figures beside, are `motifdb.training.experiments.l3_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.experiments.cells import Say
from motifdb.training.experiments.downstream import DownstreamConfig
from motifdb.training.experiments.downstream_job import DownstreamOptions, DownstreamReport, Wanted
from motifdb.training.experiments.l3_towers import TowerOptions, Towers, TowersReport, run_towers
from motifdb.training.experiments.official_folds import FOLD, OfficialFolds, official_split

if TYPE_CHECKING:
    from motifdb.pipelines.progress import Progress
    from motifdb.training.embedding.base import Embedder

BASELINE = "log-mel-stats"
"""An embedding that nothing was learnt for, judged like the others."""
OPENL3 = "openl3"
SPEAKER = "speaker"


@dataclass(frozen=True)
class L3Options:
    """What is asked; see `motifdb experiment --help`.

    Attributes
    ----------
    towers : what to train
    models : embeddings by name (`motifdb.training.embedding.registry`)
    weights : file of OpenL3's weights, or a folder of such files
    openl3 : options of its embedder beside the size, such as padding (`motifdb.training.embedding.openl3.make_openl3`)
    speaker_weights : file of a speaker model
    clips, label, fold, source : see `official_split`
    downstream : how embeddings are judged
    """

    towers: TowerOptions = field(default_factory=TowerOptions)
    models: tuple[str, ...] = ()
    weights: Path | None = None
    openl3: Mapping[str, Any] = field(default_factory=dict)
    speaker_weights: Path | None = None
    clips: str | None = None
    label: str | None = None
    fold: str = FOLD
    source: str | None = None
    downstream: DownstreamOptions = field(default_factory=DownstreamOptions)

    @property
    def names_embeddings(self) -> bool:
        """Whether there is something to judge that need not be trained."""
        return bool(self.models or self.weights or self.speaker_weights)


@dataclass
class L3Report:
    """Both parts; one that was left out is None."""

    towers: TowersReport | None = None
    folds: OfficialFolds | None = None
    wanted: tuple[Wanted, ...] = ()
    judged: DownstreamReport | None = None
    notes: list[str] = field(default_factory=list)


def run_l3(options: L3Options, path: Path, progress: Progress, say: Say) -> L3Report:
    """Train and try towers, judge embeddings; what is stored is not done again.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for what cannot be: videos, weights or models that are not there; embeddings that were named and clips without folds.
    KeyboardInterrupt
        on Ctrl-C; the same call goes on.
    """
    report = L3Report()
    named = list(_named(options, path))  # what is wrong with weights is said before anything is trained
    if options.names_embeddings:
        report.folds = _folds(options, path)
    if options.towers.videos is not None or not options.names_embeddings:
        report.towers = run_towers(options.towers, path, progress, say)
    if report.folds is None:
        try:
            report.folds = _folds(options, path)
        except (NotFoundError, UsageError) as error:
            if options.clips is not None or options.label is not None or options.fold != FOLD:
                raise
            report.notes.append(f"no embedding was judged: {error}")
            return report
    towers = report.towers.towers if report.towers is not None else []
    report.wanted = (*_of_towers(towers, path, options.downstream.device), *named)
    say(
        f"judging {', '.join(one.name for one in report.wanted)} on {len(report.folds.names)} folds of {report.folds.fold}"
    )
    from motifdb.training.experiments.downstream_job import run_downstream

    report.judged = run_downstream(path, report.folds, report.wanted, options.downstream, progress, say)
    return report


def _folds(options: L3Options, path: Path) -> OfficialFolds:
    return official_split(path, options.clips, label=options.label, fold=options.fold, source=options.source)


# -- embeddings ----------------------------------------------------------------------------------------------


def wanted_of(
    embedder: Embedder,
    name: str | None = None,
    choices: Mapping[str, str] | None = None,
    n_pairs: int | None = None,
) -> Wanted:
    """A model that is loaded, to be judged."""
    return Wanted(name or embedder.name, embedder.config(), lambda: embedder, choices or {}, n_pairs)


def _of_towers(towers: Sequence[Towers], path: Path, device: str) -> Iterator[Wanted]:
    """The audio tower of each encoder, pooled to both sizes."""
    from motifdb.training.embedding.openl3 import GRIDS
    from motifdb.training.encoders.avc import load
    from motifdb.training.encoders.store import checkpoint_of

    for one in towers:
        for grid in GRIDS.values():
            place = path / checkpoint_of(one.row["encoder_id"])
            embedder = load(one.row, place, device, grid=grid)
            cells = f"{grid[0]} x {grid[1]}"
            choices = {
                "front end": one.front_end,
                "content": one.domain,
                "cells": cells,
                "seed": str(one.seed),
            }
            name = f"{one.name} {one.row['encoder_id'][:4]} {embedder.n_dims}"
            yield wanted_of(embedder, name, choices, one.n_pairs)


def _named(options: L3Options, path: Path) -> Iterator[Wanted]:
    """Embeddings that were named, OpenL3's, a speaker model, and one that nothing was learnt for."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.embedding.registry import find_embedder

    snapshot, device = open_snapshot(path), options.downstream.device
    for name in dict.fromkeys([BASELINE, *options.models]):
        if name == OPENL3:
            if options.weights is None:
                raise UsageError(
                    "openl3 needs --weights FILE: OpenL3's weights, which do not come with motifdb"
                )
            continue
        if name == SPEAKER and options.speaker_weights is not None:
            continue
        embedder = find_embedder(name, snapshot, root=path, device=device)
        yield wanted_of(embedder, None, None, _pairs_seen(path, name, embedder))
    for file in openl3_files(options.weights):
        for n_dims in (6144, 512):
            given = {**options.openl3, "n_dims": n_dims}
            embedder = find_embedder(OPENL3, None, weights=file, device=device, options=given)
            yield wanted_of(embedder, None, openl3_choices(embedder))
    if options.speaker_weights is not None:
        yield wanted_of(find_embedder(SPEAKER, None, weights=options.speaker_weights, device=device))


def openl3_choices(embedder: Any) -> dict[str, str]:
    """Design choices of an OpenL3 embedder."""
    config = embedder.config()
    return {
        "front end": str(config["front_end"]["kind"]).removeprefix("l3-"),
        "content": str(config["content"]),
        "cells": " x ".join(map(str, config["grid"])),
    }


def openl3_files(weights: Path | None) -> list[Path]:
    """The file of weights, or the audio networks' files of a folder.

    Raises
    ------
    NotFoundError
        for a folder without any.
    """
    if weights is None:
        return []
    if not weights.is_dir():
        return [weights]
    found = sorted(p for p in weights.iterdir() if p.is_file() and p.name.startswith("openl3_audio_"))
    if not found:
        raise NotFoundError(
            f"there are no weights in {weights}; the audio networks' files are called openl3_audio_..."
        )
    return found


def _pairs_seen(path: Path, name: str, embedder: Embedder) -> int | None:
    """Pairs that an encoder of this database was trained on until the weights that were kept."""
    from motifdb.catalog.snapshot import open_snapshot

    encoder_id = embedder.config().get("encoder_id")
    if encoder_id is None:
        return None
    snapshot = open_snapshot(path)
    row = snapshot.table("encoders", ["best_step"], f"encoder_id = '{encoder_id}'").to_pylist()
    where = f"encoder_id = '{encoder_id}' and step = {int(row[0]['best_step'] or 0)}" if row else "step = -1"
    pairs = snapshot.table("encoder_steps", ["pairs"], where).column(0).to_pylist()
    return int(pairs[0]) if pairs else None


# -- the command ---------------------------------------------------------------------------------------------

SEARCH = ("batch_size", "patience", "learning_rates", "l2s", "hidden")
"""Settings of the search that ``--set search.NAME=VALUE`` changes; other settings are the towers'."""


def options_of(asked: Asked) -> L3Options:
    """What the command line said.

    ``--epochs`` is of the search; ``--steps`` and ``--set`` of the towers, but ``--set search.NAME`` of the search and ``--set openl3.NAME`` of
    OpenL3's embedder. ``--set budgets=[200,800]`` trains every tower once for each number of steps. ``--island-label`` names another column of
    folds than ``fold``.

    Raises
    ------
    UsageError
        for a setting that there is not.
    """
    from motifdb.errors import nearest

    changes = asked.changes()
    own: dict[str, Any] = {}
    for key in [k for k in changes if k.startswith("search.")]:
        name = key.removeprefix("search.")
        if name not in SEARCH:
            raise UsageError(f"the search has no setting {name!r}; {nearest(name, SEARCH)}")
        value = changes.pop(key)
        if name in ("learning_rates", "l2s", "hidden"):
            value = tuple(value) if isinstance(value, list | tuple) else (value,)
        own[name] = value
    openl3 = {
        key.removeprefix("openl3."): changes.pop(key) for key in list(changes) if key.startswith("openl3.")
    }
    if asked.epochs is not None:
        own["max_epochs"] = asked.epochs
    try:
        config = DownstreamConfig(**own)
        config.check()
    except TypeError as error:
        raise UsageError(f"a setting of the search is of another kind: {error}") from None
    budgets = changes.pop("budgets", ())
    budgets = tuple(budgets) if isinstance(budgets, list | tuple) else (budgets,)
    if not all(isinstance(n, int) and n > 0 for n in budgets):
        raise UsageError(
            f"budgets are numbers of steps, such as --set budgets=[200,800]; got {list(budgets)}"
        )
    towers = TowerOptions(
        videos=asked.videos,
        scale=asked.scale,
        cells=asked.cells,
        steps=asked.steps,
        budgets=budgets,
        changes=changes,
        seeds=asked.seeds,
        device=asked.device,
        workers=asked.workers,
        ray_address=asked.ray_address,
        is_long_fine=asked.is_long_fine,
    )
    if len(asked.clips) > 1:
        raise UsageError("l3-2019 judges on one set of clips at a time; give --clips once")
    return L3Options(
        towers=towers,
        models=asked.models,
        weights=asked.weights,
        openl3=openl3,
        speaker_weights=asked.speaker_weights,
        clips=asked.clips[0] if asked.clips else None,
        label=asked.label,
        fold=asked.island or FOLD,
        source=asked.source,
        downstream=DownstreamOptions(config, asked.seeds, asked.only_folds, asked.subset, asked.device),
    )


def answer(path: Path, asked: Asked, say: Say) -> Answer:
    """Run it and show both tables.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.pipelines.progress import Lines
    from motifdb.training.experiments.l3_picture import draw_l3
    from motifdb.training.experiments.l3_tables import all_rows, fold_rows, l3_notes, shown_rows

    report = run_l3(options_of(asked), path, Lines(), say)
    snapshot = open_snapshot(path)
    rows = all_rows(report, snapshot)
    failed = report.towers.failed if report.towers is not None else []
    return Answer(
        fold_rows(report, snapshot) if asked.is_by_fold else shown_rows(rows),
        [row.long() for row in rows],
        l3_notes(report, snapshot),
        len(failed),
        lambda target: draw_l3(report, target),
    )
