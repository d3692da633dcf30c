"""Numbers with names: the codes and bits that records carry.

Each table maps a code to the word that people see in the documentation; the constants are for
code. Codes are only ever added, never reused.
"""

# Lines of a `beacon` record's `flags`: bit n is the state, bit n + 8 says that it was measured.
# "Unknown" is neither healthy nor failed, so a state without its upper bit means nothing.
LIT = 0x01
CHARGING = 0x02
BEACON_FLAGS = ("lit", "charging")
KNOWN_SHIFT = 8

# `meter.flags`, the same way.
PLUG = 0x01
BREAKER = 0x02
RELAY = 0x04
METER_FLAGS = ("plug-inserted", "breaker-closed", "relay-closed")

# `clock.source`, in falling order of trust.
CLOCK_GNSS = 1
CLOCK_BEIDOU = 2
CLOCK_NTP = 3
CLOCK_GATEWAY = 4
CLOCK_RTC = 5
CLOCK_SOURCES = {
    CLOCK_GNSS: "gnss",
    CLOCK_BEIDOU: "beidou-terminal",
    CLOCK_NTP: "ntp",
    CLOCK_GATEWAY: "gateway",
    CLOCK_RTC: "rtc",
}

# `birth.reset`
RESET_POWER_ON = 1
RESET_HARD = 2
RESET_WATCHDOG = 3
RESET_DEEP_SLEEP = 4
RESET_SOFT = 5
RESET_BROWN_OUT = 6
RESET_CAUSES = {
    RESET_POWER_ON: "power-on",
    RESET_HARD: "hard",
    RESET_WATCHDOG: "watchdog",
    RESET_DEEP_SLEEP: "deep-sleep",
    RESET_SOFT: "soft",
    RESET_BROWN_OUT: "brown-out",
}

# `birth.profile`
PROFILE_BEACON = 1
PROFILE_SHOREPOWER = 2
PROFILES = {PROFILE_BEACON: "beacon", PROFILE_SHOREPOWER: "shorepower"}

# `state` topic: what the third item says.
STATE_LOST = 0
STATE_UP = 1
