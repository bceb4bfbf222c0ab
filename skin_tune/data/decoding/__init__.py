"""Image files to 8-bit sRGB pixels."""
