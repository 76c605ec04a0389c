"""GGUF files, well made, in parts, and broken in every way."""

import struct

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, quants
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.checkpoint import GgufCheckpoint, GgufError
from townsfolk_kernels.quantized.blocks import BlockFormat

ROWS = np.random.default_rng(5).normal(size=(6, 64)).astype(np.float32)


def write(path, **more):
    """A small file with a value of each type and tensors of three kinds."""
    writer = GGUFWriter(path, "llama", **more)
    writer.add_name("Mira \u2014 an innkeeper")
    writer.add_uint8("test.uint8", 200)
    writer.add_int8("test.int8", -7)
    writer.add_uint16("test.uint16", 60000)
    writer.add_int16("test.int16", -30000)
    writer.add_uint32("test.uint32", 4_000_000_000)
    writer.add_int32("test.int32", -5)
    writer.add_uint64("test.uint64", 1 << 60)
    writer.add_int64("test.int64", -(1 << 60))
    writer.add_float32("test.float32", 0.5)
    writer.add_float64("test.float64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_array("test.texts", ["a", "", "\u00e9\u2581"])
    writer.add_array("test.numbers", [1, -2, 3])
    writer.add_array("test.floats", [0.5, 1.5])
    writer.add_tensor("dense", ROWS)
    writer.add_tensor("half", ROWS.astype(np.float16))
    kind = GGMLQuantizationType.Q8_0
    writer.add_tensor("blocks", quants.quantize(ROWS, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("gguf") / "model.gguf")


def test_metadata_are_those_that_the_package_reads(file):
    found = GgufCheckpoint(file).metadata
    expected = {
        key: field.contents()
        for key, field in GGUFReader(file).fields.items()
        if not key.startswith("GGUF.")
    }
    assert found.keys() == expected.keys()
    for key, value in found.items():
        plain = value.tolist() if isinstance(value, np.ndarray) else value
        assert plain == expected[key], key
        assert type(plain) is type(expected[key]), key


def test_tensors_are_those_that_the_package_reads(file):
    checkpoint = GgufCheckpoint(file)
    assert set(checkpoint) == {"dense", "half", "blocks"}
    assert torch.equal(checkpoint.tensor("dense"), torch.from_numpy(ROWS))
    assert torch.equal(checkpoint.tensor("half"), torch.from_numpy(ROWS).half())
    kind = GGMLQuantizationType.Q8_0
    expected = torch.from_numpy(quants.dequantize(quants.quantize(ROWS, kind), kind))
    assert torch.equal(checkpoint.tensor("blocks"), expected)
    assert torch.equal(checkpoint.tensor("blocks", torch.bfloat16), expected.bfloat16())


@pytest.mark.parametrize(
    ("name", "encoding", "expected"),
    [
        ("half", torch.float16, ROWS.astype(np.float16)),
        ("blocks", BlockFormat.Q8_0, quants.quantize(ROWS, GGMLQuantizationType.Q8_0)),
    ],
)
def test_where_tensors_lie(file, name, encoding, expected):
    checkpoint = GgufCheckpoint(file)
    stored = checkpoint.stored(name)
    raw = file.read_bytes()[stored.offset : stored.offset + stored.nbytes]
    assert raw == expected.tobytes()
    assert stored.encoding is encoding
    assert checkpoint.nbytes(name) == len(raw)


class TestParts:
    @pytest.fixture
    def parts(self, tmp_path):
        write(tmp_path / "model.gguf", split_max_tensors=1)
        return sorted(tmp_path.glob("*.gguf"))

    def test_any_of_them_stands_for_all(self, parts):
        assert len(parts) == 3
        for part in parts:
            checkpoint = GgufCheckpoint(part)
            assert set(checkpoint) == {"dense", "half", "blocks"}
            assert checkpoint.metadata["test.int32"] == -5

    def test_a_missing_one_is_named(self, parts):
        parts[1].unlink()
        with pytest.raises(GgufError, match=r"not there: model-00002-of-00003\.gguf"):
            GgufCheckpoint(parts[0])

    def test_a_mixed_up_one_is_told(self, parts):
        parts[1].write_bytes(parts[2].read_bytes())
        with pytest.raises(GgufError, match=r"00002-of-00003\.gguf says that it is part 2"):
            GgufCheckpoint(parts[0])

    def test_a_renamed_one_is_told(self, parts):
        renamed = parts[1].rename(parts[1].with_name("mine.gguf"))
        with pytest.raises(GgufError, match="parts must keep their names"):
            GgufCheckpoint(renamed)

    def test_a_name_that_stands_for_very_many(self, parts):
        renamed = parts[0].rename(parts[0].with_name("m-00001-of-99999.gguf"))
        with pytest.raises(GgufError, match="and 99990 more"):
            GgufCheckpoint(renamed)


def text(value):
    return struct.pack("<Q", len(value)) + value


def header(*entries, tensors=(), version=3, counts=None):
    tensor_count, entry_count = counts or (len(tensors), len(entries))
    start = b"GGUF" + struct.pack("<IQQ", version, tensor_count, entry_count)
    return start + b"".join(entries) + b"".join(tensors)


def tensor(name=b"t", shape=(32,), kind=0, offset=0):
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


NUMBER = text(b"k") + struct.pack("<II", 4, 7)
BROKEN = {
    "empty": (b"", "empty file"),
    "another format": (b"PK\x03\x04" + bytes(100), "does not begin with GGUF"),
    "a page of the web": (b"<!DOCTYPE html>", "does not begin with GGUF"),
    "version 1": (header(version=1), "its version is 1"),
    "big-endian": (header(version=3 << 24), "it is big-endian"),
    "cut in its counts": (b"GGUF" + struct.pack("<IQ", 3, 0), "ends within its header"),
    "a huge count of tensors": (header(counts=(1 << 60, 0)), "claims 1152921504606846976 tensors"),
    "a huge count of entries": (header(counts=(0, 1 << 60)), "metadata entries in 0 bytes"),
    "a huge key": (header(struct.pack("<Q", 1 << 62) + bytes(8)), "bytes of a metadata key"),
    "a huge text": (
        header(text(b"k") + struct.pack("<IQ", 8, 1 << 50)), "claims 1125899906842624 bytes of k"
    ),
    "a huge array": (
        header(text(b"k") + struct.pack("<IIQ", 9, 4, 1 << 50)), "numbers in k in 0 bytes"
    ),
    "a huge array of texts": (
        header(text(b"k") + struct.pack("<IIQ", 9, 8, 1 << 50)), "texts in k in 0 bytes"
    ),
    "an array of arrays": (header(text(b"k") + struct.pack("<IIQ", 9, 9, 1)), "type 9"),
    "an unknown type": (header(text(b"k") + struct.pack("<I", 77) + bytes(8)), "unknown type 77"),
    "a key twice": (header(NUMBER, NUMBER), "'k' twice"),
    "a key that is no text": (header(text(b"\xff\xfe\xfd") + bytes(8)), "not UTF-8"),
    "an alignment of nothing": (
        header(text(b"general.alignment") + struct.pack("<II", 4, 0)), "general.alignment is 0"
    ),
    "a huge alignment": (
        header(text(b"general.alignment") + struct.pack("<II", 4, 1 << 31)), "general.alignment"
    ),
    "no dimensions": (header(tensors=[tensor(shape=())]) + bytes(64), "0 dimensions"),
    "five dimensions": (header(tensors=[tensor(shape=(1,) * 5)]), "5 dimensions"),
    "a huge shape": (header(tensors=[tensor(shape=(1 << 63, 1 << 63))]), "but the file has"),
    "an empty tensor": (header(tensors=[tensor(shape=(0, 4))]), "is empty"),
    "a tensor twice": (header(tensors=[tensor(), tensor()]) + bytes(256), "described twice"),
    "a nameless tensor": (header(tensors=[tensor(name=b"")]) + bytes(256), "0 characters"),
    "beyond the end": (header(tensors=[tensor(offset=1 << 40)]), "is cut off or broken"),
    "data cut off": (header(tensors=[tensor()]) + bytes(64), "is cut off or broken"),
    "a row of half a block": (
        header(tensors=[tensor(shape=(48,), kind=8)]) + bytes(256), "Q8_0 has 32 in a block"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told(tmp_path, name):
    data, said = BROKEN[name]
    path = tmp_path / "broken.gguf"
    path.write_bytes(data)
    with pytest.raises(GgufError) as caught:
        GgufCheckpoint(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path):
    for path in (tmp_path / "no.gguf", tmp_path):
        with pytest.raises(GgufError, match="can't be read"):
            GgufCheckpoint(path)


@st.composite
def mutations(draw):
    """Places in the header, and the bytes that are put there; or where the file is cut."""
    if draw(st.booleans()):
        return draw(st.integers(0, 2000)), None
    return draw(st.integers(0, 1400)), draw(
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from([b"\xff" * 8, bytes(8), struct.pack("<Q", 1 << 40)]),
        )
    )


@given(changes=st.lists(mutations(), min_size=1, max_size=3))
def test_a_mutated_file_is_refused_or_read(file, tmp_path_factory, changes):
    data = bytearray(file.read_bytes())
    for place, put in changes:
        if put is None:
            del data[place:]
        else:
            data[place : place + len(put)] = put
    path = tmp_path_factory.mktemp("mutated") / "model.gguf"
    path.write_bytes(data)
    try:
        checkpoint = GgufCheckpoint(path)
    except GgufError:
        return
    for name in checkpoint:
        if not checkpoint.problem(name):
            found = checkpoint.tensor(name)
            assert found.shape == checkpoint.shape(name)
            assert found.numel() <= 64 * len(data)
