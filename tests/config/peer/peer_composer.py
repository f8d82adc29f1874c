"""Composes configurations with the SPINE distribution, in its own environment: ``peer_composer.py FILE...``.

Prints one JSON object: the resolved mapping of each file, or the name of the error.
"""

from __future__ import annotations

import json
import sys
import warnings

from spine.config.load import load_config_file
from spine.config.loader import DownloadTag


def plain(value: object) -> object:
    if isinstance(value, DownloadTag):
        return {"!download": plain(value.value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def composed(path: str) -> object:
    try:
        return plain(load_config_file(path, download=False))
    except (Exception, RecursionError) as error:
        return f"error: {type(error).__name__}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    json.dump({path: composed(path) for path in sys.argv[1:]}, sys.stdout)
