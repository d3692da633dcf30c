"""The gateway's process as a whole, without a broker: how it ends."""

from contextlib import closing

from agent.wire import body, messages, schema
from agent.wire.vectors import written_record
from gateway import config as settings
from gateway.accept import Message
from gateway.inbox import Delivery
from gateway.journal.reading import JournalReader
from gateway.service import Service
from tests.chain.processes import free_port

WAITING = 1300  # more than one commit holds


def test_what_waits_in_the_inbox_is_committed_before_the_end(tmp_path):
    """A station's records are sent by nobody a second time."""
    file = tmp_path / "gateway.toml"
    file.write_text(f'[broker]\nport = {free_port()}\n[operation]\nlisten = ""\n')
    service = Service(settings.load(file, {}))
    topic = messages.topic("vts-east", "up", "rec")
    for seq in range(WAITING):
        record = written_record(schema.BEACON, [1], boot=1, seq=seq)
        service._inbox.put(Delivery([Message(topic, record, body.LINK_STATION, 0)]))
    service.stop()
    service.run()
    with closing(JournalReader(tmp_path / "data" / "journal.sqlite")) as reader:
        (account,) = reader.accounts("vts-east")
    assert account.records == WAITING
