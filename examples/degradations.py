"""Test which figures of merit rank degraded maps correctly.

    python examples/degradations.py WORK --planets 2 --width 2048

The true ejecta of simulated craters are degraded in eight ways, each in six steps of increasing strength. For every
figure, Kendall's tau between strength and the figure's decrease is computed: 1 if it decreases with every step, 0 for
no relation. Results: tau.csv; equal_f1.csv, figures of degraded maps of about equal F1; between_kinds.csv, which of two
maps with different degradations each figure ranks higher; degradations.png.

Then two simulated judges choose between pairs of these maps, as people do with `ejectamap rank`. Their choices are
written to choices.jsonl and evaluated as by `ejectamap rank --report`: ranking.json, maps.csv, figures.csv, judges.csv,
ranking.png. docs/metrics.md discusses the results.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.stats import kendalltau

from ejectamap.evaluation.counts import Bools, compare
from ejectamap.evaluation.crater_rasters import CraterRasters
from ejectamap.evaluation.ranking.choices import Choice, append_choice, pair_outcomes, read_choices
from ejectamap.evaluation.ranking.report import print_ranking, rank, write_ranking
from ejectamap.evaluation.structure import LOWER_IS_BETTER, Figures, structure_figures
from ejectamap.show.ranking import plot_ranking
from ejectamap.simulation.planet import simulate_planet
from ejectamap.world.sphere import Array

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STEPS = 6
TARGET_F1 = 0.8
PIXEL_FIGURES = ("f1", "iou", "precision", "recall")
EQUAL_F1_FIGURES = (
    "f1",
    "structure",
    "surface_dice_10km",
    "cldice",
    "reached_length",
    "balanced_hausdorff_km",
)
MINOR = ("dilation 1", "chip seams 1")
"""Maps whose outline is displaced by one cell, about as precisely as people draw."""
SEVERE = tuple(
    f"{kind} {step}"
    for kind in ("gaps along rays", "another crater's ejecta", "far rays missing")
    for step in range(3, STEPS + 1)
)
"""Maps with broken, false or missing rays: assumed to be worse than every map in `MINOR`."""
JUDGES = {"precise": 0.5, "imprecise": 1.5}
"""Standard deviation, in steps, of a simulated judge's error about the difference of two maps."""
QUESTIONS = 400
TRUTH = "truth"


def polar_coordinates(rasters: CraterRasters) -> tuple[Array, Array]:
    """Range of each cell in crater radii, and its azimuth in degrees."""
    row, col = np.indices(rasters.truth.shape) + 0.5
    north, east = rasters.centre[0] - row, col - rasters.centre[1]
    range_radii = np.hypot(north, east) * rasters.spacing_km / rasters.rim_km
    return range_radii, np.degrees(np.arctan2(east, north)) % 360


def distance_to_edge(rasters: CraterRasters) -> Array:
    """Distance of each cell to the edge of the truth, in cells; positive inside."""
    truth = rasters.truth
    return distance_transform_edt(truth) - distance_transform_edt(~truth)


def blur(rasters: CraterRasters, step: int) -> Bools:
    """Smooth by 0.6 cells (sigma) per step and threshold at 0.5, which removes thin rays and rounds corners."""
    return np.asarray(gaussian_filter(rasters.truth.astype(np.float32), 0.6 * step) > 0.5)


def add_gaps(rasters: CraterRasters, step: int) -> Bools:
    """Interrupt every ray at regular ranges; a tenth of its length is missing per step."""
    range_radii, _ = polar_coordinates(rasters)
    return rasters.truth & ((range_radii < 3) | ((range_radii / 1.5) % 1 >= step / 10))


def displace_chips(rasters: CraterRasters, step: int) -> Bools:
    """Displace each square of 24 cells by up to one cell per step, as if it were sampled in the wrong place."""
    rng = np.random.default_rng(0)
    out = np.zeros_like(rasters.truth)
    for top in range(0, out.shape[0], 24):
        for left in range(0, out.shape[1], 24):
            shift = rng.uniform(-step, step, 2).round().astype(int)
            shifted = np.roll(rasters.truth, tuple(shift), (0, 1))
            out[top : top + 24, left : left + 24] = shifted[top : top + 24, left : left + 24]
    return out


