"""How long the small towers of l3-2019 take to learn what belongs together, and what a step of the printed ones takes.

    python benchmarks/avc.py [--videos 120] [--steps N] [--seeds 1] [--domain tones] [--full] [--device auto]

Makes a generated corpus in a folder that goes again, trains `l3-2019-tiny` on 80 % of its videos, decoding in this process, and prints
accuracy on pairs of the videos that were held out, beside chance, with processor seconds: Markdown. With --full also the seconds of
one step (forward, backward, Adam) of the printed towers in batches of 64 on a GPU, of 2 without one, and what a pair takes to be read.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import torch

from motifdb.training.encoders.avc import BASELINE, as_batch, make_network, train_avc
from motifdb.training.encoders.avc_recipes import AVC_RECIPES
from motifdb.training.fitting.network import choose_device
from motifdb.training.videos.discover import discover
from motifdb.training.videos.generated import make_av_corpus
from motifdb.training.videos.sample import PairStream, survey
from motifdb.training.videos.workers import Here


def learn(args: argparse.Namespace, folder: Path, root: Path) -> None:
    """The small towers."""
    recipe = AVC_RECIPES["l3-2019-tiny"]
    if args.steps:
        recipe = recipe.assign({"max_steps": args.steps})
    print(
        "| videos | seed | steps | pairs | CPU s | best step | valid | test (95 %) | mean colour and spectrum | chance |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seed in range(args.seeds):
        began_s = time.process_time()
        result = train_avc(recipe, folder, root, seed=seed, workers=0, device="cpu")
        spent_s = time.process_time() - began_s
        found = {f.part: f for f in result.figures if f.metric == "accuracy"}
        test = found["test"]
        (plain,) = (f.value for f in result.figures if f.metric == BASELINE)
        print(
            f"| {args.domain} | {seed} | {result.steps} | {(result.steps or 0) * recipe.batch_size:,} | {spent_s:.0f} |"
            f" {result.best_step} | {found['valid'].value:.3f} | {test.value:.3f} ({test.low:.3f} to {test.high:.3f}) |"
            f" {plain:.3f} | {test.trivial} |"
        )


def cost(args: argparse.Namespace, folder: Path) -> None:
    """A step of the printed towers, and a pair as they see it."""
    recipe = AVC_RECIPES["l3-2019"]
    device = choose_device(args.device)
    size = recipe.batch_size if device.type == "cuda" else 2
    found = survey(folder, discover(folder), Here())
    stream = PairStream(found.folder, found.videos, recipe.sampling, 0, Here())
    began_s = time.process_time()
    pairs, _ = stream.fixed(256, 32)
    read_s = (time.process_time() - began_s) / 256
    network = make_network(recipe, 0).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    batch = as_batch(pairs)
    sound, picture, same = (column[:size].to(device) for column in batch)
    seconds = []
    for _ in range(3):
        began_s = time.process_time() if device.type == "cpu" else time.monotonic()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = torch.nn.functional.cross_entropy(network(sound, picture), same)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.process_time() if device.type == "cpu" else time.monotonic()) - began_s)
    print("\n| printed towers | batch | s per step | pairs per s | CPU s to read a pair |")
    print("|---|---|---|---|---|")
    print(
        f"| mel256, {device.type} | {size} | {min(seconds):.2f} | {size / min(seconds):.1f} | {read_s:.4f} |"
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--videos", type=int, default=120)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--domain", default="tones")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "videos")
        began_s = time.process_time()
        made = make_av_corpus(folder, n_videos=args.videos, domain=args.domain)
        spent_s = time.process_time() - began_s
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, 1 thread, torch {torch.__version__}; "
            f"{len(made.paths)} videos of {made.duration_s / len(made.paths):g} s made in {spent_s:.0f} CPU s\n"
        )
        learn(args, folder, Path(place, "models"))
        if args.full:
            cost(args, folder)


if __name__ == "__main__":
    main()
