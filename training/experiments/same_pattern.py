"""What is nearer: the same pattern sung by somebody else, or another pattern in one's own voice?

sid-2020 learns singers from motif clips, the embedding of a clip being the layer before the classes. Whether such a vector says
*who* or *what* is asked with patterns that several singers have. Four questions, each over all clips that can ask it:

- **pattern before voice**: the same pattern by another singer against other patterns by the same singer. Above 0.5 a vector hears
  the melody first, below it the voice (or the recording).
- **pattern before voice elsewhere**: the same, with those other patterns from other sources only, so that one recording's sound
  does not speak for its singer.
- **pattern among others**: the same pattern against other patterns, all by other singers: is melody in the vector at all?
- **voice among sources**: the same singer against other singers, all in other sources and with other patterns: is the voice in it?

Clips that share sound (one island of the audit) are never compared. Equal contents are one clip; those under several singers or
patterns are left out, as are sources with clips of several singers where a source is of one as a rule.

A stored run or encoder is asked on clips that share no sound with those it learnt from or was stopped by, and every
other model on the same clips once more, so that rows can be compared. Intervals are over sources: there are few, so they are wide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.experiments.answer import Answer, Asked
from motifdb.training.scores.figures import Figure, group_numbers
from motifdb.training.scores.judged import usual_distance
from motifdb.training.scores.neighbours import prepared, ranking_scores

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.query.vectors.read import Vectors
    from motifdb.training.clips.clip_facts import ClipFacts

BASELINES = ("hand-crafted", "log-mel-stats")
"""Models that nothing was learnt for; always there."""

QUESTIONS = (
    "pattern before voice",
    "pattern before voice elsewhere",
    "pattern among others",
    "voice among sources",
)

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Sung:
    """Distinct contents and what is known of them; entry i of everything is one.

    Attributes
    ----------
    clip_id : the first clip of each content
    singer, pattern, source, island : int64 [n], codes
    source_name : n names
    clips : of each content, all its clips
    notes : what was left out
    """

    clip_id: tuple[str, ...]
    singer: NDArray[np.int64]
    pattern: NDArray[np.int64]
    source: NDArray[np.int64]
    island: NDArray[np.int64]
    source_name: tuple[str, ...]
    clips: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.clip_id)

    def take(self, rows: NDArray[np.int64]) -> Sung:
        """Some of them; codes stay."""
        return replace(
            self,
            clip_id=tuple(self.clip_id[i] for i in rows),
            singer=self.singer[rows],
            pattern=self.pattern[rows],
            source=self.source[rows],
            island=self.island[rows],
            source_name=tuple(self.source_name[i] for i in rows),
            clips=tuple(self.clips[i] for i in rows),
        )


@dataclass
class Report:
    """Figures by (clips that ask, model), and what must be known to read them."""

    figures: dict[tuple[str, str], list[Figure]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def answer(path: Path, asked: Asked, say: Say) -> Answer:
    """Run the experiment: embed what has no vectors yet, ask, store the figures.

    Raises
    ------
    UsageError, NotFoundError
        where clips have no pattern or singer, or no pattern is shared by two singers.
    """
    from motifdb.training.extras import need

    need()
    report = run_same_pattern(path, asked, say)
    return Answer(_rows(report), _long(report), report.notes, picture=lambda target: _draw(report, target))


def run_same_pattern(path: Path, asked: Asked, say: Say) -> Report:
    """See `answer`."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.query.vectors.read import vectors_of
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.embedding.registry import find_embedder
    from motifdb.training.scores.figures import store_figures
    from motifdb.training.splits.examples import find_clips

    if len(asked.clips) > 1:
        raise UsageError(f"this experiment takes one set of clips, got {', '.join(asked.clips)}")
    snapshot = open_snapshot(path)
    clips_id = find_clips(snapshot, asked.clips[0] if asked.clips else None)
    facts = facts_of(snapshot, clips_id)
    sung = read_sung(snapshot, facts, asked)
    report = Report(notes=list(sung.notes))
    found: dict[str, Vectors] = {}
    for model, weights in _models(asked):
        # a name that is none is said now, not after minutes of embedding with the others
        find_embedder(model, snapshot, root=path, weights=weights, device=asked.device)
    for model, weights in _models(asked):
        analysis_id = _embedded(path, clips_id, model, weights, asked.device, say)
        vectors = vectors_of(open_snapshot(path), analysis_id)
        found[model] = vectors
    snapshot = open_snapshot(path)
    parts: dict[str, NDArray[np.int64]] = {"all": np.arange(len(sung))}
    for model, vectors in found.items():
        rows = unheard(snapshot, sung, vectors.parameters)
        if rows is not None:
            if not len(rows):
                raise UsageError(
                    f"every clip shares sound with those that {model} learnt from; a run on a split by island or by source"
                    " leaves some that it can be asked about"
                )
            parts[f"new to {model}"] = rows
    learnt = {m for m in found if f"new to {m}" in parts}
    for name, rows in parts.items():
        own = sung.take(rows)
        for model, vectors in found.items():
            # what learnt from some of the clips is asked about its own remainder alone
            if model in learnt and name != f"new to {model}":
                continue
            say(f"asking {model} about {len(own):,} clips ({name})")
            figures, notes = ask(own, vectors, name, seed=asked.seeds[0] if asked.seeds else 0)
            report.figures[name, model] = figures
            report.notes += [note for note in notes if note not in report.notes]
            store_figures(path, vectors.analysis_id, figures)
    report.notes += _verdicts(report)
    return report


