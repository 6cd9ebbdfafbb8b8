"""The fresh impacts of a simulated planet: position, size, age, direction, and their rays.

Orders of magnitude follow the rayed craters of Mercury: radii of 6 to 60 km, continuous blankets of 2 to 4 radii, rays
of 10 to 40 radii, a few reaching half-way around the planet (Hokusai).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ejectamap.simulation.planet_style import PlanetStyle
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import Array, distance, wrap_longitude

# Columns of `RayPattern.rays`.
RAY_FIELDS = (
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
)


@dataclass(frozen=True)
class Impact:
    """A fresh crater and the parameters of its impact: ground truth for measurements of ejecta patterns.

    Attributes
    ----------
    crater : Crater
    age : float
        0 for the youngest, 1 for one whose rays have nearly faded.
    incoming_deg : float or None
        Bearing, from the crater, of the side from which an oblique projectile came; ejecta are missing there.
        None for a steep impact, whose pattern is the same in all directions.
    grazing : bool
        Whether ejecta are also missing on the opposite side (butterfly pattern).
    blanket_m : float
        Mean radius of the continuous blanket, in metres, before noise is added to its edge.
    longest_ray_m : float
        Distance at which the longest ray ends, in metres, whether it is visible there or not.
    """

    crater: Crater
    age: float
    incoming_deg: float | None
    grazing: bool
    blanket_m: float
    longest_ray_m: float


@dataclass(frozen=True)
class RayPattern:
    """Pattern of an impact's ejecta in its azimuthal frame; lengths in crater radii, angles in radians.

    Attributes
    ----------
    rays : array (n, 11)
        One ray a row, columns as in `RAY_FIELDS`: azimuth at its start, change of azimuth per crater radius, offset
        across the ray at its start, range of its start and end, half-width at the start, relative growth of the width
        to the end, cover, fraction of gaps, the power of the remaining length with which the cover falls, and the
        length of patches relative to Mercury.
    blanket : float
        Radius of the continuous blanket.
    cover : float
        Cover of the blanket at the rim, 0 to 1.
    fade : float
        The blanket's cover falls with this power of range.
    colour : array (3,)
        Latent properties of the material excavated from below, which lies near the crater.
    floor : array (3,)
        Latent properties of the crater's interior.
    fresh : array (3,)
        Change of the latent properties by ejecta far away, where they mostly churn up the local ground.
    seed : int
        Seed of the noise that makes edges ragged and rays patchy.
    """

    rays: Array
    blanket: float
    cover: float
    fade: float
    colour: Array
    floor: Array
    fresh: Array
    seed: int

    def faded(self, factor: float) -> "RayPattern":
        """Return the same pattern with its cover multiplied by a factor, as an effect of space weathering."""
        rays = self.rays.copy()
        rays[:, RAY_FIELDS.index("strength")] *= factor
        return replace(self, rays=rays, cover=self.cover * factor)


def draw_impacts(
    rng: np.random.Generator, grid: Grid, style: PlanetStyle, count: int
) -> tuple[Impact, ...]:
    """Draw a catalogue of fresh craters, well apart from one another."""
    smallest_m = max(6_000.0, 1.6 * grid.pixel_m)
    largest_m = max(60_000.0, 2.5 * smallest_m)
    # The cumulative number falls with the power 0.8, as in the catalogue of rayed craters.
    quantile = rng.random(count)
    radii = smallest_m * (1 - quantile * (1 - (largest_m / smallest_m) ** -0.8)) ** (-1 / 0.8)
    reaches = _draw_reaches(rng, radii)
    impacts: list[Impact] = []
    for crater_id, (radius_m, reach) in enumerate(zip(radii, reaches, strict=True)):
        others = [impact.crater for impact in impacts]
        lon, lat = _draw_position(rng, others, radius_m, grid, style)
        crater = Crater(crater_id, f"S-{crater_id:02d}", lon, lat, float(radius_m), reach)
        impacts.append(_draw_impact(rng, crater, grid))
    return tuple(impacts)


def _draw_reaches(rng: np.random.Generator, radii: Array) -> list[float]:
    """Draw the reach of each crater: 0.25, for a few large ones 0.5, and on most planets for one large one 0.75."""
    reaches = [0.25] * radii.size
    order = np.argsort(-radii * np.exp(rng.normal(0.0, 0.3, radii.size)))
    long_reaches = [0.75] * int(rng.random() < 0.6) + [0.5] * int(rng.integers(1, 4))
    for index, reach in zip(order[: radii.size // 5], long_reaches, strict=False):
        reaches[index] = reach
    return reaches


def _draw_position(
    rng: np.random.Generator,
    others: Sequence[Crater],
    radius_m: float,
    grid: Grid,
    style: PlanetStyle,
) -> tuple[float, float]:
    """Draw a longitude and latitude with data, of 40 the first off the others' inner blankets or else the farthest."""
    south, north = (90.0 - 1.6 * gap - 2.0 for gap in reversed(style.polar_gap_deg))
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
    """Draw an impact's age, direction and extent; one with a long reach is young, so that its far rays are visible."""
    age = float(rng.random() ** 1.6 * (0.3 if crater.reach > 0.25 else 1.0))
    kind = rng.random()
    reach_m = crater.reach_m(grid.radius_m)
    if crater.reach > 0.25:
        longest_m = reach_m * rng.uniform(0.6, 0.92)
    else:
        size_factor = (15_000.0 / crater.radius_m) ** 0.4
        longest_m = (
            crater.radius_m
            * float(np.exp(rng.normal(np.log(34.0), 0.45)))
            * size_factor
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
    """Relative amount of ejecta at azimuths (radians): 0 in the forbidden zones, 1 on average elsewhere."""
    azimuth = np.asarray(azimuth, np.float64)
    if impact.incoming_deg is None:
        return np.ones_like(azimuth)
    from_incoming = np.degrees(np.arccos(np.cos(azimuth - np.radians(impact.incoming_deg))))
    weight = np.clip((from_incoming - 35.0) / 30.0, 0.0, 1.0)
    if impact.grazing:
        return np.asarray(weight * np.clip((180.0 - from_incoming - 15.0) / 25.0, 0.0, 1.0) * 1.4)
    return np.asarray(weight * (1.0 - 0.35 * np.cos(np.radians(from_incoming))))


def draw_pattern(
    rng: np.random.Generator, impact: Impact, style: PlanetStyle, grid: Grid
) -> RayPattern:
    """Draw the rays, blanket and material of an impact."""
    youth = 1.0 - impact.age
    fresh = style.fresh * (0.25 + 0.75 * youth) * np.exp(rng.normal(0.0, 0.2))
    material = rng.normal(0.0, [0.25, 0.45, 0.25])
    pattern = RayPattern(
        rays=_draw_rays(rng, impact, style, grid),
        blanket=impact.blanket_m / impact.crater.radius_m,
        cover=rng.uniform(0.35, 0.9),
        fade=rng.uniform(0.4, 1.2),
        colour=fresh + material,
        floor=fresh * rng.choice([0.3, 1.3], p=[0.3, 0.7]) + rng.normal(0.0, [0.4, 0.5, 0.3]),
        fresh=fresh + 0.3 * material,
        seed=int(rng.integers(2**30)),
    )
    # A separate generator: everything else on the planet is the same with or without these.
    crater_rng = np.random.default_rng(pattern.seed)
    if crater_rng.random() < style.chain_fraction:
        chains = _draw_chains(crater_rng, impact, pattern.rays)
        pattern = replace(pattern, rays=np.concatenate([pattern.rays, chains]))
    if crater_rng.random() < style.dark_fraction:
        colour = pattern.colour.copy()
        colour[0] = -crater_rng.uniform(0.4, 1.5) * abs(fresh[0])
        pattern = replace(pattern, colour=colour)
    return pattern


def _draw_rays(rng: np.random.Generator, impact: Impact, style: PlanetStyle, grid: Grid) -> Array:
    """Draw many short rays, some long ones, and branches of the long ones."""
    radius_m = impact.crater.radius_m
    longest = impact.longest_ray_m / radius_m
    blanket = impact.blanket_m / radius_m
    long_reach = impact.crater.reach > 0.25
    long_count = rng.poisson((24 if long_reach else 12) * style.rays) + 2
    short_count = rng.poisson(90 * style.short_rays) + 5
    n = long_count + short_count
    end = np.where(
        np.arange(n) < long_count,
        longest * rng.uniform(0.35, 1.0, n),
        np.minimum(longest, blanket * np.exp(rng.normal(1.0, 0.4, n))),
    )
    end[0] = longest
    width = style.ray_km * 1e3 / radius_m * np.exp(rng.normal(0.0, 0.5, n))
    width = np.clip(width * (radius_m / 15e3) ** 0.4, 0.45 * grid.pixel_m / radius_m, 2.0)
    rays = np.stack(
        [
            _draw_azimuths(rng, impact, n),
            rng.normal(0.0, style.bend, n) / end,
            rng.normal(0.0, np.where(rng.random(n) < 0.15, 1.5, 0.3), n),
            np.where(rng.random(n) < 0.1, blanket * rng.uniform(1.0, 2.5, n), 0.9),
            end,
            width,
            rng.uniform(0.0, 2.0, n),
            np.clip(0.95 * rng.beta(2.5, 3.5, n), 0.1, 1.0),
            np.clip(style.patchiness + rng.normal(0.0, 0.15, n), 0.0, 1.0),
            np.full(n, style.fading),
            np.full(n, style.patch),
        ],
        axis=1,
    )
    keep = rays[:, 4] > 1.2 * rays[:, 3]
    return np.concatenate([rays[keep], _draw_branches(rng, rays[:long_count])])


def _draw_branches(rng: np.random.Generator, parents: Array) -> Array:
    """Draw weaker rays that branch off half of the given rays at a small angle."""
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


def _draw_chains(rng: np.random.Generator, impact: Impact, rays: Array) -> Array:
    """Draw rays that begin far out and hardly fade: chains of bright patches like Hokusai's and Tycho's secondaries."""
    start, end, width, strength, gap, fading = (
        RAY_FIELDS.index(name) for name in ("start", "end", "width", "strength", "gap", "fading")
    )
    long_rays = rays[rays[:, end] > 0.35 * rays[:, end].max()]
    n = int(rng.poisson(25 if impact.crater.reach > 0.25 else 10)) + 1
    chains: Array = long_rays[rng.integers(len(long_rays), size=n)].copy()
    chains[:, 0] = _draw_azimuths(rng, impact, n)
    chains[:, end] = rays[:, end].max() * rng.uniform(0.5, 1.0, n)
    chains[:, start] = chains[:, end] * rng.uniform(0.15, 0.6, n)
    chains[:, width] *= rng.uniform(0.7, 1.4, n)
    chains[:, strength] = rng.uniform(0.3, 0.9, n)
    chains[:, gap] = np.clip(chains[:, gap] + rng.uniform(0.0, 0.3, n), 0.0, 1.0)
    chains[:, fading] = rng.uniform(0.0, 0.3, n)
    return chains


def _draw_azimuths(rng: np.random.Generator, impact: Impact, count: int) -> Array:
    """Draw azimuths (radians) in clusters, fewer where the impact ejected little."""
    candidates = rng.uniform(0.0, 2 * np.pi, 40 * count)
    clustering = 1.0 + 0.6 * np.cos(candidates * rng.integers(2, 7) + rng.uniform(0.0, 2 * np.pi))
    weight = azimuth_weight(impact, candidates) * clustering
    return rng.choice(candidates, count, p=weight / weight.sum())
