"""From kept sound to batches and features: packing, batches, front ends, augmentation."""
