"""The AWS-compatible endpoint: AWS's services as far as a deployment needs them, over one store."""
