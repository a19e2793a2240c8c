"""What only silicon can answer: tiny streams, each a single feature, run on a board's DPU and compared."""
