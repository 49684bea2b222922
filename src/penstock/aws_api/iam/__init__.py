"""AWS Identity and Access Management, as far as deployments need it: roles, their policies, managed policies.

https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
Policies are kept and given back. Nothing is decided by them: who reaches the endpoint may do all it offers.
"""

from penstock.aws_api.iam.service import IamService

__all__ = ["IamService"]
