import os

import pytest

from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import check_writable, refusing_damage, replacing


def test_a_block_that_ends_well_leaves_the_new_file_alone_in_the_folder(tmp_path):
    (tmp_path / "note.txt").write_text("old")

    with replacing(tmp_path / "note.txt") as temporary:
        temporary.write_text("new")

    assert (tmp_path / "note.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["note.txt"]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "note.txt").write_text("old")

    with pytest.raises(RuntimeError), replacing(tmp_path / "note.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError

    assert (tmp_path / "note.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["note.txt"]


def test_a_folder_is_never_replaced(tmp_path):
    with pytest.raises(FileExistsError, match="remove it or choose another"), replacing(tmp_path):
        pass


def test_missing_parents_are_made_and_the_suffix_kept(tmp_path):
    with replacing(tmp_path / "a" / "b.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.mkdir()
        (temporary / "inside").write_text("x")

    assert (tmp_path / "a" / "b.png" / "inside").read_text() == "x"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "note.txt"):
        pass


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")

    with replacing(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_device_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FileExistsError, match="not a regular file"), replacing(tmp_path / "pipe"):
        pass


def test_a_private_file_stays_private(tmp_path):
    (tmp_path / "note.txt").touch(mode=0o600)

    with replacing(tmp_path / "note.txt") as temporary:
        temporary.write_text("new")

    assert (tmp_path / "note.txt").stat().st_mode & 0o777 == 0o600


def test_check_writable_changes_nothing_and_finds_out(tmp_path):
    (tmp_path / "note.txt").write_text("old")

    check_writable(tmp_path / "note.txt")
    check_writable(tmp_path / "new.txt")

    assert os.listdir(tmp_path) == ["note.txt"]
    assert (tmp_path / "note.txt").read_text() == "old"
    with pytest.raises(OSError, match="Not a directory|File exists"):
        check_writable(tmp_path / "note.txt" / "new.txt")


@pytest.mark.parametrize("error", [ValueError, KeyError, EOFError, RecursionError])
def test_damage_is_one_exception(error):
    with (
        pytest.raises(CorruptFileError, match=r"a.txt is damaged \(.*odd.*\); mend it") as told,
        refusing_damage("a.txt", "mend it"),
    ):
        raise error("odd")
    assert isinstance(told.value.__cause__, error)


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, MissingDataError])
def test_what_is_no_damage_passes(error):
    with pytest.raises(error), refusing_damage("a.txt", "mend it"):
        raise error("other")


def test_damage_that_is_told_already_keeps_its_message():
    with pytest.raises(CorruptFileError, match="^first$"), refusing_damage("a.txt", "mend it"):
        raise CorruptFileError("first")
