"""What `penstock` adds to pytest: fixtures that run an app as Lambda would."""
