"""The calendar, in integers: seconds since 2020-01-01 00:00 UTC, the epoch of every record.

Leap seconds are not counted, as in POSIX time: second 60 is the first second of the next minute.
"""

from agent.compat import const

_DAY_S = const(86400)
_DAYS_BEFORE_2020 = const(737731)  # what `_days` gives for 2020-01-01 without it
_MONTHS = b"\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"  # days of each, February's longest


def seconds_since_2020(year, month, day, second_of_day):
    """Return the seconds from 2020-01-01 to this moment (negative before), None for no such day.

    Gregorian calendar, `year` 1 to 9999; `second_of_day` 0 to 86,400 (the last during a leap
    second).
    """
    if not (1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= _MONTHS[month - 1]):
        return None
    if month == 2 and day == 29 and (year % 4 or (year % 100 == 0 and year % 400)):
        return None
    return _days(year, month, day) * _DAY_S + second_of_day


def _days(year, month, day):
    # The year is taken to begin in March, so that the leap day comes last: then the months' lengths
    # follow (153·m - 457) // 5, which repeats 31-30-31-30-31.
    if month < 3:
        year -= 1
        month += 12
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + (153 * month - 457) // 5 + day - _DAYS_BEFORE_2020


def end_of_day(text):
    """Return the last second of a day written YYYY-MM-DD, None for what is no day since 2020."""
    if len(text) != 10 or text[4] + text[7] != "--":
        return None
    try:
        t = seconds_since_2020(int(text[:4]), int(text[5:7]), int(text[8:]), _DAY_S - 1)
    except ValueError:
        return None
    return t if t is not None and t >= 0 else None


def date(t):
    """Return (year, month, day) of a time in seconds since 2020-01-01, 0 or later."""
    day = t // _DAY_S
    year = 2020
    while True:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if day < 365 + leap:
            break
        day -= 365 + leap
        year += 1
    month = 1
    for days in _MONTHS:
        if month == 2 and not leap:
            days = 28
        if day < days:
            break
        day -= days
        month += 1
    return year, month, day + 1
