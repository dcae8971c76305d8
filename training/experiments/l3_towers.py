"""Towers for l3-2019: trained on each folder of videos, and tried on every other (the paper's Table 1).

A *domain* is a folder of videos. Each domain's towers are stored as an encoder with its accuracy on held-out videos of all domains, so that what
is done is not done again.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import UsageError

if TYPE_CHECKING:
    from motifdb.pipelines.progress import Progress
    from motifdb.training.encoders.avc_recipes import AvcRecipe
    from motifdb.training.encoders.store import EncoderFigure, EncoderResult
    from motifdb.training.experiments.cells import Say

FRONT_ENDS = ("mel256", "mel128", "linear")
PAPER, TINY = "l3-2019", "l3-2019-tiny"
_SHORT = {PAPER: "l3", TINY: "tiny"}
GPU_STEPS = 20_000
"""Steps of the printed towers where nobody says how many and hours are not allowed: 1.3 of the 78.6 million pairs."""
N_GENERATED = 120
_GENERATED_SEED = 1


@dataclass(frozen=True)
class TowerOptions:
    """What to train.

    Attributes
    ----------
    videos : a folder of videos, or of folders of them, each a domain; None: generated ones
    scale : ``paper`` or ``small``
    cells : patterns of cells such as ``mel128/*``
    steps : at most so many; budgets : each tower once for each of these numbers in its place
    changes : settings of the recipe
    """

    videos: Path | None = None
    scale: str = "paper"
    cells: tuple[str, ...] = ()
    steps: int | None = None
    budgets: tuple[int, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    device: str = "auto"
    workers: int | None = None
    ray_address: str | None = None
    is_long_fine: bool = False


@dataclass(frozen=True, eq=False)
class Towers:
    """Trained towers.

    Attributes
    ----------
    row : of `encoders`
    domain, front_end : what they learnt from, what the audio tower hears
    figures : accuracy on held-out videos by domain
    curve : (pairs seen, accuracy on valid) of each look
    n_pairs : seen until the weights that were kept
    """

    row: Mapping[str, Any]
    domain: str
    front_end: str
    seed: int
    figures: Mapping[str, EncoderFigure]
    curve: tuple[tuple[int, float], ...]

    n_pairs: int = 0

    @property
    def name(self) -> str:
        """Such as ``tiny log-mel/tones``; a seed other than 0 is said."""
        return str(self.row["name"]) + (f", seed {self.seed}" if self.seed else "")


@dataclass
class TowersReport:
    """Towers, those that failed, and what must be said; `recipe` is the one of `PAPER` and `TINY` that they are after."""

    towers: list[Towers] = field(default_factory=list)
    domains: tuple[str, ...] = ()
    is_generated: bool = False
    recipe: str = ""
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cpu_s: float = 0.0


def video_domains(folder: Path) -> dict[str, Path]:
    """The folders of videos below a folder by name, each a domain; the folder itself where it holds videos directly.

    Raises
    ------
    UsageError
        where there is no folder, or no video in it.
    """
    from motifdb.training.videos.discover import SUFFIXES

    if not folder.is_dir():
        raise UsageError(
            f"{folder} is no folder; --videos takes a folder of videos, or one that holds folders of them"
        )
    if any(p.suffix.lower() in SUFFIXES for p in folder.iterdir() if p.is_file()):
        return {folder.resolve().name: folder}
    found = {
        p.name: p
        for p in sorted(folder.iterdir())
        if p.is_dir() and any(f.suffix.lower() in SUFFIXES for f in p.rglob("*"))
    }
    if not found:
        raise UsageError(f"there is no video in {folder}; videos end in {', '.join(SUFFIXES)}")
    return found


@contextmanager
def generated_domains() -> Iterator[dict[str, Path]]:
    """Two generated corpora with a known law between sound and picture, in the user's cache or a folder that goes again."""
    from motifdb.query.cache.folder import cache_folder
    from motifdb.training.videos.generated import DOMAINS, TRUTH, VERSION, make_av_corpus

    def made(root: Path) -> dict[str, Path]:
        for domain in DOMAINS:
            if not (root / domain / TRUTH).is_file():  # written last, when all videos are there
                make_av_corpus(root / domain, n_videos=N_GENERATED, domain=domain, seed=_GENERATED_SEED)
        return {domain: root / domain for domain in DOMAINS}

    kept = cache_folder(f"l3-videos-{VERSION}-{_GENERATED_SEED}-{N_GENERATED}")
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield made(kept)
        return
    with tempfile.TemporaryDirectory(prefix="motifdb-videos-") as folder:
        yield made(Path(folder))


def choose_recipe(options: TowerOptions, notes: list[str]) -> AvcRecipe:
    """The printed towers where there is a GPU or hours are allowed, else the small ones, which a processor trains in minutes.

    Raises
    ------
    UsageError, NotFoundError
        for a scale or setting that there is not.
    """
    from motifdb.errors import nearest
    from motifdb.training.encoders.avc_recipes import AVC_RECIPES
    from motifdb.training.fitting.network import choose_device

    if options.scale not in ("paper", "small"):
        raise UsageError(
            f"l3-2019 has no scale {options.scale!r}; {nearest(options.scale, ('paper', 'small'))}"
        )
    has_gpu = choose_device(options.device).type == "cuda"
    is_paper = options.scale == "paper" and (has_gpu or options.is_long_fine)
    if options.scale == "paper" and not is_paper:
        notes.append(
            "without a GPU the small towers stand in for the printed ones, which take a processor weeks (--long starts them all the same)"
        )
    recipe = AVC_RECIPES[PAPER if is_paper else TINY]
    steps = options.steps
    if is_paper and steps is None and not options.is_long_fine:
        steps = GPU_STEPS
        notes.append(
            f"a budget of {steps:,} steps, {steps * recipe.batch_size:,} pairs, of the printed {recipe.steps()[0]:,}; --steps sets another"
        )
    changes: dict[str, Any] = dict(options.changes)
    recipe = recipe.assign(changes)
    return recipe if steps is None else with_budget(recipe, steps)


def with_budget(recipe: AvcRecipe, steps: int) -> AvcRecipe:
    """The recipe with at most so many steps, looked at eight times at least where there are as many."""
    return replace(recipe, max_steps=steps, steps_per_epoch=max(1, min(recipe.steps_per_epoch, steps // 8)))


def recipes_of(
    recipe: AvcRecipe, cells: Sequence[str], domains: Sequence[str]
) -> list[tuple[str, str, AvcRecipe]]:
    """(front end, domain, recipe) of each cell that is asked for; of the printed towers mel256 where nothing is.

    Raises
    ------
    UsageError
        for patterns that no cell is like.
    """
    if recipe.front_end.kind.startswith("l3-"):
        by_name = {n: replace(recipe, front_end=recipe.front_end.of_kind(f"l3-{n}")) for n in FRONT_ENDS}
    else:
        by_name = {recipe.front_end.kind: recipe}
    own = recipe.front_end.kind.removeprefix("l3-")
    every = [(name, domain, one) for name, one in by_name.items() for domain in domains]
    if not cells:
        return [cell for cell in every if cell[0] == own]
    found = [c for c in every if any(fnmatch(f"{c[0]}/{c[1]}", pattern) for pattern in cells)]
    if not found:
        raise UsageError(
            f"no cell is like {', '.join(cells)}; cells have names such as {every[0][0]}/{every[0][1]} (front end, domain)"
        )
    return found


def run_towers(options: TowerOptions, path: Path, progress: Progress, say: Say) -> TowersReport:
    """Train what is missing, try every tower on every domain, store.

    Raises
    ------
    UsageError, NotFoundError
        for videos or settings that cannot be.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint; the same call goes on.
    """
    from motifdb.training.extras import need

    need("torch", "av")
    report = TowersReport(is_generated=options.videos is None)
    recipe = choose_recipe(options, report.notes)
    report.recipe = PAPER if recipe.front_end.kind.startswith("l3-") else TINY
    if options.videos is not None:
        _run(options, path, recipe, video_domains(options.videos), report, progress, say)
        return report
    progress.start("generating videos")
    with generated_domains() as domains:
        _run(options, path, recipe, domains, report, progress, say)
    return report


def _run(
    options: TowerOptions,
    path: Path,
    recipe: AvcRecipe,
    domains: Mapping[str, Path],
    report: TowersReport,
    progress: Progress,
    say: Say,
) -> None:
    from motifdb.training.encoders.store import store_encoder

    report.domains = tuple(domains)
    if len(domains) > 1:
        report.notes.append(shared_videos(domains))
    cells = [
        (front_end, domain, own if budget is None else with_budget(own, budget), budget)
        for front_end, domain, own in recipes_of(recipe, options.cells, report.domains)
        for budget in options.budgets or (None,)
    ]
    for front_end, domain, own, budget in cells:
        for seed in options.seeds:
            name = f"{_SHORT[report.recipe]} {front_end}/{domain}"
            name += "" if budget is None else f" {budget} steps"
            began_s = time.process_time()
            result = _trained(options, path, own, name, domains[domain], seed, progress, say)
            if result.state == "done":
                result = _tried(options, path, result, domain, domains)
            store_encoder(path, result)
            report.cpu_s += time.process_time() - began_s
            if result.state == "failed":
                report.failed.append(f"{name}, seed {seed}: {result.reason}")
                continue
            report.towers.append(towers_of(result, domain, front_end))


def _trained(
    options: TowerOptions,
    path: Path,
    recipe: AvcRecipe,
    name: str,
    folder: Path,
    seed: int,
    progress: Progress,
    say: Say,
) -> EncoderResult:
    from motifdb.training.encoders.avc import train_avc

    is_begun = False

    def step(n_done: int, at_most: int) -> None:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            progress.begin(f"training {name}, seed {seed}", at_most, 0, unit="steps")
        progress.done(n_done, 0, 0.0)

    def look(row: Mapping[str, Any]) -> None:
        nonlocal is_begun
        progress.close()
        is_begun = False
        say(
            f"{name}: {row['pairs']:,} pairs, loss {row['train_loss']:.3f}, valid {row['valid_loss']:.3f}, right"
            f" {row['valid_accuracy']:.3f}"
        )

    progress.start("looking at videos")
    try:
        return train_avc(
            recipe,
            folder,
            path,
            seed=seed,
            name=name,
            device=options.device,
            workers=options.workers,
            ray_address=options.ray_address,
            on_look=look,
            on_step=step,
            say=lambda line: say(f"{name}: {line}"),
        )
    finally:
        progress.close()


ON = "accuracy on "
"""How an accuracy on another domain is called among an encoder's figures."""
TRIED = "tried.json"
"""In an encoder's folder: by other domain, a hash of the videos that it was tried on. Another folder may have the same name."""


def _tried(
    options: TowerOptions, path: Path, result: EncoderResult, domain: str, domains: Mapping[str, Path]
) -> EncoderResult:
    """The result with its accuracy on the other domains; those that are stored of the same videos are not judged again."""
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.encoders.avc import evaluate_avc, load_network
    from motifdb.training.encoders.store import checkpoint_of, stored_figures
    from motifdb.training.videos.discover import content_hash, discover

    others = {name: folder for name, folder in domains.items() if name != domain}
    if not others:
        return result
    stored = stored_figures(open_snapshot(path), [result.encoder_id])[result.encoder_id]
    figures = list(result.figures)
    network, place = None, path / checkpoint_of(result.encoder_id)
    tried = _tried_on(place / TRIED)
    now = {name: content_hash(discover(folder)) for name, folder in others.items()}
    for name, folder in others.items():
        known = stored.get(("test", f"{ON}{name}")) if tried.get(name) == now[name] else None
        if known is None:
            if network is None:
                network, _ = load_network(place, options.device)
            found = evaluate_avc(network, folder, workers=options.workers, ray_address=options.ray_address)
            (own,) = (f for f in found if f.metric == "accuracy")
            known = replace(own, metric=f"{ON}{name}")
        figures.append(known)
    (place / TRIED).write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return replace(result, figures=figures)


def _tried_on(file: Path) -> dict[str, Any]:
    """What `TRIED` holds; nothing where it cannot be read, so that all is tried again."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def towers_of(result: EncoderResult, domain: str, front_end: str) -> Towers:
    """What a result says, by domain and along its training."""
    tested = [f for f in result.figures if f.part == "test"]
    figures = {f.metric.removeprefix(ON): f for f in tested if f.metric.startswith(ON)}
    figures |= dict.fromkeys([domain], next(f for f in tested if f.metric == "accuracy"))
    curve = tuple(
        (int(row["pairs"]), float(row["valid_accuracy"]))
        for row in result.rows
        if row["valid_accuracy"] is not None
    )
    kept = [int(row["pairs"]) for row in result.rows if row["step"] == result.best_step]
    return Towers(result.row(), domain, front_end, result.seed, figures, curve, kept[0] if kept else 0)


def shared_videos(domains: Mapping[str, Path]) -> str:
    """Whether files lie in several domains, where one could be learnt in one of them and tested in another; a sentence."""
    from motifdb.training.videos.discover import discover

    owners: dict[str, set[str]] = {}
    for name, folder in domains.items():
        for video in discover(folder):
            owners.setdefault(video.video_id, set()).add(name)
    n = sum(len(own) > 1 for own in owners.values())
    if n:
        return f"leak check: {n:,} videos lie in several domains, so accuracy on another domain may be of videos that were trained on"
    return f"leak check: no video lies in several of {', '.join(domains)}, by content"
