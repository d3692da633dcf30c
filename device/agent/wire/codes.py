"""Numbers with names: the codes and bits that records carry. Their words for people are in `words`.

Codes are only ever added, never reused.
"""

# Lines of a `beacon` record's `flags`: bit n is the state, bit n + 8 says that it was measured.
# "Unknown" is neither healthy nor failed, so a state without its upper bit means nothing.
LIT = 0x01
CHARGING = 0x02
KNOWN_SHIFT = 8

# `meter.flags`, the same way.
PLUG = 0x01
BREAKER = 0x02
RELAY = 0x04

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

# `gap.lane`: the lower the number, the sooner it is sent and the later it is dropped.
LANE_ALARM = 0
LANE_SESSION = 1
LANE_STATUS = 2
LANE_BULK = 3

# `gap.cause`
GAP_NO_ROOM = 1
GAP_QUARANTINE = 2
GAP_UNREADABLE = 3

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
