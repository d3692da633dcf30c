"""History, read from the time-series store that the gateway writes (docs/wire.md)."""

from cloud.series.history import History, read_history
from cloud.series.store import SeriesError, SeriesStore, open_store

__all__ = ("History", "SeriesError", "SeriesStore", "open_store", "read_history")
