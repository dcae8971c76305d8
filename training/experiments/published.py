"""What sid-2020 and style-2021 printed: tables as data, claims in prose, and where they contradict themselves.

Figures are shares, not percent: 96.29 % is 0.9629. Nothing here is ours. A published figure is never compared with one of
ours as if both measured the same: the papers split clips at random, and neither states how its random clips were drawn
(`docs/experiments.md`).

- **sid-2020**: singer identification from motif clips of a cappella flamenco, Tables 1 and 2.
- **style-2021**: classification of four a cappella flamenco styles, Tables I and II.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

METRICS = ("accuracy", "auc", "precision", "recall", "f1")


@dataclass(frozen=True)
class Cell:
    """One printed row: a model, trained on one set of clips through one front end, and its figures.

    Attributes
    ----------
    model : as this project names it (`motifdb.training.models`)
    clips : the set: motif, motif_segment or random, the `kind` of clips that stands for it
    front_end : log-mel, mfcc or spectrogram
    policy : SpecAugment's: none, frequency or time
    figures : metric to value, in the paper's order
    """

    model: str
    clips: str
    front_end: str
    policy: str
    figures: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """The cell's name within its experiment, such as ``crnn/motif/log-mel``."""
        parts = [self.model, self.clips, self.front_end]
        return "/".join(parts if self.policy == "none" else [*parts, self.policy])

    def figure(self, metric: str) -> float | None:
        """The printed value, None where the paper has none."""
        return dict(self.figures).get(metric)


@dataclass(frozen=True)
class PublishedTable:
    """A table of a paper.

    Attributes
    ----------
    name : of the experiment that has its grid
    source : where it is printed
    label : what is learnt
    batch_size, max_epochs, test_share, valid_share : as the paper's text says
    notes : what one must know to read it, a sentence each
    """

    name: str
    source: str
    label: str
    cells: tuple[Cell, ...]
    batch_size: int
    max_epochs: int
    test_share: float
    valid_share: float
    notes: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that are printed, in the usual order."""
        there = {metric for cell in self.cells for metric, _ in cell.figures}
        return tuple(m for m in METRICS if m in there)


@dataclass(frozen=True)
class Claim:
    """What a paper says in prose, and how it can be put to the test here.

    Attributes
    ----------
    name : short, of the row that shows it
    source : the paper
    says : in our words
    row : what our row holds beside it
    """

    name: str
    source: str
    says: str
    row: str


SID_2020_TABLE_1 = {
    "Enrique Morente": 1125,
    "Antonio Mairena": 3467,
    "El Chocolate": 3064,
    "Juan Talega": 2445,
    "Tomás Pavón": 1062,
}
"""Clips per singer in the set of motifs (sid-2020, Table 1), 11,163 in all.

