"""What the runtime inside an execution environment talks to."""
