"""A navaid: GNSS, AIS receiver, lamp, battery, solar panel, temperature."""

from agent.compat import const
from agent.sense.ais import AIS
from agent.sense.analogue import Analogue
from agent.sense.gnss import GNSS
from agent.sense.lamp import Lamp
from agent.sense.lantern import Lantern
from agent.sense.receiver import Receiver
from agent.sense.targets import Targets
from agent.wire import codes, messages, schema

_BUFFER = const(256)  # bytes read from a line at once
_CHARGING_MA = const(20)  # less is the battery monitor's noise
_AIS_MAX = const(8)  # target records made in one step

# A sentence comes up to half a second after the second it names, at 9,600 Bd behind a full GSV cycle.
_GNSS_UNCERTAINTY_MS = const(500)


class Beacon:
    """The parts of a navaid and what they report."""

    code = codes.PROFILE_BEACON

    def __init__(self, hal, config, errors):
        self.gnss = GNSS()
        self.ais = AIS()
        self._gnss_line = _receiver(hal, "gnss", config["gnss.baud"], self.gnss)
        self._ais_line = _receiver(hal, "ais", config["ais.baud"], self.ais)
        self._targets = Targets(config["ais.interval_s"])
        self._lamp = Lamp(hal.adc("lamp_ma"), config["lamp.on_ma"], config["lamp.dark_s"])
        self._batt_mv = Analogue(hal.adc("batt_mv"))
        self._batt_ma = Analogue(hal.adc("batt_ma"))
        self._solar_mv = Analogue(hal.adc("solar_mv"))
        self._temp_dc = Analogue(hal.adc("temp_dc"))
        self._lantern = Lantern(
            hal.output("lantern"),
            hal.output("lamp_test"),
            hal.adc("lamp_ma"),
            hal.adc("solar_mv"),
        )
        self.actions = {
            messages.LAMP_TEST: self._lantern.test,
            messages.LAMP_MODE: self._lantern.mode,
        }
        self.parts = (
            (b"gnss", self._gnss_line),
            (b"ais", self._ais_line),
            (b"lamp", self._lamp),
            (b"lamp", self._lantern),
            (b"inputs", self._batt_mv),
            (b"inputs", self._batt_ma),
            (b"inputs", self._solar_mv),
            (b"inputs", self._temp_dc),
        )

    def gather(self, agent, now_ms):
        """Hand on what does not wait for a report: the time, and ships heard."""
        time = self.gnss.take_time()
        if time is not None:
            t, ms, at_ms = time
            agent.clock.offer(codes.CLOCK_GNSS, t, ms, at_ms, _GNSS_UNCERTAINTY_MS)
        for _ in range(_AIS_MAX):
            heard = self.ais.next_report()
            if heard is None:
                break
            if not self.ais.own and self._targets.wanted(heard[0], heard[1], now_ms):
                agent.emit(heard[0], heard[1])

    def report(self, agent, now_ms):
        """Make the every-report record."""
        gnss = self.gnss
        batt_ma = self._batt_ma.take_mean()
        flags = _flag(codes.LIT, self._lamp.lit(now_ms))
        flags |= _flag(codes.CHARGING, None if batt_ma is None else batt_ma > _CHARGING_MA)
        agent.emit(
            schema.BEACON,
            (
                flags,
                gnss.lat_e6,
                gnss.lon_e6,
                gnss.sats,
                self._lamp.take_peak_ma(),
                self._batt_mv.take_mean(),
                batt_ma,
                self._solar_mv.take_mean(),
                self._temp_dc.take_mean(),
            ),
        )

    def detail(self, agent, now_ms):
        """Make the records that say how well the receivers hear."""
        gnss = self.gnss
        fix_age_ms = gnss.fix_age_ms(now_ms)
        agent.emit(
            schema.GNSS,
            (
                gnss.quality,
                gnss.mode,
                gnss.hdop_e2,
                gnss.alt_dm,
                gnss.sog_e2,
                gnss.cog_cd,
                None if fix_age_ms is None else fix_age_ms // 1000,
            )
            + tuple(gnss.used)
            + tuple(gnss.view)
            + (gnss.cn0_db,),
        )
        ais = self.ais
        agent.emit(
            schema.RX,
            _line_health(self._gnss_line, gnss.malformed, now_ms)
            + _line_health(self._ais_line, ais.bad, now_ms)
            + (
                ais.ships,
                ais.statics,
                ais.bases,
                ais.atons,
                ais.others,
                ais.torn,
                ais.dropped,
                self._targets.thinned,
                None,
                None,
                None,
                ais.owns,
                self._gnss_line.unknown + self._ais_line.unknown,
                gnss.old_dates + agent.clock.refused,
            ),
        )

    def busy(self):
        """Return whether a sleep would cut something off."""
        return self._lantern.held

    def release(self):
        """Let go of everything that is held, because the agent stops."""
        self._lantern.release()

    def refused(self):
        """Return how many values were left out before the encoder saw them."""
        return 0


def _receiver(hal, port, baud, consumer):
    return Receiver(hal.uart(port, baud, None), (consumer,), bytearray(_BUFFER))


def _line_health(receiver, refused, now_ms):
    assembler = receiver.assembler
    return (assembler.lines, assembler.bad + refused, receiver.silent_ms(now_ms) // 1000)


def _flag(bit, value):
    """Return a state and the bit that says it is known; nothing when it is not."""
    if value is None:
        return 0
    return bit << codes.KNOWN_SHIFT | (bit if value else 0)
