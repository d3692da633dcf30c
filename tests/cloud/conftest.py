"""Fixtures: a centre of one's own, empty, in this process."""

import pytest

from tests.cloud.support import LocalCentre


@pytest.fixture
def centre(tmp_path):
    """A centre of one's own, empty."""
    with LocalCentre(tmp_path) as running:
        yield running
