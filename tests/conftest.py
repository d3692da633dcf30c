"""Plugins and options of the whole test suite."""

import pytest

pytest_plugins = ["tests.browser", "tests.micropython"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --prove, the long proof."""
    parser.addoption("--prove", action="store_true", help="run the long proofs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long proofs out unless they are asked for."""
    if config.getoption("--prove"):
        return
    skip = pytest.mark.skip(reason="a long proof: `make prove` runs it")
    for item in items:
        if "prove" in item.keywords:
            item.add_marker(skip)
