"""What `motifdb audit` finds, against what is known: shared sound of the motif clips, and variants made for it.

    python benchmarks/audit.py [--corpora DIR] [--seed N] [--only islands|variants|clips]

*Islands*: the corpus flamenco_motifs is taken in with --until files and audited; pairs of contents on one island are compared
with column `island` of reference/flamenco_motifs_groups.csv, which links contents that share 20 ms of identical samples at
22,050 Hz. *Variants*: an excerpt of 15 s of each recording of three corpora, and four variants of each: re-encoded, louder or
softer (-12 to 6 dB), trimmed or shifted by 0.5 s. *Clips*: the same with excerpts of 0.15 to 2 s and 0.05 s. Every pair of
different recordings is a true negative; among them are five takes of one passage by each of 17 voices. Prints Markdown.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from motifdb.catalog.store import Snapshot, create, open_writer
from motifdb.config import Config
from motifdb.linked import islands
from motifdb.pipelines.audit import AuditConfig, AuditOptions, audit_database
from motifdb.pipelines.ingest import Options, ingest
from motifdb.pipelines.progress import Quiet

Sound = NDArray[np.float32]
CODECS = {
    "mp3, 32 kbit/s": (22050, "libmp3lame", "mp3", 32_000),
    "mp3, 64 kbit/s": (44100, "libmp3lame", "mp3", 64_000),
    "opus, 24 kbit/s": (48000, "libopus", "ogg", 24_000),
    "aac, 48 kbit/s": (44100, "aac", "mp4", 48_000),
    "vorbis": (44100, "VORBIS", "ogg", 0),
    "flac at 22,050 Hz": (22050, "FLAC", "flac", 0),
    "flac at 11,025 Hz": (11025, "FLAC", "flac", 0),
}
CHANGES = ("whole", "start trimmed", "end trimmed", "shifted by silence")
CORPORA = ("cantillation", "sight_singing", "annotated_f0")


def corpora_root() -> Path:
    """`MOTIFDB_CORPORA`, else a folder `shared/data` beside the checkout."""
    named = os.environ.get("MOTIFDB_CORPORA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def decoded(path: Path) -> tuple[Sound, int]:
    """A file as mono float32."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        mix = av.AudioResampler(format="fltp", layout="mono")
        parts = [f.to_ndarray()[0] for frame in file.decode(stream) for f in mix.resample(frame)]
        return np.concatenate(parts), int(stream.rate)


def encoded(samples: Sound, rate_hz: int, codec: str, container: str, bits: int) -> bytes:
    """Mono samples as a file: through libsndfile where no bit rate is asked for, else through FFmpeg."""
    out = io.BytesIO()
    if not bits:
        form, subtype = ("OGG", "VORBIS") if codec == "VORBIS" else ("FLAC", "PCM_16")
        with soundfile.SoundFile(out, "w", rate_hz, 1, format=form, subtype=subtype) as file:
            for start in range(0, len(samples), 65_536):
                file.write(samples[start : start + 65_536])
        return out.getvalue()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout="mono")
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        fifo = av.AudioFifo()
        for part in av.AudioResampler(format=stream.format.name, layout="mono", rate=rate_hz).resample(frame):
            fifo.write(part)
        n = stream.codec_context.frame_size or 1024
        while (piece := fifo.read(n, partial=True)) is not None:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return out.getvalue()


