"""Read pitch tracks: one frequency a line, or tables of times and frequencies, plain or gzipped.

Conventions
-----------
0 Hz is unvoiced, and so is a negative value: in the convention of `mir_eval.melody` it is a guess at a frame
that the source calls unvoiced. An empty frequency cell beside a time is unvoiced; NaN, infinity and anything
that is no number is an error that names the line.

Times. A regular grid is kept frame by frame; its hop is (last - first) / (n - 1), snapped to the decimal number
or the ratio of a whole number of samples to a common sample rate that the printed digits allow, so that 10 ms is
0.01 and 256 samples at 44.1 kHz printed as 0.005805 is 256/44100. A regular grid with frames left out gets
unvoiced frames there. Any other grid is resampled to its median hop: each frame takes the value of the
nearest one in time, and is unvoiced where that is further than 0.75 hops away (that is, in gaps of more than 1.5).
"""

from __future__ import annotations

import re
import zlib
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, UsageError
from motifdb.pipelines.inputs.f0_text import Layout, to_utf8
from motifdb.pipelines.inputs.sniff import Sniffed, shown
from motifdb.pipelines.records import PitchTrack

MAX_TEXT_BYTES = 1 << 29
"""512 MiB of text: two days of frames at 3 ms with their times."""

MAX_FRAMES = 100_000_000
LONGEST_HOP_S = 1.0
_SINGLE_FRAME_HOP_S = 0.01
_RATES_HZ = (44_100, 48_000, 16_000, 22_050, 8_000, 32_000, 96_000, 11_025)


class NeedsHop(UsageError):  # noqa: N818 - it is a question to the user, asked before work starts
    """A pitch track without times, and no ``--hop``."""

    def __init__(self, name: bytes) -> None:
        super().__init__(
            f"{shown(name)} holds frequencies without times; say the time between two of them with --hop, "
            "in seconds or as samples/rate, such as --hop 0.01 or --hop 128/44100"
        )
        self.name = name

    def __reduce__(self) -> tuple[type[NeedsHop], tuple[bytes]]:
        return NeedsHop, (self.name,)


def parse_hop(text: str) -> Fraction:
    """A hop from a command line, exactly.

    >>> parse_hop("128/44100"), parse_hop("0.01"), parse_hop("10ms")
    (Fraction(32, 11025), Fraction(1, 100), Fraction(1, 100))

    Raises
    ------
    UsageError
        for what is no number of seconds above 0 and up to 1.
    """
    cleaned = text.strip().lower()
    unit = Fraction(1)
    if cleaned.endswith("ms"):
        cleaned, unit = cleaned[:-2].rstrip(), Fraction(1, 1000)
    elif cleaned.endswith("s"):
        cleaned = cleaned[:-1].rstrip()
    try:
        if len(cleaned) > 40 or not re.fullmatch(r"[0-9.]+(e-?[0-9]{1,2})?(\s*/\s*[0-9.]+)?", cleaned):
            raise ValueError(cleaned)
        top, _, bottom = cleaned.partition("/")
        hop = Fraction(top.strip()) / Fraction(bottom.strip() or "1") * unit
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"--hop {text!r} is no time; give seconds or samples/rate, such as 0.01 or 128/44100"
        ) from None
    if not 0 < hop <= LONGEST_HOP_S:
        raise UsageError(f"--hop must be above 0 and at most {LONGEST_HOP_S:g} s, got {text!r}")
    return hop


