"""What has not changed is not done again: results kept by the hash of all that decides them."""
