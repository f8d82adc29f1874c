"""``python -m spine.document docs``: make the generated pages, or check that they are up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spine.document.pages import differences, write


def main() -> int:
    """Write the files, or with ``--check`` print what would change and return 1."""
    parser = argparse.ArgumentParser(prog="python -m spine.document", description=__doc__)
    parser.add_argument("docs", type=Path, help="directory of the pages; config/ lies beside it")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is not up to date")
    options = parser.parse_args()
    if not options.check:
        for path in write(options.docs):
            sys.stdout.write(f"{path}\n")
        return 0
    changes = differences(options.docs)
    if changes:
        sys.stderr.write(f"{changes}\nnot up to date: run 'python -m spine.document {options.docs}'\n")
    return 1 if changes else 0


if __name__ == "__main__":
    raise SystemExit(main())
