"""Scripted servers and small helpers shared by tests. Import as `support.<module>`."""
