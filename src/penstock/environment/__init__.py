"""One execution environment: its processes, the two APIs they talk to, and its life."""
