"""The command line: one command is loaded, errors are for people."""

import subprocess
import sys


def fairway(*words):
    return subprocess.run(
        [sys.executable, "-m", "toolkit", *words], capture_output=True, text=True, check=False
    )


def test_every_command_is_listed():
    done = fairway("--help")
    assert done.returncode == 0
    for name in (
        *("board", "centre", "estuary", "gateway", "install"),
        *("release", "replay", "run", "wire"),
    ):
        assert name in done.stdout


def test_an_error_is_a_line_of_cause_and_one_of_what_to_do(tmp_path):
    config = tmp_path / "gateway.toml"
    config.write_text("[broker]\nport = 0\n")
    done = fairway("gateway", "--config", str(config))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "fairway gateway: the configuration cannot be used",
        f"  {config}:2: broker.port is 0; allowed: a whole number from 1 to 65535",
    ]


def test_one_command_does_not_load_the_others():
    code = (
        "import sys; from toolkit.cli import main; main(['wire', '--check']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"gateway.cli.command", "simulators.site.command"} & set(done.stdout.split())


def test_an_unknown_command():
    done = fairway("lighthouse")
    assert done.returncode == 2
    assert "lighthouse" in done.stderr
    assert "gateway" in done.stderr
