"""What should run, compared with what does."""

from penstock.control_plane.fleet import Fleet

__all__ = ["Fleet"]
