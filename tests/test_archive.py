import gzip
import io
import struct
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handwriting.datasets import archive
from handwriting.datasets.archive import Limits, Member, open_archive
from handwriting.errors import CorruptFileError, MissingDataError

FILES = {"a.txt": b"top", "in/b.txt": b"inside", "in/deep/a.txt": b"deep " * 100}


def write_folder(path):
    for name, data in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def write_zip(path, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for name, data in FILES.items():
            zipped.writestr(name, data)
    return path


def write_tar(path, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, data in FILES.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def write_parts(path):
    data = write_tar(path).read_bytes()
    path.with_name(path.name + ".01").write_bytes(data[:70])
    path.with_name(path.name + ".02").write_bytes(data[70:])
    path.unlink()
    return path.with_name(path.name + ".01")


def write_nested(path):
    inner = io.BytesIO()
    write_zip(inner)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as outer:
        outer.writestr("download/inner.zip", inner.getvalue())
    return Member(open_archive(path), "download/inner.zip")


@pytest.fixture(
    params=["folder", "zip", "stored zip", "lzma zip", "tar.gz", "tar", "parts", "nested"]
)
def opened(request, tmp_path):
    path = {
        "folder": lambda: write_folder(tmp_path / "folder"),
        "zip": lambda: write_zip(tmp_path / "x.zip"),
        "stored zip": lambda: write_zip(tmp_path / "x.zip", zipfile.ZIP_STORED),
        "lzma zip": lambda: write_zip(tmp_path / "x.zip", zipfile.ZIP_LZMA),
        "tar.gz": lambda: write_tar(tmp_path / "x.tar.gz"),
        "tar": lambda: write_tar(tmp_path / "x.tar", "w"),
        "parts": lambda: write_parts(tmp_path / "x.tar.gz"),
        "nested": lambda: write_nested(tmp_path / "outer.zip"),
    }[request.param]()
    with open_archive(path) as found:
        yield found
    if isinstance(path, Member):
        path.archive.close()


def test_every_kind_of_archive_shows_the_same_files(opened):
    assert sorted(opened.names) == sorted(FILES)
    assert {name: opened.read(name) for name in FILES} == FILES
    for name, data in FILES.items():
        with opened.open(name) as stream:
            assert stream.read() == data


def test_a_file_is_found_by_its_base_name_least_deep_first(opened):
    assert opened.find("a.txt").name == "a.txt"
    assert opened.find("nothing", "b.txt").name == "in/b.txt"
    assert opened.find("nothing") is None


def test_what_is_not_there_is_told_with_what_is(opened):
    with pytest.raises(MissingDataError, match=r"must hold c\.txt, and holds a\.txt, b\.txt"):
        opened.get("c.txt")


def test_the_sources_are_what_lies_on_disk(opened):
    assert all(path.exists() for path in opened.sources())
    assert opened.sources("b.txt")[0] in opened.sources()


def test_hidden_files_are_left_out(tmp_path):
    path = tmp_path / "mac.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        for name in ("a.txt", "__MACOSX/a.txt", "in/._a.txt", ".DS_Store"):
            zipped.writestr(name, b"")
    folder = tmp_path / "folder"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "a.txt").touch()
    (folder / "a.txt").touch()

    for each in (path, folder):
        with open_archive(each) as opened:
            assert opened.names == ["a.txt"]


def test_two_equally_deep_files_are_not_chosen_between(tmp_path):
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("one/a.txt", b"")
        zipped.writestr("two/a.txt", b"")

    with (
        open_archive(path) as opened,
        pytest.raises(CorruptFileError, match=r"both one/a\.txt and two/a\.txt"),
    ):
        opened.find("a.txt")


def test_an_archive_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingDataError, match="does not exist"):
        open_archive(tmp_path / "no.zip")


def test_a_file_is_looked_into_only_when_its_names_are_asked_for(tmp_path):
    path = tmp_path / "page.zip"
    path.write_bytes(b"<!DOCTYPE html>")
    opened = open_archive(path)

    assert opened.sources() == [path]
    with pytest.raises(CorruptFileError, match=r"page\.zip is damaged \(File is not a zip file\)"):
        _ = opened.names


