"""A space file is a regular file with plain YAML in it."""

from pathlib import Path

import pytest

from skin_tune.errors import SpaceError
from skin_tune.tuning.space.sweep_file import load_space
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.conftest import PackMaker
from tests.special_files import pipe
from tests.tuning.space.conftest import BRIEF


def test_numbers_in_scientific_notation_are_read_as_numbers(load):
    """YAML 1.1 reads 1e-5 as text."""
    space = load(BRIEF.replace("0.00001", "1e-5").replace("0.001", "1e-3").replace("[0.5, 1.0", "[5e-1, 1E0"))
    assert space == load(BRIEF)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SpaceError, match=r"none\.yaml: cannot be read: No such file"):
        load_space(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00m", b"[" * 5000, b"a: \x00", b"? [a]\n: 1"])
def test_a_file_that_is_no_yaml_is_refused(tmp_path, content):
    path = tmp_path / "space.yaml"
    path.write_bytes(content)
    with pytest.raises(SpaceError, match="is not valid YAML"):
        load_space(path)


def test_yaml_tags_run_nothing(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text("method: !!python/object/apply:os.getcwd []")
    with pytest.raises(SpaceError, match="is not valid YAML in line 1: could not determine a constructor"):
        load_space(path)


def test_a_space_is_a_regular_file(tmp_path: Path, make_pack: PackMaker):
    for path in (pipe(tmp_path / "space.yaml"), Path("/dev/zero"), tmp_path):
        with pytest.raises(SpaceError, match="is not a regular file"):
            load_space(path)
    done = skin_tune_here("tune", make_pack().path, "--space", tmp_path / "space.yaml", "--storage", tmp_path / "runs")
    assert_one_line_error(done, "space.yaml", "is not a regular file")
    done = skin_tune_here("tune", make_pack().path, "weights=/dev/zero", "--storage", tmp_path / "runs")
    assert_one_line_error(done)
    assert not (tmp_path / "runs").exists()
