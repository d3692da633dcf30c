"""Simulated electricity meters: ours for DL/T 645, pymodbus's server for Modbus."""

from simulators.sensors.dlt645_meter import PASSWORD, PERMIT, TRIP, DLT645Meter
from simulators.sensors.meter import LOOPBACK, QUANTITIES, Meter
from simulators.sensors.modbus_meter import MAKES, ModbusMeter, SDM630Meter

__all__ = [
    "LOOPBACK",
    "MAKES",
    "PASSWORD",
    "PERMIT",
    "QUANTITIES",
    "TRIP",
    "DLT645Meter",
    "Meter",
    "ModbusMeter",
    "SDM630Meter",
]
