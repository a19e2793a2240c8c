"""Fast finetuning and quantization-aware training."""
