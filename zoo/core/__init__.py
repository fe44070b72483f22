"""What every model is made on: base classes, fields of a batch, checks, the registry."""
