"""What the demo's boards are told of their aids: what registry and plan say, and nothing an agent refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config import refusals
from simulators import plan, registry
from simulators.site import settings
from simulators.world.light import phases

CONFIG = Path(__file__).parents[2] / "config/demo"
NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def told():
    return settings.of_assets(
        registry.read(CONFIG / "registry.toml"), plan.read(CONFIG / "estuary.toml"), NOW
    )


def test_every_buoy_at_a_station_is_told(told):
    assert list(told) == [f"buoy-{n}" for n in range(1, 7)]
    for sections in told.values():
        assert refusals("settings", json.dumps(sections).encode()) == []
        assert phases(sections["light"]["character"])


def test_the_station_is_the_sinkers(told):
    station = told["buoy-1"]["station"]
    assert station == {"lat_e6": 31_101_000, "lon_e6": 122_201_000, "chain_dm": 400,
                       "depth_cm": 1300, "error_dm": 20}  # fmt: skip
    assert told["buoy-6"]["station"]["chain_dm"] == 0  # it stands


def test_neighbours_are_those_that_can_be_heard(told):
    assert told["buoy-1"]["ais"] == {"own_mmsi": 994131001, "neighbours": "994131002,994131003",
                                     "name": "C1 LIGHT BUOY", "type": 24}  # fmt: skip
    for sections in told.values():
        assert str(sections["ais"]["own_mmsi"]) not in sections["ais"]["neighbours"]
