"""Pipeline, server and viewer under faults, again and again: every answer right, memory and descriptors flat."""
