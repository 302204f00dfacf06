"""`dict_to_binary` and `binary_to_dict` under the module name that existing code imports."""

from tfjs_serving_client import binary_to_dict, dict_to_binary

__all__ = ["binary_to_dict", "dict_to_binary"]
