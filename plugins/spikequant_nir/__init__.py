"""Networks of other tools, read from ``.nir`` files: as a float model that is calibrated, quantized and verified."""
