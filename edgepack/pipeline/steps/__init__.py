"""Steps shared by several commands, from loading the model to checking the result."""