def names_of(path, limits=None):
    with open_archive(path, limits) as opened:
        return opened.names


@pytest.mark.parametrize("name", ["../up", "/abs", "in/../../up", "..\\up", "a\nb", "a\u202eb"])
def test_names_that_point_outside_or_hide_are_refused(name, tmp_path):
    zipped, tarred = tmp_path / "x.zip", tmp_path / "x.tar"
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr(name, b"")
    with tarfile.open(tarred, "w") as file:
        file.addfile(tarfile.TarInfo(name))

    for path in (zipped, tarred):
        with pytest.raises(CorruptFileError, match="points outside or cannot be shown"):
            names_of(path)


def test_links_in_a_tar_are_left_out(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    assert names_of(path) == []


def test_more_than_the_limits_is_refused_before_it_is_read(tmp_path):
    for path in (write_zip(tmp_path / "x.zip"), write_tar(tmp_path / "x.tar")):
        with pytest.raises(CorruptFileError, match="claims more than 2 files"):
            names_of(path, Limits(members=2))
        with pytest.raises(CorruptFileError, match="or 508 bytes"):
            names_of(path, Limits(total=508))
        assert len(names_of(path, Limits(members=3, total=509))) == 3


def test_a_bomb_is_refused_by_its_ratio(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("zeros", bytes(8 << 20))

    with pytest.raises(CorruptFileError, match=r"zeros in .* claims 8,388,608 bytes packed into"):
        names_of(path)
    assert names_of(path, Limits(ratio=1100)) == ["zeros"]


def test_two_members_of_one_name_are_refused(tmp_path):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("a", b"1")
        zipped.writestr("b", b"2")
    path.write_bytes(path.read_bytes().replace(b"b", b"a"))

    with pytest.raises(CorruptFileError, match="two files of one name"):
        names_of(path)


def forge(path, change):
    """Change the first entry of a zip file's directory."""
    data = bytearray(path.read_bytes())
    change(data, data.index(b"PK\1\2"))
    path.write_bytes(data)
    return path


def test_an_encrypted_archive_is_refused(tmp_path):
    def encrypt(data, entry):
        data[entry + 8] |= 1

    with pytest.raises(CorruptFileError, match="is encrypted"):
        names_of(forge(write_zip(tmp_path / "x.zip"), encrypt))


def test_members_that_share_bytes_are_refused(tmp_path):
    def overlap(data, entry):
        second = data.index(b"PK\1\2", entry + 4)
        data[second + 42 : second + 46] = struct.pack("<I", 1)

    with pytest.raises(CorruptFileError, match="overlaps another"):
        names_of(forge(write_zip(tmp_path / "x.zip", zipfile.ZIP_STORED), overlap))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_bit_in_a_member_is_found(compression, tmp_path):
    path = write_zip(tmp_path / "x.zip", compression)
    data = bytearray(path.read_bytes())
    data[36] ^= 1
    path.write_bytes(data)

    with (
        open_archive(path) as opened,
        pytest.raises(CorruptFileError, match=r"a\.txt in .*x\.zip is damaged"),
    ):
        opened.read("a.txt")


def test_a_member_that_is_larger_than_it_claims_is_found(tmp_path):
    def shrink(data, entry):
        data[entry + 24 : entry + 28] = struct.pack("<I", 2)

    with (
        open_archive(forge(write_zip(tmp_path / "x.zip"), shrink)) as opened,
        pytest.raises(CorruptFileError, match="is damaged"),
    ):
        opened.read("a.txt")


def test_a_name_that_was_damaged_in_the_directory_is_found(tmp_path):
    def rename(data, entry):
        data[entry + 46] = ord("z")

    with (
        open_archive(forge(write_zip(tmp_path / "x.zip"), rename)) as opened,
        pytest.raises(CorruptFileError, match="z.txt in .* does not stand where"),
    ):
        opened.read("z.txt")


def test_names_in_other_scripts_are_read(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("\u00e9\u4e2d/1.png", b"data")

    with open_archive(path) as opened:
        assert opened.read("\u00e9\u4e2d/1.png") == b"data"


def test_an_upper_case_tar_is_one(tmp_path):
    path = write_tar(tmp_path / "x.tar.gz").rename(tmp_path / "X.TAR.GZ")

    assert sorted(names_of(path)) == sorted(FILES)


def test_a_tar_that_is_cut_short_is_damaged(tmp_path):
    path = write_tar(tmp_path / "x.tar.gz")
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(CorruptFileError, match=r"x\.tar\.gz is damaged"):
        names_of(path)


@given(data=st.data())
def test_no_damage_raises_anything_but_the_packages_own_errors(data, tmp_path_factory):
    make, name = data.draw(st.sampled_from([(write_zip, "x.zip"), (write_tar, "x.tar.gz")]))
    path = make(tmp_path_factory.mktemp("damage") / name)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])

    try:
        with open_archive(path) as opened:
            read = {each: opened.read(each) for each in opened.names}
    except CorruptFileError:
        return
    # What can still be read is what was written; names have no checksum of their own.
    assert set(read.values()) <= set(FILES.values())


@pytest.mark.parametrize("absent", [(), ("zlib_ng",), ("zlib_ng", "isal")])
def test_gzip_is_read_alike_by_every_library(absent, monkeypatch):
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    archive._gzip_reader.cache_clear()
    packed = gzip.compress(b"text" * 1000)

    with archive.gunzip(io.BytesIO(packed)) as stream:
        assert stream.read() == b"text" * 1000
    for damaged in (packed[:-9], packed[:20] + b"\xff" * 5 + packed[25:], packed[:-8] + bytes(8)):
        with (
            pytest.raises(CorruptFileError, match="some file is damaged"),
            archive.reading("some file"),
            archive.gunzip(io.BytesIO(damaged)) as stream,
        ):
            stream.read()
    archive._gzip_reader.cache_clear()


def test_linked_folders_are_walked_and_loops_are_not(tmp_path):
    write_folder(tmp_path / "elsewhere")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "x" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "elsewhere" / "in" / "back").symlink_to("../in", target_is_directory=True)

    names = open_archive(tmp_path / "x").names

    assert sorted(names) == [f"link/{name}" for name in sorted(FILES)]


