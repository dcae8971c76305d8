"""Views over vectors: each with its labels, and what they are worth."""

from __future__ import annotations

import pyarrow as pa

from motifdb.query.views.spec import STANDARD_LABELS, ViewSpec, nullable
from motifdb.schemas import EMBEDDING_METRICS, EMBEDDINGS, FILES, MOTIFS, Column

_MODEL = (
    "coalesce(json_extract_string(a.parameters, '$.recipe'), json_extract_string(a.parameters, '$.model'))"
)
_ANALYSIS = Column("analysis", pa.string(), "-", "name of the embeddings analysis", nullable=True)
_WHICH = Column(
    "model", pa.string(), "-", "what gave it: a model's name, or a run's or encoder's recipe", nullable=True
)

VECTORS = ViewSpec(
    "vectors",
    "a vector with the model that gave it and the labels of what it is of",
    (
        EMBEDDINGS.column("embedding_id"),
        EMBEDDINGS.column("analysis_id"),
        _ANALYSIS,
        _WHICH,
        EMBEDDINGS.column("target"),
        EMBEDDINGS.column("recording_id"),
        Column(
            "path", pa.string(), "-", "the clip's file, else the recording's first by name", nullable=True
        ),
        *(
            Column(
                n,
                pa.string(),
                "-",
                f"{FILES.column(n).meaning}; of the clip's file where it is one, else as in recording_facts",
                nullable=True,
            )
            for n in STANDARD_LABELS
        ),
        EMBEDDINGS.column("start_s"),
        EMBEDDINGS.column("end_s"),
        EMBEDDINGS.column("clip_id"),
        EMBEDDINGS.column("motif_id"),
        nullable(MOTIFS.column("contour")),
        Column("n_dims", pa.int64(), "-", "numbers in the vector"),
        EMBEDDINGS.column("vector"),
    ),
    ("embeddings", "analyses", "recording_facts", "clips", "files", "motifs"),
    f"""
    select e.embedding_id, e.analysis_id, a.name as analysis, {_MODEL} as model, e.target, e.recording_id,
           coalesce(c.path, r.path) as path, """
    + ", ".join(f"case when c.path is not null then f.{n} else r.{n} end as {n}" for n in STANDARD_LABELS)
    + """,
           e.start_s, e.end_s, e.clip_id, e.motif_id, m.contour, len(e.vector) as n_dims, e.vector
    from embeddings e left join analyses a on a.analysis_id = e.analysis_id
         left join recording_facts r on r.recording_id = e.recording_id left join clips c on c.clip_id = e.clip_id
         left join files f on f.corpus_id = c.corpus_id and f.path = c.path left join motifs m on m.motif_id = e.motif_id
    """,
)

VECTOR_SCORES = ViewSpec(
    "vector_scores",
    "a figure of an analysis's vectors, beside chance, with the model that gave them",
    (
        EMBEDDING_METRICS.column("analysis_id"),
        _ANALYSIS,
        _WHICH,
        Column("target", pa.string(), "-", "recording, clip or occurrence", nullable=True),
        Column("vectors", pa.int64(), "-", "vectors of the analysis"),
        *(
            EMBEDDING_METRICS.column(n)
            for n in ("protocol", "metric", "value", "low", "high", "chance", "n", "about")
        ),
    ),
    ("embedding_metrics", "embeddings", "analyses"),
    f"""
    with counted as (select analysis_id, count(*) as n from embeddings group by 1)
    select k.analysis_id, a.name as analysis, {_MODEL} as model, json_extract_string(a.parameters, '$.target') as target,
           coalesce(h.n, 0) as vectors, protocol, metric, value, low, high, chance, k.n, about
    from embedding_metrics k left join analyses a on a.analysis_id = k.analysis_id
         left join counted h on h.analysis_id = k.analysis_id
    """,
)
