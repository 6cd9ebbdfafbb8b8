"""Which figures put maps in the order in which a person would?

    python examples/degradations.py WORK --planets 2 --width 2048

takes the true ejecta of simulated craters, spoils them in eight ways, each in six steps of known strength, and asks of
every figure whether it falls as the map gets worse (Kendall's tau: 1 always, 0 by chance). It writes tau.csv,
equal_f1.csv (eight maps of about one F1, and what the others say of them), between_ways.csv (which of two maps spoilt
in different ways each figure holds for the better one) and degradations.png.

Then two simulated judges are shown pairs of these maps, as people are by `ejectamap rank`; what they choose is written
to choices.jsonl and put together as `ejectamap rank --report` does: ranking.json, maps.csv, figures.csv, judges.csv,
ranking.png. docs/metrics.md shows what came out.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from scipy.stats import kendalltau
from spoil import STEPS, WAYS

from ejectamap.evaluation.counts import Bools, compare
from ejectamap.evaluation.ground import Ground
from ejectamap.evaluation.ranking import (
    Choice,
    append_choice,
    pair_outcomes,
    print_ranking,
    rank,
    read_choices,
    write_ranking,
)
from ejectamap.evaluation.structure import LOWER_IS_BETTER, Figures, structure_of
from ejectamap.show.ranking import plot_ranking
from ejectamap.simulate import simulate_planet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TARGET_F1 = 0.8
PIXEL = ("f1", "iou", "precision", "recall")
SHOWN = (
    "f1",
    "structure",
    "surface_dice_10km",
    "cldice",
    "reached_length",
    "balanced_hausdorff_km",
)


FORGIVEN = ("dilation 1", "tile seams 1")
"""An outline one cell off, which is how exactly people draw."""
MINDED = tuple(
    f"{way} {k}"
    for way in ("gaps along rays", "another crater's ejecta", "far rays missing")
    for k in range(3, STEPS + 1)
)
"""Rays that are broken, wrong or missing: nobody would hesitate to take any of `FORGIVEN` instead."""
JUDGES = {"steady": 0.5, "moody": 1.5}
"""By how many steps a simulated judge is mistaken about a pair of maps (standard deviation)."""
QUESTIONS = 400
TRUTH = "truth"


def figures_of_map(ground: Ground, prediction: Bools) -> Figures:
    """Pixel figures and those of structure."""
    counts = compare(prediction, ground.truth)
    pixel = {name: getattr(counts, name) for name in PIXEL}
    return pixel | structure_of(replace(ground, prediction=prediction))


def study(grounds: list[Ground]) -> pd.DataFrame:
    """A row a crater, way and strength; strength 0 is the truth itself."""
    rows = []
    for number, ground in enumerate(track(grounds, "spoiling maps")):
        for way, spoil in WAYS.items():
            for k in range(STEPS + 1):
                prediction = spoil(ground, k) if k else ground.truth
                rows.append(
                    {
                        "crater": number,
                        "way": way,
                        "strength": k,
                        **figures_of_map(ground, prediction),
                    }
                )
    return pd.DataFrame(rows)


def rank_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over craters of Kendall's tau between a figure's fall and the strength; rows figures, columns ways."""
    names = [name for name in table.columns if name not in ("crater", "way", "strength")]
    taus = {}
    for name in names:
        sign = 1 if name in LOWER_IS_BETTER else -1
        taus[name] = {
            way: np.mean(
                [
                    np.nan_to_num(kendalltau(rows["strength"], sign * rows[name]).statistic)
                    for _, rows in table[table["way"] == way].groupby("crater")
                ]
            )
            for way in WAYS
        }
    found = pd.DataFrame(taus).T
    return found.assign(least=found.min(axis=1))


def between_ways(table: pd.DataFrame) -> pd.DataFrame:
    """In which part of the craters each figure holds the forgiven map for the better one; rows figures."""
    table = named(table)
    found = {}
    for way in MINDED[:: STEPS - 2]:
        for forgiven in FORGIVEN:
            better, worse = (
                table[table["map"] == name].set_index("crater").drop(columns=["way", "map"])
                for name in (forgiven, way)
            )
            gain = better - worse
            gain[list(LOWER_IS_BETTER)] *= -1
            found[f"{forgiven} or {way}"] = (gain > 0).mean()
    shares = pd.DataFrame(found).drop("strength")
    return shares.assign(least=shares.min(axis=1))


def at_equal_f1(table: pd.DataFrame) -> pd.DataFrame:
    """What each figure says, on average over craters, of the step of each way whose F1 is nearest to `TARGET_F1`."""
    spoilt = table[table["strength"] > 0]
    nearest = (spoilt["f1"] - TARGET_F1).abs().groupby([spoilt["way"], spoilt["crater"]]).idxmin()
    return spoilt.loc[nearest].groupby("way")[list(SHOWN)].mean().loc[list(WAYS)]


