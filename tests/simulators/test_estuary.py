"""The estuary on its ports: what boards get, when they come, go and come back."""

import asyncio
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pyais
import pynmea2
import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from agent.hal.boards import virtual
from simulators import plan, registry
from simulators.estuary import Estuary
from simulators.registers import Registers
from simulators.sensors.gnss import FIX_AFTER_S
from simulators.world.place import Place
from tests.simulators.small_sea import (
    CONFIG,
    DLT645_CONFIG,
    NIGHT,
    NOON,
    Clock,
    arrived,
    live,
    make,
    plug_in,
    write_files,
)

ROOT = Path(__file__).parents[2]
PILE_ADCS = {"residual_ma", "plug_dc"}
BEACON_PINS = {str(adc[0]) for name, adc in virtual.ADCS.items() if name not in PILE_ADCS}
LAMP_PIN, PLUG_PIN, BREAKER_PIN, LOOP_PIN = (
    str(virtual.ADCS["lamp_ma"][0]),
    str(virtual.DIGITALS["plug"][0]),
    str(virtual.DIGITALS["breaker"][0]),
    str(virtual.DIGITALS["loop"][0]),
)
COMMAND = (
    "import argparse, sys; from simulators.estuary_command import EstuaryCommand as C;"
    "from toolkit.cli import CommandError; c = C(); p = argparse.ArgumentParser();"
    "c.add_arguments(p); sys.exit(c.run(p.parse_args()))"
)


def in_estuary(folder, test, start=NIGHT, **texts):
    """Run `test(estuary, clock)` against an open estuary and close it."""

    async def run():
        clock = Clock(start)
        estuary = make(folder, clock, **texts)
        await estuary.open()
        try:
            await test(estuary, clock)
        finally:
            await estuary.close()

    asyncio.run(run())


def book(estuary):
    return json.loads(json.dumps(estuary.address_book()))


def lines(data):
    return data.decode("ascii").split("\r\n")[:-1]


def states(data):
    """Return what was told of the pins; the hull's motion comes in lines of its own."""
    told = [json.loads(line) for line in data.splitlines()]
    return [line for line in told if "motion" not in line]


def test_address_book_lists_every_line(tmp_path):
    async def test(estuary, clock):
        devices = book(estuary)["devices"]
        assert list(devices) == ["buoy-1", "buoy-2", "pile-1", "pile-2", "spare-1"]
        for name, device in devices.items():
            expected = {"rs485"} if name.startswith("pile") else {"gnss", "ais"}
            assert set(device["uarts"]) == expected
        addresses = [*(d["inputs"] for d in devices.values()), book(estuary)["control"]]
        addresses += [a for d in devices.values() for a in d["uarts"].values()]
        assert len(set(addresses)) == len(addresses) == 14
        for address in addresses:
            assert address.startswith("127.0.0.1:")
            _, writer = await plug_in(address)
            writer.close()

    in_estuary(tmp_path, test)


def test_station_is_the_one_that_holds_now(tmp_path):
    async def test(estuary, clock):
        assert estuary.aids["c1"].station == Place(31.1010, 122.2010)

    in_estuary(tmp_path, test)

    async def before(estuary, clock):
        assert estuary.aids["c1"].station == Place(31.2, 122.0)

    in_estuary(tmp_path, before, start=NIGHT - 200 * 86400)


def test_receiver_starts_with_the_board_and_again_after_a_power_cycle(tmp_path):
    async def test(estuary, clock):
        address = book(estuary)["devices"]["buoy-1"]["uarts"]["gnss"]
        await live(estuary, clock, 60)  # nobody listens: all lost
        for _ in range(2):
            reader, writer = await plug_in(address)
            await asyncio.sleep(0.05)
            await live(estuary, clock, FIX_AFTER_S + 3, step=0.25)
            messages = [pynmea2.parse(line, check=True) for line in lines(await arrived(reader))]
            status = [m.status for m in messages if m.sentence_type == "RMC"]
            assert status[:FIX_AFTER_S] == ["V"] * FIX_AFTER_S
            assert status[FIX_AFTER_S:] == ["A"] * 3
            rmc = [m for m in messages if m.sentence_type == "RMC"][-1]
            assert rmc.datetime.timestamp() == int(clock.now)
            aid = estuary.aids["c1"]
            # A first fix may be far off.
            assert aid.place.miles_to(Place(rmc.latitude, rmc.longitude)) * 1852 < 300
            writer.close()
            await asyncio.sleep(0.05)

    in_estuary(tmp_path, test)


