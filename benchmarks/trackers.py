"""Which tracker is best on singing: accuracy, voicing, speed and memory of every tracker in one run.

    python benchmarks/trackers.py [--corpora DIR] [--trackers NAME ...] [--set TRACKER.PARAMETER=VALUE ...]

Each tracker runs in a process of its own on one thread, on audio that is already decoded and resampled to its rate,
so CPU seconds are the tracker's alone. References are taken as annotated: `sight_singing` gives notes (a frame
reference every 10 ms, the note's pitch from onset to offset), `annotated_f0` gives frames. Measures are mir_eval's
(melody, 50 cents), averaged over recordings, with a bootstrap interval over recordings; a frame that a tracker leaves
unvoiced has no pitch and so counts as wrong in raw pitch accuracy. Two further tables say how far that carries: the
same on the odd recordings alone (parameters of `yin` were chosen on the even ones), and `annotated_f0` with
synthetic pink noise added. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")}
_CORPORA = ("annotated_f0", "sight_singing")
_MEASURES = {
    "RPA": "Raw Pitch Accuracy",
    "RCA": "Raw Chroma Accuracy",
    "recall": "Voicing Recall",
    "false alarm": "Voicing False Alarm",
    "overall": "Overall Accuracy",
}
_N_BOOTSTRAP = 5000
_SEED = 20
_MEMORY_BLOCK_S = 10.0
_SNR_DB = (20, 10)


@dataclass(frozen=True)
class Item:
    """A recording with its reference: times in s and f0 in Hz, 0 where unvoiced."""

    corpus: str
    name: str
    audio: Path
    times_s: Any
    f0_hz: Any


def read_corpus(root: Path, corpus: str) -> list[Item]:
    """Every recording of a corpus that its manifest names, with a frame reference."""
    import numpy as np
    import soundfile

    items = []
    with open(root / corpus / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        audio = root / corpus / row["path"]
        if row.get("f0"):
            table = np.loadtxt(root / corpus / row["f0"], delimiter=",", skiprows=1, ndmin=2)
            times_s, f0_hz = table[:, 0], table[:, 1]
        else:
            notes = np.loadtxt(root / corpus / row["notes"], delimiter=",", skiprows=1, ndmin=2)
            info = soundfile.info(audio)
            times_s = np.arange(0.0, info.frames / info.samplerate, 0.01)
            f0_hz = np.zeros(times_s.size)
            for onset_s, offset_s, midi in notes:
                f0_hz[(times_s >= onset_s) & (times_s < offset_s)] = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
        items.append(Item(corpus, row["path"], audio, times_s, f0_hz))
    return items


def load(item: Item, sample_rate_hz: int) -> Any:
    """Mono float32 at the tracker's rate."""
    import soundfile
    import soxr

    samples, rate = soundfile.read(item.audio, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return mono if rate == sample_rate_hz else soxr.resample(mono, rate, sample_rate_hz, quality="VHQ")


def with_noise(samples: Any, rate: int, snr_db: float) -> Any:
    """With pink noise up to 8 kHz, the same noise for every tracker; SNR over the whole recording."""
    import numpy as np
    import soxr

    n = round(samples.size * 16000 / rate)
    spectrum = np.fft.rfft(np.random.default_rng(_SEED).normal(size=n))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1))
    noise = np.fft.irfft(spectrum, n)
    noise = noise if rate == 16000 else soxr.resample(noise, 16000, rate, quality="VHQ")
    noise = np.resize(noise, samples.size)
    gain = np.sqrt(np.mean(samples.astype(np.float64) ** 2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    return (samples + gain * noise).astype(np.float32)


def run_one(root: Path, name: str, parameters: dict[str, Any], memory_minutes: float) -> dict[str, Any]:
    """Everything about one tracker, in this process."""
    import numpy as np

    from motifdb.pipelines.trackers import get_tracker

    tracker = get_tracker(name, parameters)
    rate = tracker.sample_rate_hz
    items = [item for corpus in _CORPORA for item in read_corpus(root, corpus)]
    warm_up = (0.1 * np.sin(2 * np.pi * 220 * np.arange(rate) / rate)).astype(np.float32)
    list(tracker.track([[warm_up]]))
    audio = [load(item, rate) for item in items]
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    tracks = list(tracker.track([[samples] for samples in audio]))
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    audio_s = sum(samples.size for samples in audio) / rate
    rss_mb = _peak_mb()
    if memory_minutes:
        list(tracker.track([_endless(audio, rate, memory_minutes * 60)]))
    long_rss_mb = _peak_mb()
    singing = [item for item in items if item.corpus == "annotated_f0"]
    noisy = {
        f"{snr_db} dB": [
            _score(item, next(iter(tracker.track([[with_noise(load(item, rate), rate, snr_db)]]))))
            for item in singing
        ]
        for snr_db in _SNR_DB
    }
    return {
        "name": name,
        "parameters": tracker.resolved_parameters(),
        "library": tracker.library,
        "licence": tracker.licence,
        "streams": tracker.streams_exactly,
        "audio_s": audio_s,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "rss_mb": rss_mb,
        "stream_extra_mb": long_rss_mb - rss_mb,
        "noisy": noisy,
        "rows": [_score(item, track) for item, track in zip(items, tracks, strict=True)],
    }


def _endless(recordings: list[Any], rate: int, length_s: float) -> Iterator[Any]:
    """The recordings one after the other, over and over, in blocks, until `length_s`; nothing is copied."""
    n_block = int(_MEMORY_BLOCK_S * rate)
    n_left = int(length_s * rate)
    while True:
        for samples in recordings:
            for start in range(0, samples.size, n_block):
                block = samples[start : min(start + n_block, start + n_left)]
                yield block
                n_left -= block.size
                if n_left <= 0:
                    return


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _score(item: Item, track: Any) -> dict[str, Any]:
    import mir_eval.melody
    import numpy as np

    times_s = track.start_s + track.hop_s * np.arange(track.f0_hz.size)
    f0_hz = track.f0_hz.astype(np.float64)
    scores = mir_eval.melody.evaluate(item.times_s, item.f0_hz, times_s, f0_hz)
    nearest = np.clip(np.round((item.times_s - track.start_s) / track.hop_s).astype(int), 0, f0_hz.size - 1)
    both = (item.f0_hz > 0) & (f0_hz[nearest] > 0)
    cents = 1200 * np.log2(f0_hz[nearest][both] / item.f0_hz[both])
    near = np.abs(cents) < 100
    return {
        "corpus": item.corpus,
        "name": item.name,
        "offset_cents": float(np.median(cents[near])) if near.any() else None,
        **{short: float(scores[long]) for short, long in _MEASURES.items()},
    }


def interval(values: Any) -> tuple[float, float, float]:
    """Mean over recordings and its bootstrap 95% interval."""
    import numpy as np

    values = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(_SEED).integers(0, values.size, (_N_BOOTSTRAP, values.size))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def report(results: list[dict[str, Any]]) -> None:
    """The tables."""
    for corpus in _CORPORA:
        _accuracy_table(corpus, {r["name"]: _rows(r, corpus) for r in results})
    for corpus in _CORPORA:
        odd = {r["name"]: _rows(r, corpus)[1::2] for r in results}
        _accuracy_table(f"{corpus}, odd recordings only", odd)
    for snr in results[0]["noisy"]:
        _accuracy_table(f"annotated_f0 with pink noise, {snr}", {r["name"]: r["noisy"][snr] for r in results})
    _paired_table(results)
    _cost_table(results)


def _accuracy_table(title: str, rows_by_tracker: dict[str, list[dict[str, Any]]]) -> None:
    import numpy as np

    n = len(next(iter(rows_by_tracker.values())))
    print(f"\n**{title}**, {n} recordings, mean [95% interval]\n")
    print("| tracker | " + " | ".join(_MEASURES) + " | median offset, cents |")
    print("|---|" + "---|" * (len(_MEASURES) + 1))
    for name, rows in rows_by_tracker.items():
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*interval([row[m] for row in rows])) for m in _MEASURES]
        offsets = [row["offset_cents"] for row in rows if row["offset_cents"] is not None]
        print(f"| {name} | " + " | ".join(cells) + f" | {np.median(offsets):+.1f} |")


