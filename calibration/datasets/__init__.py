"""Datasets: read from any source, checked, preprocessed and cast to what the model takes."""
