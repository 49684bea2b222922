"""CloudFormation's operations, as its API has them."""
