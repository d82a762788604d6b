"""Steps that several commands share, from loading the model to checking the result."""
