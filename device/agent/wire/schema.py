"""The schema table: every record's fields, in order.

    record = [schema, boot, seq, t, v1, v2, …]

A row is `(id, name, class, fields)`; a field is `(name, unit, exponent, low, high)`. The value on
the wire is an integer; the measured value is `integer × 10**exponent` in `unit`. Units of their
own: `bits` (flags), `code` (a table in `codes`), `count` (grows until the next boot), `bytes`
(`low` to `high` is the length). Null means "not measured".

A schema only ever grows at its end; ids are never reused. The comment behind a field is its text in
docs/wire.md, which `fairway wire` generates together with config/wire.cddl (a comment costs a board
nothing).
"""

from agent.compat import const

# Where a record goes: to the time series, or to the centre as a thing that happened.
SERIES = const(0)
EVENT = const(1)

# MicroPython's small integers on a 32-bit board end here; above it each one is an allocation.
_M = const(0x3FFFFFFF)

RECORD_MAX = const(240)  # bytes of one record
ITEMS_MAX = const(48)  # items of one record, the four of its head included
BYTES_MAX = const(32)  # bytes of one byte string
PAYLOAD_MAX = const(4096)  # bytes of one MQTT payload
HEAD_ITEMS = const(4)
BOOT_MAX = const(0x3FFFFFFF)
SEQ_MAX = const(0x3FFFFFFF)
T_MIN = const(-0x40000000)  # -1 - uptime in seconds, while the clock is unset
T_MAX = const(0x3FFFFFFF)  # 2054-01-10

BEACON = const(1)
GNSS = const(2)
RX = const(3)
CLOCK = const(4)
HEALTH = const(5)
BIRTH = const(6)
AIS = const(7)
AIS_STATIC = const(8)
AIS_ATON = const(9)
METER = const(10)
ENERGY_COUNT = const(11)
ALARM = const(12)
GAP = const(13)
LIGHT = const(14)
STATION = const(15)
ENERGY = const(16)
MOTION = const(17)
WEATHER = const(18)
SUPPLY = const(19)
SESSION = const(20)

