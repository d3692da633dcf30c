"""The pattern of the tutorials: paho's callback makes a Point, influxdb-client writes in batches.

    python -m tests.bench.peer_influx PORT URL

paho acknowledges by itself; WriteApi keeps what is not written yet in memory.
"""

import sys
from typing import Any

from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from paho.mqtt.client import Client, MQTTMessage

from tests.bench import peer


def main(port: int, url: str) -> None:
    """Run until it is ended."""
    store = InfluxDBClient(url=url, token="none", org="fairway")
    # The package's own defaults: a thousand points or a second. Its README's example waits ten.
    writer = store.write_api(WriteOptions())

    def on_message(_client: Client, _user: Any, message: MQTTMessage) -> None:
        for name, items in peer.records(message):
            point = Point("beacon").tag("device", name).field("boot", items[1])
            point = point.field("seq", items[2])
            for field, value in zip(peer.FIELDS, items[4:], strict=False):
                point = point.field(field, value)
            writer.write("fairway", "fairway", point.time(peer.point_ms(items), WritePrecision.MS))

    client = peer.connect(port, manual_ack=False)
    client.on_message = on_message
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
