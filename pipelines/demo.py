"""The demo: the whole way in a minute, on a corpus that it sings itself and whose motifs it therefore knows."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.config import Config, preset
from motifdb.pipelines.demo_corpus import PlantedScore, Span, make_demo_corpus, read_truth, score_planted

if TYPE_CHECKING:
    from motifdb.query.database import Database

QUERY = """
select l.value as singer, count(distinct m.pattern_id) as patterns,
       sum(m.occurrences)::bigint as places, arg_min(m.contour, m.log10_p) as strongest
from motifs m join recording_labels l on l.recording_id = m.scope_key
where l.label = 'singer' group by 1 order by min(m.log10_p)
""".strip()


def run_demo(folder: Path, *, say: Callable[[str], object], config: Config | None = None) -> PlantedScore:
    """Sing, ingest, list, ask, draw; give the score of what was found against what was planted.

    Parameters
    ----------
    folder : gets ``corpus/``, ``demo.motifdb`` and ``motif.png``; a second run takes up what is there
    say : called with every piece of text

    Raises
    ------
    UsageError
        where `folder` holds something else.
    """
    from motifdb.catalog.locate import default_database
    from motifdb.catalog.store import create, open_writer
    from motifdb.pipelines.ingest import Options, ingest
    from motifdb.pipelines.progress import Lines
    from motifdb.pipelines.summary import summary
    from motifdb.query.database import Database
    from motifdb.query.motifs import draw_motif, top_motifs
    from motifdb.query.output import write_result

    started_s = time.monotonic()
    say("1. Sing a small corpus: four singers, three songs each, two motifs of their own in every song")
    truth = make_demo_corpus(folder / "corpus")
    say(f"   {len(truth.paths)} files, {truth.duration_s / 60:.1f} minutes -> {truth.folder}\n")

    options = Options((truth.folder,), config or preset("default"), metadata=(truth.manifest,))
    path, is_new = default_database(str(folder / "demo.motifdb"), [truth.folder])
    say(f"2. motifdb ingest {truth.folder} --metadata {truth.manifest} --db {path}")
    if is_new:
        create(path)
    with open_writer(path) as writer:
        report = ingest(options, writer, Lines())
    say(_indented(summary(path, options, report)))

    with Database(path) as database:
        say(f"\n3. motifdb top --by singer -n 2 --db {path}")
        say(
            _text(
                lambda out: write_result(
                    top_motifs(database, 2, by="singer").arrow(), "table", out, width=97, is_wrapped=True
                )
            )
        )
        say(f'4. motifdb sql --db {path} "\n{_indented(QUERY)}"\n')
        say(_text(lambda out: write_result(database.sql(QUERY).arrow(), "table", out, width=97)))
        (strongest,) = top_motifs(database, 1)
        picture = folder / "motif.png"
        say(f"5. motifdb plot {strongest['motif']} -o {picture} --db {path}")
        say(f"   {draw_motif(database, strongest['motif'], picture)} -> {picture}\n")
        score = planted_score(database, truth.folder)
    say(f"What was planted (corpus/truth.csv): recall {score.recall:.2f}, precision {score.precision:.2f}")
    say(f"All in {time.monotonic() - started_s:.0f} s. Your own folder: motifdb ingest FOLDER")
    return score


def planted_score(database: Database, corpus: Path) -> PlantedScore:
    """How well the motifs of a database match those planted in a demo corpus (see `score_planted`)."""
    found: dict[str, list[Span]] = {}
    for row in database.sql(
        "select o.motif_id, f.path, o.start_s, o.end_s from occurrences o join files f using (recording_id)"
        " where f.state = 'input' order by o.motif_id, f.path, o.start_s"
    ):
        found.setdefault(row["motif_id"], []).append(Span(row["path"], row["start_s"], row["end_s"]))
    return score_planted(read_truth(corpus), found)


def _text(write: Callable[[io.StringIO], object]) -> str:
    out = io.StringIO()
    write(out)
    return _indented(out.getvalue().rstrip("\n")) + "\n"


def _indented(text: str) -> str:
    return "\n".join("   " + line for line in text.splitlines())
