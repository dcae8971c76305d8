"""SQL functions of motifdb's own, written in SQL: pitch as cents and note names, contours as text and symbols.

Declared once: a session makes them, `describe` and docs/tables.md print them. Cents are over 440 Hz (A4 = 0), as in
every table.

>>> MACROS["hz_to_cents"].signature
'hz_to_cents(hz)'
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MacroSpec:
    """One SQL function.

    `parameters` are name and meaning of each argument, `sql` the expression they stand in; `example` is a call, and
    `shows` what it gives, as SQL.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]
    type: str
    unit: str
    meaning: str
    sql: str
    example: str
    shows: str

    @property
    def signature(self) -> str:
        """The call, with the names of its arguments."""
        return f"{self.name}({', '.join(name for name, _ in self.parameters)})"

    @property
    def statement(self) -> str:
        """What makes the function in a session."""
        return f"create macro {self.signature} as {self.sql}"


_NAMES = "['C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B']"
# A cast that fails tells a text that is no contour: DuckDB's error() would keep the column from being named again.
_TEXT = r"\s*([+-]?\d{1,9}(\s+[+-]?\d{1,9})*)?\s*"
_TEXT_OR_LIST = r"\s*\[?\s*([+-]?\d{1,9}((\s*,\s*|\s+)[+-]?\d{1,9})*)?\s*\]?\s*"
"""A contour as text (``+1 -2``), or as DuckDB writes a list of symbols (``[1, -2]``)."""

_STEPS = r"[1-9]\d{2}|6[4-9]|[7-9]\d"
"""A symbol beyond 63 in size."""


def _letters(contour: str) -> str:
    """SQL for a contour as a text of one ASCII character per symbol."""
    steps = rf"regexp_extract_all({contour}::varchar, '-?\d+')"
    return f"array_to_string(list_transform({steps}, lambda s: chr(64 + greatest(-63, least(63, try_cast(s as integer))))), '')"


def _symbols(contour: str) -> str:
    return (
        rf"list_transform(regexp_extract_all({contour}::varchar, '-?\d+'), lambda s: try_cast(s as bigint))"
    )


# DuckDB's levenshtein() counts bytes, so it is exact where every symbol is one ASCII character: all of -63 ... 63,
# wider than any preset's classes. Beyond, the table of the edit distance is folded row by row.
_FOLDED = f"""list_reduce(
    [range(len({_symbols("b")}) + 1)] || list_transform({_symbols("a")}, lambda s: [s]),
    lambda above, symbol: list_reduce(
        [[above[1] + 1]] || list_transform(
            range(1, len({_symbols("b")}) + 1),
            lambda j: [least(above[j + 1] + 1, above[j] + ({_symbols("b")}[j] <> symbol[1])::bigint)]
        ),
        lambda row, cell: row || [least(cell[1], row[-1] + 1)]
    )
)[-1]"""

_CONTOUR = "a contour: text such as '+1 -2', or a list of symbols"

MACROS: dict[str, MacroSpec] = {
    m.name: m
    for m in (
        MacroSpec(
            "hz_to_cents",
            (("hz", "a frequency in Hz"),),
            "double",
            "cents",
            "pitch over 440 Hz; null where the frequency is 0 or less (unvoiced)",
            "case when hz > 0 then 1200 * log2(hz::double / 440) end",
            "hz_to_cents(880)",
            "1200.0",
        ),
        MacroSpec(
            "cents_to_hz",
            (("cents", "a pitch in cents over 440 Hz"),),
            "double",
            "Hz",
            "frequency of a pitch",
            "440 * pow(2, cents::double / 1200)",
            "cents_to_hz(-1200)",
            "220.0",
        ),
        MacroSpec(
            "note_name",
            (("cents", "a pitch in cents over 440 Hz"),),
            "varchar",
            "-",
            "nearest note of equal temperament at A4 = 440 Hz (sharps; C4 is the middle C) and the deviation from it in cents,"
            " -50 to +50",
            "case when isfinite(cents::double) then"
            f" {_NAMES}[(floor((cents::double + 50) / 100)::bigint % 12 + 21) % 12 + 1]"
            " || (floor((floor((cents::double + 50) / 100) + 9) / 12)::bigint + 4)"
            " || printf(' %+d', round(cents::double - 100 * floor((cents::double + 50) / 100))::bigint) end",
            "note_name(-688)",
            "'D4 +12'",
        ),
        MacroSpec(
            "contour_symbols",
            (("contour", "a contour as text, such as '+1 -2'"),),
            "tinyint[]",
            "-",
            "the symbols of a contour that is written as text, as motifs.pattern and contours.symbols hold them",
            f"case when not regexp_full_match(contour, '{_TEXT}') then [('no contour: ' || contour)::bigint::tinyint]"
            r" when trim(contour) = '' then []::tinyint[] else"
            r" list_transform(string_split_regex(trim(contour), '\s+'), lambda s: s::tinyint) end",
            "contour_symbols('+1 -2 +1')",
            "[1, -2, 1]",
        ),
        MacroSpec(
            "contour_text",
            (("symbols", "a list of symbols"),),
            "varchar",
            "-",
            "a list of symbols as text, as motifs.contour has it",
            "array_to_string(list_transform(symbols, lambda s: printf('%+d', s)), ' ')",
            "contour_text([1, -2, 1])",
            "'+1 -2 +1'",
        ),
        MacroSpec(
            "contour_distance",
            (("a", _CONTOUR), ("b", "another one")),
            "bigint",
            "symbols",
            "edit distance (Levenshtein 1966): the fewest symbols to insert, delete or replace that make one of the other",
            f"case when not regexp_full_match(a::varchar, '{_TEXT_OR_LIST}') then ('no contour: ' || a::varchar)::bigint"
            f" when not regexp_full_match(b::varchar, '{_TEXT_OR_LIST}') then ('no contour: ' || b::varchar)::bigint"
            f" when regexp_matches(a::varchar || b::varchar, '{_STEPS}') then {_FOLDED}"
            f" when a is not null and b is not null then levenshtein({_letters('a')}, {_letters('b')}) end",
            "contour_distance('+1 -2 +1', [1, 1])",
            "1",
        ),
    )
}
"""Every function, by name."""
