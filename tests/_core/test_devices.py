from __future__ import annotations

import pytest
import torch

from graphforget._core.devices import VARIABLE, device_key, find_device
from graphforget._core.errors import UsageError


def with_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let torch say that there are so many CUDA devices, and no variable which to take."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(("count", "kind"), [(0, "cpu"), (1, "cuda"), (3, "cuda")])
def test_auto_is_a_gpu_where_there_is_one(count, kind, monkeypatch):
    with_gpus(monkeypatch, count)
    assert find_device().type == find_device("auto").type == kind
    assert find_device("cpu") == torch.device("cpu")


def test_a_gpu_is_found_by_its_number(monkeypatch):
    with_gpus(monkeypatch, 2)
    assert find_device("cuda") == find_device("cuda:0") == torch.device("cuda", 0)
    assert find_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="'device' is cuda:2, but there are 2, from cuda:0 to cuda:1. .*device=auto"):
        find_device("cuda:2")


def test_a_variable_says_what_auto_is(monkeypatch):
    with_gpus(monkeypatch, 2)
    for value, device in (("cpu", "cpu"), ("cuda:1", "cuda:1"), ("", "cuda:0"), ("auto", "cuda:0")):
        monkeypatch.setenv(VARIABLE, value)
        assert str(find_device()) == device and str(find_device("cuda:0")) == "cuda:0"
    for value, sentence in (("gpu", "GRAPHFORGET_DEVICE must be auto, .* got 'gpu'"), ("cuda:7", "_DEVICE is cuda:7")):
        monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(UsageError, match=sentence):
            find_device("auto")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1"])
def test_a_gpu_that_is_not_there_is_a_sentence(name, monkeypatch):
    with_gpus(monkeypatch, 0)
    with pytest.raises(UsageError, match=f"'device' is {name}, but .*CUDA.* Use device=auto"):
        find_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cpu:0", "cuda:", "cuda:-1", "cuda:1.5", "mps", "meta", None, 3])
def test_what_names_no_device_is_a_sentence(name):
    with pytest.raises(UsageError, match="'device' must be auto, cpu, cuda or cuda:N, N from 0; got"):
        find_device(name)


def test_a_digest_tells_kinds_apart_and_says_nothing_of_the_cpu(monkeypatch):
    with_gpus(monkeypatch, 2)
    assert device_key("cpu") == []
    assert device_key("auto") == device_key("cuda:1") == device_key(torch.device("cuda", 0)) == ["cuda"]