def _models(asked: Asked) -> list[tuple[str, Path | None]]:
    models: list[tuple[str, Path | None]] = [
        (m, asked.weights if m == "openl3" else asked.speaker_weights if m == "speaker" else None)
        for m in dict.fromkeys((*BASELINES, *asked.models))
    ]
    if asked.speaker_weights is not None and "speaker" not in asked.models:
        models.append(("speaker", asked.speaker_weights))
    return models


def _embedded(path: Path, clips_id: str, model: str, weights: Path | None, device: str, say: Say) -> str:
    """The analysis of a model's vectors of clips, made where they are missing."""
    from motifdb.pipelines.progress import Lines
    from motifdb.training.embedding.job import EmbedOptions, embed_database

    options = EmbedOptions(model, target="clip", clips=clips_id, weights=weights, device=device)
    made = embed_database(options, path, Lines(), say)
    return made.analysis_id


# -- who sang what -----------------------------------------------------------------------------------------


def read_sung(snapshot: Snapshot, facts: ClipFacts, asked: Asked) -> Sung:
    """The distinct contents of a set of clips with their singer, pattern, source and island.

    The pattern is the label ``pattern``, or that of the motif a clip was cut from; singer, source and island are those of the other
    experiments (`motifdb.training.experiments.protocols.choose_keys`).

    Raises
    ------
    UsageError, NotFoundError
    """
    from motifdb.training.experiments.protocols import choose_keys
    from motifdb.training.splits.folds import numbered, united

    label = asked.label or "singer"
    singer = facts.key(label)
    keys = choose_keys(facts, label, asked.island, asked.source)
    pattern = _patterns(snapshot, facts)
    island = [
        v if v is not None else f"clip {facts.clip_id[i]}" for i, v in enumerate(facts.key(keys.island))
    ]
    source: list[str | None] = facts.key(keys.source[0])
    notes = list(keys.notes)
    if keys.merge_source:
        named = [v if v is not None else f"clip {facts.clip_id[i]}" for i, v in enumerate(source)]
        joined = united([numbered(named)[0], numbered(island)[0]])
        source = [f"source {j}" for j in joined.tolist()]
    if not keys.is_crossed:
        source = _of_one_singer(source, singer, label, notes)
    places: dict[str, list[int]] = {}
    for i, content in enumerate(facts.content):
        places.setdefault(content, []).append(i)
    kept: list[list[int]] = []
    n_torn = n_unknown = 0
    for own in places.values():
        if any(len({column[i] for i in own}) > 1 for column in (singer, pattern)):
            n_torn += 1
        elif any(column[own[0]] is None for column in (singer, pattern, source)):
            n_unknown += 1
        else:
            kept.append(own)
    if n_torn:
        notes.append(f"{n_torn:,} contents are under several values of {label} or patterns: left out")
    if n_unknown:
        notes.append(f"{n_unknown:,} contents have no {label}, pattern or source of one {label}: left out")
    if not kept:
        raise UsageError(f"no clip has a {label}, a pattern and a source; there is nothing to compare")
    first = [own[0] for own in kept]
    who, what, where, together = (
        group_numbers([str(column[i]) for i in first]) for column in (singer, pattern, source, island)
    )
    shared = {p for p in what.tolist() if len(set(who[what == p].tolist())) > 1}
    if not shared:
        raise UsageError(f"no pattern is sung by two values of {label}; there is nothing to compare it with")
    notes.insert(
        0,
        f"{len(kept):,} distinct clips of {len(set(who.tolist()))} values of {label} in"
        f" {len(set(where.tolist()))} sources; {len(shared):,} of {len(set(what.tolist())):,} patterns are shared by"
        f" two {label}s or more",
    )
    return Sung(
        tuple(facts.clip_id[i] for i in first),
        who,
        what,
        where,
        together,
        tuple(str(source[i]) for i in first),
        tuple(tuple(facts.clip_id[i] for i in own) for own in kept),
        tuple(notes),
    )


