"""SPINE's reader finds in our exports what it finds in the files that SPINE wrote, product by product."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from spine.store.export import export
from tests.store.test_foreign import DATA
from tests.store.test_peer_reader import PYTHON

SCRIPT = """
import json, sys
import numpy as np
from spine.io.read.hdf5 import HDF5Reader

def known(value):
    if hasattr(value, "as_dict"):
        return {k: known(v) for k, v in value.as_dict().items()}
    if hasattr(value, "particles"):
        return [known(value.data), {k: known(v) for k, v in (value.particles or {}).items()}]
    if hasattr(value, "features"):
        return [type(value).__name__, known(value.features), known(getattr(value, "coordinate_data", None))]
    if isinstance(value, (list, tuple)) or getattr(value, "dtype", None) == object:
        return [known(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return [str(np.asarray(value).dtype), np.nan_to_num(value, nan=-77).tolist()]
    if isinstance(value, bytes):
        return value.decode()
    return -77 if isinstance(value, float) and value != value else value

def events(path):
    reader = HDF5Reader(file_keys=path)
    found = [reader.get(i) for i in range(len(reader))]
    return [{k: known(v) for k, v in one.items() if not k.startswith(("file", "source"))} for one in found]

differ = {}
for mine, other in zip(sys.argv[1::2], sys.argv[2::2]):
    for one, two in zip(events(mine), events(other), strict=True):
        names = sorted(set(one) | set(two))
        differ[mine] = differ.get(mine, []) + [n for n in names if json.dumps(one.get(n)) != json.dumps(two.get(n))]
print(json.dumps(differ))
"""

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.exists(), reason="make peer could not install the SPINE distribution"),
]


def test_products_that_nothing_here_knows(tmp_path: Path) -> None:
    pairs = []
    for version in ("v1", "v2"):
        original = tmp_path / f"{version}.h5"
        original.write_bytes(gzip.decompress((DATA / f"foreign_{version}.h5.gz").read_bytes()))
        export(original, tmp_path / f"ours_{version}.h5", version)  # type: ignore[arg-type]
        pairs += [tmp_path / f"ours_{version}.h5", original]
    (tmp_path / "read.py").write_text(SCRIPT)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [PYTHON, tmp_path / "read.py", *pairs],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    differ = json.loads(done.stdout.splitlines()[-1])
    assert set(differ[str(pairs[0])]) == set()
    assert set(differ[str(pairs[2])]) == {"my_index"}  # an index becomes an array of the same numbers
