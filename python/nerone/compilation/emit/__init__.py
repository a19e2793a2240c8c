"""NERONE's own compiler for the DPU: from fixed-point ops to instructions, each stream proved before it is written."""
