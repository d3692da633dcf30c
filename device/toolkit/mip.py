"""Writes device/package.json, by which MicroPython's `mip` installs the agent from a checkout's URL.

    python -m toolkit.mip
    mpremote mip install --target /a https://…/device/package.json

Every module that any board uses is in it; what one board needs is `toolkit.bundle`'s to say.
"""

import json
from typing import Final

from agent.version import VERSION
from toolkit import bundle

PACKAGE: Final = bundle.DEVICE / "package.json"
_BOARDS: Final = (
    ("esp32", "esp32s3-devkitc"),
    ("rp2", "pico2-w"),
    ("stm32", "nucleo-f767zi"),
)


def package() -> str:
    """Return the text of package.json.

    Raises:
        BundleError: a module is missing.
    """
    paths = set()
    for layer, board in _BOARDS:
        for profile in bundle.PROFILES:
            paths.update(bundle.modules(profile, layer, board))
    urls = [[path.as_posix(), path.as_posix()] for path in sorted(paths)]
    return json.dumps({"urls": urls, "deps": [], "version": VERSION.decode()}, indent=1) + "\n"


if __name__ == "__main__":
    PACKAGE.write_text(package(), "utf-8")