def f0_text(content: bytes | memoryview, name: bytes = b"the file") -> bytes:
    """The text of a pitch track, whose hash is its recording_id: decompressed where it is gzip.

    Raises
    ------
    InputError
        ``truncated-gzip``, ``damaged-gzip``, or ``too-large`` above `MAX_TEXT_BYTES`, found without making more.
    """
    data = bytes(content)
    if data[:2] != b"\x1f\x8b":
        if len(data) > MAX_TEXT_BYTES:
            raise _too_large(name)
        return data
    parts: list[bytes] = []
    n_bytes = 0
    while data[:2] == b"\x1f\x8b":  # gzip files may be joined; zero padding after them is common
        inflate = zlib.decompressobj(31)
        try:
            part = inflate.decompress(data, MAX_TEXT_BYTES + 1 - n_bytes)
        except zlib.error:
            raise InputError("damaged-gzip", f"{shown(name)} is damaged gzip; copy it again") from None
        n_bytes += len(part)
        if n_bytes > MAX_TEXT_BYTES:
            raise _too_large(name)
        if not inflate.eof:
            raise InputError("truncated-gzip", f"{shown(name)} is gzip that ends too early; copy it again")
        parts.append(part)
        data = inflate.unused_data.lstrip(b"\x00")
    return b"".join(parts) if len(parts) != 1 else parts[0]


def _too_large(name: bytes) -> InputError:
    return InputError(
        "too-large", f"{shown(name)} is more than {MAX_TEXT_BYTES >> 20} MiB of text; cut it into parts"
    )


def read_f0(
    content: bytes | memoryview,
    sniffed: Sniffed,
    hop_s: Fraction | float | None = None,
    name: bytes = b"the file",
) -> PitchTrack:
    """Read a pitch track.

    Parameters
    ----------
    content : the file's bytes, or what `f0_text` made of them
    sniffed : what `sniff` said of it
    hop_s : time between frames, for tracks without times
    name : for error sentences

    Raises
    ------
    NeedsHop
        where the file says no times and `hop_s` is None.
    InputError
        ``bad-number``, ``bad-times``, ``empty`` and what `f0_text` raises.
    """
    if sniffed.layout is None:
        raise InputError(
            "not-f0", f"{shown(name)} is no pitch track; it was recognised as {sniffed.container}"
        )
    layout = sniffed.layout
    if layout.time is None and hop_s is None:
        raise NeedsHop(name)
    text = to_utf8(f0_text(content, name))
    columns = _columns(text, layout, name)
    f0_hz = columns[layout.f0]
    if not f0_hz.size:
        raise InputError(
            "empty", f"{shown(name)} is a pitch track without frames; copy it again or remove it"
        )
    voiced = f0_hz > 0
    if layout.voiced is not None:
        voiced &= columns[layout.voiced] > 0
    values = np.where(voiced, f0_hz, 0.0).astype(np.float32)
    confidence = np.zeros(0, dtype=np.float32)
    if layout.confidence is not None:
        given = columns[layout.confidence]
        if (
            given.min() >= 0 and given.max() <= 1
        ):  # else a salience on some scale of its own: not a confidence
            confidence = given.astype(np.float32)
    if layout.time is None:
        assert hop_s is not None
        return PitchTrack(values, confidence, float(hop_s), 0.0)
    return _on_grid(columns[layout.time] * layout.time_unit_s, values, confidence, hop_s, text, layout, name)


def _columns(text: bytes, layout: Layout, name: bytes) -> dict[int, NDArray[np.float64]]:
    """The wanted columns as finite numbers."""
    import pyarrow as pa
    from pyarrow import csv

    body = _body(text, layout)
    wanted = [i for i in (layout.time, layout.f0, layout.confidence, layout.voiced) if i is not None]
    if not body:
        return {i: np.zeros(0) for i in wanted}
    types = {str(i): pa.float64() for i in wanted}
    if layout.voiced is not None:
        types[str(layout.voiced)] = pa.string()
    try:
        table = csv.read_csv(
            pa.BufferReader(body),
            read_options=csv.ReadOptions(use_threads=False, column_names=[str(i) for i in range(layout.n_columns)]),
            parse_options=csv.ParseOptions(
                delimiter="\t" if layout.delimiter == " " else layout.delimiter,
                ignore_empty_lines=layout.time is not None,
            ),
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=[""], strings_can_be_null=False,
                decimal_point=layout.decimal_point,
            ),
        )  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        raise _bad_line(text, layout, name) from None
    out: dict[int, NDArray[np.float64]] = {}
    for i in wanted:
        column = table.column(str(i))
        if i == layout.voiced:
            out[i] = _flags(column.to_pylist())
        else:
            if column.null_count and i == layout.f0 and layout.time is not None:
                column = column.fill_null(0.0)
            out[i] = column.to_numpy()
        if not np.isfinite(out[i]).all():
            raise _bad_line(text, layout, name)
    return out


