"""Profiles: which parts a device has and what it reports. One file per kind of device."""
