"""What the domain speaks of; plain dataclasses, times in UTC, money in dollars."""
