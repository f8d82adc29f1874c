"""The five errors of the package: what is wrong, where, what was found, what was expected, how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["ConfigError", "DataError", "SchemaError", "SpineError", "StageError", "did_you_mean"]


class SpineError(Exception):
    """An error that a person can act on.

    Parameters
    ----------
    what : str
        One sentence: what is wrong.
    where : object, optional
        File, key or event in which it was found.
    got, expected : object, optional
        The value found and what would have been accepted.
    mend : str, optional
        What to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        got: object = None,
        expected: object = None,
        mend: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.got = got
        self.expected = expected
        self.mend = mend

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where is not None else self.what
        lines = [head]
        if self.got is not None:
            lines.append(f"  found: {self.got}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.mend:
            lines.append(f"  mend: {self.mend}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        state = {"where": self.where, "got": self.got, "expected": self.expected, "mend": self.mend}
        return type(self), (self.what,), state


class ConfigError(SpineError):
    """The configuration cannot be used as written."""


class SchemaError(SpineError):
    """A product or a column does not have the declared name, type or shape."""


class DataError(SpineError):
    """An input file or an event in it is broken or inconsistent."""


class StageError(SpineError):
    """A stage could not do its work for another reason (permissions, space, all events failed)."""


def did_you_mean(name: str, known: Iterable[str], limit: int = 3) -> str:
    """Suggest the known names nearest to a wrong one.

    Parameters
    ----------
    name : str
        The name that was not found.
    known : iterable of str
        Names that exist.
    limit : int
        Largest number of suggestions.

    Returns
    -------
    str
        ``"did you mean 'a' or 'b'?"``, or the list of known names when nothing is near.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=limit, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    return "known: " + (", ".join(names) if names else "nothing")
