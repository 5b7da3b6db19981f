"""Line and toggle coverage of the RTL, a tool for whoever changes it: ``python -m spikequant_mint_rtl.coverage``."""
