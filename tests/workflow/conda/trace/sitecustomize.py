"""Python imports this first: it notes which interpreter was started for what."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

with Path(os.environ["INTERPRETER_TRACE"]).open("a", encoding="utf-8") as stream:
    stream.write(json.dumps({"prefix": sys.prefix, "argv": sys.orig_argv}) + "\n")
