"""Post-training quantization: rewriting the graph, finding fix points, rounding kernels, correcting biases."""
