"""What makes a cluster ready for minds; each command is a module of its name."""
