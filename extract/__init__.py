"""From videos to a cache of region embeddings."""
