"""First file a board runs after a reset: has the guard in memory before anything else.

Nothing else: what fails here fails at every start, and a tool's soft reset comes through here too,
so starts are counted in main.py.
"""

try:
    import launch  # type: ignore[import-not-found]  # noqa: F401
except Exception as error:  # noqa: BLE001  (main.py knows what to do then)
    print("boot:", error)
