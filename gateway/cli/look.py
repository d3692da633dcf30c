"""`fairway gateway accounts | journal | dead-letters | conflicts | drain`: look at what a gateway holds."""

import argparse
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from toolkit.cli import CommandError

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.journal.deadletters import Kept
    from gateway.journal.reading import JournalReader, Row

_ANSWER_S: Final = 20.0
_RAW_SHOWN: Final = 48  # bytes of a dead letter in a list


def look(config: "Config", args: argparse.Namespace) -> int:
    """Do what `args.action` says; the words and options choose."""
    from gateway.journal.journal import JournalError
    from gateway.journal.reading import JournalReader

    if args.action == "drain":
        return _drain(config)
    try:
        reader = JournalReader(config.data / "journal.sqlite")
    except JournalError as error:
        raise CommandError(str(error), "has this gateway run yet?") from error
    try:
        if args.action == "accounts":
            _accounts(reader, args)
        elif args.action == "journal":
            _journal(reader, args)
        elif args.action == "conflicts":
            return _conflicts(config, reader, args)
        else:
            return _dead_letters(config, reader, args)
    finally:
        reader.close()
    return 0


def _accounts(reader: "JournalReader", args: argparse.Namespace) -> None:
    """Print what came of every start of every device, and the gateway's counters."""
    from agent.wire import body, words

    accounts = reader.accounts(_device(args))
    if args.json:
        for account in accounts:
            print(json.dumps(account._asdict()))
        print(json.dumps(reader.counters()))
        return
    for a in accounts:
        heard = ", ".join(f"{body.LINKS.get(link, link)} {_time(ms)}" for link, ms in a.links)
        clock = ""
        if a.source is not None:
            off = "" if a.uncertainty_ms is None else f" ±{a.uncertainty_ms} ms"
            clock = f"  clock {words.FIELDS['clock.source'].get(a.source, a.source)}{off}"
        print(
            f"{a.device}  boot {a.boot}  seq 0 to {a.highest}  records {a.records}"
            f"  missing {a.missing}  told lost {a.told}  filled {a.filled}"
            f"  duplicates {a.duplicates}  conflicts {a.conflicts}{clock}  heard: {heard}"
        )
        for first, last in a.gaps:
            print(f"    gap {first} to {last}")
    for name, value in sorted(reader.counters().items()):
        print(f"{name}: {value}")


def _journal(reader: "JournalReader", args: argparse.Namespace) -> None:
    """Print the latest records, newest first, as they were understood."""
    for row in reader.newest(_device(args), args.boot, args.limit):
        print(json.dumps(_fields(row), ensure_ascii=False) if args.json else _line(row))


def _line(row: "Row") -> str:
    fields = _fields(row)
    values = "  ".join(f"{name}={value}" for name, value in fields.pop("values").items())
    when = fields["time"] or f"undated, came {fields['received']}"
    flawed = "  (values outside their range are left out)" if row.flawed else ""
    return (
        f"{row.id}  {row.device}  {row.boot}/{row.seq}  {when}  {fields['link']}"
        f"  {fields['schema']}  {values}{flawed}"
    )


def _fields(row: "Row") -> dict[str, Any]:
    from agent.wire import body, decode, schema

    record = decode.one(row.raw)
    values: dict[str, Any] = {}
    name = str(row.schema)
    bad: set[str] = set()
    if 0 < row.schema < len(schema.SCHEMAS):
        name = schema.SCHEMAS[row.schema][1]
        names = [field[0] for field in schema.SCHEMAS[row.schema][3]]
        bad = {fault.field for fault in decode.check(record)}
    else:
        names = []
    for n, value in enumerate(record.values):
        key = names[n] if n < len(names) else f"x{n + schema.HEAD_ITEMS}"
        if value is not None and key not in bad:
            values[key] = value.hex() if isinstance(value, bytes) else value
    return {
        "id": row.id,
        "device": row.device,
        "boot": row.boot,
        "seq": row.seq,
        "schema": name,
        "time": None if row.time is None else _time((row.time + _epoch()) * 1000),
        "dated": body.DATED[row.dated],
        "link": body.LINKS.get(row.link, str(row.link)),
        "received": _time(row.received_ms),
        "values": values,
        "raw": row.raw.hex(),
    }


def _conflicts(config: "Config", reader: "JournalReader", args: argparse.Namespace) -> int:
    from agent.wire import body

    word = args.words[0] if args.words else "list"
    if word == "purge":
        return _ask(config, "purge-conflicts", {})
    if word != "list":
        raise CommandError(f"conflicts: {word!r} is none of list, purge")
    for device, boot, seq, link, received_ms, raw, first in reader.conflicts(args.limit):
        print(f"{device}  {boot}/{seq}  {_time(received_ms)}  {body.LINKS.get(link, link)}")
        print(f"    came:  {raw.hex()}")
        print(f"    first: {first.hex() if first else 'no longer in the journal'}")
    return 0


