"""What a verdict is made of; knows no web and no database."""
