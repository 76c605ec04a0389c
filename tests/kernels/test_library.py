"""Libraries of built kernels, and how arguments of a launch lie in memory; no GPU is needed."""

import ctypes
import struct
import zipfile

import pytest
import torch

pytest.importorskip("triton")
from townsfolk_kernels.gpu import library
from townsfolk_kernels.gpu.cuda import Signature
from townsfolk_kernels.gpu.library import Entry, Library

ENTRY = Entry(
    kernel="townsfolk_kernels.prefill.norm._norm_kernel",
    function="_norm_kernel",
    signature=["*bf16", "i32", "constexpr"],
    warps=4,
    shared=1024,
    dependent=False,
    scratch=(0, 1),
    registers=32,
    spills=0,
)
CUBIN = bytes(range(256)) * 5


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a b" / library.file_name((8, 6))
    library.write(path, (8, 6), iter([("place", ENTRY, CUBIN)]))
    return path


def test_what_is_written_is_read(path):
    read = Library(path)
    assert read.entries == {"place": ENTRY}
    with zipfile.ZipFile(path) as file:
        assert file.read("place") == CUBIN
    assert read.load("another place", 0) is None


def test_kernels_of_other_sources_are_refused(path, monkeypatch):
    monkeypatch.setattr(library, "sources", lambda: "others")
    with pytest.raises(ValueError, match="other sources"):
        Library(path)


@pytest.mark.parametrize("cut", [0, 10, 400])
def test_a_broken_file_is_refused(path, cut):
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match="broken"):
        Library(path)


def test_a_broken_library_is_left_out_with_a_word(path, monkeypatch, caplog):
    path.write_bytes(b"")
    monkeypatch.setenv(library.VARIABLE, str(path.parent))
    library.opened.cache_clear()
    assert library.opened((8, 6)) is None
    library.opened.cache_clear()
    assert "left out" in caplog.text


def test_writing_that_fails_leaves_what_was_there(path):
    def breaking():
        yield "place", ENTRY, CUBIN
        raise OSError("the disk is full")

    before = path.read_bytes()
    with pytest.raises(OSError, match="full"):
        library.write(path, (8, 6), breaking())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("capability", "found"),
    [((8, 6), "sm_86.zip"), ((8, 9), "sm_86.zip"), ((8, 0), None), ((9, 0), None)],
)
def test_kernels_of_an_older_card_of_a_generation_fit(path, capability, found):
    fitting = library.fitting(capability, path.parent)
    assert (fitting and fitting.name) == found


def test_places_tell_launches_apart():
    places = {library.place_of(kernel, key) for kernel in ("a", "b") for key in ("x", "y")}
    assert len(places) == 4


def test_arguments_lie_where_the_driver_looks_for_them():
    tensor = torch.zeros(4)
    kinds = ["*bf16", "i32", "constexpr", "i64", "fp32", "*fp32", "i1", "u8", "fp64"]
    arguments = [tensor, -5, None, 2**40, 1.5, tensor, 1, 255, 0.1]
    config = (1, 2, 3, 128, 1, 1, 4096, 2**63, 2**62, 1)
    memory = Signature(kinds).pack(config, arguments, scratch=7)
    base = ctypes.addressof(memory)
    assert struct.unpack_from("@3I3IIPPI", memory) == config
    types = [
        ctypes.c_uint64, ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_uint64,
        ctypes.c_int8, ctypes.c_uint8, ctypes.c_double, ctypes.c_uint64, ctypes.c_uint64,
    ]  # fmt: skip
    addresses = struct.unpack_from(f"{len(types)}P", memory, struct.calcsize("@3I3IIPPI4x"))
    assert all(base < address < base + len(memory) for address in addresses)
    assert all(at % ctypes.alignment(kind) == 0 for at, kind in zip(addresses, types, strict=True))
    read = [kind.from_address(at).value for at, kind in zip(addresses, types, strict=True)]
    pointer = tensor.data_ptr()
    assert read == [pointer, -5, 2**40, 1.5, pointer, 1, 255, 0.1, 7, 0]


def test_an_argument_that_can_not_be_passed_is_refused():
    with pytest.raises(NotImplementedError, match="tensordesc"):
        Signature(["tensordesc<fp16[64, 64]>"])
