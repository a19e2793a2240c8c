"""Images through a bundle: one at a time, whole files and folders, and raw arrays."""
