"""Rules for what is derived and lies beside the tables: indexes over vectors."""

from __future__ import annotations

from collections.abc import Iterator

from motifdb.catalog.layout import INDEXES_FOLDER
from motifdb.query.check.report import Context, Violation


def check_indexes(context: Context) -> Iterator[Violation]:
    """An index is of vectors that are there, and its files have the bytes that were written.

    One that is older than its table is no fault: it is not used, which a search says.
    """
    from motifdb.query.vectors.index import damaged_file, read_header

    folder = context.snapshot.path / INDEXES_FOLDER
    if not folder.is_dir():
        return
    kinds = {name: analysis.kind for name, analysis in context.load_analyses().items()}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):  # being built, or left half made: `motifdb gc` removes it
            continue
        where = f"{INDEXES_FOLDER}/{path.name}"
        if kinds.get(path.name) != "embeddings":
            text = "it is of no vectors of this commit; `motifdb gc` removes it where no kept commit has them"
            yield Violation("embeddings", "index", where, text)
            continue
        try:
            damage = damaged_file(path, read_header(path), with_digests=True)
        except (OSError, ValueError) as error:
            damage = str(error)
        if damage is not None:
            text = f"{damage}; `motifdb index {path.name[:8]}` makes it anew"
            yield Violation("embeddings", "index", where, text)
