"""DESIGN §2's topic rules for amqtt, as a plugin, and a way to run amqtt with them.

    python -m simulators.site.amqtt_rules amqtt.json

amqtt's own access lists do not look at wills, and know no "own client id": a device could leave a
will in another's name. This plugin refuses both at the door.
"""

import asyncio
import json
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session


class OwnTopicsPlugin(BaseAuthPlugin, BaseTopicPlugin):
    """A user writes `fw/1/+/<user>/up/#` and reads `fw/1/+/<user>/dn/#`, the gateway vice versa."""

    @dataclass
    class Config:
        """`gateway` is the gateway's user name."""

        gateway: str = "gateway"

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._gateway: str = self.config.gateway  # amqtt fills it in

    async def authenticate(self, *, session: Session) -> bool | None:
        """Refuse a foreign client id and a will that the user could not publish."""
        if session.username == self._gateway:
            return True
        if session.client_id != session.username:
            return False
        return not session.will_flag or self._may(session.username, session.will_topic, write=True)

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool | None:
        """Allow what the rules allow."""
        user = session.username if session else None
        return self._may(user, topic, write=action == Action.PUBLISH)

    def _may(self, user: str | None, topic: str | None, *, write: bool) -> bool:
        parts = (topic or "").split("/")
        if user is None or len(parts) < 6 or parts[:2] != ["fw", "1"]:
            return False
        if user == self._gateway:
            return parts[4] == ("dn" if write else "up")
        return parts[3] == user and parts[4] == ("up" if write else "dn")


async def serve(settings: dict[str, object]) -> None:
    """Run a broker until SIGTERM or SIGINT."""
    broker = Broker(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await broker.start()
    await stop.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
