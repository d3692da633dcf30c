"""The real peers of the tests: broker, database, browser. `python -m tests.peers` sets them up.

As root on Debian the missing packages are installed; elsewhere the tests that need them say so and are
skipped, except in CI (CI=true), where a missing peer is a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# program -> Debian package
PEERS = {
    "mosquitto": "mosquitto",
    "victoria-metrics": "victoria-metrics",
    "chromium": "chromium",
    "strace": "strace",
}
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def find(program: str) -> str | None:
    """Return where a program is; Debian keeps servers out of a user's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")


def need(program: str) -> str:
    """Return where a peer is; skip the test if it is not there, fail in CI."""
    path = find(program)
    if path is None:
        absent(f"{program} is not installed (Debian package {PEERS[program]})")
    return path or ""


def absent(reason: str) -> None:
    """Skip a test for a missing peer; in CI, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def logs() -> Path:
    """Return the folder of recorded receiver logs beside the checkout."""
    if not SHARED.is_dir():
        absent("the recorded logs (../shared/data) are not here")
    return SHARED


def main() -> int:
    """Install what is missing, where that is possible."""
    missing = [package for program, package in PEERS.items() if find(program) is None]
    if not FONT.exists():
        missing.append("fonts-noto-cjk")  # the page is Chinese first
    if not missing:
        return 0
    debian = Path("/etc/debian_version").exists() and shutil.which("apt-get")
    if not debian or os.geteuid() != 0:
        print(f"not installed, their tests are skipped: {', '.join(missing)}")
        return 0
    print(f"installing {', '.join(missing)} …", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    steps = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
    )
    for step in steps:
        done = subprocess.run(step, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout[-2000:], done.stderr[-2000:], sep="\n")
            print(f"could not install {', '.join(missing)}")
            return 1 if os.environ.get("CI") == "true" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