def _body(text: bytes, layout: Layout) -> bytes:
    """The text from its first frame on, blank lines at its end removed, runs of blanks made one tab."""
    at = 0
    for _ in range(layout.n_skipped):
        ends = [end for end in (text.find(b"\n", at), text.find(b"\r", at)) if end >= 0]
        if not ends:
            return b""
        end = min(ends)
        at = end + (2 if text[end : end + 2] == b"\r\n" else 1)
    body = text[at:].rstrip()
    if layout.delimiter == " ":
        body = re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", body)
        body = re.sub(rb"[ \t]+", b"\t", body)
    return body


_FLAGS = {"true": 1.0, "false": 0.0, "t": 1.0, "f": 0.0, "yes": 1.0, "no": 0.0, "": 0.0}


def _flag(cell: str) -> float:
    known = _FLAGS.get(cell.strip().lower())
    try:
        return float(cell) if known is None else known
    except ValueError:
        return np.nan


def _flags(cells: list[str | None]) -> NDArray[np.float64]:
    return np.array([_flag(cell or "") for cell in cells], dtype=np.float64)


def _bad_line(text: bytes, layout: Layout, name: bytes) -> InputError:
    """Find the first line that holds no frame; slow and plain, as it runs only once something is wrong."""
    wanted = [i for i in (layout.time, layout.f0, layout.confidence, layout.voiced) if i is not None]
    lines = text.decode("utf-8", "replace").rstrip().splitlines()
    for number, line in enumerate(lines[layout.n_skipped :], start=layout.n_skipped + 1):
        if not line.strip():
            if layout.time is None:
                return InputError(
                    "bad-number", f"line {number} of {shown(name)} is empty; write 0 where nothing is sung"
                )
            continue
        cells = (
            [line]
            if layout.n_columns == 1
            else line.split()
            if layout.delimiter == " "
            else line.split(layout.delimiter)
        )
        if len(cells) != layout.n_columns:
            return InputError(
                "bad-number",
                f"line {number} of {shown(name)} has {len(cells)} columns where {layout.n_columns} are expected; correct the file",
            )
        for i in wanted:
            cell = cells[i].strip().strip('"').strip()
            if i == layout.voiced:
                value = _flag(cell)
            elif not cell and i == layout.f0 and layout.time is not None:
                continue
            else:
                try:
                    value = np.nan if "_" in cell else float(cell.replace(layout.decimal_point, "."))
                except ValueError:
                    value = np.nan
            if not np.isfinite(value):
                return InputError(
                    "bad-number",
                    f"line {number} of {shown(name)} holds {cell[:40]!r} where a finite number is expected; "
                    "correct it, 0 standing for unvoiced",
                )
    return InputError("bad-number", f"{shown(name)} cannot be read as a table of numbers; correct the file")


