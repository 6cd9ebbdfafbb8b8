"""A radius in a wrong unit is asked about, with its row and what to write instead."""

from ejectamap.world.craters import Crater
from ejectamap.world.radius_checks import doubtful_radii


def craters(*radii_m: float) -> list[Crater]:
    return [Crater(k, f"c{k}", 0.0, 0.0, radius_m) for k, radius_m in enumerate(radii_m)]


def test_kilometres_among_metres() -> None:
    (line,) = doubtful_radii(craters(20e3, 31e3, 20.0, 50e3), 665.0)
    assert line.startswith("crater_id 2 (c2): its radius of 20 m is less than half a pixel")
    assert "is unlike the others, whose median is 31,000 m" in line
    assert line.endswith("if it is in kilometres, write 20000 metres in this row")


def test_the_other_way_round() -> None:
    (line,) = doubtful_radii(craters(2e3, 3e3, 2.5e6, 1e3), 665.0)
    assert line.endswith("write 2500 metres in this row")


def test_a_radius_without_an_explanation() -> None:
    (line,) = doubtful_radii(craters(20e3, 31e3, 1.0, 50e3), 665.0)
    assert line.endswith("check this row's radius and its unit, or remove the row")


def test_one_crater_alone() -> None:
    (line,) = doubtful_radii(craters(20.0), 665.0)
    assert line.endswith("write 20000 metres in this row")
    assert not list(doubtful_radii(craters(500.0), 665.0))


def test_real_catalogues_are_left_alone() -> None:
    assert not list(doubtful_radii(craters(6e3, 59e3, 40e3, 10e3), 3742.0))
    assert not list(doubtful_radii([], 665.0))
