"""Which figures put maps in the order in which a person would?

    python examples/degradations.py WORK --planets 2 --width 2048

takes the true ejecta of simulated craters, spoils them in eight ways, each in six steps of known strength, and asks of
every figure whether it falls as the map gets worse (Kendall's tau: 1 always, 0 by chance). It writes tau.csv,
equal_f1.csv (eight maps of about one F1, and what the others say of them) and degradations.png. docs/metrics.md
shows what came out.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from rich.progress import track
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.stats import kendalltau

from ejectamap.evaluation.counts import Bools, compare
from ejectamap.evaluation.ground import Ground
from ejectamap.evaluation.structure import Figures, structure_of
from ejectamap.simulate import simulate_planet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STEPS = 6
TARGET_F1 = 0.8
LOW_IS_GOOD = ("balanced_hausdorff_km", "hd95_km", "betti0_error", "gaps_per_1000km")
SHOWN = (
    "f1",
    "structure",
    "surface_dice_10km",
    "cldice",
    "reached_length",
    "balanced_hausdorff_km",
)


def polar(ground: Ground) -> tuple[np.ndarray, np.ndarray]:
    """Range of each cell in crater radii, and its azimuth in degrees."""
    row, col = np.indices(ground.truth.shape) + 0.5
    north, east = ground.centre[0] - row, col - ground.centre[1]
    away = np.hypot(north, east) * ground.spacing_km / ground.rim_km
    return away, np.degrees(np.arctan2(east, north)) % 360


def inside_edge(ground: Ground) -> np.ndarray:
    """Distance in cells to the edge of the truth, positive inside."""
    truth = ground.truth
    return distance_transform_edt(truth) - distance_transform_edt(~truth)


def blur(ground: Ground, k: int) -> Bools:
    """Smoothed by k cells and cut at one half: thin rays go, corners are rounded."""
    return np.asarray(gaussian_filter(ground.truth.astype(np.float32), 0.6 * k) > 0.5)


def gaps(ground: Ground, k: int) -> Bools:
    """Every ray is broken at regular ranges; k of ten parts of its length are missing."""
    away, _ = polar(ground)
    return ground.truth & ((away < 3) | ((away / 1.5) % 1 >= k / 10))


def seams(ground: Ground, k: int) -> Bools:
    """Square tiles of 24 cells, each moved by up to k cells, as if sampled in the wrong place."""
    rng = np.random.default_rng(0)
    out = np.zeros_like(ground.truth)
    for top in range(0, out.shape[0], 24):
        for left in range(0, out.shape[1], 24):
            move = rng.uniform(-k, k, 2).round().astype(int)
            moved = np.roll(ground.truth, tuple(move), (0, 1))
            out[top : top + 24, left : left + 24] = moved[top : top + 24, left : left + 24]
    return out


def foreign(ground: Ground, k: int) -> Bools:
    """Another crater's ejecta: the same pattern turned by half a circle and moved away, k sixths of its sectors."""
    other = np.roll(ground.truth[::-1, ::-1], ground.truth.shape[1] // 3, 1)
    _, azimuth = polar(ground)
    return ground.truth | (other & (azimuth % 60 < 10 * k))


def no_far_rays(ground: Ground, k: int) -> Bools:
    """The outer ejecta are missing: what is left ends nearer to the crater in each step."""
    away, _ = polar(ground)
    farthest = away[ground.truth].max()
    return ground.truth & (away < farthest * (1 - k / (STEPS + 1)))


def salt(ground: Ground, k: int) -> Bools:
    """Single cells turned over at random, 1.5 % of all in each step."""
    draws = np.random.default_rng(0).random(ground.truth.shape)
    return ground.truth ^ (draws < 0.015 * k)


def dilation(ground: Ground, k: int) -> Bools:
    """The outline moved outwards by k cells."""
    return inside_edge(ground) > -0.5 - k


def erosion(ground: Ground, k: int) -> Bools:
    """The outline moved inwards by k cells."""
    return inside_edge(ground) > 0.5 + k


WAYS: dict[str, Callable[[Ground, int], Bools]] = {
    "blur": blur,
    "gaps along rays": gaps,
    "tile seams": seams,
    "another crater's ejecta": foreign,
    "far rays missing": no_far_rays,
    "salt noise": salt,
    "dilation": dilation,
    "erosion": erosion,
}


def judge(ground: Ground, prediction: Bools) -> Figures:
    """Pixel figures and those of structure."""
    counts = compare(prediction, ground.truth)
    pixel = {
        "f1": counts.f1,
        "iou": counts.iou,
        "precision": counts.precision,
        "recall": counts.recall,
    }
    return pixel | structure_of(replace(ground, prediction=prediction))


def study(grounds: list[Ground]) -> pd.DataFrame:
    """A row a crater, way and strength; strength 0 is the truth itself."""
    rows = []
    for number, ground in enumerate(track(grounds, "spoiling maps")):
        for way, spoil in WAYS.items():
            for k in range(STEPS + 1):
                prediction = spoil(ground, k) if k else ground.truth
                rows.append(
                    {"crater": number, "way": way, "strength": k, **judge(ground, prediction)}
                )
    return pd.DataFrame(rows)


def rank_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over craters of Kendall's tau between a figure's fall and the strength; rows figures, columns ways."""
    names = [name for name in table.columns if name not in ("crater", "way", "strength")]
    taus = {}
    for name in names:
        sign = 1 if name in LOW_IS_GOOD else -1
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


def at_equal_f1(table: pd.DataFrame) -> pd.DataFrame:
    """What each figure says, on average over craters, of the step of each way whose F1 is nearest to `TARGET_F1`."""
    spoilt = table[table["strength"] > 0]
    nearest = (spoilt["f1"] - TARGET_F1).abs().groupby([spoilt["way"], spoilt["crater"]]).idxmin()
    return spoilt.loc[nearest].groupby("way")[list(SHOWN)].mean().loc[list(WAYS)]


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
    largest = int(np.argmax([ground.truth.sum() for ground in grounds]))
    draw(grounds[largest], table[table["crater"] == largest], arguments.work / "degradations.png")


if __name__ == "__main__":
    main()
