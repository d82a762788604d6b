"""Representative datasets, and the measuring of activation ranges with them."""
