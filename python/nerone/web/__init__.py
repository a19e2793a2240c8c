"""Shared front of every server: address, token, connection limits, one sentence for every failure."""
