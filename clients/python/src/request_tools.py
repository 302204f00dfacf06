"""`send_inference_request` under the module name that existing code imports."""

from tfjs_serving_client import send_inference_request

__all__ = ["send_inference_request"]
