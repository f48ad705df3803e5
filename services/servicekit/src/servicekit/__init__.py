"""What makes a process a good pod; knows nothing of minds."""
