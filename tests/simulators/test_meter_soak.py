"""The line faults of tests/device/test_meter_faults.py over many lines and many readings."""

import pytest
import test_meter_faults as faults

from agent.meter.maps import adw300, dtsd1352, dtsu666, sdm630

TABLES = {"sdm630": sdm630, "dtsd1352": dtsd1352, "adw300": adw300, "dtsu666": dtsu666}


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 160))
def test_dlt645(seed):
    meter = faults.DLT645()
    meter.blocks = seed % 3 > 0
    meter.item_max = (200, 8, 4, 11)[seed % 4]
    soak = faults.Soak()
    soak.soak(seed, "dlt645", meter, faults.show_dlt645, faults.other_dlt645, 2, 200)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(200, 220))
@pytest.mark.parametrize("protocol", TABLES)
def test_modbus(protocol, seed):
    table = TABLES[protocol]
    meter = faults.Modbus(1, table.FUNCTION)
    show = faults.show_modbus(table)
    faults.Soak().soak(seed, protocol, meter, show, faults.other_modbus, 2, 200)
