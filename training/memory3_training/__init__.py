"""Training of models with explicit memory, and the data they are trained on."""
