"""What a board gets: complete, nothing more, compiled for every architecture, within its budget."""

import itertools
import re

import pytest

from simulators.board.interpreter import run
from toolkit import bundle

LAYERS = {
    "esp32": "esp32s3-devkitc",
    "rp2": "pico2-w",
    "stm32": "nucleo-f767zi",
    "virtual": "virtual",
}
CASES = list(itertools.product(bundle.PROFILES, LAYERS))


@pytest.mark.parametrize(("profile", "layer"), CASES)
@pytest.mark.parametrize("march", bundle.ARCHITECTURES)
def test_every_file_compiles_for_every_architecture(profile, layer, march, tmp_path):
    written = bundle.write(
        tmp_path, profile, layer=layer, board=LAYERS[layer], compiled=True, march=march
    )
    assert len(written) > 30
    assert sum((tmp_path / path).stat().st_size for path in written) <= 80 * 1024
    assert all(path.suffix == ".mpy" for path in written)


def test_both_profiles_together_are_within_the_budget(tmp_path):
    every = {}
    for profile in bundle.PROFILES:
        for path in bundle.write(
            tmp_path / profile, profile, layer="esp32", board=LAYERS["esp32"], compiled=True
        ):
            every[path] = (tmp_path / profile / path).stat().st_size
    assert sum(every.values()) <= 112 * 1024


@pytest.mark.parametrize(("profile", "layer"), CASES)
def test_host_files_and_other_profiles_parts_stay_at_home(profile, layer):
    names = [str(path) for path in bundle.modules(profile, layer, LAYERS[layer])]
    foreign = {"beacon": r"/meter/|shorepower", "shorepower": r"/sense/|beacon"}[profile]
    assert not [n for n in names if re.search(foreign, n)]
    assert not [
        n for n in names if re.search(r"hal/host|wire/(body|decode|document|series|vectors)", n)
    ]
    assert f"agent/hal/{layer}.py" in names


def test_what_is_imported_is_there_and_nothing_is_left_over(tmp_path):
    bundle.write(tmp_path, "beacon", layer="virtual", board="virtual", compiled=False)
    (tmp_path / "agent" / "old.py").write_text("print('left over')")
    (tmp_path / "identity.json").write_text("{}")
    bundle.write(tmp_path, "shorepower", layer="virtual", board="virtual", compiled=True)
    assert not list((tmp_path / "agent").rglob("*.py"))
    assert not (tmp_path / "agent" / "sense").exists() or not list(
        (tmp_path / "agent" / "sense").iterdir()
    )
    assert (tmp_path / "identity.json").exists()
    assert (tmp_path / "main.py").exists()


@pytest.mark.parametrize("profile", bundle.PROFILES)
def test_a_compiled_profile_loads_and_runs_on_micropython(profile, tmp_path):
    bundle.write(tmp_path, profile, layer="virtual", board="virtual", compiled=True)
    script = f"from agent.main import profile_of; print(profile_of('{profile}').__name__)"
    done = run(script, mounts={"/agent": tmp_path / "agent"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"Beacon", "ShorePower"}


def test_errors_name_what_is_missing(tmp_path):
    with pytest.raises(bundle.BundleError, match="lighthouse"):
        bundle.modules("lighthouse", "esp32", "virtual")
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def (:\n")
    with pytest.raises(bundle.BundleError, match=r"wrong\.py"):
        bundle.compile_to(wrong, tmp_path / "wrong.mpy", name="wrong.py")
