"""Mutants of files and messages against every door: no abort, no hang, no other error than NERONE's own."""
