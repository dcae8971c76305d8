"""A speaker model from an ONNX file: what it is fed, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.embedding.base import averaged
from motifdb.training.embedding.registry import find_embedder
from motifdb.training.embedding.speaker import SpeakerEmbedder, filterbank
from motifdb.training.inputs.packed import Packed
from tests.training.embedding.tiny_onnx import INT64, tiny_model

MATRIX = np.random.default_rng(3).standard_normal((80, 5)).astype(np.float32)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model(MATRIX))
    return path


def noise(duration_s: float, seed: int = 0) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    t = np.arange(round(16_000 * duration_s)) / 16_000
    return np.round(3000 * np.sin(2 * np.pi * 300 * t * (1 + t)) + 200 * rng.standard_normal(len(t))).astype(
        np.int16
    )


def test_it_hears_kaldis_filterbank_without_its_mean(tiny: Path) -> None:
    clip = noise(0.8)
    frames = filterbank(clip)
    assert frames.shape == (1 + (len(clip) - 400) // 160, 80)
    assert np.abs(frames.mean(0)).max() < 1e-3 and frames.std() > 0.5
    # by hand: the first frame, without its level, pre-emphasised, under a Hamming window
    x = clip[:400].astype(np.float64)
    x -= x.mean()
    x = x - 0.97 * np.concatenate([x[:1], x[:-1]])
    power = np.abs(np.fft.rfft(x * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)), 512)) ** 2
    mel = 1127 * np.log1p(np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 82)
    rise = (mel[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - mel[None]) / (edges[2:] - edges[1:-1])[:, None]
    bands = np.log(np.maximum(0, np.minimum(rise, fall))[:, :256] @ power[:256])
    assert np.abs((frames[0] + _mean_of(clip)) - bands).max() < 0.02


def _mean_of(clip: NDArray[np.int16]) -> NDArray[np.float32]:
    """What `filterbank` subtracted, from the same library without the subtraction."""
    import torch
    from torchaudio.compliance import kaldi

    told = kaldi.fbank(
        torch.from_numpy(clip.astype(np.float32))[None], num_mel_bins=80, window_type="hamming", dither=0.0
    )
    found: NDArray[np.float32] = told.mean(0).numpy()
    return found


def test_the_vector_is_what_the_graph_makes_of_it(tiny: Path) -> None:
    model = find_embedder("speaker", None, weights=tiny)
    assert (model.n_dims, model.sample_rate_hz, model.window_s, model.hop_s) == (5, 16_000, 4.0, 2.0)
    clips = [noise(0.9), noise(0.7, 1), noise(0.1, 2)]
    found = model.embed(Packed.of(clips))
    wanted = np.stack([filterbank(c).mean(0) @ MATRIX for c in [*clips[:2], np.resize(clips[2], 8000)]])
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_array_equal(model.embed(Packed.of(clips), np.array([1])), found[1:2])


def test_long_sound_is_heard_in_windows(tiny: Path) -> None:
    model = SpeakerEmbedder(tiny, window_s=0.5, hop_s=0.25)
    clip = noise(1.1)
    windows = [clip[i : i + 8000] for i in (0, 4000, 8000, 9600)]
    mean = model.embed(Packed.of(windows)).mean(0)
    np.testing.assert_allclose(averaged(model, Packed.of([clip]))[0], mean, atol=1e-4)


def test_a_model_of_so_many_frames_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "fixed.onnx"
    path.write_bytes(tiny_model(MATRIX, input_shape=(1, 98, 80)))
    model = SpeakerEmbedder(path)
    assert model.window_s == pytest.approx(0.995)
    assert np.isfinite(averaged(model, Packed.of([noise(0.3), noise(1.0), noise(2.2)]))).all()


def test_its_weights_are_part_of_what_it_says_of_itself(tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_model(2 * MATRIX))
    ours, theirs = SpeakerEmbedder(tiny).config(), SpeakerEmbedder(other).config()
    assert ours["weights"] != theirs["weights"]
    assert {**ours, "weights": ""} == {**theirs, "weights": ""}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"input_shape": ("B", "T", 64)}, "takes feats .* 64.*80 bands"),
        ({"input_shape": ("B", 80)}, "one input of 80 bands"),
        ({"input_shape": (8, "T", 80)}, "one input of 80 bands"),
        ({"input_kind": INT64}, "tensor.int64"),
        ({"external": "w.bin"}, "keeps weights in other files"),
        ({"external_default": "w.bin"}, "keeps weights in other files"),
    ],
    ids=["64 bands", "no time", "eight at once", "integers", "other files", "other files by default"],
)
def test_another_model_is_refused(tmp_path: Path, options: dict[str, object], said: str) -> None:
    path = tmp_path / "odd.onnx"
    matrix = MATRIX if options.get("input_shape") != ("B", "T", 64) else MATRIX[:64]
    path.write_bytes(tiny_model(matrix, **options))  # type: ignore[arg-type]
    (tmp_path / "w.bin").write_bytes(MATRIX.tobytes())
    with pytest.raises(UsageError, match=said) as error:
        SpeakerEmbedder(path)
    assert "\n" not in str(error.value)


def test_weights_of_another_kind_and_missing_ones(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(UsageError, match="speaker needs --weights FILE"):
        find_embedder("speaker", None)
    with pytest.raises(NotFoundError, match=r"gone\.onnx is no file"):
        find_embedder("speaker", None, weights=tmp_path / "gone.onnx")
    text = tmp_path / "text.onnx"
    text.write_bytes(b"these are no weights at all" * 30)
    with pytest.raises(UsageError, match="no ONNX model"):
        find_embedder("speaker", None, weights=text)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(tiny.read_bytes()[:900])
    with pytest.raises(UsageError, match="no ONNX model"):
        find_embedder("speaker", None, weights=cut)
    with pytest.raises(UsageError, match="no option 'window'; did you mean 'window_s'"):
        find_embedder("speaker", None, weights=tiny, options={"window": 3})
    with pytest.raises(UsageError, match="device 'tpu'"):
        find_embedder("speaker", None, weights=tiny, device="tpu")
