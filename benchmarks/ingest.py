"""What ingest costs beside a bare loop of the same tracker, where f0 text spends its time, and how memory grows.

    python benchmarks/ingest.py [--corpus DIR] [--minutes M] [--tracker NAME] [--only audio|text|memory]

Audio: the bare loop reads a file with soundfile or av, mixes, resamples and tracks, nothing else. Ingest decodes in its
child process, tracks, quantises, mines, tests and commits. Both run in this process on the same files, in turn; Ray's
start is not counted but shown. A worker's share is throughput over that of the bare loop, divided by the workers.
Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from motifdb.catalog.store import create, open_writer
from motifdb.config import Config, PitchConfig, preset
from motifdb.pipelines.demo_corpus import make_demo_corpus
from motifdb.pipelines.engine import RayEngine
from motifdb.pipelines.ingest import Options, Report, ingest
from motifdb.pipelines.inputs.discover import discover
from motifdb.pipelines.inputs.resample import resampled
from motifdb.pipelines.progress import Quiet
from motifdb.pipelines.trackers import get_tracker

AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff")


def corpora_root() -> Path:
    """`MOTIFDB_CORPORA`, else a folder `shared/data` beside the checkout."""
    named = os.environ.get("MOTIFDB_CORPORA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def cpu_s() -> float:
    """CPU seconds of this process and of children that ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(r.ru_utime + r.ru_stime for r in both)


def read_plainly(path: Path) -> tuple[np.ndarray, int]:
    """A file as mono float32 and its rate, by soundfile, or by av where that refuses."""
    import av
    import soundfile

    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return sound.mean(axis=1), rate
    except soundfile.LibsndfileError:
        with av.open(str(path)) as file:
            stream = file.streams.audio[0]
            planar = av.AudioResampler(format="fltp")
            parts = [f.to_ndarray() for packet in file.decode(stream) for f in planar.resample(packet)]
            return np.concatenate(parts, axis=1).mean(axis=0), stream.rate


def bare_loop(paths: list[Path], tracker_name: str) -> float:
    """Seconds of audio tracked, one file after the other."""
    tracker = get_tracker(tracker_name)
    total_s = 0.0
    for path in paths:
        sound, rate = read_plainly(path)
        total_s += len(sound) / rate
        (_,) = tracker.track([resampled([sound.astype(np.float32)], rate, tracker.sample_rate_hz)])
    return total_s


def run_ingest(
    folder: Path, config: Config, engine: str, workers: int, hop: Fraction | None = None
) -> tuple[Report, Path]:
    """Ingest into a new database."""
    path = Path(tempfile.mkdtemp(prefix="motifdb-bench-")) / "b.motifdb"
    create(path)
    with open_writer(path) as writer:
        report = ingest(Options((folder,), config, engine=engine, workers=workers, hop=hop), writer, Quiet())
    return report, path


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """Wall seconds, CPU seconds, result."""
    wall, cpu = time.perf_counter(), cpu_s()
    result = work()
    return time.perf_counter() - wall, cpu_s() - cpu, result


def choose(corpus: Path, minutes: float, into: Path) -> list[Path]:
    """Links to files of a corpus, spread over it, of about so many minutes (guessed at 12 kB a second)."""
    found = [f.path for f in discover([corpus]) if f.path.suffix.lower() in AUDIO]
    step = max(1, round(sum(p.stat().st_size for p in found) / 12_000 / 60 / minutes))
    chosen = found[::step]
    for i, path in enumerate(chosen):
        os.symlink(path, into / f"{i:05d}{path.suffix}")
    return sorted(into.iterdir())


def audio(corpus: Path, tracker: str, minutes: float) -> None:
    """The bare loop, ingest in the process, Ray with one and two workers."""
    import ray

    folder = Path(tempfile.mkdtemp(prefix="motifdb-bench-"))
    paths = choose(corpus, minutes, folder)
    config = Config(name="bench", pitch=PitchConfig(tracker=tracker), contour=preset("default").contour)
    bare_loop(paths[:1], tracker)
    run_ingest(paths[0], config, "inline", 1)
    print(f"\n## Audio: {len(paths)} files of {corpus.name}, tracker {tracker}\n")
    print("| run | wall s | CPU s | x real time | per worker, of the bare loop |")
    print("|---|---|---|---|---|")

    def row(name: str, wall: float, cpu: float | None, share: str, seconds: float) -> None:
        said = "" if cpu is None else f"{cpu:.1f}"  # Ray's workers are not this process's children
        print(f"| {name} | {wall:.1f} | {said} | {seconds / wall:.1f} | {share} |", flush=True)

    before = timed(lambda: bare_loop(paths, tracker))
    inline = timed(lambda: run_ingest(folder, config, "inline", 1))
    after = timed(lambda: bare_loop(paths, tracker))
    seconds = float(before[2])  # type: ignore[arg-type]
    bare = (before[0] + after[0]) / 2
    row("bare loop, before", before[0], before[1], "", seconds)
    row("bare loop, after", after[0], after[1], "", seconds)
    row("ingest, in the process", inline[0], inline[1], f"{bare / inline[0]:.2f}", seconds)
    for workers in (1, 2):
        start = time.perf_counter()
        with RayEngine(workers):
            started = time.perf_counter() - start
            run_ingest(folder, config, "ray", workers)  # every worker loads what it needs
            wall, _, _ = timed(lambda w=workers: run_ingest(folder, config, "ray", w))
        name = f"ingest, Ray, {workers} worker{'s' * (workers > 1)} (start {started:.1f} s apart)"
        row(name, wall, None, f"{bare / wall / workers:.2f}", seconds)
    assert not ray.is_initialized()
    shutil.rmtree(folder)


