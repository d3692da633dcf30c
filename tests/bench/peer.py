"""What the peers share: who they are at the broker, a persistent session, reading a message.

It imports nothing that a script of this kind would not have: their memory is measured.
"""

import io
from collections.abc import Iterator
from typing import Any, Final

import cbor2
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from agent.wire import schema, series

NAME: Final = "peer"  # user and client id of whoever is compared
FILTER: Final = "fw/1/+/+/up/rec"
FIELDS: Final = tuple(field[0] for field in schema.SCHEMAS[schema.BEACON][3])


def connect(port: int, *, manual_ack: bool) -> Client:
    """Return a client that will connect and subscribe."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=NAME,
        clean_session=False,
        manual_ack=manual_ack,
    )

    def on_connect(client: Client, *_: Any) -> None:
        client.subscribe(FILTER, qos=1)

    client.username_pw_set(NAME, NAME[::-1])
    client.on_connect = on_connect
    client.connect("127.0.0.1", port)
    return client


def records(message: MQTTMessage) -> Iterator[tuple[str, list[int]]]:
    """Yield (device, items) of each record in a message."""
    name = message.topic.split("/")[3]
    payload = io.BytesIO(message.payload)
    size = len(message.payload)
    while payload.tell() < size:
        yield name, cbor2.load(payload)


def point_ms(items: list[int]) -> int:
    """Return a record's time in Unix milliseconds, as the gateway does it."""
    return series.point_ms(items[3], items[2])
