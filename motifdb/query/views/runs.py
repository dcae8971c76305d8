"""Views over what was trained."""

from __future__ import annotations

import pyarrow as pa

from motifdb.query.views.spec import ViewSpec
from motifdb.schemas import RUNS, Column

_LEAKS = {
    "leak_content": ("same-content", "whose very bytes are in train"),
    "leak_near": ("near", "a copy of which is in train: re-encoded, louder, shifted or trimmed a little"),
    "leak_half": ("half", "of which one clip of train holds at least half"),
    "leak_island": ("same-island", "whose recording shares sound with one of train; null without an audit"),
    "leak_recording": ("same-recording", "whose recording is in train"),
}
_SCORES = ("accuracy", "balanced_accuracy", "auc", "precision", "recall", "f1")

RUN_SCORES = ViewSpec(
    "run_scores",
    "a run with its figures on the part test, and what test shares with train; null where not defined or unknown",
    (
        *(
            RUNS.column(n)
            for n in ("run_id", "experiment", "cell", "recipe", "model", "front_end", "split_id")
        ),
        Column("split", pa.string(), "-", "name of the split", nullable=True),
        *(RUNS.column(n) for n in ("fold", "seed", "label", "state")),
        Column("n_classes", pa.int64(), "-", "values of the label"),
        Column("n_test", pa.int64(), "-", "clips of test that it predicted"),
        *(Column(n, pa.float64(), "-", f"{n} on test", nullable=True) for n in _SCORES),
        Column("accuracy_low", pa.float64(), "-", "2.5 % of a bootstrap over groups", nullable=True),
        Column("accuracy_high", pa.float64(), "-", "97.5 % of it", nullable=True),
        Column("f1_low", pa.float64(), "-", "2.5 % of a bootstrap over groups", nullable=True),
        Column("f1_high", pa.float64(), "-", "97.5 % of it", nullable=True),
        *(
            Column(name, pa.float64(), "-", f"share of clips of test {meaning}", nullable=True)
            for name, (_, meaning) in _LEAKS.items()
        ),
        *(RUNS.column(n) for n in ("parameters", "epochs", "best_epoch", "wall_s", "cpu_s", "created_at")),
    ),
    ("runs", "metrics", "predictions", "analyses"),
    "with figures as (select run_id, "
    + ", ".join(f"max(value) filter (metric = '{n}') as {n}" for n in _SCORES)
    + ", "
    + ", ".join(
        f"max({e}) filter (metric = '{n}') as {n}_{e}" for n in ("accuracy", "f1") for e in ("low", "high")
    )
    + " from metrics where part = 'test' group by run_id), tested as (select run_id, count(*) as n_test"
    " from predictions where part = 'test' group by run_id)"
    " select r.run_id, experiment, cell, recipe, model, front_end, split_id, a.name as split, fold, seed, label, state,"
    " len(classes) as n_classes, coalesce(n_test, 0) as n_test, "
    + ", ".join(_SCORES)
    + ", accuracy_low, accuracy_high, f1_low, f1_high, "
    + ", ".join(
        f"""(json_extract_string(leak, '$.leaks."{kind}".share'))::double as {name}"""
        for name, (kind, _) in _LEAKS.items()
    )
    + ", r.parameters, epochs, best_epoch, wall_s, cpu_s, r.created_at from runs r left join figures using (run_id)"
    " left join tested using (run_id) left join analyses a on a.analysis_id = r.split_id",
)
