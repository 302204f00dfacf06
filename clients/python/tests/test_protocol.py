"""Messages, without a server: layouts, views, and what is refused."""

import cbor2
import numpy as np
import pytest
from cbor2 import CBORTag

from tfjs_serving_client import BFLOAT16, binary_to_dict, decode, dict_to_binary, encode, from_bfloat16, to_bfloat16


def test_any_layout_is_written_as_the_same_bytes():
    array = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    want = encode(array)
    wider = np.zeros((2, 3, 8), np.int32)
    wider[:, :, ::2] = array
    for other in (np.asfortranarray(array), array.astype(">i4"), array[::-1][::-1], wider[:, :, ::2]):
        assert encode(other) == want


def test_answers_are_views_on_the_message_where_it_aligns_them():
    message = encode({"image": np.arange(100, dtype=np.uint8)})
    image = decode(message)["image"]
    assert np.shares_memory(image, np.frombuffer(message, np.uint8))
    assert not image.flags.writeable
    for padding in range(8):
        values = decode(encode(["x" * padding, np.arange(9, dtype=np.float64)]))[1]
        assert values.flags.aligned and not values.flags.writeable
        assert values.tolist() == list(range(9))


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("endian, tag", [("<", 85), (">", 81)])
def test_either_order_and_byte_order_is_read(order, endian, tag):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    typed = CBORTag(tag, array.astype(f"{endian}f4").tobytes(order))
    got = decode(cbor2.dumps(CBORTag(40 if order == "C" else 1040, [[2, 3], typed])))
    assert got.dtype == np.float32
    assert got.tolist() == array.tolist()


def test_numpys_numbers_are_scalars_and_its_text_is_strings():
    assert decode(encode(np.float32(2))).shape == ()
    assert decode(encode(np.array(["é", ""]))).tolist() == ["é".encode(), b""]
    assert decode(encode(np.array([b"a\0", "b"], dtype=object))).tolist() == [b"a\0", b"b"]


def test_what_only_cbor2_knows_is_read_with_arrays_in_it():
    value = {"big": 1 << 80, "x": np.ones(2, np.float32)}
    got = decode(encode(value))
    assert got["big"] == 1 << 80
    assert got["x"].tolist() == [1, 1]
    indefinite = b"\xbf\x61a\x9f\x01\x02\xff\xff"
    assert decode(indefinite) == {"a": [1, 2]}


def test_bfloat16_is_rounded_to_nearest_even_and_keeps_nan():
    array = to_bfloat16([1.0, 1.00390625, 1.01171875, np.inf, -0.0, np.nan])
    assert array.dtype == BFLOAT16
    floats = from_bfloat16(array)
    assert floats[:4].tolist() == [1.0, 1.0, 1.015625, np.inf]
    assert np.signbit(floats[4]) and np.isnan(floats[5])
    assert decode(encode(array)).tobytes() == array.tobytes()


def test_bfloat16_of_ml_dtypes_is_sent_as_it_is():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([[1.5, -2], [0.25, 3]], ml_dtypes.bfloat16)
    got = decode(encode(array.T))
    assert got.dtype == BFLOAT16
    assert got.view(ml_dtypes.bfloat16).tolist() == array.T.tolist()


@pytest.mark.parametrize(
    "item",
    [
        CBORTag(40, [[3], CBORTag(85, b"\0" * 8)]),
        CBORTag(40, [[2], [b"one"]]),
        CBORTag(40, [[-1], CBORTag(85, b"\0" * 8)]),
        CBORTag(40, [[2], 5]),
        CBORTag(85, b"\0" * 5),
        {"dtype": "bool", "shape": [3], "data": b"\0"},
    ],
    ids=["shape too large", "too few strings", "negative dim", "no values", "half an element", "described"],
)
def test_an_array_whose_parts_disagree_is_refused(item):
    with pytest.raises(ValueError):
        decode(cbor2.dumps(item))


@pytest.mark.parametrize(
    "message",
    [b"", b"\x82\x01", b"\x58", b"\x5a\xff\xff\xff\xff\x00", b"\x01\x02", b"\xa2\x61a\x01\x61a\x02", b"\x81" * 100_000, b"\xa1\x80\x01"],
    ids=["nothing", "short list", "half a head", "huge length", "trailing", "key twice", "nested", "list as key"],
)
def test_what_is_not_one_message_is_refused(message):
    with pytest.raises(ValueError):
        decode(message)


def test_every_cut_of_a_message_is_refused():
    message = encode({"x": np.arange(3, dtype=np.float32), "s": np.array([b"a"], dtype=object), "f": 1.5, "t": True})
    for end in range(len(message)):
        with pytest.raises(ValueError):
            decode(message[:end])


def test_dicts_only():
    with pytest.raises(TypeError):
        dict_to_binary([1])
    with pytest.raises(ValueError):
        binary_to_dict(encode([1]))
    with pytest.raises(TypeError, match="datetime64"):
        dict_to_binary({"x": np.array(["2020-01-01"], "datetime64[D]")})
