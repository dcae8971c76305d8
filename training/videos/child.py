"""The process that reads videos, so that one that crashes the decoder, hangs it or eats memory takes down nothing else.

Started as ``python -m motifdb.training.videos.child``. A request is a line of JSON on standard input, ``{"what": name of a task, "arguments":
[...]}``; the answer on standard output is a line of JSON, ``{"value": ...}`` or ``{"failed": [kind, reason]}``, with ``"arrays": [[dtype,
shape], ...]`` where as many arrays follow as plain bytes. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError
from motifdb.training.videos.tasks import TASKS

MEMORY_BYTES = 4 << 30
CPU_S = 300
"""Of one task; the kernel ends an orphan in an endless loop, which no parent watches any more."""


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Do a task; what fails is part of the answer."""
    try:
        value, arrays = TASKS[request["what"]](*request["arguments"])
    except InputError as error:
        return {"failed": [error.kind, error.reason]}, []
    except MemoryError:
        reason = f"decoding it takes more than {MEMORY_BYTES >> 30} GiB of memory; convert it"
        return {"failed": ["undecodable", reason]}, []
    shapes = [[array.dtype.str, list(array.shape)] for array in arrays]
    return {"value": value, "arrays": shapes}, arrays


def read_answer(stream: IO[bytes]) -> tuple[dict[str, Any], list[NDArray[Any]]] | None:
    """What `serve` wrote; None where the stream ended before it was whole."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    arrays = []
    for dtype, shape in head.get("arrays", []):
        n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        content = stream.read(n_bytes)
        if len(content) != n_bytes:
            return None
        arrays.append(np.frombuffer(content, dtype).reshape(shape))
    return head, arrays


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = int(time.process_time()) + CPU_S
        resource.setrlimit(
            resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
        )
        head, arrays = answer(json.loads(line))
        answers.write(json.dumps(head).encode() + b"\n")
        for array in arrays:
            answers.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        answers.flush()


def main() -> None:
    """Serve on standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    memory_bytes = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 20)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not come between
    os.dup2(1, 2)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
