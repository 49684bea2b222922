"""What extensions inside an execution environment talk to."""
