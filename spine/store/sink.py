"""A file for the HDF5 library that stays usable when the disk is full."""

from __future__ import annotations

import errno
from pathlib import Path

from spine.errors import StageError

__all__ = ["NO_SPACE", "Sink", "no_space"]

NO_SPACE = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
"""Errors of a disk, file or quota that is full."""


def no_space(path: Path, error: OSError) -> StageError:
    """The error for an output that did not fit."""
    return StageError(
        "the output cannot be written: no space", where=path, got=error.strerror,
        mend="make room or raise the limit, and run the same command again",
    )  # fmt: skip


class Sink:
    """A binary file whose first error on writing is kept; what is written after it goes nowhere.

    The HDF5 library can neither close a file nor end the process in order once a write has failed. With this it can,
    and whoever writes asks for the error.

    Parameters
    ----------
    path : Path
        The file, emptied.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: OSError | None = None
        self._file = path.open("w+b", buffering=0)

    def write(self, data: memoryview) -> int:
        """Write bytes at the current place."""
        view = memoryview(data)
        done = 0
        while done < len(view) and self.error is None:
            try:
                done += self._file.write(view[done:]) or 0
            except OSError as error:
                self.error = error
        return len(view)

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer from the current place; zeros stand for what was lost."""
        view = memoryview(buffer)
        done = self._file.readinto(view) or 0
        if self.error is not None and done < len(view):
            view[done:] = bytes(len(view) - done)
            return len(view)
        return done

    def read(self, size: int = -1) -> bytes:
        """Bytes from the current place."""
        return self._file.read(size) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The current place."""
        return self._file.tell()

    def truncate(self, size: int) -> int:
        """Set the length of the file."""
        if self.error is None:
            try:
                return self._file.truncate(size)
            except OSError as error:
                self.error = error
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def check(self, output: Path) -> None:
        """Raise the error there was.

        Raises
        ------
        StageError
            When something could not be written.
        """
        if self.error is not None:
            if self.error.errno in NO_SPACE:
                raise no_space(output, self.error) from self.error
            raise StageError("the output cannot be written", where=output, got=self.error.strerror) from self.error
