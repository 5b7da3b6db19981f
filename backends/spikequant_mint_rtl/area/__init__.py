"""Area of the accelerator's logic and memories, MINT beside vanilla uniform quantization."""
