"""Round trips through NIR with snnTorch, Norse, SpikingJelly and Sinabs: what survives which way."""
