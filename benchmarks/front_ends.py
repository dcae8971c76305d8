"""What each front end costs, beside the others, in one run: processor time for a second of sound.

    python benchmarks/front_ends.py [--seconds 6] [--clips 8] [--rounds 5] [--device cpu|cuda]

Front ends take turns over the same noise, batch by batch, so that other work on the machine meets all alike; the least of the
rounds counts. On a CPU one thread is used and processor time is printed, on a GPU wall time between synchronisations. Below,
the hand-crafted vector and the measures of voicing (numpy, always on the CPU). Prints Markdown.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
import torch

from motifdb.training.inputs.front_end_config import FRONT_ENDS, FrontEndConfig
from motifdb.training.inputs.frontends import FrontEnd
from motifdb.training.inputs.handcrafted import frame_features
from motifdb.training.inputs.voicing import frame_measures

CONFIGS = {kind: FrontEndConfig(kind) for kind in ("log-mel", "mfcc", "spectrogram")} | FRONT_ENDS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    random = np.random.default_rng(0)
    jobs: dict[str, tuple[str, Callable[[], object]]] = {}
    for name, config in CONFIGS.items():
        n = round(options.seconds * config.sample_rate_hz)
        samples = torch.from_numpy(random.normal(0, 0.1, (options.clips, n)).astype(np.float32)).to(device)
        lengths = torch.full((options.clips,), n, device=device)
        front_end = FrontEnd(config).to(device)
        shape = f"{config.sample_rate_hz:,} Hz | {config.n_rows} x {config.n_columns(config.sample_rate_hz)}"
        jobs[name] = (shape, lambda f=front_end, s=samples, m=lengths: f(s, m))  # type: ignore[misc]
    sound = random.normal(0, 0.1, (options.clips, round(options.seconds * 22_050)))
    jobs["hand-crafted"] = ("22,050 Hz | 56", lambda: [frame_features(s, 22_050) for s in sound])
    quiet = sound.astype(np.float32)
    jobs["voicing"] = ("22,050 Hz | 2 x 44", lambda: [frame_measures(s, 22_050) for s in quiet])

    least = dict.fromkeys(jobs, np.inf)
    with torch.inference_mode():
        for turn in range(options.rounds + 1):  # the first warms up
            for name, (_, job) in jobs.items():
                began = clock()
                job()
                if turn:
                    least[name] = min(least[name], clock() - began)
    unit = "GPU wall" if device.type == "cuda" else "CPU"
    print(f"| front end | heard at | a second is | {unit} ms for a second of sound |\n|---|---|---|---|")
    for name, (shape, _) in jobs.items():
        print(f"| `{name}` | {shape} | {1000 * least[name] / (options.seconds * options.clips):.2f} |")
    where = (
        torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    )
    print(
        f"\n{options.clips} clips of {options.seconds:g} s; least of {options.rounds} rounds; {where}, torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
