"""Fine-tuning: the training that compression techniques share."""