def _patterns(snapshot: Snapshot, facts: ClipFacts) -> list[str | None]:
    """The pattern of each clip: a label of its file, or its motif's."""
    if "pattern" in facts.label_names:
        return facts.label("pattern")
    from motifdb.pipelines.committer import quoted

    where = f"analysis_id = {quoted(facts.analysis_id)} and motif_id is not null"
    clips = snapshot.table("clips", ["clip_id", "motif_id"], where)
    motif_of = dict(zip(*(column.to_pylist() for column in clips.columns), strict=True))
    if not motif_of:
        raise NotFoundError(
            "these clips have no pattern: no label pattern, and they were not cut at motifs; `motifdb clips --kind motif`"
            " cuts some, a metadata column pattern names those of ready-made clips"
        )
    motifs = snapshot.table("motifs", ["motif_id", "pattern_id"])
    pattern_of = dict(zip(*(column.to_pylist() for column in motifs.columns), strict=True))
    return [pattern_of.get(motif_of.get(clip_id)) for clip_id in facts.clip_id]


def _of_one_singer(
    source: Sequence[str | None], singer: Sequence[str | None], label: str, notes: list[str]
) -> list[str | None]:
    """Sources without those that have clips of several singers: whose voice is in them is not known."""
    singers: dict[str, set[str]] = {}
    for a, b in zip(source, singer, strict=True):
        if a is not None and b is not None:
            singers.setdefault(a, set()).add(b)
    mixed = sorted(name for name, own in singers.items() if len(own) > 1)
    if mixed:
        notes.append(
            f"sources with clips of several values of {label}: {', '.join(mixed[:5])}{', …' * (len(mixed) > 5)}: left out"
        )
    return [None if name in mixed else name for name in source]


