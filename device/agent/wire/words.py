"""The words for the codes that records carry (host only: a board sends numbers).

`FIELDS` maps a field, as `schema.field`, to the words of its codes; `FLAGS` maps a schema to the
names of the lower byte's bits in its `flags`. `VERBS` and `RESULTS` are those of commands.
"""

from agent.wire import codes, messages

FIELDS = {
    "clock.source": {
        codes.CLOCK_GNSS: "gnss",
        codes.CLOCK_BEIDOU: "beidou-terminal",
        codes.CLOCK_NTP: "ntp",
        codes.CLOCK_GATEWAY: "gateway",
        codes.CLOCK_RTC: "rtc",
    },
    "birth.reset": {
        codes.RESET_POWER_ON: "power-on",
        codes.RESET_HARD: "hard",
        codes.RESET_WATCHDOG: "watchdog",
        codes.RESET_DEEP_SLEEP: "deep-sleep",
        codes.RESET_SOFT: "soft",
        codes.RESET_BROWN_OUT: "brown-out",
    },
    "birth.profile": {codes.PROFILE_BEACON: "beacon", codes.PROFILE_SHOREPOWER: "shorepower"},
    "birth.intent": {
        codes.INTENT_NONE: "none",
        codes.INTENT_COMMAND: "command",
        codes.INTENT_SETTINGS: "settings",
        codes.INTENT_UPDATE: "update",
        codes.INTENT_ROLLBACK: "rollback",
        codes.INTENT_SLEEP: "sleep",
        codes.INTENT_BACKOFF: "back-off",
        codes.INTENT_LINK: "link",
    },
    "birth.mode": {
        codes.MODE_NORMAL: "normal",
        codes.MODE_PREVIOUS: "previous",
        codes.MODE_SAFE: "safe",
    },
    "birth.settings": {
        codes.SETTINGS_NONE: "none",
        codes.SETTINGS_TRIAL: "trial",
        codes.SETTINGS_CONFIRMED: "confirmed",
        codes.SETTINGS_UNCONFIRMED: "unconfirmed",
        codes.SETTINGS_DAMAGED: "damaged",
    },
    "birth.update": {
        codes.UPDATE_NONE: "none",
        codes.UPDATE_RECEIVING: "receiving",
        codes.UPDATE_VERIFYING: "verifying",
        codes.UPDATE_STAGED: "staged",
        codes.UPDATE_ARMED: "armed",
        codes.UPDATE_TRIAL: "trial",
        codes.UPDATE_CONFIRMED: "confirmed",
        codes.UPDATE_ROLLED_BACK: "rolled-back",
        codes.UPDATE_BAD_SIGNATURE: "bad-signature",
        codes.UPDATE_BAD_TAG: "bad-tag",
        codes.UPDATE_OLDER: "older",
        codes.UPDATE_OTHER_BOARD: "other-board",
        codes.UPDATE_TOO_LARGE: "too-large",
        codes.UPDATE_BAD_DIGEST: "bad-digest",
        codes.UPDATE_NO_STORAGE: "no-storage",
        codes.UPDATE_MALFORMED: "malformed",
    },
    "health.link": {
        codes.LINK_NONE: "none",
        codes.LINK_WIFI: "wifi",
        codes.LINK_ETHERNET: "ethernet",
        codes.LINK_PPP: "ppp",
        codes.LINK_BEIDOU: "beidou",
        codes.LINK_HOST: "host",
    },
    "alarm.what": {
        codes.ALARM_BATTERY_LOW: "battery-low",
        codes.ALARM_LAST_GASP: "last-gasp",
        codes.ALARM_CERTIFICATE: "certificate-expires",
        codes.ALARM_OUTBOX: "outbox-drops",
        codes.ALARM_DATA_BUDGET: "data-budget",
        codes.ALARM_SAFE_MODE: "safe-mode",
    },
    "gap.lane": {
        codes.LANE_ALARM: "alarm",
        codes.LANE_SESSION: "session",
        codes.LANE_STATUS: "status",
        codes.LANE_BULK: "bulk",
    },
    "gap.cause": {
        codes.GAP_NO_ROOM: "no-room",
        codes.GAP_QUARANTINE: "quarantine",
        codes.GAP_UNREADABLE: "unreadable",
    },
}

FLAGS = {
    "beacon": ("lit", "charging"),
    "meter": ("plug-inserted", "breaker-closed", "relay-closed"),
}

VERBS = {
    messages.REPORT: "report",
    messages.SETTINGS: "settings",
    messages.ACCESS: "access",
    messages.LAMP_TEST: "lamp-test",
    messages.LAMP_MODE: "lamp-mode",
    messages.RELAY_TRIP: "relay-trip",
    messages.RELAY_PERMIT: "relay-permit",
    messages.REBOOT: "reboot",
    messages.LOG: "log",
    messages.POST_MORTEM: "post-mortem",
    messages.UPDATE: "update",
}

RESULTS = {
    messages.RESULT_DONE: "done",
    messages.RESULT_UNSUPPORTED: "unsupported",
    messages.RESULT_REFUSED: "refused",
    messages.RESULT_FAILED: "failed",
    messages.RESULT_BAD_TAG: "bad-tag",
    messages.RESULT_OTHER_DEVICE: "other-device",
    messages.RESULT_EXPIRED: "expired",
    messages.RESULT_NO_CLOCK: "no-clock",
    messages.RESULT_NONCE: "nonce",
    messages.RESULT_STALE: "stale",
    messages.RESULT_ARGUMENTS: "arguments",
    messages.RESULT_BUSY: "busy",
    messages.RESULT_NO_STORAGE: "no-storage",
    messages.RESULT_INTERRUPTED: "interrupted",
}
