"""Any process killed at any moment, under 2,000 messages a second: nothing lost, nothing doubled.

Gateway, broker, VictoriaMetrics and centre are real processes and die by SIGKILL, one or two at a
time, at moments drawn from a seed; one of the gateway's own children may be hit, too. What must be in
the stores is in the devices' ledgers (tests/chain/load.py), and tests/chain/checker.py counts.
"""

import os
import random
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chain import checker, load
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    centre,
    gateway_command,
    gateway_config,
    process,
    victoria_metrics,
    wait_for,
)
from tests.chain.readiness import wait_ready, watch

SEED = 20261122
RATE = 2000  # messages a second
DEVICES = 50
TWO_AT_ONCE = 0.15
AWAY_S = {"gateway": 0.5, "broker": 0.5, "victoria": 1.0, "centre": 0.8, "child": 0.0}


@pytest.mark.parametrize(
    ("kills", "between_s", "drain_s"),
    [
        pytest.param(10, (0.1, 0.5), 60, id="10"),
        pytest.param(100, (0.3, 2.0), 600, id="100", marks=pytest.mark.prove),
    ],
)
def test_kill_nine_of_anything_at_any_time(kills, between_s, drain_s, tmp_path, capsys):
    rng = random.Random(SEED)
    killed = Counter()
    with ExitStack() as stack:
        port, mosquitto = stack.enter_context(broker("mosquitto", tmp_path, load.names(DEVICES)))
        series, victoria = stack.enter_context(victoria_metrics(tmp_path))
        url, monitoring = stack.enter_context(centre(tmp_path, series))
        config = gateway_config(tmp_path, port, series, url)
        ready = watch(config)
        log = tmp_path / "gateway.log"
        gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_ready(ready)
        victims = {
            "gateway": gateway, "broker": mosquitto, "victoria": victoria, "centre": monitoring,
        }  # fmt: skip
        devices = stack.enter_context(
            load.Load(tmp_path, port, rate=RATE, devices=DEVICES, resend_s=1.0)
        )
        devices.wait_made(RATE // 4, 20)
        begun = time.monotonic()
        for names in schedule(rng, kills):
            time.sleep(rng.uniform(*between_s))
            if rng.random() < 0.2 or not killed["child"]:
                killed["child"] += kill_a_child(gateway, rng)
            for name in names:
                victims[name].kill()
                killed[name] += 1
            time.sleep(rng.uniform(0, max(AWAY_S[name] for name in names)))
            for name in names:
                victims[name].start()
        time.sleep(1)
        devices.pause()
        lasted_s = time.monotonic() - begun
        acked_s = devices.wait_acked(drain_s)
        said = devices.status()
        ledger = checker.read(devices.ledgers)
        verdict, stored_s = settle(ledger, series, tmp_path / "centre", drain_s)
        assert gateway.stop() == 0, log.read_text()[-2000:]
        wait_for("the gateway's children to end", lambda: not using(tmp_path / "gateway"), 10)
        # Once more, now that nobody sends anything again.
        last = checker.compare(ledger, series, tmp_path / "centre")
        counted = checker.counters(config)
    with capsys.disabled():
        print(
            f"\n{killed.total()} kills in {lasted_s:.0f} s"
            f" ({', '.join(f'{name} {n}' for name, n in sorted(killed.items()))}):"
            f" {checker.size(ledger)} records in {said['sent']} messages"
            f" ({said['sent'] / lasted_s:.0f}/s), {said['resent']} sent again,"
            f" {verdict.series} points and {verdict.events} events;"
            f" all acked {acked_s:.1f} s and stored {stored_s:.1f} s after the last;"
            f" devices waited {said['late_s']:.1f} s at most and took"
            f" {said['cpu_s'] / lasted_s:.0%} of a core;"
            f" lost {verdict.lost}, doubled {verdict.doubled}, altered {verdict.altered}"
        )
    assert said["strange"] == 0, "the gateway acknowledged what was never sent"
    assert verdict.clean, verdict
    assert last.clean, last
    assert verdict.series + verdict.events == checker.size(ledger) == counted["records"]
    assert not counted.get("conflicts") and not counted.get("dead_letters")
    assert killed.total() - killed["child"] == kills


def schedule(rng, kills):
    """Return who is killed, one or two together: everybody equally often, in any order."""
    names = [("gateway", "broker", "victoria", "centre")[n % 4] for n in range(kills)]
    rng.shuffle(names)
    out = []
    while names:
        together = [names.pop()]
        if names and names[-1] != together[0] and rng.random() < TWO_AT_ONCE:
            together.append(names.pop())
        out.append(together)
    return out


def settle(ledger, series, folder, timeout_s):
    """Compare until the stores have everything; return (the last verdict, how long it took)."""
    begun = time.monotonic()
    while True:
        stored_s = time.monotonic() - begun
        verdict = checker.compare(ledger, series, folder)
        if verdict.clean or stored_s > timeout_s:
            return verdict, stored_s
        if not verdict.lost:
            return verdict, stored_s  # waiting mends nothing but what is on its way
        time.sleep(0.5)


def kill_a_child(parent, rng):
    """Kill one of a process's own children, whichever thread began it; return how many that were."""
    threads = Path(f"/proc/{parent._child.pid}/task").glob("*/children")
    children = sorted(int(pid) for thread in threads for pid in thread.read_text().split())
    if not children:
        return 0
    os.kill(rng.choice(children), signal.SIGKILL)
    return 1


def using(folder):
    """Return the processes that have a file open in `folder`."""
    out = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink().is_relative_to(folder):
                out.add(int(link.parts[2]))
        except OSError:
            continue
    return out
