"""From cached regions and a text corpus to recognised, explained actions."""
