"""Which models give vectors: ours, stored runs and encoders of a database, and what other packages offer.

Another package offers one under the entry-point group ``motifdb.embedders``, by naming a function (or class) that makes it::

    [project.entry-points."motifdb.embedders"]
    birds = "my_package.embed:make_birds"

It is called as ``make(weights=Path | None, device="auto", **options)`` and gives an `Embedder`
(`motifdb.training.embedding.base`); options come from ``motifdb embed birds --set name=value``. Nothing heavy is imported
until a model is asked for.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import MotifdbError, NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.embedding.base import Embedder

ENTRY_POINT_GROUP = "motifdb.embedders"
_LEAST_RATE_HZ, _MOST_RATE_HZ = 1_000, 192_000


@dataclass(frozen=True)
class EmbedderSpec:
    """A model of ours.

    Attributes
    ----------
    doc : what it is, in a sentence
    maker : ``"module:function"`` below `motifdb.training.embedding`
    weights : what file it needs with ``--weights``; None where it needs none
    """

    name: str
    doc: str
    maker: str
    weights: str | None = None

    def make(self) -> Callable[..., Any]:
        """The function behind the name."""
        module, _, attribute = self.maker.partition(":")
        made: Callable[..., Any] = getattr(
            importlib.import_module(f"motifdb.training.embedding.{module}"), attribute
        )
        return made


EMBEDDERS: dict[str, EmbedderSpec] = {
    spec.name: spec
    for spec in (
        EmbedderSpec(
            "log-mel-stats", "mean and deviation of 128 log-mel bands, 256 numbers", "simple:LogMelStatistics"
        ),
        EmbedderSpec(
            "hand-crafted",
            "damp-2018's baseline: mean and deviation of chroma, MFCC, centroid, roll-off, flux",
            "simple:HandCrafted",
        ),
        EmbedderSpec(
            "openl3",
            "l3-2019's audio tower, 6144 or 512 numbers",
            "openl3:make_openl3",
            "OpenL3's weights (.safetensors, .npz or .h5)",
        ),
        EmbedderSpec(
            "speaker",
            "a speaker model that you supply, such as WeSpeaker's or an ECAPA-TDNN",
            "speaker:make_speaker",
            "a speaker model exported to ONNX",
        ),
    )
}


def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """What other packages offer, by name.

    Raises
    ------
    UsageError
        where two packages offer one name, or one offers a name of ours.
    """
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry.name in found or entry.name in EMBEDDERS:
            others = [found[entry.name]] if entry.name in found else []
            packages = sorted(
                {e.dist.name if e.dist else e.value for e in [entry, *others]}
                | ({"motifdb"} if entry.name in EMBEDDERS else set())
            )
            raise UsageError(
                f"the embedding model {entry.name!r} is offered by {', '.join(packages)}; uninstall all but one of them"
            )
        found[entry.name] = entry
    return found


def embedder_names() -> list[str]:
    """Names of our models and of those that other packages offer, sorted."""
    return sorted({*EMBEDDERS, *entry_points()})


def stored_names(snapshot: Snapshot) -> list[str]:
    """Names of runs and encoders of a database that keep weights, sorted."""
    where = "state = 'done' and checkpoint is not null"
    recipes = snapshot.table("runs", ["recipe"], where).column(0).to_pylist()
    encoders = snapshot.table("encoders", ["name"], where).column(0).to_pylist()
    return sorted({*recipes, *encoders})


def find_embedder(
    text: str,
    snapshot: Snapshot | None,
    *,
    root: Path | None = None,
    weights: Path | None = None,
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
) -> Embedder:
    """The model that a text means, ready to hear.

    Parameters
    ----------
    text : a name of `embedder_names`, an encoder's or run's name or the beginning of its id
    snapshot : the database whose runs and encoders may be meant; None: none
    root : its folder, where that is not the snapshot's path
    weights : file of weights, for models that need one
    options : what differs from the model's defaults, by name

    Raises
    ------
    NotFoundError
        for a model that is none, with the nearest name; for weights that are not there.
    UsageError
        for weights missing or of another kind, an option that the model lacks, a plug-in that is broken.
    MissingExtraError
        where what it computes with is not installed.
    """
    given = dict(options or {})
    offered = entry_points()
    if weights is not None and not weights.is_file():
        raise NotFoundError(f"{weights} is no file; --weights takes the file of a model's weights")
    if text in EMBEDDERS:
        return _ours(EMBEDDERS[text], weights, device, given)
    if text in offered:
        return _others(offered[text], weights, device, given)
    if snapshot is None:
        raise NotFoundError(f"there is no embedding model {text!r}; {nearest(text, embedder_names())}")
    stored = _stored(text, snapshot, snapshot.path if root is None else root, device, given)
    if stored is None:
        names = [*embedder_names(), *stored_names(snapshot)]
        said = nearest(text, names)
        listed = "" if said.startswith("choose") else f" (models: {', '.join(names)})"
        raise NotFoundError(f"there is no embedding model {text!r}; {said}{listed}")
    if weights is not None:
        raise UsageError(f"{stored.name} is of this database and has its weights; leave out --weights")
    return checked_embedder(stored, stored.name)


def _ours(spec: EmbedderSpec, weights: Path | None, device: str, options: dict[str, Any]) -> Embedder:
    if spec.weights is not None and weights is None:
        raise UsageError(f"{spec.name} needs --weights FILE: {spec.weights}; none comes with motifdb")
    if spec.weights is None and weights is not None:
        raise UsageError(f"{spec.name} has no weights; leave out --weights")
    make = spec.make()
    known = [
        name
        for name, p in inspect.signature(make).parameters.items()
        if name not in ("self", "weights", "device") and p.kind is not p.VAR_KEYWORD
    ]
    for option in options:
        if option not in known:
            has = nearest(option, known) if known else "it has none"
            raise UsageError(f"{spec.name} has no option {option!r}; {has}")
    extra: dict[str, Any] = {} if spec.weights is None else {"weights": weights}
    made: Embedder = _made(spec.name, options, lambda: make(**extra, device=device, **options))
    return checked_embedder(made, spec.name)


def _made(name: str, options: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """What `make` gives; options that are text where numbers are needed, or the like, are told in a sentence."""
    try:
        return make()
    except MotifdbError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        if not options:  # then it is no mistake of who asks
            raise
        given = ", ".join(f"{option}={value}" for option, value in sorted(options.items()))
        raise UsageError(f"{name} cannot be made with --set {given}: {error}") from None


def _others(
    entry: importlib.metadata.EntryPoint, weights: Path | None, device: str, options: dict[str, Any]
) -> Embedder:
    """A plug-in is somebody else's code: whatever it raises is told in a sentence that names its package."""
    package = f" of package {entry.dist.name}" if entry.dist is not None else ""
    called = f"the embedding model {entry.name!r}{package} ({entry.value})"
    try:
        make = entry.load()
    except Exception as error:
        raise UsageError(f"{called} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(make):
        raise UsageError(
            f"{called} is no function or class that makes a model, but {type(make).__name__}; see docs/embeddings.md"
        )
    try:
        made = make(weights=weights, device=device, **options)
    except MotifdbError:
        raise
    except Exception as error:
        raise UsageError(f"{called} could not be made: {type(error).__name__}: {error}") from error
    return checked_embedder(_PlugIn(made, called), called)


class _PlugIn:
    """Another package's model; whatever it raises while it hears is told in a sentence, too."""

    def __init__(self, model: Any, called: str) -> None:
        self._model, self._called = model, called

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def embed(self, packed: Any, rows: Any = None) -> Any:
        """What the model gives."""
        try:
            return self._model.embed(packed, rows)
        except MotifdbError:
            raise
        except Exception as error:
            raise UsageError(f"{self._called} failed: {type(error).__name__}: {error}") from error


def _stored(
    text: str, snapshot: Snapshot, root: Path, device: str, options: dict[str, Any]
) -> Embedder | None:
    """The run or encoder of a database that is meant; None where there is none."""
    encoders = snapshot.table("encoders", ["encoder_id", "name"]).to_pylist()
    is_id = len(text) >= 4 and set(text.lower()) <= set("0123456789abcdef")
    if any(row["name"] == text or (is_id and row["encoder_id"].startswith(text.lower())) for row in encoders):
        from motifdb.training.encoders.store import find_encoder, load_encoder

        if options:
            raise UsageError(
                f"the encoder {text!r} hears what it was trained on; it has no option {min(options)!r}"
            )
        found: Embedder = load_encoder(find_encoder(snapshot, text), root, device)
        return found
    rows = snapshot.table("runs", ["run_id", "recipe", "cell"]).to_pylist()
    if not any(
        text in (row["recipe"], row["cell"]) or (is_id and row["run_id"].startswith(text.lower()))
        for row in rows
    ):
        return None
    from motifdb.training.embedding.runs import RunEmbedder
    from motifdb.training.extras import need
    from motifdb.training.scores.runs import find_run

    need()
    for option in options:
        if option not in ("window_s", "hop_s"):
            raise UsageError(f"a run has no option {option!r}; {nearest(option, ('window_s', 'hop_s'))}")
    run = find_run(snapshot, text)
    made: Embedder = _made(text, options, lambda: RunEmbedder(snapshot, run, root, device=device, **options))
    return made


def checked_embedder(found: Any, called: str) -> Embedder:
    """What a maker gave, once it is known to be a model as `Embedder` has it.

    Raises
    ------
    UsageError
        naming what it lacks.
    """
    from motifdb.ids import canonical_json

    needed = ("name", "n_dims", "sample_rate_hz", "window_s", "hop_s", "is_voiced_only", "embed", "config")
    told = found._model if isinstance(found, _PlugIn) else found
    lacking = [name for name in needed if not hasattr(told, name)]
    if lacking:
        raise UsageError(f"{called} is no embedding model: it lacks {', '.join(lacking)}")
    if not isinstance(found.n_dims, int) or found.n_dims < 1:
        raise UsageError(f"{called} says its vectors have {found.n_dims!r} numbers; 1 or more must be said")
    if (
        not isinstance(found.sample_rate_hz, int)
        or not _LEAST_RATE_HZ <= found.sample_rate_hz <= _MOST_RATE_HZ
    ):
        raise UsageError(f"{called} says it hears {found.sample_rate_hz!r} Hz, which no sound here can have")
    for name in ("window_s", "hop_s"):
        value = getattr(found, name)
        if value is not None and not (isinstance(value, int | float) and value > 0):
            raise UsageError(f"{called} says {name} is {value!r}; it must be more than 0 seconds, or None")
    try:
        json.loads(canonical_json(found.config()))
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"what {called} says of itself (config) cannot be written as JSON: {error}"
        ) from None
    model: Embedder = found
    return model