@pytest.mark.parametrize("read", [lambda opened: opened.names, lambda opened: opened.read("a.txt")])
def test_what_the_disk_does_not_give_is_named(read, tmp_path, monkeypatch):
    opened = open_archive(write_folder(tmp_path / "x"))

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)

    with pytest.raises(MissingDataError, match=r"x.* cannot be read \(Permission denied\); see"):
        read(opened)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_that_other_packers_tell_in_their_own_way_is_refused(compression, tmp_path):
    path = write_zip(tmp_path / "x.zip", compression)
    data = bytearray(path.read_bytes())
    start = data.index(b"a.txt") + len("a.txt")
    data[start + 9 : start + 20] = b"\xff" * 11
    path.write_bytes(data)

    with (
        open_archive(path) as opened,
        pytest.raises(CorruptFileError, match=r"a\.txt in .*x\.zip is damaged"),
    ):
        opened.read("a.txt")


def test_a_tar_of_names_alone_is_damaged(tmp_path):
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 2
    path = tmp_path / "x.tar"
    path.write_bytes((name.tobuf() + b"x\0".ljust(512, b"\0")) * 2000)

    with pytest.raises(CorruptFileError, match=r"x\.tar is damaged"):
        open_archive(path).names  # noqa: B018


def damage_the_second_header(data):
    return data[:1024] + b"?" + data[1025:]


def cut_before_the_second_header(data):
    return data[:1024]


@pytest.mark.parametrize("damage", [damage_the_second_header, cut_before_the_second_header])
def test_a_tar_whose_files_end_before_its_end_is_damaged(damage, tmp_path):
    path = write_tar(tmp_path / "x.tar", "w")
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(CorruptFileError, match=r"x\.tar is damaged"):
        names_of(path)
