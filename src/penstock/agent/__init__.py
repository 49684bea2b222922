"""The agent of one instance: starts, ends and watches its execution environments."""

from penstock.agent.agent import Agent

__all__ = ["Agent"]
