"""How extensions inside an execution environment are told what happens in it."""
