"""The vendor's quantizer, vai_q_tensorflow2: running it, and reading its models."""