The clips that the authors published are one fewer in each class, 11,158: one file of each folder is no clip.
"""

SID_2020_CODES = ("AM", "EC", "EM", "JT", "TP")
"""The same singers as the folders of the published clips name them."""

_SID_2020_TABLE_2 = """
crnn           motif          88.59 87.66  87.13 86.54  91.05 89.11
resnet-50      motif          87.31 86.55  83.47 81.98  93.19 91.77
residual-blstm motif          94.78 92.02  91.62 88.66  96.29 94.42
crnn           motif_segment  86.48 85.12  84.26 83.29  90.33 89.03
resnet-50      motif_segment  85.01 84.32  82.41 81.11  91.89 90.25
residual-blstm motif_segment  91.88 90.02  89.98 88.02  95.23 93.36
crnn           random         81.11 80.21  78.33 76.95  82.82 81.76
resnet-50      random         81.31 80.25  79.58 78.92  84.89 82.52
residual-blstm random         82.19 84.26  81.73 80.32  85.96 84.01
"""
"""Model, set, then accuracy and AUC in percent for MFCC, spectrogram and mel."""

_STYLE_2021_TABLE_1 = """
resnet-50    motif   .832 .894 .801 .769 .785
resnet-50    random  .691 .792 .631 .617 .624
densenet-161 motif   .817 .881 .735 .731 .733
densenet-161 random  .683 .769 .610 .589 .599
crnn         motif   .821 .886 .780 .757 .768
crnn         random  .796 .853 .714 .711 .712
res-lstm     motif   .911 .910 .848 .813 .830
res-lstm     random  .824 .882 .816 .790 .803
"""
"""Model, set (motivic, non-motivic), accuracy, AUC, precision, recall, F1."""

_STYLE_2021_TABLE_2 = """
resnet-50    frequency .868 .898 .811 .791 .800
resnet-50    time      .846 .878 .767 .763 .760
densenet-161 frequency .852 .861 .810 .804 .810
densenet-161 time      .831 .858 .783 .766 .780
crnn         frequency .870 .887 .830 .796 .813
crnn         time      .842 .879 .782 .772 .780
res-lstm     frequency .935 .922 .850 .839 .844
res-lstm     time      .921 .910 .828 .821 .824
"""
"""Model, mask, accuracy, AUC, precision, recall, F1, of the augmented motivic set."""


def _sid_cells() -> Iterator[Cell]:
    for line in _SID_2020_TABLE_2.split("\n"):
        if line:
            model, clips, *percent = line.split()
            for at, front_end in enumerate(("mfcc", "spectrogram", "log-mel")):
                pair = [round(float(p) / 100, 4) for p in percent[2 * at : 2 * at + 2]]
                yield Cell(
                    model, clips, front_end, "none", tuple(zip(("accuracy", "auc"), pair, strict=True))
                )


def _style_cells(text: str, *, is_policy: bool) -> Iterator[Cell]:
    for line in text.split("\n"):
        if line:
            model, second, *values = line.split()
            clips, policy = ("motif", second) if is_policy else (second, "none")
            yield Cell(model, clips, "log-mel", policy, tuple(zip(METRICS, map(float, values), strict=True)))


SID_2020 = PublishedTable(
    name="sid-2020-table2",
    source="sid-2020, Table 2",
    label="singer",
    cells=tuple(_sid_cells()),
    batch_size=64,
    max_epochs=40,
    test_share=0.2,
    valid_share=0.0,
    notes=(
        "The text says at most 20 epochs and also that one set needed 27; the published code has 40. Here: at most 40, patience 2.",
        "Only a train and a test part exist; what early stopping watched is not said. Here: a validation part cut from train by"
        " group.",
        "How AUC was averaged is not said. All printed AUCs lie below their accuracies, although the macro one-vs-rest AUC of"
        " probabilities normally lies above: that column is not comparable.",
        "How many random clips there were, how long, and whether they overlap motifs is not said. Here: as many as motif clips and"
        " as long, from voiced sound of the same recording.",
        "The text speaks of two acoustic features, the table has three.",
        "Table 1 counts 11,163 clips; 11,158 were published, one fewer in each class.",
    ),
)

STYLE_2021_1 = PublishedTable(
    name="style-2021-table1",
    source="style-2021, Table I",
    label="style",
    cells=tuple(_style_cells(_STYLE_2021_TABLE_1, is_policy=False)),
    batch_size=20,
    max_epochs=40,
    test_share=0.2,
    valid_share=0.2,
    notes=(
        "What non-motivic clips are is not said. Here: random clips as many as motif clips and as long.",
        "The text gives an average improvement of 13.1 % by motivic clips; the four differences of the table are 14.1, 13.4, 2.5 and"
        " 8.7 points, 9.7 on average (13.4 % of the lower figure).",
        "The clips of each style as listed add up to 10,644; the text says 10,640.",
        "ImageNet weights for all architectures cannot be meant for CRNN and ResLSTM, which have no such weights.",
        "The published clips cannot rebuild this experiment: the style letter of the recording's name contradicts itself for"
        " 16.8 % of the distinct clips.",
    ),
)

STYLE_2021_2 = PublishedTable(
    name="style-2021-table2",
    source="style-2021, Table II",
    label="style",
    cells=tuple(_style_cells(_STYLE_2021_TABLE_2, is_policy=True)),
    batch_size=20,
    max_epochs=40,
    test_share=0.2,
    valid_share=0.2,
    notes=(
        "The greatest widths of the masks are not given. Here: 16 of 128 bands, 20 % of the clip's own columns, one mask each.",
        "The counts of augmented clips mix both policies, the table has one row for each. Here: one policy a run, masks drawn anew"
        " while training.",
        *STYLE_2021_1.notes[2:],
    ),
)

TABLES: dict[str, PublishedTable] = {t.name: t for t in (SID_2020, STYLE_2021_1, STYLE_2021_2)}

CLAIMS = (
    Claim(
        "motifs beat random clips",
        "sid-2020 and style-2021",
        "clips cut at motifs are recognised better than clips cut elsewhere (in the tables by 2.5 to 14.1 points of accuracy)",
        "motif against random and random_disjoint of equal number and length, the same split",
    ),
    Claim(
        "epochs to best",
        "sid-2020",
        "the best model needs 10 epochs, the random set 27",
        "best_epoch of each run",
    ),
    Claim(
        "train-test gap",
        "sid-2020 and style-2021",
        "how far train and test are apart is spoken of, without figures that could be set beside ours",
        "train accuracy less test accuracy",
    ),
    Claim(
        "parameters",
        "sid-2020",
        "the Residual-BLSTM has fewer parameters than ResNet-50; the published code builds one of 63.8 M against 23.6 M",
        "trained numbers of each model",
    ),
    Claim(
        "short clips",
        "style-2021",
        "clips under 0.5 s are left out (111,076 become 10,640)",
        "test figures of clips under 0.5 s, and of those from 0.5 s",
    ),
    Claim(
        "corpus size",
        "style-2021",
        "a set enlarged by masks from 10,644 to 22,062 clips scores higher (Table II against Table I)",
        "test figures of training on a quarter, a half and all groups",
    ),
    Claim(
        "fused features",
        "sid-2020",
        "combining features is spoken of, without figures",
        "statistics of log-mel and MFCC side by side, linear model",
    ),
    Claim(
        "ImageNet weights",
        "style-2021",
        "networks start from ImageNet weights",
        "ResNet-50 from supplied weights against a random start",
    ),
)
