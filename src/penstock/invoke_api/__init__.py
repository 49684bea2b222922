"""The AWS-compatible door that invokes functions: Invoke and InvokeWithResponseStream."""
