"""Which models give vectors: names, what other packages offer, and what is refused in a sentence."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.embedding.base import averaged, windows_of
from motifdb.training.embedding.registry import EMBEDDERS, embedder_names, find_embedder
from motifdb.training.inputs.packed import Packed
from tests.reference import sound_windows
from tests.training.embedding.plug_in import LOUDNESS, install

OFFERS = {
    "loudness": "Loudness",
    "bare": "Bare",
    "secret": "Secret",
    "angry": "angry",
    "nothing": "NOTHING",
    "gone": "Gone",
    "odd": "Odd",
    "clumsy": "Clumsy",
}


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = install(tmp_path / "site", "loud-voices", "loud_voices", LOUDNESS, OFFERS)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "loud_voices", raising=False)
    return folder


@given(st.lists(st.integers(1, 60), max_size=5), st.integers(1, 20), st.integers(1, 25))
def test_windows_are_those_said_plainly(length: list[int], window: int, hop: int) -> None:
    row, offset, size = windows_of(np.array(length, np.int64), window, hop)
    found = list(zip(row.tolist(), offset.tolist(), size.tolist(), strict=True))
    assert found == sound_windows.windows_of(length, window, hop)


def test_a_package_offers_a_model(plug_in: Path) -> None:
    assert set(OFFERS) | set(EMBEDDERS) <= set(embedder_names())
    model = find_embedder("loudness", None, options={"window_s": 0.25, "hop_s": 0.125})
    sound = np.concatenate([np.full(4000, 100), np.full(4000, 300)]).astype(np.int16)
    found = averaged(model, Packed.of([sound, sound[:1000]]))
    np.testing.assert_allclose(found, [[200, 0], [100, 0]])  # windows at 0, 0.125 and 0.25 s
    kept = averaged(model, Packed.of([sound]), is_heard=lambda row, offset, size: offset >= 4000)
    assert kept[0, 0] == 300
    none = averaged(model, Packed.of([sound, sound[:1000]]), is_heard=lambda row, offset, size: offset < 0)
    assert np.isnan(none[0]).all() and none[1, 0] == 100, "nothing is chosen among one window"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone", r"'gone' of package loud-voices \(loud_voices:Gone\) cannot be loaded: AttributeError"),
        ("nothing", "is no function or class that makes a model, but int"),
        ("angry", "could not be made: RuntimeError: no such thing"),
        ("bare", "is no embedding model: it lacks n_dims, sample_rate_hz, window_s"),
        ("secret", "cannot be written as JSON"),
    ],
)
def test_a_broken_plug_in_is_a_sentence(plug_in: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        find_embedder(name, None)
    assert "\n" not in str(error.value)


def test_a_name_that_two_packages_offer_is_refused(plug_in: Path, tmp_path: Path) -> None:
    install(plug_in, "other-voices", "other_voices", LOUDNESS, {"loudness": "Loudness"})
    with pytest.raises(UsageError, match="'loudness' is offered by loud-voices, other-voices"):
        find_embedder("loudness", None)
    install(plug_in, "third-voices", "third_voices", LOUDNESS, {"speaker": "Loudness"})
    with pytest.raises(UsageError, match="is offered by"):
        embedder_names()


def test_a_model_that_gives_another_size_is_told(plug_in: Path) -> None:
    odd = find_embedder("odd", None)
    sound = Packed.of([np.arange(100, dtype=np.int16)])
    with pytest.raises(
        UsageError, match=r"says it gives vectors of 3 numbers; for 1 sounds .* shape \(1, 2\)"
    ):
        averaged(odd, sound)
    with pytest.raises(UsageError, match=r"'clumsy' of package loud-voices .* failed: IndexError"):
        averaged(find_embedder("clumsy", None), sound)
    with pytest.raises(UsageError, match="hears sound at 16,000 Hz and was given 22,050 Hz"):
        averaged(find_embedder("loudness", None), Packed.of([np.zeros(9, np.int16)], 22_050))


def test_the_documented_model_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "embeddings.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (offer,) = re.findall(r'^loudness = "(.*):(.*)"$', page, re.M)
    monkeypatch.syspath_prepend(
        str(install(tmp_path / "site", "mine", offer[0], source, {"loudness": offer[1]}))
    )
    monkeypatch.delitem(sys.modules, offer[0], raising=False)
    model = find_embedder("loudness", None)
    assert averaged(model, Packed.of([np.array([3, -5], np.int16)])).tolist() == [[4.0]]


def test_names_and_weights_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match="no embedding model 'log-mel-stat'; did you mean 'log-mel-stats'"
    ):
        find_embedder("log-mel-stat", None)
    file = tmp_path / "weights.bin"
    file.write_bytes(b"x")
    with pytest.raises(UsageError, match="log-mel-stats has no weights; leave out --weights"):
        find_embedder("log-mel-stats", None, weights=file)
    with pytest.raises(UsageError, match="openl3 needs --weights FILE"):
        find_embedder("openl3", None)
    with pytest.raises(UsageError, match="hand-crafted has no option 'rate'"):
        find_embedder("hand-crafted", None, options={"rate": 1})
    with pytest.raises(UsageError, match="hand-crafted cannot be made with --set sample_rate_hz=fast: "):
        find_embedder("hand-crafted", None, options={"sample_rate_hz": "fast"})
    named = tmp_path / "weights.npz"
    named.write_bytes(b"x")
    with pytest.raises(UsageError, match=r"^OpenL3 has no representation 'mel255'; did you mean"):
        find_embedder("openl3", None, weights=named, options={"representation": "mel255"})