# fmt: off
SCHEMAS: tuple = (
    None,
    # The every-report record of a navaid.
    (1, "beacon", SERIES, (
        ("flags", "bits", 0, 0, 0xFFFF),  # states in the low byte, "was measured" in the high byte
        ("lat_e6", "deg", -6, -90000000, 90000000),  # latitude, WGS-84/CGCS2000, north positive
        ("lon_e6", "deg", -6, -180000000, 180000000),  # longitude, east positive
        ("sats", "count", 0, 0, 99),  # satellites used in the fix, all constellations
        ("lamp_ma", "A", -3, 0, 32767),  # highest lamp current since the last report
        ("batt_mv", "V", -3, 0, 65535),  # battery voltage
        ("batt_ma", "A", -3, -32768, 32767),  # battery current, positive while charging
        ("solar_mv", "V", -3, 0, 65535),  # solar panel voltage
        ("temp_dc", "degC", -1, -1000, 1500),  # temperature inside the housing
    )),
    # The GNSS receiver: how good the fix is and what the antenna sees.
    (2, "gnss", SERIES, (
        ("quality", "code", 0, 0, 8),  # GGA fix quality: 0 none, 1 autonomous, 2 differential, 4 RTK …
        ("mode", "code", 0, 1, 3),  # GSA: 1 no fix, 2 two-dimensional, 3 three-dimensional
        ("hdop_e2", "1", -2, 0, 9999),  # horizontal dilution of precision
        ("alt_dm", "m", -1, -10000, 100000),  # altitude above mean sea level
        ("sog_e2", "kn", -2, 0, 99999),  # speed over ground
        ("cog_cd", "deg", -2, 0, 35999),  # course over ground, true
        ("fix_age_s", "s", 0, 0, _M),  # since the last valid position
        ("used_gps", "count", 0, 0, 64),  # GPS satellites in use
        ("used_glonass", "count", 0, 0, 64),  # GLONASS satellites in use
        ("used_galileo", "count", 0, 0, 64),  # Galileo satellites in use
        ("used_beidou", "count", 0, 0, 64),  # BeiDou satellites in use
        ("view_gps", "count", 0, 0, 64),  # GPS satellites in view, each counted once
        ("view_glonass", "count", 0, 0, 64),  # GLONASS satellites in view
        ("view_galileo", "count", 0, 0, 64),  # Galileo satellites in view
        ("view_beidou", "count", 0, 0, 64),  # BeiDou satellites in view
        ("cn0_db", "dBHz", 0, 0, 99),  # strongest signal, any constellation
    )),
    # Receivers and lines: what came in, what was bad, how long it has been silent.
    (3, "rx", SERIES, (
        ("gnss_lines", "count", 0, 0, _M),  # GNSS sentences with a good checksum
        ("gnss_bad", "count", 0, 0, _M),  # GNSS sentences refused: checksum, form, length
        ("gnss_silent_s", "s", 0, 0, _M),  # since the last good GNSS sentence
        ("ais_lines", "count", 0, 0, _M),  # AIS sentences with a good checksum
        ("ais_bad", "count", 0, 0, _M),  # AIS sentences refused: checksum, form, length, armour
        ("ais_silent_s", "s", 0, 0, _M),  # since the last good AIS sentence
        ("ais_ships", "count", 0, 0, _M),  # messages 1-3, 18, 19, 27: positions of ships
        ("ais_statics", "count", 0, 0, _M),  # messages 5 and 24: names and dimensions (19 is a position)
        ("ais_bases", "count", 0, 0, _M),  # message 4: base stations
        ("ais_atons", "count", 0, 0, _M),  # message 21: aids to navigation
        ("ais_others", "count", 0, 0, _M),  # every other message type, counted and left
        ("ais_torn", "count", 0, 0, _M),  # multipart messages given up: lost part, too many open
        ("ais_dropped", "count", 0, 0, _M),  # reports lost because the agent was too busy
        ("ais_thinned", "count", 0, 0, _M),  # reports not sent on: the ship was reported just before
        ("meter_frames", "count", 0, 0, _M),  # good answers of the meter
        ("meter_bad", "count", 0, 0, _M),  # refused answers: checksum, form, address, error reply
        ("meter_silent", "count", 0, 0, _M),  # requests without an answer in time
        ("ais_own", "count", 0, 0, _M),  # reports of the station itself (VDO), not sent on
        ("unknown", "count", 0, 0, _M),  # good sentences of types that the agent does not read
        ("old_dates", "count", 0, 0, _M),  # dates that cannot be true: week rollover, recorded logs
        ("ais_health", "code", 0, 0, 4),  # 0 not known, 1 hears, 2 quiet channel, 3 deaf, 4 garbled
        ("ais_stations", "count", 0, 0, _M),  # stations heard in the last ten minutes
        ("ais_ships_pm", "count", 0, 0, _M),  # positions of ships a minute, of the last ten minutes
        ("ais_statics_pm", "count", 0, 0, _M),  # static reports a minute
        ("ais_bases_pm", "count", 0, 0, _M),  # base station reports a minute
        ("ais_atons_pm", "count", 0, 0, _M),  # reports of aids a minute
        ("ais_others_pm", "count", 0, 0, _M),  # all others a minute
        ("own_aton_s", "s", 0, 0, _M),  # since the aid's own message 21 was heard
        ("aton_missing", "count", 0, 0, 99),  # neighbouring aids that should be heard and are not
        ("ais_sent", "count", 0, 0, _M),  # messages given to the AIS unit
        ("ais_held", "count", 0, 0, _M),  # messages not given to it: the token bucket was empty
        ("weather_lines", "count", 0, 0, _M),  # sentences of weather and water sensors read
        ("weather_silent_s", "s", 0, 0, _M),  # since the last of them
    )),
    # The clock was set, stepped, or changed its source. Dates its whole boot, also backwards.
    (4, "clock", EVENT, (
        ("uptime_s", "s", 0, 0, _M),  # uptime at the moment of the record's `t`
        ("source", "code", 0, 1, 5),  # 1 GNSS, 2 BeiDou terminal, 3 NTP, 4 gateway, 5 RTC
        ("uncertainty_ms", "s", -3, 0, _M),  # bound of the error at this moment
        ("step_s", "s", 0, -_M, _M),  # new minus old time; null when the clock was unset
    )),
    # The agent itself.
    (5, "health", SERIES, (
        ("uptime_s", "s", 0, 0, _M),  # since start
        ("heap_free", "B", 0, 0, _M),  # free bytes on the heap; null on CPython
        ("loop_max_ms", "s", -3, 0, _M),  # longest step since the last health record
        ("kept", "count", 0, 0, _M),  # records waiting for the gateway's ack, now
        ("kept_bytes", "B", 0, 0, _M),  # bytes of those records, now
        ("dropped", "count", 0, 0, _M),  # records dropped because the outbox was full
        ("resent", "count", 0, 0, _M),  # sendings beyond the first
        ("quarantined", "count", 0, 0, _M),  # records set aside: five sendings, others acknowledged
        ("refused", "count", 0, 0, _M),  # values outside their range, sent as null
        ("connects", "count", 0, 0, _M),  # connections accepted by the broker
        ("link_errors", "count", 0, 0, _M),  # connections that failed or broke
        ("downlink_bad", "count", 0, 0, _M),  # messages from the gateway that could not be read
        ("config_errors", "count", 0, 0, _M),  # settings refused at start, defaults used instead
        ("part_errors", "count", 0, 0, _M),  # exceptions caught in parts; the part goes on
        ("flash_erases", "count", 0, 0, _M),  # flash blocks erased by the outbox since start, estimated
        ("stored_bytes", "B", 0, 0, _M),  # bytes of the outbox on flash, now
        ("link", "code", 0, 0, 5),  # what carries records: 0 nothing, 1 Wi-Fi, 2 Ethernet, 3 PPP …
        ("month_kib", "count", 0, 0, _M),  # KiB sent and received by metered links this month
        ("commands", "count", 0, 0, _M),  # commands carried out
        ("commands_bad", "count", 0, 0, _M),  # commands refused: tag, expiry, nonce, unknown
    )),
    # One per start, the first record of its boot.
    (6, "birth", EVENT, (
        ("reset", "code", 0, 1, 6),  # why it started: 1 power-on, 2 hard, 3 watchdog, 4 deep sleep …
        ("profile", "code", 0, 1, 2),  # 1 beacon, 2 shorepower
        ("version", "bytes", 0, 0, 16),  # version of the agent, ASCII
        ("board", "bytes", 0, 0, 32),  # name of the board file
        ("config_hash", "bytes", 0, 4, 4),  # first bytes of the SHA-256 of the configuration file
        ("boot_stores", "bits", 0, 0, 3),  # which of the two boot stores were good at start
        ("config_errors", "count", 0, 0, _M),  # settings refused, defaults used instead
        ("intent", "code", 0, 0, 7),  # the agent's own reason for the reset; 0: it had none
        ("hung", "bytes", 0, 1, 16),  # the part that was running when the watchdog bit, ASCII
        ("mode", "code", 0, 0, 2),  # 0 normal, 1 the previous application, 2 the safe agent
        ("failed", "count", 0, 0, _M),  # starts before this one that did not come to work well
        ("settings", "code", 0, 0, 4),  # what became of the last change of settings
        ("update", "code", 0, 0, 15),  # what became of the last update
    )),
    # A ship or base station heard: AIS messages 1-4, 18, 19, 27 (ITU-R M.1371-5).
    (7, "ais", EVENT, (
        ("type", "code", 0, 1, 27),  # message type
        ("mmsi", "code", 0, 0, _M),  # who
        ("lat_e6", "deg", -6, -90000000, 90000000),  # latitude
        ("lon_e6", "deg", -6, -180000000, 180000000),  # longitude
        ("sog_dkn", "kn", -1, 0, 1022),  # speed over ground; 102.2 means that or more
        ("cog_dd", "deg", -1, 0, 3599),  # course over ground
        ("heading_deg", "deg", 0, 0, 359),  # true heading
        ("nav_status", "code", 0, 0, 15),  # navigational status as sent, 15 undefined
        ("turn", "code", 0, -128, 127),  # rate of turn as sent; -128 not available
        ("accuracy", "bits", 0, 0, 1),  # 1: better than 10 m
        ("second", "code", 0, 0, 63),  # UTC second of the report; 60-63: none, manual, estimated, out
        ("raim", "bits", 0, 0, 1),  # RAIM in use
        ("utc_s2020", "s", 0, -_M, _M),  # message 4: the base station's time, since 2020-01-01 UTC
    )),
    # What a ship says of itself: AIS messages 5, 19 and 24.
    (8, "ais-static", EVENT, (
        ("type", "code", 0, 1, 27),  # message type
        ("mmsi", "code", 0, 0, _M),  # who
        ("part", "code", 0, 0, 1),  # message 24: 0 part A (name), 1 part B (the rest)
        ("imo", "code", 0, 0, _M),  # IMO number
        ("callsign", "bytes", 0, 0, 7),  # call sign, ASCII
        ("name", "bytes", 0, 0, 20),  # name, ASCII
        ("ship_type", "code", 0, 0, 255),  # type of ship and cargo, Table 53
        ("to_bow_m", "m", 0, 0, 511),  # antenna to bow
        ("to_stern_m", "m", 0, 0, 511),  # antenna to stern
        ("to_port_m", "m", 0, 0, 63),  # antenna to port side
        ("to_starboard_m", "m", 0, 0, 63),  # antenna to starboard side
        ("epfd", "code", 0, 0, 15),  # type of position-fixing device
        ("eta", "code", 0, 0, 15316363),  # as sent: month·10⁶ + day·10⁴ + hour·100 + minute
        ("draught_dm", "m", -1, 0, 255),  # draught
        ("destination", "bytes", 0, 0, 20),  # destination, ASCII
        ("mothership", "code", 0, 0, _M),  # message 24 B of an auxiliary craft (98…): its mother ship
        ("vendor", "bytes", 0, 0, 7),  # message 24 B: three characters, then model and serial as 24 bits
    )),
    # An aid to navigation heard by AIS: message 21.
    (9, "ais-aton", EVENT, (
        ("mmsi", "code", 0, 0, _M),  # who
        ("aid_type", "code", 0, 0, 31),  # type of aid, Table 74
        ("name", "bytes", 0, 0, 20),  # name, ASCII
        ("name_ext", "bytes", 0, 0, 14),  # name extension, ASCII
        ("lat_e6", "deg", -6, -90000000, 90000000),  # latitude
        ("lon_e6", "deg", -6, -180000000, 180000000),  # longitude
        ("accuracy", "bits", 0, 0, 1),  # 1: better than 10 m
        ("off_position", "bits", 0, 0, 1),  # as sent; means something for floating aids only
        ("status", "bits", 0, 0, 255),  # AtoN status bits as sent
        ("virtual", "bits", 0, 0, 1),  # 1: there is nothing in the water
        ("second", "code", 0, 0, 63),  # UTC second of the report
        ("epfd", "code", 0, 0, 15),  # type of position-fixing device
        ("to_bow_m", "m", 0, 0, 511),  # dimension A
        ("to_stern_m", "m", 0, 0, 511),  # dimension B
        ("to_port_m", "m", 0, 0, 63),  # dimension C
        ("to_starboard_m", "m", 0, 0, 63),  # dimension D
        ("raim", "bits", 0, 0, 1),  # RAIM in use
        ("assigned", "bits", 0, 0, 1),  # assigned mode
    )),
    # The every-report record of a shore-power pile; primary values (× PT × CT).
    (10, "meter", SERIES, (
        ("flags", "bits", 0, 0, 0xFFFF),  # states in the low byte, "was measured" in the high byte
        ("u_a_dv", "V", -1, 0, 200000),  # voltage, phase A to neutral
        ("u_b_dv", "V", -1, 0, 200000),  # voltage, phase B to neutral
        ("u_c_dv", "V", -1, 0, 200000),  # voltage, phase C to neutral
        ("i_a_ma", "A", -3, -_M, _M),  # current, phase A
        ("i_b_ma", "A", -3, -_M, _M),  # current, phase B
        ("i_c_ma", "A", -3, -_M, _M),  # current, phase C
        ("p_w", "W", 0, -_M, _M),  # active power, total; positive towards the ship
        ("pf_e3", "1", -3, -1000, 1000),  # power factor, total
        ("f_chz", "Hz", -2, 0, 10000),  # frequency
        ("status", "bits", 0, 0, 0xFFFF),  # DL/T 645 status word 3 as read; null for other meters
        ("age_s", "s", 0, 0, _M),  # since the oldest of these values was read
    )),
    # The meter's registers as it counts them: what money is settled by.
    (11, "energy-count", SERIES, (
        ("imported", "count", 0, 0, 0xFFFFFFFF),  # raw counts of the import (forward) register
        ("exported", "count", 0, 0, 0xFFFFFFFF),  # raw counts of the export (reverse) register
        ("count_e", "code", 0, -6, 3),  # one count is 10**count_e kWh, before the ratios
        ("pt", "1", 0, 1, 65535),  # voltage transformer ratio
        ("ct", "1", 0, 1, 65535),  # current transformer ratio
        ("meter_id", "bytes", 0, 1, 12),  # the meter's own number: DL/T 645 address or Modbus unit
        ("import_t1", "count", 0, 0, 0xFFFFFFFF),  # import register of tariff 1 (DL/T 645: 尖)
        ("import_t2", "count", 0, 0, 0xFFFFFFFF),  # import register of tariff 2 (峰)
        ("import_t3", "count", 0, 0, 0xFFFFFFFF),  # import register of tariff 3 (平)
        ("import_t4", "count", 0, 0, 0xFFFFFFFF),  # import register of tariff 4 (谷)
        ("modulus", "count", 0, 0, 0xFFFFFFFF),  # registers begin anew at so many counts; 0: at 2**32
        ("step", "count", 0, 1, _M),  # the register's own resolution at this value
    )),
    # Something that somebody must know of now. Travels before everything else.
    (12, "alarm", EVENT, (
        ("what", "code", 0, 1, 255),  # what it is about
        ("active", "bits", 0, 0, 1),  # 1 raised, 0 cleared
        ("value", "1", 0, -_M, _M),  # the value that decided, in the alarm's own unit
        ("limit", "1", 0, -_M, _M),  # the limit it crossed
        ("level", "code", 0, 1, 3),  # 1 warning, 2 alarm, 3 at once; null means alarm
        ("part", "code", 0, 0, _M),  # which one: phase 1 to 3, MMSI of a neighbour, sensor
    )),
    # Records that will never come, and why: a device that drops says so.
    (13, "gap", EVENT, (
        ("boot", "count", 0, 0, _M),  # boot of the lost records
        ("first", "count", 0, 0, _M),  # first lost seq
        ("last", "count", 0, 0, _M),  # last lost seq
        ("lost", "count", 0, 1, _M),  # how many; other lanes' records may lie between first and last
        ("lane", "code", 0, 0, 3),  # 0 alarm, 1 session, 2 status, 3 bulk; null: not known
        ("cause", "code", 0, 1, 4),  # 1 no room, 2 set aside, 3 unreadable flash, 4 asked for, not here
    )),
    # The light: what it shows, what it should show, and how they differ (IALA R0110).
    (14, "light", SERIES, (
        ("condition", "code", 0, 0, 7),  # 0 not known, 1 as it should be, 2 unlit, 3 always on, 4 rhythm …
        ("should", "code", 0, 0, 2),  # should it be lit: 0 no, 1 yes, 2 either
        ("period_ms", "s", -3, 0, _M),  # measured period of the rhythm
        ("flashes", "count", 0, 0, 99),  # flashes counted in a period
        ("deviation_ms", "s", -3, 0, _M),  # farthest that a light or eclipse is from the character
        ("sync_ms", "s", -3, -_M, _M),  # beginning of the period against UTC, positive when late
        ("lit_ma", "A", -3, 0, 32767),  # mean current while lit
        ("lux", "lx", 0, 0, 200000),  # daylight at the photocell
        ("sun_dd", "deg", -1, -900, 900),  # altitude of the sun
        ("should_s", "s", 0, 0, _M),  # so long it should have been lit, since start
        ("failed_s", "s", 0, 0, _M),  # of that it was not as it should be; not known is in neither
    )),
    # Where a moored aid is against its sinker.
    (15, "station", SERIES, (
        ("condition", "code", 0, 0, 6),  # 0 not known, 1 on station, 2 suspected, 3 off, 4 adrift, 5 …
        ("distance_dm", "m", -1, 0, _M),  # from the sinker
        ("bearing_dd", "deg", -1, 0, 3599),  # from the sinker, true
        ("guard_dm", "m", -1, 0, _M),  # radius of the guard ring now
        ("swing_dm", "m", -1, 0, _M),  # how far the chain reaches now; null: shorter than the depth
        ("mean_east_dm", "m", -1, -_M, _M),  # mean position of a day against the sinker, east
        ("mean_north_dm", "m", -1, -_M, _M),  # the same, north
        ("drift_cmps", "m/s", -2, 0, _M),  # steady drift
        ("drift_dd", "deg", -1, 0, 3599),  # its direction, true
        ("level_cm", "m", -2, -100000, 100000),  # water level that the swing was worked out for
        ("fixes", "count", 0, 0, _M),  # positions judged, since start
        ("refused", "count", 0, 0, _M),  # positions not good enough to judge
    )),
    # Charge in and out of the battery, and how long it lasts.
    (16, "energy", SERIES, (
        ("in_mah", "Ah", -3, 0, _M),  # charged since 00:00 UTC
        ("out_mah", "Ah", -3, 0, _M),  # discharged since 00:00 UTC
        ("day_in_mah", "Ah", -3, 0, _M),  # charged on the day before
        ("day_out_mah", "Ah", -3, 0, _M),  # discharged on the day before
        ("left_mah", "Ah", -3, 0, _M),  # left in the battery, estimated
        ("days_left_dd", "d", -1, 0, 99999),  # until it is empty at the balance of the last days
        ("min_mv", "V", -3, 0, 65535),  # lowest battery voltage since the last record
        ("max_mv", "V", -3, 0, 65535),  # highest
        ("unmeasured_s", "s", 0, 0, 86400),  # of today that was not measured
    )),
    # How the aid moves.
    (17, "motion", SERIES, (
        ("tilt_dd", "deg", -1, 0, 1800),  # mean tilt against how it was mounted
        ("tilt_max_dd", "deg", -1, 0, 1800),  # greatest, since the last record
        ("roll_ds", "s", -1, 0, 9999),  # period of its rolling
        ("peak_mg", "g", -3, 0, 32767),  # strongest acceleration besides gravity since the last record
        ("shocks", "count", 0, 0, _M),  # blows above the limit, since start
    )),
    # Weather and water around it, from sensors that speak IEC 61162-1.
    (18, "weather", SERIES, (
        ("wind_dmps", "m/s", -1, 0, 2000),  # mean wind speed
        ("wind_dd", "deg", -1, 0, 3599),  # where it comes from, true
        ("gust_dmps", "m/s", -1, 0, 2000),  # strongest gust since the last record
        ("air_dc", "degC", -1, -1000, 1000),  # air temperature
        ("humidity_pm", "%", -1, 0, 1000),  # relative humidity
        ("dew_dc", "degC", -1, -1000, 1000),  # dew point
        ("pressure_dhpa", "hPa", -1, 5000, 12000),  # air pressure
        ("visibility_m", "m", 0, 0, 100000),  # visibility
        ("water_dc", "degC", -1, -100, 1000),  # water temperature
        ("level_cm", "m", -2, -100000, 100000),  # water level over chart datum or the gauge's zero
        ("current_cmps", "m/s", -2, 0, 2000),  # water current
        ("current_dd", "deg", -1, 0, 3599),  # where it runs to, true
    )),
    # Supply quality at a pile, beside `meter`; primary values.
    (19, "supply", SERIES, (
        ("p_a_w", "W", 0, -_M, _M),  # active power, phase A; negative: the transformer is turned round
        ("p_b_w", "W", 0, -_M, _M),  # phase B
        ("p_c_w", "W", 0, -_M, _M),  # phase C
        ("q_var", "var", 0, -_M, _M),  # reactive power, total
        ("s_va", "VA", 0, 0, _M),  # apparent power, total
        ("thd_u_a_e2", "%", -2, 0, 20000),  # total harmonic distortion of the voltage, phase A
        ("thd_u_b_e2", "%", -2, 0, 20000),  # phase B
        ("thd_u_c_e2", "%", -2, 0, 20000),  # phase C
        ("unbalance_u_e2", "%", -2, 0, 20000),  # voltage unbalance: farthest phase from the mean
        ("unbalance_i_e2", "%", -2, 0, 20000),  # current unbalance: farthest phase from the mean
        ("load_e2", "%", -2, 0, 100000),  # strongest phase against the rated current
        ("residual_ma", "A", -3, 0, 65535),  # residual current
        ("plug_dc", "degC", -1, -1000, 3000),  # temperature of the connector
    )),
    # One event in the life of a shore-power session. Registers are raw counts, as in energy-count.
    (20, "session", EVENT, (
        ("what", "code", 0, 1, 6),  # 1 started, 2 going on, 3 ended, 4 resumed, 5 segment, 6 identified
        ("begun_boot", "count", 0, 0, _M),  # with the next one the session's id: the boot it began in
        ("number", "count", 0, 0, _M),  # and its number within that boot
        ("event", "count", 0, 0, _M),  # events of this session, from 0, without gaps
        ("uptime_s", "s", 0, 0, _M),  # uptime at this event
        ("reason", "code", 0, 0, 9),  # why it started or ended, see below
        ("segment", "count", 0, 0, 255),  # stretch of one meter's steady counting
        ("flaws", "bits", 0, 0, 255),  # what a person has to look at, see below
        ("bound_s", "s", 0, 0, _M),  # it happened within so many seconds before this record's time
        ("read_age_s", "s", 0, 0, _M),  # age of the register values
        ("imported", "count", 0, 0, 0xFFFFFFFF),  # import register; null: not read, never 0 for that
        ("exported", "count", 0, 0, 0xFFFFFFFF),  # export register
        ("import_t1", "count", 0, 0, 0xFFFFFFFF),  # import register of tariff 1
        ("import_t2", "count", 0, 0, 0xFFFFFFFF),  # of tariff 2
        ("import_t3", "count", 0, 0, 0xFFFFFFFF),  # of tariff 3
        ("import_t4", "count", 0, 0, 0xFFFFFFFF),  # of tariff 4
        ("count_e", "code", 0, -6, 3),  # one count is 10**count_e kWh, before the ratios
        ("modulus", "count", 0, 0, 0xFFFFFFFF),  # as in energy-count
        ("step", "count", 0, 1, _M),  # as in energy-count
        ("pt", "1", 0, 1, 65535),  # voltage transformer ratio
        ("ct", "1", 0, 1, 65535),  # current transformer ratio
        ("meter_id", "bytes", 0, 1, 12),  # the meter's own number
        ("certified_t", "s", 0, 0, _M),  # the meter's certificate is good until; since 2020-01-01
        ("ship_mmsi", "code", 0, 0, _M),  # which ship
        ("ship_id", "bytes", 0, 1, 20),  # its identification number, ASCII, as CN and 11 digits
        ("ship_by", "code", 0, 1, 3),  # how it is known: 1 by hand, 2 QR code, 3 AIS
        ("told_by", "bytes", 0, 1, 16),  # who said so, ASCII
    )),
)
# fmt: on
