"""The mode ``loihi``: programs on Lava's stock bit-accurate processes, for people who go on to the chip."""