def write_variants(folder: Path, root: Path, seed: int, *, clips: bool) -> list[tuple[int, str, str, Path]]:
    """Excerpts and their variants; source, codec, change and path of each (an excerpt has no codec)."""
    rng = np.random.default_rng(seed)
    sources = [root / c / r["path"] for c in CORPORA for r in _rows(root / c / "manifest.csv")]
    made: list[tuple[int, str, str, Path]] = []
    n_made = 0
    for i, source in enumerate(sources):
        whole, rate_hz = decoded(source)
        n = round(rate_hz * (rng.uniform(0.15, 2) if clips else 15))
        start = int(rng.integers(0, max(len(whole) - n, 0) + 1))
        excerpt = whole[start : start + n]
        path = folder / f"{i:03d}-0.flac"
        path.write_bytes(encoded(excerpt.clip(-1, 1), rate_hz, "FLAC", "flac", 0))
        made.append((i, "", "", path))
        for v in range(1, 5):
            codec = list(CODECS)[n_made % len(CODECS)]
            n_made += 1
            change = CHANGES[rng.integers(len(CHANGES))]
            m = round((0.05 if clips else 0.5) * rate_hz)
            cut = {
                "whole": excerpt,
                "start trimmed": excerpt[m:],
                "end trimmed": excerpt[:-m],
                "shifted by silence": np.concatenate([np.zeros(m, np.float32), excerpt]),
            }[change]
            to_hz, name, container, bits = CODECS[codec]
            gain = np.float32(10 ** (rng.uniform(-12, 6) / 20))
            samples = (soxr.resample(cut, rate_hz, to_hz) * gain).clip(-1, 1).astype(np.float32)
            path = folder / f"{i:03d}-{v}.{'m4a' if container == 'mp4' else container}"
            path.write_bytes(encoded(samples, to_hz, name, container, bits))
            made.append((i, codec, change, path))
    return made


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def audited(folder: Path, config: AuditConfig) -> tuple[Snapshot, str, dict[str, str], float, float]:
    """Take a folder in with --until files and audit it: snapshot, audit, recording of each path, CPU seconds of both."""
    database = Path(tempfile.mkdtemp()) / "audit.motifdb"
    create(database)
    with open_writer(database) as writer:
        started_s = time.process_time()
        ingest(Options((folder,), Config(name="files"), until="files", engine="inline"), writer, Quiet())
        ingest_s = time.process_time() - started_s
        options = AuditOptions(config, engine="inline")
        run = audit_database(options, writer, Quiet())
        audit_s = time.process_time() - started_s - ingest_s
        snapshot = writer.snapshot
        files = snapshot.table("files", ["path", "recording_id"], "state = 'input'").to_pylist()
    return snapshot, run.analysis.id, {f["path"]: f["recording_id"] for f in files}, ingest_s, audit_s


def links_of(snapshot: Snapshot, audit: str) -> list[dict[str, Any]]:
    """Rows of audio_links."""
    found: list[dict[str, Any]] = snapshot.table("audio_links", None, f"analysis_id = '{audit}'").to_pylist()
    return found


def variants(root: Path, seed: int, *, clips: bool) -> None:
    """Print recall by codec, and how many pairs of different recordings were told."""
    with tempfile.TemporaryDirectory() as name:
        made = write_variants(Path(name), root, seed, clips=clips)
        snapshot, audit, recording, ingest_s, audit_s = audited(Path(name), AuditConfig())
        id_of = [recording[p.name] for *_, p in made]
    source = {r: i for r, (i, *_) in zip(id_of, made, strict=True)}
    kind_of: dict[frozenset[str], set[str]] = defaultdict(set)
    for link in links_of(snapshot, audit):
        kind_of[frozenset((link["recording_a"], link["recording_b"]))].add(link["kind"])
    told: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for k in range(0, len(made), 5):
        for v in range(1, 5):
            kinds = kind_of.get(frozenset((id_of[k], id_of[k + v])), set())
            row = bool(kinds), bool(kinds & {"near", "same-audio"})
            for key in (made[k + v][1], made[k + v][2], "all"):
                told[key].append(row)
    print(f"\n{'Clips' if clips else 'Variants'}: {len(made):,} files of {len(made) // 5} recordings\n")
    print("| variant | pairs | linked | as a copy |\n|---|---|---|---|")
    for key in [*CODECS, *CHANGES, "all"]:
        rows = np.array(told[key])
        print(f"| {key} | {len(rows)} | {rows[:, 0].mean():.4f} | {rows[:, 1].mean():.4f} |")
    print("\n| pairs told | number | of one recording | precision |\n|---|---|---|---|")
    for what, wanted in (("copies", {"near", "same-audio"}), ("all", {"near", "same-audio", "overlap"})):
        pairs = [p for p, kinds in kind_of.items() if kinds & wanted]
        right = sum(len({source[r] for r in p}) == 1 for p in pairs)
        print(f"| {what} | {len(pairs):,} | {right:,} | {right / max(len(pairs), 1):.5f} |")
    n = len(made)
    print(f"\nTrue negatives: {n * (n - 1) // 2 - (n // 5) * 10:,} pairs.")
    print(f"CPU: ingest {ingest_s:.0f} s, fingerprints and audit {audit_s:.0f} s.")


