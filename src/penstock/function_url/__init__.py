"""The public door of a function: an HTTP server that speaks payload format 2.0 to the function."""

from penstock.function_url.door import FunctionUrl
from penstock.function_url.hosts import UrlDoor, UrlHosts
from penstock.telemetry.access import AccessRecord

__all__ = ["AccessRecord", "FunctionUrl", "UrlDoor", "UrlHosts"]
