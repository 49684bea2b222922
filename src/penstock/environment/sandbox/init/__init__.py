"""What runs as the first process of an execution environment. Standard library only, and little of it.

The platform starts it as its own small program, never as a part of itself, so that it starts in milliseconds and holds
none of the platform's memory. Nothing here imports anything but its own neighbours; the platform imports `wire`.

    platform ── control socket ──────────────┐
      └─ guardian (main)                     │   adopts orphans, sees everything die, removes the work directory
           └─ gate (attempt)                 │   only with a PID namespace: the one process between the two
                └─ supervisor (supervisor) ──┘   PID 1 inside: assembles the root, starts and reaps the processes
                     ├─ runtime
                     └─ extensions
"""
