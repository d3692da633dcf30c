"""paho with manual acknowledgement after a durable SQLite commit: the least that loses nothing.

    python -m tests.bench.peer_sqlite PORT FILE

One table, keyed by (device, boot, seq). No check, no accounts, no dead letters, no forwarding: a bar
for the receiving half of a gateway.
"""

import queue
import sqlite3
import sys
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from tests.bench import peer

_BATCH = 500
_LINGER_S = 0.005
_WAITING_MAX = 5000


def main(port: int, path: str) -> None:
    """Run until it is ended."""
    waiting: queue.Queue[MQTTMessage] = queue.Queue(_WAITING_MAX)
    client = peer.connect(port, manual_ack=True)

    def on_message(_client: Client, _user: Any, message: MQTTMessage) -> None:
        waiting.put(message)

    client.on_message = on_message
    threading.Thread(target=client.loop_forever, daemon=True).start()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    columns = ", ".join(f'"{name}"' for name in peer.FIELDS)
    db.execute(
        f"CREATE TABLE IF NOT EXISTS beacon (device, boot, seq, ts, {columns},"
        " PRIMARY KEY (device, boot, seq)) WITHOUT ROWID"
    )
    insert = f"INSERT OR IGNORE INTO beacon VALUES (?, ?, ?, ?{', ?' * len(peer.FIELDS)})"
    while True:
        batch = [waiting.get()]
        until = time.monotonic() + _LINGER_S
        while len(batch) < _BATCH and (left := until - time.monotonic()) > 0:
            try:
                batch.append(waiting.get(timeout=left))
            except queue.Empty:
                break
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            insert,
            [
                (name, items[1], items[2], peer.point_ms(items), *items[4:])
                for message in batch
                for name, items in peer.records(message)
            ],
        )
        db.execute("COMMIT")
        for message in batch:
            client.ack(message.mid, message.qos)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
