"""The platform in virtual time: traffic comes in, the same deciders as `penstock up`'s say what there should be."""
