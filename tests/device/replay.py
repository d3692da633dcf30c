"""Feeds recorded sentences to the agent's readers and prints what they read, on either interpreter.

    replay("aislib.txt", 7)    # in chunks of 7 bytes

prints a list per sentence that a reader took, a list per AIS report and, last, the counters;
tests/test_logs.py compares them with what other decoders read. Host and board print the same text.
"""

from agent.sense.ais import AIS
from agent.sense.gnss import GNSS
from agent.sense.receiver import Receiver

_BYTES_PER_MS = 4  # 38,400 Bd
_BLOCK = 4096


class _File:
    """A line that gives a file's bytes, a chunk at a time."""

    def __init__(self, path, chunk):
        self.count = 0
        self.at_end = False
        self._file = open(path, "rb")
        self._chunk = chunk
        self._block = b""
        self._at = 0

    def readinto(self, buf):
        if self._at == len(self._block):
            self._block = self._file.read(_BLOCK)
            self._at = 0
        data = self._block[self._at : self._at + self._chunk]
        buf[: len(data)] = data
        self._at += len(data)
        self.count += len(data)
        self.at_end = not data
        return len(data)

    def close(self):
        self._file.close()


class _Printer:
    """A consumer that shows what the reader behind it makes of each sentence."""

    def __init__(self, reader, show):
        self._reader = reader
        self._show = show

    def take(self, sentence, now_ms):
        taken = self._reader.take(sentence, now_ms)
        if taken:
            self._show(sentence)
        return taken

    def poll(self, now_ms):
        self._reader.poll(now_ms)


def replay(path, chunk):
    gnss = GNSS()
    ais = AIS()

    def show_gnss(sentence):
        row = ["gnss", str(sentence.copy(0), "ascii")]
        row.extend((gnss.lat_e6, gnss.lon_e6, gnss.quality, gnss.sats, gnss.hdop_e2, gnss.alt_dm))
        row.extend((gnss.sog_e2, gnss.cog_cd, gnss.mode, gnss.utc_s2020, gnss.utc_ms))
        row.extend(gnss.used)
        row.extend(gnss.view)
        row.extend((gnss.cn0_db, gnss.malformed))
        print(row)

    def show_ais(_):
        while True:
            report = ais.next_report()
            if report is None:
                break
            row = ["ais", report[0], int(ais.own)]
            row.extend(report[1])
            print(row)

    line = _File(path, chunk)
    consumers = (_Printer(gnss, show_gnss), _Printer(ais, show_ais))
    receiver = Receiver(line, consumers, bytearray(chunk))
    while not line.at_end:
        receiver.poll(line.count // _BYTES_PER_MS)
    line.close()
    found = receiver.assembler
    print(["sentences", found.lines, found.bad_checksum, found.overlong, found.malformed])
    print(["messages", ais.ships, ais.statics, ais.bases, ais.atons, ais.others, ais.owns])
    print(["refused", ais.bad, ais.torn, ais.dropped])
    print(["types", ais.counts])