def text(corpus: Path, hop: Fraction) -> None:
    """Where the time of f0 text goes, stage by stage, on one core."""
    from motifdb.ids import content_id
    from motifdb.pipelines.inputs.discover import read_content, read_head
    from motifdb.pipelines.inputs.f0 import f0_text, read_f0
    from motifdb.pipelines.inputs.sniff import sniff
    from motifdb.pipelines.stages import mine_recordings, pitch_rows, quantise

    config = preset("default")
    spent: dict[str, float] = {}
    n_bytes = n_frames = n_tracks = 0

    def step(name: str, work: Callable[[], object]) -> object:
        wall, _, result = timed(work)
        spent[name] = spent.get(name, 0.0) + wall
        return result

    files = list(discover([corpus]))
    for repeat in range(2):  # the first time compiles
        spent.clear()
        n_bytes = n_frames = n_tracks = 0
        for found in files[: 3 if repeat == 0 else None]:
            head = step("read and recognise", lambda f=found: sniff(read_head(f), f.name))
            if not head.is_f0:  # type: ignore[attr-defined]
                continue
            raw = step("read and recognise", lambda f=found: read_content(f))
            plain = step("decompress", lambda r=raw: f0_text(r))
            name = step("hash", lambda p=plain: content_id(p))
            track = step("parse text", lambda p=plain, h=head: read_f0(p, h, hop))
            n_bytes, n_frames, n_tracks = n_bytes + len(plain), n_frames + len(track.f0_hz), n_tracks + 1  # type: ignore[arg-type, attr-defined]
            pitch = step("pitch rows", lambda n=name, t=track: pitch_rows(n, "p", t))
            contours = step("contours", lambda p=pitch: quantise(p, config=config.contour, analysis_id="c"))
            step(
                "mine, test, motif rows",
                lambda c=contours: mine_recordings(
                    c[0], config=config.mining, vocabulary=config.contour.vocabulary, analysis_id="m"
                ),
            )
    total = sum(spent.values())
    print(
        f"\n## f0 text: {n_tracks} tracks of {corpus.name}, {n_bytes / 1e6:.0f} MB, {n_frames / 1e6:.1f} million frames\n"
    )
    print("| step | s | share | rate |")
    print("|---|---|---|---|")
    for name, seconds in sorted(spent.items(), key=lambda kv: -kv[1]):
        print(
            f"| {name} | {seconds:.2f} | {seconds / total:.0%} | {n_frames / seconds / 1e6:.0f} million frames/s |"
        )


_CHILD = """
import sys
from pathlib import Path
from motifdb.catalog.store import create, open_writer
from motifdb.config import preset
from motifdb.pipelines.ingest import Options, ingest
from motifdb.pipelines.progress import Quiet
db = Path(sys.argv[2]); create(db)
with open_writer(db) as writer:
    ingest(Options((Path(sys.argv[1]),), preset("default"), engine="inline"), writer, Quiet())
status = Path("/proc/self/status").read_text()  # getrusage would count the parent, up to exec
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


def memory(n_small: int) -> None:
    """Peak memory of a process that ingests n and 10 n recordings of the same length."""
    print("\n## Memory: generated f0 tracks of five minutes each, in the process\n")
    print("| recordings | hours | peak MB |")
    print("|---|---|---|")
    for n in (1, n_small, 10 * n_small):  # the first one only compiles
        folder = Path(tempfile.mkdtemp(prefix="motifdb-bench-"))
        for path, text_ in _tracks(n):
            (folder / path).write_text(text_)
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder), str(folder.parent / f"{folder.name}.motifdb")],
            capture_output=True,
            text=True,
            check=True,
        )
        if n > 1:
            print(f"| {n} | {n * 300 / 3600:.1f} | {child.stdout.strip()} |", flush=True)
        shutil.rmtree(folder)
        shutil.rmtree(folder.parent / f"{folder.name}.motifdb")


def _tracks(n: int) -> Iterator[tuple[str, str]]:
    times = np.arange(30_000) * 0.01
    for i in range(n):
        rng = np.random.default_rng(i)
        notes = np.repeat(rng.integers(-12, 13, 1000), 30)
        hz = np.where(np.repeat(rng.random(150) < 0.1, 200), 0.0, 220 * 2 ** (notes / 12))
        yield (
            f"{i:05d}.csv",
            "time_s,f0_hz\n" + "".join(f"{t:.2f},{h:.2f}\n" for t, h in zip(times, hz, strict=True)),
        )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", type=Path, help="folder of audio; default: cantillation, else a demo corpus"
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="how much of it")
    parser.add_argument("--tracker", default="yin")
    parser.add_argument("--only", choices=["audio", "text", "memory"])
    arguments = parser.parse_args()
    print(
        f"# Ingest\n\n{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    )
    if arguments.only in (None, "audio"):
        corpus = arguments.corpus or corpora_root() / "cantillation"
        if not corpus.is_dir():
            corpus = Path(tempfile.mkdtemp()) / "demo"
            make_demo_corpus(corpus, seed=1)
        audio(corpus, arguments.tracker, arguments.minutes)
    if arguments.only in (None, "text") and (corpora_root() / "otmm_makam").is_dir():
        text(corpora_root() / "otmm_makam", Fraction(128, 44100))
    if arguments.only in (None, "memory"):
        memory(40)


if __name__ == "__main__":
    main()
