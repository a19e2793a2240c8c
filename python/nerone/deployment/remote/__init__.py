"""Sending a bundle to a board over ssh, and checking it there."""
