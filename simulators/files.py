"""Files that other processes read while they are written."""

import json
from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Put `value` into a file so that a reader finds the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    part.replace(path)


def remove(path: Path) -> None:
    """Remove a file if it is there."""
    path.unlink(missing_ok=True)
