from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine.errors import ConfigError
from spine.ops.expression import parse

COLUMNS: dict[str, np.ndarray[Any, Any]] = {
    "is_contained": np.array([True, True, False, True]),
    "pid": np.array([2, 4, 2, -1]),
    "ke": np.array([10.0, 200.0, np.nan, -3.0]),
    "topology": np.array(["1mu", "1mu1p", "", "2g"], dtype=object),
    "truth.pid": np.array([2, 2, 2, 4]),
}


def _mask(text: str) -> list[bool]:
    return parse(text).mask(COLUMNS.__getitem__, 4).tolist()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("is_contained & pid == 2", [True, False, False, False]),
        ("pid == 2 | ~is_contained", [True, False, True, False]),
        ("pid == Pid.PROTON or not is_contained", [False, True, True, False]),
        ("5 < ke <= 200", [True, True, False, False]),
        ("ke != ke", [False, False, True, False]),
        ("isnan(ke)", [False, False, True, False]),
        ("topology == '1mu1p'", [False, True, False, False]),
        ('topology in ["1mu", "2g"]', [True, False, False, True]),
        ("pid not in (2, -1)", [False, True, False, False]),
        ("pid == truth.pid", [True, False, True, False]),
        ("sqrt(abs(ke)) * 2 ** 2 - 1 >= +11", [True, True, False, False]),
        ("hypot(pid, pid) > min(2, 3) * 1.4", [True, True, True, False]),
        ("-pid % 3 == 1", [True, False, True, True]),
        ("log10(ke - 200) < 0 or 1 / (pid - 2) > 1e9", [True, True, True, False]),
        ("ke == 10", [True, False, False, False]),
        ("(is_contained | pid == 2) & ke > 0", [True, True, False, False]),
        ("1 < 2", [True] * 4),
    ],
)
def test_cuts(text: str, want: list[bool]) -> None:
    assert _mask(text) == want


def test_names_are_listed_once() -> None:
    assert parse("pid == 2 & truth.pid == Pid.MUON & pid > 0").names == ("pid", "truth.pid")


SIGNS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
TERMS = st.sampled_from(["a", "b", "a + b", "a * 2 - b", "-a", "3", "a % 4"])
CUTS = st.builds(lambda x, s, y: f"{x} {s} {y}", TERMS.filter(lambda term: term != "3"), SIGNS, TERMS)
WHOLE = st.recursive(
    CUTS,
    lambda part: st.one_of(
        st.builds(lambda x, w, y: f"({x}) {w} ({y})", part, st.sampled_from(["and", "or", "&", "|"]), part),
        st.builds(lambda x: f"not ({x})", part),
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=60)
@given(WHOLE)
def test_values_agree_with_pandas(text: str) -> None:
    frame = pd.DataFrame({"a": np.arange(-3, 4), "b": np.arange(7) % 3})
    found = parse(text).mask(lambda name: frame[name].to_numpy(), 7)
    want = frame.eval(text, engine="python")
    np.testing.assert_array_equal(found, np.broadcast_to(want, 7))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "pid.__class__.__base__",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "(pid := 3)",
        "pid[0]",
        "open('x')",
        "abs(pid, 1)",
        "abs(x=pid)",
        "f'{pid}'",
        "pid if ke else 2",
        "b'x' == pid",
        "pid is None",
        "{1: 2}",
        "pid in ke",
        "pid in [ke]",
        "Pid.NEUTRON == pid",
        "1" + "0" * 40 + " > pid",
        "1j == pid",
        "pid =",
        "pid == 2 &&& ke > 1",
        "ke > (",
        "'open",
        "",
        "*",
        "pid; ke",
        "pid\nke",
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize("text", ["pid", "ke + 1", "topology", "pid & 2", "not pid", "topology == 2", "topology > ke"])
def test_what_is_not_true_or_false_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not true or false"):
        _mask(text)


@pytest.mark.parametrize("text", ["topology + 'x' == ''", "-topology == 1", "abs(topology) > 1"])
def test_text_is_no_number(text: str) -> None:
    with pytest.raises(ConfigError, match="number is needed"):
        _mask(text)


def test_huge_powers_are_soon_done() -> None:
    assert _mask("9 ** 9 ** 9 > pid") == [True] * 4


def test_no_rows() -> None:
    empty = {name: values[:0] for name, values in COLUMNS.items()}
    assert parse("is_contained & topology == 'x'").mask(empty.__getitem__, 0).shape == (0,)
