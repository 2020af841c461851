"""Training one network on several workers: equal parts of each batch, sums of gradients."""
