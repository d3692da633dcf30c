"""What a Modbus meter is asked: one span of registers after the other."""

from agent.meter import maps, modbus
from agent.meter.questions import AGAIN, OVER


class ModbusQuestions:
    """See `questions`; `table` is a module of `agent.meter.maps`."""

    weak = False
    status = 0  # no relay: any step

    def __init__(self, table, unit):
        self._table = table
        self.modulus = table.MODULUS
        self.floats = table.SPANS[0][2][0][2] == modbus.F32
        self.master = modbus.Master(unit)
        self.steps = len(table.SPANS)
        self.meter_id = str(unit).encode()

    def wanted(self, step, energy):
        return energy or self._table.SPANS[step][2][0][0] < maps.IMPORT

    def characters(self, step):
        return modbus.REQUEST + modbus.OVERHEAD + 2 * self._table.SPANS[step][1]

    def request(self, step):
        register, count, _rows = self._table.SPANS[step]
        return self.master.read(self._table.FUNCTION, register, count)

    def take(self, step, readings, now_ms):
        register, _count, rows = self._table.SPANS[step]
        rx = self.master.rx
        result = OVER
        for quantity, first, kind, exponent in rows:
            at = self.master.at + 2 * (first - register)
            places = maps.PLACES[quantity] + exponent
            value = modbus.value(rx, at, kind, places, self._table.LOW_FIRST)
            if not readings.put(quantity, value, now_ms):
                result = AGAIN
        return result

    def refused(self, step, error):
        return OVER

    def lost(self):
        pass

    def switches(self):
        return False

    def set_time(self, parts):
        return None
