"""Reading of a search's YAML file, and refusal of wrong names before any trial runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ejectamap.errors import LabelError, ProjectError, SettingsError
from ejectamap.networks.losses import build_loss
from ejectamap.project.folder import Project
from ejectamap.training.optimisers import build_optimiser, build_schedule
from ejectamap.tuning.checks import check_search
from ejectamap.tuning.search import Search, read_search
from ejectamap.tuning.space import (
    Range,
    boundary_values,
    decode_value,
    distribution_of,
    encode_if_contained,
    encode_value,
    replace_settings,
    setting_value,
)

MakeProject = Callable[..., Project]
EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = {
    "maximise": "test.pixel.f1",
    "search": {"context.optimiser.arguments.lr": {"log": [1e-4, 1e-2]}},
}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_reads_every_kind_of_dimension(tmp_path: Path) -> None:
    search = read_search(
        write(
            tmp_path / "search.yaml",
            """
            maximise: {test.pixel.f1: 0.7, test.tile.f1: 0.3}
            minimise: [test.pixel.fp, test.pixel.fn]
            search:
              context.loss: [{name: dice}, {name: focal, arguments: {alpha: 0.25}}]
              context.optimiser.arguments.lr: {log: [1e-4, 1e-2]}
              context.batch_size: {int: [2, 8], step: 2}
              map.threshold: {float: [0.25, 0.75]}
            """,
        )
    )
    assert search.titles == [
        "0.7 test.pixel.f1 + 0.3 test.tile.f1",
        "test.pixel.fp",
        "test.pixel.fn",
    ]
    assert search.directions == ["maximize", "minimize", "minimize"]
    assert not search.prunes
    assert [distribution_of(part) for part in search.search.values()] == [
        CategoricalDistribution(["dice", "focal(alpha=0.25)"]),
        FloatDistribution(1e-4, 1e-2, log=True),
        IntDistribution(2, 8, step=2),
        FloatDistribution(0.25, 0.75),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("maximise: test.pixel.f1\nserch: {}", "unknown key 'serch': nearest are search"),
        ("search: {map.threshold: {float: [0.2, 0.6]}}", "name what to maximise or minimise"),
        ("maximise: test.pixel.f1\nsearch: {}", "should have at least 1 item"),
        (
            "maximise: a\nsearch: {map.threshold: {float: [0.6, 0.2]}}",
            "0.6 and 0.2 are not in rising",
        ),
        ("maximise: a\nsearch: {map.threshold: {log: [0, 1]}}", "log needs bounds above 0"),
        ("maximise: a\nsearch: {map.threshold: {lin: [0, 1]}}", "map.threshold.lin"),
        ("maximise: a\nsearch: {map.threshold: {}}", "one of float, log and int"),
        ("maximise: a\nsearch: {context.batch_size: [4]}", "at least two choices"),
        ("maximise: a\nsearch: {inputs.tiles: [x, y]}", "inputs cannot be searched for"),
        (
            "maximise: [a, b]\nprune: true\nsearch: {context.batch_size: [4, 8]}",
            "prune: only trials",
        ),
        ("maximise: [a", "is not YAML"),
        ("", "is empty or not a mapping"),
    ],
)
def test_refuses_invalid_files(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path / "search.yaml", text)
    with pytest.raises(SettingsError) as refused:
        read_search(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"maximise": "test.pixel.f2"}, "'test.pixel.f2': nearest are .*test.pixel.f1"),
        ({"maximise": "all.pixel.f1"}, "includes training pairs"),
        ({"search": {"context.optimizer.name": ["SGD", "Adam"]}}, "context.optimiser"),
        ({"search": {"map.threshold": [0.5, 1.5]}}, "setting map.threshold = 1.5"),
        ({"search": {"context.batch_size": {"int": [0, 4]}}}, "setting context.batch_size = 0"),
        (
            {"search": {"context.loss.name": ["dice", "dise"]}},
            "unknown loss 'dise': nearest are dice",
        ),
        (
            {"search": {"context.optimiser.arguments.rl": {"log": [0.1, 1]}}},
            "correct its arguments",
        ),
        ({"search": {"context.encoder": ["tu-test_resnet", "tu-resnet9"]}}, "'tu-resnet9'"),
    ],
)
def test_checks_names_before_any_trial_runs(
    make_project: MakeProject, changes: dict[str, object], words: str
) -> None:
    project = make_project("method=polar")
    search = Search.model_validate(GOOD | changes)
    with pytest.raises(SettingsError, match=words) as refused:
        check_search(project, search, Path("search.yaml"))
    assert str(refused.value).startswith("search.yaml: ")
    assert "\n" not in str(refused.value)
    assert [path.name for path in project.folder.iterdir()] == ["project.yaml"]


def test_refuses_to_evaluate_on_training_labels(make_project: MakeProject) -> None:
    project = make_project("method=polar")
    make_project(name="twin")
    make_project(name="bare", labels=False)
    path = Path("search.yaml")
    for other, error, words in (
        ("../twin", ProjectError, "which trials are trained on"),
        ("../bare", LabelError, "has no labels"),
        ("../none", ProjectError, "holds no project.yaml"),
    ):
        with pytest.raises(error, match=words):
            check_search(project, Search.model_validate(GOOD | {"judge_on": [other]}), path)
    apart = make_project("method=polar", "training.test_fraction=1", name="apart")
    check_search(apart, Search.model_validate(GOOD | {"judge_on": ["../twin"]}), path)


def test_replaces_named_settings_only() -> None:
    base = {"a": {"loss": {"name": "x", "arguments": {"p": 1, "q": 2}}, "n": 3}}
    values = {"a.loss.arguments.p": 9, "a.loss": {"name": "y", "arguments": {"r": 1}}}
    expected = {"a": {"loss": {"name": "y", "arguments": {"r": 1, "p": 9}}, "n": 3}}
    assert replace_settings(base, values) == expected
    assert replace_settings(base, {"a.loss.arguments.p": 5})["a"]["loss"]["arguments"] == {
        "p": 5,
        "q": 2,
    }
    assert base["a"]["loss"]["arguments"]["p"] == 1


@given(st.floats(0, 1), st.integers(0, 20))
def test_encodes_only_values_that_the_dimension_contains(value: float, number: int) -> None:
    inside = encode_if_contained(Range.model_validate({"float": [0.25, 0.75]}), value)
    assert inside == (value if 0.25 <= value <= 0.75 else None)
    even = encode_if_contained(Range.model_validate({"int": [2, 8], "step": 2}), number)
    assert even == (number if number in (2, 4, 6, 8) else None)


def test_choices_can_be_encoded_and_decoded() -> None:
    choices = (None, True, 4, "x", [1, 2], {"name": "StepLR", "arguments": {"gamma": 0.9}})
    for choice in choices:
        assert decode_value(choices, encode_if_contained(choices, choice)) == choice
    assert encode_if_contained(choices, {"name": "StepLR", "arguments": {"gamma": 0.5}}) is None


@pytest.mark.parametrize("preset", ["poster", "release"])
def test_example_searches_are_valid(planet_files: Path, tmp_path: Path, preset: str) -> None:
    files = {name: planet_files / name for name in ("mosaic.tif", "craters.csv", "labels")}
    project = Project.create(tmp_path / preset, *files.values(), preset=preset)
    path = EXAMPLES / f"search_{preset}.yaml"
    search = read_search(path)
    layer = torch.nn.Linear(1, 1)
    base = project.settings.model_dump(mode="json")
    present = {
        name: encode_if_contained(part, setting_value(base, name))
        for name, part in search.search.items()
    }
    assert None not in present.values()
    for name, dimension in search.search.items():
        for value in boundary_values(dimension):
            sampled = {name: encode_value(dimension, value)}
            settings = search.settings(project.settings, present | sampled)
            for config in settings.network_configs.values():
                build_loss(config.loss.name, **config.loss.arguments)
                build_schedule(config, build_optimiser(config, layer))
