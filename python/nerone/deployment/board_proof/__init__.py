"""Questions that only silicon can answer: tiny streams, one feature each, run on a board's DPU and compared."""
