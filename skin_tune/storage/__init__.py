"""Names and places of files: under a storage root, in a bucket, for a while on this machine."""
