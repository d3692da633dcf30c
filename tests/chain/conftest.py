"""Fixtures of the chain tests."""

import pytest

from tests.chain.sites import Site


@pytest.fixture
def site(tmp_path):
    sites = []

    def start(*args):
        sites.append(Site(tmp_path, *args))
        return sites[-1]

    yield start
    for one in sites:
        if one.process.running:
            one.process.stop()