def test_who_connects_last_has_the_cable(tmp_path):
    async def test(estuary, clock):
        address = book(estuary)["devices"]["buoy-1"]["uarts"]["gnss"]
        old, old_writer = await plug_in(address)
        await asyncio.sleep(0.05)
        new, new_writer = await plug_in(address)
        await asyncio.sleep(0.05)
        await live(estuary, clock, 2)
        assert await asyncio.wait_for(old.read(), 1) == b""
        assert b"$GNGGA" in await arrived(new)
        new_writer.write(b"$PCAS02,200*1D\r\n")  # a board may talk to its receiver
        await live(estuary, clock, 2)
        assert b"$GNGGA" in await arrived(new)
        old_writer.close()
        new_writer.close()

    in_estuary(tmp_path, test)


def test_a_board_that_does_not_read_loses_bytes_not_the_estuary(tmp_path):
    async def test(estuary, clock):
        address = book(estuary)["devices"]["buoy-1"]["uarts"]["gnss"]
        host, port = address.split(":")
        stuck = socket.create_connection((host, int(port)))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.sleep(0.05)
        uart = estuary.devices["buoy-1"].uarts["gnss"]
        for _ in range(2000):  # far more than the kernel's buffers hold
            uart.send(["$GNGGA," * 400])
        await asyncio.sleep(0.05)
        assert uart._writer.transport.get_write_buffer_size() < 20_000
        stuck.close()

    in_estuary(tmp_path, test)


def test_pins_by_night(tmp_path):
    async def test(estuary, clock):
        address = book(estuary)["devices"]["buoy-1"]["inputs"]
        await live(estuary, clock, 2)
        reader, writer = await plug_in(address)
        await asyncio.sleep(0.05)
        (first,) = states(await arrived(reader))  # the whole state at once
        assert set(first["adc"]) == BEACON_PINS
        volts = first["adc"][str(virtual.ADCS["batt_mv"][0])] * 11
        assert 12_000 < volts < 14_500
        await live(estuary, clock, 6)
        told = [state.get("adc", {}) for state in states(await arrived(reader))]
        flashes = [adc[LAMP_PIN] for adc in told if LAMP_PIN in adc]
        assert max(flashes) == pytest.approx(350, abs=1)
        assert min(flashes) == 0
        # Fl(2): two rises in a period of six seconds, whatever the phase.
        rises = sum(a < 175 <= b for a, b in itertools.pairwise(flashes))
        assert rises == 2
        writer.close()

    in_estuary(tmp_path, test)


def test_pins_are_told_in_full_after_every_power_cycle(tmp_path):
    async def test(estuary, clock):
        address = book(estuary)["devices"]["buoy-1"]["inputs"]
        await live(estuary, clock, 2)
        for _ in range(2):
            reader, writer = await plug_in(address)
            (first,) = states(await arrived(reader))
            assert set(first["adc"]) == BEACON_PINS
            writer.close()

    in_estuary(tmp_path, test)


def test_the_lantern_hears_its_control_lines_while_a_board_is_there(tmp_path):
    async def test(estuary, clock):
        address = book(estuary)["devices"]["buoy-1"]["inputs"]
        lamp = estuary.devices["buoy-1"].aid.lamp
        hold, test = (str(virtual.OUTPUTS[name][0]) for name in ("lantern", "lamp_test"))

        async def say(writer, line):
            writer.write(line.encode() + b"\n")
            await asyncio.sleep(0.05)
            return lamp.asked_off, lamp.asked_test

        _, writer = await plug_in(address)
        assert await say(writer, '{"board": "buoy-1"}') == (False, False)
        assert await say(writer, f'{{"out": {{"{hold}": 1, "{test}": 1}}}}') == (True, True)
        assert await say(writer, f'{{"out": {{"{hold}": 0, "40": 1}}}}') == (False, True)
        assert await say(writer, f'{{"out": {{"{hold}": 1, "{test}": null}}}}') == (True, False)
        writer.close()  # the power is cut
        await asyncio.sleep(0.05)
        assert (lamp.asked_off, lamp.asked_test) == (False, False)
        for noise in ("not JSON", "[1]", f'{{"out": {{"{hold}": 1}}}}\n{{"out": 7}}'):
            _, writer = await plug_in(address)
            assert await say(writer, noise) == (False, False)  # hung up
            writer.close()
        _, old = await plug_in(address)
        assert await say(old, f'{{"out": {{"{hold}": 1}}}}') == (True, False)
        _, new = await plug_in(address)  # as after a watchdog reset
        assert await say(new, '{"board": "buoy-1"}') == (False, False)
        for end in (old, new):
            end.close()

    in_estuary(tmp_path, test)


def test_pins_by_day(tmp_path):
    async def test(estuary, clock):
        reader, writer = await plug_in(book(estuary)["devices"]["buoy-1"]["inputs"])
        await asyncio.sleep(0.05)
        await live(estuary, clock, 8)
        told = states(await arrived(reader))
        lamps = [s["adc"][LAMP_PIN] for s in told if LAMP_PIN in s.get("adc", {})]
        assert lamps == [0.0]
        solar = str(virtual.ADCS["solar_mv"][0])
        assert told[-1]["adc"].get(solar, told[0]["adc"].get(solar, 1000)) * 11 > 10_000
        writer.close()

    in_estuary(tmp_path, test, start=NOON)


