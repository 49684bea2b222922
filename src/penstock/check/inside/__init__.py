"""The folder that `penstock check` puts on PYTHONPATH inside an environment.

What is in it is run by the function's own Python, whatever its version, so it imports nothing of Penstock and nothing
that is installed.
"""
