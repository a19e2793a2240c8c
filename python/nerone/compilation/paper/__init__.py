"""The paper's Table I and networks, each beside its estimate."""