def test_plug_and_breaker_follow_the_call(tmp_path):
    async def test(estuary, clock):
        reader, writer = await plug_in(book(estuary)["devices"]["pile-1"]["inputs"])
        await asyncio.sleep(0.05)
        await live(estuary, clock, 150, step=0.5)
        plugs, breakers, loops = [], [], []
        for state in states(await arrived(reader)):
            pins = state.get("pin", {})
            plugs += [pins[PLUG_PIN]] if PLUG_PIN in pins else []
            breakers += [pins[BREAKER_PIN]] if BREAKER_PIN in pins else []
            loops += [pins[LOOP_PIN]] if LOOP_PIN in pins else []
        on = virtual.DIGITALS["plug"][1]
        assert plugs[:3] == [1 - on, on, 1 - on]
        assert breakers[:3] == [1 - on, on, 1 - on]
        assert loops[:3] == plugs[:3]
        writer.close()

    in_estuary(tmp_path, test)


def test_ships_are_heard_near_the_buoy_and_not_at_the_depot(tmp_path):
    async def test(estuary, clock):
        devices = book(estuary)["devices"]
        near, near_writer = await plug_in(devices["buoy-1"]["uarts"]["ais"])
        away, away_writer = await plug_in(devices["spare-1"]["uarts"]["ais"])
        await asyncio.sleep(0.05)
        heard, waiting = [], []
        for _ in range(4):
            await live(estuary, clock, 100, step=0.5)
            heard += lines(await arrived(near))
            waiting += lines(await arrived(away))
        kinds, parts = set(), []
        for line in heard:
            parts.append(line)
            fields = line.split(",")
            if fields[1] == fields[2]:
                kinds.add(pyais.decode(*parts).msg_type)
                parts = []
        assert parts == []
        assert {1, 4, 5, 18, 21, 24} <= kinds
        # The depot hears only the ships at the berths beside it.
        told = [pyais.decode(line).asdict() for line in waiting if ",1,1," in line]
        assert told
        assert all(message["lon"] < 121.7 for message in told if "lon" in message)
        near_writer.close()
        away_writer.close()

    in_estuary(tmp_path, test)


def test_modbus_meter_shows_what_the_pile_delivers(tmp_path):
    async def test(estuary, clock):
        await live(estuary, clock, 100, step=0.5)
        shown = estuary.devices["pile-2"].pile.quantities()
        assert shown["p_kw"] > 5
        host, port = book(estuary)["devices"]["pile-2"]["uarts"]["rs485"].split(":")
        client = AsyncModbusTcpClient(host, port=int(port), framer=FramerType.RTU)
        await client.connect()
        for register, name, scale in ((52, "p_kw", 1000), (72, "import_kwh", 1), (0, "u_a_v", 1)):
            answer = await client.read_input_registers(register, count=2, device_id=1)
            value = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
            assert value == pytest.approx(shown[name] * scale, rel=1e-6)
        client.close()

    in_estuary(tmp_path, test)


def test_dlt645_meter_shows_what_the_pile_delivers(tmp_path):
    async def test(estuary, clock):
        await live(estuary, clock, 40, step=0.5)
        reader, writer = await plug_in(book(estuary)["devices"]["pile-1"]["uarts"]["rs485"])
        # DL/T 645-2007: read 00010000, import energy, of meter 202410010001.
        frame = bytes.fromhex("68 01 00 01 10 24 20 68 11 04 33 33 34 33")
        writer.write(frame + bytes([sum(frame) % 256, 0x16]))
        answer = (await arrived(reader, 1.0)).lstrip(b"\xfe")
        counts = bytes(byte - 0x33 for byte in answer[14:18])[::-1].hex()
        kwh = estuary.devices["pile-1"].pile.import_kwh
        assert kwh > 2000
        assert int(counts) == round(kwh * 100)
        writer.close()

    in_estuary(tmp_path, test, config_text=DLT645_CONFIG)


def test_registers_go_on_where_they_were(tmp_path):
    seen = []

    async def test(estuary, clock):
        seen.append(estuary.devices["pile-1"].pile.import_kwh)
        await live(estuary, clock, 80, step=0.5)
        seen.append(estuary.devices["pile-1"].pile.import_kwh)

    in_estuary(tmp_path, test)
    in_estuary(tmp_path, test, start=NIGHT + 1000)
    assert seen[0] < seen[1] == seen[2] < seen[3]
    (tmp_path / "meters.json").write_text("not a register", "utf-8")
    in_estuary(tmp_path, test)
    assert seen[4] == seen[0]  # begins anew, and says so
    assert seen[5] > seen[4]


