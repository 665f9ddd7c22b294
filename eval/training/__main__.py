"""Learn the weights of retrieval: `eval.training.learning`."""

from eval.training.learning import main

main()
