"""AIS and NMEA stations: their sentences become records in the station's name.

    inputs = stations(config.stations, config.aids, inbox, Starts(config.data / "starts"))
    for station in inputs:
        station.start()

docs/stations.md says what becomes of what. `Listener` is the part without a port; `StationInput` has
the thread that opens the port, again and again if it must.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Final

from agent.wire import body, schema
from gateway.accept import Message
from gateway.config_inputs import Aid, Station
from gateway.inbox import Delivery, Inbox
from gateway.inputs.counts import Counts
from gateway.inputs.records import Records, Value
from gateway.inputs.starts import Starts
from gateway.inputs.station import asm
from gateway.inputs.station.aids import Aids
from gateway.inputs.station.ais import AISReader, Heard, is_ais
from gateway.inputs.station.ais_records import records_of
from gateway.inputs.station.instruments import STALE_MS, Instruments
from gateway.inputs.station.ports import Port, open_port
from gateway.inputs.station.sentences import Sentence, SentenceReader
from gateway.inputs.station.targets import Targets

log = logging.getLogger(__name__)

_RETRY_S: Final = 1.0
_RETRY_MAX_S: Final = 30.0
_FIRST_REPORT_MS: Final = 10_000
_SAID_AGAIN_S: Final = 600.0  # the same fault is not logged more often
_CLOCK_OFF_MS: Final = 30_000
_APPLICATION: Final = (6, 8)


class Listener:
    """One station's sentences in, messages with its records out. For one thread."""

    def __init__(self, station: Station, aids: Aids, counts: Counts, starts: Starts) -> None:
        self._station = station
        self._aids = aids
        self._counts = counts
        self._records = Records(station.id, body.LINK_STATION, starts, b"station")
        self._reader = SentenceReader(counts)
        self._ais = AISReader(counts)
        self._targets = Targets(station.interval_s, station.still_s)
        self._own = Instruments(station.zero_dd)
        self._unknown = 0
        self._heard_ms: int | None = None
        self._ais_ms: int | None = None
        self._begun_ms: int | None = None
        self._due_ms = 0

    def feed(
        self, data: bytes, now_ms: int, wall_ms: int, *, datagram: bool = False
    ) -> list[Message]:
        """Take what the port gave (nothing, too); return the messages to hand on.

        Args:
            data: bytes of a stream cut anywhere, or one datagram.
            now_ms: a clock that only rises; thinning, silence and reports go by it.
            wall_ms: Unix milliseconds, for the records' times.
            datagram: what `data` is.

        Raises:
            OSError: the start number cannot be written.
        """
        if self._begun_ms is None:
            self._begun_ms = now_ms
            self._due_ms = now_ms + min(_FIRST_REPORT_MS, self._station.report_s * 1000)
        read = self._reader.feed_datagram if datagram else self._reader.feed
        for sentence in read(data, wall_ms):
            self._heard_ms = now_ms
            self._take(sentence, now_ms, wall_ms)
        self._ais.expire(now_ms)
        if now_ms >= self._due_ms:
            self._due_ms = now_ms + self._station.report_s * 1000
            self._report(now_ms, wall_ms)
        self._counts.add("refused", self._records.take_refused())
        return self._records.take(wall_ms) + self._aids.take(wall_ms)

    def begin(self) -> None:
        """Forget a line that was cut: the port was opened again."""
        self._reader.forget()

    def silent_ms(self, now_ms: int) -> int:
        """Return for how long no good sentence came, since the start if none ever did."""
        since = self._heard_ms if self._heard_ms is not None else self._begun_ms
        return 0 if since is None else now_ms - since

    def clock_off_ms(self, now_ms: int) -> int | None:
        """Return our clock minus the station's receiver's; None if that has no fix."""
        return self._own.clock_off_ms(now_ms)

    def _take(self, sentence: Sentence, now_ms: int, wall_ms: int) -> None:
        if not is_ais(sentence):
            taken = self._own.take(sentence, now_ms, wall_ms)
            self._counts.add(taken)
            self._unknown += taken == "unknown"
            return
        self._ais_ms = now_ms
        heard = self._ais.take(sentence, now_ms)
        if heard is None or heard.own:
            return
        if heard.kind in _APPLICATION:
            self._application(heard, sentence.at_ms)
        for schema_id, values in records_of(heard):
            if schema_id == schema.AIS_ATON:
                self._aids.aton(values, sentence.at_ms)
            if self._targets.wanted(schema_id, values, now_ms):
                self._records.add(schema_id, values, sentence.at_ms)
            else:
                self._counts.add("ais-thinned")

    def _application(self, heard: Heard, at_ms: int) -> None:
        bits = len(heard.bits)
        try:
            found = asm.decode(heard.bits.get_bytes(0, bits), bits)
        except ValueError:
            self._counts.add("asm-malformed")
            return
        self._aids.application(found, at_ms)

    def _report(self, now_ms: int, wall_ms: int) -> None:
        """Make the records of the station itself."""
        add, own = self._records.add, self._own
        lat, lon, sats = own.position(now_ms)
        if lat is None:
            lat, lon = self._station.lat_e6, self._station.lon_e6
        if lat is not None and self.silent_ms(now_ms) < self._station.silent_s * 1000:
            # Nothing is known of lights and batteries; it is there, and that is where. A deaf one is
            # not to look fresh.
            add(schema.BEACON, [0, lat, lon, sats], wall_ms)
        if own.gnss_ms is not None and now_ms - own.gnss_ms <= STALE_MS:
            add(schema.GNSS, own.gnss(now_ms), wall_ms)
        if own.weather_ms is not None:
            weather = own.weather(now_ms)
            if any(value is not None for value in weather):
                add(schema.WEATHER, weather, wall_ms)
        add(schema.RX, self._reception(now_ms), wall_ms)

    def _reception(self, now_ms: int) -> list[Value]:
        own, totals = self._own, self._ais.totals

        def silent_s(since_ms: int | None) -> int | None:
            return None if since_ms is None else (now_ms - since_ms) // 1000

        def heard(name: str) -> int:
            return totals.get(f"ais-{name}", 0)

        kinds = [heard(name) for name in ("ships", "statics", "bases", "atons", "others")]
        values: dict[str, Value] = {
            "gnss_lines": own.gnss_lines,
            "gnss_bad": own.malformed,
            "gnss_silent_s": silent_s(own.gnss_ms),
            # Of a line whose checksum is wrong nobody knows what it was: most of it is AIS.
            "ais_lines": self._reader.lines,
            "ais_bad": self._reader.bad + heard("malformed"),
            "ais_silent_s": silent_s(self._ais_ms),
            "ais_torn": heard("torn"),
            "ais_thinned": self._targets.thinned,
            "ais_own": heard("own"),
            "unknown": self._unknown,
            "weather_lines": own.weather_lines,
            "weather_silent_s": silent_s(own.weather_ms),
        }
        for name, count in zip(
            ("ships", "statics", "bases", "atons", "others"), kinds, strict=True
        ):
            values[f"ais_{name}"] = count
        return [values.get(field[0]) for field in schema.SCHEMAS[schema.RX][3]]


