"""Write docs/tables.md from the declarations of tables and views; `--check` only says whether it is current."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from motifdb.query.macros import MACROS
from motifdb.query.table_functions import FUNCTIONS
from motifdb.query.views import VIEWS
from motifdb.schemas import FORMAT_VERSION, TABLES, Column

PAGE = Path(__file__).with_name("tables.md")


def page() -> str:
    """The whole page."""
    lines = [
        "# Tables",
        "",
        f"Format version {FORMAT_VERSION}. Made by `make docs` from `schemas/`, `motifdb/query/views/`,"
        " `motifdb/query/macros.py` and `motifdb/query/table_functions.py`; edit the declarations there.",
        "",
        "Key columns are **bold**. A `?` after the type says that the column may be null. Times are seconds from the"
        " start of the recording, pitch is cents over 440 Hz (or Hz where the unit says so), and 0 Hz is unvoiced.",
        "",
        "| table | one row is |",
        "|---|---|",
        *(f"| [{t.name}](#{t.name}) | {t.row} |" for t in TABLES.values()),
        "",
        "| view | one row is |",
        "|---|---|",
        *(f"| [{v.name}](#{v.name}) | {v.row} |" for v in VIEWS.values()),
        *_functions(),
    ]
    for table in TABLES.values():
        hidden = ", ".join(f"`{c.name}`" for c in table.columns if not c.sql)
        wall = f" Not open to SQL: {hidden}." if hidden else ""
        since = f" Since format version {table.since}." if table.since > 1 else ""
        lines += ["", f"## {table.name}", "", f"One row is {table.row}.{wall}{since}", ""]
        lines += _columns(table.columns, table.key, table.since)
    for view in VIEWS.values():
        needs = ", ".join(f"[{n}](#{n})" for n in view.needs)
        lines += ["", f"## {view.name}", "", f"A view: one row is {view.row}. Made from {needs}.", ""]
        lines += _columns(view.columns, (), FORMAT_VERSION)
    for function in FUNCTIONS.values():
        lines += ["", f"## {function.name}", "", f"A table function: one row is {function.row}.", ""]
        lines += [f"`{function.signature}`", ""]
        lines += [f"* `{p.name}`: {p.meaning}" for p in function.parameters]
        lines += ["", *_columns(function.columns, (), FORMAT_VERSION)]
    return "\n".join(lines) + "\n"


def _functions() -> list[str]:
    """The functions that SQL may call, as Markdown tables."""
    lines = []
    if FUNCTIONS:
        lines += ["", "| table function | one row is |", "|---|---|"]
        lines += [f"| [{f.name}](#{f.name}) | {f.row} |" for f in FUNCTIONS.values()]
    lines += ["", "| function | gives | unit | example |", "|---|---|---|---|"]
    lines += [
        f"| `{m.signature}` | {m.type}: {m.meaning} | {m.unit} | `{m.example}` = `{m.shows}` |"
        for m in MACROS.values()
    ]
    return lines


def _columns(columns: Iterable[Column], key: tuple[str, ...], since: int) -> list[str]:
    """The columns as a Markdown table; `since` is the format version the whole came with."""
    lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for c in columns:
        name = f"**{c.name}**" if c.name in key else c.name
        null = "?" if c.nullable else ""
        new = f" (since format version {c.since})" if c.since > since else ""
        meaning = c.meaning.replace("|", "\\|")
        lines.append(f"| {name} | {c.type}{null} | {c.unit} | {meaning}{new} |")
    return lines


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` compare; 1 when it is not current."""
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE.name} is not what the declarations say; run `make docs` and commit it", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
