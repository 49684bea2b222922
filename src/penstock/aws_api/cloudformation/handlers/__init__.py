"""Who makes, changes and deletes the resources of each type, by calling the service it belongs to."""
