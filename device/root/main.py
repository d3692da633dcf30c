"""Second file a board runs after a reset: starts what the guard chooses."""

import sys


def without_guard():
    """Start the first agent there is: a guard that cannot be read must not keep a board silent."""
    import time

    import machine

    sys.path[:0] = ["/a", "/b", "/safe"]
    try:
        from agent.main import start

        start()
    except Exception as error:  # noqa: BLE001  (whatever it is, another start may do better)
        print("main:", error)
        time.sleep(60)
        machine.reset()


try:
    from launch import run  # type: ignore[import-not-found]
except Exception as error:  # noqa: BLE001  (no file, no memory, no sense)
    print("main: no guard:", error)
    run = without_guard

run()
