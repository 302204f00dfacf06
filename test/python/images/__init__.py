"""Image files of every kind that the formats know, made here: what PngSuite and bmpsuite hold, and more."""