def shared_islands(root: Path) -> None:
    """Print precision and recall of pairs on one island, as audited and at the source's rate."""
    reference = _rows(root.parent / "reference" / "flamenco_motifs_groups.csv")
    snapshot, audit, recording, ingest_s, audit_s = audited(root / "flamenco_motifs", AuditConfig())
    theirs = {recording[r["file"].removesuffix(".wav") + ".flac"]: r["island"] for r in reference}
    links = links_of(snapshot, audit)
    apart = [(x["start_b_s"] - x["start_a_s"]) * 22050 for x in links]
    off = np.abs(np.array(apart) - np.round(apart))
    whole, half = off < 0.1, off > 0.4
    print(f"\nIslands: {len(reference):,} files, {len(theirs):,} contents; CPU: ingest {ingest_s:.0f} s,")
    print(
        f"fingerprints and audit {audit_s:.0f} s. {len(links):,} links: {whole.sum():,} lie whole samples apart"
    )
    print(f"at 22,050 Hz, {half.sum():,} half a sample, {(~whole & ~half).sum():,} neither.\n")
    print("| links | islands | precision of pairs | recall of pairs |\n|---|---|---|---|")
    for what, chosen in (("all", whole | True), ("whole samples apart (--source-rate 22050)", whole)):
        pairs = [(x["recording_a"], x["recording_b"]) for x, c in zip(links, chosen, strict=True) if c]
        ours = islands(theirs, pairs)
        n_ours, n_theirs = _pairs(ours.values()), _pairs(theirs.values())
        both = _pairs(zip((ours[r] for r in theirs), theirs.values(), strict=True))
        print(f"| {what} | {len(set(ours.values())):,} | {both / n_ours:.5f} | {both / n_theirs:.5f} |")
    print(f"| reference | {len(set(theirs.values())):,} | | |")
    beyond = [x for x in links if theirs[x["recording_a"]] != theirs[x["recording_b"]]]
    _correlate(root, recording, beyond)


def _pairs(groups: Iterable[Any]) -> int:
    sizes: dict[Any, int] = defaultdict(int)
    for group in groups:
        sizes[group] += 1
    return sum(n * (n - 1) // 2 for n in sizes.values())


def _correlate(root: Path, recording: dict[str, str], links: list[dict[str, Any]]) -> None:
    """Print how the sound itself agrees on links that join two islands of the reference."""
    path_of = {r: p for p, r in recording.items()}
    found = []
    for link in links:
        a, b = (soundfile.read(root / "flamenco_motifs" / path_of[link[f"recording_{x}"]])[0] for x in "ab")
        start_a, start_b = link["start_a_s"] * 16000, link["start_b_s"] * 16000
        i = int(np.ceil(start_a)) + 16
        n = int(link["shared_s"] * 16000) - 48
        at = np.arange(i, i + n) + (start_b - start_a)
        j = np.floor(at[0]).astype(int)
        taps = np.arange(-15, 17)
        weights = np.sinc(at[0] - j - taps) * np.hanning(34)[1:-1]
        other = np.correlate(b[j - 15 : j + n + 16], weights, "valid") if j >= 15 else np.zeros(0)
        if n > 32 and other.size >= n and i + n <= a.size:
            found.append(float(np.corrcoef(a[i : i + n], other[:n])[0, 1]))
    low, middle = np.percentile(found, [1, 50])
    print(
        f"\n{len(links):,} links join two islands of the reference; the sound of {len(found):,} of them, moved by that"
    )
    print(
        f"fraction of a sample, correlates by {middle:.5f} (median), {low:.5f} (1 %), {min(found):.5f} (least)."
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, default=corpora_root())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["islands", "variants", "clips"])
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if given.only in (None, "islands"):
        shared_islands(given.corpora)
    if given.only in (None, "variants"):
        variants(given.corpora, given.seed, clips=False)
    if given.only in (None, "clips"):
        variants(given.corpora, given.seed, clips=True)


if __name__ == "__main__":
    main()
