"""Datasets: read from any source, checked, preprocessed and cast to the model's input dtypes."""
