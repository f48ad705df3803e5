"""What others serve or made."""
