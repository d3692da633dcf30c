"""Numbers with names: the codes and bits that records carry. Their words for people are in `words`.

Codes are only ever added, never reused.
"""

# Lines of a `beacon` record's `flags`: bit n is the state, bit n + 8 says that it was measured.
# "Unknown" is neither healthy nor failed, so a state without its upper bit means nothing.
LIT = 0x01
CHARGING = 0x02
SHOULD_BE_LIT = 0x04
OFF_STATION = 0x08
HATCH_OPEN = 0x10
WATER_INSIDE = 0x20
LIGHT_FAULT = 0x40
LANTERN_HELD = 0x80
KNOWN_SHIFT = 8

# `meter.flags`, the same way.
PLUG = 0x01
BREAKER = 0x02
RELAY = 0x04
SAFETY_LOOP = 0x08
IN_USE = 0x10
IN_SESSION = 0x20

# `clock.source`, in falling order of trust.
CLOCK_GNSS = 1
CLOCK_BEIDOU = 2
CLOCK_NTP = 3
CLOCK_GATEWAY = 4
CLOCK_RTC = 5

# `birth.reset`
RESET_POWER_ON = 1
RESET_HARD = 2
RESET_WATCHDOG = 3
RESET_DEEP_SLEEP = 4
RESET_SOFT = 5
RESET_BROWN_OUT = 6

# `birth.intent`: why the agent itself asked for the reset. Written before each deliberate one.
INTENT_NONE = 0
INTENT_COMMAND = 1
INTENT_SETTINGS = 2
INTENT_UPDATE = 3
INTENT_ROLLBACK = 4
INTENT_SLEEP = 5
INTENT_BACKOFF = 6
INTENT_LINK = 7

# `birth.mode`
MODE_NORMAL = 0
MODE_PREVIOUS = 1
MODE_SAFE = 2

# `birth.settings`: what became of the last change of configuration or credentials.
SETTINGS_NONE = 0
SETTINGS_TRIAL = 1
SETTINGS_CONFIRMED = 2
SETTINGS_UNCONFIRMED = 3
SETTINGS_DAMAGED = 4

# `birth.update`, and the state in an up/ota report: where an update stands, or how the last one ended.
UPDATE_NONE = 0
UPDATE_RECEIVING = 1  # chunks are missing
UPDATE_VERIFYING = 2  # signature or digest is being worked out
UPDATE_STAGED = 3  # complete and genuine, beside the running application
UPDATE_ARMED = 4  # the next start tries it
UPDATE_TRIAL = 5  # it runs, and has not proven itself
UPDATE_CONFIRMED = 6
UPDATE_ROLLED_BACK = 7  # it ran, but never reached the gateway, or did not come to work well
UPDATE_BAD_SIGNATURE = 8
UPDATE_BAD_TAG = 9  # the device's own key did not authorise it
UPDATE_OLDER = 10  # its anti-rollback counter is below what is confirmed
UPDATE_OTHER_BOARD = 11
UPDATE_TOO_LARGE = 12
UPDATE_BAD_DIGEST = 13
UPDATE_NO_STORAGE = 14
UPDATE_MALFORMED = 15

# `alarm.what`
ALARM_BATTERY_LOW = 1
ALARM_LAST_GASP = 2
ALARM_CERTIFICATE = 3
ALARM_OUTBOX = 4
ALARM_DATA_BUDGET = 5
ALARM_SAFE_MODE = 6
ALARM_UNLIT = 7
ALARM_ALWAYS_ON = 8
ALARM_WRONG_RHYTHM = 9
ALARM_REDUCED = 10
ALARM_OUT_OF_SYNC = 11
ALARM_LIT_BY_DAY = 12
ALARM_OFF_STATION = 13
ALARM_ADRIFT = 14
ALARM_SINKER_MOVED = 15
ALARM_CHAIN_SHORT = 16
ALARM_NO_POSITION = 17
ALARM_DAYS_TO_EMPTY = 18
ALARM_BATTERY_VOLTAGE = 19
ALARM_COLLISION = 20
ALARM_TILT = 21
ALARM_HATCH = 22
ALARM_WATER = 23
ALARM_VISIBILITY = 24
ALARM_LEVEL_LOW = 25
ALARM_LEVEL_HIGH = 26
ALARM_AIS_DEAF = 27
ALARM_OWN_AIS = 28
ALARM_NEIGHBOUR_AIS = 29  # part: MMSI
ALARM_SENSOR = 30  # part: SENSOR_*
ALARM_VOLTAGE_LOW = 40  # part: phase, 1 to 3; as of the following where it matters
ALARM_VOLTAGE_HIGH = 41
ALARM_PHASE_LOST = 42
ALARM_NEUTRAL_LOST = 43
ALARM_FREQUENCY = 44
ALARM_VOLTAGE_UNBALANCE = 45
ALARM_CURRENT_UNBALANCE = 46
ALARM_OVERLOAD = 47
ALARM_RESIDUAL = 48
ALARM_POWER_FACTOR = 49
ALARM_THD = 50
ALARM_PLUG_HOT = 51
ALARM_SAFETY_LOOP = 52
ALARM_METER_SILENT = 53
ALARM_NO_SESSION = 54  # power is taken, and there is no session
ALARM_NO_LOAD = 55  # a plug is in, and takes nothing: a token connection
ALARM_METER_CHANGED = 56
ALARM_COUNT_BACK = 57
ALARM_CERTIFIED = 58  # the meter's certificate has run out
ALARM_WIRING = 59  # a phase's power runs backwards: a transformer turned round

