"""Headless Chromium, Debian's, as a fixture: what staff look through."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from simulators.board.process import node
from tests.peers import need

ARGUMENTS = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium that asks nobody for anything."""
    chromium = need("chromium")
    # The driver's own Node needs a library that a bare Debian does not have.
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = node()
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()