def _dead_letters(config: "Config", reader: "JournalReader", args: argparse.Namespace) -> int:
    word, *rest = args.words or ["list"]
    ids = None
    if rest:
        if not all(n.isdecimal() for n in rest):
            raise CommandError(f"dead-letters {word}: {' '.join(rest)} are no numbers of letters")
        ids = [int(n) for n in rest]
    chosen = {"ids": ids, "device": _device(args), "reason": args.reason, "sink": args.sink}
    if word in {"replay", "purge"}:
        if ids is None and not args.reason and not chosen["device"] and not args.all:
            raise CommandError(
                f"dead-letters {word} wants to know which",
                "give numbers, --reason, --device, or --all",
            )
        return _ask(config, word, chosen)
    if word not in {"list", "show", "reasons"}:
        raise CommandError(f"dead-letters: {word!r} is none of list, show, replay, purge, reasons")
    for where, letters in _letters(config, reader, args.sink):
        if word == "reasons":
            for reason, n in sorted(letters.reasons().items()):
                print(f"{where}{reason}: {n}")
            continue
        found = letters.find(
            ids=ids, device=chosen["device"] or "", reason=args.reason, limit=args.limit
        )
        for kept in found:
            _show(kept, where, whole=word == "show")
    return 0


def _letters(config: "Config", reader: "JournalReader", sink: str) -> Iterator[tuple[str, Any]]:
    """Yield (what to put before a line, letters): the inputs', and each sink's."""
    from gateway.journal.deadletters import Refused

    if not sink:
        yield "", reader.dead_letters
    for path in sorted(config.data.glob("refused-*.sqlite")):
        name = path.stem.removeprefix("refused-")
        if sink in {"", name}:
            refused = Refused(path, read_only=True)
            yield f"{name} ", refused.letters
            refused.close()


def _show(kept: "Kept", where: str, *, whole: bool) -> None:
    letter = kept.letter
    identity = "" if letter.boot is None else f"  {letter.boot}/{letter.seq}"
    raw = letter.raw if whole else letter.raw[:_RAW_SHOWN]
    more = "" if len(raw) == len(letter.raw) else f"… ({len(letter.raw)} bytes)"
    print(
        f"{where}{kept.id}  {_time(letter.received_ms)}  {letter.topic}{identity}"
        f"  {letter.reason}: {letter.detail}  {raw.hex()}{more}"
    )


def _ask(config: "Config", verb: str, words: dict[str, Any]) -> int:
    """Have it done by the gateway that runs here; if none does, do it."""
    from gateway.accept import Acceptor
    from gateway.journal.journal import Journal, JournalError
    from gateway.journal.replay import Replays
    from gateway.journal.requests import ask
    from gateway.service import lock

    try:
        held = lock(config)
    except JournalError:
        answer = ask(config.data, verb, words, _ANSWER_S)
        if answer is None:
            raise CommandError(
                "the gateway that runs here has not answered",
                "look at its log: its journal may be taking nothing",
            ) from None
        print(answer)
        return 0
    journal = Journal(config.data / "journal.sqlite")
    replays = Replays(config.data, journal, Acceptor(journal))
    print(replays.do(verb, words))
    replays.close()
    journal.close()
    held.close()
    return 0


def _drain(config: "Config") -> int:
    """Hand on everything in a journal whose gateway does not run, and end."""
    from gateway.journal.journal import Journal, JournalError, now_ms
    from gateway.operation import logs
    from gateway.service import lock
    from gateway.sinks import process, worker

    logs.set_up(config.operation.log)
    try:
        held = lock(config)
    except JournalError as error:
        raise CommandError(str(error), "a gateway that runs hands on by itself") from error
    if not (config.data / "journal.sqlite").exists():
        raise CommandError(f"{config.data}: there is no journal here", "is it the right folder?")
    journal = Journal(config.data / "journal.sqlite")
    with journal.transaction():
        # Their clock record went to another gateway: they go on with when they came.
        undated = journal.give_up_dating(now_ms() + 1)
        unknown = journal.counters()["awaiting_schema"]
    journal.close()
    if undated:
        print(f"{undated} records that waited for their date go on undated")
    stopping = threading.Event()
    done: list[str] = []

    def hand_on(name: str) -> None:
        sink = worker.make(config, name)
        sink.run(threading.Event(), stopping, drain=True)
        done.append(f"{name}: {sink.rows} rows handed on, {sink.refused} refused")

    threads = [threading.Thread(target=hand_on, args=(name,)) for name in process.names(config)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        stopping.set()
        raise
    held.close()
    print("\n".join(sorted(done)))
    if unknown:
        raise CommandError(
            f"{unknown} records are left: this version does not know their schema",
            "keep the folder, and drain it again with a newer one",
        )
    print("nothing is left")
    return 0


def _device(args: argparse.Namespace) -> str:
    return args.device[0] if args.device else ""


def _epoch() -> int:
    from agent.wire.series import EPOCH_2020

    return EPOCH_2020


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