def unheard(snapshot: Snapshot, sung: Sung, parameters: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """Contents that share no sound with what a model learnt from or was stopped by; None for one that learnt from no clips here."""
    from motifdb.pipelines.committer import quoted

    for table, key in (("runs", "run_id"), ("encoders", "encoder_id")):
        if parameters.get(key) is None:
            continue
        where = f"{key} = {quoted(str(parameters[key]))}"
        rows = snapshot.table(table, ["split_id", "fold"], where).to_pylist()
        if not rows or rows[0]["split_id"] is None:
            return None
        where = (
            f"split_id = {quoted(rows[0]['split_id'])} and fold = {int(rows[0]['fold'])} and part != 'test'"
        )
        learnt = set(snapshot.table("splits", ["clip_id"], where).column(0).to_pylist())
        is_heard = np.array([not learnt.isdisjoint(own) for own in sung.clips], bool)
        islands = set(sung.island[is_heard].tolist())
        return np.flatnonzero([i not in islands for i in sung.island.tolist()])
    return None


# -- questions ---------------------------------------------------------------------------------------------


def ask(sung: Sung, vectors: Vectors, part: str, *, seed: int = 0) -> tuple[list[Figure], list[str]]:
    """The four questions of a model's vectors; those that nobody can ask are told in a sentence."""
    at = {clip: row for row, clip in enumerate(vectors.rows.column("clip_id").to_pylist())}
    rows = np.array([i for i, clip in enumerate(sung.clip_id) if clip in at], np.int64)
    if len(rows) < len(sung):
        sung = sung.take(rows)
    matrix = vectors.matrix[[at[clip] for clip in sung.clip_id]].astype(np.float64)
    distance = usual_distance(vectors.parameters)
    figures: list[Figure] = []
    notes: list[str] = []
    given = prepared(matrix, distance) if len(matrix) else matrix
    for question in QUESTIONS:
        relevant, candidate = masks(sung, question)
        about = {"clips": len(sung), "sources": sorted(set(sung.source_name)), "distance": distance}
        try:
            figures += ranking_scores(
                given,
                relevant,
                candidate,
                sung.source,
                seed=seed,
                protocol=f"{question}, {part}",
                about=about,
            )
        except UsageError:
            notes.append(f"{question}: none of the {len(sung):,} clips ({part}) can ask it")
    return figures, notes


def masks(sung: Sung, question: str) -> tuple[Callable[..., NDArray[np.bool_]], ...]:
    """What is looked for, and what it is ranked with, as `ranking_scores` takes them."""

    def same(code: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.equal(code[rows, None], code[None, :])

    def apart(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return ~same(sung.island, rows)

    def pattern_of_another(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return same(sung.pattern, rows) & ~same(sung.singer, rows) & apart(rows)

    def own_voice(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return same(sung.singer, rows) & ~same(sung.pattern, rows) & apart(rows)

    def elsewhere(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return ~same(sung.source, rows) & ~same(sung.pattern, rows) & apart(rows)

    return {
        QUESTIONS[0]: (pattern_of_another, own_voice),
        QUESTIONS[1]: (pattern_of_another, lambda rows: own_voice(rows) & ~same(sung.source, rows)),
        QUESTIONS[2]: (pattern_of_another, lambda rows: ~same(sung.singer, rows) & apart(rows)),
        QUESTIONS[3]: (lambda rows: elsewhere(rows) & same(sung.singer, rows), elsewhere),
    }[question]


# -- what is shown -------------------------------------------------------------------------------------------


def _by_question(report: Report) -> dict[tuple[str, str, str], dict[str, Figure]]:
    """Figures by metric, by question, part and model, in the order of tables."""
    found: dict[tuple[str, str, str], dict[str, Figure]] = {}
    for question in QUESTIONS:
        for (part, model), figures in report.figures.items():
            own = {f.metric: f for f in figures if f.protocol == f"{question}, {part}"}
            if own:
                found[question, part, model] = own
    return found


def _rows(report: Report) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    last = ("", "")
    for (question, part, model), own in _by_question(report).items():
        first = own["first"]
        rows.append(
            {
                "question": question if last[0] != question else "",
                "clips": part if last != (question, part) else "",
                "model": model,
                "n": first.n,
                "auc (95 %)": str(own["auc"]),
                "nearest (95 %)": str(first),
                "chance": f"{first.chance:.3f}",
            }
        )
        last = question, part
    return rows


def _long(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "question": question,
            "clips": part,
            "model": model,
            "metric": f.metric,
            "value": f.value,
            "low": f.low,
            "high": f.high,
            "chance": f.chance,
            "n": f.n,
            "n_sources": f.about.get("n_groups"),
            "distance": f.about.get("distance"),
        }
        for (question, part, model), own in _by_question(report).items()
        for f in own.values()
    ]


def _verdicts(report: Report) -> list[str]:
    """What the first question says of each model, and how to read the table."""
    lines = [
        "auc: how often what is looked for is nearer than another candidate (a guess: .5); nearest: how often the nearest candidate is what is looked"
        " for. Intervals: 95 % of a bootstrap over sources."
    ]
    for (question, part, model), own in _by_question(report).items():
        figure = own["auc"]
        if question != QUESTIONS[0] or figure.low is None or figure.high is None:
            continue
        says = (
            "melody before voice"
            if figure.low > 0.5
            else "voice, or its recording, before melody"
            if figure.high < 0.5
            else "neither first, by these clips"
        )
        lines.append(f"{model} ({part}) hears {says}: {figure}")
    return lines


def _draw(report: Report, target: Path) -> None:
    from motifdb.plots.runs import Series, plot_table

    found = _by_question(report)
    columns = list(dict.fromkeys((part, model) for _, part, model in found))
    series = []
    for part, model in columns[:7]:
        own = [found.get((q, part, model), {}).get("auc") for q in QUESTIONS]
        values, low, high = (
            [getattr(f, name) if f is not None else None for f in own] for name in ("value", "low", "high")
        )
        series.append(Series.of(f"{model}, {part}", values, low, high))
    plot_table(
        QUESTIONS,
        series,
        target,
        x_label="how often the one looked for is nearer",
        chance=0.5,
        chance_label="a guess",
        title="same pattern, another singer",
    )
