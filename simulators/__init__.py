"""Simulators: the sea, its sensors, boards and fleets, with no hardware."""
