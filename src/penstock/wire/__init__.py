"""Bytes on sockets: HTTP/1.1 and the streaming prelude. Knows nothing of functions."""
