"""The agreed sets that `mining.py` mines, the established programs' published CPU seconds, and what is aimed at."""

from __future__ import annotations

SONGS = "3 in a recording"
"""Stands for the least support of the sets that are mined recording by recording."""
Row = tuple[str, int | None, int | str]

LIGHT: list[Row] = [
    *(("b20", 0, n) for n in (10, 3)),
    *(("bidepaper", gap, 2) for gap in (0, 1, 2, None)),
    *(("c1", 0, n) for n in (2, 3, 5, SONGS)),
    *(("c10", 0, n) for n in (2, 3, 10, 40, SONGS)),
    *(("c100", 0, n) for n in (2, 3, 40)),
    *(("t200", 0, n) for n in (2, 3)),
    *(("c1", 1, 10), ("c10", 1, 20), ("c100", 1, 200)),
    *(("c1", 2, 20), ("c10", 2, 40)),
    *(("b20", None, n) for n in (160, 165)),
    *(("c1", None, n) for n in (36, 40)),
    ("c10", None, 66),
    *(("c100", None, n) for n in (740, 760, 770)),
    *(("t200", None, n) for n in (1550, 1580)),
]
HEAVY: list[Row] = [("b20", 1, 40), ("b20", 1, 20), ("c100", 2, 400), ("c10", None, 62)]
NOT_SHIPPED = {("b20", 1, 20): "ba56957c0c61ebb4"}

PUBLISHED: dict[Row, dict[str, float]] = {
    ("c1", None, 40): {"BIDE+": 2.54, "CM-ClaSP": 2.24, "CloFast": 1.09},
    ("c1", None, 36): {"CloFast": 10.9},
    ("c10", None, 66): {"BIDE+": 25.3, "CM-ClaSP": 13.0, "CloFast": 2.53},
    ("c10", None, 62): {"CloFast": 31.6},
    ("b20", None, 165): {"BIDE+": 16.3, "CM-ClaSP": 7.6, "CloFast": 2.42},
    ("b20", None, 160): {"CM-ClaSP": 12.8, "CloFast": 4.52},
    ("c100", None, 770): {"BIDE+": 17.4, "CM-ClaSP": 9.9, "CloFast": 2.51},
    ("c100", None, 760): {"BIDE+": 49.5, "CM-ClaSP": 36.0, "CloFast": 3.42},
    ("c100", None, 740): {"CloFast": 19.8},
    ("t200", None, 1580): {"BIDE+": 7.4, "CloFast": 2.19},
    ("t200", None, 1550): {"CM-ClaSP": 21.0, "CloFast": 2.76},
    ("c1", 1, 10): {"CM-SPAM": 0.32, "Gap-BIDE corrected": 0.24},
    ("c1", 2, 20): {"CM-SPAM": 0.44},
    ("c10", 0, 10): {"CM-SPAM": 0.81, "Gap-BIDE corrected": 0.31},
    ("c10", 0, 3): {"CM-SPAM": 0.69, "Gap-BIDE corrected": 0.45},
    ("c10", 1, 20): {"CM-SPAM": 1.19, "Seq2Pat": 0.32, "Gap-BIDE corrected": 4.0},
    ("c10", 2, 40): {"CM-SPAM": 2.19, "Seq2Pat": 1.57, "Gap-BIDE corrected": 39.0},
    ("b20", 0, 10): {"CM-SPAM": 1.28, "Gap-BIDE corrected": 0.66},
    ("b20", 0, 3): {"CM-SPAM": 1.31},
    ("b20", 1, 40): {"CM-SPAM": 12.0, "Seq2Pat": 72.8},
    ("b20", 1, 20): {"CM-SPAM": 96.2},
    ("c100", 0, 40): {"CM-SPAM": 2.0, "Gap-BIDE corrected": 3.9},
    ("c100", 0, 3): {"CM-SPAM": 7.4, "Seq2Pat": 2.26, "Gap-BIDE corrected": 7.6},
    ("c100", 0, 2): {"n-gram dictionaries": 4.5},
    ("c100", 1, 200): {"CM-SPAM": 10.6, "Seq2Pat": 11.2, "Gap-BIDE corrected": 89.2},
    ("c100", 2, 400): {"CM-SPAM": 49.0, "Seq2Pat": 92.2},
}
MUST: dict[Row, dict[str, float]] = {
    ("c100", None, 740): {"CloFast": 20},
    ("c100", None, 760): {"CloFast": 20, "BIDE+": 300},
    ("c10", None, 62): {"CloFast": 10},
    ("c1", None, 36): {"CloFast": 15},
    ("b20", None, 160): {"CloFast": 25},
    ("t200", None, 1550): {"CloFast": 20},
    ("c100", 0, 3): {"CM-SPAM": 80, "Seq2Pat": 25, "Gap-BIDE corrected": 80},
    ("c100", 1, 200): {"CM-SPAM": 25, "Seq2Pat": 25, "Gap-BIDE corrected": 200},
    ("c100", 2, 400): {"CM-SPAM": 14},
    ("b20", 1, 20): {"CM-SPAM": 9},
}
STRETCH_S: dict[Row, float] = {
    ("c100", None, 740): 0.5,
    ("c100", None, 760): 0.10,
    ("c10", None, 62): 1.0,
    ("c1", None, 36): 0.4,
    ("b20", None, 160): 0.10,
    ("t200", None, 1550): 0.08,
    ("c100", 0, 3): 0.05,
    ("c100", 1, 200): 0.25,
    ("c100", 2, 400): 2.0,
    ("b20", 1, 20): 6,
    ("t200", 0, 2): 0.2,
}
STRETCH_MB: dict[Row, float] = {("c100", 2, 400): 1000}
TEN_MILLION_S = 3.0
