"""`fairway gateway check`: says what is found, a line each."""

from pathlib import Path
from typing import Final

from gateway.check.check import check
from gateway.check.findings import ERROR, OK, WARNING
from gateway.config import Config

# Exit codes: of the worst that was found.
CODES: Final = {OK: 0, WARNING: 1, ERROR: 2}


def look(config: Config, file: Path) -> int:
    """Print every finding as it comes; return the exit code."""
    worst = CODES[OK]
    print(f"{OK:8} {file}: can be read", flush=True)
    for finding in check(config):
        said = f"{finding.what}; {finding.action}" if finding.action else finding.what
        print(f"{finding.level:8} {said}", flush=True)
        worst = max(worst, CODES[finding.level])
    return worst
