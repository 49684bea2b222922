"""Nouns, limits, errors, ids and ports. Imports nothing from the rest of the house."""
