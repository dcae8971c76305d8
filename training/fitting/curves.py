"""A run's learning curve as TensorBoard reads it: ``tensorboard --logdir songs.motifdb/models``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from motifdb.training.extras import need

_NAMES = {
    "train_loss": "loss/train",
    "valid_loss": "loss/valid",
    "train_accuracy": "accuracy/train",
    "valid_accuracy": "accuracy/valid",
    "learning_rate": "learning_rate",
    "wall_s": "seconds/epoch",
    "wait_s": "seconds/waiting for data",
}


class Curves:
    """Writes an epoch at a time into a folder; a run that is taken up goes on where it stopped.

    Raises
    ------
    MissingExtraError
        where tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        need("tensorboardX")
        self._folder = folder
        self._writer: Any = None

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """A row of the table `epochs`."""
        if self._writer is None:
            from tensorboardX import SummaryWriter

            # what was written from this epoch on before the run was taken up does not count
            self._writer = SummaryWriter(str(self._folder), purge_step=row["epoch"])
        for name, shown in _NAMES.items():
            if row.get(name) is not None:
                self._writer.add_scalar(shown, row[name], row["epoch"])
        self._writer.flush()
