"""The benchmarks' own rig: what it sends, what it counts, and that it can see a loss."""

import pytest

from agent.wire import decode, messages, schema, series
from tests.bench import gateway, load, rig
from tests.peers import need


def publishes(data):
    """Yield (topic, message id, payload) of a run of PUBLISH packets."""
    pos = 0
    while pos < len(data):
        assert data[pos] == 0x32  # QoS 1, neither retained nor sent again
        length, head = data[pos + 1], pos + 2
        if length & 128:
            length, head = length & 127 | data[pos + 2] << 7, pos + 3
        topic = head + 2
        end = topic + int.from_bytes(data[head:topic], "big")
        yield (
            data[topic:end].decode(),
            int.from_bytes(data[end : end + 2], "big"),
            data[end + 2 : head + length],
        )
        pos = head + length
    assert pos == len(data)


@pytest.mark.parametrize("per", [1, 20])
def test_the_load_is_what_devices_send(per):
    names = ["buoy-00001", "buoy-00005", "buoy-00009"]
    packets = load.Packets(names, 300, per, 200_000_000, seed=1)
    bursts = list(packets.bursts(50))
    assert [count for count, _ in bursts] == [50] * 6
    found = [one for _, data in bursts for one in publishes(data)]
    assert [mid for _, mid, _ in found] == list(range(1, 301))
    seqs = {name: [] for name in names}
    points = set()
    for topic, _, payload in found:
        name = topic.split("/")[3]
        assert topic == messages.topic(name, "up", "rec")
        assert len(payload) <= schema.PAYLOAD_MAX
        for record in decode.sequence(payload):
            assert isinstance(record, decode.Record)
            assert not decode.check(record)
            assert (record.schema, record.boot) == (schema.BEACON, load.BOOT)
            assert len(record.values) == 9
            assert None not in record.values
            seqs[name].append(record.seq)
            points.add((name, series.point_ms(record.t, record.seq)))
    assert len(points) == 300 * per  # no two records of a device are one point
    assert all(sorted(got) == list(range(100 * per)) for got in seqs.values())


def test_message_ids_are_never_zero_and_begin_again():
    packets = load.Packets(["buoy-00000"], 65_540, 1, 200_000_000, seed=1)
    last = [data for _, data in packets.bursts(10)][-1]
    assert [mid for _, mid, _ in publishes(last)] == [
        65531,
        65532,
        65533,
        65534,
        65535,
        1,
        2,
        3,
        4,
        5,
    ]


def ack(name, *ranges):
    payload = b"".join(bytes((0x83, boot, first, last)) for boot, first, last in ranges)
    topic = messages.topic(name, "dn", "ack").encode()
    body = len(topic).to_bytes(2, "big") + topic + payload
    return bytes((0x30, len(body))) + body


def test_acknowledgements_are_read_however_they_come():
    stream = ack("buoy-00000", (1, 0, 9), (1, 12, 14)) + ack("buoy-00001", (1, 0, 0))
    stream += ack("buoy-00000", (1, 3, 4), (1, 8, 11)) + ack("buoy-00000", (2, 0, 20))
    for size in (1, 2, 7, len(stream)):
        acks = load.Acks()
        for pos in range(0, len(stream), size):
            acks.chunks.append((pos + 1, stream[pos : pos + size]))
            acks.read()
        assert acks.heard == 4
        # 0 to 14 once each, though some came twice; the other device's one; not the other boot's.
        assert acks.distinct() == 16
        assert acks.records == 20


def test_the_count_sees_what_is_lost_and_what_is_doubled():
    whole = {load.device(n): list(range(10)) for n in range(4)}
    assert rig.tally(whole, 4, 40) == (0, 0)
    assert rig.tally(whole | {load.device(1): [0, 1, 2, 3, 4, 5, 6, 8, 9]}, 4, 40) == (1, 0)
    assert rig.tally(whole | {load.device(2): [*range(10), 3, 3]}, 4, 40) == (0, 2)
    assert rig.tally(whole | {load.device(2): [*range(10), 10]}, 4, 40) == (0, 1)
    del whole[load.device(3)]
    assert rig.tally(whole, 4, 40) == (10, 0)


@pytest.mark.parametrize("store", ["SQLite", "VictoriaMetrics"])
def test_a_measurement_comes_to_its_end(store):
    need("mosquitto")
    if store == "VictoriaMetrics":
        need("victoria-metrics")
    result = gateway.measure(5, 400, 8, store)
    assert (result["lost"], result["doubled"], result["unacknowledged"]) == (0, 0, 0)
    assert result["published"] >= result["acked"] >= result["stored"] > 0
    assert 0 < result["cpu_gateway"] < 10_000
    assert 10 < result["peak_mb"] < 1_000
