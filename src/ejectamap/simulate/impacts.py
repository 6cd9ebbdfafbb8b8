"""The fresh impacts of a simulated planet: where, how large, how old, how oblique, and their rays.

Orders of magnitude follow the rayed craters of Mercury: radii of 6 to 60 km, continuous blankets of 2 to 4 radii, rays
of 10 to 40 radii, a few reaching half-way around the planet (Hokusai).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ejectamap.simulate.look import Look
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import distance, wrap_longitude

Array = npt.NDArray[np.float64]
# Columns of `Pattern.rays`.
RAY_FIELDS = (
    *(
        "azimuth",
        "curve",
        "offset",
        "start",
        "end",
        "width",
        "widening",
        "strength",
        "gap",
        "fading",
        "patch",
    ),
)


@dataclass(frozen=True)
class Impact:
    """A fresh crater and how it came about: the truth that measurements can be checked against.

    Attributes
    ----------
    crater : Crater
    age : float
        0 the youngest, 1 hardly rayed any more.
    incoming_deg : float or None
        Bearing, seen from the crater, of the side from which an oblique projectile came; ejecta are missing there.
        None for a steep impact, whose pattern is the same all around.
    grazing : bool
        Ejecta are missing on the far side as well (butterfly).
    blanket_m : float
        Mean radius of the continuous blanket, before its edge is made ragged.
    longest_ray_m : float
        Where the longest ray ends, whether it can be seen so far or not.
    """

    crater: Crater
    age: float
    incoming_deg: float | None
    grazing: bool
    blanket_m: float
    longest_ray_m: float


@dataclass(frozen=True)
class Pattern:
    """What an impact's ejecta look like, in its azimuthal frame; lengths in crater radii, angles in radians.

    Attributes
    ----------
    rays : array (n, 11)
        One ray a row, columns as in `RAY_FIELDS`: azimuth at its start, bend per radius, sideways offset at its root,
        range of start and end, half-width at the start, growth of the width to the end, cover, share of gaps,
        the power of the remaining length with which the cover falls, and the length of patches relative to Mercury.
    blanket : float
        Radius of the continuous blanket.
    cover : float
        Cover of the blanket at the rim, 0 to 1.
    fade : float
        Power with which the blanket's cover falls with range.
    colour : array (3,)
        Latent properties of the material dug up from below, near the crater.
    floor : array (3,)
        Latent properties of the crater's interior.
    fresh : array (3,)
        What ejecta add to the ground far away, where they mostly stir it up.
    seed : int
        Of the noise that makes edges ragged and rays patchy.
    """

    rays: Array
    blanket: float
    cover: float
    fade: float
    colour: Array
    floor: Array
    fresh: Array
    seed: int

    def faded(self, factor: float) -> "Pattern":
        """Return the same pattern with less cover, as space weathering leaves it."""
        rays = self.rays.copy()
        rays[:, RAY_FIELDS.index("strength")] *= factor
        return replace(self, rays=rays, cover=self.cover * factor)


def draw_impacts(
    rng: np.random.Generator, grid: Grid, look: Look, count: int, taken: Sequence[Crater] = ()
) -> tuple[Impact, ...]:
    """Draw a catalogue of fresh craters, well apart from one another and from craters that are there already."""
    smallest_m = max(6_000.0, 1.6 * grid.pixel_m)
    largest_m = max(60_000.0, 2.5 * smallest_m)
    # The cumulative number falls with the power 0.8, as in the catalogue of rayed craters.
    share = rng.random(count)
    radii = smallest_m * (1 - share * (1 - (largest_m / smallest_m) ** -0.8)) ** (-1 / 0.8)
    reaches = _draw_reaches(rng, radii)
    impacts: list[Impact] = []
    for crater_id, (radius_m, reach) in enumerate(zip(radii, reaches, strict=True)):
        others = [*taken, *(impact.crater for impact in impacts)]
        lon, lat = _free_place(rng, others, radius_m, grid, look)
        crater = Crater(crater_id, f"S-{crater_id:02d}", lon, lat, float(radius_m), reach)
        impacts.append(_draw_impact(rng, crater, grid))
    return tuple(impacts)


def _draw_reaches(rng: np.random.Generator, radii: Array) -> list[float]:
    """Reach of each crater: 0.25, a few of the large ones 0.5, and the largest of many planets 0.75."""
    reaches = [0.25] * radii.size
    order = np.argsort(-radii * np.exp(rng.normal(0.0, 0.3, radii.size)))
    giants = [0.75] * int(rng.random() < 0.6) + [0.5] * int(rng.integers(1, 4))
    for index, reach in zip(order[: radii.size // 5], giants, strict=False):
        reaches[index] = reach
    return reaches


def _free_place(
    rng: np.random.Generator, others: Sequence[Crater], radius_m: float, grid: Grid, look: Look
) -> tuple[float, float]:
    """Find a place with data, off the others' inner blankets; the best of many tries if crowded."""
    south, north = (90.0 - 1.6 * gap - 2.0 for gap in reversed(look.polar_gap_deg))
    lon = wrap_longitude(rng.uniform(-180.0, 180.0, 40))
    lat = np.degrees(
        np.arcsin(rng.uniform(np.sin(np.radians(-south)), np.sin(np.radians(north)), 40))
    )
    if not others:
        return float(lon[0]), float(lat[0])
    gaps = np.min(
        [
            distance(c.lon, c.lat, lon, lat, grid.radius_m) / (2.5 * (c.radius_m + radius_m))
            for c in others
        ],
        axis=0,
    )
    index = int(np.argmax(gaps > 1.0)) if (gaps > 1.0).any() else int(np.argmax(gaps))
    return float(lon[index]), float(lat[index])


