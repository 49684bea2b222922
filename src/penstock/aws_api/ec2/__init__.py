"""Amazon EC2, as far as a deployment asks: the default VPC with its subnets and security groups, and what runs there.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html
The default VPC is the same whenever it is asked for: its ids follow from the account and the Region.
"""

from penstock.aws_api.ec2.instances import Ec2Instance
from penstock.aws_api.ec2.service import Ec2Service

__all__ = ["Ec2Instance", "Ec2Service"]