def _paired_table(results: list[dict[str, Any]]) -> None:
    import numpy as np

    best = max(results, key=lambda r: np.mean([interval(_of(r, c, "overall"))[0] for c in _CORPORA]))
    print(f"\n**Paired difference to {best['name']}**, mean over recordings [95% interval]\n")
    print("| tracker | " + " | ".join(f"{c}: {m}" for c in _CORPORA for m in ("RPA", "overall")) + " |")
    print("|---|" + "---|" * (2 * len(_CORPORA)))
    for result in results:
        if result is best:
            continue
        cells = [
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*interval(_of(result, c, m) - _of(best, c, m)))
            for c in _CORPORA
            for m in ("RPA", "overall")
        ]
        print(f"| {result['name']} | " + " | ".join(cells) + " |")


def _cost_table(results: list[dict[str, Any]]) -> None:
    minutes = results[0]["audio_s"] / 60
    print(f"\n**Cost on one core**, {minutes:.1f} min of audio\n")
    print(
        "| tracker | x real time (CPU) | peak RSS, MB | more for a long stream, MB | streams exactly | library | licence |"
    )
    print("|---|---|---|---|---|---|---|")
    for r in results:
        print(
            f"| {r['name']} | {r['audio_s'] / r['cpu_s']:.0f} | {r['rss_mb']:.0f} | {r['stream_extra_mb']:.0f} |"
            f" {'yes' if r['streams'] else 'no'} | {r['library']} | {r['licence']} |"
        )
    print("\n" + machine())


