"""Test runs inside of tests: what they are told besides."""

# Plugins that other packages bring and that take longer to import than all else; and no cache is left.
PLAIN = ("-p", "no:cacheprovider", "-p", "no:faker", "-p", "no:hypothesispytest")
