"""How clips are divided: every parameter of a split."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from motifdb.errors import UsageError, nearest

METHODS = ("random", "grouped", "kfold", "held-out", "crossed")
UNITS = ("files", "contents")
ONE_EACH = 0
"""`SplitConfig.folds`: as many folds as groups, each tested once."""


@dataclass(frozen=True)
class SplitConfig:
    """How clips are divided.

    Parameters
    ----------
    method : ``random`` (draws of clips), ``grouped`` (draws of groups), ``kfold`` (every group tested once) or
        ``held-out`` (fold i tests, of each class, its i-th group in ascending order, from the first again after the
        last) or ``crossed`` (parts are complete tables of two labels, `by`, with no value of either in two parts)
    label : what is to be learnt; a label's name, ``label.NAME``, or a built-in key such as ``recording``
    by : names of keys that make a group together; nothing: equal contents
    unit : ``files`` (every clip) or ``contents`` (one clip of each content; contents under contradicting labels go)
    folds : how many; None is 1 for draws, 5 for kfold, for held-out the most groups that a class has; 0 is one
        fold per group (kfold)
    test_share, valid_share : of all clips, and of those that do not test
    valid_by : keys of the groups that validate; nothing: as `by`
    seed : of every draw
    stratified : balance classes, or numbers alone
    merge_shared : groups that share sound are one
    as_published : equal contents may be on two sides
    allow_leak : divide even where groups share sound
    allow_unseen : divide even where a class that is tested is not in train
    drop_rare : leave out classes with fewer than two groups
    like : id of another split whose groups' sides are taken
    works, singers : for ``crossed``, how many values of the second and of the first label train, validate and test;
        nothing: as many as can be
    """

    method: str = "kfold"
    label: str = "singer"
    by: tuple[str, ...] = ()
    unit: str = "files"
    folds: int | None = None
    test_share: float = 0.2
    valid_share: float = 0.1
    valid_by: tuple[str, ...] = ()
    seed: int = 0
    stratified: bool = True
    merge_shared: bool = False
    as_published: bool = False
    allow_leak: bool = False
    allow_unseen: bool = False
    drop_rare: bool = False
    like: str | None = None
    works: tuple[int, ...] = ()
    singers: tuple[int, ...] = ()

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        if self.method not in METHODS:
            raise UsageError(f"there is no method {self.method!r}; {nearest(self.method, METHODS)}")
        if self.unit not in UNITS:
            raise UsageError(f"--unit cannot be {self.unit!r}; {nearest(self.unit, UNITS)}")
        if self.method in ("grouped", "held-out") and not self.by and self.like is None:
            raise UsageError(
                f"--method {self.method} needs --by: island, recording, a label such as singer or work, or several"
                " joined with +"
            )
        if self.method == "random" and self.by:
            raise UsageError(
                "a random split has no --by; --method grouped draws groups, --method kfold folds them"
            )
        if self.folds is not None and (
            self.folds < 0
            or (self.folds == ONE_EACH and self.method != "kfold")
            or (self.folds == 1 and self.method == "kfold")
        ):
            raise UsageError(
                f"--folds must be 1 or more, for kfold 2 or more (0: one per group), got {self.folds}"
            )
        for option, value, least in (("--test", self.test_share, True), ("--valid", self.valid_share, False)):
            if not (0 < value < 1 or (value == 0 and not least)):
                raise UsageError(f"{option} is a share between 0 and 1, got {value:g}")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, got {self.seed}")
        if self.merge_shared and not self.by:
            raise UsageError("--merge-shared unites groups that share sound; it needs --by")
        self._check_crossed()

    def _check_crossed(self) -> None:
        if self.method != "crossed":
            if self.works or self.singers:
                raise UsageError("--works and --singers are the sizes of a crossed split; it needs --crossed")
            return
        if len(self.by) != 2 or self.by[0] == self.by[1]:
            raise UsageError(
                "--crossed takes two labels, who and what, such as --crossed singer work; got"
                f" {' '.join(self.by) or 'none'}"
            )
        if self.like is not None or self.merge_shared or self.folds not in (None, 1) or self.valid_by:
            raise UsageError(
                "--crossed is one division of its own; --like, --merge-shared, --folds, --valid-by are not for it"
            )
        for option, sizes in (("--works", self.works), ("--singers", self.singers)):
            # valid may be without any; elsewhere one work gives nobody a second recording, one singer nobody another
            if sizes and (len(sizes) != 3 or min(sizes[0], sizes[2]) < 2 or sizes[1] == 1 or sizes[1] < 0):
                raise UsageError(
                    f"{option} is how many train, validate and test, such as 6/4/4, each 2 or more (validate may be 0), got"
                    f" {'/'.join(map(str, sizes))}"
                )
        if self.works and self.singers and (self.works[1] == 0) != (self.singers[1] == 0):
            raise UsageError("--works and --singers must agree on whether any validate")

    def parameters(self) -> dict[str, Any]:
        """Every parameter, as `analyses` keeps it."""
        found = asdict(self) | {"by": list(self.by), "valid_by": list(self.valid_by)}
        for name in ("works", "singers"):
            value = list(found.pop(name))
            # other splits keep the parameters, and so the ids, that they had before there were these
            if self.method == "crossed":
                found[name] = value
        return found

    @classmethod
    def from_parameters(cls, values: dict[str, Any]) -> SplitConfig:
        """What `parameters` came from."""
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**{k: v for k, v in known.items() if k in cls.__dataclass_fields__})
