"""What a search may try: for each setting its choices or its range."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Discriminator, Field, Tag, model_validator

from ejectamap.project.section import Section


class Range(Section):
    """Numbers between two bounds, both included: one of `float`, `log` (evenly by their logarithms) and `int`."""

    float_: tuple[float, float] | None = Field(None, alias="float")
    log: tuple[float, float] | None = None
    int_: tuple[int, int] | None = Field(None, alias="int")
    step: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _is_one_range(self) -> "Range":
        given = [bounds for bounds in (self.float_, self.log, self.int_) if bounds is not None]
        if len(given) != 1:
            raise ValueError(
                "write a list of choices, or one of float, log and int, as in {int: [1, 5]}"
            )
        low, high = given[0]
        if low >= high:
            raise ValueError(f"the bounds {low} and {high} are not in rising order")
        if self.log is not None and (low <= 0 or self.step is not None):
            raise ValueError("log needs bounds above 0, and knows no step")
        if self.int_ is not None and self.step is not None and self.step != int(self.step):
            raise ValueError("the step of int is a whole number")
        return self

    def distribution(self) -> BaseDistribution:
        """The same for Optuna."""
        if self.log is not None:
            return FloatDistribution(*self.log, log=True)
        if self.int_ is not None:
            return IntDistribution(*self.int_, step=int(self.step or 1))
        assert self.float_ is not None
        return FloatDistribution(*self.float_, step=self.step)


Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Any, ...], Tag("choices")],
    Discriminator(lambda value: "range" if isinstance(value, dict | Range) else "choices"),
]
"""A range, or choices of any kind: numbers, names, lists, things with arguments."""


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """How Optuna draws from a dimension; of choices it sees the labels."""
    if isinstance(dimension, Range):
        return dimension.distribution()
    return CategoricalDistribution([label(choice) for choice in dimension])


def label(choice: Any) -> str:
    """A choice as tables and plots show it: StepLR(step_size=10, gamma=0.9)."""
    if isinstance(choice, Mapping) and set(choice) <= {"name", "arguments"} and "name" in choice:
        arguments = choice.get("arguments", {})
        inner = ", ".join(f"{key}={label(value)}" for key, value in arguments.items())
        return f"{choice['name']}({inner})" if inner else str(choice["name"])
    return choice if isinstance(choice, str) else json.dumps(choice)


def extremes(dimension: Dimension) -> Sequence[Any]:
    """Every choice, or both bounds: if these are possible settings, so is all between them."""
    if isinstance(dimension, Range):
        distribution = dimension.distribution()
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        return distribution.low, distribution.high
    return dimension


def value_behind(dimension: Dimension, drawn: Any) -> Any:
    """The setting's value behind what Optuna drew."""
    if isinstance(dimension, Range):
        return drawn
    return next(choice for choice in dimension if label(choice) == drawn)


def drawn_from(dimension: Dimension, value: Any) -> Any:
    """What Optuna would have drawn for a setting's value; None where the dimension does not hold it."""
    if isinstance(dimension, Range):
        low, high = extremes(dimension)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        inside = number and low <= value <= high
        steps = (value - low) / dimension.step if inside and dimension.step else 0.0
        return value if inside and abs(steps - round(steps)) < 1e-9 else None
    known = {label(choice) for choice in dimension}
    plain = {k: v for k, v in value.items() if v != {}} if isinstance(value, dict) else value
    return label(plain) if label(plain) in known else None


def changed(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings with some of them set by their dotted names; whole things before their parts."""
    result = deepcopy(dict(base))
    for name in sorted(values, key=lambda name: name.count(".")):
        *above, last = name.split(".")
        part = result
        for key in above:
            if not isinstance(part.get(key), dict):
                part[key] = {}
            part = part[key]
        part[last] = deepcopy(values[name])
    return result


def found(base: Mapping[str, Any], name: str) -> Any:
    """Look a setting up by its dotted name; None where there is none."""
    part: Any = base
    for key in name.split("."):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part
