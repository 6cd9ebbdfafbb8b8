"""The search space: for each setting its choices or its range."""

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

from ejectamap.project.settings import Section


class Range(Section):
    """Numbers between two bounds, both included: one of `float`, `log` (uniform in the logarithm) and `int`."""

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
            raise ValueError("log needs bounds above 0, and takes no step")
        if self.int_ is not None and self.step is not None and self.step != int(self.step):
            raise ValueError("the step of int must be a whole number")
        return self

    def distribution(self) -> FloatDistribution | IntDistribution:
        """The same range as a distribution of Optuna."""
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
"""A range, or choices of any kind: numbers, names, lists, components with arguments."""


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """The distribution from which Optuna samples a dimension; choices are represented by their labels."""
    if isinstance(dimension, Range):
        return dimension.distribution()
    return CategoricalDistribution([choice_label(choice) for choice in dimension])


def choice_label(choice: Any) -> str:
    """A choice as text for tables and plots, as in StepLR(step_size=10, gamma=0.9)."""
    if isinstance(choice, Mapping) and set(choice) <= {"name", "arguments"} and "name" in choice:
        arguments = choice.get("arguments", {})
        inner = ", ".join(f"{key}={choice_label(value)}" for key, value in arguments.items())
        return f"{choice['name']}({inner})" if inner else str(choice["name"])
    return choice if isinstance(choice, str) else json.dumps(choice)


def boundary_values(dimension: Dimension) -> Sequence[Any]:
    """Every choice, or both bounds; if these are valid settings, all values between the bounds are valid too."""
    if isinstance(dimension, Range):
        distribution = dimension.distribution()
        return distribution.low, distribution.high
    return dimension


def encode_value(dimension: Dimension, value: Any) -> Any:
    """Convert a setting's value to what Optuna stores: the label of a choice, or the number itself."""
    return value if isinstance(dimension, Range) else choice_label(value)


def decode_value(dimension: Dimension, sampled: Any) -> Any:
    """Convert what Optuna sampled to the setting's value: the inverse of `encode_value`."""
    if isinstance(dimension, Range):
        return sampled
    return next(choice for choice in dimension if choice_label(choice) == sampled)


def encode_if_contained(dimension: Dimension, value: Any) -> Any:
    """Convert a setting's value as `encode_value` does; None if the dimension does not contain the value."""
    if isinstance(dimension, Range):
        low, high = boundary_values(dimension)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        inside = is_number and low <= value <= high
        steps = (value - low) / dimension.step if inside and dimension.step else 0.0
        return value if inside and abs(steps - round(steps)) < 1e-9 else None
    labels = {choice_label(choice) for choice in dimension}
    plain = {k: v for k, v in value.items() if v != {}} if isinstance(value, dict) else value
    return choice_label(plain) if choice_label(plain) in labels else None


def replace_settings(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings with some replaced, by their dotted names; a section is replaced before the settings in it."""
    result = deepcopy(dict(base))
    for name in sorted(values, key=lambda name: name.count(".")):
        *sections, last = name.split(".")
        part = result
        for key in sections:
            if not isinstance(part.get(key), dict):
                part[key] = {}
            part = part[key]
        part[last] = deepcopy(values[name])
    return result


def setting_value(base: Mapping[str, Any], name: str) -> Any:
    """Value of a setting in nested settings, by its dotted name; None if there is none."""
    part: Any = base
    for key in name.split("."):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part
