"""Companion studies: what others claim about structure and mobility, put to the test on our data."""
