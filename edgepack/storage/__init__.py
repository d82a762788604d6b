"""Everything on disk: arrays, datasets, the cache, output folders and their manifests."""