def _draw_impact(rng: np.random.Generator, crater: Crater, grid: Grid) -> Impact:
    """Draw an impact's history; giants are young, or nobody would have seen how far their rays go."""
    age = float(rng.random() ** 1.6 * (0.3 if crater.reach > 0.25 else 1.0))
    kind = rng.random()
    reach_m = crater.reach_m(grid.radius_m)
    if crater.reach > 0.25:
        longest_m = reach_m * rng.uniform(0.6, 0.92)
    else:
        small = (15_000.0 / crater.radius_m) ** 0.4
        longest_m = (
            crater.radius_m
            * float(np.exp(rng.normal(np.log(34.0), 0.45)))
            * small
            * (1.0 - 0.6 * age)
        )
    return Impact(
        crater,
        age,
        float(rng.uniform(0.0, 360.0)) if kind < 0.45 else None,
        kind < 0.1,
        crater.radius_m * rng.uniform(1.8, 4.5) * (1.0 - 0.2 * age),
        float(min(longest_m, 0.92 * reach_m)),
    )


def azimuth_weight(impact: Impact, azimuth: npt.ArrayLike) -> Array:
    """Relative amount of ejecta thrown towards azimuths (radians): 0 in the forbidden zones, 1 on average elsewhere."""
    azimuth = np.asarray(azimuth, np.float64)
    if impact.incoming_deg is None:
        return np.ones_like(azimuth)
    from_incoming = np.degrees(np.arccos(np.cos(azimuth - np.radians(impact.incoming_deg))))
    weight = np.clip((from_incoming - 35.0) / 30.0, 0.0, 1.0)
    if impact.grazing:
        return np.asarray(weight * np.clip((180.0 - from_incoming - 15.0) / 25.0, 0.0, 1.0) * 1.4)
    return np.asarray(weight * (1.0 - 0.35 * np.cos(np.radians(from_incoming))))


def draw_pattern(rng: np.random.Generator, impact: Impact, look: Look, grid: Grid) -> Pattern:
    """Draw the rays and the material of an impact."""
    youth = 1.0 - impact.age
    fresh = look.fresh * (0.25 + 0.75 * youth) * np.exp(rng.normal(0.0, 0.2))
    own = rng.normal(0.0, [0.25, 0.45, 0.25])
    pattern = Pattern(
        rays=_draw_rays(rng, impact, look, grid),
        blanket=impact.blanket_m / impact.crater.radius_m,
        cover=rng.uniform(0.35, 0.9),
        fade=rng.uniform(0.4, 1.2),
        colour=fresh + own,
        floor=fresh * rng.choice([0.3, 1.3], p=[0.3, 0.7]) + rng.normal(0.0, [0.4, 0.5, 0.3]),
        fresh=fresh + 0.3 * own,
        seed=int(rng.integers(2**30)),
    )
    # Of a generator of their own: without them a planet is what it would be if there were no such thing.
    own_rng = np.random.default_rng(pattern.seed)
    if own_rng.random() < look.strings:
        strings = _draw_strings(own_rng, impact, pattern.rays)
        pattern = replace(pattern, rays=np.concatenate([pattern.rays, strings]))
    if own_rng.random() < look.dark:
        colour = pattern.colour.copy()
        colour[0] = -own_rng.uniform(0.4, 1.5) * abs(fresh[0])
        pattern = replace(pattern, colour=colour)
    return pattern


