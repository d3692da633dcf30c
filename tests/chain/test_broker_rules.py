"""What one device publishes as another is delivered to nobody, on mosquitto and on amqtt.

MQTT 3.1.1 answers a forbidden message with a PUBACK, so only the receiving end proves anything.
"""

import time

import paho.mqtt.client as mqtt
import pytest

from agent.wire import messages
from tests.chain.processes import PASSWORDS, broker, wait_for

DEVICES = ["buoy-1", "buoy-2"]


class Client:
    """A paho client that notes what it receives."""

    def __init__(self, port, user, password=None, client_id=None, will=None):
        self.got = []
        self.answer = None
        self.arrived = 0
        self.paho = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or user, clean_session=True
        )
        self.paho.username_pw_set(user, password or PASSWORDS.get(user, user[::-1]))
        if will:
            self.paho.will_set(will, b"forged will", 1, retain=True)
        self.paho.on_connect = self._connected
        self.paho.on_message = lambda _c, _u, m: self.got.append((m.topic, m.payload))
        self.paho.on_publish = self._published
        self.paho.connect("127.0.0.1", port, 20)
        self.paho.loop_start()
        wait_for("an answer to CONNECT", lambda: self.answer is not None)

    def _connected(self, _client, _user, _flags, code, _props):
        self.answer = not code.is_failure

    def _published(self, *_):
        self.arrived += 1

    def subscribe(self, *filters):
        done = []
        self.paho.on_subscribe = lambda *_: done.append(1)
        for one in filters:
            self.paho.subscribe(one, 1)
        wait_for("SUBACKs", lambda: len(done) == len(filters))

    def publish(self, topic, payload=b"x", retain=False):
        self.paho.publish(topic, payload, 1, retain)

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    def vanish(self):
        """Break the connection without a goodbye, so that the will is published."""
        self.paho.loop_stop()
        if self.paho.socket():
            self.paho.socket().close()


@pytest.fixture(params=["mosquitto", "amqtt"])
def port(request, tmp_path):
    with broker(request.param, tmp_path, DEVICES) as (port, _):
        yield port


def up(device, kind="rec"):
    return messages.topic(device, "up", kind)


def down(device, kind="ack"):
    return messages.topic(device, "dn", kind)


def test_a_device_speaks_and_hears_in_its_own_name_only(port):
    gateway = Client(port, "gateway")
    gateway.subscribe("fw/1/+/+/up/+")
    honest, thief = Client(port, "buoy-1"), Client(port, "buoy-2")
    honest.subscribe(f"fw/1/{messages.shard('buoy-1')}/buoy-1/dn/+")
    thief.subscribe(f"fw/1/{messages.shard('buoy-2')}/buoy-2/dn/+", "fw/1/+/buoy-1/dn/#", "#")
    forged = [up("buoy-1"), up("buoy-1", "state"), down("buoy-1"), down("buoy-1", "cmd")]
    for topic in forged:
        thief.publish(topic, b"forged", retain=True)
    thief.publish(up("buoy-2"), b"own")
    honest.publish(up("buoy-1"), b"own")
    gateway.publish(down("buoy-1"), b"for buoy-1")
    gateway.publish(down("buoy-2"), b"for buoy-2")
    wait_for("what is allowed", lambda: len(gateway.got) >= 2 and honest.got and thief.got)
    wait_for("PUBACKs, for the forged ones too", lambda: thief.arrived == len(forged) + 1)
    time.sleep(0.5)
    assert sorted(gateway.got) == sorted([(up("buoy-1"), b"own"), (up("buoy-2"), b"own")])
    assert honest.got == [(down("buoy-1"), b"for buoy-1")]
    assert thief.got == [(down("buoy-2"), b"for buoy-2")]
    # Nothing forged was retained for those who come later either.
    late = Client(port, "gateway")
    late.subscribe("fw/1/+/+/up/+")
    time.sleep(0.3)
    assert late.got == []
    for client in (gateway, honest, thief, late):
        client.close()


def test_a_will_in_anothers_name_is_delivered_to_nobody(port):
    gateway = Client(port, "gateway")
    gateway.subscribe("fw/1/+/+/up/+")
    thief = Client(port, "buoy-2", will=up("buoy-1", "state"))
    thief.vanish()
    honest = Client(port, "buoy-1", will=up("buoy-1", "state"))
    honest.vanish()
    wait_for("the honest will", lambda: gateway.got, 60)
    time.sleep(0.5)
    assert gateway.got == [(up("buoy-1", "state"), b"forged will")]
    gateway.close()


def test_passwords_and_client_ids(port):
    for user, password in (("buoy-1", "wrong"), ("nobody", "nothing")):
        refused = Client(port, user, password=password)
        refused.close()
        assert not refused.answer
    # A device that calls itself the gateway does not get the gateway's session.
    gateway = Client(port, "gateway")
    gateway.subscribe("fw/1/+/+/up/+")
    thief = Client(port, "buoy-2", client_id="gateway")
    if thief.answer:
        thief.subscribe("fw/1/+/+/up/+")
    honest = Client(port, "buoy-1")
    honest.publish(up("buoy-1"), b"own")
    time.sleep(1)
    assert thief.got == []
    for client in (gateway, thief, honest):
        client.close()
