"""Calibration images: reading them as batches, choosing them, and how many really differ."""
