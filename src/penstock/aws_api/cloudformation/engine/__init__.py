"""Carries out what was planned: deploys, rolls back, deletes."""
