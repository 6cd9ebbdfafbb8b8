import logging

import huggingface_hub
import pytest
from huggingface_hub import constants
from torch import nn

from ejectamap.networks import pretrained
from ejectamap.networks.connection import build_connection
from ejectamap.networks.context import build_context
from ejectamap.networks.pretrained import with_weights
from ejectamap.networks.segmentation import build_segmentation

BUILDERS = {
    "mobilenetv3_small_050": lambda: build_connection("mobilenetv3_small_050", 4, True),
    "resnet18": lambda: build_segmentation("Unet", "resnet18", 4, 4, True),
    "tu-resnet10t": lambda: build_context("Unet", "tu-resnet10t", 4, True),
}


class UnreachableSession:
    def __init__(self):
        self.calls = []

    def head(self, url, timeout):
        self.calls.append((url, timeout))
        raise ConnectionError("no route to host")


@pytest.fixture(autouse=True)
def fresh_caches():
    pretrained._warn_once.cache_clear()
    pretrained._hub_answers.cache_clear()
    yield
    pretrained._warn_once.cache_clear()
    pretrained._hub_answers.cache_clear()


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    session = UnreachableSession()
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: session)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))  # an empty cache
    return session


@pytest.mark.parametrize("name", BUILDERS)
def test_without_the_hub_random_weights_and_one_warning(name, no_hub, caplog):
    with caplog.at_level(logging.WARNING):
        BUILDERS[name]()
        BUILDERS[name]()
    assert len(no_hub.calls) == 1
    (record,) = caplog.records
    assert record.name == "ejectamap.networks.pretrained"
    assert name in record.message
    assert "the Hugging Face hub does not answer" in record.message
    assert "\n" not in record.message


def test_the_hub_gets_one_request_with_a_short_timeout(no_hub):
    for build in BUILDERS.values():
        build()
    ((url, timeout),) = no_hub.calls
    assert url == constants.ENDPOINT
    assert timeout <= 5


def test_the_offline_mode_of_the_client_is_restored(no_hub):
    calls = []

    def build(weights):
        calls.append((weights, constants.HF_HUB_OFFLINE))
        return nn.Identity()

    before = constants.HF_HUB_OFFLINE
    with_weights(build, "something", True)
    assert calls == [(True, True)]
    assert before == constants.HF_HUB_OFFLINE


def test_there_is_no_request_without_pretrained(no_hub, caplog):
    build_connection("mobilenetv3_small_050", 4, False)
    assert not no_hub.calls
    assert not caplog.records


def test_an_architecture_without_weights_starts_from_random_ones(monkeypatch, caplog):
    monkeypatch.setattr(pretrained, "_hub_answers", lambda: True)

    def build(weights):
        if weights:
            raise RuntimeError("No pretrained weights exist\nfor this")
        return nn.Identity()

    with caplog.at_level(logging.WARNING):
        with_weights(build, "something", True)
    (record,) = caplog.records
    assert record.message.endswith("starting from random ones: No pretrained weights exist")


def test_available_weights_are_used(monkeypatch, caplog):
    monkeypatch.setattr(pretrained, "_hub_answers", lambda: True)
    network = nn.Identity()
    assert with_weights(lambda flag: network if flag else nn.Linear(1, 1), "it", True) is network
    assert not caplog.records
