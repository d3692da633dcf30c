"""Commissions virtual boards: the files a real board gets, its identity, configuration and stores."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.keep.boots import pack
from toolkit import bundle

_BOARD: Final = "virtual"


def commission(
    flash: Path, device: str, password: str, profile: str, settings: Mapping[str, object]
) -> None:
    """Bring a board's flash up to date.

    Agent and configuration are written each time. Identity and boot store are written once: a board
    that was commissioned keeps who it is, and never counts its starts from nothing again.

    Raises:
        BundleError: the agent's files could not be made.
    """
    flash.mkdir(parents=True, exist_ok=True)
    bundle.write(flash, profile, layer="virtual", board=_BOARD, compiled=True)
    config = {"profile": profile, "board": _BOARD, **settings}
    (flash / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
    identity = flash / "identity.json"
    if not identity.exists():
        who = {"device": device, "password": password, "wifi": {"ssid": "quay", "key": "virtual"}}
        identity.write_text(json.dumps(who), "utf-8")
        (flash / "boot-a").write_bytes(pack(0))
