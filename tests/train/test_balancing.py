"""Weights of the parts of a loss against the formula."""

from __future__ import annotations

import math

import pytest
import torch

from spine.errors import ConfigError
from spine.train.balancing import Balancing, make_balancing

TERMS = {"segmentation": torch.tensor(2.0), "ppn_regression": torch.tensor(3.0), "ppn_type": torch.tensor(0.0)}


def balancing(**options: object) -> Balancing:
    found = make_balancing(options, tuple(TERMS))
    assert found is not None
    return found


def test_given_weights() -> None:
    assert make_balancing({"provider": "sum"}, ()) is None
    found = balancing(provider="fixed", weights={"segmentation": 0.5})
    assert found(TERMS).loss.item() == pytest.approx(0.5 * 2.0 + 3.0)
    with pytest.raises(ConfigError, match="did you mean 'segmentation'"):
        balancing(provider="fixed", weights={"segmentatin": 1.0})


def test_learnt_uncertainties() -> None:
    """Classes count exp(-s) L + s / 2, positions exp(-s) L / 2 + s / 2, parts without labels nothing."""
    found = balancing(provider="uncertainty")
    with torch.no_grad():
        found.log_variance["segmentation"].fill_(0.5)
        found.log_variance["ppn_regression"].fill_(-1.0)
        found.log_variance["ppn_type"].fill_(7.0)
    score = found(TERMS)
    expected = math.exp(-0.5) * 2.0 + 0.25 + math.exp(1.0) * 3.0 / 2 - 0.5
    assert score.loss.item() == pytest.approx(expected)
    torch.autograd.backward(score.loss)
    gradients = {name: value.grad for name, value in found.log_variance.items()}
    assert gradients["segmentation"] == pytest.approx(-math.exp(-0.5) * 2.0 + 0.5)
    assert gradients["ppn_type"] == pytest.approx(0.0)
    assert score.details["ppn_regression_log_variance"] == -1.0
