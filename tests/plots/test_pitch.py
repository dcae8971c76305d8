"""Pictures show what they are given: the right lines, spans, labels and axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motifdb.errors import UsageError
from motifdb.plots import (
    PitchCurve,
    Segments,
    canvas,
    motif_figure,
    note_name,
    plot_family,
    plot_motif,
    plot_recording,
)
from motifdb.plots.glyphs import curve_lines
from motifdb.plots.overlay import align
from motifdb.plots.shares import RecallCurve, plot_recall
from motifdb.plots.spark import spark_svg
from motifdb.plots.warping import BAND, warped_places


def curve(
    length_s: float = 2.0, transposed_cents: float = 0.0, start_s: float = 0.0, label: str = ""
) -> PitchCurve:
    """Three notes with a short gap after the first."""
    share = np.linspace(0.0, 1.0, 200)
    cents = np.select([share < 0.3, share < 0.7], [0.0, 400.0], 200.0) + transposed_cents
    f0_hz = np.where((share > 0.28) & (share < 0.32), 0.0, 440.0 * 2 ** (cents / 1200))
    return PitchCurve(start_s + share * length_s, f0_hz, label)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved while a test runs."""
    figures: list[Any] = []
    save = canvas.save

    def keep(figure: Any, target: Path, title: str) -> None:
        figures.append(figure)
        save(figure, target, title)

    monkeypatch.setattr(canvas, "save", keep)
    return figures


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_suffix_says_the_format(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / "new" / f"motif.{suffix}"
    plot_motif([curve()], target)
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert target.read_bytes().startswith(magic[suffix])


def test_transposed_and_slower_occurrences_lie_on_each_other(tmp_path: Path, drawn: list[Any]) -> None:
    occurrences = [curve(2.0, label="a"), curve(3.0, 700.0, 40.0, "b"), curve(2.5, -500.0, 9.0, "c")]
    plot_motif(occurrences, tmp_path / "m.png", title="+4 -4")
    (axis,) = drawn[0].axes
    lines = [line for line in axis.lines if line.get_label() in ("a", "b", "c")]
    assert len(lines) == 3
    for line in lines[1:]:
        np.testing.assert_allclose(line.get_xdata(), lines[0].get_xdata(), atol=1e-9)
        np.testing.assert_allclose(line.get_ydata(), lines[0].get_ydata(), atol=1e-6)
    assert axis.get_xlim() == (0.0, 2.5)
    assert "seconds" in axis.get_xlabel() and "cents" in axis.get_ylabel()
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["a", "b", "c"]
    assert drawn[0].get_suptitle() == "+4 -4"


def test_many_occurrences_are_summed_up_by_their_median(tmp_path: Path, drawn: list[Any]) -> None:
    rng = np.random.default_rng(1)
    plot_motif([curve(2.0, float(t)) for t in rng.normal(0, 300, 300)], tmp_path / "m.png")
    (axis,) = drawn[0].axes
    texts = [t.get_text() for t in axis.get_legend().get_texts()]
    assert texts == ["middle 80 %", "median of 300 occurrences"]
    median = next(line for line in axis.lines if line.get_label() == texts[1])
    levels = median.get_ydata()
    assert set(np.round(levels[~np.isnan(levels)])) == {-200.0, 0.0, 200.0}
    assert len(axis.lines) == 301


def test_a_recording_is_broken_into_rows_with_its_spans(tmp_path: Path, drawn: list[Any]) -> None:
    times_s = np.arange(0, 95, 0.01)
    recording = PitchCurve(times_s, np.where(times_s % 7 < 5, 220.0, 0.0), "song.wav")
    spans = {"+1 -1": [(1.0, 2.0), (1.5, 3.0), (90.0, 92.0)], "-4 +4": [(40.0, 41.0)]}
    plot_recording(recording, spans, tmp_path / "r.png")
    axes = drawn[0].axes
    assert len(axes) == 3
    assert [axis.get_xlim()[0] for axis in axes] == pytest.approx([0.0, 31.663, 63.327], abs=0.01)
    n_bars = [sum(len(c.get_paths()) for c in axis.collections) for axis in axes]
    assert n_bars == [2, 1, 1]
    assert [len(axis.patches) for axis in axes] == [1, 1, 1], "overlapping spans are shaded once"
    assert [t.get_text() for t in axes[0].get_legend().get_texts()] == list(spans)
    assert "A3" in [t.get_text() for t in axes[0].get_yticklabels()]
    assert "seconds" in axes[-1].get_xlabel() and "note" in axes[0].get_ylabel()


def test_what_cannot_be_told_apart_shares_a_lane(tmp_path: Path, drawn: list[Any]) -> None:
    spans = {f"motif {i}": [(0.1 * i, 0.1 * i + 0.5)] for i in range(20)}
    plot_recording(curve(20.0), spans, tmp_path / "r.png")
    texts = [t.get_text() for t in drawn[0].axes[0].get_legend().get_texts()]
    assert len(texts) == 8 and texts[-1] == "13 further motifs"


def test_a_motif_above_its_recording(tmp_path: Path, drawn: list[Any]) -> None:
    plot_motif([curve()], tmp_path / "m.png", recording=curve(70.0, label="song.wav"), spans=[(3.0, 5.0)])
    assert len(drawn[0].axes) == 3
    unvoiced = PitchCurve(np.arange(3.0), np.zeros(3))
    plot_motif([curve(), unvoiced], tmp_path / "m.png", recording=unvoiced)
    assert len(drawn[1].axes) == 2


def test_what_cannot_be_drawn_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name it \.png, \.svg, \.pdf"):
        plot_motif([curve()], tmp_path / "m.pnh")
    with pytest.raises(UsageError, match="no occurrence has a voiced frame"):
        plot_motif([PitchCurve(np.arange(3.0), np.zeros(3))], tmp_path / "m.png")
    with pytest.raises(UsageError, match="no pitch frame"):
        plot_recording(PitchCurve(np.zeros(0), np.zeros(0)), {}, tmp_path / "m.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        plot_motif([curve()], tmp_path / "file" / "m.png")
    with pytest.raises(ValueError, match="one length"):
        PitchCurve(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize(
    ("cents", "name"), [(0, "A4"), (-900, "C4"), (-1000, "B3"), (300, "C5"), (-49, "A4")]
)
def test_note_names(cents: float, name: str) -> None:
    assert note_name(cents) == name


def test_glitches_do_not_press_the_melody_into_a_line(tmp_path: Path, drawn: list[Any]) -> None:
    sung = curve(2.0)
    slipped = sung.f0_hz.copy()
    slipped[120:124] = 33.0
    plot_motif([sung, PitchCurve(sung.times_s, slipped)], tmp_path / "m.png", recording=sung)
    low, high = drawn[0].axes[0].get_ylim()
    steady = sung.cents[sung.f0_hz > 0] - np.nanmedian(sung.cents)
    assert low <= steady.min() and steady.max() <= high, "all that is sung is shown"
    assert high - low < 1500, "33 Hz would be 44 semitones below"


def test_recall_over_strength_has_a_line_each_with_its_interval(tmp_path: Path, drawn: list[Any]) -> None:
    planted, half = np.array([3, 6]), np.array([0.5, 1.0])
    both = [
        RecallCurve(planted, half, half - 0.25, np.minimum(half + 0.25, 1.0), f"{n} symbols") for n in (4, 8)
    ]
    plot_recall(both, tmp_path / "p.png")
    (axis,) = drawn[0].axes
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["4 symbols", "8 symbols"]
    assert axis.get_xticks().tolist() == [3, 6]
    assert "planted occurrences" in axis.get_xlabel() and "q < 0.05 (95 % interval)" in axis.get_ylabel()
    bars = [c for c in axis.collections if len(c.get_segments()) == 2]
    spans = [(a[1], b[1]) for c in bars for a, b in c.get_segments()]
    assert spans == [(0.25, 0.75), (0.75, 1.0)] * 2
    nothing = RecallCurve(*(np.zeros(0),) * 4, "none")
    with pytest.raises(UsageError, match="no motif was planted"):
        plot_recall([nothing], tmp_path / "p.png")
    with pytest.raises(ValueError, match="one length"):
        RecallCurve(planted, half[:1], half, half, "")


def segmented(
    starts_s: list[float], ends_s: list[float], cents: list[float], symbols: list[int]
) -> PitchCurve:
    """A curve that is at its segments' levels and silent between them."""
    times_s = np.arange(starts_s[0], ends_s[-1], 0.01)
    f0_hz = np.zeros(times_s.size)
    for start_s, end_s, level in zip(starts_s, ends_s, cents, strict=True):
        f0_hz[(times_s >= start_s) & (times_s < end_s)] = 440.0 * 2 ** (level / 1200)
    own = Segments(np.array(starts_s), np.array(ends_s), np.array(cents), np.array(symbols))
    return PitchCurve(times_s, f0_hz, f"at {starts_s[0]:.0f} s", own)


def test_segments_lie_on_each_other_however_long_each_is_held(tmp_path: Path, drawn: list[Any]) -> None:
    occurrences = [
        segmented([0.0, 1.0, 1.5], [1.0, 1.4, 2.0], [0.0, 200.0, 100.0], [2, -1]),
        segmented([10.0, 10.2, 11.2], [10.2, 11.2, 11.7], [300.0, 500.0, 400.0], [2, -1]),
        segmented([20.0, 20.6, 21.3], [20.6, 21.2, 21.9], [0.0, 200.0, 100.0], [2, -1]),
    ]
    aligned = align(occurrences)
    np.testing.assert_allclose(aligned.marks_s, [0.0, 0.6, 1.3, 1.8])
    np.testing.assert_allclose(aligned.ends_s, [0.6, 1.2, 1.8])
    np.testing.assert_allclose(np.diff(aligned.levels_cents), [200.0, -100.0])
    middle = aligned.middle(180)[1]
    for share, step in ((0.1, 0), (0.5, 1), (0.9, 2)):
        assert middle[round(share * 180)] == pytest.approx(aligned.levels_cents[step], abs=1e-6)
    plot_motif(occurrences, tmp_path / "m.png", symbols=(2, -1), n_all=3)
    (axis,) = drawn[0].axes
    assert [t.get_text() for t in axis.texts] == ["+2", "−1"]
    assert [t.xy[0] for t in axis.texts] == pytest.approx([0.6, 1.3])
    assert "each segment stretched" in axis.get_xlabel()


def test_segments_of_other_numbers_are_not_forced_onto_each_other() -> None:
    two = segmented([0.0, 1.0], [1.0, 2.0], [0.0, 200.0], [2])
    three = segmented([0.0, 1.0, 1.5], [1.0, 1.4, 2.0], [0.0, 200.0, 100.0], [2, -1])
    assert align([two, three]).marks_s.size == 0
    with pytest.raises(ValueError, match="one symbol less"):
        Segments(np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="one length"):
        Segments(np.zeros(2), np.zeros(1), np.zeros(2), np.zeros(1, np.int64))


def test_a_family_lies_over_its_exemplar(tmp_path: Path, drawn: list[Any]) -> None:
    members = [curve(2.0, label="at 1 s"), curve(3.0, 650.0, 40.0), curve(2.5, 10.0, 9.0)]
    plot_family(members, 0, tmp_path / "f.png", transpositions=[0.0, 650.0, 10.0])
    (axis,) = drawn[0].axes
    face = next(line for line in axis.lines if line.get_label() == "exemplar, at 1 s")
    assert face.get_linewidth() > 2
    level = np.nanmedian(members[0].cents)
    for i, line in enumerate(line for line in axis.lines if len(line.get_xdata()) > 100 and line is not face):
        cents = members[i + 1].cents - [650.0, 10.0][i] - level
        np.testing.assert_allclose(line.get_ydata(), cents, atol=1e-6)
    assert "the exemplar's" in axis.get_ylabel()
    plot_family(members, 0, tmp_path / "f.png")
    assert "time warping" in axis.get_xlabel()
    with pytest.raises(UsageError, match="no member has a voiced frame"):
        plot_family([PitchCurve(np.arange(3.0), np.zeros(3))], 0, tmp_path / "f.png")


def test_a_sample_of_occurrences_says_of_how_many(tmp_path: Path, drawn: list[Any]) -> None:
    plot_motif([curve(2.0, float(t)) for t in range(8)], tmp_path / "m.png", n_all=1200)
    texts = [t.get_text() for t in drawn[0].axes[0].get_legend().get_texts()]
    assert texts[1] == "median of 8 of 1,200 occurrences"


def test_symbols_that_would_touch_stand_on_other_levels(tmp_path: Path, drawn: list[Any]) -> None:
    starts_s = [0.0, 1.0, 1.02, 1.04, 1.06, 1.08, 5.0]
    ends_s = [*starts_s[1:], 6.0]
    recording = segmented(starts_s, ends_s, [0.0, 100, 0, 100, 0, 100, 0], [1, -1, 1, -1, 1, 0])
    plot_recording(recording, {}, tmp_path / "r.png")
    (axis,) = drawn[0].axes
    shown = [(t.get_text(), round(t.xyann[1], 1)) for t in axis.texts]
    assert [text for text, _ in shown] == ["+1", "−1", "+1"], (
        "a fourth level would hide the pitch; 0 is the end of a phrase"
    )
    assert len({level for _, level in shown}) == 3


def test_an_unvoiced_recording_says_so(tmp_path: Path, drawn: list[Any]) -> None:
    plot_recording(PitchCurve(np.arange(30.0), np.zeros(30)), {}, tmp_path / "r.png")
    assert [t.get_text() for t in drawn[0].axes[0].texts] == ["no voiced frame"]


def test_a_figure_stands_in_a_page_by_itself() -> None:
    hostile = 'a "b" <script> & $x$'
    figure = motif_figure([curve(label="at 1 s")], recording=curve(20.0, label=hostile), spans=[(1.0, 2.0)])
    text = canvas.svg_text(figure, hostile)
    assert text.startswith("<svg") and text.endswith("</svg>") and "<!DOCTYPE" not in text
    assert "<script>" not in text and 'aria-label="a &quot;b&quot; &lt;script&gt; &amp; $x$"' in text
    assert ">pitch (note)</text>" in text, "text stays text"
    assert canvas.png_bytes(figure, 40).startswith(b"\x89PNG")


def test_a_curve_in_the_terminal() -> None:
    rise = np.linspace(0.0, 100.0, 400)
    lines = curve_lines(rise, 0.0, 100.0, 20, 5)
    assert [len(line) for line in lines] == [20] * 5
    first = [next(i for i, c in enumerate(line) if c != " ") for line in lines]
    assert first == sorted(first, reverse=True) and first[-1] == 0, "it rises"
    gap = np.r_[np.zeros(40), np.full(40, np.nan), np.zeros(40)]
    flat = curve_lines(gap, -1.0, 1.0, 12, 3, is_unicode=False)
    assert [line.strip() for line in flat] == ["", "''''    ''''", ""] or flat[1].count(" ") == 4
    assert "".join(flat).isascii()
    assert curve_lines(np.full(5, np.nan), 0.0, 1.0, 4, 2) == ["    ", "    "]


def test_a_small_svg_has_its_axes() -> None:
    text = spark_svg(np.array([0.0, 100.0, np.nan, 50.0]), (2.0, 3.5), alt='"x"<')
    assert text.count("<polyline") == 2 and ">2.0 s<" in text and ">3.5 s<" in text
    assert 'aria-label="&quot;x&quot;&lt;"' in text and ">+100 c<" in text
    assert ">A4<" in spark_svg(np.array([0.0, -300.0]), (0.0, 1.0), alt="x", is_notes=True)


def test_warping_lays_a_variant_on_its_exemplar() -> None:
    """Against a plain table: the path is the cheapest there is, and undoes a known bend of time."""
    rng = np.random.default_rng(3)
    n = 40
    onto = np.cumsum(rng.normal(0, 30, n))
    bend = np.clip(np.round(np.linspace(0, 1, n) ** 1.3 * (n - 1)), 0, n - 1).astype(int)
    variants = np.stack([onto[bend], onto + rng.normal(0, 5, n), onto])
    places = warped_places(variants, onto)
    assert np.abs(places[0] - bend)[1:-1].max() <= 1.5
    np.testing.assert_array_equal(places[2], np.arange(n))
    assert np.all(np.diff(places, axis=1) >= 0) and places.min() >= 0 and places.max() <= n - 1
    cost = np.abs(variants[:, :, None] - onto)
    for k in range(2):
        table = np.full((n + 1, n + 1), np.inf)
        table[0, 0] = 0.0
        for i in range(n):
            for j in range(n):
                if abs(i - j) <= int(np.ceil(BAND * n)):
                    c = cost[k, i, j]
                    table[i + 1, j + 1] = min(table[i, j] + 2 * c, table[i, j + 1] + c, table[i + 1, j] + c)
        laid = float(np.abs(variants[k] - np.interp(places[k], np.arange(n), onto)).sum())
        assert laid <= table[n, n] + 1e-9


def test_a_trackers_slips_do_not_press_many_curves_into_a_line(tmp_path: Path, drawn: list[Any]) -> None:
    curves = [curve(2.0) for _ in range(40)]
    for i in range(3):
        slipped = curves[i].f0_hz.copy()
        slipped[20:150] *= 4
        curves[i] = PitchCurve(curves[i].times_s, slipped)
    plot_motif(curves, tmp_path / "m.png")
    low, high = drawn[0].axes[0].get_ylim()
    assert low < -200 and 200 < high < 1000
