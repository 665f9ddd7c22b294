"""Files of JSON lines: how all of them are read."""

import json
from pathlib import Path
from typing import Any


def read_json_lines(file: Path) -> list[dict[str, Any]]:
    """The rows of a file, in order; blank lines are passed over, and a mark before the first row.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not UTF-8, or a line is not JSON.
    """
    # Not `splitlines`: what else ends a line to Unicode may stand inside a JSON text.
    return [json.loads(line) for line in file.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
