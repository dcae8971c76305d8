"""Which vectors a condition in SQL leaves: it is asked before the nearest are taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motifdb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from motifdb.query.sql import Session

_PLACE = re.compile(r" \(line \d+, column \d+\)")

COLUMNS = (
    "embedding_id, target, recording_id, start_s, end_s, clip_id, motif_id, path, duration_s, singer, style, title,"
    " work, artist, corpus, labels"
)
"""What a condition may name."""

_ROWS = """
with chosen as (
    select embedding_id, target, recording_id, start_s, end_s, clip_id, motif_id from embeddings where analysis_id = {id}
),
said as (
    select recording_id, map_from_entries(list((label, value) order by label)) as labels
    from (select recording_id, label, min(value) as value from recording_labels where not is_conflict group by all)
    group by recording_id
),
standing as (
    select f.recording_id, min(c.name) as corpus from files f join corpora c using (corpus_id)
    where f.recording_id is not null group by f.recording_id
)
select chosen.*, path, duration_s, singer, style, title, work, artist, corpus, labels
from chosen left join recording_facts using (recording_id) left join said using (recording_id)
left join standing using (recording_id)
"""


def allowed_ids(session: Session, analysis_id: str, condition: str) -> list[str]:
    """The embedding ids of an analysis that meet a condition.

    Parameters
    ----------
    condition : SQL over `COLUMNS` and, in subqueries, every table and view, such as ``"style = 'debla' and end_s > 2"``

    Raises
    ------
    UsageError, NotFoundError
        for a condition that cannot be asked, or that none meets.
    """
    if not condition.strip():
        raise UsageError(f"the condition is empty; it may name {COLUMNS}")
    rows = _ROWS.format(id=f"'{analysis_id}'")
    # the line break ends a comment at the condition's end
    query = f"select embedding_id from ({rows}) where (\n{condition}\n)"
    try:
        found: list[str] = session.table(query).column(0).to_pylist()
    except (UsageError, NotFoundError) as error:
        said = _PLACE.sub("", str(error).partition("\n")[0])  # the place is one in our statement around it
        raise type(error)(
            f"the condition {condition!r} cannot be asked: {said}; it may name {COLUMNS}"
        ) from None
    if not found:
        raise NotFoundError(f"no vector meets the condition {condition!r}; it may name {COLUMNS}")
    return found
