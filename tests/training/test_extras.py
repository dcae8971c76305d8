"""torchaudio and torchvision come in whether or not their compiled parts load; what is missing is named."""

from __future__ import annotations

import importlib.util
import sys
import types

import pytest

from motifdb.cli import main
from motifdb.errors import MissingExtraError
from motifdb.training import extras

needs_train = pytest.mark.skipif(
    any(importlib.util.find_spec(n) is None for n in ("torch", "torchaudio", "torchvision")),
    reason="torch, torchaudio and torchvision are not installed; pip install 'motifdb[train]'",
)


@needs_train
def test_mel_front_end_runs() -> None:
    import torch

    torchaudio = extras.load_torchaudio()
    mel = torchaudio.transforms.MelSpectrogram(sample_rate=16000, n_fft=1024, hop_length=160, n_mels=64)
    tone = torch.sin(2 * torch.pi * 440.0 * torch.arange(16000) / 16000)
    power = mel(tone[None])
    assert power.shape == (1, 64, 101)
    assert torch.isfinite(power).all()
    loudest_band = int(power.mean(dim=-1).argmax())
    # 440 Hz is 549.6 mel of 2840 at 8 kHz (HTK): band 65 * 549.6 / 2840 - 1 of 64.
    assert loudest_band in (11, 12)
    assert extras.load_torchaudio() is torchaudio


@needs_train
def test_networks_run_forward() -> None:
    import torch

    torchvision = extras.load_torchvision()
    network = torchvision.models.resnet18(num_classes=5).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
    assert extras.load_torchvision() is torchvision


def test_a_missing_extra_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("torch", "torchaudio", "torchvision"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(
        MissingExtraError,
        match=r"^torch, torchaudio are not installed; `pip install 'motifdb\[train\]'` adds them$",
    ):
        extras.load_torchaudio()
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    with pytest.raises(MissingExtraError, match=r"^torchvision is not installed"):
        extras.load_torchvision()


def test_a_package_whose_compiled_part_refuses_is_imported_again(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("packages") / "stubborn"
    folder.mkdir()
    (folder / "__init__.py").write_text("from stubborn import half\nfrom stubborn import compiled\n")
    (folder / "half.py").write_text("")
    (folder / "compiled.py").write_text("raise OSError('libother.so is missing')\n")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    seen_while_preparing: list[str] = []

    def prepare() -> None:
        seen_while_preparing.extend(m for m in sys.modules if m.startswith("stubborn"))
        monkeypatch.setitem(sys.modules, "stubborn.compiled", types.ModuleType("stubborn.compiled"))

    module = extras._load("stubborn", prepare)
    assert module.__name__ == "stubborn" and seen_while_preparing == []
    for name in [m for m in sys.modules if m.startswith("stubborn")]:
        del sys.modules[name]


def test_what_is_missing_is_named_in_one_sentence() -> None:
    extras.need("json")
    with pytest.raises(
        MissingExtraError, match=r"^no_such is not installed; `pip install 'motifdb\[train\]'` adds it$"
    ):
        extras.need("json", "no_such")
    with pytest.raises(MissingExtraError, match=r"^no_such, nor_this are not installed; .* adds them$"):
        extras.need("no_such", "nor_this")


@pytest.mark.parametrize(
    "words", [("train", "sid-2020-small"), ("predict", "r", "f.wav"), ("experiment", "makam")]
)
def test_commands_say_so_before_anything_else(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "_TRAIN", ("no_such",))
    monkeypatch.setattr(sys, "argv", ["motifdb", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert (
        capsys.readouterr().err
        == "motifdb: no_such is not installed; `pip install 'motifdb[train]'` adds it\n"
    )
