"""Write docs/tables.md from the declarations in schemas/; `--check` only says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from motifdb.schemas import FORMAT_VERSION, TABLES

PAGE = Path(__file__).with_name("tables.md")


def page() -> str:
    """The whole page."""
    lines = [
        "# Tables",
        "",
        f"Format version {FORMAT_VERSION}. Made by `make docs` from `schemas/tables.py`; edit the declarations there.",
        "",
        "Key columns are **bold**. A column with a `?` may be null. Times are seconds from the start of the recording,",
        "pitch is cents over 440 Hz (or Hz where the unit says so), and 0 Hz is unvoiced.",
        "",
        "| table | one row is |",
        "|---|---|",
        *(f"| [{t.name}](#{t.name}) | {t.row} |" for t in TABLES.values()),
    ]
    for table in TABLES.values():
        wall = "" if table.sql else " Not open to SQL."
        since = f" Since format version {table.since}." if table.since > 1 else ""
        lines += ["", f"## {table.name}", "", f"One row is {table.row}.{wall}{since}", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        for c in table.columns:
            name = f"**{c.name}**" if c.name in table.key else c.name
            null = "?" if c.nullable else ""
            new = f" (since format version {c.since})" if c.since > max(1, table.since) else ""
            meaning = c.meaning.replace("|", "\\|")
            lines.append(f"| {name} | {c.type}{null} | {c.unit} | {meaning}{new} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` compare; 1 when it is not current."""
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE.name} is not what schemas/ says; run `make docs` and commit it", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
