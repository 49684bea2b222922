"""Lambda: functions, versions, aliases, Function URLs, layers and capacity providers, and what runs of them."""

from penstock.aws_api.functions.host import Host, PublicUrl, Running
from penstock.aws_api.functions.service import LambdaService

__all__ = ["Host", "LambdaService", "PublicUrl", "Running"]