class StationInput:
    """A station with its port; an input of the gateway (`gateway.inbox`)."""

    def __init__(self, station: Station, aids: Aids, inbox: Inbox, starts: Starts) -> None:
        self._station = station
        self._inbox = inbox
        self._aids = aids
        self._counts = Counts(f"station.{station.id}.")
        self._listener = Listener(station, aids, self._counts, starts)
        self._open_fault = "not opened yet"
        self._last_said: tuple[str, float] = ("", 0.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"station-{station.id}", daemon=True
        )

    @property
    def name(self) -> str:
        """What the status page calls it."""
        return f"station {self._station.id}"

    def start(self) -> None:
        """Open the port, and keep it open."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        return self._counts.take() | self._aids.take_counts()

    def fault(self) -> str:
        """Return why nothing comes, or what is wrong with what comes; "" while all is well."""
        if self._open_fault:
            return f"{self._station.address}: {self._open_fault}"
        now_ms = _now_ms()
        silent_s = self._listener.silent_ms(now_ms) // 1000
        if silent_s >= self._station.silent_s:
            return f"{self._station.address}: no good sentence for {silent_s} s"
        off_ms = self._listener.clock_off_ms(now_ms)
        if off_ms is not None and abs(off_ms) > _CLOCK_OFF_MS:
            return (
                f"this computer's clock differs by {off_ms // 1000} s from the station's receiver"
            )
        return ""

    def _run(self) -> None:
        retry_s = _RETRY_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            try:
                self._listener.begin()
                station = self._station
                with open_port(station.address, station.baud, station.interface) as port:
                    self._open_fault = ""
                    self._serve(port)
            except OSError as error:
                self._open_fault = error.strerror or str(error) or type(error).__name__
                self._counts.add("port-errors")
                self._say(self._open_fault)
            except Exception as error:
                self._open_fault = f"its thread failed ({error}); it starts again"
                self._counts.add("port-errors")
                log.exception("the thread of station %s failed; it starts again", self._station.id)
            if time.monotonic() - started_s > _RETRY_MAX_S:
                retry_s = _RETRY_S
            self._stopping.wait(retry_s)
            retry_s = min(retry_s * 2, _RETRY_MAX_S)

    def _serve(self, port: Port) -> None:
        """Read until the port is lost, silent for too long, or we are stopped."""
        opened_ms = _now_ms()
        while not self._stopping.is_set():
            data = port.read()
            now_ms, wall_ms = _now_ms(), time.time_ns() // 1_000_000
            messages = self._listener.feed(data, now_ms, wall_ms, datagram=port.datagrams)
            if messages and not self._inbox.put(Delivery(messages)):
                return  # stopping
            silent_ms = min(self._listener.silent_ms(now_ms), now_ms - opened_ms)
            if not port.datagrams and silent_ms > self._station.silent_s * 1000:
                # A connection may be dead without a word of it.
                raise ConnectionResetError(f"no good sentence for {silent_ms // 1000} s")

    def _say(self, fault: str) -> None:
        said, at_s = self._last_said
        if fault != said or time.monotonic() - at_s > _SAID_AGAIN_S:
            self._last_said = (fault, time.monotonic())
            log.warning("station %s at %s: %s", self._station.id, self._station.address, fault)


def stations(
    configured: Iterable[Station], aids: Mapping[int, Aid], inbox: Inbox, starts: Starts
) -> list[StationInput]:
    """Return the inputs of all stations of a gateway; they share the table of aids."""
    some = list(configured)
    interval_s = min((station.still_s for station in some), default=600)
    shared = Aids(aids, starts, interval_s)
    return [StationInput(station, shared, inbox, starts) for station in some]


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
