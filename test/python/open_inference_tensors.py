"""A tensor of each datatype of the Open Inference Protocol, for the signatures of the model `identity`."""

import ml_dtypes
import numpy as np

# Signature of the model `identity`, datatype, values.
TENSORS = {
    "bool": ("BOOL", np.array([[True, False, True]])),
    "uint8": ("UINT8", np.array([[0, 255]], np.uint8)),
    "uint16": ("UINT16", np.array([0, 2**16 - 1], np.uint16)),
    "uint32": ("UINT32", np.array([0, 2**32 - 1], np.uint32)),
    "uint64": ("UINT64", np.array([0, 2**64 - 1], np.uint64)),
    "int8": ("INT8", np.array([-128, 127], np.int8)),
    "int16": ("INT16", np.array([-(2**15), 2**15 - 1], np.int16)),
    "int32": ("INT32", np.array([-(2**31), 2**31 - 1], np.int32)),
    "int64": ("INT64", np.array([-(2**63), 2**53 + 1], np.int64)),
    "float16": ("FP16", np.array([[1.5], [-65504]], np.float16)),
    "float32": ("FP32", np.array([0.1, -3.4e38, np.inf], np.float32)),
    "float64": ("FP64", np.array([0.1, 1e300], np.float64)),
    "bfloat16": ("BF16", np.array([1.5, -2], ml_dtypes.bfloat16)),
    "string": ("BYTES", np.array([b"a", "\u00fc\u20ac".encode(), b""], object)),
}