def test_registers_file_is_written_before_the_meter_shows_more(tmp_path):
    file = tmp_path / "deep" / "meters.json"
    registers = Registers(file)
    count = 36_000_000
    registers.keep({"pile-1": 5 * count})
    assert json.loads(file.read_text()) == {"pile-1": 5 * count}
    before = file.stat().st_mtime_ns
    registers.keep({"pile-1": 5 * count + count - 1})  # no new count: nothing to write
    assert file.stat().st_mtime_ns == before
    registers.keep({"pile-1": 6 * count})
    assert json.loads(file.read_text()) == {"pile-1": 6 * count}


@pytest.mark.parametrize("kept", ["-5", '"much"', "1.5", "28800000000000000000", "null"])
def test_a_register_that_no_meter_can_show_is_replaced(tmp_path, kept):
    file = tmp_path / "meters.json"
    file.write_text(f'{{"pile-1": {kept}, "pile-2": 36000000}}', "utf-8")
    registers = Registers(file)
    fresh = registers.first("pile-1", random.Random("meter"))
    assert 2_000 <= fresh / 36_000_000 / 100 <= 60_000
    assert registers.first("pile-2", random.Random("meter")) == 36_000_000


def test_same_seed_same_sea(tmp_path):
    epochs = []

    async def test(estuary, clock):
        reader, writer = await plug_in(book(estuary)["devices"]["buoy-1"]["uarts"]["gnss"])
        await asyncio.sleep(0.05)
        await live(estuary, clock, 25, step=0.5)
        epochs.append(await arrived(reader))
        writer.close()

    in_estuary(tmp_path, test)
    in_estuary(tmp_path, test)
    in_estuary(tmp_path, test, config_text=CONFIG.replace("seed = 7", "seed = 8"))
    assert epochs[0] == epochs[1] != epochs[2]


def test_given_ports_are_used(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = f'[ports]\n"buoy-1.gnss" = {port}\n'

    async def test(estuary, clock):
        assert book(estuary)["devices"]["buoy-1"]["uarts"]["gnss"] == f"127.0.0.1:{port}"

    in_estuary(tmp_path, test, config_text=CONFIG + ports)


@pytest.mark.parametrize("line", ["buoy-1.gnss", "control", "pile-1.rs485", "pile-2.rs485"])
def test_a_taken_port_is_named(tmp_path, line):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = f'[ports]\n"{line}" = {taken.getsockname()[1]}\n'

        async def run():
            estuary = make(tmp_path, Clock(NIGHT), config_text=DLT645_CONFIG + ports)
            with pytest.raises(OSError) as caught:
                await estuary.open()
            await estuary.close()
            assert caught.value.filename == line

        asyncio.run(run())


def test_demo_files_make_an_estuary(tmp_path):
    config = ROOT / "config" / "demo"
    sea = Estuary(
        registry.read(config / "registry.toml"),
        plan.read(config / "estuary.toml"),
        Registers(tmp_path / "meters.json"),
    )
    assert len(sea.aids) == 6
    assert {"buoy-1", "buoy-6", "pile-1", "pile-2", "spare-1"} <= set(sea.devices)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_command_lives_in_real_time_and_stops_cleanly(tmp_path, how):
    registry_file, config_file = write_files(tmp_path)
    state = tmp_path / "run" / "estuary.json"
    arguments = ["--registry", registry_file, "--config", config_file, "--state", state]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert "5 devices" in process.stdout.readline()
        addresses = json.loads(state.read_text())["devices"]["buoy-1"]["uarts"]
        host, port = addresses["gnss"].split(":")
        with socket.create_connection((host, int(port)), 5) as line:
            assert line.recv(10_000).startswith(b"$GNGGA")
            process.send_signal(how)  # with a board still connected
            _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert not state.exists()


def test_command_says_what_is_wrong(tmp_path, monkeypatch):
    import argparse

    from simulators.estuary_command import EstuaryCommand
    from toolkit.cli import CommandError

    registry_file, config_file = write_files(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config_file.write_text(CONFIG + f"[ports]\ncontrol = {port}\n", "utf-8")
        arguments = argparse.Namespace(
            registry=registry_file, config=config_file, state=tmp_path / "s.json", trace=None
        )
        with pytest.raises(CommandError, match="port for control cannot be opened"):
            EstuaryCommand().run(arguments)
    assert not (tmp_path / "s.json").exists()
    arguments.registry = tmp_path / "none.toml"
    with pytest.raises(CommandError, match="configuration cannot be used") as caught:
        EstuaryCommand().run(arguments)
    assert "none.toml: cannot be read" in caught.value.action