def _on_grid(
    times_s: NDArray[np.float64],
    f0_hz: NDArray[np.float32],
    confidence: NDArray[np.float32],
    hop_s: Fraction | float | None,
    text: bytes,
    layout: Layout,
    name: bytes,
) -> PitchTrack:
    start_s = float(times_s[0])
    if times_s.size == 1:
        return PitchTrack(f0_hz, confidence, float(hop_s or _SINGLE_FRAME_HOP_S), start_s)
    steps_s = np.diff(times_s)
    if steps_s.min() <= 0:
        frame = int(np.argmax(steps_s <= 0)) + 1
        raise InputError(
            "bad-times",
            f"the times of {shown(name)} do not rise: {times_s[frame]:g} s follows {times_s[frame - 1]:g} s "
            f"in line {_line_of_frame(text, layout, frame)}; sort it or correct it",
        )
    median_s = float(np.median(steps_s))
    if median_s > LONGEST_HOP_S or (times_s[-1] - start_s) / median_s > MAX_FRAMES:
        raise InputError(
            "bad-times",
            f"the times of {shown(name)} run from {start_s:g} s to {times_s[-1]:g} s in steps of {median_s:g} s, "
            "which is no pitch track; correct the time column",
        )
    grid = _regular_grid(times_s, steps_s, median_s)
    if grid is not None:
        index, exact_s = grid
        if index.size == index[-1] + 1:
            return PitchTrack(f0_hz, confidence, exact_s, start_s)
        n_frames = int(index[-1]) + 1
        return PitchTrack(
            _spread(f0_hz, index, n_frames), _spread(confidence, index, n_frames), exact_s, start_s
        )
    n_frames = int(np.floor((times_s[-1] - start_s) / median_s + 1e-6)) + 1
    wanted_s = start_s + np.arange(n_frames) * median_s
    after = np.clip(np.searchsorted(times_s, wanted_s), 1, times_s.size - 1)
    nearest = np.where(wanted_s - times_s[after - 1] <= times_s[after] - wanted_s, after - 1, after)
    is_near = np.abs(times_s[nearest] - wanted_s) <= 0.75 * median_s
    kept = [np.where(is_near, v[nearest], np.float32(0)) if v.size else v for v in (f0_hz, confidence)]
    return PitchTrack(kept[0], kept[1], median_s, start_s)


def _regular_grid(
    times_s: NDArray[np.float64], steps_s: NDArray[np.float64], median_s: float
) -> tuple[NDArray[np.int64], float] | None:
    """Frame numbers and hop, where every time lies within a tenth of a hop (or a printed digit) of one grid."""
    counts = np.rint(steps_s / median_s).astype(np.int64)
    if counts.min() < 1:
        return None
    index = np.concatenate(([0], np.cumsum(counts)))
    estimate_s = (times_s[-1] - times_s[0]) / float(index[-1])
    digit_s = _last_digit_s(times_s)
    tolerance_s = max(0.1 * estimate_s, min(digit_s, 0.5 * estimate_s))
    if np.abs(times_s - times_s[0] - index * estimate_s).max() > tolerance_s:
        return None
    return index, snap_hop(float(estimate_s), digit_s / float(index[-1]))


def _last_digit_s(times_s: NDArray[np.float64]) -> float:
    """The unit of the last printed digit of times, at least 1 ns."""
    sample = times_s[:1000]
    for digits in range(9):
        scaled = sample * 10.0**digits
        if np.abs(scaled - np.rint(scaled)).max() < 1e-4:
            return float(10.0**-digits)
    return 1e-9


def snap_hop(estimate_s: float, error_s: float) -> float:
    """The plainest hop within an error: fewest decimals, else whole samples at a common rate, else the estimate.

    >>> snap_hop(0.010000000001, 1e-9)
    0.01
    >>> snap_hop(0.00580498871, 2e-10) == 256 / 44100
    True
    """
    error_s = max(error_s, 1e-12)
    candidates = [round(estimate_s, digits) for digits in range(1, 7)]
    candidates += [round(estimate_s * rate_hz) / rate_hz for rate_hz in _RATES_HZ]
    return next((c for c in candidates if c > 0 and abs(c - estimate_s) <= error_s), estimate_s)


def _spread(values: NDArray[np.float32], index: NDArray[np.int64], n_frames: int) -> NDArray[np.float32]:
    if not values.size:
        return values
    out = np.zeros(n_frames, dtype=np.float32)
    out[index] = values
    return out


def _line_of_frame(text: bytes, layout: Layout, frame: int) -> int:
    lines = text.decode("utf-8", "replace").splitlines()
    filled = [n for n, line in enumerate(lines, start=1) if n > layout.n_skipped and line.strip()]
    return filled[frame] if frame < len(filled) else len(lines)
