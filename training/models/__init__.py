"""The networks of sid-2020, style-2021 and damp-2018, and smaller ones of the same families.

`build_model` makes one by name. Every network reads `features` float32 [B, F, T] (a batch of B clips, F rows, T columns)
and `n_columns` int64 [B], how many columns of each clip are sound, and answers `logits` [B, C]. What the papers leave
open, and what was chosen, stands in docs/models.md.

torch comes in only when a network is built, so that the names and options can be listed without it.
"""

from __future__ import annotations

from motifdb.training.models.registry import MODELS, ModelSpec, build_model, count_parameters

__all__ = ["MODELS", "ModelSpec", "build_model", "count_parameters"]
