"""The marker of our firmware, and the board definitions as far as they can be checked without a build."""

import importlib.util
import itertools
import re

import pytest

from toolkit import bundle, firmware

BOARDS = bundle.DEVICE / "boards"
NAMES = sorted(path.name for path in BOARDS.iterdir() if (path / "manifest.py").exists())
NAMES.remove("common")


def load(path):
    spec = importlib.util.spec_from_file_location("loaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_each_board_has_a_marker_that_an_image_shows(name):
    board = load(BOARDS / name / "modules" / "fairway_board.py")
    said = firmware.marker(bytes(1000) + board.MARKER + b"\xff" * 1000)
    assert said == firmware.Marker(1, name.replace("_", "-"))
    assert (bundle.DEVICE / "agent" / "hal" / "boards" / f"{name}.py").exists()


def test_stock_firmware_has_none():
    assert firmware.marker(b"") is None
    assert firmware.marker(b"MicroPython v1.27.0; fairway-board:x:") is None


@pytest.mark.parametrize("path", sorted(BOARDS.rglob("*.py")), ids=lambda path: str(path.name))
def test_frozen_modules_compile(path, tmp_path):
    if path.name != "manifest.py":
        bundle.compile_to(path, tmp_path / "out.mpy", name=path.name)


@pytest.mark.parametrize("name", NAMES)
def test_manifests_name_files_that_are_there(name):
    """A manifest is run by the port's build; ours are short enough to be read."""
    text = (BOARDS / name / "manifest.py").read_text("utf-8")
    assert 'include("../common/manifest.py")' in text
    for folder in re.findall(r'freeze\("(\w+)"\)', text):
        assert (BOARDS / name / folder).is_dir()
    for folder, file in re.findall(
        r'freeze\("([./]+\w*)", "(\w+\.py)"\)',
        (BOARDS / "common" / "manifest.py").read_text("utf-8"),
    ):
        assert (BOARDS / "common" / folder / file).is_file()
    assert f"build/safe/{name}" in text


def test_partitions_do_not_overlap():
    rows = [
        [field.strip() for field in line.split(",")]
        for line in (BOARDS / "esp32s3_devkitc" / "partitions.csv").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    spans = sorted((int(row[3], 16), int(row[3], 16) + int(row[4], 16), row[0]) for row in rows)
    for (_, end, _), (start, _, name) in itertools.pairwise(spans):
        assert end <= start, name
    assert spans[-1][1] == 8 * 1024 * 1024
    assert {"nvs", "spare", "vfs"} <= {name for _, _, name in spans}
