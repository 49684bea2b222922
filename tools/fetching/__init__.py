"""How `tools/clients.py` gets each client: a module for each, over the common ground of `common.py`."""
