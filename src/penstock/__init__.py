"""Penstock: AWS Lambda Managed Instances on any machine. The rooms and floors are in docs/architecture.md."""

__version__ = "0.1.0"