def add_other_ejecta(rasters: CraterRasters, step: int) -> Bools:
    """Add another crater's ejecta, the same pattern turned by 180 degrees and shifted; one sixth of it per step."""
    other = np.roll(rasters.truth[::-1, ::-1], rasters.truth.shape[1] // 3, 1)
    _, azimuth_deg = polar_coordinates(rasters)
    return rasters.truth | (other & (azimuth_deg % 60 < 10 * step))


def remove_far_rays(rasters: CraterRasters, step: int) -> Bools:
    """Remove the ejecta beyond a limit of range; one seventh of the largest range per step."""
    range_radii, _ = polar_coordinates(rasters)
    farthest = range_radii[rasters.truth].max()
    return rasters.truth & (range_radii < farthest * (1 - step / (STEPS + 1)))


def add_salt_noise(rasters: CraterRasters, step: int) -> Bools:
    """Invert single random cells, 1.5 % of all per step."""
    draws = np.random.default_rng(0).random(rasters.truth.shape)
    return rasters.truth ^ (draws < 0.015 * step)


def dilate(rasters: CraterRasters, step: int) -> Bools:
    """Move the outline outwards by one cell per step."""
    return distance_to_edge(rasters) > -0.5 - step


def erode(rasters: CraterRasters, step: int) -> Bools:
    """Move the outline inwards by one cell per step."""
    return distance_to_edge(rasters) > 0.5 + step


DEGRADATIONS: dict[str, Callable[[CraterRasters, int], Bools]] = {
    "blur": blur,
    "gaps along rays": add_gaps,
    "chip seams": displace_chips,
    "another crater's ejecta": add_other_ejecta,
    "far rays missing": remove_far_rays,
    "salt noise": add_salt_noise,
    "dilation": dilate,
    "erosion": erode,
}


def map_figures(rasters: CraterRasters, prediction: Bools) -> Figures:
    """Pixel figures and figures of structure of one map."""
    counts = compare(prediction, rasters.truth)
    pixel = {name: getattr(counts, name) for name in PIXEL_FIGURES}
    return pixel | structure_figures(replace(rasters, prediction=prediction))


def compute_figures(craters: list[CraterRasters]) -> pd.DataFrame:
    """One row per crater, kind of degradation and step; step 0 is the truth."""
    rows = []
    for number, rasters in enumerate(track(craters, "degrading maps")):
        for kind, degrade in DEGRADATIONS.items():
            for step in range(STEPS + 1):
                prediction = degrade(rasters, step) if step else rasters.truth
                figures = map_figures(rasters, prediction)
                rows.append({"crater": number, "kind": kind, "step": step, **figures})
    return pd.DataFrame(rows)


def tau_by_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over craters of Kendall's tau between step and a figure's decrease; rows figures, columns kinds."""
    names = [name for name in table.columns if name not in ("crater", "kind", "step")]
    taus = {}
    for name in names:
        sign = 1 if name in LOWER_IS_BETTER else -1
        taus[name] = {
            kind: np.mean(
                [
                    np.nan_to_num(kendalltau(rows["step"], sign * rows[name]).statistic)
                    for _, rows in table[table["kind"] == kind].groupby("crater")
                ]
            )
            for kind in DEGRADATIONS
        }
    by_figure = pd.DataFrame(taus).T
    return by_figure.assign(least=by_figure.min(axis=1))


def compare_between_kinds(table: pd.DataFrame) -> pd.DataFrame:
    """Fraction of the craters in which each figure ranks the minor degradation higher; rows figures."""
    table = name_maps(table)
    fractions = {}
    for severe in SEVERE[:: STEPS - 2]:
        for minor in MINOR:
            better, worse = (
                table[table["map"] == name].set_index("crater").drop(columns=["kind", "map"])
                for name in (minor, severe)
            )
            difference = better - worse
            difference[list(LOWER_IS_BETTER)] *= -1
            fractions[f"{minor} or {severe}"] = (difference > 0).mean()
    by_figure = pd.DataFrame(fractions).drop("step")
    return by_figure.assign(least=by_figure.min(axis=1))


def figures_at_equal_f1(table: pd.DataFrame) -> pd.DataFrame:
    """Mean figures over craters, for the step of each kind whose F1 is nearest to `TARGET_F1`."""
    degraded = table[table["step"] > 0]
    difference = (degraded["f1"] - TARGET_F1).abs()
    nearest = difference.groupby([degraded["kind"], degraded["crater"]]).idxmin()
    means = degraded.loc[nearest].groupby("kind")[list(EQUAL_F1_FIGURES)].mean()
    return means.loc[list(DEGRADATIONS)]


def ordered_pairs() -> list[tuple[str, str, int]]:
    """Pairs of maps of known order, the better one first, and their difference in steps."""
    within = [
        (f"{kind} {step}" if step else TRUTH, f"{kind} {worse}", worse - step)
        for kind in DEGRADATIONS
        for step in range(STEPS)
        for worse in range(step + 1, STEPS + 1)
    ]
    return within + [(minor, severe, 3) for minor in MINOR for severe in SEVERE]


def simulate_choices(craters: int, path: Path) -> None:
    """Write the choices of the simulated judges, half of which are between maps with different degradations."""
    pairs = ordered_pairs()
    between = len(MINOR) * len(SEVERE)
    probability = np.full(len(pairs), 0.5 / (len(pairs) - between))
    probability[-between:] = 0.5 / between
    for number, (judge, error_steps) in enumerate(JUDGES.items()):
        rng = np.random.default_rng(number)
        for question in range(QUESTIONS):
            better, worse, steps = pairs[rng.choice(len(pairs), p=probability)]
            perceived = steps + rng.normal(0, error_steps)
            answer = "tie" if abs(perceived) < 0.3 else "left" if perceived > 0 else "right"
            crater = int(rng.integers(craters))
            append_choice(path, Choice(judge, question, crater, better, worse, answer, ""))


def name_maps(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the name of each map; step 0 of every kind is the truth."""
    names = table["kind"] + " " + table["step"].astype(str)
    return table.assign(map=names.where(table["step"] > 0, TRUTH))


def report_ranking(table: pd.DataFrame, work: Path) -> None:
    """Evaluate the simulated choices as `ejectamap rank --report` does."""
    choices = work / "choices.jsonl"
    choices.unlink(missing_ok=True)
    table = name_maps(table)
    simulate_choices(table["crater"].nunique(), choices)
    maps = tuple(table["map"].unique())
    keys = {"crater": "crater_id", "map": "map"}
    figures = table.drop_duplicates(["crater", "map"]).drop(columns=["kind", "step"])
    names = {
        name: f"{'pixel' if name in PIXEL_FIGURES else 'structure'}.{name}"
        for name in figures
        if name not in keys
    }
    ranking = rank(
        pair_outcomes(read_choices(choices), maps), maps, figures.rename(columns=keys | names)
    )
    write_ranking(ranking, work)
    plot_ranking(work / "ranking.png", ranking)
    print_ranking(ranking, Console())


def plot_degradations(rasters: CraterRasters, table: pd.DataFrame, path: Path) -> None:
    """Plot one crater's degraded maps of about equal F1, with their F1 and structure."""
    figure, axes = plt.subplots(2, 4, figsize=(10, 5.6), layout="constrained")
    colours = np.array([[255, 255, 255], [214, 96, 77], [67, 147, 195], [60, 60, 60]], np.uint8)
    for axis, (kind, degrade) in zip(axes.flat, DEGRADATIONS.items(), strict=True):
        rows = table[(table["kind"] == kind) & (table["step"] > 0)].set_index("step")
        step = int((rows["f1"] - TARGET_F1).abs().idxmin())
        case = 2 * rasters.truth + degrade(rasters, step)
        axis.imshow(colours[case], interpolation="nearest")
        f1, structure = rows.loc[step, "f1"], rows.loc[step, "structure"]
        axis.set_title(f"{kind}\nF1 {f1:.2f}, structure {structure:.2f}", fontsize=9)
        axis.set_axis_off()
    figure.suptitle("grey: true positive, blue: false negative, red: false positive", fontsize=9)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of the results")
    parser.add_argument("--planets", type=int, default=2)
    parser.add_argument("--width", type=int, default=2048, help="of the mosaics, in pixels")
    parser.add_argument("--craters", type=int, default=8, help="on each planet")
    arguments = parser.parse_args()
    craters = []
    for seed in range(arguments.planets):
        planet = simulate_planet(20_000 + seed, arguments.width, arguments.craters)
        rasters = [CraterRasters.around(c, planet.truth, planet.truth) for c in planet.craters]
        craters += [crater for crater in rasters if crater.truth.any()]
    table, work = compute_figures(craters), arguments.work
    work.mkdir(parents=True, exist_ok=True)
    tau_by_kind(table).to_csv(work / "tau.csv", float_format="%.2f")
    figures_at_equal_f1(table).to_csv(work / "equal_f1.csv", float_format="%.2f")
    compare_between_kinds(table).to_csv(work / "between_kinds.csv", float_format="%.2f")
    report_ranking(table, work)
    largest = int(np.argmax([crater.truth.sum() for crater in craters]))
    plot_degradations(
        craters[largest], table[table["crater"] == largest], work / "degradations.png"
    )


if __name__ == "__main__":
    main()
