"""Where the tables live: commits over all of them, snapshots, the writer's lease. `motifdb.catalog.store` is its front."""