def _rows(result: dict[str, Any], corpus: str) -> list[dict[str, Any]]:
    return [row for row in result["rows"] if row["corpus"] == corpus]


def _of(result: dict[str, Any], corpus: str, measure: str) -> Any:
    import numpy as np

    return np.array([row[measure] for row in _rows(result, corpus)])


def machine() -> str:
    """One line on where this ran."""
    model = "unknown CPU"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = models[0] if models else model
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"Machine: {model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; load average {load}."


def parse_settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """``yin.octave_cost=0.15`` as {"yin": {"dip_threshold": 0.15}}."""
    out: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        tracker, _, parameter = name.partition(".")
        out.setdefault(tracker, {})[parameter] = tomllib.loads(f"v = {value}")["v"]
    return out


def main() -> None:
    """Run every tracker in a child process, then print the tables."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path(os.environ.get("MOTIFDB_CORPORA", shared)))
    parser.add_argument("--trackers", nargs="+", default=["melodia", "swift-f0", "yin"])
    parser.add_argument("--set", nargs="*", default=[], help="such as yin.octave_cost=0.15")
    parser.add_argument(
        "--memory-minutes", type=float, default=30.0, help="length of the long stream; 0 is off"
    )
    parser.add_argument("--json", type=Path, help="keep the scores of every recording here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    settings = parse_settings(arguments.set)
    if arguments.child:
        print(
            json.dumps(
                run_one(
                    arguments.corpora,
                    arguments.child,
                    settings.get(arguments.child, {}),
                    arguments.memory_minutes,
                )
            )
        )
        return
    missing = [c for c in _CORPORA if not (arguments.corpora / c / "manifest.csv").is_file()]
    if missing:
        sys.exit(
            f"{arguments.corpora} lacks {', '.join(missing)}; set MOTIFDB_CORPORA to the folder that holds them"
        )
    results = []
    for name in arguments.trackers:
        command = [sys.executable, __file__, "--corpora", str(arguments.corpora), "--child", name]
        command += ["--memory-minutes", str(arguments.memory_minutes), "--set", *arguments.set]
        done = subprocess.run(
            command, env={**os.environ, **_ONE_THREAD}, stdout=subprocess.PIPE, text=True, check=True
        )
        results.append(json.loads(done.stdout.splitlines()[-1]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    report(results)


if __name__ == "__main__":
    main()
