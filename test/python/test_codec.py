"""The client's codec, without a server: against bytes written by hand, and there and back."""

import cbor2
import numpy as np
import pytest
from cbor2 import CBORTag

from client import BFLOAT16, decode_tensor, dtype_name, encode_tensor, strings

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
SHAPES = [(), (1,), (0,), (2, 3), (2, 0, 3), (1, 2, 1, 2, 3)]


def over_the_wire(item):
    return cbor2.loads(cbor2.dumps(item))


def assert_same(got, want):
    assert dtype_name(got) == dtype_name(want)
    assert got.shape == want.shape
    assert got.tolist() == want.tolist() if got.dtype == object else got.tobytes() == want.tobytes()


def sample(name, shape):
    size = int(np.prod(shape, dtype=int))
    if name == "string":
        return strings(*(b"\xff%d\x00" % i for i in range(size))).reshape(shape)
    if name == "bfloat16":
        return np.arange(0x3F80, 0x3F80 + size, dtype="<u2").view(BFLOAT16).reshape(shape)
    return np.asarray((np.arange(size) * 3 + 1).reshape(shape), dtype=name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [*NUMBERS, "bool", "bfloat16", "complex64", "complex128", "string"])
def test_every_dtype_and_rank_comes_back_as_it_was_sent(name, shape):
    array = sample(name, shape)
    assert_same(decode_tensor(over_the_wire(encode_tensor(array))), array)


@pytest.mark.parametrize("name", NUMBERS)
def test_big_endian_and_column_major_arrays_mean_the_same_tensor(name):
    array = sample(name, (2, 3))
    for item in (
        encode_tensor(array, big_endian=True),
        encode_tensor(array, column_major=True),
        encode_tensor(array, big_endian=True, column_major=True),
        encode_tensor(np.asfortranarray(array)),
        encode_tensor(array.astype(array.dtype.newbyteorder(">"))),
    ):
        assert_same(decode_tensor(over_the_wire(item)), array)


# Bytes from the RFCs, not from this codec: a mistake made in both directions would survive a round trip.
@pytest.mark.parametrize(
    "array, options, wire",
    [
        (np.array([1, 2], np.float32), {}, "d828 82 8102 d855 48 0000803f 00000040"),
        (np.array([1, 2], np.float32), {"big_endian": True}, "d828 82 8102 d851 48 3f800000 40000000"),
        (np.array(1.5, np.float16), {}, "d828 82 80 d854 42 003e"),
        (np.array([1.5], np.float16), {"big_endian": True}, "d828 82 8101 d850 42 3e00"),
        (np.array([[1, 2, 3], [4, 5, 6]], np.uint8), {}, "d828 82 820203 d840 46 010203040506"),
        (np.array([[1, 2, 3], [4, 5, 6]], np.uint8), {"column_major": True}, "d90410 82 820203 d840 46 010402050306"),
        (np.array([-2], np.int64), {}, "d828 82 8101 d84f 48 feffffffffffffff"),
        (np.array([2**64 - 2], np.uint64), {"big_endian": True}, "d828 82 8101 d843 48 fffffffffffffffe"),
        (np.array([-1], np.int8), {}, "d828 82 8101 d848 41 ff"),
        (strings(b"a", b"\xff"), {}, "d828 82 8102 82 4161 41ff"),
        (np.array([True, False]), {}, "a3 656474797065 64626f6f6c 657368617065 8102 6464617461 42 0100"),
        (
            np.array([0x3F80], "<u2").view(BFLOAT16),
            {},
            "a3 656474797065 6862666c6f61743136 657368617065 8101 6464617461 42 803f",
        ),
        (
            np.array([1 - 2j], np.complex64),
            {},
            "a3 656474797065 69636f6d706c65783634 657368617065 8101 6464617461 48 0000803f 000000c0",
        ),
    ],
)
def test_the_bytes_are_those_of_the_rfc(array, options, wire):
    data = bytes.fromhex(wire)
    assert cbor2.dumps(encode_tensor(array, **options)) == data
    assert_same(decode_tensor(cbor2.loads(data)), array)


def test_bits_that_compare_unusually_survive():
    array = np.array([0x80000000, 0x7FC00001, 0xFF800000, 1], np.uint32).view(np.float32)  # -0, NaN, -inf, denormal
    assert decode_tensor(over_the_wire(encode_tensor(array))).tobytes() == array.tobytes()


def test_a_bare_typed_array_is_a_vector_and_text_is_utf8():
    assert_same(decode_tensor(CBORTag(69, b"\x01\x02")), np.array([0x201], np.uint16))
    assert decode_tensor(CBORTag(40, [[1], ["é"]])).tolist() == ["é".encode()]


@pytest.mark.parametrize(
    "item",
    [
        5,
        CBORTag(27, b""),
        CBORTag(40, [[3], CBORTag(85, b"\0" * 8)]),
        CBORTag(40, [[2], [b"one"]]),
        CBORTag(85, b"\0" * 5),
        {"dtype": "float32", "shape": [1], "data": b"\0" * 4},
    ],
    ids=["number", "foreign tag", "shape too large", "too few strings", "half an element", "dtype with a typed array"],
)
def test_what_is_no_tensor_is_refused(item):
    with pytest.raises(ValueError):
        decode_tensor(item)


def test_a_dtype_tensorflow_lacks_is_refused_on_encoding():
    with pytest.raises(TypeError):
        encode_tensor(np.array(["text"]))
