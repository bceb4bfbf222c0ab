"""What a lab would do instead of skin-tune, compared with it at equal numbers of images drawn in training."""
