from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest, norm
from sklearn.metrics import roc_auc_score

from spine.report.statistics import ONE_SIGMA, clopper_pearson, fraction, in_bins, roc, spread, typical


@given(st.integers(0, 40), st.integers(0, 60), st.sampled_from([ONE_SIGMA, 0.9, 0.95]))
@settings(deadline=None, max_examples=40)
def test_clopper_pearson_agrees_with_scipy(k: int, rest: int, level: float) -> None:
    n = k + rest
    low, high = clopper_pearson([k], [n], level)
    if n == 0:
        assert np.isnan(low[0])
        assert np.isnan(high[0])
        return
    expected = binomtest(k, n).proportion_ci(level, method="exact")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-9)
    tail = (1 - level) / 2
    assert low[0] == pytest.approx(beta.ppf(tail, k, rest + 1) if k else 0.0, abs=1e-12)
    assert high[0] == pytest.approx(beta.ppf(1 - tail, k + 1, rest) if rest else 1.0, abs=1e-12)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.97])
def test_clopper_pearson_covers_at_least_what_it_states(p: float) -> None:
    k = np.arange(21)
    low, high = clopper_pearson(k, np.full(21, 20))
    assert binom.pmf(k[(low <= p) & (p <= high)], 20, p).sum() >= ONE_SIGMA


def test_fraction_of_nothing_has_no_value() -> None:
    metric = fraction("none", np.zeros(0, dtype=bool))
    assert metric.n == 0
    assert np.isnan([metric.value, metric.low, metric.high]).all()


def test_spread_of_a_normal_distribution_is_its_standard_deviation() -> None:
    values = norm(3.0, 2.0).ppf((np.arange(20_000) + 0.5) / 20_000)
    found = spread(np.append(values, [np.nan, np.inf]))
    assert found.n == 20_000
    assert (found.mean, found.median, found.width) == pytest.approx((3.0, 3.0, 2.0), abs=1e-3)


def test_error_of_the_median_is_that_of_repeated_samples() -> None:
    samples = np.random.default_rng(5).normal(0, 2, (2000, 101))
    stated = typical("x", samples[0])["median"]
    assert (stated.high - stated.low) / 2 == pytest.approx(np.median(samples, axis=1).std(), rel=0.15)


def test_spread_of_nothing_is_missing() -> None:
    assert np.isnan(spread(np.array([np.nan])).median)
    assert np.isnan(spread(np.zeros(0)).error)


@given(st.lists(st.floats(-2, 12) | st.just(np.nan), max_size=50))
@settings(deadline=None, max_examples=40)
def test_bins_are_those_of_numpy(values: list[float]) -> None:
    edges, x = np.array([0.0, 1.0, 2.5, 10.0]), np.array(values, dtype=np.float64)
    bins = in_bins(x, edges)
    expected = np.histogram(x[np.isfinite(x)], edges)[0]
    assert np.bincount(bins[bins >= 0], minlength=3).tolist() == expected.tolist()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60))
@settings(deadline=None, max_examples=40)
def test_area_under_the_curve_agrees_with_sklearn(pairs: list[tuple[int, bool]]) -> None:
    score, positive = np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs])
    kept, wrong, area = roc(score, positive)
    if positive.all() or not positive.any():
        assert np.isnan(area)
        assert len(kept) == len(wrong) == 0
    else:
        assert area == pytest.approx(roc_auc_score(positive, score))
        assert (kept[-1], wrong[-1]) == (1.0, 1.0)


def test_curve_of_nothing_is_empty() -> None:
    assert np.isnan(roc(np.zeros(0), np.zeros(0, dtype=bool))[2])
