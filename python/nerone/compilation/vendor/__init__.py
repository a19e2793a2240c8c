"""The vendor's compiler: its folder, its run, and the check of its result."""
