"""A bare paho subscriber: notes every record that comes. paho acknowledges by itself.

    python -m tests.bench.peer_paho PORT FILE

One line a record, `device seq`, written at once: what it loses by a kill is what paho had
acknowledged and not yet handed over.
"""

import os
import sys
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from tests.bench import peer


def main(port: int, path: str) -> None:
    """Run until it is ended."""
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def on_message(_client: Client, _user: Any, message: MQTTMessage) -> None:
        lines = [f"{name} {items[2]}\n" for name, items in peer.records(message)]
        os.write(out, "".join(lines).encode())

    client = peer.connect(port, manual_ack=False)
    client.on_message = on_message
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
