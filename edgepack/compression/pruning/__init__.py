"""Magnitude pruning, in one shot or while fine-tuning."""
