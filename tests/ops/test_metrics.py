from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from spine.errors import DataError
from spine.ops import metrics

FROZEN = Path(__file__).parent / "data" / "overlaps_and_metrics.npz"
LABELS = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=2, max_size=30).map(
    lambda pairs: np.array(pairs).T
)


def test_nine_rows_with_known_numbers() -> None:
    """Numbers of SPINE 1.4.3, to six decimals; its AMI uses the product of entropies."""
    truth, pred = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2]), np.array([0, 0, 1, 1, 1, 2, 2, 0, 2])
    table = metrics.contingency(truth, pred)
    found = metrics.cluster_metrics(truth, pred)
    np.testing.assert_allclose(found[:3], [0.777778, 0.805556, 0.357143], atol=5e-7)
    assert found.sbd == pytest.approx(0.774603, abs=5e-7)
    assert metrics.adjusted_mutual_information(table, "entropy") == pytest.approx(0.193127, abs=5e-7)


def test_metrics_equal_those_of_the_peer() -> None:
    z = np.load(FROZEN)
    for groups, want in ((None, z["metrics"]), (z["groups"], z["metrics_groups"])):
        table = metrics.contingency(z["truth"], z["pred"], groups)
        pur, eff, ari, _, sbd = metrics.cluster_metrics(z["truth"], z["pred"], groups)
        ami = metrics.adjusted_mutual_information(table, "entropy")
        np.testing.assert_allclose([pur, eff, ari, ami, sbd], want, rtol=1e-12)
    table = metrics.contingency(z["truth"], z["pred"])
    by_rows = [metrics.purity(table, False), metrics.efficiency(table, False)]
    np.testing.assert_allclose(by_rows, z["metrics_rows"], rtol=1e-12)


@settings(deadline=None, max_examples=80)
@given(LABELS)
def test_ari_and_ami_equal_sklearn(labels: np.ndarray) -> None:
    found = metrics.cluster_metrics(labels[0], labels[1])
    assert found.ari == pytest.approx(adjusted_rand_score(*labels), abs=1e-10)
    assert found.ami == pytest.approx(adjusted_mutual_info_score(*labels), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(LABELS, st.integers(0, 1000))
def test_names_and_order_do_not_matter(labels: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(labels.shape[1])
    found = metrics.cluster_metrics(labels[0], labels[1])
    renamed = metrics.cluster_metrics(10 - 3 * labels[0][order], labels[1][order] * 7 + 100)
    np.testing.assert_allclose(renamed, found, atol=1e-12)
    turned = metrics.cluster_metrics(labels[1], labels[0])
    np.testing.assert_allclose(turned, (found.eff, found.pur, *found[2:]), atol=1e-12)


def test_groups_keep_equal_labels_apart() -> None:
    truth, groups = np.array([0, 0, 0, 0]), np.array([5, 5, 9, 9])
    assert metrics.cluster_metrics(truth, np.array([1, 1, 2, 2])).eff == 0.5
    assert metrics.cluster_metrics(truth, np.array([1, 1, 1, 1]), groups) == (1, 1, 1, 1, 1)


def test_metrics_of_few_rows() -> None:
    none = np.empty(0, dtype=np.int64)
    assert np.isnan(metrics.cluster_metrics(none, none)).all()
    one = metrics.cluster_metrics(np.array([3]), np.array([4]))
    assert np.isnan(one.ari)
    assert (one.pur, one.eff, one.ami, one.sbd) == (1, 1, 1, 1)
    with pytest.raises(DataError, match="one length"):
        metrics.contingency(none, np.array([1]))
