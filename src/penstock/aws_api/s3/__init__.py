"""Amazon S3, as far as deployments and their tools use it: buckets, objects with versions, multipart uploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
What a bucket is configured with (policy, encryption, lifecycle and so on) is kept and given back, and never enforced:
the policy that sam gives its bucket denies plain HTTP, which is what a local endpoint speaks.
"""

from penstock.aws_api.s3.service import S3Service

__all__ = ["S3Service"]
