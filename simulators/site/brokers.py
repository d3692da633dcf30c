"""The trial site's broker: mosquitto if it is installed, else amqtt, with the same rules.

    broker = prepare(folder, "auto", 1883, {"gateway": "…", "buoy-1": "…"})
    subprocess.Popen(broker.command)

Each user has a password and may write and read only its own topics (DESIGN §2):

    pattern write fw/1/+/%u/up/#      pattern read fw/1/+/%u/dn/#

and the gateway the other way round. A client id is its user name. Loopback only. amqtt is for trials,
not for duty: it forgets its sessions when it ends and loses messages in flight on reconnection.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GATEWAY: Final = "gateway"

_MOSQUITTO: Final = """\
# Written by `fairway run`; config/mosquitto.conf is the one for duty, and has the reasons.
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/rules
use_username_as_clientid true
max_inflight_messages 2000
max_queued_messages 1000000
max_queued_bytes 268435456
persistence true
persistence_location {folder}/
autosave_on_changes false
autosave_interval 30
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""

_RULES: Final = Path(__file__).parents[2] / "config" / "mosquitto.rules"


@dataclass(frozen=True, slots=True)
class BrokerProcess:
    """A broker that is ready to be started."""

    name: str
    command: list[str]


def installed() -> str:
    """Return which broker this machine would use."""
    return "mosquitto" if _mosquitto() else "amqtt"


def prepare(folder: Path, kind: str, port: int, users: Mapping[str, str]) -> BrokerProcess:
    """Write a broker's files into `folder` and return how to start it.

    `kind` is "mosquitto", "amqtt" or "auto"; `users` maps names to passwords.

    Raises:
        ValueError: mosquitto was asked for and is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "auto":
        kind = installed()
    if kind == "mosquitto":
        return _prepare_mosquitto(folder, port, users)
    return _prepare_amqtt(folder, port, users)


def _prepare_mosquitto(folder: Path, port: int, users: Mapping[str, str]) -> BrokerProcess:
    program = _mosquitto()
    if program is None:
        raise ValueError("mosquitto is not installed")
    passwords = folder / "passwords"
    passwords.write_text("".join(f"{name}:{word}\n" for name, word in users.items()), "utf-8")
    passwords.chmod(0o600)
    hasher = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
    subprocess.run([hasher, "-U", str(passwords)], check=True, capture_output=True)
    (folder / "rules").write_bytes(_RULES.read_bytes())
    (folder / "rules").chmod(0o600)
    settings = folder / "mosquitto.conf"
    settings.write_text(_MOSQUITTO.format(port=port, folder=folder), "utf-8")
    if is_root():
        # As root it would become the user mosquitto, who may not enter our folder.
        with settings.open("a", encoding="utf-8") as file:
            file.write("user root\n")
    return BrokerProcess("mosquitto", [program, "-c", str(settings)])


def _prepare_amqtt(folder: Path, port: int, users: Mapping[str, str]) -> BrokerProcess:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    # Cheap rounds: random passwords of 128 bits need no slow hash, and a trial starts at once.
    hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1),))
    passwords = folder / "passwords.argon2"
    lines = [f"{name}:{hasher.hash(word)}\n" for name, word in users.items()]
    passwords.write_text("".join(lines), "utf-8")
    passwords.chmod(0o600)
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "timeout_disconnect_delay": 10,
        "plugins": {
            "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)},
            "simulators.site.amqtt_rules.OwnTopicsPlugin": {"gateway": GATEWAY},
        },
    }
    path = folder / "amqtt.json"
    path.write_text(json.dumps(settings, indent=1), "utf-8")
    return BrokerProcess("amqtt", [sys.executable, "-m", "simulators.site.amqtt_rules", str(path)])


def _mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def is_root() -> bool:
    """Return whether this process is root's."""
    return os.geteuid() == 0
