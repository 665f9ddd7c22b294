"""Learning what is shipped: the weights of retrieval and the calibration of the answer cache."""
