"""The virtual board: real MicroPython on a simulated machine, one Node process per board."""