def _draw_rays(rng: np.random.Generator, impact: Impact, look: Look, grid: Grid) -> Array:
    """Many short rays, some long ones, and branches off the long ones."""
    radius_m = impact.crater.radius_m
    longest = impact.longest_ray_m / radius_m
    blanket = impact.blanket_m / radius_m
    giant = impact.crater.reach > 0.25
    few = rng.poisson((24 if giant else 12) * look.rays) + 2
    many = rng.poisson(90 * look.short_rays) + 5
    n = few + many
    end = np.where(
        np.arange(n) < few,
        longest * rng.uniform(0.35, 1.0, n),
        np.minimum(longest, blanket * np.exp(rng.normal(1.0, 0.4, n))),
    )
    end[0] = longest
    width = look.ray_km * 1e3 / radius_m * np.exp(rng.normal(0.0, 0.5, n))
    width = np.clip(width * (radius_m / 15e3) ** 0.4, 0.45 * grid.pixel_m / radius_m, 2.0)
    rays = np.stack(
        [
            _draw_azimuths(rng, impact, n),
            rng.normal(0.0, look.bend, n) / end,
            rng.normal(0.0, np.where(rng.random(n) < 0.15, 1.5, 0.3), n),
            np.where(rng.random(n) < 0.1, blanket * rng.uniform(1.0, 2.5, n), 0.9),
            end,
            width,
            rng.uniform(0.0, 2.0, n),
            np.clip(0.95 * rng.beta(2.5, 3.5, n), 0.1, 1.0),
            np.clip(look.patchiness + rng.normal(0.0, 0.15, n), 0.0, 1.0),
            np.full(n, look.fading),
            np.full(n, look.patch),
        ],
        axis=1,
    )
    keep = rays[:, 4] > 1.2 * rays[:, 3]
    return np.concatenate([rays[keep], _branch(rng, rays[:few])])


def _branch(rng: np.random.Generator, parents: Array) -> Array:
    """Weaker rays that leave long ones part of the way out, at a small angle."""
    children = parents[rng.random(len(parents)) < 0.5].copy()
    n = len(children)
    azimuth, curve, _, start, end = children[:, :5].T
    root = start + (end - start) * rng.uniform(0.15, 0.6, n)
    children[:, 0] = azimuth + curve * (root - start)
    children[:, 3] = root
    children[:, 4] = root + (end - root) * rng.uniform(0.3, 0.9, n)
    children[:, 1] = (
        rng.choice([-1.0, 1.0], n) * rng.uniform(0.05, 0.25, n) / (children[:, 4] - root)
    )
    children[:, 7] *= 0.7
    return children


def _draw_strings(rng: np.random.Generator, impact: Impact, rays: Array) -> Array:
    """Rays that begin far out and hardly fade: strings of bright patches, as Hokusai's and Tycho's secondaries make."""
    start, end, width, strength, gap, fading = (
        RAY_FIELDS.index(name) for name in ("start", "end", "width", "strength", "gap", "fading")
    )
    long = rays[rays[:, end] > 0.35 * rays[:, end].max()]
    n = int(rng.poisson(25 if impact.crater.reach > 0.25 else 10)) + 1
    strings: Array = long[rng.integers(len(long), size=n)].copy()
    strings[:, 0] = _draw_azimuths(rng, impact, n)
    strings[:, end] = rays[:, end].max() * rng.uniform(0.5, 1.0, n)
    strings[:, start] = strings[:, end] * rng.uniform(0.15, 0.6, n)
    strings[:, width] *= rng.uniform(0.7, 1.4, n)
    strings[:, strength] = rng.uniform(0.3, 0.9, n)
    strings[:, gap] = np.clip(strings[:, gap] + rng.uniform(0.0, 0.3, n), 0.0, 1.0)
    strings[:, fading] = rng.uniform(0.0, 0.3, n)
    return strings


def _draw_azimuths(rng: np.random.Generator, impact: Impact, count: int) -> Array:
    """Azimuths (radians) in clusters, thinned out where the impact threw little."""
    candidates = rng.uniform(0.0, 2 * np.pi, 40 * count)
    bunches = 1.0 + 0.6 * np.cos(candidates * rng.integers(2, 7) + rng.uniform(0.0, 2 * np.pi))
    weight = azimuth_weight(impact, candidates) * bunches
    return rng.choice(candidates, count, p=weight / weight.sum())
