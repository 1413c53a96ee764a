"""From action names to a searchable text corpus of visual entities."""
