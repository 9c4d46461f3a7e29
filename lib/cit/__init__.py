"""cit: queue, run, measure and remember jobs with plain files."""

VERSION = "0.1.0"
