"""Training by torch's operations: any model, on any device."""
