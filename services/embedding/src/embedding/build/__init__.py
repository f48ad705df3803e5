"""Makes the model folder from the official weights; run once, at set-up."""