def pairs_to_judge() -> list[tuple[str, str, int]]:
    """Pairs of maps that nobody would hesitate about, the better one first, and by how many steps it is."""
    within = [
        (f"{way} {k}" if k else TRUTH, f"{way} {worse}", worse - k)
        for way in WAYS
        for k in range(STEPS)
        for worse in range(k + 1, STEPS + 1)
    ]
    return within + [(better, worse, 3) for better in FORGIVEN for worse in MINDED]


def judge_pairs(craters: int, path: Path) -> None:
    """Let the simulated judges choose, half of the time between two ways; writes their choices down."""
    pairs = pairs_to_judge()
    between = len(FORGIVEN) * len(MINDED)
    chance = np.full(len(pairs), 0.5 / (len(pairs) - between))
    chance[-between:] = 0.5 / between
    for number, (judge, mistaken) in enumerate(JUDGES.items()):
        rng = np.random.default_rng(number)
        for question in range(QUESTIONS):
            better, worse, steps = pairs[rng.choice(len(pairs), p=chance)]
            seen = steps + rng.normal(0, mistaken)
            answer = "tie" if abs(seen) < 0.3 else "left" if seen > 0 else "right"
            crater = int(rng.integers(craters))
            append_choice(path, Choice(judge, question, crater, better, worse, answer, ""))


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the name of each map; strength 0 is the truth, whatever the way."""
    steps = table["way"] + " " + table["strength"].astype(str)
    return table.assign(map=steps.where(table["strength"] > 0, TRUTH))


def report(table: pd.DataFrame, work: Path) -> None:
    """Put the choices together with the figures, as `ejectamap rank --report` does."""
    choices = work / "choices.jsonl"
    choices.unlink(missing_ok=True)
    table = named(table)
    judge_pairs(table["crater"].nunique(), choices)
    maps = tuple(table["map"].unique())
    pixel = {name: f"pixel.{name}" for name in PIXEL}
    known = {"crater": "crater_id", "map": "map"}
    shape = {
        name: f"structure.{name}"
        for name in table
        if name not in {*PIXEL, *known, "way", "strength"}
    }
    figures = table.drop_duplicates(["crater", "map"]).rename(columns=known | pixel | shape)
    figures = figures.drop(columns=["way", "strength"])
    ranking = rank(pair_outcomes(read_choices(choices), maps), maps, figures)
    write_ranking(ranking, work)
    plot_ranking(work / "ranking.png", ranking)
    print_ranking(ranking, Console())


def draw(ground: Ground, table: pd.DataFrame, path: Path) -> None:
    """Draw one crater's maps of about equal F1, with their F1 and structure."""
    figure, axes = plt.subplots(2, 4, figsize=(10, 5.6), layout="constrained")
    colours = np.array([[255, 255, 255], [214, 96, 77], [67, 147, 195], [60, 60, 60]], np.uint8)
    for axis, (way, spoil) in zip(axes.flat, WAYS.items(), strict=True):
        rows = table[(table["way"] == way) & (table["strength"] > 0)].set_index("strength")
        k = int((rows["f1"] - TARGET_F1).abs().idxmin())
        code = 2 * ground.truth + spoil(ground, k)
        axis.imshow(colours[code], interpolation="nearest")
        f1, structure = rows.loc[k, "f1"], rows.loc[k, "structure"]
        axis.set_title(f"{way}\nF1 {f1:.2f}, structure {structure:.2f}", fontsize=9)
        axis.set_axis_off()
    figure.suptitle("grey: right, blue: missed, red: false", fontsize=9)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--planets", type=int, default=2)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--craters", type=int, default=8, help="on each planet")
    arguments = parser.parse_args()
    grounds = []
    for seed in range(arguments.planets):
        planet = simulate_planet(20_000 + seed, arguments.width, arguments.craters)
        around = [Ground.around(c, planet.truth, planet.truth) for c in planet.craters]
        grounds += [ground for ground in around if ground.truth.any()]
    table = study(grounds)
    arguments.work.mkdir(parents=True, exist_ok=True)
    rank_agreement(table).to_csv(arguments.work / "tau.csv", float_format="%.2f")
    at_equal_f1(table).to_csv(arguments.work / "equal_f1.csv", float_format="%.2f")
    between_ways(table).to_csv(arguments.work / "between_ways.csv", float_format="%.2f")
    report(table, arguments.work)
    largest = int(np.argmax([ground.truth.sum() for ground in grounds]))
    draw(grounds[largest], table[table["crater"] == largest], arguments.work / "degradations.png")


if __name__ == "__main__":
    main()
