"""AWS CloudFormation, for templates of the types that `handlers` makes.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
"""

from penstock.aws_api.cloudformation.service import CloudFormationService

__all__ = ["CloudFormationService"]