# `alarm.level`
LEVEL_WARNING = 1
LEVEL_ALARM = 2
LEVEL_AT_ONCE = 3

# `alarm.part` of ALARM_SENSOR
SENSOR_GNSS = 1
SENSOR_AIS = 2
SENSOR_WEATHER = 3
SENSOR_MOTION = 4
SENSOR_PHOTOCELL = 5

# `light.condition`
LIGHT_UNKNOWN = 0
LIGHT_GOOD = 1
LIGHT_UNLIT = 2
LIGHT_ALWAYS_ON = 3
LIGHT_WRONG_RHYTHM = 4
LIGHT_REDUCED = 5
LIGHT_OUT_OF_SYNC = 6
LIGHT_BY_DAY = 7

# `light.should`
SHOULD_NOT = 0
SHOULD = 1
SHOULD_EITHER = 2

# `station.condition`
STATION_UNKNOWN = 0
STATION_ON = 1
STATION_SUSPECTED = 2  # beyond the guard ring, not for long enough
STATION_OFF = 3
STATION_ADRIFT = 4
STATION_SINKER_MOVED = 5  # within the ring still, but the middle of its swing is elsewhere
STATION_CHAIN_SHORT = 6  # the water is deeper than the chain is long

# `rx.ais_health`
AIS_UNKNOWN = 0
AIS_HEARS = 1
AIS_QUIET = 2  # the receiver lives, and nobody is there
AIS_DEAF = 3
AIS_GARBLED = 4

# `session.what`
SESSION_STARTED = 1
SESSION_GOING_ON = 2
SESSION_ENDED = 3
SESSION_RESUMED = 4  # after a restart of the pile
SESSION_SEGMENT = 5  # the meter was replaced, or its register jumped: counted anew from here
SESSION_IDENTIFIED = 6  # somebody said which ship it is

# `session.reason`
REASON_NONE = 0
REASON_PLUG = 1  # in, or out
REASON_BREAKER = 2
REASON_LOAD = 3  # the register moved, or came to rest
REASON_POWER_LOSS = 4
REASON_COMMAND = 5
REASON_ROLLOVER = 6  # of the register; told for a segment
REASON_METER_REPLACED = 7
REASON_COUNT_BACK = 8
REASON_IMPLAUSIBLE = 9  # more than the pile can deliver in that time

# `session.flaws`
FLAW_NO_BASELINE = 0x01  # the register was first read after the start
FLAW_METER_REPLACED = 0x02
FLAW_COUNT_BACK = 0x04
FLAW_IMPLAUSIBLE = 0x08
FLAW_GAP = 0x10  # the pile was without power in it
FLAW_NO_END = 0x20  # the register was not read at the end
FLAW_RATIO_CHANGED = 0x40

# `session.ship_by`
SHIP_BY_HAND = 1
SHIP_BY_QR = 2
SHIP_BY_AIS = 3

# `gap.lane`: the lower the number, the sooner it is sent and the later it is dropped.
LANE_ALARM = 0
LANE_SESSION = 1
LANE_STATUS = 2
LANE_BULK = 3

# `gap.cause`
GAP_NO_ROOM = 1
GAP_QUARANTINE = 2
GAP_UNREADABLE = 3
GAP_NOT_HERE = 4  # the gateway asked for them, and the device does not have them

# `health.link`
LINK_NONE = 0
LINK_WIFI = 1
LINK_ETHERNET = 2
LINK_PPP = 3
LINK_BEIDOU = 4
LINK_HOST = 5

# `birth.profile`
PROFILE_BEACON = 1
PROFILE_SHOREPOWER = 2

# `state` topic: what the third item says.
STATE_LOST = 0
STATE_UP = 1
