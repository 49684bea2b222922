"""AWS Security Token Service: who asks, and temporary keys.

https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from penstock.aws_api.sts.service import StsService

__all__ = ["StsService"]
