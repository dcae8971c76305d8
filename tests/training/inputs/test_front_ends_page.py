"""The loop on docs/front_ends.md runs as it stands there, and learns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from tests.training.small import make_small

PAGE = Path(__file__).resolve().parents[3] / "docs" / "front_ends.md"


def test_the_example_runs_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(tmp_path, n_each=6, duration_s=0.1, name="songs.motifdb")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert names["losses"][-1] < 0.7 * names["losses"][0]
    assert names["state"]["epoch"] == 5 and names["state"]["next"] == 0
