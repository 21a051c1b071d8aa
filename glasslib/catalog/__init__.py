"""Data sets by name: fetched, checked, cached, read.

>>> from glasslib import catalog
>>> test = catalog.load("botan", "test", only_cached=True)  # doctest: +SKIP
"""

from glasslib.catalog.records import DataFile, Dataset, datasets
from glasslib.catalog.store import cache_folder, fetch, is_cached, load, paths, verify

__all__ = ["DataFile", "Dataset", "cache_folder", "datasets", "fetch", "is_cached", "load", "paths", "verify"]
