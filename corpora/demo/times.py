"""Numbers, clock times, dates and other adverbials of time."""

from __future__ import annotations

from words import Pair, Time, pairs

SMALL = pairs("""
    one = eins
    two = zwei
    three = drei
    four = vier
    five = fünf
    six = sechs
    seven = sieben
    eight = acht
    nine = neun
    ten = zehn
    eleven = elf
    twelve = zwölf
    thirteen = dreizehn
    fourteen = vierzehn
    fifteen = fünfzehn
    sixteen = sechzehn
    seventeen = siebzehn
    eighteen = achtzehn
    nineteen = neunzehn
""")
TENS = pairs("""
    twenty = zwanzig
    thirty = dreißig
    forty = vierzig
    fifty = fünfzig
    sixty = sechzig
    seventy = siebzig
    eighty = achtzig
    ninety = neunzig
""")
WEEKDAYS = pairs("""
    Monday = Montag
    Tuesday = Dienstag
    Wednesday = Mittwoch
    Thursday = Donnerstag
    Friday = Freitag
    Saturday = Samstag
    Sunday = Sonntag
""")
MONTHS = pairs("""
    January = Januar
    February = Februar
    March = März
    April = April
    May = Mai
    June = Juni
    July = Juli
    August = August
    September = September
    October = Oktober
    November = November
    December = Dezember
""")
SEASONS = pairs("""
    spring = Frühling
    summer = Sommer
    autumn = Herbst
    winter = Winter
""")


def number(value: int) -> Pair:
    """Spell a number from 2 to 99: "twenty-three", "dreiundzwanzig" (units before tens)."""
    if value < 20:
        return SMALL[value - 1]
    tens, unit = TENS[value // 10 - 2], value % 10
    if unit == 0:
        return tens
    small = SMALL[unit - 1]
    german_unit = "ein" if unit == 1 else small.german
    return Pair(f"{tens.english}-{small.english}", f"{german_unit}und{tens.german}")


def _clock() -> tuple[Pair, ...]:
    """Name times of the day; German counts half hours towards the next hour (half past six: halb sieben)."""
    found = []
    for index, hour in enumerate(SMALL[:12]):
        following = SMALL[(index + 1) % 12]
        full = "ein" if index == 0 else hour.german
        found.append(Pair(f"{hour.english} o'clock", f"{full} Uhr"))
        found.append(Pair(f"half past {hour.english}", f"halb {following.german}"))
        found.append(Pair(f"a quarter past {hour.english}", f"Viertel nach {hour.german}"))
        found.append(Pair(f"a quarter to {hour.english}", f"Viertel vor {hour.german}"))
    return tuple(found)


CLOCK = _clock()
TIMETABLE = tuple(Pair(f"{hour}:{minute}", f"{hour}:{minute} Uhr") for hour in range(6, 23) for minute in (15, 30, 45))
DATES = tuple(Pair(f"{day} {month.english}", f"{day}. {month.german}") for month in MONTHS for day in range(1, 29))

PAST, PRESENT, FUTURE = ("past",), ("present",), ("future",)
OFTEN_USED = (
    Time("today", "heute"),
    Time("now", "jetzt", PRESENT),
    Time("tomorrow", "morgen", FUTURE),
    Time("yesterday", "gestern", PAST),
    Time("soon", "bald", FUTURE),
    Time("in the morning", "am Morgen"),
    Time("in the afternoon", "am Nachmittag"),
    Time("in the evening", "am Abend"),
    Time("at night", "in der Nacht"),
    Time("at the weekend", "am Wochenende"),
    Time("every day", "jeden Tag", PRESENT),
    Time("every week", "jede Woche", PRESENT),
    Time("every year", "jedes Jahr", PRESENT),
    Time("next week", "nächste Woche", FUTURE),
    Time("next month", "nächsten Monat", FUTURE),
    Time("next year", "nächstes Jahr", FUTURE),
    Time("last week", "letzte Woche", PAST),
    Time("last month", "letzten Monat", PAST),
    Time("last year", "letztes Jahr", PAST),
)
ON_DAYS = (*(Time(f"on {day.english}", f"am {day.german}") for day in WEEKDAYS),)
IN_SEASONS = tuple(Time(f"in {name.english}", f"im {name.german}") for name in (*MONTHS, *SEASONS))
AT_HOURS = tuple(Time(f"at {hour.english}", f"um {hour.german}") for hour in CLOCK)
BY_TIMETABLE = tuple(Time(f"at {hour.english}", f"um {hour.german}") for hour in TIMETABLE)
ON_DATES = tuple(Time(f"on {date.english}", f"am {date.german}") for date in DATES)
DISTANCES = tuple(
    time
    for unit in pairs("""
        days = Tagen
        weeks = Wochen
        months = Monaten
        years = Jahren
    """)
    for count in (number(value) for value in range(2, 8))
    for time in (
        Time(f"{count.english} {unit.english} ago", f"vor {count.german} {unit.german}", PAST),
        Time(f"in {count.english} {unit.english}", f"in {count.german} {unit.german}", FUTURE),
    )
)
TIMES = (
    (8, OFTEN_USED),
    (3, ON_DAYS),
    (2, IN_SEASONS),
    (4, AT_HOURS),
    (1, ON_DATES),
    (1, DISTANCES),
    (1, BY_TIMETABLE),
)
