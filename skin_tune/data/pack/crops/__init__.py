"""The file of crops that packs of one preparation share."""
